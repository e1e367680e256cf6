/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervise: limits of a running container, and the report of how it ended.
 *
 * Two processes use it: the command that waits for a container in the foreground, and the supervisor process of
 * a container that no command waits for. Neither waits in here: they poll the descriptors that
 * supervise_prepare names beside their own. There is no state but struct supervise.
 */
#ifndef TARE_SUPERVISE_H
#define TARE_SUPERVISE_H

#include <poll.h>

#include <tare/base.h>
#include <tare/cgroup.h>

/* --- what is asked for ------------------------------------------------------------------------------- */

enum report_format { REPORT_JSON, REPORT_ISOLATE };

/* A limit that was asked for. */
struct report_limit {
	const char *name;        /* as the flag */
	uint64_t value;          /* us, bytes or a number */
	const char *enforced_by; /* "tare", "cgroup", "rlimit", "pipe", or NULL: not enforced */
	uint64_t parts;          /* value is in units of 1/parts; 0: of 1 */
	const char *list;        /* in place of value, for a list such as 0-3,7; or NULL */
};
#define REPORT_LIMITS_MAX 16

/* Of flags, and of the annotations org.tare.NAME. Zeroed: nothing is asked for. Strings are the caller's. */
struct supervise_options {
	int64_t time_limit_us;     /* 0: none; from the execution of the program */
	int64_t cpu_time_limit_us; /* 0: none; of all processes of the container together */
	/* From the stop signal to the end of all processes. */
	struct supervise_grace {
		bool is_set; /* otherwise SUPERVISE_GRACE_US */
		int64_t us;  /* 0: all processes are killed at once */
	} grace;
	uint64_t output_limit;     /* bytes of standard output and standard error together; 0: none */
	int stop_signal;           /* 0: SIGTERM */
	bool is_dying_with_parent; /* the death of the caller kills the container */
	const char *report;        /* a file, or NULL */
	uint32_t report_fd;        /* a descriptor; 0: none */
	enum report_format report_format;
	const char
		*denied; /* a file, "-" for standard error, or NULL: the system calls that the filter denies */
	const char *learn; /* a file for a profile of the used system calls, or NULL */
	/* Limits that the report lists beside these, memory and pids; those that are omitted have no
	 * enforced_by. */
	const struct report_limit *other_limits;
	size_t other_limit_count;
	uint32_t given; /* a bit for each setting that was set, in the order of the table */
};
#define SUPERVISE_GRACE_US INT64_C(2000000)

/*
 * Whether anything is asked for, whether that needs a process that waits until the container has ended, and
 * whether it is a report.
 */
bool supervise_is_asked(const struct supervise_options *options);
bool supervise_needs_process(const struct supervise_options *options);
bool supervise_has_report(const struct supervise_options *options);

/*
 * Sets the setting "name", which is a flag without its dashes, from a text. Returns NULL, or what a value must
 * be
 * ("a duration such as ..."), with *options unchanged. The name must be one of the table in options.c.
 */
const char *supervise_set(struct supervise_options *options, const char *name, const char *text) MUST_CHECK;

/*
 * Sets what the annotation "org.tare.NAME" requests, unless a flag has set it. Ignores all other annotations.
 * ERR_CONFIG with the JSON pointer of the annotation for a wrong value. The text must outlive *options.
 */
int supervise_set_annotation(struct supervise_options *options, const char *key, const char *value,
			     struct err *err) MUST_CHECK;

/* The annotations, for "features": name number index, NULL past the last. */
const char *supervise_annotation_name(size_t index);

/* --- the report -------------------------------------------------------------------------------------- */

