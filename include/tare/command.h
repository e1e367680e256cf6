/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command: the commands, as the command line calls them. All functions run in the process that the caller has
 * started, in its namespaces. state_root is the argument of --root, or NULL. Errors that are not listed are of
 * kind ERR_STATE ("container does not exist") or ERR_SYSTEM.
 */
#ifndef TARE_COMMAND_H
#define TARE_COMMAND_H

#include <tare/base.h>
#include <tare/options.h>

struct spec;
struct state_record;

/* create ID: makes a container, and returns when init waits at the gate. On failure nothing of it is left. */
int command_create(const struct create_options *options, struct err *err) MUST_CHECK;

/*
 * run ID: creates a container and starts it. In the foreground it forwards signals and the terminal, waits for
 * the program, deletes the container unless is_keep, and stores the program's exit status in *ret_status
 * (0-255; 128 + signal). Detached it returns when the program was executed.
 */
int command_run(const struct create_options *options, int *ret_status, struct err *err) MUST_CHECK;

/*
 * For a command that fails before it calls command_run: writes the report that its flags request, with *failure
 * as the reason. id: NULL if there is none. Does nothing if no report is requested, or if the place that is
 * requested cannot be written to: the command fails in any case.
 */
void command_report_failure(const struct supervise_options *options, const char *id, const struct err *failure);

/*
 * checkpoint ID: writes the processes of a running or paused container to files, and removes the container
 * unless is_leave_running or is_pre_dump. On failure the container continues. Sets options->config. restore ID
 * is command_run with options->restore: on failure nothing of the container is left.
 */
struct criu_options;
int command_checkpoint(const char *state_root, const char *id, struct criu_options *options,
		       struct err *err) MUST_CHECK;

/*
 * start ID: starts the program of a container with the status "created" (runtime.md, "Start"). Returns when
 * execve(2) has succeeded, or with its error.
 */
int command_start(const char *state_root, const char *id, struct err *err) MUST_CHECK;

/* For command_kill: the signal that the annotations name for stopping the image's program, or SIGTERM. */
#define KILL_STOP_SIGNAL (-1)

/*
 * kill ID SIGNAL: sends a signal to the container's init; 0 only checks that it runs, the highest is 64.
 * is_all: to all processes of the container's cgroup; none is no error. ERR_STATE "container not running".
 */
int command_kill(const char *state_root, const char *id, int signal, bool is_all, struct err *err) MUST_CHECK;

/*
 * delete ID (runtime.md, "Delete"). Without is_force the container must be stopped: ERR_STATE "cannot delete
 * container X that is not stopped: STATE". With is_force a container that runs is killed first, an incomplete
 * one is cleaned up, and an unknown id is a success. Poststop hooks run last; their failures are warnings in
 * the log.
 */
int command_delete(const char *state_root, const char *id, bool is_force, struct err *err) MUST_CHECK;

/*
 * wait ID: waits until a created or running container has ended; *ret_status as of command_run. -ENODATA: it
 * has ended, and its exit status is not known. A container that was killed and deleted meanwhile has ended,
 * too. report: NULL, or the report of its supervisor is appended; *ret_status is WAIT_FAILED then if the status
 * is not known, and -ENODATA means that there is no report.
 */
#define WAIT_FAILED 125 /* most programs do not use it */
int command_wait(const char *state_root, const char *id, struct buf *report, int *ret_status,
		 struct err *err) MUST_CHECK;

/*
 * Deletes by force the containers with an id that begins with prefix and the pid of a process that does not
 * exist, followed by "-": their command was killed. Failures are warnings in the log.
 */
void command_remove_leftovers(const char *state_root, const char *prefix);

/*
 * pause ID, resume ID: freeze or thaw all processes of a created or running container, and return when all have
 * stopped or continued. ERR_STATE "container not running", "container paused already", "container not paused".
 * If not all processes stop within 10 s, the container is thawed and pause fails.
 */
int command_pause(const char *state_root, const char *id, struct err *err) MUST_CHECK;
int command_resume(const char *state_root, const char *id, struct err *err) MUST_CHECK;

/*
 * update ID: changes the limits of a container to those of a document, which has the form of /linux/resources
 * of a configuration, without device rules; the JSON pointers of errors begin at the document's root. A quota
 * without a period keeps the current period, and vice versa; so do memory and swap. Either all limits are
 * changed or none. ERR_STATE "container not running".
 */
struct update_options {
	const char *state_root;
	const char *id;
	const struct buf *document;
	const char *name; /* of the document, for errors in its syntax and warnings of unknown keys */
};
int command_update(const struct update_options *options, struct err *err) MUST_CHECK;

/*
 * mounts add ID, mounts remove ID: attaches mounts in a created, running or paused container, or unmounts those
 * that an earlier add has attached. The document is an array in the form of /mounts of a configuration, and the
 * JSON pointers of errors begin at it; of remove only its destinations are used. Sources are resolved in the
 * mount namespace of this process. A failed add leaves no mount, but can leave the directories that it has made
 * for them. ERR_STATE "cannot change the mounts of a stopped container".
 */
struct mounts_options {
	const char *state_root;
	const char *id;
	const struct buf *document;
	const char *name; /* of the document, for errors in its syntax and warnings of unknown keys */
	bool is_remove;
};
int command_mounts(const struct mounts_options *options, struct err *err) MUST_CHECK;

/*
 * ps ID: the pids of all processes of a container, in the caller's pid namespace, in ascending order. Returns
 * their number or -errno; the caller frees *ret_pids.
 */
int command_pids(const char *state_root, const char *id, pid_t **ret_pids, struct err *err) MUST_CHECK;

/*
 * events ID: one line of JSON with the resource usage of the container's cgroup. Unless is_once, one such line
 * each interval_ms (> 0), and a line for each OOM kill, until the container has no process. on_line is called
 * with each line and its line feed; if it fails, the command fails with its error.
 */
struct events_options {
	const char *state_root;
	const char *id;
	bool is_once;
	int64_t interval_ms;
	int (*on_line)(void *context, const char *line, size_t len, struct err *err);
	void *context;
};
int command_events(const struct events_options *options, struct err *err) MUST_CHECK;

/*
 * exec ID: starts a further process in a created or running container. In the foreground it forwards signals
 * and the terminal, waits for the process, and stores its exit status in *ret_status (0-255; 128 + signal).
 * Detached it returns when execve(2) has succeeded. On failure the new process is killed.
 */
int command_exec(const struct exec_options *options, int *ret_status, struct err *err) MUST_CHECK;

/*
 * Loads what create would load: bundle, configuration, facts of the host, plan. Changes nothing. For "plan" and
 * "check". The caller frees *ret_spec by spec_free and *ret_plan by free.
 */
struct plan;
struct host;
int command_load(const struct create_options *options, struct spec **ret_spec, struct host *ret_host,
		 struct plan **ret_plan, struct err *err) MUST_CHECK;

#endif
