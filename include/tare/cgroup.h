/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup: the container's cgroup in the v2 hierarchy, wherever that is mounted. All functions run in the parent
 * or in a later command, in the host's namespaces; cgroup_watch_read also runs in the watcher of a scope. Paths
 * are relative to the cgroup2 mount and begin with "/". Every file is opened below a descriptor of the mount
 * or of the cgroup, and symbolic links are not followed. The files are described in cgroup-v2.rst of the
 * kernel's documentation.
 */
#ifndef TARE_CGROUP_H
#define TARE_CGROUP_H

#include <tare/base.h>
#include <tare/plan.h>

/*
 * Opens the cgroup2 mount point as a directory (O_PATH). ERR_UNSUPPORTED if it is another file system (f_type
 * is not CGROUP2_SUPER_MAGIC).
 */
int cgroup_open_mount(const char *mount_point, struct err *err) MUST_CHECK;

/* An open cgroup, its path, and the mount that the path is relative to. The caller owns all three. */
struct cgroup_place {
	int mount_fd, fd;
	const char *path;
};

/*
 * Makes the cgroup and those of its parents that are missing, each with mode 0755. *ret_created is the number
 * of trailing components of path that this call made: these are removed together with the container. 0: the
 * cgroup existed. An existing cgroup must have no process and must not be frozen: ERR_STATE "container's cgroup
 * is not empty: N process(es) found" or "container's cgroup unexpectedly frozen". An empty cgroup that was made
 * for an earlier container is removed and made again, so that the earlier container's limits do not apply to
 * the new one; *ret_created is then at least the number that the earlier container had. Returns an O_DIRECTORY
 * descriptor of the cgroup that CLONE_INTO_CGROUP accepts, or -errno with *err.
 */
int cgroup_create(int mount_fd, const char *path, unsigned int *ret_created, struct err *err) MUST_CHECK;

/*
 * Whether the kernel allows an unprivileged caller to start a process in the cgroup (cgroups(7), "Cgroups v2
 * delegation containment"): the caller must have write access to cgroup.procs of this cgroup and of the nearest
 * common ancestor of this cgroup and the caller's, own_path. Otherwise -EACCES; *err names the cgroup.
 */
int cgroup_check_entry(const struct cgroup_place *place, const char *own_path, struct err *err) MUST_CHECK;

/*
 * Whether cgroup_create and, unless own_path is NULL, cgroup_check_entry would succeed, as far as this can be
 * determined without making a cgroup. Fails with their errors. Changes nothing.
 */
int cgroup_check_create(int mount_fd, const char *path, const char *own_path, struct err *err) MUST_CHECK;
/* Whether the root of the hierarchy has the controller. */
int cgroup_check_known(int mount_fd, const char *controller, struct err *err) MUST_CHECK;
/*
 * Whether cgroup_enable would succeed, for a cgroup that may not exist yet: whether its existing ancestors have
 * the controllers, and the caller may write them to cgroup.subtree_control. Changes nothing.
 */
int cgroup_check_enable(int mount_fd, const char *path, const struct plan *plan, struct plan_texts controllers,
			struct err *err) MUST_CHECK;

/* The same for one controller. */
int cgroup_check_controller(int mount_fd, const char *path, const char *controller, struct err *err) MUST_CHECK;

/* The number of trailing components of path that do not exist. 0, or -errno with *err. */
int cgroup_count_missing(int mount_fd, const char *path, unsigned int *ret_count, struct err *err) MUST_CHECK;

/*
 * Sets the owner attribute, an extended attribute of the cgroup that names its container, and replaces an
 * existing one. owner: a text of at most 2000 bytes that is unique to the container, see state_identity.
 * created: from cgroup_create, stored in the attribute.
 */
int cgroup_owner_set(int cgroup_fd, const char *owner, unsigned int created, struct err *err) MUST_CHECK;
/*
 * Sets the owner attribute of a cgroup that cgroup_create has returned, then repeats the checks of
 * cgroup_create. If one fails (ERR_STATE), the previous attribute is restored. Another creator may still claim
 * the cgroup after that: call cgroup_owner_compare once the first process is in the cgroup. From then on, other
 * creators find the cgroup not empty.
 */
int cgroup_claim(const struct cgroup_place *place, const char *owner, unsigned int created,
		 struct err *err) MUST_CHECK;

/*
 * For a cgroup that existed before the container: stores its limits and the uid of its owner in an extended
 * attribute of the cgroup. -errno with *err on failure. If the attribute exists, it was stored for an earlier
 * container and never restored; it is kept.
 */