enum report_cause {
	REPORT_EXIT,     /* the program exited */
	REPORT_SIGNAL,   /* a signal that none of the following explains */
	REPORT_OOM,      /* the OOM killer */
	REPORT_TIME,     /* time_limit_us */
	REPORT_CPU_TIME, /* cpu_time_limit_us */
	REPORT_OUTPUT,   /* output_limit */
	REPORT_PIDS,     /* a fork failed at the limit, and then the program failed */
	REPORT_SECCOMP,  /* a system call that the filter answers by killing */
	REPORT_KILLED,   /* an operator: a signal to tare, or a command of tare */
	REPORT_SETUP,    /* the program was not executed */
	REPORT_UNKNOWN,  /* no limit has ended it, and its exit status is not known */
	REPORT_CAUSES,
};
const char *report_cause_name(enum report_cause cause);

/* A number that is not known; it is absent from the report. */
#define REPORT_ABSENT CGROUP_ABSENT

/*
 * Plain data, from report_init, supervise_report and their callers. A number is REPORT_ABSENT and a text NULL
 * until it is known. Times in us, sizes in bytes.
 */
struct report {
	const char *id; /* NULL: the command has failed before it had one */
	enum report_cause cause;
	bool has_end;          /* exit_code or signal is known */
	int exit_code, signal; /* signal 0: it exited */
	bool is_dumped;        /* the kernel has dumped core */
	struct {
		int number;         /* the last signal that was sent because of a limit; 0: none */
		const char *sender; /* "tare" or "kernel" */
	} limit_signal;
	const struct err *setup; /* REPORT_SETUP: the error of the command; the caller's */
	struct report_call {     /* REPORT_SECCOMP: the system call that was answered by killing */
		uint64_t number;
		const char *name, *architecture;
	} call;
	uint64_t wall;              /* from the execution of the program to its end */
	struct cgroup_usage cgroup; /* of all processes */
	/* Of the program and of those children that it has waited for (getrusage(2)). */
	struct report_program {
		uint64_t user, system, max_rss, voluntary_switches, involuntary_switches;
	} program;
	struct {
		uint64_t bytes;
		bool is_truncated;
	} output;
	struct report_limit limits[REPORT_LIMITS_MAX];
	size_t limit_count;
	struct {
		bool is_known;
		uint64_t namespaces; /* CLONE_NEW* */
		const char *proc;    /* how /proc is mounted, or NULL: it is not */
		const char *cgroup;  /* a path below the cgroup2 mount, or NULL */
		bool has_filter, is_no_new_privs;
	} isolation;
	struct {
		uint64_t load, create, start; /* the configuration; all up to init at its gate; execve(2) */
	} setup_time;
};

/* Sets everything to "not known". */
void report_init(struct report *report, const char *id);
/* Does nothing if there is no room. */
void report_add_limit(struct report *report, const struct report_limit *limit);

#define REPORT_VERSION 1 /* of the schema: raised if a member gets another meaning or is removed */
/* Appends the report: one JSON object by share/report-schema.json, or the lines "key:value" of ioi/isolate. */
void report_print(const struct report *report, enum report_format format, struct buf *out);

/* Where reports go. Zeroed, and with descriptors of -1: nowhere. */
struct report_place {
	int dir_fd;       /* the directory of the file, or -1 */
	const char *name; /* in it; the caller's */
	unsigned int mode;
	int fd; /* or -1; stays the caller's */
};
/*
 * Opens what the options name, before the program starts: it must not be able to redirect the report. A file of
 * an earlier report is removed, so that no reader takes it for the new one. ERR_USAGE for a file that is not a
 * regular one, and for a descriptor that is not open for writing.
 */
int report_open(const struct supervise_options *options, struct report_place *ret, struct err *err) MUST_CHECK;
void report_close(struct report_place *place);
#define _cleanup_report_place_ __attribute__((cleanup(report_close)))
/*
 * Writes the text to the places: the file appears at once, with the mode of the previous one or 0600, and the
 * descriptor gets the text in one piece. Called when no process of the container is left.
 */
int report_write(const struct report_place *place, const struct buf *text, struct err *err) MUST_CHECK;

/* --- the supervision of one container ------------------------------------------------------------------ */

