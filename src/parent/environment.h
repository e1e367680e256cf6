/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The caller's environment, passed to init for createContainer hooks that have no "env" of their own.
 *
 * It never becomes init's own environment, which the container could read in /proc/1/environ until init
 * executes the program. The parent writes it to a sealed memfd: for each entry a 64-bit cell with the entry's
 * offset in the file, a cell that is 0, and the entries, each with its NUL. init maps the file while such hooks
 * run (src/init/create.c), and adds the mapping's address to each cell.
 */
#ifndef TARE_PARENT_ENVIRONMENT_H
#define TARE_PARENT_ENVIRONMENT_H

#include <tare/base.h>

/* The memfd, close-on-exec, or -errno with *err. Runs in the parent; private to the room. */
int environment_open(char *const *environment, struct err *err) MUST_CHECK;

#endif
