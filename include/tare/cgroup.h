/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup: the container's cgroup in the v2 hierarchy, wherever that is mounted. All of it runs in the parent
 * (or in a later command), in the host's namespaces. Paths are relative to the cgroup2 mount and begin with
 * "/"; every file is reached by openat2(RESOLVE_BENEATH|NO_SYMLINKS) from a descriptor of the mount.
 */
#ifndef TARE_CGROUP_H
#define TARE_CGROUP_H

#include <tare/base.h>
#include <tare/plan.h>

/* Opens the cgroup2 mount point as a directory and checks that it is one (CGROUP2_SUPER_MAGIC). */
int cgroup_open_mount(const char *mount_point, struct err *err) MUST_CHECK;

/* A cgroup and the way to it. */
struct cgroup_place {
	int mount_fd, fd;
	const char *path;
};

/*
 * Makes the cgroup and what is missing of its parents (0755). *ret_created is the number of trailing
 * components of path that did not exist before: the ones to remove when the container goes. If it exists
 * already it must be empty of processes and not frozen: ERR_STATE "container's cgroup is not empty: N
 * process(es) found" / "container's cgroup unexpectedly frozen". One that an ended container has left, who made
 * it, is made anew: its limits are not the next one's. Returns an O_DIRECTORY descriptor of the
 * cgroup, fit for CLONE_INTO_CGROUP, or a negative errno.
 */
int cgroup_create(int mount_fd, const char *path, unsigned int *ret_created, struct err *err) MUST_CHECK;

/*
 * Whether the caller may have a process be born into the cgroup (cgroups(7), "Cgroups v2 delegation
 * containment"): cgroup.procs of it, and of the nearest cgroup that is above both it and the caller's own, has
 * to be the caller's to write. own_path: of the caller's. -EACCES with *err naming the cgroup.
 */
int cgroup_check_entry(const struct cgroup_place *place, const char *own_path, struct err *err) MUST_CHECK;

/*
 * Whether cgroup_create, and, unless own_path is NULL, cgroup_check_entry would succeed, as far as that can be
 * told without making a cgroup: the same errors. Changes nothing.
 */
int cgroup_check_create(int mount_fd, const char *path, const char *own_path, struct err *err) MUST_CHECK;
/*
 * The same of cgroup_enable, for a cgroup that need not be there: whether the cgroups above it that are there
 * have the controllers, and let the caller hand them down.
 */
int cgroup_check_enable(int mount_fd, const char *path, const struct plan *plan, struct plan_texts controllers,
			struct err *err) MUST_CHECK;

/* How many components at the end of path do not exist. 0 or -errno with *err. */
int cgroup_count_missing(int mount_fd, const char *path, unsigned int *ret_count, struct err *err) MUST_CHECK;

/*
 * Puts down in the cgroup itself whose it is, over what the last owner has put there, and how many components
 * of its path are to be removed with it. owner: a text of up to 2000 bytes that no other container has, now or
 * later.
 */
int cgroup_owner_set(int cgroup_fd, const char *owner, unsigned int created, struct err *err) MUST_CHECK;
/*
 * As cgroup_owner_set, in what cgroup_create has returned. ERR_STATE if somebody has come between: then the
 * mark is as before. Who comes now finds the mark when he looks again: cgroup_owner, once the first process is
 * there.
 */
int cgroup_claim(const struct cgroup_place *place, const char *owner, unsigned int created,
		 struct err *err) MUST_CHECK;

/*
 * For a cgroup that was there before the container: puts down in it what limits and owner it has. -errno with
 * *err if it cannot. What was put down for an earlier container, and never put back, stays.
 */
int cgroup_save_state(int cgroup_fd, struct err *err) MUST_CHECK;
/*
 * The reverse, once it has no process any more: limits and owner as they were then, as far as the kernel takes
 * them, no device rules of tare's, not frozen, no container's. -errno with *err if it cannot be written to.
 */
int cgroup_restore_state(int cgroup_fd, struct err *err) MUST_CHECK;

enum cgroup_owner { CGROUP_OWNER_NONE, CGROUP_OWNER_MATCHES, CGROUP_OWNER_DIFFERS };
/* One of these, or -errno. *ret_created, unless NULL: what the mark says, 0 without one. */
int cgroup_owner_compare(int cgroup_fd, const char *owner, unsigned int *ret_created) MUST_CHECK;
/* The inode number of the cgroup's directory, which the kernel uses once (kernfs). 0 or -errno. */
int cgroup_inode(int cgroup_fd, uint64_t *ret_inode) MUST_CHECK;

