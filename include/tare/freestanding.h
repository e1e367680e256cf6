/* SPDX-License-Identifier: Apache-2.0 */
/* freestanding: the first instructions and the string functions of programs without a C library. */
#ifndef TARE_FREESTANDING_H
#define TARE_FREESTANDING_H

/*
 * What start.c calls once the program is relocated; each program has one. Never returns. argv is the kernel's
 * (execve(2)).
 */
__attribute__((noreturn)) void freestanding_main(int argc, char **argv);

#endif
