/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's steps, and what they call. Private to the room; all of it runs in the parent. Errors: -errno
 * with *err. A step gets the smallest of the child, the creation and the exec that it needs.
 */
#ifndef TARE_PARENT_STEPS_H
#define TARE_PARENT_STEPS_H

#include <tare/exec.h>
#include <tare/parent.h>

/* --- the steps, as the table of steps names them --- */

#define PARENT_STEP__(name)
#define PARENT_STEP_S(name)
#define PARENT_STEP_P(name)                                                                                    \
	int parent_step_##name(struct child *child, const struct plan_step *step, struct err *err) MUST_CHECK;
#define PARENT_STEP_C(name)                                                                                    \
	int parent_create_##name(struct creation *creation, const struct plan_step *step, struct err *err)     \
		MUST_CHECK;
#define PARENT_STEP_E(name)                                                                                    \
	int parent_exec_##name(struct exec *exec, const struct plan_step *step, struct err *err) MUST_CHECK;
#define PARENT_STEP_CE(name) PARENT_STEP_C(name) PARENT_STEP_E(name)
#define PARENT_STEP_PCE(name) PARENT_STEP_P(name) PARENT_STEP_CE(name)
#define PARENT_STEP(kind, name, printed, parent, ...) PARENT_STEP_##parent(name)
PLAN_STEPS(PARENT_STEP)
#undef PARENT_STEP

/* --- child_steps.c --- */

/* Waits for the message, and answers PROC_REFUSED before. As protocol_expect, but only ret_fd may be NULL. */
int parent_expect(const struct child *child, uint32_t expected, int64_t *ret_value, int *ret_fd,
		  struct err *err) MUST_CHECK;
/* The step EXPECT; ret_value may be NULL. With READY, *err can be a deviation from the configuration that is no
 * error. */
int parent_expect_message(struct child *child, const struct plan_step *step, int64_t *ret_value,
			  struct err *err) MUST_CHECK;

/* --- procfs.c --- */

/*
 * Answers PROC_REFUSED for the step with this index. 0 also if the kernel refuses the procfs to this process,
 * too.
 */
int procfs_answer(const struct child *child, int64_t index, int pid_ns_fd, struct err *err) MUST_CHECK;

/* --- walk.c --- */

/*
 * Carries out the parent's steps of the plan up to COMMITTED. Needs the slots and blocked signals. A failure
 * leaves everything to be undone; *err has the JSON pointer of the step.
 */
int parent_walk_creation(struct creation *creation, struct err *err) MUST_CHECK;

/* --- spawn.c --- */

/*
 * Starts init, or the bridge if the step has one, and sets pid and the pidfd of that process. Closes the
 * sources: the mount namespace that they come from would keep mounts of the host busy.
 */
int spawn_init(struct child *child, const struct plan_step *step, struct err *err) MUST_CHECK;
/* The hint for EMFILE: each mount source is an open descriptor until init has started. Nothing if the limit
 * cannot rise. */
void spawn_hint_open_files(struct err *err);
/* Waits for INIT_STARTED, sets pid and pidfd to those of the bridge's child, and kills the bridge. */
int spawn_expect_init(struct child *child, struct err *err) MUST_CHECK;

/* --- listener.c --- */

/* Copies the listener of the child's seccomp filter once the child has closed its own. The caller closes it. */
int listener_take(const struct child *child, int *ret_fd, struct err *err) MUST_CHECK;
/* Answers the child's system calls until a message or a signal arrives, or no process has the filter. */
int listener_answer(const struct child *child, int listener_fd, struct err *err) MUST_CHECK;
/* Sends the listener to the agent that the configuration names. The container of record has this status. */
int listener_send(const struct child *child, int listener_fd, const struct state_record *record,
		  enum state_status status, struct err *err) MUST_CHECK;
/* Lets the child continue after its listener was taken. */
int listener_confirm(const struct child *child, struct err *err) MUST_CHECK;

/* --- filter.c --- */

/* The name of the first call after its installation that the plan's filter always kills for; NULL: unknown. */
const char *filter_killed_call(const struct plan *plan);

/* --- cgroup.c --- */

/* ERR_STATE if a container other than that of record has claimed the cgroup. cgroup_fd -1: there is none. */
int parent_cgroup_check_owner(int cgroup_fd, const struct state_record *record, struct err *err) MUST_CHECK;

/* --- resctrl.c --- */

/* Puts into the record what the plan is going to make in resctrl. */
void parent_resctrl_fill_record(const struct plan *plan, struct state_record *record);
/* Removes what this process has made in resctrl. */
int parent_resctrl_undo(const struct plan *plan, const struct resctrl_made *made, struct err *err) MUST_CHECK;

/* --- create_steps.c --- */

/* Logs a deviation from the configuration that is no error, and adds it to the record. */
void create_note(struct state_record *record, const char *json_pointer, const char *text, const char *hint);

/* The text of an error. */
#define PARENT_CGROUP_IN_USE                                                                                   \
	"container's cgroup is not empty: another container was created in it at the same time"

/* --- idmap.c --- */

/*
 * Writes the id maps of pid's user namespace (user_namespaces(7)), through newuidmap(1) and newgidmap(1) if the
 * caller must not write them. The uid map first. proc_fd: a procfs that has pid.
 */
int idmap_write_uids(int proc_fd, pid_t pid, const struct plan *plan, const struct plan_maps *maps,
		     struct err *err) MUST_CHECK;
int idmap_write_gids(int proc_fd, pid_t pid, const struct plan *plan, const struct plan_maps *maps,
		     struct err *err) MUST_CHECK;
/* ERR_CONFIG if pid's user namespace has other maps; a map without ranges is not compared. */
int idmap_compare(int proc_fd, pid_t pid, const struct plan *plan, const struct plan_maps *maps,
		  struct err *err) MUST_CHECK;
/* A descriptor of a new user namespace that has the maps, for mount_setattr(2). The caller closes it. */
int idmap_open(const struct plan *plan, const struct plan_maps *maps, struct err *err) MUST_CHECK;

/* --- sources.c --- */

struct sources_wanted {
	const struct plan_source *source;
	int slot_base;
	bool is_followed; /* the next call of this process is for another source: it is not left in between */
};
/*
 * As mount_open_source, but flags and covering mounts are locked for a less privileged user namespace. The
 * first call sets *sources, which the caller keeps until sources_close, also after a failure.
 */
int sources_open_locked(struct sources **sources, const struct plan *plan, const struct sources_wanted *wanted,
			struct err *err) MUST_CHECK;
/* *sources may be NULL. */
void sources_close(struct sources **sources);

#endif
