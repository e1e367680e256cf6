/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/*
 * protocol: the whole conversation between the processes that make a container, in both directions.
 *
 *   parent                       bridge (only if needed)        init
 *     |--- spawn ------------------->|                            |
 *     |<-- UNSHARED -----------------|                            |  (new user and time namespace)
 *     |--- MAPPED ------------------>|                            |
 *     |                              |--- spawn ----------------->|
 *     |                              |    and exits               |
 *     |<-- INIT_STARTED ------------------------------------------|  (after a bridge) the kernel adds the pid;
 *     |                                                           |  carries the console's master of an exec
 *     |--- MAPPED ----------------------------------------------->|  (new user namespace, or a bridge)
 *     |--- NETDEVS_MOVED ---------------------------------------->|  (if there are network devices)
 *     |<-- MOUNTED -----------------------------------------------|  (if there are hooks)
 *     |    prestart and createRuntime hooks                       |
 *     |--- HOOKS_DONE ------------------------------------------->|
 *     |                                                           |  createContainer hooks, pivot, ...
 *     |<-- LISTENER (number) -------------------------------------|  (if a seccomp filter notifies)
 *     |    takes the listener out of init, and answers its calls  |
 *     |--- LISTENER_TAKEN --------------------------------------->|  closes its own copy
 *     |<-- LISTENER_CLOSED ---------------------------------------|
 *     |    hands the listener on                                  |
 *     |--- LISTENER_SENT ---------------------------------------->|
 *     |<-- READY (console's master) ------------------------------|  everything but execve is done; from here
 *     |                                                           |  on end of file tells of the parent's death
 *     |    rlimits, record, pid file                              |
 *     |--- COMMITTED -------------------------------------------->|  waits at its gate
 *   starter (start: at the gate's socket; run: the parent)        |
 *     |--- START ------------------------------------------------>|  startContainer hooks
 *     |<-- EXEC --------------------------------------------------|  execve is the next call
 *     |<-- end of file: execve succeeded (close-on-exec), or init died: the pidfd tells which
 *
 * An exec always has a bridge, and no READY and START: INIT_STARTED, COMMITTED, EXEC, end of file. LISTENER to
 * LISTENER_SENT come before INIT_STARTED or after it. COMMITTED is omitted if the parent has nothing to do before it.
 *
 * A child may send FAILED in place of any message, which ends the conversation. End of file in any other place
 * means that the peer died. One message is one datagram of a SOCK_SEQPACKET socket.
 */
/* clang-format on */
#ifndef TARE_PROTOCOL_H
#define TARE_PROTOCOL_H

#include <tare/base.h>

/* What init and the bridge are called (PR_SET_NAME) until they are the container's program. */
#define PROTOCOL_INIT_NAME "tare:init"

enum protocol_step {
	STEP_NONE,
	STEP_FAILED,       /* child -> parent: err says what */
	STEP_UNSHARED,     /* bridge -> parent: its user namespace waits for id maps */
	STEP_INIT_STARTED, /* init -> parent: the bridge is no longer needed; value: see protocol_expect */
	STEP_MAPPED,     /* parent -> bridge or init: its pid is known, and its id maps, if any, are in force */
	STEP_MOUNTED,    /* init -> parent: all mounts are attached */
	STEP_HOOKS_DONE, /* parent -> init: the runtime's hooks have run */
	STEP_LISTENER, /* bridge or init -> parent: the next call installs a seccomp filter, whose listener will
			  be descriptor number value */
	STEP_LISTENER_SENT, /* parent -> bridge or init: the agent has the listener */
	STEP_READY,     /* init -> parent: all but execve is done; may carry the console's master, and a note */
	STEP_COMMITTED, /* parent -> init: limits are set, the record is on disk */
	STEP_START,     /* starter -> init */
	STEP_EXEC,      /* init -> starter: execve is the next system call */
	STEP_NETDEVS_MOVED,   /* parent -> init: the network devices are in its namespace */
	STEP_LISTENER_TAKEN,  /* parent -> bridge or init: the parent has the listener, too */
	STEP_LISTENER_CLOSED, /* bridge or init -> parent: only the parent has it */
	STEP_COUNT,
};

struct protocol_message {
	uint32_t magic;
	uint32_t step;
	int64_t value;
	struct err err;
};

const char *protocol_step_name(enum protocol_step step);

/*
 * Sends one message; fd_to_pass goes along unless it is negative. A peer that is gone gives -EPIPE, never
 * a signal. err (may be NULL) is sent as the message's err. [free]
 */
int protocol_send(int socket_fd, enum protocol_step step, int64_t value, const struct err *sent,
		  int fd_to_pass) MUST_CHECK;

/*
 * Waits for one message and checks that it is `expected`. FAILED gives the peer's own error in *err and its
 * errno; end of file -EPIPE with kind ERR_PEER; anything else -EPROTO. ret_value and ret_fd may be NULL; a
 * descriptor that is not asked for is closed. The value of INIT_STARTED is the sender's pid as the kernel tells
 * it, if the socket has SO_PASSCRED, and 0 otherwise. The note of READY is in *err, of kind ERR_NONE if there
 * is none. [free]
 */
int protocol_expect(int socket_fd, enum protocol_step expected, int64_t *ret_value, int *ret_fd,
		    struct err *err) MUST_CHECK;

#endif
