/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The caller's environment, on its way to createContainer hooks that state none of their own. Private to the
 * room.
 *
 * It is never init's own environment, which the container could read until init executes the program. The
 * parent puts it into a sealed file: for each entry a 64-bit cell with the entry's offset in the file, a cell
 * that is 0, and the entries, each with its NUL. init maps that while such hooks run (creation.c), and adds the
 * address to each cell.
 */
#ifndef TARE_RUN_ENVIRONMENT_H
#define TARE_RUN_ENVIRONMENT_H

#include <tare/base.h>

/* The file, close-on-exec; -errno if it cannot be made. Runs in the parent. */
int environment_open(char *const *environment, struct err *err) MUST_CHECK;

#endif
