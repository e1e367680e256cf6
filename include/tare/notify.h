/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sd_notify(3) from the container's program to the service manager that started tare. Private to the room; runs
 * in the parent (run) or in start.
 *
 * The program gets a socket of its own, at NOTIFY_PATH. Of what it says there only READY=1 is passed on: the
 * other words would let it speak for the service (MAINPID=, FDSTORE=1 ...).
 */
#ifndef TARE_NOTIFY_H
#define TARE_NOTIFY_H

#include <tare/base.h>

struct notify {
	int fd;         /* the program's messages come here; -1: nobody asked, or it has said READY=1 */
	int host_fd;    /* to the service manager; -1 when there is nothing left to say; POLLOUT: it has room */
	int barrier_fd; /* its other end is closed once the service manager has read everything; or -1 */
	int said;       /* how many of the messages the service manager's queue has */
	pid_t main_pid;
};

#define NOTIFY_NONE                                                                                            \
	{                                                                                                      \
		-1, -1, -1, 0, 0                                                                               \
	}

/* Whether this process was given a NOTIFY_SOCKET that it can reach: a path, or an abstract address ("@..."). */
bool notify_is_wanted(void);

/* Makes the directory that the container will see, in the container's state directory. */
int notify_make_dir(int dir_fd, struct err *err) MUST_CHECK;

/* Binds the program's socket, if there is such a directory and notify_is_wanted. Before the program starts. */
int notify_open(struct notify *notify, int dir_fd, struct err *err) MUST_CHECK;
void notify_close(struct notify *notify);
#define _cleanup_notify_ __attribute__((cleanup(notify_close)))

/*
 * Takes what the program has said by now, without waiting; with READY=1 it passes that on, MAINPID=main_pid,
 * and BARRIER=1, and closes fd. Messages that the service manager's queue has no room for are tried again at
 * the next call, which is due when host_fd has POLLOUT. What it does not take is a warning: the container runs.
 */
void notify_serve(struct notify *notify, pid_t main_pid);

/* Waits until the program has said READY=1 and the service manager's queue has it, or the program has ended,
 * with signals (a kernel mask) blocked meanwhile; NULL: as they are. */
void notify_wait(struct notify *notify, int pidfd, pid_t main_pid, const uint64_t *signals);

/*
 * Waits until the service manager has read the messages, which it refuses from a process that is gone: 30 s, or
 * until a signal of await_signals. What its queue never had room for is given up with a warning.
 */
void notify_finish(struct notify *notify);

#endif
