/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys: one kernel subject a file. Everything here runs in init (or, where it says so, in the parent or the
 * bridge), needs no memory but its stack, and is [free]: it is linked into the freestanding init.
 *
 * Targets inside the root file system are always resolved from a descriptor of it (path_open_in_root), never
 * by a path that the kernel follows from "/".
 */
#ifndef TARE_SYS_H
#define TARE_SYS_H

#include <tare/base.h>
#include <tare/plan.h>

/* Where a descriptor is in the container's tree. */
struct rootfs_spot {
	uint64_t mount, device, inode;
	bool is_mount_root;
};

/* The root file system that is being put together. Descriptors are owned by whoever holds the struct. */
struct rootfs {
	const struct plan *plan;
	int fd;                /* the root mount's root */
	int slot_base;         /* slot n of the plan is descriptor slot_base + n */
	int null_fd;           /* a copy of the host's /dev/null, for masks of files */
	bool is_null_attached; /* null_fd is part of the container's tree */
	int empty_fd; /* an attached, empty, read-only directory, for masks of directories; -1 until needed */
	bool has_own_mount;
	uint64_t own_mount;            /* one that bind_check_own has found to be the container's */
	const struct plan_mount *last; /* of the plan's mounts, the one that was attached last; or NULL */
	bool has_spot;
	struct rootfs_spot spot; /* of fd, once it was needed */
	struct err note;         /* the first thing that is not as it was asked for, and need not be an error */
	unsigned note_count;
	int old_cgroup_fd; /* in the host's cgroup2 mount, for the fallback of cgroup mounts; or -1 */
};

/* --- mount.c: mounts as descriptors (open_tree(2), fsopen(2), mount_setattr(2), move_mount(2)) --- */

/* A detached copy of a host tree, or of at_fd's if it is not AT_FDCWD; runs in the parent or in init. A
 * descriptor or -errno. */
int mount_open_source(const struct plan *plan, const struct plan_source *source, int at_fd, int slot_base,
		      struct err *err) MUST_CHECK;
/* A private, detached procfs of the caller's pid namespace; the caller's own /proc where it may mount nothing.
 */
int mount_open_proc(struct err *err) MUST_CHECK;
/* Makes and attaches one mount of the plan. */
int mount_attach(struct rootfs *rootfs, const struct plan_mount *mount, struct err *err) MUST_CHECK;
/* Whether fsconfig(2) cannot take an option or the source; then mount_by_data makes it. mount_data.c */
bool mount_has_long_option(const struct plan *plan, const struct plan_mount *mount);
/* A new, detached file system with its attributes; mode: of a tmpfs, or -1. A descriptor or -errno; E2BIG: the
 * options are longer than mount(2) takes. In init, before the pivot. */
int mount_by_data(const struct rootfs *rootfs, const struct plan_mount *mount, int mode) MUST_CHECK;
/*
 * A detached tmpfs, attached over the container's root while something is copied out of it: nothing is looked
 * up there, as a path from the root's descriptor begins below it. enter makes it the working directory; leave,
 * which has to follow in any case, detaches it with all in it and goes back. In init, before the pivot.
 */
struct mount_stage {
	int cwd_fd;
	bool is_attached;
};
int mount_stage_enter(struct mount_stage *stage, int root_fd, int fd) MUST_CHECK;
int mount_stage_leave(struct mount_stage *stage) MUST_CHECK;
/* Names what stands in the way of a path in the root, for r of -ENOTDIR. Before the pivot. */
void mount_hint_file(const struct rootfs *rootfs, const char *path, int r, struct err *err);

/* Adds to *err why a new file system is refused with r, if that can be told. mount_hints.c */
void mount_hint_new(const char *type, int r, struct err *err);
/* "key" or "key=value" of a file system that fsopen(2) opened. */
int mount_set_option(int fs_fd, const char *option) MUST_CHECK;
/* Attributes and propagation of the mount at fd. */
int mount_set(int fd, uint64_t set, uint64_t clear, uint64_t propagation, bool is_recursive) MUST_CHECK;
/* Gives the detached mount at fd the id maps of a user namespace. 0 or -errno. */
int mount_idmap(int fd, int userns_fd, bool is_recursive) MUST_CHECK;
/* Whether fd leads to a procfs; false also if that cannot be told. */
bool mount_is_procfs(int fd);

/* --- pins.c --- */

/* Puts another copy of the source of slot there, without the pinned mount namespaces in it. In init. */
int mount_copy_unpinned(struct rootfs *rootfs, int32_t slot, struct err *err) MUST_CHECK;

/* --- rootfs.c --- */

/*
 * Makes all mounts of this namespace slaves, attaches the detached root in root->slot over the directory that
 * it was copied from, and keeps what later steps need of the host. Without a mount namespace: opens the
 * directory only. root->path is the host's and trusted.
 */
