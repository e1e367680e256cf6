/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parent: the process that was called, while it creates a container or starts a process in one. All functions
 * run in that process, in the caller's namespaces and with the caller's privileges. src/parent/parent.c
 * describes it.
 */
#ifndef TARE_PARENT_H
#define TARE_PARENT_H

#include <signal.h>

#include <tare/cgroup.h>
#include <tare/host.h>
#include <tare/netdev.h>
#include <tare/options.h>
#include <tare/plan.h>
#include <tare/seccomp.h>
#include <tare/spec.h>
#include <tare/state.h>

/* All that has to be undone or freed. A descriptor is -1, and a pid 0, until it is set. */
struct parent {
	const struct create_options *options;
	const struct exec_options *exec; /* of an exec, or NULL; another process created the container then */
	struct spec *spec;
	struct host host;
	struct plan *plan;
	struct plan_request request;
	char *bundle;     /* absolute path */
	char *keyring;    /* name of the container's session keyring; NULL: the name that the plan has */
	char *notify_dir; /* absolute path; NULL unless NOTIFY_SOCKET is set */
	struct state_record record;
	uint64_t old_signals; /* the caller's signal mask */
	int signal_fd;        /* of await_signals; -1 until parent_hold_signals */

	int root_fd, dir_fd;     /* the state root, and the container's directory in it */
	int mount_fd, cgroup_fd; /* the cgroup2 mount, and the container's cgroup */
	int socket_fd, child_socket_fd;
	int pidfd, bridge_pidfd;
	int listener_fd; /* of the seccomp filter of an exec's bridge, until its child is identified */
	pid_t pid;
	struct netdev *netdev;      /* of netdev_move, or NULL */
	uint64_t oom_kills;         /* in the cgroup, before the container was created */
	int console_fd;             /* the master of the container's terminal */
	int *slots;                 /* of the plan */
	struct sources *sources;    /* of sources.c, or NULL */
	int first_fd;               /* the number after the descriptors that the program keeps */
	int container_pidfd;        /* of an exec, until its slot has it */
	int placeholder_pidfd;      /* the process that keeps systemd's unit alive until init is ready */
	int keeper_pidfd;           /* the placeholder's parent, a child of this process */
	bool has_clos, has_monitor; /* in resctrl, made by this process */
	bool has_cgroup;            /* its creation has begun */
	bool has_unit;              /* systemd may have created it */
	bool has_run_hooks;         /* so poststop hooks have to run if the creation fails */
	bool has_pid_file;
	bool is_changing; /* create and run, unlike plan and check: may write files of the state root */
};

/* Sets all members to "not set"; options are kept by reference, may be NULL for an exec. Cannot fail. */
void parent_init(struct parent *parent, const struct create_options *options);
/* Frees all memory and closes all descriptors; removes nothing and kills no process. */
void parent_done(struct parent *parent);
#define _cleanup_parent_ __attribute__((cleanup(parent_done)))

/* --- load --- */

/*
 * Loads the command line, the bundle and the host into *parent, and builds the plan. Strings of *parent live
 * until parent_done. Writes at most the cache of seccomp programs, and only if is_changing. -errno with *err.
 */
int parent_load(struct parent *parent, struct err *err) MUST_CHECK;
/* The parts of parent_load: the request from the options, ... */
int parent_load_request(struct parent *parent, struct err *err) MUST_CHECK;
/* ... the text of the configuration (ERR_USAGE if there is no such file), ... */
int parent_load_text(struct parent *parent, struct buf *text, struct err *err) MUST_CHECK;
/* ... and the namespaces that the configuration gives the paths of. */
void parent_load_namespaces(struct parent *parent);
/*
 * Counts the descriptors from 3 on that the program keeps: those of LISTEN_FDS (sd_listen_fds(3)), then up to
 * preserve_fds more. ERR_USAGE if one of the former is not open, or none of the latter.
 */
int parent_load_descriptors(struct parent *parent, uint32_t preserve_fds, struct err *err) MUST_CHECK;
/*
 * Calls on_refused for each capability that the configuration requests and the plan omits (runtime-spec
 * config.md, "capabilities": SHOULD NOT fail). asked: a bit mask for each of the SPEC_CAP_SETS.
 */
typedef void (*parent_refused)(void *context, const char *capability, const char *reason);
void parent_load_refused(const struct plan *plan, const uint64_t *asked, parent_refused on_refused,
			 void *context);
/* Logs these capabilities, and the warnings of spec, which may be NULL. */
void parent_load_warnings(const struct plan *plan, const struct spec *spec, const uint64_t *asked);

/*
 * The program of the configuration's seccomp filter: from the cache below root_fd, or compiled and added to
 * the cache. root_fd -1: no cache. *ret_filter points into *ret, which the caller frees, also after a failure.
 */
