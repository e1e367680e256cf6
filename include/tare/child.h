/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child: the process that this one starts and that becomes a program of the container, as its parent sees it,
 * for a creation and for an exec alike. All functions run in the parent.
 */
#ifndef TARE_CHILD_H
#define TARE_CHILD_H

#include <signal.h>

#include <tare/options.h>
#include <tare/plan.h>

/*
 * A descriptor is -1, and a pid 0, until it is set. The child owns its descriptors, slots and sources; whatever
 * has made the plan owns that.
 */
struct child {
	const struct plan *plan; /* the steps to carry out */
	int *slots;              /* of the plan: the descriptors that init receives, -1 for an empty slot */
	struct sources *sources; /* of sources.c, until init is started; or NULL */
	struct trace *trace;     /* of trace.c, with --debug; or NULL */
	const char *pid_file;    /* was written, and is removed after a failure; the caller's, or NULL */
	uint64_t old_signals;    /* the caller's signal mask */
	uint64_t oom_kills;      /* in the cgroup, before the container was created */
	uint64_t memory_hits;    /* how often memory.max was reached there, before the container was created */
	int signal_fd;           /* of await_signals */
	int socket_fd;           /* the conversation of protocol.h */
	int pidfd, bridge_pidfd; /* of init, and of the bridge that starts it */
	int console_fd;          /* the master of the container's terminal */
	int end_fd;              /* the reading end of PLAN_OPEN_END */
	int cgroup_fd;           /* in which the child starts */
	int output_fds[2];       /* standard output and error of the child; -1: those of this process */
	int first_fd;            /* the number after the descriptors that the program keeps */
	pid_t pid;               /* of init; of the bridge until INIT_STARTED */
	bool is_exec;            /* another process has created the container */
	bool is_mounting;        /* it changes the mounts of that container, and executes no program */
	bool is_interruptible;   /* a signal ends the wait for execve, because the cgroup may be frozen */
};

/* Sets all members to "not set". Cannot fail. */
void child_init(struct child *child);
/* Frees all memory and closes all descriptors; removes nothing and kills no process. */
void child_done(struct child *child);

/*
 * Allocates the plan's slots, all empty. The caller's descriptors from first_fd on become close-on-exec. Needs
 * the plan.
 */
int child_open_slots(struct child *child, struct err *err) MUST_CHECK;
/*
 * Blocks all signals: from now on only SIGKILL kills this process at once. child->signal_fd reports the signals
 * of await_signals.
 */
int child_hold_signals(struct child *child, struct err *err) MUST_CHECK;
/* Waits until a message of the child can be received, as await_message; the error names step. */
int child_await(const struct child *child, uint32_t step, struct err *err) MUST_CHECK;
/* Kills the bridge and init, and waits for their exit. */
void child_kill(struct child *child);
/* Closes all that is not needed any more once the child is dead, except signal_fd. */
void child_close(struct child *child);
/* Replaces *err by how init was killed, if it was: for a conversation that broke off. pidfd may be -1.
 * plan: names the call that its filter kills for; or NULL. */
void child_explain_end(int pidfd, const struct plan *plan, struct err *err);
void child_explain_status(const siginfo_t *info, const struct plan *plan, struct err *err);
/*
 * *info is how init has ended, as from waitid(2). If init was not the program but its parent, and reported how
 * that had ended, changes *info to it.
 */
void child_read_end(const struct child *child, siginfo_t *info);
/*
 * The report alone, which is not trusted: for a caller that cannot get the exit status of init. False without a
 * report.
 */
bool child_read_report(const struct child *child, siginfo_t *info);

/* Waits for the bridge's exit. spawn_expect_init has killed it. */
void spawn_end_bridge(struct child *child);

/*
 * Carries out the parent's steps of a plan that belongs to no creation and no exec, as the trial of "check".
 * Needs the slots and blocked signals. *err has the JSON pointer of the step.
 */
int parent_walk(struct child *child, struct err *err) MUST_CHECK;

/*
 * With --debug: logs where each process has stopped, after a failure that parent_walk has not reported. Without
 * --debug it does nothing, as trace_log_executed, which logs the last steps of a process that has executed its
 * program, and ends the trace.
 */
void trace_log_stop(const struct child *child);
void trace_log_executed(struct child *child);

/*
 * Sends the terminal and the pidfd to their sockets, and writes the pid file, as far as the caller requests
 * them. payload: the text that is sent with the pidfd. Call it before COMMITTED.
 */
int parent_announce(struct child *child, const struct common_options *options, const char *payload,
		    struct err *err) MUST_CHECK;
/* Removes the pid file that parent_announce has written, if it has. */
int parent_remove_pid_file(struct child *child, struct err *err) MUST_CHECK;
/* ERR_USAGE if path exists and is not a regular file, which the pid file would replace. path may be NULL. */
int parent_check_pid_file(const char *path, struct err *err) MUST_CHECK;
/* Gives the container's terminal the size of the caller's, if this process has its master. */
void parent_copy_size(const struct child *child);

/*
 * How many processes the OOM killer has killed in the container's cgroup since the container was created. seen:
 * an earlier count of memory.events, for a cgroup that may have been removed since.
 */
uint64_t parent_count_oom_kills(const struct child *child, uint64_t seen);
/* Adds to the error of a creation or an exec that a limit of the cgroup caused it, if that is so. */
void parent_explain_limits(const struct child *child, struct err *err);

#endif
