/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that the commands share. Private to the room. */
#ifndef TARE_COMMAND_PRIVATE_H
#define TARE_COMMAND_PRIVATE_H

#include <tare/notify.h>
#include <tare/parent.h>

/*
 * foreground.c: waits for parent->pid, a child of this process; meanwhile forwards signals, the terminal and
 * messages for the service manager. Runs with all signals blocked.
 */
int foreground_wait(struct parent *parent, struct notify *notify, struct state_end *ret_end,
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

#endif