int cgroup_save_state(int cgroup_fd, struct err *err) MUST_CHECK;
/*
 * Restores the state that cgroup_save_state has stored, once the cgroup has no process: limits and owner, as
 * far as the kernel still accepts the values. Also detaches tare's device program, thaws the cgroup, and
 * removes both attributes. -errno with *err if the cgroup's files cannot be written; the attributes stay then.
 */
int cgroup_restore_state(int cgroup_fd, struct err *err) MUST_CHECK;

/* The result of a comparison with the owner attribute. */
enum cgroup_owner { CGROUP_OWNER_NONE, CGROUP_OWNER_MATCHES, CGROUP_OWNER_DIFFERS };
/*
 * Compares owner with the owner attribute: an enum cgroup_owner, or -errno. *ret_created, unless NULL, is the
 * number that the attribute stores, 0 if there is no attribute.
 */
int cgroup_owner_compare(int cgroup_fd, const char *owner, unsigned int *ret_created) MUST_CHECK;
/* The inode number of the cgroup's directory, which cgroup2 (kernfs) never gives to another. 0 or -errno. */
int cgroup_inode(int cgroup_fd, uint64_t *ret_inode) MUST_CHECK;

/* Opens an existing cgroup; -ENOENT, with *err set, if it does not exist. */
int cgroup_open(int mount_fd, const char *path, struct err *err) MUST_CHECK;

/*
 * Enforces the rules by a program of type BPF_PROG_TYPE_CGROUP_DEVICE, attached to the cgroup with
 * BPF_F_ALLOW_MULTI. Rules are an ordered list as described in plan.h: for each kind of access the last rule
 * that matches decides, and without a matching rule the access is denied. A program that this function attached
 * earlier is replaced atomically. Needs CAP_BPF and CAP_NET_ADMIN in the initial user namespace.
 */
int cgroup_devices_set(int cgroup_fd, const struct spec_device_rule *rules, size_t count,
		       struct err *err) MUST_CHECK;
/* Whether the kernel accepts the program of these rules: loads it, attaches nothing. */
int cgroup_devices_check(const struct spec_device_rule *rules, size_t count, struct err *err) MUST_CHECK;
/* Detaches that program, so that all devices are allowed. Succeeds if there is none. */
int cgroup_devices_clear(int cgroup_fd, struct err *err) MUST_CHECK;

/*
 * Enables controllers for the cgroup: adds them to cgroup.subtree_control of each of its ancestors, from the
 * mount down, where they are missing. They stay enabled when the cgroup is removed. ERR_UNSUPPORTED if an
 * ancestor does not have a controller, ERR_SYSTEM (EBUSY, EACCES, ...) if it cannot be enabled; *err names the
 * controller and the ancestor.
 */
int cgroup_enable(const struct cgroup_place *place, const struct plan *plan, struct plan_texts controllers,
		  struct err *err) MUST_CHECK;

/*
 * Makes the cgroup threaded if it needs that. A cgroup below a threaded domain is of type "domain invalid" and
 * can hold no process until it is threaded (cgroups(7), "Thread mode"). The cgroup and those of its ancestors
 * that are "domain invalid" become threaded; no other cgroup is changed. ERR_UNSUPPORTED names a controller
 * that a threaded cgroup cannot have.
 */
int cgroup_make_threaded(const struct cgroup_place *place, const struct plan *plan,
			 struct plan_texts controllers, struct err *err) MUST_CHECK;

/*
 * Writes one limit, or its other_file; the flags of struct plan_cgroup_write (plan.h) decide which failures
 * count. ERR_UNSUPPORTED if the file is missing, otherwise ERR_SYSTEM.
 */
int cgroup_write(int cgroup_fd, const struct plan *plan, const struct plan_cgroup_write *write,
		 struct err *err) MUST_CHECK;

/*
 * ERR_STATE if more than the new limit is in use (memory.checkBeforeUpdate of runtime-spec). If the file does
 * not exist, nothing is in use.
 */
int cgroup_check_usage(int cgroup_fd, const struct plan *plan, const struct plan_cgroup_usage *usage,
		       struct err *err) MUST_CHECK;

/* Contents of files of a cgroup, as they were read; cgroup_saved_done frees them. */
struct cgroup_saved_row;
struct cgroup_saved {
	int cgroup_fd; /* owned by the caller */
	struct cgroup_saved_row *rows;
	size_t count;
};
void cgroup_saved_done(struct cgroup_saved *saved);
#define _cleanup_cgroup_saved_ __attribute__((cleanup(cgroup_saved_done)))

/*
 * Carries out a plan of plan_build_update. If a step fails, the files that earlier steps wrote get their old
 * values again; *err has the JSON pointer of the failed limit, and its hint names a file if its old value could
 * not be written. *ret_saved holds the old values, for a cgroup_rollback after a success; it refers to texts of
 * the plan and must not outlive it.
 */
