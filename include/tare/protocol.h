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
 *     |<-- PROC_REFUSED (step, pid namespace) --------------------|  (if the kernel refuses init a new procfs,
 *     |    makes one of that pid namespace, or fails              |   and the plan allows the parent to make it)
 *     |--- PROC_MADE (procfs, if it could be made) -------------->|
 *     |<-- MOUNTED -----------------------------------------------|  (if there are hooks)
 *     |    prestart and createRuntime hooks                       |
 *     |--- HOOKS_DONE ------------------------------------------->|
 *     |                                                           |  createContainer hooks, pivot, ...
 *     |<-- LISTENER (number) -------------------------------------|  (if a seccomp filter notifies)
 *     |    copies the listener from init, and answers its calls   |
 *     |--- LISTENER_TAKEN --------------------------------------->|  closes its own copy
 *     |<-- LISTENER_CLOSED ---------------------------------------|
 *     |    sends the listener to the agent                        |
 *     |--- LISTENER_SENT ---------------------------------------->|
 *     |<-- READY (console's master) ------------------------------|  everything but execve is done; from now
 *     |                                                           |  on end of file means that the parent died
 *     |    rlimits, record, pid file                              |
 *     |--- COMMITTED -------------------------------------------->|  waits at its gate
 *   starter (start: at the gate's socket; run: the parent)        |
 *     |--- START ------------------------------------------------>|  startContainer hooks
 *     |<-- EXEC --------------------------------------------------|  execve is the next call
 *     |<-- end of file: execve succeeded (close-on-exec), or init died: the pidfd shows which
 *
 * If init is the program's parent (PLAN_REAPER), its child sends EXEC, and init closes its copy of the socket once
 * the child has executed the program.
 *
 * While it waits at its gate, init keeps the socket to the parent, for a supervisor, which has the other end then. A
 * FAILED after COMMITTED is sent to both, and the end of file means the same for both.
 *
 * An exec always has a bridge, and has no READY and no START: INIT_STARTED, COMMITTED, EXEC, end of file. The
 * messages from LISTENER to LISTENER_SENT precede or follow INIT_STARTED. COMMITTED is omitted if the parent has
 * nothing to do before it.
 *
 * The process that changes the mounts of an existing container sends one MOUNTED for each of them, with its id, and
 * exits after COMMITTED. If the end of file comes instead, it unmounts what it has mounted.
 *
 * A child can send FAILED instead of any message; that is its last message. End of file at any other point means
 * that the peer died. One message is one datagram of a SOCK_SEQPACKET socket.
 */
/* clang-format on */
#ifndef TARE_PROTOCOL_H
#define TARE_PROTOCOL_H

#include <tare/base.h>

/* The name (PR_SET_NAME) of init and the bridge until execve(2) of the container's program. */
#define PROTOCOL_INIT_NAME "tare:init"

enum protocol_step {
	STEP_NONE,
	STEP_FAILED,       /* child -> parent: a step failed; err has the error */
	STEP_UNSHARED,     /* bridge -> parent: its user namespace waits for id maps */
	STEP_INIT_STARTED, /* init -> parent: the bridge is no longer needed; value: see protocol_expect */
	STEP_MAPPED,     /* parent -> bridge or init: its pid is known, and its id maps, if any, are written */
	STEP_MOUNTED,    /* init -> parent: all mounts are attached; in a container that exists: one mount was
			    attached or unmounted, value: its id */
	STEP_HOOKS_DONE, /* parent -> init: the runtime's hooks have run */
	STEP_LISTENER,   /* bridge or init -> parent: the next call installs a seccomp filter; its listener will
			    be the descriptor with the number value */
	STEP_LISTENER_SENT, /* parent -> bridge or init: the agent has the listener */
	STEP_READY,     /* init -> parent: all but execve is done; value: PLAN_TOOK_*; can carry the console's
			   master,     and a warning */
	STEP_COMMITTED, /* parent -> init: limits are set, the container's record is written */
	STEP_START,     /* starter -> init */
	STEP_EXEC,      /* init -> starter: execve is the next system call */
	STEP_NETDEVS_MOVED,   /* parent -> init: the network devices are in its namespace */
	STEP_LISTENER_TAKEN,  /* parent -> bridge or init: the parent has a copy of the listener */
	STEP_LISTENER_CLOSED, /* bridge or init -> parent: only the parent has the listener */
	STEP_PROC_REFUSED,    /* init -> parent, in place of a message that the parent expects, which follows
				 later;    value: the index of the step; carries init's pid namespace */
	STEP_PROC_MADE, /* parent -> init: carries a detached procfs; none if the kernel refused it, too */
	STEP_COUNT,
};

struct protocol_message {
	uint32_t magic;
	uint32_t step;
	int64_t value;
	struct err err;
};

/* The name of the step for error messages, "unknown" for other numbers. [free] */
const char *protocol_step_name(enum protocol_step step);

/*
 * Sends one message, with the descriptor fd_to_pass unless that is negative, and with *sent unless that is
 * NULL. The caller keeps both. 0 or -errno; -EPIPE, and no signal, if the peer has exited. Runs in both peers.
 * [free]
 */
int protocol_send(int socket_fd, enum protocol_step step, int64_t value, const struct err *sent,
		  int fd_to_pass) MUST_CHECK;

/*
 * Waits for one message, without a time limit, and checks that it is `expected`. If it is FAILED, *err is the
 * peer's error and the result is its negative errno. -EPIPE with kind ERR_PEER on end of file; -EPROTO for any
 * other message. ret_value and ret_fd may be NULL; a received descriptor belongs to the caller, and is closed
 * if ret_fd is NULL. The value of INIT_STARTED is the sender's pid, which the kernel adds if the socket has
 * SO_PASSCRED (unix(7)), and 0 otherwise. -EAGAIN: PROC_REFUSED arrived instead, which needs both ret_value and
 * ret_fd. READY stores its warning in *err, with kind ERR_NONE if it has none.
 * Runs in both peers. [free]
 */
int protocol_expect(int socket_fd, enum protocol_step expected, int64_t *ret_value, int *ret_fd,
		    struct err *err) MUST_CHECK;

#endif
