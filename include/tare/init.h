/* SPDX-License-Identifier: Apache-2.0 */
/* init: the processes that carry out a plan from inside, init and the bridge; one program in two roles. */
#ifndef TARE_INIT_H
#define TARE_INIT_H

#include <tare/base.h>

/*
 * Descriptors of the new program, counted from its first argument (decimal), which is the first number behind
 * those that the container's program is to keep. All are close-on-exec as soon as the program runs.
 */
enum init_fd {
	INIT_FD_SOCKET, /* to the parent; protocol.h */
	INIT_FD_PLAN,   /* the plan's image, sealed */
	INIT_FD_CGROUP, /* the container's cgroup, for the bridge's clone */
	INIT_FD_SLOTS,  /* slot 0 of the plan, the others behind it */
};

#endif
