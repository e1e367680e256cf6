/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys: one kernel subject a file. Unless a comment names another process, a function runs in init, allocates no
 * memory, and is [free]: it is linked into the freestanding init. Functions return 0, or a descriptor that the
 * caller owns, or a negative errno; if they have an err parameter, *err then has the error.
 *
 * Targets inside the root file system are always resolved from a descriptor of it (path_open_in_root), never by
 * a path that the kernel resolves from "/".
 */
#ifndef TARE_SYS_H
#define TARE_SYS_H

#include <tare/base.h>
#include <tare/plan.h>

/* Identifies a file and the mount through which a descriptor leads to it: statx(2). */
struct place_identity {
	uint64_t mount, device, inode;
	bool is_mount_root;
};

/* Where init requests a mount that the kernel refuses it: PLAN_WAY_PARENT. */
struct mount_parent {
	/* Returns a detached procfs, which the caller owns. -EPERM: the parent may not make it either. */
	int (*request)(const struct mount_parent *parent, struct err *err);
	int socket_fd, proc_fd;
	uint32_t step; /* index of the step that is being carried out */
};

/* The container's root file system while init builds it. The struct owns its descriptors. */
struct rootfs {
	const struct plan *plan;
	int fd;                /* root directory of the root mount */
	int slot_base;         /* slot n of the plan is descriptor slot_base + n */
	bool is_in_chroot;     /* the root of this process is not that of its mount namespace */
	int null_fd;           /* a copy of the host's /dev/null, for masks of files */
	bool is_null_attached; /* null_fd is part of the container's tree */
	int empty_fd; /* an attached, empty, read-only directory, for masks of directories; -1 until needed */
	bool has_own_mount;
	uint64_t own_mount;            /* id of a mount that bind_check_own has found to be the container's */
	const struct plan_mount *last; /* the mount of the plan that was attached last; or NULL */
	bool has_identity;
	struct place_identity identity; /* of fd, once it was needed */
	struct err warning;             /* the first deviation from the configuration that is not an error */
	unsigned warning_count;
	const struct mount_parent *parent; /* while a mount is made; or NULL */
	uint32_t taken;                    /* PLAN_TOOK_*, for READY */
	int host_cgroup_fd; /* in the host's cgroup2 mount, for the fallback of cgroup mounts; or -1 */
};

/* --- mount.c: mounts as descriptors (open_tree(2), fsopen(2), mount_setattr(2), move_mount(2)) --- */

/*
 * Opens a detached copy of source->path, or of the tree at at_fd if that is not AT_FDCWD, and sets its
 * propagation, attributes and id maps. Runs in the parent or in init.
 */
int mount_open_source(const struct plan *plan, const struct plan_source *source, int at_fd, int slot_base,
		      struct err *err) MUST_CHECK;
/* Opens a detached procfs of the caller's pid namespace, or the caller's /proc if it must not mount. */
int mount_open_proc(struct err *err) MUST_CHECK;
/* Creates one mount of the plan and attaches it to its target, or remounts the target. Before the pivot. */
int mount_attach(struct rootfs *rootfs, const struct plan_mount *mount, struct err *err) MUST_CHECK;
/*
 * mount_new makes the new file system of mount->type; target_fd: the directory that it will cover, or -1 if
 * that was created for it. mount_make does so in the first of mount->ways that the kernel permits. mount_ways.c
 */
int mount_new(const struct rootfs *rootfs, const struct plan_mount *mount, int target_fd,
	      struct err *err) MUST_CHECK;
int mount_make(struct rootfs *rootfs, const struct plan_mount *mount, int target_fd,
	       struct err *err) MUST_CHECK;
/*
 * Makes a link at the target with the text of the link in mount->source_slot. 1, or 0 if the source is no
 * symbolic link. -EEXIST if anything but the same link exists there. mount_link.c
 */
