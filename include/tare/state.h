/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state: the files that store a container's state between two commands.
 *
 *   <root>/<id>/record   "key value" lines, replaced atomically (temporary name, rename)
 *   <root>/<id>/config   a copy of the container's config.json
 *   <root>/<id>/plan     the image of the container's plan, from which exec builds its own plan
 *   <root>/<id>/end      "status signal [kills]": exit status, signal and OOM kills of the program
 *   <root>/<id>/report   the report of how a supervised container ended, as JSON; empty until then
 *   <root>/<id>/signals  the numbers of the signals that commands have sent to a supervised container, as bytes
 *   <root>/<id>/gate     the socket at which init waits for "start"
 *   <root>/<id>/notify/  the directory of NOTIFY_SOCKET, if it is used
 *   <root>/@NAME/        a cache (state_cache_*), which may be removed at any time; no id contains an "@"
 *
 * config is written before the record and never changes. It is read for hooks that a later command runs, and by
 * exec if the stored plan cannot be used. Earlier versions wrote it to the end of the record. end is written if
 * a command waited for the program, or if a watcher counted.
 *
 * <root> is /run/tare for root, and $XDG_RUNTIME_DIR/tare for other users, or else /run/user/UID/tare or
 * /tmp/tare-UID; mode 0700. A command that changes a container holds a lock (flock(2)) on the directory
 * <root>/<id>. All functions run in the parent or in a later command. They open only fixed names below the root
 * and follow no symbolic link there.
 */
#ifndef TARE_STATE_H
#define TARE_STATE_H

#include <tare/base.h>

struct state_annotation {
	char *key, *value;
};

/* The content of the record file. state_record_done frees its strings. */
struct state_record {
	char *id;
	char *bundle; /* absolute */
	char *rootfs; /* absolute */
	char *oci_version;
	char *cgroup_mount; /* "" if the container has no cgroup */
	char *cgroup_path;
	char *unit;                  /* the systemd unit that the cgroup belongs to; "": none */
	bool is_user_unit;           /* the unit is one of the user's service manager */
	char *notes;                 /* lines: deviations from the configuration that are no errors; "": none */
	char *resctrl_clos;          /* the class of service; "": none, or the default class */
	char *resctrl_monitor;       /* the monitoring group in the class, or "" */
	bool is_resctrl_own;         /* the class is removed with the container */
	unsigned int cgroup_created; /* from cgroup_create */
	uint64_t cgroup_inode;       /* of the cgroup's directory, never used again; 0: not known */
	pid_t pid;          /* of init, in the pid namespace of the creator; 0 before init is started */
	uint64_t pid_start; /* its start time in clock ticks since boot (/proc/PID/stat field 22) */
	pid_t creator;      /* the parent, while it creates the container; otherwise 0 */
	uint64_t creator_start;
	uint64_t pid_namespace;  /* inode number of the namespace in which both pids are valid; 0: not known */
	uint64_t time_namespace; /* and of the one in which both start times are valid; 0: not supported */
	int64_t created_secs;    /* CLOCK_REALTIME */
	uint32_t created_nanosecs;
	uid_t owner;                      /* the effective uid of the parent */
	bool has_gate;                    /* made by create, not by run */
	bool has_poststop, has_poststart; /* hooks of the configuration that a later command has to run */
	bool is_no_new_keyring;           /* its processes keep the session keyring of the caller */
	char *keyring;                    /* the name of its session keyring; "": none, or "_ses." and the id */
	bool is_pid_namespace_own;        /* its pid namespace was made for it */
	bool has_filter;                  /* of seccomp */
	bool has_program;                 /* the configuration has /process/args */
	struct state_annotation *annotations;
	size_t annotation_count;
	/*
	 * The size of the configuration in the record file of an earlier version; 0: it is in its own file.
	 * Such a record has none of the three members before the annotations: container_open fills them in.
	 */
	size_t config_inside;
};
void state_record_done(struct state_record *record);
/* The value of the annotation, which is the record's, or NULL. */
const char *state_annotation(const struct state_record *record, const char *key);
#define _cleanup_record_ __attribute__((cleanup(state_record_done)))

