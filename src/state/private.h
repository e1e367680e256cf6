/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that the sources of the room share. Private to the room. */
#ifndef TARE_STATE_PRIVATE_H
#define TARE_STATE_PRIVATE_H

#include <tare/state.h>

#define STATE_RECORD_NAME "record"
#define STATE_CONFIG_NAME "config"
#define STATE_GATE_NAME "gate"
#define STATE_PLAN_NAME "plan"
#define STATE_END_NAME "end"
#define STATE_REPORT_NAME "report"
#define STATE_SIGNALS_NAME "signals"
#define STATE_MOUNTS_NAME "mounts"
/*
 * The mode of these files. Programs that clean XDG_RUNTIME_DIR or /tmp of old files skip those with the sticky
 * bit (XDG Base Directory Specification, systemd-tmpfiles(8)); it has no other effect.
 */
#define STATE_FILE_MODE 01600
#define STATE_CONFIG_MAX ((size_t)16 << 20) /* bytes of a configuration */

/*
 * Whether only this user and root can have written the file. tare reads pids and paths from it, and kills and
 * removes what they name.
 */
struct stat;
bool state_is_trusted(const struct stat *stat);

/* As state_check_id, without an error text. */
bool state_is_id(const char *id);

/*
 * The current name of an open directory of a container, from /proc. -ENOENT if it is not a valid id: the
 * directory was removed, or renamed by state_remove. -ENODEV if no procfs is mounted on /proc.
 */
int state_dir_name(int dir_fd, char *buf, size_t size) MUST_CHECK;
/* Sets *err for an error of state_dir_name. Returns r. */
int state_fail_dir_name(struct err *err, int r);

/* --- process.c --- */

struct process {
	uint64_t start;
	bool is_dead;    /* a zombie */
	int wait_status; /* of a zombie, as from waitpid(2); also 0 if the caller has no permission to read it
			  */
};

/* Reads /proc/PID/stat; -ESRCH if it does not exist, or another -errno. */
int process_read(pid_t pid, struct process *ret_process) MUST_CHECK;

/*
 * Whether the recorded process, identified by pid and start time, is alive: 1, or 0 if it is dead or a zombie,
 * or -errno with *err if that cannot be determined; -EXDEV: not in the namespaces of this process. *ret_process
 * is set if /proc lists the process.
 */
int process_is_alive(const struct state_record *record, pid_t pid, uint64_t start, struct process *ret_process,
		     struct err *err) MUST_CHECK;

/*
 * Whether cgroup.events of the container's cgroup has the line "key 1": 1, 0, or -errno. Also 0 if the cgroup
 * does not exist, or is another container's.
 */
int state_read_cgroup_event(const struct state_record *record, const char *key) MUST_CHECK;

/* --- files.c --- */

/* Appends the bytes of the record file to out. ERR_STATE as state_read. */
int state_read_record(int dir_fd, struct buf *out, struct err *err) MUST_CHECK;
/* Appends a file that need not exist. what: its name in messages. */
int state_read_optional(int dir_fd, const char *name, const char *what, struct buf *out,
			struct err *err) MUST_CHECK;

/* --- dir.c --- */

/*
 * flock(2) with LOCK_EX or LOCK_SH within a time; negative: without a limit. -EBUSY: another process holds the
 * lock.
 */
int state_lock_within(int fd, int operation, int timeout_ms) MUST_CHECK;

/* The names in a directory. */
struct state_names {
	char **names;
	size_t count, cap;
};
void state_names_done(struct state_names *names);
#define _cleanup_state_names_ __attribute__((cleanup(state_names_done)))
int state_names_read(int dir_fd, struct state_names *names) MUST_CHECK;

/* Sets ERR_STATE with a message that does not end with the text of the errno. Returns -errnum. */
int state_fail(struct err *err, int errnum, const char *fmt, ...) FORMAT(3, 4);

/*
 * cgroup.c: opens the cgroup at the recorded path (O_PATH), which may be another container's by now. -ENOENT if
 * the record has no path or the cgroup does not exist, -ENODEV if the hierarchy is not mounted, or -errno.
 */
int state_open_cgroup(const struct state_record *record) MUST_CHECK;

/*
 * Whether the cgroup that the container was created in exists and has no process of any pid namespace, in it or
 * below it. 0 also if another cgroup has its path; -errno if it cannot be found.
 */
int state_is_cgroup_empty(const struct state_record *record) MUST_CHECK;

#endif
