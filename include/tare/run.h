/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: who runs where, and nothing else. The public face is what the commands call; all of it runs in the
 * parent. What the other processes do stands in src/run/bridge.c and src/run/init.c, the conversation
 * between them in src/run/protocol.h.
 */
#ifndef TARE_RUN_H
#define TARE_RUN_H

#include <tare/base.h>

struct spec;
struct state_record;

/* The command line of create and run. Strings are the caller's. */
struct run_options {
	const char *id;
	const char *bundle;         /* as given; NULL: the working directory */
	const char *config;         /* a config.json that is not in the bundle, or NULL */
	const char *state_root;     /* --root, or NULL */
	const char *pid_file;       /* or NULL */
	const char *console_socket; /* or NULL */
	const char *pidfd_socket;   /* or NULL */
	uint32_t preserve_fds;
	bool is_no_pivot;
	bool is_no_new_keyring;
	bool is_no_subreaper;
	bool is_detached; /* run -d */
	bool is_keep;     /* run --keep */
	bool is_systemd_cgroup, is_cgroup_disabled;
};

/* Creates a container: returns when init waits at its gate. On failure nothing of it is left. */
int run_create(const struct run_options *options, struct err *err) MUST_CHECK;

/*
 * Creates and starts. In the foreground it forwards signals and the terminal, waits for the end, deletes
 * unless is_keep, and stores the program's status (0-255; 128 + signal) in *ret_status.
 */
int run_run(const struct run_options *options, int *ret_status, struct err *err) MUST_CHECK;

/* start ID: only from "created"; returns when execve succeeded or says why it did not. */
int run_start(const char *state_root, const char *id, struct err *err) MUST_CHECK;

/* kill ID SIGNAL: signal 0-64, 0 only tells whether the container runs. is_all: every process of the
 * container's cgroup (and no error if none is left).
 */
int run_kill(const char *state_root, const char *id, int signal, bool is_all, struct err *err) MUST_CHECK;

/*
 * delete ID. Without force only a stopped container ("cannot delete container X that is not stopped:
 * STATE"). With force a living one is killed first, a half-made one cleaned up, and an unknown id is a
 * success. Poststop hooks run last; their failures are warnings in the log.
 */
int run_delete(const char *state_root, const char *id, bool is_force, struct err *err) MUST_CHECK;

/*
 * pause ID, resume ID: freezes and thaws all processes of a created or running container; return when that is
 * done. ERR_STATE "container not running", "container paused already", "container not paused". A freeze that
 * cannot be done within 10 s is taken back.
 */
int run_pause(const char *state_root, const char *id, struct err *err) MUST_CHECK;
int run_resume(const char *state_root, const char *id, struct err *err) MUST_CHECK;

/*
 * update ID: puts the limits of a document as /linux/resources of a configuration in force, but for its device
 * rules; JSON pointers begin at its root. ERR_STATE "container not running". A quota without a period and
 * memory without swap keep the other; all of the limits are changed, or none.
 */
int run_update(const char *state_root, const char *id, const struct buf *document, struct err *err) MUST_CHECK;

/* The pids of a container's processes in the caller's pid namespace, ascending. Count or -errno; the caller
 * frees. */
int run_pids(const char *state_root, const char *id, pid_t **ret_pids, struct err *err) MUST_CHECK;

/*
 * events ID: one line of JSON with what the container's cgroup has used, or, unless is_once, one such line each
 * interval_ms (above 0) and one line for each time that memory ran out, until the container has no processes.
 * on_line is given each line with its newline; its failure is the command's.
 */
struct events_options {
	const char *state_root; /* --root, or NULL */
	const char *id;
	bool is_once;
	int64_t interval_ms;
	int (*on_line)(void *context, const char *line, size_t len, struct err *err);
	void *context;
};
int run_events(const struct events_options *options, struct err *err) MUST_CHECK;

/* The command line of exec. Strings and arrays are the caller's. */
struct exec_options {
	const char *id;
	const char *state_root;                     /* --root, or NULL */
	const char *process;                        /* a file with a process document, or NULL */
	const char *pid_file;                       /* or NULL */
	const char *console_socket;                 /* or NULL */
	const char *pidfd_socket;                   /* or NULL */
	const char *cgroup;                         /* below the container's, as given; or NULL */
	const char *cwd, *apparmor, *process_label; /* or NULL */
	char *const *args;
	size_t arg_count;
	char *const *env; /* NAME=VALUE */
	size_t env_count;
	bool has_uid, has_gid;
	uint32_t uid, gid;
	const uint32_t *groups;
	size_t group_count;
	uint64_t capabilities; /* bit n: capability number n, added to the container's */
	uint32_t preserve_fds;
	bool is_terminal, is_no_new_privs, is_detached, is_ignoring_paused;
};

/*
 * exec ID: a further process in a created or running container. In the foreground it forwards signals and the
 * terminal, waits, and stores the program's status (0-255; 128 + signal) in *ret_status. Detached it returns
 * when execve succeeded. On failure nothing of it is left, and the container is as it was.
 */
int run_exec(const struct exec_options *options, int *ret_status, struct err *err) MUST_CHECK;

/*
 * Loads what create would: bundle, config, spec, host, plan, without changing anything. For "plan" and
 * "check". The caller frees: spec_free, free.
 */
struct plan;
struct host;
int run_load(const struct run_options *options, struct spec **ret_spec, struct host *ret_host,
	     struct plan **ret_plan, struct err *err) MUST_CHECK;

/*
 * "check": reads the bundle's config and hands every finding over, first what is wrong with it, then what
 * this host cannot honour. What is no fault but worth knowing comes with kind ERR_NONE. Returns the number of
 * findings without those, or -errno with *err set if there is nothing to
 * check (no such file).
 */
int run_check(const struct run_options *options, void (*on_finding)(void *context, const struct err *finding),
	      void *context, struct err *err) MUST_CHECK;

#endif