/*
 * [A-Za-z0-9_+.-]+, not "." or "..", at most 1024 bytes. ERR_USAGE "invalid container ID format: 'X'" or
 * "container id cannot be empty".
 */
int state_check_id(const char *id, struct err *err) MUST_CHECK;

/*
 * Opens the root directory. path NULL: the default for this user. If it does not exist, it is made with mode
 * 0700 if is_creating; otherwise -ENOENT, which callers treat as "no containers" and do not report. ERR_USAGE
 * for "/" ("Option --root argument should not be set to /"), and for a directory that belongs to another user
 * than root, or that another user can write to. The default in /tmp must belong to this user, must not be a
 * link or a mount point, and must not be accessible to others; if it is_creating, a warning in the log names
 * it.
 */
int state_open_root(const char *path, bool is_creating, struct err *err) MUST_CHECK;

/* The absolute path of the directory that state_open_root opens or creates. The caller frees *ret_path. */
int state_root_path(const char *path, char **ret_path, struct err *err) MUST_CHECK;

/*
 * Makes <root>/<id> and locks it. ERR_STATE "container with given ID already exists" (-EEXIST), unless the
 * existing directory can be removed by state_sweep. Returns the directory's descriptor; the lock lasts until
 * the descriptor and its copies are closed. On failure no directory is left.
 */
int state_create_dir(int root_fd, const char *id, struct err *err) MUST_CHECK;

/*
 * state_open_dir opens <root>/<id> without a lock. ERR_STATE "container does not exist" (-ENOENT); -EPERM if
 * another user owns the directory or can write to it. state_lock waits for the lock up to timeout_ms, 0: tries
 * once. ERR_STATE "another command is working on it" (-EBUSY), or "container does not exist" (-ENOENT) if the
 * directory was removed meanwhile.
 */
int state_open_dir(int root_fd, const char *id, struct err *err) MUST_CHECK;
int state_lock(int dir_fd, int timeout_ms, struct err *err) MUST_CHECK;

/* Whether the container of the open directory was removed. Another may use the id by now. 1, 0, or -errno. */
int state_is_gone(int dir_fd) MUST_CHECK;

/*
 * Removes the directory <root>/<id>, on which dir_fd is open, if it has no record and no command holds its
 * lock: its creator was killed before it made anything else. Returns whether it was removed.
 */
bool state_sweep(int root_fd, int dir_fd, const char *id);
/* Removes the remains of directories if the process that removed them was killed. */
void state_sweep_removed(int root_fd);

/*
 * Stores the text of the container's configuration. Called before the first state_write, so that each container
 * with a record has it. -EFBIG for more than 16 MiB.
 */
int state_write_config(int dir_fd, const char *text, size_t len, struct err *err) MUST_CHECK;
/*
 * Appends the stored configuration to out: also for a record of an earlier version, from which record was read.
 * Errors as state_read.
 */
int state_read_config(int dir_fd, const struct state_record *record, struct buf *out,
		      struct err *err) MUST_CHECK;

/* Replaces the record atomically. The caller holds the lock. */
int state_write(int dir_fd, const struct state_record *record, struct err *err) MUST_CHECK;
/*
 * Reads and checks the record. ERR_STATE for one that does not exist (-ENOENT) or is damaged (-EBADMSG); delete
 * --force continues without it. *record need not be initialised and is empty on failure.
 */
int state_read(int dir_fd, struct state_record *record, struct err *err) MUST_CHECK;

/*
 * Stores the image of the plan, for exec. state_map_plan returns it as a private read-only mapping that is
 * never unmapped, and its size in *ret_size; NULL if it does not exist or cannot be read.
 */
int state_write_plan(int dir_fd, const void *data, size_t size, struct err *err) MUST_CHECK;
const void *state_map_plan(int dir_fd, size_t *ret_size);

