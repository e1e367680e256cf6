/* SPDX-License-Identifier: Apache-2.0 */
/* What the sources of the room share. */
#ifndef TARE_CGROUP_FILE_H
#define TARE_CGROUP_FILE_H

#include <errno.h>

#include <tare/cgroup.h>

/* Whether the errno says that the cgroup is gone: its name (ENOENT), or what a descriptor led to (ENODEV). */
static inline bool is_gone(int r)
{
	return r == -ENOENT || r == -ENODEV;
}

/* A path of a cgroup cut at a component: its first len bytes, relative to the mount ("." for the mount). */
struct cgroup_path {
	char text[4096];
	size_t len;
};

/* Checks an absolute path and copies it without doubled slashes. -EINVAL for "." and "..", -ENAMETOOLONG. */
int cgroup_path_init(struct cgroup_path *ret_path, const char *path) MUST_CHECK;
/* Cuts the last component off, and returns it as a string inside path; NULL if there is none. */
const char *cgroup_path_pop(struct cgroup_path *path);
/* Opens the directory of a path; flags are added to O_DIRECTORY. */
int cgroup_path_open(int mount_fd, const struct cgroup_path *path, int flags) MUST_CHECK;

/* Opens the longest part of the path that exists (O_PATH), and cuts *at to it. */
int cgroup_open_existing(int mount_fd, struct cgroup_path *at) MUST_CHECK;
/* Words why the cgroup of path cannot be made, of which reached is there. Returns r, which is negative. */
int cgroup_create_fail(struct err *err, int r, const char *path, const struct cgroup_path *reached);

/* Of cgroup_check_entry what does not need the cgroup itself, which need not be there. */
int cgroup_check_common(const struct cgroup_place *place, const char *own_path, struct err *err) MUST_CHECK;

/* Whether a container may be put there: nobody else's processes, and nothing that would stop its first one. */
int cgroup_check_fit(int cgroup_fd, const char *path, bool is_new, struct err *err) MUST_CHECK;

/* How many components of its path are to go with a cgroup that a container has made and left; 0: none has;
 * -errno. */
int cgroup_leftover_depth(int cgroup_fd) MUST_CHECK;

/* What takes a line of a nested keyed file away, behind its key (cgroup-v2.rst); NULL for any other file. */
const char *cgroup_keyed_none(const char *file);

/* owner.c: the owner attribute as it stands in the kernel. */
#define CGROUP_OWNER_MAX 2048

struct cgroup_owner_value {
	char text[CGROUP_OWNER_MAX];
	size_t len;
};
/* 1, 0 if there is none, or -errno. A value that is too long for any of ours reads as empty. */
int cgroup_owner_read(int cgroup_fd, struct cgroup_owner_value *ret) MUST_CHECK;
int cgroup_owner_write(int cgroup_fd, const struct cgroup_owner_value *value) MUST_CHECK;
/* Removes the attribute. */
void cgroup_owner_clear(int cgroup_fd);

/* What an unprivileged caller can do about a cgroup that is not his. */
void cgroup_hint_delegation(struct err *err);

/* Says what to do about a write that the kernel has refused with -errno r; none for some. */
struct cgroup_refused {
	const char *file, *value;
};
void cgroup_hint_refusal(int cgroup_fd, int r, const struct cgroup_refused *refused, struct err *err);

/* A pause that doubles with each call, from 100 us to 50 ms. */
struct cgroup_pause {
	unsigned int microseconds;
};
void cgroup_sleep(struct cgroup_pause *pause);

/* watch.c. The value of a line "key number" of the file, now. -EBADMSG if there is no such line, or -errno. */
int cgroup_read_key(int fd, const char *key, uint64_t *ret) MUST_CHECK;
/* cgroup.events, and whether it says "key 1": 1, 0, or -errno. */
int cgroup_open_events(int cgroup_fd) MUST_CHECK;
int cgroup_read_event(int events_fd, const char *key) MUST_CHECK;
/* The same, of a cgroup whose events are not open. */
int cgroup_event_now(int cgroup_fd, const char *key) MUST_CHECK;
/* The root of the hierarchy has no cgroup.events, and always has processes. A cgroup that is gone has none. */
int cgroup_is_populated_without_events(int cgroup_fd);
/* Sleeps until cgroup.events changes (POLLPRI, since the events were read last) or ms have passed. */
void cgroup_events_wait(int events_fd, int64_t ms);

/*
 * Pids in the cgroup and below, unsorted, with those that this pid namespace cannot see as 0. -EBUSY if there
 * is no end to it for 10 s.
 */
int cgroup_pids_collect(int cgroup_fd, pid_t **ret_pids, size_t *ret_count) MUST_CHECK;

#endif
