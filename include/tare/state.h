/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state: what is remembered of a container between two commands.
 *
 *   <root>/<id>/record   one file: a head of "key value" lines, an empty line, then the container's own copy
 *                        of its config.json. Replaced atomically (temporary name, rename).
 *   <root>/<id>/plan     the container's plan as an image, what exec starts from
 *   <root>/<id>/end      how the program ended, if somebody saw it: "status signal [kills]"
 *   <root>/<id>/gate     the socket at which init waits for "start"
 *   <root>/@NAME/        what is kept to save work and may go at any time: state_cache_*; no id has an "@"
 *   <root>/<id>/notify/  NOTIFY_SOCKET's directory, if there is one
 *
 * <root> is /run/tare, or $XDG_RUNTIME_DIR/tare for users, mode 0700. The directory <root>/<id> itself is
 * locked (flock) by whoever changes the container. All of it runs in the parent or a later command; never
 * opens anything but fixed names below the root, never through a symbolic link.
 */
#ifndef TARE_STATE_H
#define TARE_STATE_H

#include <tare/base.h>

struct state_annotation {
	char *key, *value;
};

/* Strings are owned by the record; state_record_done frees them. */
struct state_record {
	char *id;
	char *bundle; /* absolute */
	char *rootfs; /* absolute */
	char *oci_version;
	char *cgroup_mount; /* "" if the container has no cgroup */
	char *cgroup_path;
	char *unit;                  /* the cgroup is that of this unit of systemd; "" if it is not systemd's */
	bool is_user_unit;           /* of the user's manager */
	char *resctrl_clos;          /* its class of service, "" without one and for the default class */
	char *resctrl_monitor;       /* its monitoring group in that, or "" */
	bool is_resctrl_own;         /* the class goes with the container */
	unsigned int cgroup_created; /* as cgroup_create returned it */
	uint64_t cgroup_inode;       /* of its directory, which no other gets any more; 0: not known */
	pid_t pid;                   /* of init in the host's pid namespace, 0 before it is born */
	uint64_t pid_start;          /* its start time in clock ticks since boot (/proc/PID/stat field 22) */
	pid_t creator;               /* the process that creates the container, while it does */
	uint64_t creator_start;
	uint64_t pid_namespace;  /* inode number of the one that both pids are of; 0: not known */
	uint64_t time_namespace; /* of the one that both start times are of; 0: there are none */
	int64_t created_secs;    /* CLOCK_REALTIME */
	uint32_t created_nanosecs;
	uid_t owner;
	bool has_gate;                    /* create, not run */
	bool has_poststop, has_poststart; /* hooks of the config that a later command has to run */
	bool is_no_new_keyring;           /* its processes have the session keyring of who started them */
	char *keyring;                    /* the name of their own; "": without one, or "_ses." and the id */
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
 * Opens the root directory. path NULL: the default for this user; created with mode 0700 if is_creating.
 * ERR_USAGE for "/" ("Option --root argument should not be set to /"). A missing root that is not created
 * gives -ENOENT without *err being an error to show: callers treat it as "no containers".
 */
int state_open_root(const char *path, bool is_creating, struct err *err) MUST_CHECK;

/* The absolute path of the directory that state_open_root opens, or would create. The caller frees *ret_path.
 */
int state_root_path(const char *path, char **ret_path, struct err *err) MUST_CHECK;

/*
 * Makes <root>/<id> and locks it. ERR_STATE "container with given ID already exists" (-EEXIST), unless what has
 * the id can be swept (state_sweep). Returns the directory's descriptor, whose lock lasts until it and its
 * copies are closed. On failure there is no directory.
 */
int state_create_dir(int root_fd, const char *id, struct err *err) MUST_CHECK;

/*
 * Opens <root>/<id>. ERR_STATE "container does not exist" with the id in the message (-ENOENT).
 * state_lock then waits for the lock up to timeout_ms: ERR_STATE "another command is working on it"
 * (-EBUSY). A wait of 0 tries once.
 */
int state_open_dir(int root_fd, const char *id, struct err *err) MUST_CHECK;
int state_lock(int dir_fd, int timeout_ms, struct err *err) MUST_CHECK;

/* Whether the directory is no container's any more: its id is free, or has another one by now. 1, 0, or -errno.
 */
int state_is_gone(int dir_fd) MUST_CHECK;

/*
 * Removes the directory <root>/<id>, which dir_fd is, if it has no record and no command works on it: its
 * creator was killed before it made anything else. Whether it has done so.
 */
bool state_sweep(int root_fd, int dir_fd, const char *id);
/* Removes what is left of directories whose removal was killed. */
void state_sweep_removed(int root_fd);

int state_write(int dir_fd, const struct state_record *record, struct err *err) MUST_CHECK;
/*
 * Reads and checks the record; a missing or damaged one is ERR_STATE (-ENOENT, -EBADMSG): delete --force
 * goes on without it. *record need not be initialised and is empty on failure.
 */
int state_read(int dir_fd, struct state_record *record, struct err *err) MUST_CHECK;

/*
 * The plan's bytes, for exec. state_map_plan gives them as a private mapping for as long as the process lives,
 * and their number in *ret_size; NULL if there are none.
 */
int state_write_plan(int dir_fd, const void *data, size_t size, struct err *err) MUST_CHECK;
const void *state_map_plan(int dir_fd, size_t *ret_size);

/*
 * Files that save work, of this user and for every container below the root: <root>/@<cache>/<name>, both plain
 * names. Reading appends at most max bytes to out, and fails (-ENOENT and others) for whatever is not there or
 * not surely this user's own: links, other kinds of files, those of others or that others may write to. Writing
 * replaces atomically and keeps the number of files within bounds; that it failed is nobody's loss.
 */
int state_cache_read(int root_fd, const char *cache, const char *name, size_t max, struct buf *out) MUST_CHECK;
void state_cache_write(int root_fd, const char *cache, const char *name, const void *data, size_t size);

/* Parses the bytes of a record file; what state_read and the fuzzer call. */
int state_parse(const char *data, size_t size, struct state_record *record, struct err *err) MUST_CHECK;
void state_format(const struct state_record *record, struct buf *out);

/*
 * Removes <root>/<id>, which dir_fd is, and the fixed names in it; needs no further descriptor. The directory
 * is first renamed to a name that no id can have, so that the id is free at once and a half-done removal is not
 * a container; state_list and state_sweep_removed remove what is left of that. A container that is gone already
 * is a success. 0 or -errno with *err.
 */
int state_remove(int root_fd, int dir_fd, const char *id, struct err *err) MUST_CHECK;

/* Calls on_id for each container, in ascending order of the names, and removes what is no container any more.
 */
int state_list(int root_fd, void (*on_id)(void *context, const char *id), void *context,
	       struct err *err) MUST_CHECK;

/* STATE_UNKNOWN is none that state_status finds, but the word for a list where it has failed. */
enum state_status { STATE_CREATING, STATE_CREATED, STATE_RUNNING, STATE_PAUSED, STATE_STOPPED, STATE_UNKNOWN };
const char *state_status_name(enum state_status status);

/*
 * What the container is doing now: asks /proc whether init lives (and is the same process), the gate whether
 * it still waits there, the cgroup whether it is frozen. Changes nothing. "Stopped" is certain: whatever cannot
 * be told is an error; -EXDEV where another pid or time namespace is the reason.
 */
int state_status(int dir_fd, const struct state_record *record, enum state_status *ret_status,
		 struct err *err) MUST_CHECK;

/* Puts this process's namespaces into the record that it creates; pids and start times are theirs. */
int state_set_namespaces(struct state_record *record, struct err *err) MUST_CHECK;

/* How the container's program ended, as far as it is known. */
struct state_end {
	bool has_status;
	int status, signal; /* 0-255, 128 + signal; signal 0: it ended by itself */
	bool has_oom_kills; /* the cgroup still says so, or whoever waited for the container wrote it down */
	uint64_t oom_kills; /* processes of the container that were killed for want of memory */
};

/* Remembers status, signal and the kills, if they are known; by whoever waited for the container. 0 or -errno
 * with *err. */
int state_write_end(int dir_fd, const struct state_end *end, struct err *err) MUST_CHECK;

/*
 * The same for whoever does not wait, but reads the kills while there is something to read them from: a file
 * that says nothing yet, and what he writes to its beginning (the number, which only ever grows). *err as
 * above.
 */
int state_open_end(int dir_fd, struct err *err) MUST_CHECK;
#define STATE_END_KILLS "- - %llu\n"

/*
 * What is known of a stopped container's end: from what was remembered, from init's /proc/PID/stat while nobody
 * has waited for it, from its cgroup's memory.events.
 */
void state_read_end(int dir_fd, const struct state_record *record, struct state_end *ret);

/*
 * A pidfd of init, checked against the recorded start time. -ESRCH, with *err untouched, if it is dead;
 * otherwise -errno with *err, -EXDEV where another pid or time namespace is the reason.
 */
int state_open_pidfd(const struct state_record *record, struct err *err) MUST_CHECK;
/* The same of the process that is creating the container; -ESRCH once that is done. */
int state_open_creator(const struct state_record *record, struct err *err) MUST_CHECK;

/* The start time of a process (field 22 of /proc/PID/stat); -ESRCH, or another -errno. */
int state_process_start(pid_t pid, uint64_t *ret_start) MUST_CHECK;

/* When the container was created, as RFC 3339 with nanoseconds, UTC. The caller frees. */
char *state_created(const struct state_record *record);

/* The pid that is shown with a status: 0 of a container that has stopped, and where the recorded one says
 * nothing. */
pid_t state_shown_pid(const struct state_record *record, enum state_status status);

/*
 * The state document of the runtime-spec, with rootfs, created and owner added, as an object into json. The
 * status is the caller's to find out; of a stopped one the pid is 0. With end, what it knows is added as
 * exitStatus, exitSignal and oomKills.
 */
void state_write_json(struct json *json, const struct state_record *record, enum state_status status,
		      const struct state_end *end, const char *owner);

/*
 * What tells the container from any other, also from one of the same id: in another state root, or later. For a
 * cgroup's mark and a unit's description. The caller frees it.
 */
char *state_identity(const struct state_record *record);

#endif
