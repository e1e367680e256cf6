/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parent: the process that was called, while it creates a container or starts a process in one. All functions
 * run in that process, in the caller's namespaces and with the caller's privileges. src/parent/child.c
 * describes it.
 */
#ifndef TARE_PARENT_H
#define TARE_PARENT_H

#include <tare/cgroup.h>
#include <tare/child.h>
#include <tare/host.h>
#include <tare/netdev.h>
#include <tare/options.h>
#include <tare/resctrl.h>
#include <tare/seccomp.h>
#include <tare/spec.h>
#include <tare/state.h>
#include <tare/syscalls.h>

/* --- draft --- */

/*
 * A container before anything of it exists: the command line, the bundle and the host, and the plan that they
 * lead to. "plan" and "check" need no more.
 */
struct draft {
	const struct create_options *options; /* the caller's */
	struct spec *spec;
	struct host host;
	struct plan_request request; /* its strings are the options' and the draft's */
	/* Of the options and, once the configuration is loaded, of its annotations. */
	struct supervise_options supervise;
	struct plan *plan;
	struct plan *restore; /* of restore: the steps to carry out; or NULL */
	struct buf config;    /* the text of the configuration */
	char *bundle;         /* absolute path */
	char *keyring;        /* name of the container's session keyring; NULL: the name that the plan has */
	char *notify_dir;     /* absolute path; NULL unless NOTIFY_SOCKET is set */
	struct observation {
		bool is_wanted; /* init installs a filter for a recorder of system calls */
		enum seccomp_observation kind;
		uint32_t flags; /* of that filter */
		struct seccomp_mark mark;
	} observation;
	int root_fd;      /* the state root, or -1 */
	int first_fd;     /* the number after the descriptors that the program keeps */
	bool is_changing; /* create and run, unlike plan and check: may write files of the state root */
};

/* Sets all members to "not set"; options are kept by reference. Cannot fail. */
void draft_init(struct draft *draft, const struct create_options *options);
void draft_done(struct draft *draft);
#define _cleanup_draft_ __attribute__((cleanup(draft_done)))

/*
 * Loads the command line, the bundle and the host, and builds the plan. Strings of *draft live until
 * draft_done. Writes at most the cache of seccomp programs, and only if is_changing. -errno with *err.
 */
int draft_load(struct draft *draft, struct err *err) MUST_CHECK;
/* The parts of draft_load: the request from the options, ... */
int draft_load_request(struct draft *draft, struct err *err) MUST_CHECK;
/* ... the text of the configuration (ERR_USAGE if there is no such file), ... */
int draft_load_text(const struct draft *draft, struct buf *text, struct err *err) MUST_CHECK;
/* ... and the namespaces that the configuration gives the paths of. */
void draft_load_namespaces(struct draft *draft);

/* The descriptors from 3 on that the program keeps. */
struct parent_descriptors {
	uint32_t listen_fds;        /* those of LISTEN_FDS (sd_listen_fds(3)) come first, ... */
	const char *listen_fdnames; /* of the environment, or NULL */
	uint32_t preserve_fds;      /* ... then these */
	int first_fd;               /* the number after them */
};
/*
 * Counts these descriptors. asked: the highest number that preserve_fds may have. ERR_USAGE if one of the first
 * kind is not open, or none of the second.
 */
int parent_load_descriptors(uint32_t asked, struct parent_descriptors *ret, struct err *err) MUST_CHECK;
/*
 * Calls on_refused for each capability that the configuration requests and the plan omits (runtime-spec
 * config.md, "capabilities": SHOULD NOT fail).
 */
typedef void (*parent_refused)(void *context, const char *capability, const char *reason);
void parent_load_refused(const struct plan *plan, const struct spec_capabilities *asked,
			 parent_refused on_refused, void *context);
/* Logs these capabilities, and the warnings of spec, which may be NULL. */
void parent_load_warnings(const struct plan *plan, const struct spec *spec,
			  const struct spec_capabilities *asked);

/*
 * The program of the configuration's seccomp filter: from the cache below root_fd, or compiled and added to
 * the cache. root_fd -1: no cache. *ret_filter points into *ret, which the caller frees, also after a failure.
 */
int filter_load(const struct spec_seccomp *spec, int root_fd, struct seccomp_program *ret,
		struct plan_filter_program *ret_filter, struct err *err) MUST_CHECK;

/*
 * What the options request about system calls, as a filter for init: *ret_observer and *ret, which the caller
 * frees, also after a failure. filter: the configuration's, NULL for none. Sets draft->observation.
 */
int recorder_load_filter(struct draft *draft, const struct seccomp_program *filter, struct seccomp_program *ret,
			 struct plan_filter_program *ret_observer, struct err *err) MUST_CHECK;
/* Writes what the options request about denied calls if there is no filter that denies any. */
int recorder_write_none(const struct draft *draft, struct err *err) MUST_CHECK;

/* --- creation --- */

/* The processes that keep a unit of systemd alive until init is ready (scope.c); descriptors, or -1. */
struct placeholder {
	int pidfd;        /* in the unit */
	int keeper_pidfd; /* its parent, a child of this process */
};

/* A container while it is made, and all that has to be undone if that fails. */
struct creation {
	struct draft draft;
	struct child child;
	struct state_record record;
	int dir_fd;            /* the container's directory in the state root */
	int mount_fd;          /* the cgroup2 mount */
	struct netdev *netdev; /* of netdev_move, or NULL */
	struct placeholder placeholder;
	struct syscalls_recorder recorder;
	struct resctrl_made resctrl; /* by this process */
	int64_t loaded_us;           /* CLOCK_MONOTONIC: the plan was built; 0 without a report */
	bool has_cgroup;             /* its creation has begun */
	bool has_unit;               /* systemd may have created it */
	bool is_unit_held;           /* the placeholder stays for a report: parent_release_placeholder */
	bool has_raised_pids;        /* pids.max is one more, for the placeholder */
	bool has_run_hooks;          /* so poststop hooks have to run if the creation fails */
};

/* Sets all members to "not set"; options are kept by reference. Cannot fail. */
void creation_init(struct creation *creation, const struct create_options *options);
/* Frees all memory and closes all descriptors; removes nothing and kills no process. */
void creation_done(struct creation *creation);
#define _cleanup_creation_ __attribute__((cleanup(creation_done)))

/*
 * Creates a container, from the state directory to an init that waits at its gate. A failure undoes everything
 * and returns -errno with *err; -EINTR for a signal of await_signals.
 */
int parent_create(struct creation *creation, struct err *err) MUST_CHECK;
/* ERR_USAGE unless the options can provide the terminal, or absence of one, that the process requests. */
int parent_check_console(const char *console_socket, bool is_detached, bool has_terminal,
			 struct err *err) MUST_CHECK;
/*
 * Kills init, removes cgroup, unit, resctrl group, state and pid file, and runs poststop hooks if other hooks
 * have run. *err: the error of the creation, or kind ERR_NONE; what could not be removed is added to it, and
 * -errno returned. The record stays then, so that "delete" can remove the rest.
 */
int parent_undo(struct creation *creation, struct err *err) MUST_CHECK;

/* The counters of the unit's cgroup are read: kills the placeholder. Does nothing without one. */
void parent_release_placeholder(struct creation *creation);

/* Whether the caller may be limited to a delegated part of the cgroup hierarchy. */
bool parent_is_delegated(const struct host *host);

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
