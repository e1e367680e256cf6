/* SPDX-License-Identifier: Apache-2.0 */
/* check: whether a configuration is valid, and this host can honour it. Runs in the process that was called. */
#ifndef TARE_CHECK_H
#define TARE_CHECK_H

#include <tare/parent.h>

/*
 * "check": reads the bundle's config and hands every finding over, first what is wrong with it, then what
 * this host cannot honour. What is no fault but worth knowing comes with kind ERR_NONE. Returns the number of
 * findings without those, or -errno with *err set if there is nothing to
 * check (no such file).
 */
int check_run(const struct create_options *options,
	      void (*on_finding)(void *context, const struct err *finding), void *context,
	      struct err *err) MUST_CHECK;

#endif
