/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that the sources of the room share. Private to the room. */
#ifndef TARE_CGROUP_FILE_H
#define TARE_CGROUP_FILE_H

#include <errno.h>

#include <tare/cgroup.h>

/* Whether the errno means that the cgroup does not exist: ENOENT of a path, ENODEV of an open descriptor. */
static inline bool is_gone(int r)
{
	return r == -ENOENT || r == -ENODEV;
}

/* A path of a cgroup, shortened to its first len bytes, relative to the mount; len 0 is the mount itself. */
struct cgroup_path {
	char text[4096];
	size_t len;
};

/* Checks an absolute path and copies it without doubled slashes. -EINVAL for "." and "..", or -ENAMETOOLONG. */
int cgroup_path_init(struct cgroup_path *ret_path, const char *path) MUST_CHECK;
/* Removes the last component and returns it as a string inside path; NULL if there is none. */
const char *cgroup_path_pop(struct cgroup_path *path);
/* Opens the directory of the path with O_DIRECTORY | flags. */
int cgroup_path_open(int mount_fd, const struct cgroup_path *path, int flags) MUST_CHECK;

/* Opens the longest part of the path that exists (O_PATH), and shortens *at to it. */
int cgroup_open_existing(int mount_fd, struct cgroup_path *at) MUST_CHECK;
/* Sets *err for a cgroup that cannot be made; reached is the part of path that exists. Returns r, an -errno. */
int cgroup_create_fail(struct err *err, int r, const char *path, const struct cgroup_path *reached);

/* The part of cgroup_check_entry that concerns the common ancestor. The cgroup itself need not exist. */
int cgroup_check_common(const struct cgroup_place *place, const char *own_path, struct err *err) MUST_CHECK;

/*
 * Whether a new container can use the cgroup: it has no process (not checked if is_new) and is not frozen.
 * ERR_STATE otherwise.
 */
int cgroup_check_fit(int cgroup_fd, const char *path, bool is_new, struct err *err) MUST_CHECK;

/*
 * The number of path components that were made together with the cgroup, from its owner attribute; 0 if no
 * container made it, or -errno.
 */
int cgroup_leftover_depth(int cgroup_fd) MUST_CHECK;

/*
 * The text that, written after a key, removes that key's line from a nested keyed file (cgroup-v2.rst); NULL
 * for any other file.
 */
const char *cgroup_keyed_none(const char *file);

/* owner.c: the value of the owner attribute. */
#define CGROUP_OWNER_MAX 2048

struct cgroup_owner_value {
	char text[CGROUP_OWNER_MAX];
	size_t len;
};
/* 1, 0 if there is no attribute, or -errno. A value that is too long to be tare's is returned as empty. */
int cgroup_owner_read(int cgroup_fd, struct cgroup_owner_value *ret) MUST_CHECK;
int cgroup_owner_write(int cgroup_fd, const struct cgroup_owner_value *value) MUST_CHECK;
/* Removes the attribute. */
void cgroup_owner_clear(int cgroup_fd);

/* Hints why the cgroup does not have the controller. */
void cgroup_hint_no_controller(int cgroup_fd, const char *name, struct err *err);

/* Hints how an unprivileged caller gets a delegated cgroup. */
void cgroup_hint_delegation(struct err *err);
/*
 * ERR_UNSUPPORTED if the caller is not root, and systemd would disable the controller again, and remove the
 * limits with it: it enables in its slices only what its own units need (systemd, CGROUP_DELEGATION).
 */
int cgroup_check_kept(const struct cgroup_place *place, const char *controller, struct err *err) MUST_CHECK;
/*
 * Hints what delegates a controller that an unprivileged caller cannot enable in a cgroup on the way to the
 * place: which unit of systemd, if it is one.
 */
void cgroup_hint_controller(const struct cgroup_place *place, const char *controller, struct err *err);

/* Hints what to do about a write that the kernel has refused with -errno r. Some errors have no hint. */
struct cgroup_refused {
	const char *file, *value;
};
void cgroup_hint_refusal(int cgroup_fd, int r, const struct cgroup_refused *refused, struct err *err);

/* Sleeps; the time doubles with each call, from 100 us to 50 ms. */
struct cgroup_pause {
	unsigned int microseconds;
};
void cgroup_sleep(struct cgroup_pause *pause);

/*
 * resources.c: the number in a file of the cgroup; "max" is CGROUP_NO_LIMIT. -EBADMSG without one, or -errno.
 */
#define CGROUP_NO_LIMIT UINT64_MAX
int cgroup_read_number(int cgroup_fd, const char *file, uint64_t *ret) MUST_CHECK;
/* Opens cgroup.events. */
int cgroup_open_events(int cgroup_fd) MUST_CHECK;
/* Whether cgroup.events has the line "key 1": 1, 0, or -errno. */
int cgroup_read_event(int events_fd, const char *key) MUST_CHECK;
/* The same for a cgroup, if its cgroup.events is not open. */
int cgroup_event_now(int cgroup_fd, const char *key) MUST_CHECK;
/*
 * cgroup_is_populated for a cgroup without cgroup.events: the root of the hierarchy has no such file and always
 * has processes, a cgroup that was removed has none.
 */
int cgroup_is_populated_without_events(int cgroup_fd);
/* Waits until cgroup.events has changed since it was last read (POLLPRI), or ms have passed. */
void cgroup_events_wait(int events_fd, int64_t ms);

/*
 * The pids in the cgroup and in all cgroups below it, unsorted, with duplicates; 0 for a process that is not in
 * this pid namespace. -EBUSY if the walk takes longer than 10 s. The caller frees *ret_pids.
 */
int cgroup_pids_collect(int cgroup_fd, pid_t **ret_pids, size_t *ret_count) MUST_CHECK;

#endif
