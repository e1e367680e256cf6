/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervision: limits and report of a run in the foreground. Private to the room; runs in the parent. Without a
 * request for them no function makes a system call.
 */
#ifndef TARE_COMMAND_SUPERVISION_H
#define TARE_COMMAND_SUPERVISION_H

#include <signal.h>
#include <sys/resource.h>

#include <tare/parent.h>

struct supervision {
	const struct supervise_options *options; /* of the draft */
	struct supervise loop;
	struct report report;
	struct report_place place;
	struct supervise_exit exit;
	char *call_name;    /* of the call that the filter has killed it for, or NULL */
	int signals_fd;     /* of state_create_signals, or -1 */
	int pipes[2];       /* the reading ends of the program's standard output and error, or -1 */
	int64_t begin_us;   /* CLOCK_MONOTONIC: the command began; 0 without a report */
	int64_t created_us; /* init waits at its gate */
	bool is_asked;      /* the loop is open */
	bool is_started;    /* the program was executed */
	bool is_reported;   /* loop and report are complete */
};

void supervision_init(struct supervision *s, const struct draft *draft);
void supervision_done(struct supervision *s);
#define _cleanup_supervision_ __attribute__((cleanup(supervision_done)))

/* Before the creation: opens what the flags name, so that a failed creation is reported, too. */
int supervision_prepare(struct supervision *s, struct creation *creation, struct err *err) MUST_CHECK;
/* After the creation, before the program is started: also what the annotations name. */
int supervision_open(struct supervision *s, const struct creation *creation, struct err *err) MUST_CHECK;
/* The program was executed. */
void supervision_begin(struct supervision *s);
/*
 * init has exited: how it and the program have ended, which are the same unless there is a first process.
 * usage: NULL if it is not known.
 */
void supervision_note_exit(struct supervision *s, const siginfo_t *init, const siginfo_t *program,
			   const struct rusage *usage);
/*
 * init was waited for, and its output is read: completes the report. kill: the call that the filter has killed
 * it for. Returns the command's exit status.
 */
int supervision_complete(struct supervision *s, const struct creation *creation,
			 const struct syscalls_kill *kill, int status);
/* Sets *err and returns -errno if a limit has ended the container; otherwise 0. */
int supervision_explain(const struct supervision *s, struct err *err);
/*
 * No process of the container is left. r and *err: the result of the command, which is the reason if the
 * program was not started. Writes the report. Returns r, or the failure to write it.
 */
int supervision_write(struct supervision *s, int r, struct err *err) MUST_CHECK;

#endif
