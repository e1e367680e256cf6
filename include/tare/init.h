/* SPDX-License-Identifier: Apache-2.0 */
/* init: the processes that carry out a plan from inside, init and the bridge; one program in two roles. */
#ifndef TARE_INIT_H
#define TARE_INIT_H

#include <tare/base.h>

/*
 * The descriptors that the parent passes to init and the bridge. Each has the number first + INIT_FD_*; first
 * is the program's first argument (decimal), the lowest number above the descriptors that the container's
 * program keeps. The program sets close-on-exec on all of them when it starts.
 */
enum init_fd {
	INIT_FD_SOCKET, /* to the parent; protocol.h */
	INIT_FD_PLAN,   /* the plan's image, sealed */
	INIT_FD_CGROUP, /* the container's cgroup, for the bridge's clone */
	INIT_FD_SLOTS,  /* slot 0 of the plan; slot n is INIT_FD_SLOTS + n */
};

#endif
