/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for others, who may take for ever. Private to the room; runs in the parent and the starter. */
#ifndef TARE_AWAIT_H
#define TARE_AWAIT_H

#include <tare/base.h>

/* A descriptor that is not to be waited for is -1. */
struct await {
	int fd;         /* what is waited for */
	short events;   /* of poll(2), at fd */
	int pidfd;      /* of the process that it has to come from */
	int signal_fd;  /* of await_signals */
	int timeout_ms; /* negative: none */
};

#define AWAIT_READY 1  /* fd has its events, or its other side is closed */
#define AWAIT_ENDED 2  /* the process of pidfd has ended; everything that it sent before is there */
#define AWAIT_SIGNAL 4 /* somebody wants an end of it; the signal is still pending */

/* What has come of it, as a set of AWAIT_*; 0 when the time is up. -errno for what poll(2) cannot do. */
int await_any(const struct await *await) MUST_CHECK;

/*
 * Waits for one message of the peer, which then can be received without waiting. -EINTR with "interrupted by
 * SIGTERM" in *err for a signal, -EPIPE as protocol_expect has it when the process ended without one: others
 * may keep its socket open.
 */
int await_message(const struct await *await, const char *message, struct err *err) MUST_CHECK;

/*
 * A descriptor that tells of INT, TERM, HUP and QUIT as far as they are blocked and were not ignored by the
 * caller (nohup): what ends a command in the eyes of its user. The caller closes it. -errno.
 */
int await_signals(void) MUST_CHECK;

/* Takes the signal and puts "interrupted by SIGTERM" into *err; -EINTR. */
int await_interrupted(int signal_fd, struct err *err);

#endif