/*
 * The mounts that "mounts add" has made, by their ids (statx(2), STATX_MNT_ID), for "mounts remove". The kernel
 * can give the id of a mount that the container itself has unmounted to another one. state_read_mounts returns
 * an empty list if nothing was stored. The caller holds the lock, and frees the list by state_mounts_done.
 */
struct state_mounts {
	uint64_t *ids;
	size_t count;
};
int state_read_mounts(int dir_fd, struct state_mounts *ret, struct err *err) MUST_CHECK;
int state_write_mounts(int dir_fd, const struct state_mounts *mounts, struct err *err) MUST_CHECK;
void state_mounts_add(struct state_mounts *mounts, uint64_t id);
void state_mounts_drop(struct state_mounts *mounts, uint64_t id);
void state_mounts_done(struct state_mounts *mounts);
#define _cleanup_state_mounts_ __attribute__((cleanup(state_mounts_done)))

/*
 * A cache of files for all containers below the root: <root>/@<cache>/<name>, both plain names. Reading appends
 * at most max bytes to out. It fails (-ENOENT and others) for a file that does not exist, is not a regular
 * file, belongs to another user, or that another user can write to. Writing replaces the file atomically and
 * limits the number of files; its failures are ignored.
 */
int state_cache_read(int root_fd, const char *cache, const char *name, size_t max, struct buf *out) MUST_CHECK;
void state_cache_write(int root_fd, const char *cache, const char *name, const void *data, size_t size);

/* Parses the bytes of a record file, for tests and the fuzzer. */
int state_parse(const char *data, size_t size, struct state_record *record, struct err *err) MUST_CHECK;
void state_format(const struct state_record *record, struct buf *out);

/*
 * Removes <root>/<id>, on which dir_fd is open, and the fixed names in it; opens no descriptor unless there are
 * temporary files. First the directory gets a name that no id can have, so that the id is free at once and an
 * interrupted removal leaves no container; state_list and state_sweep_removed remove such remains. 1, 0 if
 * the directory does not exist, or -errno with *err.
 */
int state_remove(int root_fd, int dir_fd, const char *id, struct err *err) MUST_CHECK;

/* Calls on_id for each container, in ascending order of ids, and removes remains of interrupted removals. */
int state_list(int root_fd, void (*on_id)(void *context, const char *id), void *context,
	       struct err *err) MUST_CHECK;

/* STATE_UNKNOWN is never returned by state_status: "list" shows it if state_status fails. */
enum state_status { STATE_CREATING, STATE_CREATED, STATE_RUNNING, STATE_PAUSED, STATE_STOPPED, STATE_UNKNOWN };
const char *state_status_name(enum state_status status);

/*
 * Determines the container's status now: from /proc whether init is alive (and is the same process), from the
 * cgroup whether it is frozen, from the gate whether init still waits there. Changes nothing. "Stopped" is
 * certain; if the status cannot be determined, that is an error: -EXDEV if the caller is in another pid or time
 * namespace than the creator.
 */
int state_status(int dir_fd, const struct state_record *record, enum state_status *ret_status,
		 struct err *err) MUST_CHECK;

/* Stores pid and start time of this process, the creator. -EXDEV: /proc is that of another pid namespace. */
int state_set_creator(struct state_record *record, struct err *err) MUST_CHECK;

/* Stores the namespaces of this process, the creator, in the record: pids and start times refer to them. */
int state_set_namespaces(struct state_record *record, struct err *err) MUST_CHECK;

/* How the container's program ended, as far as it is known. */
struct state_end {
	bool has_status;
	int status, signal; /* 0-255, 128 + signal if a signal killed it; signal 0: it exited */
	bool has_oom_kills; /* oom_kills is known */
	uint64_t oom_kills; /* the number of processes of the container that the OOM killer has killed */
};

/*
 * Stores *end, for a command that waited for the container's init, and the supervisor. What is not known is
 * stored as unknown. 0 or -errno with *err.
 */