int mount_copy_link(struct rootfs *rootfs, const struct plan_mount *mount, struct err *err) MUST_CHECK;
/* Whether an option or the source is too long for fsconfig(2); mount_by_data is needed then. mount_data.c */
bool mount_has_long_option(const struct plan *plan, const struct plan_mount *mount);
/*
 * Creates a detached file system by mount(2); mode: of a tmpfs, or -1. -E2BIG: the options are longer than
 * mount(2) accepts. Before the pivot.
 */
int mount_by_data(const struct rootfs *rootfs, const struct plan_mount *mount, int mode) MUST_CHECK;
/*
 * A detached tmpfs that is attached over the container's root for the time of a copy: before Linux 6.15
 * open_tree(2) copies parts of attached mounts only. No lookup enters it, because a lookup from the root's
 * descriptor begins below it. mount_stage_enter makes it the working directory. mount_stage_leave must follow,
 * also after a failure: it detaches the tmpfs with all mounts in it and restores the working directory. Before
 * the pivot.
 */
struct mount_stage {
	int cwd_fd;
	bool is_attached;
};
int mount_stage_enter(struct mount_stage *stage, int root_fd, int fd) MUST_CHECK;
int mount_stage_leave(struct mount_stage *stage) MUST_CHECK;
/*
 * Opens the mount at removed->target in a container that exists. ERR_STATE if there is no mount, or not one of
 * removed->ids. mount_remove.c
 */
int mount_find(struct rootfs *rootfs, const struct plan_removed *removed, struct err *err) MUST_CHECK;
/*
 * Unmounts the mount that fd is open on, with all mounts below it, from the mount namespace of this process; no
 * path of the container is looked up. proc_fd: a procfs in which this process is visible, which becomes the
 * working directory. 0 or -errno, -EINVAL if the mount is not in that namespace any more.
 */
int mount_remove(int proc_fd, int fd) MUST_CHECK;
/* Names the component of path, in the root directory root_fd, that is not a directory, if r is -ENOTDIR. */
void mount_hint_file(int root_fd, const char *path, int r, struct err *err);

/* What was refused with -errno r: a copy of the mount at path (open_tree(2)). In the parent or in init. */
struct mount_refused_copy {
	int at_fd; /* with an empty path, or AT_FDCWD */
	const char *path;
	bool is_recursive;
};
void mount_hint_copy(const struct mount_refused_copy *refused, int r, struct err *err);
/* What mount_idmap refused with -errno r. In the parent or in init. */
struct mount_refused_idmap {
	int fd, userns_fd;
	int at_fd;        /* of the mount that fd is a copy of; with an empty path, or negative */
	const char *path; /* NULL for the mount of a new file system */
	bool is_recursive;
};
void mount_hint_idmap(const struct mount_refused_idmap *refused, int r, struct err *err);
/* Adds a hint if fd, of which mount_setattr(2) has refused attributes with -errno r, is no mount point. */
void mount_hint_remount(int fd, int r, struct err *err);

/* Whether a mount on target, in a procfs or sysfs, hides a part of it. [free], and in tare-doctor */
bool mount_hides(const char *target);
/* Adds the hint why the kernel refused a new file system with r, if that can be determined. mount_hints.c */
void mount_hint_new(const char *type, int r, struct err *err);
/* Adds only the hint that the namespace which the file system shows belongs to another user namespace. */
void mount_hint_owner(const char *type, struct err *err);
/* Sets the option "key" or "key=value" of a file system that fsopen(2) opened. */
int mount_set_option(int fs_fd, const char *option) MUST_CHECK;
/* Sets (MOUNT_ATTR_*, MS_* for propagation, 0: unchanged) and clears attributes of the mount at fd. */
int mount_set(int fd, uint64_t set, uint64_t clear, uint64_t propagation, bool is_recursive) MUST_CHECK;
/* Sets the id maps of a user namespace on the detached mount at fd: mount_setattr(2), MOUNT_ATTR_IDMAP. */
int mount_idmap(int fd, int userns_fd, bool is_recursive) MUST_CHECK;
/* Whether fd is in a procfs; false also if fstatfs(2) fails. */
bool mount_is_procfs(int fd);

/* --- chroot.c --- */