int filter_load(const struct spec_seccomp *spec, int root_fd, struct seccomp_program *ret,
		struct plan_filter_program *ret_filter, struct err *err) MUST_CHECK;

/* --- create --- */

/*
 * Creates a container, from the state directory to an init that waits at its gate. A failure undoes everything
 * and returns -errno with *err; -EINTR for a signal of await_signals.
 */
int parent_create(struct parent *parent, struct err *err) MUST_CHECK;
/* ERR_USAGE unless the options can provide the terminal, or absence of one, that the process requests. */
int parent_check_console(const char *console_socket, bool is_detached, bool has_terminal,
			 struct err *err) MUST_CHECK;
/*
 * Blocks all signals: from now on only SIGKILL kills this process at once. parent->signal_fd reports the
 * signals of await_signals.
 */
int parent_hold_signals(struct parent *parent, struct err *err) MUST_CHECK;
/*
 * Allocates the plan's slots, all empty. The caller's descriptors from first_fd on become close-on-exec. Needs
 * the plan.
 */
int parent_open_slots(struct parent *parent, struct err *err) MUST_CHECK;
void parent_close_slots(struct parent *parent);

/* --- steps --- */

/*
 * Carries out the parent's steps of the plan up to COMMITTED. Needs the slots and blocked signals. A failure
 * leaves everything to be undone; *err has the JSON pointer of the step.
 */
int parent_walk(struct parent *parent, struct err *err) MUST_CHECK;
/* Waits until a message of the child can be received, as await_message; the error names step. */
int parent_await(const struct parent *parent, uint32_t step, struct err *err) MUST_CHECK;
/* Waits for the bridge's exit. spawn_expect_init has killed it. */
void spawn_end_bridge(struct parent *parent);

/* The sockets and the pid file that the caller requested; each may be NULL. */
struct parent_announcement {
	const char *console_socket, *pidfd_socket, *pid_file;
	const char *pidfd_payload;
};
/* Sends the terminal and the pidfd, and writes the pid file. Call it before COMMITTED. */
int parent_announce(struct parent *parent, const struct parent_announcement *announcement,
		    struct err *err) MUST_CHECK;
/* ERR_USAGE if path exists and is not a regular file, which the pid file would replace. path may be NULL. */
int parent_check_pid_file(const char *path, struct err *err) MUST_CHECK;
/* Gives the container's terminal the size of the caller's, if this process has its master. */
void parent_copy_size(const struct parent *parent);

/* Whether the caller may be limited to a delegated part of the cgroup hierarchy. */
bool parent_is_delegated(const struct parent *parent);
/*
 * How many processes the OOM killer has killed in the container's cgroup since the container was created. seen:
 * an earlier count of memory.events, for a cgroup that may have been removed since.
 */
uint64_t parent_count_oom_kills(const struct parent *parent, uint64_t seen);
/* Adds to the error of a creation or an exec that a limit of the cgroup caused it, if that is so. */
void parent_explain_limits(const struct parent *parent, struct err *err);
/* Replaces *err by how init was killed, if it was: for a conversation that broke off. pidfd may be -1. */
void parent_explain_end(int pidfd, struct err *err);
void parent_explain_status(const siginfo_t *info, struct err *err);

/* --- undo --- */

/*
 * Kills init, removes cgroup, unit, resctrl group, state and pid file, and runs poststop hooks if other hooks
 * have run. *err: the error of the creation, or kind ERR_NONE; what could not be removed is added to it, and
 * -errno returned. The record stays then, so that "delete" can remove the rest.
 */
int parent_undo(struct parent *parent, struct err *err) MUST_CHECK;
/* Only kills and waits for the bridge and init. */
void parent_undo_processes(struct parent *parent);

/* --- pidfd --- */

/*
 * Whether the process of pidfd exits, for a caller that has seen one of its descriptors closed: the kernel
 * closes the descriptors of a process before its exit can be seen, and much earlier for the first process of a
 * pid namespace. Waits up to 5 s for a process that has begun to exit, 100 ms for another one, and no longer
 * than until a signal of await_signals.
 */
bool pidfd_is_dying(int pidfd);
/*
 * The PF_* flags of a process (proc_pid_stat(5), field 9; include/linux/sched.h), and whether its name is
 * init's. 0 if there is no such process or the caller must not read its state.
 */
#define PF_EXITING 0x4
#define PF_FORKNOEXEC 0x40
uint64_t pidfd_process_flags(pid_t pid, bool *ret_is_init);
/* The pid of a pidfd's process (proc_pid_fdinfo(5)): 0 or less once it has been waited for. */
pid_t pidfd_pid(int pidfd);

#endif
