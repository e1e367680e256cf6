/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that the commands share. Private to the room. */
#ifndef TARE_COMMAND_PRIVATE_H
#define TARE_COMMAND_PRIVATE_H

#include <tare/notify.h>
#include <tare/parent.h>

/*
 * foreground.c: waits for a child of this process; meanwhile forwards signals, the terminal and messages for
 * the service manager, and enforces limits. Runs with all signals blocked. watch: which OOM kills in its cgroup
 * *ret_end counts.
 */
enum foreground_watch {
	FOREGROUND_NO_WATCH, /* none, for a process that is not the container's init */
	FOREGROUND_KILLED,   /* only if the program's exit status is that of a kill */
	FOREGROUND_SCOPE,    /* the same in a cgroup that systemd removes with its last process */
	FOREGROUND_KEPT,     /* all */
};
struct supervision;
struct foreground_options {
	struct child *child;
	struct notify *notify;
	enum foreground_watch watch;
	struct supervision *supervision; /* or NULL */
};
int foreground_wait(const struct foreground_options *options, struct state_end *ret_end,
		    struct err *err) MUST_CHECK;

/*
 * starter.c: the starter's part of the protocol, over the parent's socket or a connection to the gate: sends
 * START to init and waits until the program was executed. has_filter: the container has a seccomp filter, which
 * may have killed init without a message; that is checked, too.
 */
int starter_start(int socket_fd, int pidfd, bool has_filter, struct err *err) MUST_CHECK;

/* The second part alone: START, or COMMITTED of an exec, was sent. Waits until the program was executed. */
int starter_wait_executed(int socket_fd, int pidfd, struct err *err) MUST_CHECK;

/*
 * Called after starter_wait_executed for the process of an exec, which was forked and not executed before.
 * ERR_PEER if it was killed before its execve(2): its end closed the socket, as a successful execve(2) does.
 */
int starter_check_executed(int pidfd, pid_t pid, struct err *err) MUST_CHECK;

/* --- exec.c, for commands that enter a container --- */

/*
 * Opens a pidfd of the container's init. If init is dead, the error depends on the container's status:
 * ERR_STATE "cannot ACTION a stopped container".
 */
struct container;
int exec_open_init(const struct container *container, const char *action, int *ret_pidfd,
		   struct err *err) MUST_CHECK;
/*
 * The plan that create has stored, or one that is built again from the configuration. *ret must be NULL; it is
 * valid as long as the caller keeps *text.
 */
int exec_load_plan(const struct container *container, struct buf *text, const struct plan **ret,
		   struct err *err) MUST_CHECK;

#endif