int rootfs_attach(struct rootfs *rootfs, const struct plan_root *root, struct err *err) MUST_CHECK;
/* pivot_root(2), or move and chroot; afterwards nothing of the host's tree is reachable. */
int rootfs_pivot(struct rootfs *rootfs, const struct plan_root *root, struct err *err) MUST_CHECK;
/*
 * Whether path may be made in a directory of the container: -EXDEV if that came from the host by one of the
 * plan's bind mounts, whatever led there. In init, before its descriptors are let go.
 */
int bind_check_own(struct rootfs *rootfs, int dir_fd, const char *path, struct err *err) MUST_CHECK;
/* The directory that path is to be made in, made itself if it is the container's; as path_open_parent. */
int bind_check_open_own_parent(struct rootfs *rootfs, const char *path, const char **ret_name,
			       struct err *err) MUST_CHECK;
int place_look(int fd, struct rootfs_spot *ret) MUST_CHECK;
/* Whether it is the root directory itself, so that no path leads to what is attached there. 1, 0 or -errno. */
int bind_check_is_root(struct rootfs *rootfs, const struct rootfs_spot *spot) MUST_CHECK;

/* --- host_mounts.c --- */

/*
 * Moves the root file system over the host's root, and unmounts or covers every procfs and sysfs of the host in
 * this mount namespace. proc_slot: of a procfs that knows this process. Leaves "/" and the working directory at
 * the host's root. An error if any of them stays in sight of the kernel.
 */
int host_mounts_hide(struct rootfs *rootfs, int32_t proc_slot, struct err *err) MUST_CHECK;

/* --- place.c: paths of the container --- */

/* path, from the last mount of the plan that is attached and that has it below its target. */
struct path_place place_find(const struct rootfs *rootfs, const char *path);
/* The mount that was attached on spot, at fd, covers what is there: an earlier mount of the plan, perhaps. */
int place_cover(struct rootfs *rootfs, const struct rootfs_spot *spot, int fd) MUST_CHECK;
/* That the targets of the mounts which steps look below still lead to these mounts. */
int place_verify_mounts(struct rootfs *rootfs, struct err *err) MUST_CHECK;
/* An empty, read-only directory over what is at target_fd. */
int rootfs_attach_empty(struct rootfs *rootfs, int target_fd) MUST_CHECK;
int rootfs_mask(struct rootfs *rootfs, const char *path, struct err *err) MUST_CHECK;
int rootfs_readonly_path(struct rootfs *rootfs, const char *path, struct err *err) MUST_CHECK;
int rootfs_device(struct rootfs *rootfs, const struct plan_device *device, struct err *err) MUST_CHECK;
int rootfs_link(struct rootfs *rootfs, const struct plan_link *link, struct err *err) MUST_CHECK;
/* Copies what is below from_fd (files, links, directories, modes, owners) into the empty directory to_fd. */
int rootfs_copy_up(int from_fd, int to_fd, struct err *err) MUST_CHECK;

/* --- nodes.c --- */

/* A detached tmpfs for nodes_make; in the parent. */
int nodes_open(const struct plan *plan, struct err *err) MUST_CHECK;
/* A device with its mode and its owner on the host; in the parent, which needs CAP_MKNOD. */
int nodes_make(const struct plan *plan, int fd, const struct plan_device *device, struct err *err) MUST_CHECK;
/* A detached mount of each into its source_slot; in init. slot: of the tmpfs, which is no more after that. */
int nodes_copy(const struct rootfs *rootfs, int32_t slot, struct err *err) MUST_CHECK;

/* --- tty.c --- */

/*
 * Opens a new pseudoterminal of the container's devpts, makes its slave descriptors 0 to 2 and, if
 * is_controlling, the controlling terminal, and shows it at /dev/console if has_console_file. Returns the
 * master.
 */
int tty_open(struct rootfs *rootfs, const struct plan_step *console, struct err *err) MUST_CHECK;

/* --- user.c --- */

/*
 * Bounding set, supplementary groups, ids, the five capability sets, working directory, in that order.
 * may_fake_success: a seccomp filter in force may let a call seem to succeed that does nothing, so all of it is
 * read back.
 */
int user_become(const struct plan *plan, const struct plan_user *user, bool may_fake_success,
		struct err *err) MUST_CHECK;
/* Whether the supplementary groups are the caller's, and no others are set. */
static inline bool user_keeps_groups(const struct plan_user *user)
{
	return user->is_setgroups_denied || user->has_callers_groups;
}
/* Says that the call, "name(2)", succeeded without an effect; returns a negative errno. */
int user_faked_success(const char *json_pointer, const char *call, struct err *err);
/* All capabilities stay over an execve(2) as an unmapped user: raises the ambient set. Before that execve. */
int user_keep_capabilities(void) MUST_CHECK;
/* Owner of descriptors 0 to 2, other than /dev/null. */
int user_own_stdio(uint32_t uid, struct err *err) MUST_CHECK;

