/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's steps, by file. Private to the room; all of it runs in the parent. Errors: -errno with *err. */
#ifndef TARE_PARENT_STEPS_H
#define TARE_PARENT_STEPS_H

#include <tare/parent.h>

/* --- spawn.c --- */

/* Starts init, or the bridge if the step has one, and sets pid and the pidfd of that process. */
int spawn_init(struct parent *parent, const struct plan_step *step, struct err *err) MUST_CHECK;
/* Waits for INIT_STARTED, sets pid and pidfd to those of the bridge's child, and kills the bridge. */
int spawn_expect_init(struct parent *parent, struct err *err) MUST_CHECK;

/* --- listener.c --- */

/*
 * Copies the listener of the child's seccomp filter and sends it to the agent that the configuration names. The
 * listener of an exec's bridge is kept in parent->listener_fd instead.
 */
int listener_take(struct parent *parent, const struct plan_filter *filter, struct err *err) MUST_CHECK;
/* Answers the system calls of a bridge, if its listener was kept, until it or its child sends a message. */
int listener_answer(const struct parent *parent, struct err *err) MUST_CHECK;
/* Sends a listener that was kept to the agent. */
int listener_send(struct parent *parent, struct err *err) MUST_CHECK;

/* --- cgroup.c --- */

/* ERR_STATE if another container has claimed the cgroup since init was started in it. */
int parent_cgroup_check_owner(const struct parent *parent, struct err *err) MUST_CHECK;
/* The steps PLAN_CGROUP_*, PLAN_UNIT_* and PLAN_RESCTRL; EPROTO for any other. */
int parent_cgroup_step(struct parent *parent, const struct plan_step *step, struct err *err) MUST_CHECK;

/* --- resctrl.c --- */

/* Puts into the record what the plan is going to make in resctrl. */
void parent_resctrl_fill_record(struct parent *parent);
int parent_resctrl_step(struct parent *parent, const struct plan_step *step, struct err *err) MUST_CHECK;
/* From now on parent_resctrl_undo removes only what no other container can use. */
void parent_resctrl_commit(struct parent *parent);
/* Removes what this process made in resctrl. */
int parent_resctrl_undo(struct parent *parent, struct err *err) MUST_CHECK;

/* --- exec.c --- */

/* The steps that only an exec has. */
int exec_open_container(struct parent *parent, const struct plan_step *step, struct err *err) MUST_CHECK;
int exec_open_cgroup(struct parent *parent, const struct plan_step *step, struct err *err) MUST_CHECK;
/*
 * Opens the cgroup that the container's init is in, below the recorded one: for a recorded cgroup that cannot
 * hold processes or was removed. -ENOENT, without *err, if the caller named a cgroup.
 */
int exec_open_init_cgroup(struct parent *parent, struct err *err) MUST_CHECK;
/* Announces the new process, before COMMITTED. */
int exec_commit(struct parent *parent, struct err *err) MUST_CHECK;

/* --- idmap.c --- */

/*
 * Writes the id maps of pid's user namespace (user_namespaces(7)), through newuidmap(1) and newgidmap(1) if the
 * caller must not write them. proc_fd: a procfs that has pid.
 */
int idmap_write(int proc_fd, pid_t pid, const struct plan *plan, const struct plan_maps *maps,
		struct err *err) MUST_CHECK;
/* ERR_CONFIG if pid's user namespace has other maps; a map without ranges is not compared. */
int idmap_compare(int proc_fd, pid_t pid, const struct plan *plan, const struct plan_maps *maps,
		  struct err *err) MUST_CHECK;
/* A descriptor of a new user namespace that has the maps, for mount_setattr(2). The caller closes it. */
int idmap_open(const struct plan *plan, const struct plan_maps *maps, struct err *err) MUST_CHECK;
/*
 * A process that holds new namespaces (CLONE_NEW*) and nothing else, until idmap_end_holder or the death of
 * this process. Returns its pid, or -errno.
 */
long idmap_start_holder(uint64_t namespaces, int *ret_pidfd) MUST_CHECK;
void idmap_end_holder(int pidfd);

/* --- sources.c --- */

/* As mount_open_source, but flags and covering mounts are locked for a less privileged user namespace. */
int sources_open_locked(struct parent *parent, const struct plan_source *source, int slot_base,
			struct err *err) MUST_CHECK;
/* Called when all are open: the mount namespace that they come from would keep mounts of the host busy. */
void sources_done(struct parent *parent);

/* --- hints.c --- */

/*
 * Adds to *err why clone3(2) has refused a user namespace with EPERM. A cause that cannot be verified is not
 * reported.
 */
void hints_no_user_namespace(struct err *err);
/* Hints which limit prevents new namespaces (CLONE_NEW*), after ENOSPC of clone3(2). */
void hints_no_more_namespaces(uint64_t flags, struct err *err);

#endif