/*
 * Makes the mounts of this mount namespace slaves of the host's. If may_be_in_chroot, also those outside of a
 * chroot of the caller: this needs setns(2) and CAP_SYS_CHROOT, and sets rootfs->is_in_chroot if there is a
 * chroot.
 */
int chroot_make_slaves(struct rootfs *rootfs, bool may_be_in_chroot, struct err *err) MUST_CHECK;
/* Hints why setns(2) into a mount namespace, or chroot(2) after it, was refused with r, if that is known. */
void chroot_hint_setns(int r, struct err *err);
/* Sets root and working directory to the root of the mount namespace. */
int chroot_leave(struct err *err) MUST_CHECK;

/* --- mount_pins.c --- */

/* Replaces the mount in the slot by another copy of its source, without the mount namespaces pinned in it. */
int mount_copy_unpinned(struct rootfs *rootfs, int32_t slot, struct err *err) MUST_CHECK;

/* --- rootfs.c --- */

/*
 * Makes all mounts of this namespace slaves, attaches the detached root in root->slot over the directory from
 * which it was copied, and opens what later steps need of the host. Without a mount namespace: only opens the
 * directory. root->path is a path of the host and trusted.
 */
int rootfs_attach(struct rootfs *rootfs, const struct plan_root *root, struct err *err) MUST_CHECK;
/* Covers the root by an overlay of a new tmpfs over it, before anything is mounted in it. rootfs_overlay.c */
int rootfs_overlay(struct rootfs *rootfs, const struct plan_overlay *overlay, struct err *err) MUST_CHECK;
/* pivot_root(2), or move_mount(2) and chroot(2); after it no path leads to the host's tree. */
int rootfs_pivot(struct rootfs *rootfs, const struct plan_root *root, struct err *err) MUST_CHECK;
/*
 * Checks that a file of the container may be created in dir_fd: -EXDEV if one of the plan's bind mounts shows
 * the directory from the host. path is for errors. Before init closes the descriptors of the host.
 */
int bind_check_own(struct rootfs *rootfs, int dir_fd, const char *path, struct err *err) MUST_CHECK;
/* As path_open_parent; creates missing directories only in directories that pass bind_check_own. */
int bind_check_open_own_parent(struct rootfs *rootfs, const char *path, const char **ret_name,
			       struct err *err) MUST_CHECK;
/* Fills *ret for fd, or for the working directory (AT_FDCWD). place.c */
int place_identify(int fd, struct place_identity *ret) MUST_CHECK;
/* Whether it is the container's root directory: no path leads to a mount attached there. 1, 0 or -errno. */
int bind_check_is_root(struct rootfs *rootfs, const struct place_identity *identity) MUST_CHECK;

/* --- host_mounts.c --- */

/*
 * Moves the root file system over the host's root, and unmounts or covers every procfs and sysfs of the host in
 * this mount namespace; an error if one of them can be neither unmounted nor covered. proc_slot: of a procfs in
 * which this process is visible. Sets the root directory and the working directory to the host's root.
 */
int host_mounts_hide(struct rootfs *rootfs, int32_t proc_slot, struct err *err) MUST_CHECK;

/* --- place.c: paths of the container --- */

/* The place of path: it begins in the last attached mount of the plan that has path at or below its target. */
struct path_place place_find(const struct rootfs *rootfs, const char *path);
/* The mount at fd was attached on `identity`: if that is a mount of the plan, fd replaces it for lookups. */
int place_cover(struct rootfs *rootfs, const struct place_identity *identity, int fd) MUST_CHECK;
/* Checks that the targets of the mounts in which later steps look up paths still lead to these mounts. */
int place_verify_mounts(struct rootfs *rootfs, struct err *err) MUST_CHECK;
/* Attaches an empty, read-only directory over the directory target_fd. */
int rootfs_attach_empty(struct rootfs *rootfs, int target_fd) MUST_CHECK;
/* runtime-spec config-linux.md, "Masked Paths" and "Readonly Paths"; a path that does not exist is no error. */
int rootfs_mask(struct rootfs *rootfs, const char *path, struct err *err) MUST_CHECK;
int rootfs_readonly_path(struct rootfs *rootfs, const char *path, struct err *err) MUST_CHECK;
/* Creates, binds or finds a device: runtime-spec config-linux.md, "Devices". Before the pivot. */
int rootfs_device(struct rootfs *rootfs, const struct plan_device *device, struct err *err) MUST_CHECK;
/* Creates a file with the content of the plan. Before the pivot. */
int rootfs_file(struct rootfs *rootfs, const struct plan_file *file, struct err *err) MUST_CHECK;
/* Creates a symbolic link, unless the file that it needs is missing. Before the pivot. */
int rootfs_link(struct rootfs *rootfs, const struct plan_link *link, struct err *err) MUST_CHECK;
/* Copies the contents of from_fd (files, links, directories, modes, owners) into the empty directory to_fd. */
int rootfs_copy_up(int from_fd, int to_fd, struct err *err) MUST_CHECK;