/* Descriptors are the caller's. */
struct supervise_target {
	pid_t pid;          /* of init */
	int pidfd;          /* of init */
	int cgroup_fd;      /* its cgroup, or -1 */
	bool is_cgroup_own; /* made for the container, so that all its counters began at 0 */
	bool has_filter;    /* of seccomp */
	bool is_reported;   /* the counters of the cgroup are needed at the end */
	/* Only a process outside of the container can kill init by SIGKILL: init is the first one of its pid
	 * namespace. */
	bool is_killed_from_outside;
};

struct supervise {
	const struct supervise_options *options; /* the caller's */
	struct supervise_target target;
	int caller_fd;                   /* pidfd of the caller that the container dies with, or -1 */
	struct cgroup_counters counters; /* from supervise_begin on; that of the CPU time from supervise_open */
	struct cgroup_usage before;      /* unless is_cgroup_own */
	int64_t begin_us;                /* CLOCK_MONOTONIC: the program was executed */
	int64_t kill_us, check_us;       /* when to kill, and when to read the CPU time; 0: never */
	unsigned int cpus;
	enum report_cause cause; /* REPORT_EXIT until a limit or an operator has ended the container */
	int sent;                /* the last signal that was sent because of the cause */
	uint64_t forwarded;      /* a bit for each signal of an operator: 1 << number */
	uint64_t output;         /* bytes so far */
	bool is_truncated;       /* there were more */
	bool has_cpu_rlimit;     /* RLIMIT_CPU stands for the limit of the CPU time */
	bool is_ended, has_usage;
	uint64_t wall_us;          /* once it is ended */
	struct cgroup_usage usage; /* the same */
};

/*
 * Before the program starts. Opens what the limits need, and sets RLIMIT_CPU of init if there is no cgroup.
 * Fails if a limit cannot be enforced, also if the CPU time of the cgroup cannot be read. *s is valid for
 * supervise_done in any case.
 */
int supervise_open(struct supervise *s, const struct supervise_options *options,
		   const struct supervise_target *target, struct err *err) MUST_CHECK;
/* The program was executed: limits of time begin. */
void supervise_begin(struct supervise *s);
void supervise_done(struct supervise *s);
#define _cleanup_supervise_ __attribute__((cleanup(supervise_done)))

/*
 * Fills all of fds, with descriptor -1 where nothing is to be waited for, and returns the time in us until
 * supervise_serve has to be called anyway; -1: none.
 */
#define SUPERVISE_FDS 1
int64_t supervise_prepare(const struct supervise *s, struct pollfd fds[static SUPERVISE_FDS]);
/* After each poll. Sends signals; never waits. */
void supervise_serve(struct supervise *s, const struct pollfd fds[static SUPERVISE_FDS]);

/* An operator has sent this signal to the container. */
void supervise_note_signal(struct supervise *s, int signal);
/*
 * The program has written len bytes. Returns how many of them may be passed on; if these are fewer, the
 * container is killed.
 */
size_t supervise_count_output(struct supervise *s, size_t len);

/*
 * The cgroup has no process any more, or is about to have none: reads the counters, in case systemd removes the
 * cgroup of a scope before supervise_end. Then these are the last ones.
 */
void supervise_read_usage(struct supervise *s);
/* init has exited: reads the last counters. Call it at once: systemd removes the cgroup of a scope. */
void supervise_end(struct supervise *s);

/* How the program ended, as far as waitid(2) or another means has told. */
struct supervise_exit {
	bool is_known;
	int exit_code, signal; /* signal 0: it exited */
	bool is_dumped;
	bool is_filtered;              /* the filter has killed it: the call is known */
	struct report_program program; /* REPORT_ABSENT: not known */
};
/*
 * Decides on the cause, and fills in the report, of which other members the caller sets. After supervise_end,
 * and after the last supervise_count_output.
 */
void supervise_report(struct supervise *s, const struct supervise_exit *exit, struct report *report);
/* After supervise_report, the exit status of a command that waits for the program: status, unless a limit ended
 * it. */
int supervise_exit_status(const struct supervise *s, int status);
#define SUPERVISE_LIMIT_STATUS 124 /* as of timeout(1) */

#endif