/* --- exec.c --- */

struct exec_program {
	char path[4096];    /* what execve(2) gets */
	char home[256 + 8]; /* "HOME=..." */
};
/* execvp(3)'s search with the PATH of the container's environment; fills *ret. */
int exec_lookup(const struct plan *plan, const struct plan_program *program, struct exec_program *ret,
		struct err *err) MUST_CHECK;
/*
 * Fills ret->home: that of uid in /etc/passwd below the root, which this process has entered; "/" where there
 * is no such file, or it does not say. Reads at most 1 MiB.
 */
int exec_home(const struct rootfs *rootfs, uint32_t uid, struct exec_program *ret, struct err *err) MUST_CHECK;
/* Puts into *err why execve(2) of path failed with errnum: interpreter, architecture, noexec mount ... */
int exec_explain(const char *name, const char *path, int errnum, struct err *err);

/* --- label.c: AppArmor and SELinux, for init and the bridge --- */

/*
 * Writes the label into this process's own attributes in the procfs of its slot, so that the next execve(2),
 * here or in a child, changes to it: proc_pid_attr(5). ENOENT: no such AppArmor profile. A security module that
 * is not enabled is an error, but for the profile "unconfined".
 */
int label_set(const struct rootfs *rootfs, const struct plan_label *label, struct err *err) MUST_CHECK;
/* Of the directory at the root of a mount whose file system takes no context= option. */
int label_root_directory(int mount_fd, const char *label, struct err *err) MUST_CHECK;

/* --- filter.c --- */

/*
 * Installs a seccomp filter for this process, once and for all: seccomp(2). Returns the listener's descriptor,
 * or 0 if the filter has none. Makes no system call behind that one, except for one that failed.
 */
int filter_install(const struct plan *plan, const struct plan_filter *filter, struct err *err) MUST_CHECK;

/* --- process.c: single attributes --- */

int process_set_hostname(const char *name, struct err *err) MUST_CHECK;
int process_set_domainname(const char *name, struct err *err) MUST_CHECK;
int process_set_loopback(struct err *err) MUST_CHECK;
int process_join_keyring(const char *name, struct err *err) MUST_CHECK;
/* mask: of uint64_t words; of no words: every cpu that the cgroup allows. sched_setaffinity(2). */
int process_set_affinity(const struct plan *plan, struct plan_table mask, struct err *err) MUST_CHECK;
int process_set_memory_policy(const struct plan *plan, const struct plan_step *step,
			      struct err *err) MUST_CHECK;
int process_set_personality(uint64_t domain, struct err *err) MUST_CHECK;
/* A file of this process in a procfs, name below /proc/self; a descriptor or -errno. */
int process_open_self(int proc_fd, const char *name, int flags) MUST_CHECK;
/* Of this process, and so of the ones that it makes. proc_pid_oom_score_adj(5). */
int process_set_oom_score(int proc_fd, int64_t value, struct err *err) MUST_CHECK;
int process_write_sysctl(const struct rootfs *rootfs, const struct plan_step *step, struct err *err) MUST_CHECK;
int process_write_time_offsets(int proc_fd, const struct plan_step *step, struct err *err) MUST_CHECK;
/* Of another process, from the parent. */
int process_set_scheduler(pid_t pid, const struct plan_step *step, struct err *err) MUST_CHECK;
int process_set_io_priority(pid_t group, int64_t value, struct err *err) MUST_CHECK;
int process_set_rlimit(pid_t pid, const struct plan_rlimit *rlimit, struct err *err) MUST_CHECK;

/* --- memfd.c; not in the free-standing programs --- */

/*
 * A memfd (close-on-exec) with a copy that nobody can change, not even through /proc/PID/exe or by a kernel bug
 * in the page cache of the host's file. flags: MFD_EXEC for a program.
 */
int memfd_seal_copy(const char *name, const void *data, size_t size, unsigned int flags,
		    struct err *err) MUST_CHECK;

/* --- socket.c; not in the free-standing programs --- */

/* What an engine is told over a socket of its own. */
struct socket_target {
	const char *path, *payload;
	int signal_fd; /* of await_signals; or -1 */
};
/* connect(2) to the local socket at a path of any length, relative to the working directory or absolute. */
int socket_connect(int socket_fd, const char *path) MUST_CHECK;
/* Waits a while for a peer that is busy: -ETIMEDOUT, and -EINTR when a signal ends it. */
int socket_send_fd(const struct socket_target *target, int fd, struct err *err) MUST_CHECK;

#endif
