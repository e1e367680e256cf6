/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscalls: records the system calls of a container that its filter denies, or all of them.
 *
 * A process of its own, the recorder, answers the calls that an observed filter (tare/seccomp.h) notifies of,
 * as the configuration's filter would, and writes what it has recorded into a file. It is not the process that
 * waits for the container, so that no number of denied calls delays a limit or a signal.
 */
#ifndef TARE_SYSCALLS_H
#define TARE_SYSCALLS_H

#include <tare/base.h>
#include <tare/seccomp.h>

/* Strings and the filter are the caller's. */
struct syscalls_request {
	const char *id;
	enum seccomp_observation kind;
	const char *file; /* what is denied, or the profile; "-": standard error; NULL: no file */
	const struct sock_filter *filter; /* the one that is observed; of SECCOMP_OBSERVE_ALL: none */
	uint32_t count;
	uint32_t flags; /* SECCOMP_FILTER_FLAG_* of the filter that observes */
	struct seccomp_mark mark;
};

/* A recorder, as the process that has started it sees it. -1: there is none. */
struct syscalls_recorder {
	int control_fd; /* a socket to it */
	int pidfd;
};
#define SYSCALLS_NO_RECORDER                                                                                   \
	(struct syscalls_recorder)                                                                             \
	{                                                                                                      \
		-1, -1                                                                                         \
	}

/* The call for which the program, as the process that has installed the filter, was killed. */
struct syscalls_kill {
	bool is_set;
	uint32_t arch; /* AUDIT_ARCH_* */
	int number;
};

/*
 * Starts the recorder, which opens the request's file first, and for a profile reads what it has. *ret_init_fd:
 * a socket that the process which installs the filter needs, see seccomp_install_observed in src/init; the
 * caller closes it. The recorder exits when no process has the filter any more, or if none installs it.
 * Process: the parent.
 */
int syscalls_start(const struct syscalls_request *request, struct syscalls_recorder *ret, int *ret_init_fd,
		   struct err *err) MUST_CHECK;
/*
 * Makes the recorder write its file, and waits for that. Without a recorder it does nothing. Fails if the
 * recorder was killed, or with its error. Process: the one that has called syscalls_start, or a child of it.
 */
int syscalls_finish(struct syscalls_recorder *recorder, struct syscalls_kill *ret, struct err *err) MUST_CHECK;
/*
 * After init has executed its program, or has failed: -errno, with *err, if the recorder could not begin. It
 * has then killed init.
 */
int syscalls_check(const struct syscalls_recorder *recorder, struct err *err) MUST_CHECK;
/* Writes that nothing was denied, for a container without a filter. Process: the parent. */
int syscalls_write_none(const char *id, const char *file, struct err *err) MUST_CHECK;
/* Closes the descriptors; the recorder continues as long as the container. */
void syscalls_recorder_done(struct syscalls_recorder *recorder);

#endif