/* --- nodes.c --- */

/* Opens a detached tmpfs for nodes_make. In the parent. */
int nodes_open(const struct plan *plan, struct err *err) MUST_CHECK;
/* Creates a device in the tmpfs fd, with its mode and its owner on the host. In the parent; needs CAP_MKNOD. */
int nodes_make(const struct plan *plan, int fd, const struct plan_device *device, struct err *err) MUST_CHECK;
/* Opens a detached mount of each device in its source_slot; slot: of the tmpfs, which is then detached. */
int nodes_copy(const struct rootfs *rootfs, int32_t slot, struct err *err) MUST_CHECK;

/* --- tty.c --- */

/*
 * Opens a new pseudoterminal (pty(7)) of the container's devpts. Its slave becomes the descriptors 0 to 2, the
 * controlling terminal if is_controlling, and is bound on /dev/console if has_console_file. Returns the master,
 * which the caller owns. After the pivot; in init, or in the bridge of an exec.
 */
int tty_open(struct rootfs *rootfs, const struct plan_step *console, struct err *err) MUST_CHECK;

/* --- user.c --- */

/*
 * Sets the bounding set, the working directory, supplementary groups, ids, and the other four capability sets:
 * credentials(7), capabilities(7). may_fake_success: the seccomp filter in force can make a call return success
 * without an effect, so everything is read back and compared. In init, or in the bridge of an exec.
 */
int user_become(const struct plan *plan, const struct plan_user *user, bool may_fake_success,
		struct err *err) MUST_CHECK;
/* Whether the caller's supplementary groups stay, and none are set. */
static inline bool user_keeps_groups(const struct plan_user *user)
{
	return user->is_setgroups_denied || user->has_callers_groups;
}
/* Sets *err: the call, "name(2)", returned success without an effect. Returns a negative errno. */
int user_faked_success(const char *json_pointer, const char *call, struct err *err);
/* Whether it is known that a capability is not in the effective set of this process. */
bool user_lacks_capability(int capability);
/* Drops all capabilities of this process but that one, from all sets but the bounding set. */
int user_keep_only(int capability) MUST_CHECK;
/* Makes all permitted capabilities ambient, so that the next execve(2) keeps them for any user id. */
int user_keep_capabilities(void) MUST_CHECK;
/* Gives the files at descriptors 0 to 2 to uid, except /dev/null and files that cannot change their owner. */
int user_own_stdio(uint32_t uid, struct err *err) MUST_CHECK;

/* --- exec.c --- */

struct exec_program {
	char path[4096];     /* argument of execve(2) */
	char home[256 + 8];  /* "HOME=..." */
	char listen_pid[24]; /* "LISTEN_PID=..." instead of that of the environment; or "" */
};
/* Finds the program as execvp(3) does, with PATH from the container's environment; fills ret->path. */
int exec_lookup(const struct plan *plan, const struct plan_program *program, struct exec_program *ret,
		struct err *err) MUST_CHECK;
/*
 * Fills ret->home with the home directory of uid from the container's /etc/passwd (passwd(5)), of which it
 * reads at most 1 MiB; "/" if that file does not exist or has no entry. After the pivot.
 */
