/* SPDX-License-Identifier: Apache-2.0 */
/* What the sources of the room share. */
#ifndef TARE_STATE_PRIVATE_H
#define TARE_STATE_PRIVATE_H

#include <tare/state.h>

#define STATE_RECORD_NAME "record"
#define STATE_GATE_NAME "gate"
#define STATE_PLAN_NAME "plan"
#define STATE_END_NAME "end"
#define STATE_SECS_MAX 253402300799 /* the end of the year 9999: what RFC 3339 can say */

/* Whether only this user and root may have written what is there: tare acts on it. */
struct stat;
bool state_is_trusted(const struct stat *stat);

/* As state_check_id, without words. */
bool state_is_id(const char *id);

/*
 * The name under which a directory of a container is found now, as the kernel knows it. -ENOENT if that is
 * not a container's name: the directory was removed, or renamed by state_remove. -ENODEV: there is no /proc.
 */
int state_dir_name(int dir_fd, char *buf, size_t size) MUST_CHECK;
/* Words an error of it. */
int state_fail_dir_name(struct err *err, int r);

/* --- process.c --- */

struct process {
	uint64_t start;
	bool is_dead;    /* a zombie */
	int wait_status; /* of a zombie, as waitpid(2) gives it; 0 also for those that may not know it */
};

/* What /proc has of a process; -ESRCH if it has none of that pid, or another -errno. */
int process_read(pid_t pid, struct process *ret_process) MUST_CHECK;

/*
 * Whether the recorded process lives: 1, or 0 if it is dead or a zombie, or -errno with *err if that cannot be
 * told; -EXDEV: from the namespaces of this process. *ret_process is set where it was found, dead or alive.
 */
int process_is_alive(const struct state_record *record, pid_t pid, uint64_t start, struct process *ret_process,
		     struct err *err) MUST_CHECK;

/* Whether cgroup.events of the container's cgroup says "key 1"; 0 also if the cgroup is gone or another's;
 * -errno. */
int state_read_cgroup_event(const struct state_record *record, const char *key) MUST_CHECK;

/* --- dir.c --- */

/* The names in a directory. */
struct state_names {
	char **names;
	size_t count, cap;
};
void state_names_done(struct state_names *names);
#define _cleanup_state_names_ __attribute__((cleanup(state_names_done)))
int state_names_read(int dir_fd, struct state_names *names) MUST_CHECK;

/* For ERR_STATE messages that are whole without the text of an errno. Returns -errnum. */
int state_fail(struct err *err, int errnum, const char *fmt, ...) FORMAT(3, 4);

/* The directory of the cgroup that the record names, whatever it is now. -ENOENT if it names none, or -errno.
 */
int state_open_cgroup(const struct state_record *record) MUST_CHECK;

/*
 * Whether the cgroup that the container was created in exists and has no process of any pid namespace, in it or
 * below it. 0 also if another cgroup has its path; -errno if it cannot be found.
 */
int state_is_cgroup_empty(const struct state_record *record) MUST_CHECK;

#endif
