/* SPDX-License-Identifier: Apache-2.0 */
/* command: the commands, as the command line calls them. All of it runs in the process that was called. */
#ifndef TARE_COMMAND_H
#define TARE_COMMAND_H

#include <tare/base.h>
#include <tare/options.h>

struct spec;
struct state_record;

/* Creates a container: returns when init waits at its gate. On failure nothing of it is left. */
int command_create(const struct create_options *options, struct err *err) MUST_CHECK;

/*
 * Creates and starts. In the foreground it forwards signals and the terminal, waits for the end, deletes
 * unless is_keep, and stores the program's status (0-255; 128 + signal) in *ret_status.
 */
int command_run(const struct create_options *options, int *ret_status, struct err *err) MUST_CHECK;

/* start ID: only from "created"; returns when execve succeeded or says why it did not. */
int command_start(const char *state_root, const char *id, struct err *err) MUST_CHECK;

/* kill ID SIGNAL: signal 0-64, 0 only tells whether the container runs. is_all: every process of the
 * container's cgroup (and no error if none is left).
 */
int command_kill(const char *state_root, const char *id, int signal, bool is_all, struct err *err) MUST_CHECK;

/*
 * delete ID. Without force only a stopped container ("cannot delete container X that is not stopped:
 * STATE"). With force a living one is killed first, a half-made one cleaned up, and an unknown id is a
 * success. Poststop hooks run last; their failures are warnings in the log.
 */
int command_delete(const char *state_root, const char *id, bool is_force, struct err *err) MUST_CHECK;

/*
 * pause ID, resume ID: freezes and thaws all processes of a created or running container; return when that is
 * done. ERR_STATE "container not running", "container paused already", "container not paused". A freeze that
 * cannot be done within 10 s is taken back.
 */
int command_pause(const char *state_root, const char *id, struct err *err) MUST_CHECK;
int command_resume(const char *state_root, const char *id, struct err *err) MUST_CHECK;

/*
 * update ID: puts the limits of a document as /linux/resources of a configuration in force, but for its device
 * rules; JSON pointers begin at its root. ERR_STATE "container not running". A quota without a period and
 * memory without swap keep the other; all of the limits are changed, or none.
 */
int command_update(const char *state_root, const char *id, const struct buf *document,
		   struct err *err) MUST_CHECK;

/* The pids of a container's processes in the caller's pid namespace, ascending. Count or -errno; the caller
 * frees. */
int command_pids(const char *state_root, const char *id, pid_t **ret_pids, struct err *err) MUST_CHECK;

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
int command_events(const struct events_options *options, struct err *err) MUST_CHECK;

/*
 * exec ID: a further process in a created or running container. In the foreground it forwards signals and the
 * terminal, waits, and stores the program's status (0-255; 128 + signal) in *ret_status. Detached it returns
 * when execve succeeded. On failure nothing of it is left, and the container is as it was.
 */
int command_exec(const struct exec_options *options, int *ret_status, struct err *err) MUST_CHECK;

/*
 * Loads what create would: bundle, config, spec, host, plan, without changing anything. For "plan" and
 * "check". The caller frees: spec_free, free.
 */
struct plan;
struct host;
int command_load(const struct create_options *options, struct spec **ret_spec, struct host *ret_host,
		 struct plan **ret_plan, struct err *err) MUST_CHECK;

#endif
