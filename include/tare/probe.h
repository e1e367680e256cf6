/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe: what this host permits the caller, found out by trials. Changes nothing: a trial is a child of the
 * caller, in namespaces of its own where it needs some, and has exited when the function returns.
 *
 * The errors of a start, the command check and the program tare-doctor have the same causes from here. The
 * functions run in the parent or in tare-doctor.
 */
#ifndef TARE_PROBE_H
#define TARE_PROBE_H

#include <tare/base.h>

/* --- trial.c --- */

struct probe_trial {
	uint64_t
		namespaces; /* CLONE_NEW*, new ones of the child; in a user namespace it has the caller's ids */
	/*
	 * Called in the child. A failure is returned, or only left in *err. It has a copy of the caller's
	 * memory and descriptors; it must not wait for input.
	 */
	int (*run)(const void *context, struct err *err);
	const void *context;
};

/*
 * Runs a trial. *err is that of the child, ERR_NONE if it has succeeded; the result is 0 or its -errno. If the
 * child cannot be started in the namespaces, the error says so and has the hint of probe_hint_namespaces. If
 * the child is killed, ERR_PEER.
 */
int probe_try(const struct probe_trial *trial, struct err *err) MUST_CHECK;

/* --- hints.c --- */

/*
 * Hints why clone3(2) has refused new namespaces (CLONE_NEW*) with -errno r: a limit, a filter, a security
 * module, a chroot or a missing map. A cause that cannot be verified is not reported.
 */
void probe_hint_namespaces(int r, uint64_t flags, struct err *err);
/* The same for what a user namespace permits, such as mounts in it, after EPERM or EACCES. */
void probe_hint_no_user_namespace(struct err *err);
/*
 * Hints that a seccomp filter around the caller refuses a call: the call that *err is about, or, with EPERM or
 * ENOSYS and without another hint, one without which no container starts.
 */
void probe_hint_filter(struct err *err);
/*
 * Hints that an AppArmor profile confines the caller, if one does and *err is EACCES and has no hint. For
 * errors about mounts, which a profile has to permit.
 */
void probe_hint_profile(struct err *err);

/* --- userns.c --- */

/*
 * Whether the caller can make a user namespace and mount a file system there. A security module may permit the
 * first and refuse the second.
 */
int probe_user_namespace(struct err *err) MUST_CHECK;

/* --- holder.c --- */

/*
 * A process that holds new namespaces (CLONE_NEW*) and nothing else, until probe_holder_end or the death of
 * this process. Returns its pid, or -errno.
 */
long probe_holder_start(uint64_t namespaces, int *ret_pidfd) MUST_CHECK;
void probe_holder_end(int pidfd);

/* --- mapper.c --- */

/* newuidmap(1) or newgidmap(1). */
const char *probe_mapper_name(bool is_gid);
/*
 * Whether the program is in PATH and gets the rights to write maps. *err has the first reason against it, and
 * as its hint what to change. ret_path: NULL, or gets its path.
 */
int probe_mapper_find(bool is_gid, char *ret_path, size_t size, struct err *err) MUST_CHECK;
/*
 * Runs the program with these arguments and waits for it. -ENOENT if it is not installed, -EPERM if it fails;
 * *ret_error is then the first line of what it prints, or unchanged.
 */
int probe_mapper_run(char **args, char *ret_error, size_t size) MUST_CHECK;

/* --- listener.c --- */

/* Whether a seccomp filter with a listener can be installed: a process can have only one. */
int probe_listener(struct err *err) MUST_CHECK;

/* --- filter.c --- */

/*
 * The system calls that a seccomp filter around the caller refuses, of those that tare uses: each is made with
 * arguments for which the kernel has another answer, in namespaces of a child if the kernel looks at the
 * caller's rights first. index: 0, 1, ... until the result is NULL.
 */
struct probe_call {
	const char *name;
	const char *lost;    /* what is lost without it; NULL if no container starts without it */
	const char *message; /* how the error of a start begins if this call fails; or NULL */
	long (*call)(void);
	int answer;          /* 0 or -errno of the kernel */
	uint64_t namespaces; /* CLONE_NEW* in which the caller has the rights, or 0 */
};
const struct probe_call *probe_filtered_call(size_t index);
/* The first refused call without which no container starts, or NULL. */
const struct probe_call *probe_filtered_needed(void);
/* The refused call that is the cause of the error, by its message; or NULL. */
const struct probe_call *probe_filtered_cause(const struct err *err);
/* Whether a filter refuses clone3(2), with another errno than ENOSYS or together with clone(2). */
bool probe_is_clone3_filtered(void);

#endif