int state_write_end(int dir_fd, const struct state_end *end, struct err *err) MUST_CHECK;

/*
 * Creates the same file without a status, for the watcher of a scope, which only counts OOM kills: it writes
 * STATE_END_KILLS to the beginning of the file each time the number has risen. Returns a descriptor, or -errno
 * with *err.
 */
int state_open_end(int dir_fd, struct err *err) MUST_CHECK;
#define STATE_END_KILLS "- - %llu\n"

/*
 * How a stopped container ended, as far as it is known: from the file of state_write_end, from state_read_exit,
 * from memory.events of its cgroup. pidfd: as there.
 */
void state_read_end(int dir_fd, const struct state_record *record, int pidfd, struct state_end *ret);

/*
 * The status of an init that has exited, as from waitpid(2), for a process that is not its parent: from
 * /proc/PID/stat while init is a zombie, and after that, since Linux 6.15, from a pidfd that was opened before
 * (state_open_pidfd), or -1. Returns whether it is known.
 */
bool state_read_exit(const struct state_record *record, int pidfd, int *ret_status);
/* Sets the status and the signal of *end from a status of waitpid(2). */
void state_end_set(struct state_end *end, int wait_status);

/*
 * A pidfd of init, checked against the recorded start time. -ESRCH, with *err untouched, if init is dead; other
 * failures are -errno with *err, -EXDEV if the caller is in another pid or time namespace than the creator.
 */
int state_open_pidfd(const struct state_record *record, struct err *err) MUST_CHECK;
/* The same for the process that is creating the container; -ESRCH if the creation is complete or it is dead. */
int state_open_creator(const struct state_record *record, struct err *err) MUST_CHECK;

/* The start time of a process (field 22 of /proc/PID/stat); -ESRCH, or another -errno. */
int state_process_start(pid_t pid, uint64_t *ret_start) MUST_CHECK;

/* --- supervised containers --- */

/*
 * Creates the report of a container, empty, and locks it: until the descriptor and its copies are closed, the
 * report is not complete. Returns the descriptor, for reading and writing, or -errno with *err.
 */
int state_create_report(int dir_fd, struct err *err) MUST_CHECK;
/* Opens the report for reading. -ENOENT: the container is not supervised. */
int state_open_report(int dir_fd) MUST_CHECK;
/*
 * Waits until the report is complete, or its supervisor was killed; timeout_ms negative: without a time limit.
 * -EBUSY: the time is over.
 */
int state_await_report(int report_fd, int timeout_ms) MUST_CHECK;
/* Appends the report to out. -ENODATA: the supervisor was killed. */
int state_read_report(int report_fd, struct buf *out) MUST_CHECK;

/*
 * The signals (1-64) that other commands send to the container. state_create_signals returns a descriptor for
 * state_read_signals, which returns the set with bit 1 << (number - 1). state_note_signal adds one; it does
 * nothing if the container has no such file.
 */
int state_create_signals(int dir_fd, struct err *err) MUST_CHECK;
uint64_t state_read_signals(int signals_fd);
void state_note_signal(int dir_fd, int signal);

/* The time of the container's creation, as RFC 3339 with nanoseconds, UTC. The caller frees it. */
char *state_created(const struct state_record *record);

/* The pid to show with a status: that of init, or 0 if the status is "stopped" or unknown. */
pid_t state_shown_pid(const struct state_record *record, enum state_status status);

/*
 * Writes the state document of runtime-spec (runtime.md, "State") as an object, with rootfs, created and owner
 * added. status is from state_status. If end is not NULL, its known values are added as exitStatus, exitSignal
 * and oomKills.
 */
void state_write_json(struct json *json, const struct state_record *record, enum state_status status,
		      const struct state_end *end, const char *owner);

/*
 * A text that distinguishes the container from all others, including those with the same id in another state
 * root or at another time: id and time of creation. It is the value of the cgroup's owner attribute and the
 * description of the systemd unit. The caller frees it.
 */
char *state_identity(const struct state_record *record);

#endif
