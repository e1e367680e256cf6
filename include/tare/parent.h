/* SPDX-License-Identifier: Apache-2.0 */
/* parent: the process that was called, while it makes a container or a process in one. */
#ifndef TARE_PARENT_H
#define TARE_PARENT_H

#include <signal.h>

#include <tare/cgroup.h>
#include <tare/host.h>
#include <tare/netdev.h>
#include <tare/plan.h>
#include <tare/options.h>
#include <tare/seccomp.h>
#include <tare/spec.h>
#include <tare/state.h>

/* Everything that has to be undone hangs here; a descriptor is -1 and a pid 0 until there is one. */
struct parent {
	const struct create_options *options;
	struct spec *spec;
	struct host host;
	struct plan *plan;
	struct plan_request request;
	char *bundle;     /* absolute */
	char *keyring;    /* name of the container's own; NULL: what the plan calls it */
	char *notify_dir; /* absolute, NULL unless NOTIFY_SOCKET is set */
	struct state_record record;
	uint64_t old_signals; /* the caller's mask */
	int signal_fd;        /* of await_signals, -1 until they are held */

	int root_fd, dir_fd; /* state */
	int mount_fd, cgroup_fd;
	int socket_fd, child_socket_fd;
	int pidfd, bridge_pidfd;
	int listener_fd; /* of the bridge's filter, until its child is known */
	pid_t pid;
	struct netdev *netdev;           /* of netdev.c, or NULL */
	uint64_t oom_kills;              /* in the cgroup, before the container */
	int console_fd;                  /* the master */
	int *slots;                      /* of the plan */
	int first_fd;                    /* behind the descriptors that the program keeps */
	const struct exec_options *exec; /* of exec: the container is another process's */
	int container_pidfd;             /* of exec, until its slot has it */
	int placeholder_pidfd;           /* keeps the place in systemd's unit until init is ready */
	int keeper_pidfd;                /* the placeholder's parent, a child of this process */
	bool has_clos, has_monitor;      /* in resctrl, made by this process */
	bool has_cgroup;                 /* its creation has begun */
	bool has_unit;                   /* systemd may have made it */
	bool has_hooked;                 /* hooks ran: poststop has to, if it all comes to nothing */
	bool has_pid_file;
	bool is_changing; /* create and run, not plan and check: files of the state root may be written */
};

/* load.c: what the command line and the bundle come to. Strings of *parent live until parent_done. */
int parent_load(struct parent *parent, struct err *err) MUST_CHECK;
/* Its parts: the request from the options, the text of the configuration, the namespaces that it names. */
int parent_load_request(struct parent *parent, struct err *err) MUST_CHECK;
int parent_load_text(struct parent *parent, struct buf *text, struct err *err) MUST_CHECK;
void parent_load_namespaces(struct parent *parent);
/*
 * Descriptors 3 and up that the program is to keep: LISTEN_FDS of the environment, and those that are open of
 * preserve_fds more. Fails if one of the former is not open, or none of the latter.
 */
int parent_load_descriptors(struct parent *parent, uint32_t preserve_fds, struct err *err) MUST_CHECK;
/*
 * Calls on_refused for each capability that the plan leaves out of those that are asked for, a word for each of
 * the SPEC_CAP_SETS (config.md: "SHOULD NOT fail").
 */
typedef void (*parent_refused)(void *context, const char *capability, const char *why);
void parent_load_refused(const struct plan *plan, const uint64_t *asked, parent_refused on_refused,
			 void *context);
/* Logs these, and the warnings of spec (or NULL). */
void parent_load_warnings(const struct plan *plan, const struct spec *spec, const uint64_t *asked);

/*
 * seccomp.c: the program of the configuration's filter, from the cache below root_fd or compiled and put there;
 * root_fd -1: without a cache. *ret_filter points into *ret, which the caller frees.
 */
int filter_load(const struct spec_seccomp *spec, int root_fd, struct seccomp_program *ret,
		struct plan_filter_program *ret_filter, struct err *err) MUST_CHECK;

