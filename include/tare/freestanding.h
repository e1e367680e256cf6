/* SPDX-License-Identifier: Apache-2.0 */
/* freestanding: the first instructions and the string functions of programs without a C library. */
#ifndef TARE_FREESTANDING_H
#define TARE_FREESTANDING_H

/*
 * The main function of a program without a C library, one for each program. start.c calls it once the program
 * is relocated. Never returns. argv is the array that execve(2) put on the stack.
 */
__attribute__((noreturn)) void freestanding_main(int argc, char **argv);

#endif
