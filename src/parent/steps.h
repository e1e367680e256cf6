/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's steps, a file each. Private to the room; all of it runs in the parent. */
#ifndef TARE_PARENT_STEPS_H
#define TARE_PARENT_STEPS_H

#include <tare/parent.h>

/* --- spawn.c --- */

/*
 * The process that the step says is born; the bridge's child says that it is there, and is known by
 * pid and pidfd from then on; the bridge is waited for.
 */
int spawn_init(struct parent *parent, const struct plan_step *step, struct err *err) MUST_CHECK;
int spawn_expect_init(struct parent *parent, struct err *err) MUST_CHECK;

/* --- listener.c --- */

/* Takes the listener of the child's filter and sends it to whom the configuration names; but a bridge's stays.
 */
int listener_take(struct parent *parent, const struct plan_filter *filter, struct err *err) MUST_CHECK;
/* A bridge's listener: its calls go on until it or its child has said something; then it is sent, too. */
int listener_answer(const struct parent *parent, struct err *err) MUST_CHECK;
int listener_hand_on(struct parent *parent, struct err *err) MUST_CHECK;

/* --- cgroup.c --- */

/* That nobody has taken the cgroup for a container of his own while init was born into it. */
int parent_cgroup_check_owner(const struct parent *parent, struct err *err) MUST_CHECK;
int parent_cgroup_step(struct parent *parent, const struct plan_step *step, struct err *err) MUST_CHECK;

/* --- resctrl.c --- */

void parent_resctrl_fill_record(struct parent *parent);
int parent_resctrl_step(struct parent *parent, const struct plan_step *step, struct err *err) MUST_CHECK;
void parent_resctrl_commit(struct parent *parent);
int parent_resctrl_undo(struct parent *parent, struct err *err) MUST_CHECK;

/* --- exec.c --- */

/* The steps that only an exec has. */
int exec_open_container(struct parent *parent, const struct plan_step *step, struct err *err) MUST_CHECK;
int exec_open_cgroup(struct parent *parent, const struct plan_step *step, struct err *err) MUST_CHECK;
/* The cgroup that the container's init is in, below the recorded one: where that cannot hold processes. */
int exec_open_init_cgroup(struct parent *parent, struct err *err) MUST_CHECK;
int exec_commit(struct parent *parent, struct err *err) MUST_CHECK;

/* --- idmap.c --- */

int idmap_write(int proc_fd, pid_t pid, const struct plan *plan, const struct plan_maps *maps,
		struct err *err) MUST_CHECK;
/* ERR_CONFIG if the maps of pid's user namespace are others; a map without a line is not compared. */
int idmap_compare(int proc_fd, pid_t pid, const struct plan *plan, const struct plan_maps *maps,
		  struct err *err) MUST_CHECK;
/* A descriptor of a user namespace that has the maps, for mount_setattr(2). */
int idmap_open(const struct plan *plan, const struct plan_maps *maps, struct err *err) MUST_CHECK;

#endif
