/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sd_notify(3) from the container's program to the service manager that started tare. Runs in the parent (run)
 * or in start, with the caller's privileges.
 *
 * The program sends to a socket of its own container, not to the service manager's. Of its messages only
 * READY=1 is forwarded: others would let the program act for the service (MAINPID=, FDSTORE=1 ...).
 */
#ifndef TARE_NOTIFY_H
#define TARE_NOTIFY_H

#include <tare/base.h>

struct notify {
	int fd;         /* the program's socket; -1: not requested, or READY=1 has arrived */
	int host_fd;    /* to the service manager, -1 if no message is left; poll(2) reports POLLOUT for room */
	int barrier_fd; /* the service manager closes the other end once it has read all messages; or -1 */
	int sent;       /* number of messages that the service manager's queue has accepted */
	pid_t main_pid;
};

#define NOTIFY_NONE                                                                                            \
	{                                                                                                      \
		-1, -1, -1, 0, 0                                                                               \
	}

/* Whether NOTIFY_SOCKET is set to an address that tare supports: a path, or an abstract address ("@..."). */
bool notify_is_wanted(void);

/* Creates the directory of the program's socket, which the container can see, in the state directory dir_fd. */
int notify_make_dir(int dir_fd, struct err *err) MUST_CHECK;

/* Binds the program's socket if the directory exists and notify_is_wanted. Before the program starts. */
int notify_open(struct notify *notify, int dir_fd, struct err *err) MUST_CHECK;
void notify_close(struct notify *notify);
#define _cleanup_notify_ __attribute__((cleanup(notify_close)))

/*
 * Reads the program's messages, without waiting. After READY=1 it sends READY=1, MAINPID=main_pid and BARRIER=1
 * to the service manager, and closes fd. The next call sends the messages that the service manager's queue had
 * no room for; make it when host_fd has POLLOUT. Other failures are logged as a warning: the container runs.
 */
void notify_serve(struct notify *notify, pid_t main_pid);

/*
 * Waits until the program has sent READY=1 and the service manager's queue has accepted the messages, or until
 * the process of pidfd has exited. signals: the kernel's signal mask during the wait; NULL: unchanged.
 */
void notify_wait(struct notify *notify, int pidfd, pid_t main_pid, const uint64_t *signals);

/*
 * Waits up to 30 s, or until a signal of await_signals, until the service manager has read the messages: it
 * ignores messages of a process that has exited. Logs a warning if its queue had no room to the end. Closes
 * all.
 */
void notify_finish(struct notify *notify);

#endif