int cgroup_update(const struct cgroup_place *place, const struct plan *plan, struct cgroup_saved *ret_saved,
		  struct err *err) MUST_CHECK;
/*
 * Writes the saved values back. *err is the error that made this necessary; a file that cannot be written is
 * added to it as a hint.
 */
void cgroup_rollback(const struct cgroup_saved *saved, struct err *err);

/*
 * systemd also writes files of properties that were not set, and rounds values. cgroup_snapshot saves all files
 * that systemd could write; cgroup_write_snapshot writes back those that have changed since.
 */
void cgroup_snapshot(int cgroup_fd, struct cgroup_saved *ret_kept);
int cgroup_write_snapshot(const struct cgroup_saved *kept, struct err *err) MUST_CHECK;

/*
 * Makes uid, a uid of the host, the owner of the cgroup's directory and of those of its files that
 * /sys/kernel/cgroup/delegate lists (cgroups(7); runtime-spec config-linux.md, "Cgroup ownership").
 */
int cgroup_chown(int cgroup_fd, uid_t uid, struct err *err) MUST_CHECK;

/*
 * A counter of memory.events or pids.events, for the cgroup and all cgroups below it. "oom_kill" counts
 * processes that the OOM killer killed, "max" how often the limit was reached; "max" of pids.events counts
 * forks that failed at the limit. 0 if the file or the counter does not exist.
 */
uint64_t cgroup_event_count(int cgroup_fd, const char *file, const char *key);

/*
 * Whether the cgroup or one above it has as many processes and threads as its pids.max allows. If so,
 * *ret_max is that limit and ret_path the absolute path of the cgroup's directory.
 */
bool cgroup_find_full(int cgroup_fd, uint64_t *ret_max, char *ret_path, size_t size);
/* The same for memory.max of the cgroup itself. False if it has no such limit. */
bool cgroup_find_memory_max(int cgroup_fd, uint64_t *ret_max, char *ret_path, size_t size);

/*
 * Kills all processes of the cgroup and of all cgroups below it, including frozen ones (cgroup.kill), and waits
 * up to timeout_ms until cgroup.events reads "populated 0". -ETIMEDOUT, with *err set, if that takes longer.
 */
int cgroup_kill(int cgroup_fd, int timeout_ms, struct err *err) MUST_CHECK;

/* Whether all its processes are stopped, by its own cgroup.freeze or by an ancestor's: 1, 0, or -errno. */
int cgroup_is_frozen(int cgroup_fd) MUST_CHECK;

/*
 * Stops or continues all processes of the cgroup and of all cgroups below it (cgroup.freeze), and waits up to
 * timeout_ms until cgroup.events confirms it; otherwise -ETIMEDOUT with *err. If cgroup_freeze fails, it thaws
 * the cgroup again. A cgroup below a frozen one cannot be thawed.
 */
int cgroup_freeze(int cgroup_fd, int timeout_ms, struct err *err) MUST_CHECK;
int cgroup_thaw(int cgroup_fd, int timeout_ms, struct err *err) MUST_CHECK;

/* Whether cgroup.freeze is 1, even if not all processes have stopped yet: 1, 0, or -errno. */
int cgroup_is_freezing(int cgroup_fd) MUST_CHECK;

/* Whether the cgroup, or a cgroup below it, has a process: 1, 0, or -errno. */
int cgroup_is_populated(int cgroup_fd);

/*
 * Removes the cgroup and all cgroups below it, then up to created - 1 of its parents, as long as they are
 * empty: created is how many cgroups of the path tare made, this one included. If the cgroup is not empty,
 * tries to set its cgroup.max.descendants to 0, so that no process makes more cgroups below it; if the cgroup
 * cannot be removed, that value stays. -EBUSY if it still has processes after 10 s, or the removal takes longer
 * than 30 s in all. Succeeds if the cgroup does not exist.
 */
int cgroup_remove(int mount_fd, const char *path, unsigned int created, struct err *err) MUST_CHECK;

/*
 * The pids in the cgroup and in all cgroups below it, threaded ones included, in ascending order; the caller
 * frees *ret_pids. Returns their number or -errno. -EBUSY if the list of cgroups has not ended after 10 s,
 * -EXDEV if a process is not visible in this pid namespace.
 */
int cgroup_pids(int cgroup_fd, pid_t **ret_pids, struct err *err) MUST_CHECK;

/*
 * Prevents all processes from making a cgroup below this one, until cgroup_unseal: sets cgroup.max.descendants
 * to 0, a file that the owner of a delegated cgroup cannot write (cgroups(7)). Does nothing if the file cannot
 * be written, or is 0 already, for example because another process has sealed the cgroup.
 */