int exec_home(const struct rootfs *rootfs, uint32_t uid, struct exec_program *ret, struct err *err) MUST_CHECK;
/* Sets *err for execve(2) of path that failed with errnum, and finds out why: interpreter, noexec mount ... */
int exec_explain(const char *name, const char *path, int errnum, struct err *err);

/* --- label.c: AppArmor and SELinux, for init and the bridge --- */

/*
 * Writes the label into the attributes of this process in the procfs of label->slot, so that the next execve(2)
 * of this process or a child changes to it: proc_pid_attr(5). -ENOENT: no such AppArmor profile. A security
 * module that is not enabled is an error, except for the profile "unconfined".
 */
int label_set(const struct rootfs *rootfs, const struct plan_label *label, struct err *err) MUST_CHECK;
/* Sets the SELinux label of a mount's root directory, for file systems without the option context=. */
int label_root_directory(int mount_fd, const char *label, struct err *err) MUST_CHECK;

/* --- filter.c --- */

/*
 * Installs a seccomp filter for this process, which cannot be removed: seccomp(2). Returns the listener's
 * descriptor, or 0 if the filter has none. Makes no other system call after a success: the filter could deny
 * it.
 */
int filter_install(const struct plan *plan, const struct plan_filter *filter, struct err *err) MUST_CHECK;

/* --- process.c: single attributes --- */

/* The steps with an S in the table of steps: each changes the calling process, or a namespace of it. */
#define PROCESS_STEP__(name)
#define PROCESS_STEP_P(name)
#define PROCESS_STEP_C(name)
#define PROCESS_STEP_E(name)
#define PROCESS_STEP_CE(name)
#define PROCESS_STEP_PCE(name)
#define PROCESS_STEP_B(name)
#define PROCESS_STEP_I(name)
#define PROCESS_STEP_M(name)
#define PROCESS_STEP_S(name)                                                                                   \
	int process_##name(const struct plan *plan, const struct plan_step *step, struct err *err) MUST_CHECK;
#define PROCESS_STEP(kind, name, printed, parent, bridge, create, exec, ...)                                   \
	PROCESS_STEP_##parent(name) PROCESS_STEP_##bridge(name) PROCESS_STEP_##create(name)                    \
		PROCESS_STEP_##exec(name)
PLAN_STEPS(PROCESS_STEP)
#undef PROCESS_STEP

/* Opens the file name below /proc/self in the procfs proc_fd. */
int process_open_self(int proc_fd, const char *name, int flags) MUST_CHECK;
/* Sets the value for this process; its children inherit it. proc_pid_oom_score_adj(5). */
int process_set_oom_score(int proc_fd, int64_t value, struct err *err) MUST_CHECK;
/* Of another process, in the parent; pid 0 is the calling process. prlimit(2). */
int process_set_rlimit(pid_t pid, const struct spec_rlimit *rlimit, struct err *err) MUST_CHECK;

/* --- memfd.c; not in the free-standing programs --- */

/*
 * Opens a sealed memfd (memfd_create(2), close-on-exec) with a copy of the data. No process can change it, not
 * through /proc/PID/exe either; and a kernel bug that writes to the page cache of the host's file does not
 * reach it. flags: MFD_EXEC for a program. In the parent.
 */
int memfd_seal_copy(const char *name, const void *data, size_t size, unsigned int flags,
		    struct err *err) MUST_CHECK;

/* --- socket.c; not in the free-standing programs --- */

/* A socket of an engine, and the message that it receives with a descriptor. */
struct socket_target {
	const char *path, *payload;
	int signal_fd; /* of await_signals; or -1 */
};
/* connect(2) to the unix(7) socket at a path of any length. 0 or -errno. In any process that can use /proc. */
int socket_connect(int socket_fd, const char *path) MUST_CHECK;
/*
 * Sends the descriptor fd and the payload; the caller keeps fd. Waits up to 10 seconds for a peer that is busy
 * (-ETIMEDOUT), and until a signal arrives (-EINTR). In the parent.
 */
int socket_send_fd(const struct socket_target *target, int fd, struct err *err) MUST_CHECK;

#endif