/* Carries out the parent's steps of the plan up to COMMITTED. */
int parent_walk(struct parent *parent, struct err *err) MUST_CHECK;
/* Room for the plan's slots, all empty; the caller's descriptors are closed at the next execve(2). */
int parent_open_slots(struct parent *parent, struct err *err) MUST_CHECK;
/* From here on nothing of this process ends it at once: all signals are blocked, and parent->signal_fd tells.
 */
int parent_hold_signals(struct parent *parent, struct err *err) MUST_CHECK;
/* Waits until a message of the child can be received; as await_message. step is for the words. */
int parent_await(const struct parent *parent, uint32_t step, struct err *err) MUST_CHECK;
/* Waits for it; once spawn_expect_init has succeeded it has been killed. */
void spawn_end_bridge(struct parent *parent);
/* Whether the terminal that is asked for can be given this way: ERR_USAGE otherwise. */
int parent_check_console(const char *console_socket, bool is_detached, bool has_terminal,
			 struct err *err) MUST_CHECK;
/* announce.c: the container's terminal, if this process has its master, becomes as large as the caller's. */
void parent_copy_size(const struct parent *parent);
/* announce.c: whether the pid file can be written without taking something else away. path NULL: it can. */
int parent_check_pid_file(const char *path, struct err *err) MUST_CHECK;
/* announce.c: sockets and pid file that the caller named; before COMMITTED. */
struct parent_announcement {
	const char *console_socket, *pidfd_socket, *pid_file; /* or NULL */
	const char *pidfd_payload;
};
int parent_announce(struct parent *parent, const struct parent_announcement *announcement,
		    struct err *err) MUST_CHECK;

/* limits.c: the steps PLAN_CGROUP_*. */
/* Only a part of the hierarchy may be the caller's. */
bool parent_is_delegated(const struct parent *parent);
/*
 * How many processes the OOM killer took out of the container's cgroup since it was made for the container.
 * seen is what memory.events said before, for a cgroup that may be gone by now.
 */
uint64_t parent_count_oom_kills(const struct parent *parent, uint64_t seen);
/* Puts into the error of a creation or an exec that a limit is behind it, if that is so. */
void parent_explain_limits(const struct parent *parent, struct err *err);

/* parent.c: from the state directory to init at its gate; undone on failure. */
int parent_create(struct parent *parent, struct err *err) MUST_CHECK;
void parent_init(struct parent *parent, const struct create_options *options);
void parent_close_slots(struct parent *parent);
/*
 * undo.c: kills init, removes cgroup, state and pid file, and runs poststop hooks if others have run. What
 * cannot be removed is added to *err, which is that of a creation that failed or has kind ERR_NONE, and the
 * record stays then: -errno.
 */
int parent_undo(struct parent *parent, struct err *err) MUST_CHECK;
void parent_undo_processes(struct parent *parent); /* only the killing */
void parent_done(struct parent *parent);
#define _cleanup_parent_ __attribute__((cleanup(parent_done)))
/* Puts into *err how init ended, if it did: called when the conversation broke off. */
void parent_explain_end(int pidfd, struct err *err);
void parent_explain_status(const siginfo_t *info, struct err *err);

/* foreground.c: forwards signals and the terminal until the container ends; its status is 0-255. */

/* pidfd.c */
/*
 * Whether the process of pidfd is ending: descriptors of one that is dying are closed before its end can be
 * seen, and later still where it is a pid namespace's first. Waits for one that is dying up to 5 s, and only a
 * moment for another; a signal of await_signals ends the waiting.
 */
bool pidfd_is_dying(int pidfd);
/* The kernel's PF_* of a process (proc_pid_stat(5), field 9; include/linux/sched.h), and whether it has init's
 * name; 0 if there is none, or it may not be seen. */
#define PF_EXITING 0x4
#define PF_FORKNOEXEC 0x40
uint64_t pidfd_process_flags(pid_t pid, bool *ret_is_init);
/* The process's number (proc_pid_fdinfo(5)); 0 once it has been waited for. */
pid_t pidfd_pid(int pidfd);

#endif
