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

/*
 * The trace, if the program has a third argument: a file with one row for each step of the plan, with the
 * number after that of the last slot. The process that carries out the step writes the row, and the parent
 * reads it. The program maps the file and closes it at once.
 */
struct init_trace {
	uint64_t begin,
		end; /* of time_us, or INIT_TRACE_NO_CLOCK; 0: the step has not begun, or has not ended */
};
#define INIT_TRACE_NO_CLOCK 1

/*
 * How the program ended, as waitid(2) reports it. PLAN_REAPER writes it to the pipe of PLAN_OPEN_END before it
 * exits: the first process of a pid namespace cannot be killed by the signal that has killed the program, so it
 * exits with 128 and its number.
 */
struct init_end {
	int32_t code, status; /* si_code and si_status */
};

#endif
