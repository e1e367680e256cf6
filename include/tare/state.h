/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state: the files that store a container's state between two commands.
 *
 *   <root>/<id>/record   the record: a head of "key value" lines, an empty line, then a copy of the container's
 *                        config.json. Replaced atomically (temporary name, rename).
 *   <root>/<id>/plan     the image of the container's plan, from which exec builds its own plan
 *   <root>/<id>/end      exit status, signal and OOM kills of the program, if a command waited for it or a
 *                        watcher counted: "status signal [kills]"
 *   <root>/<id>/gate     the socket at which init waits for "start"
 *   <root>/<id>/notify/  the directory of NOTIFY_SOCKET, if it is used
 *   <root>/@NAME/        a cache (state_cache_*), which may be removed at any time; no id contains an "@"
 *
 * <root> is /run/tare, or $XDG_RUNTIME_DIR/tare for unprivileged users, mode 0700. A command that changes a
 * container holds a lock (flock(2)) on the directory <root>/<id>. All functions run in the parent or in a later
 * command. They open only fixed names below the root and follow no symbolic link there.
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
	struct state_annotation *annotations;
	size_t annotation_count;
	char *config; /* config.json's text */
	size_t config_len;
};
void state_record_done(struct state_record *record);
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
 * than root, or that another user can write to.
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
 * interrupted removal leaves no container; state_list and state_sweep_removed remove such remains. Succeeds if
 * the directory does not exist. 0 or -errno with *err.
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

/* Stores *end, for a command that waited for the container's init. 0 or -errno with *err. */
int state_write_end(int dir_fd, const struct state_end *end, struct err *err) MUST_CHECK;

/*
 * Creates the same file without a status, for the watcher of a scope, which only counts OOM kills: it writes
 * STATE_END_KILLS to the beginning of the file each time the number has risen. Returns a descriptor, or -errno
 * with *err.
 */
int state_open_end(int dir_fd, struct err *err) MUST_CHECK;
#define STATE_END_KILLS "- - %llu\n"

/*
 * How a stopped container ended, as far as it is known: from the file of state_write_end, from /proc/PID/stat
 * while init is a zombie, from memory.events of its cgroup.
 */
void state_read_end(int dir_fd, const struct state_record *record, struct state_end *ret);

/*
 * A pidfd of init, checked against the recorded start time. -ESRCH, with *err untouched, if init is dead; other
 * failures are -errno with *err, -EXDEV if the caller is in another pid or time namespace than the creator.
 */
int state_open_pidfd(const struct state_record *record, struct err *err) MUST_CHECK;
/* The same for the process that is creating the container; -ESRCH if the creation is complete or it is dead. */
int state_open_creator(const struct state_record *record, struct err *err) MUST_CHECK;

/* The start time of a process (field 22 of /proc/PID/stat); -ESRCH, or another -errno. */
int state_process_start(pid_t pid, uint64_t *ret_start) MUST_CHECK;

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
