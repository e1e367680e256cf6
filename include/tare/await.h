/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits for other processes with a time limit, and stops waiting when a signal or the exit of the process
 * arrives. Runs in the parent, the starter and the commands.
 */
#ifndef TARE_AWAIT_H
#define TARE_AWAIT_H

#include <tare/base.h>

/* A descriptor of -1 is not waited for. The caller owns all of them. */
struct await {
	int fd;
	short events;   /* of poll(2), for fd */
	int pidfd;      /* of the process that sends on the other end of fd */
	int signal_fd;  /* from await_signals */
	int timeout_ms; /* negative: no time limit */
};

#define AWAIT_READY 1  /* fd has one of its events, or its other end is closed */
#define AWAIT_ENDED 2  /* the process of pidfd has exited; all that it sent can be received */
#define AWAIT_SIGNAL 4 /* a signal requests the end of the command; it is still pending */

/* Waits. Returns a set of AWAIT_*; 0 after timeout_ms; the negative errno of a failed ppoll(2). */
int await_any(const struct await *await) MUST_CHECK;

/*
 * Waits for one message of the peer, which then can be received without waiting; message is its name, for
 * errors. -EINTR with "interrupted by SIGTERM" in *err after a signal. -EPIPE with kind ERR_PEER, as from
 * protocol_expect, if the process exited and sent none: its socket can still be open in another process.
 */
int await_message(const struct await *await, const char *message, struct err *err) MUST_CHECK;

/*
 * A signalfd(2) for those of INT, TERM, HUP and QUIT, the signals by which a user ends a command, that are
 * blocked and that the caller of the command does not ignore (nohup(1)). The caller closes it. A descriptor or
 * -errno.
 */
int await_signals(void) MUST_CHECK;

/* Reads the pending signal and sets *err to "interrupted by SIGTERM" or the like. Returns -EINTR. */
int await_interrupted(int signal_fd, struct err *err);

#endif