/* Opens an existing cgroup; -ENOENT (with *err set) if it is gone. */
int cgroup_open(int mount_fd, const char *path, struct err *err) MUST_CHECK;

/*
 * Puts the rules in force for the cgroup by an eBPF program of type BPF_PROG_TYPE_CGROUP_DEVICE attached
 * with BPF_F_ALLOW_MULTI. Rules are an ordered list as in plan.h, the last rule that matches an access
 * decides; nothing matches: denied. A program that this function attached before is replaced atomically.
 */
int cgroup_devices_set(int cgroup_fd, const struct plan_device_rule *rules, size_t count,
		       struct err *err) MUST_CHECK;
/* Whether the kernel takes the program, which then goes unused. */
int cgroup_devices_check(const struct plan_device_rule *rules, size_t count, struct err *err) MUST_CHECK;
/* Takes that program off; none is a success. An empty list of rules would deny everything. */
int cgroup_devices_clear(int cgroup_fd, struct err *err) MUST_CHECK;

/*
 * Enables controllers for the cgroup: in cgroup.subtree_control of every cgroup above it that does not name
 * them yet, from the mount down. They stay enabled when the cgroup goes. Fails with ERR_UNSUPPORTED if one of
 * them is not there, with ERR_SYSTEM (EBUSY, EACCES, ...) if it cannot be enabled; says which one, and at which
 * level.
 */
int cgroup_enable(const struct cgroup_place *place, const struct plan *plan, struct plan_texts controllers,
		  struct err *err) MUST_CHECK;

/*
 * A cgroup made below a threaded domain can hold no process until it is threaded itself (cgroups(7)). It, and
 * what is between, become that if all the controllers are for threads too, and ERR_UNSUPPORTED says which one
 * is not. No other cgroup is changed.
 */
int cgroup_make_threaded(const struct cgroup_place *place, const struct plan *plan,
			 struct plan_texts controllers, struct err *err) MUST_CHECK;

/* Writes one limit as plan.h tells. Fails with ERR_UNSUPPORTED if there is no such file, else with ERR_SYSTEM.
 */
int cgroup_write(int cgroup_fd, const struct plan *plan, const struct plan_cgroup_write *write,
		 struct err *err) MUST_CHECK;

/* Fails with ERR_STATE if more than the new limit is in use (memory.checkBeforeUpdate); no such file: nothing
 * is. */
int cgroup_check_usage(int cgroup_fd, const struct plan *plan, const struct plan_cgroup_usage *usage,
		       struct err *err) MUST_CHECK;

/* What files of a cgroup have said; cgroup_saved_done frees it. */
struct cgroup_saved_row;
struct cgroup_saved {
	int cgroup_fd; /* the caller's */
	struct cgroup_saved_row *rows;
	size_t count;
};
void cgroup_saved_done(struct cgroup_saved *saved);
#define _cleanup_cgroup_saved_ __attribute__((cleanup(cgroup_saved_done)))

/*
 * Carries out a plan of plan_build_update. When a step fails, what the ones before it have written is put back;
 * *err says where in the document, and its hint names a file that could not be put back. *ret_saved, which
 * refers to the plan's texts, takes back an update that has succeeded: cgroup_rollback.
 */
int cgroup_update(const struct cgroup_place *place, const struct plan *plan, struct cgroup_saved *ret_saved,
		  struct err *err) MUST_CHECK;
/* *err is that of what has failed; its hint becomes the name of a file that could not be put back. */
void cgroup_rollback(const struct cgroup_saved *saved, struct err *err);

/*
 * systemd writes files that it was not asked about, and rounds: keeps all that it could write, and writes again
 * what is another then.
 */
void cgroup_snapshot(int cgroup_fd, struct cgroup_saved *ret_kept);
int cgroup_write_snapshot(const struct cgroup_saved *kept, struct err *err) MUST_CHECK;

/* Makes uid (of the host) the owner of the cgroup and of its files in /sys/kernel/cgroup/delegate (cgroups(7)).
 */
int cgroup_chown(int cgroup_fd, uid_t uid, struct err *err) MUST_CHECK;

