/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the recorder. Private to the room; all of it runs in the recorder, unless a comment differs. */
#ifndef TARE_SYSCALLS_RECORDER_H
#define TARE_SYSCALLS_RECORDER_H

#include <sys/types.h>

#include <tare/spec.h>
#include <tare/syscalls.h>

/* --- output.c: the file --- */

struct output {
	int dir_fd;       /* of the directory, or -1 */
	const char *name; /* in it; the caller's */
	int fd;           /* what is not a regular file: written to directly; or -1 */
	unsigned int mode;
};
#define OUTPUT_NONE                                                                                            \
	(struct output)                                                                                        \
	{                                                                                                      \
		.dir_fd = -1, .fd = -1                                                                         \
	}
/*
 * Before the program starts, so that nothing that it does to the path matters. path: NULL for none, "-" for
 * standard error. Process: the parent.
 */
int output_open(const char *path, struct output *ret, struct err *err) MUST_CHECK;
void output_done(struct output *output);
/* Replaces a regular file, by rename(2). 0 or -errno. */
int output_write(const struct output *output, const struct buf *text) MUST_CHECK;

/* --- calls.c: the table --- */

#define CALLS_MAX 1024
#define CALLS_NAME_MAX 16 /* TASK_COMM_LEN of the kernel */

struct call {
	uint32_t arch; /* AUDIT_ARCH_* */
	int number;
	uint32_t answer;    /* SECCOMP_RET_* and an errno */
	uint32_t has_value; /* value is part of the call: see calls_value */
	uint64_t value;
	char program[CALLS_NAME_MAX]; /* name of the thread, not of its file; "": not readable */
	pid_t pid;                    /* of the first thread, in the recorder's pid namespace */
	uint64_t count;
};

struct calls {
	struct call *rows; /* at most CALLS_MAX, in the order in which they were first made */
	size_t count;
	uint64_t omitted; /* calls for which the table had no row left */
};
void calls_done(struct calls *calls);
/* Counts a call that equals *call in all but pid and count. */
void calls_add(struct calls *calls, const struct call *call);

/* ptrace(2). */
static inline int recorder_trace(long request, pid_t tid, unsigned long address, unsigned long data)
{
	return (int)k_call4(__NR_ptrace, request, tid, address, data);
}

/* --- kill.c --- */

/*
 * Has the kernel kill the thread that waits for the answer to notification, or its process, as the filter does
 * that kills by itself: with its status, whatever the thread does about SIGSYS. 0 or -errno: it still waits.
 */
int kill_by_filter(int listener_fd, const struct seccomp_notif *notification, const struct seccomp_mark *mark,
		   bool is_thread) MUST_CHECK;
/* With the mark, as kill_by_filter sets it. */
struct seccomp_data kill_marked(const struct seccomp_data *call, const struct seccomp_mark *mark,
				bool is_thread);
/* Kills the process by SIGKILL. */
void kill_by_signal(int listener_fd, const struct seccomp_notif *notification);

/* --- denied.c, profile.c: the file's contents --- */

void denied_print(const char *id, const struct calls *calls, struct buf *out);

/* A profile: linux.seccomp of runtime-spec. */
struct profile {
	struct spec *spec;              /* of the existing file, or NULL */
	struct seccomp_program program; /* compiled from it; empty: none */
};
/* Reads the file if it exists. Process: the parent. */
int profile_read(const char *path, struct profile *ret, struct err *err) MUST_CHECK;
void profile_done(struct profile *profile);
/* Whether an argument of the call is part of what a profile allows; the value is then what it allows of it. */
bool profile_value(const struct seccomp_data *call, uint64_t *ret);
/* The answer that the call gets while it is recorded: SECCOMP_RET_ALLOW, or with an errno. */
uint32_t profile_answer(const struct seccomp_data *call);
/* The existing profile, and what it lacks to allow the calls. */
void profile_print(const struct profile *profile, const struct calls *calls, struct buf *out);

/* --- recorder.c --- */

struct recorder {
	const struct syscalls_request *request;
	struct output output;
	struct profile profile;
	struct calls calls;
	struct syscalls_kill kill;
	int control_fd, init_fd, listener_fd;
	pid_t program;       /* the thread that has installed the filter */
	int number;          /* of the listener in that thread */
	bool is_tracing;     /* it is killed with this process */
	bool is_handed_over; /* it has made its call with SECCOMP_HANDOVER_NUMBER */
	bool is_written;     /* the file has all calls */
};
/* --- handover.c --- */

/* Before the filter is installed: from now on its process is killed with this one. Lets it continue. */
void handover_begin(struct recorder *r);
/* Answers the call that ends the hand-over, and closes the other copy of the listener. */
void handover_end(struct recorder *r, const struct seccomp_notif *notification);

/* What the recorder sends through the control socket, each time that it has written its file. */
struct recorder_result {
	int32_t error; /* 0 or -errno of the file */
	bool is_lost;  /* error is that of taking the listener: the recorder exits */
	struct syscalls_kill kill;
};
/* The whole process, after its fork. */
__attribute__((noreturn)) void recorder_main(struct recorder *recorder);

#endif