struct cgroup_seal {
	int cgroup_fd; /* owned by the caller */
	char old[24];  /* the previous value of cgroup.max.descendants; "": do not restore it */
};
void cgroup_seal(int cgroup_fd, struct cgroup_seal *ret);
void cgroup_unseal(const struct cgroup_seal *seal);

/* Two descriptors; cgroup_watch_close closes them. */
struct cgroup_watch {
	int events_fd; /* cgroup.events */
	int memory_fd; /* memory.events; -1 without the memory controller: CGROUP_OOM is never reported then */
	uint64_t oom_kills; /* the last value of oom_kill, which counts from the creation of the cgroup */
};
int cgroup_watch_open(int cgroup_fd, struct cgroup_watch *ret, struct err *err) MUST_CHECK;
void cgroup_watch_close(struct cgroup_watch *watch);

#define CGROUP_OOM 1        /* oom_kills has risen since the last call, or since cgroup_watch_open */
#define CGROUP_EMPTY 2      /* the cgroup has no process, or does not exist */
#define CGROUP_COUNT_READ 4 /* oom_kills was read during this call */
/*
 * Reads both files without waiting. Returns a set of the three flags above, or -errno. A caller that waits by
 * itself polls both descriptors for POLLPRI and then calls this; once the cgroup is removed, they are always
 * ready.
 */
int cgroup_watch_read(struct cgroup_watch *watch);
/* Waits up to timeout_ms. Returns CGROUP_OOM, CGROUP_EMPTY, both, 0 when the time is over, or -errno. */
int cgroup_watch_wait(struct cgroup_watch *watch, int64_t timeout_ms);

/*
 * Writes the resource usage of the cgroup as an object, the member "data" of a line of "events": CPU times in
 * ns, memory in bytes, "no limit" as 2^64-1 (for pids as 0). Values without a file, because their
 * controller is not enabled, are omitted.
 */
struct json;
void cgroup_write_stats(int cgroup_fd, struct json *json);

/* --- what its processes have used, as numbers --- */

/*
 * The open files of a cgroup's counters; -1 for those that do not exist. systemd removes the cgroup of a scope
 * as soon as that is empty, so a reader of the last values has to open them before.
 */
enum cgroup_counter {
	CGROUP_CPU_STAT,
	CGROUP_MEMORY_PEAK,
	CGROUP_MEMORY_MAX,
	CGROUP_MEMORY_EVENTS,
	CGROUP_MEMORY_SWAP_PEAK,
	CGROUP_PIDS_PEAK,
	CGROUP_PIDS_MAX,
	CGROUP_PIDS_EVENTS,
	CGROUP_IO_STAT,
	CGROUP_CPU_PRESSURE,
	CGROUP_MEMORY_PRESSURE,
	CGROUP_IO_PRESSURE,
	CGROUP_COUNTERS,
};
struct cgroup_counters {
	int fds[CGROUP_COUNTERS];
};
void cgroup_counters_init(struct cgroup_counters *counters); /* all closed */
/* The CPU time alone, for a limit of it: -errno if it cannot be read. */
int cgroup_counters_open_cpu(int cgroup_fd, struct cgroup_counters *counters) MUST_CHECK;
/* All that are not open yet. Those that cannot be opened are absent. */
void cgroup_counters_open(int cgroup_fd, struct cgroup_counters *counters);
void cgroup_counters_close(struct cgroup_counters *counters);

/* A number that this kernel or this cgroup does not have, and "max" of a limit. */
#define CGROUP_ABSENT UINT64_MAX

/* Times in us, sizes in bytes. They include the cgroups below. */
struct cgroup_usage {
	struct {
		uint64_t total, user, system, throttled;
	} cpu;
	struct {
		uint64_t peak, limit, swap_peak;
		uint64_t oom_kills;
		uint64_t own_ooms; /* OOM by a limit of this cgroup or one below, and not of an ancestor */
	} memory;
	struct {
		uint64_t peak, limit, limit_hits;
	} pids;
	struct {
		uint64_t read, written;
	} io;
	struct cgroup_pressure {
		uint64_t some, full; /* total time (psi.rst) */
	} cpu_pressure, memory_pressure, io_pressure;
};
void cgroup_read_usage(const struct cgroup_counters *counters, struct cgroup_usage *ret);
/* cpu.total alone. */
uint64_t cgroup_read_cpu_time(const struct cgroup_counters *counters);
/*
 * Removes from *usage what was used before, when *before was read, for a cgroup that is older than the
 * container. Peaks become absent, because the kernel keeps them for the life of the cgroup.
 */
void cgroup_usage_subtract(struct cgroup_usage *usage, const struct cgroup_usage *before);

#endif