/*
 * A count in memory.events or pids.events, of the cgroup and all below it: "oom_kill" are processes that the
 * OOM killer took, "oom" is how often memory could not be had, "max" (of pids) how often a process could not be
 * made. 0 without the controller.
 */
uint64_t cgroup_event_count(int cgroup_fd, const char *file, const char *key);

/*
 * Kills every process of the cgroup and of all below it, frozen ones too (cgroup.kill), and waits up to
 * timeout_ms until cgroup.events says populated 0. -ETIMEDOUT with *err set otherwise.
 */
int cgroup_kill(int cgroup_fd, int timeout_ms, struct err *err) MUST_CHECK;

/* Whether its processes stand still, by its own cgroup.freeze or by one above: 1, 0, or -errno. */
int cgroup_is_frozen(int cgroup_fd) MUST_CHECK;

/*
 * Stops every process of the cgroup and of all below it, or lets them go on (cgroup.freeze), and waits up to
 * timeout_ms until cgroup.events says so. -ETIMEDOUT with *err set otherwise; what could not be frozen in time
 * is thawed again. A cgroup below a frozen one cannot be thawed.
 */
int cgroup_freeze(int cgroup_fd, int timeout_ms, struct err *err) MUST_CHECK;
int cgroup_thaw(int cgroup_fd, int timeout_ms, struct err *err) MUST_CHECK;

/* Whether its processes were asked to stop, have they all done so or not: 1, 0, or -errno. */
int cgroup_is_freezing(int cgroup_fd) MUST_CHECK;

/* Whether any process is in it or below: 1, 0, or -errno. */
int cgroup_is_populated(int cgroup_fd);

/*
 * Removes the cgroup with all that is below it, and then its parents while created > 1 counts them down and
 * they are empty. Lets nobody make more below it from then on (cgroup.max.descendants), which stays so
 * if it cannot be removed. Waits up to 10 s for processes that are dying, and takes 30 s at most: -EBUSY. A
 * cgroup that is gone already is a success.
 */
int cgroup_remove(int mount_fd, const char *path, unsigned int created, struct err *err) MUST_CHECK;

/*
 * The pids in the cgroup and below, threaded ones included, in ascending order; the caller frees *ret_pids.
 * Count or -errno; -EBUSY if there is no end to the cgroups below for 10 s.
 */
int cgroup_pids(int cgroup_fd, pid_t **ret_pids, struct err *err) MUST_CHECK;

/*
 * Lets nobody make a cgroup below it until cgroup_unseal: the file is not among those that go to the owner of a
 * delegated cgroup (cgroups(7)). Where it may not be written, or another process has sealed the cgroup, nothing
 * happens.
 */
struct cgroup_seal {
	int cgroup_fd; /* the caller's */
	char old[24];  /* what cgroup.max.descendants has said; "": nothing to put back */
};
void cgroup_seal(int cgroup_fd, struct cgroup_seal *ret);
void cgroup_unseal(const struct cgroup_seal *seal);

/* Two descriptors that the caller closes by cgroup_watch_close. */
struct cgroup_watch {
	int events_fd;
	int memory_fd;      /* -1 without the memory controller: CGROUP_OOM never comes then */
	uint64_t oom_kills; /* in the cgroup and below, since it was made, as it was read last */
};
int cgroup_watch_open(int cgroup_fd, struct cgroup_watch *ret, struct err *err) MUST_CHECK;
void cgroup_watch_close(struct cgroup_watch *watch);

#define CGROUP_OOM 1        /* processes were killed for want of memory, since the last call or the opening */
#define CGROUP_EMPTY 2      /* it has no process any more, or is gone */
#define CGROUP_COUNT_READ 4 /* oom_kills is no older than the call */
/*
 * What there is to tell by now, any of the three. A caller who waits himself polls both descriptors for POLLPRI
 * and looks then; once the cgroup is gone, they are ready for ever.
 */
int cgroup_watch_read(struct cgroup_watch *watch);
/* Waits up to timeout_ms for CGROUP_OOM, CGROUP_EMPTY or both; 0 when the time is over. */
int cgroup_watch_wait(struct cgroup_watch *watch, int64_t timeout_ms);

/*
 * Writes what the cgroup has used, as the object that "events" calls data: CPU times in ns, memory in bytes, no
 * limit as 2^64-1 (for pids as 0). Files that are not there, since their controller is not, are left out.
 */
struct json;
void cgroup_write_stats(int cgroup_fd, struct json *json);

#endif
