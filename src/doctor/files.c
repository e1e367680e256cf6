/* SPDX-License-Identifier: Apache-2.0 */
/* The places that a start uses: the root of the mount namespace, the state root, the bundle. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <tare/probe.h>
#include <tare/spec.h>
#include <tare/state.h>
#include <tare/sys.h>

#include "doctor.h"

/* --- the root of the mount namespace --- */

static void add_propagation(struct doctor *doctor)
{
	static const char item[] = "propagation of /";
	const char *name = doctor_mounts_propagation(doctor);

	if (name == NULL)
		doctor_add(doctor, &(struct doctor_result){
					   .verdict = DOCTOR_UNKNOWN,
					   .item = item,
					   .finding = "/ is not in the mount table: this is a chroot",
					   .lost = "this report knows nothing about it",
				   });
	else if (str_equal(name, "private"))
		doctor_limited(
			doctor, item, name,
			"mounts that the host makes later do not appear in volumes with rslave or rshared",
			"mount --make-rshared /");
	else
		doctor_ok(doctor, item, name);
}

/* --- flags --- */

struct place {
	const char *item, *path;
	unsigned long flags; /* ST_* of statvfs(3) */
};

static const char *flags_text(struct doctor *doctor, const struct place *place)
{
	return doctor_text(doctor, "'%s' on %s (%s%s%s%s)", place->path,
			   doctor_mounts_describe(doctor, place->path),
			   (place->flags & ST_RDONLY) != 0 ? "ro" : "rw",
			   (place->flags & ST_NOSUID) != 0 ? ", nosuid" : "",
			   (place->flags & ST_NODEV) != 0 ? ", nodev" : "",
			   (place->flags & ST_NOEXEC) != 0 ? ", noexec" : "");
}

static int read_flags(struct place *place, struct err *err)
{
	_cleanup_fd_ int fd = k_openat(AT_FDCWD, place->path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	struct statvfs fs;

	if (fd < 0 || fstatvfs(fd, &fs) < 0)
		return err_system(err, fd < 0 ? fd : errno, "cannot examine '%.200s'", place->path);
	place->flags = fs.f_flag;
	return 0;
}

/* --- the state root --- */

/* The path, or its nearest parent that exists. */
static const char *nearest_existing(struct doctor *doctor, const char *path)
{
	char *copy = arena_dup(&doctor->arena, path, strlen(path));
	char *slash;

	while (k_faccessat2(AT_FDCWD, copy, 0 /* F_OK */, AT_EACCESS) == -ENOENT &&
	       (slash = strrchr(copy, '/')) != NULL && slash != copy)
		*slash = '\0';
	return copy;
}

/* noexec, nosuid and nodev do not matter here: nothing in it is executed or opened as a device. */
static void add_state_root(struct doctor *doctor)
{
	struct place place = {.item = "state root"};
	_cleanup_free_ char *path = NULL;
	_cleanup_fd_ int fd = -1;
	struct err err;
	int r = state_root_path(doctor->state_root, &path, &err);

	if (r >= 0)
		r = fd = state_open_root(doctor->state_root, false, &err);
	if (r < 0 && (path == NULL || r != -ENOENT)) {
		doctor_broken(doctor, place.item, doctor_error(doctor, &err),
			      err.hint[0] != '\0' ? doctor_hint(doctor, &err)
						  : "name a directory of the caller's own by --root");
		return;
	}
	place.path = nearest_existing(doctor, path);
	r = read_flags(&place, &err);
	if (r >= 0)
		r = k_faccessat2(AT_FDCWD, place.path, W_OK | X_OK, AT_EACCESS);
	if (r < 0) {
		err_system(&err, r, "cannot write to '%.200s', for the state root '%.80s'", place.path, path);
		doctor_broken(doctor, place.item, doctor_error(doctor, &err),
			      "name a directory of the caller's own by --root");
	} else {
		doctor_ok(doctor, place.item,
			  doctor_text(doctor, "%s%s", flags_text(doctor, &place),
				      fd < 0 ? doctor_text(doctor, "; '%s' will be made", path) : ""));
	}
}

/* --- the bundle --- */

/* root.path of the bundle's config.json, or NULL after a line about the reason. */
static const char *read_rootfs(struct doctor *doctor)
{
	const char *config = doctor_text(doctor, "%s/config.json", doctor->bundle);
	_cleanup_spec_ struct spec *spec = NULL;
	_cleanup_buf_ struct buf text = {0};
	struct err err;
	int r = io_read_regular(config, SPEC_SIZE_MAX, &text, &err);

	if (r >= 0)
		r = spec_parse(text.data == NULL ? "" : text.data, text.len, &spec, &err);
	if (r < 0) {
		doctor_broken(doctor, "config.json", doctor_error(doctor, &err),
			      "see tare check, which reports every error in it");
		return NULL;
	}
	if (spec->root.path[0] == '/')
		return doctor_text(doctor, "%s", spec->root.path);
	return doctor_text(doctor, "%s/%s", doctor->bundle, spec->root.path);
}

/* The table of mounts has no line for the mount that is the root of a chroot. */
static const char *remount(struct doctor *doctor, const struct place *place, const char *option)
{
	const char *command = doctor_mounts_remount(doctor, place->path, option);

	return command != NULL ? command
			       : doctor_text(doctor, "outside of this chroot: mount -o remount,%s", option);
}

static void add_readonly(struct doctor *doctor, const struct place *place)
{
	bool is_always = doctor_mounts_is_readonly_type(doctor, place->path);

	doctor_limited(doctor, place->item,
		       is_always ? "its file system is of a type that is read-only"
				 : "its file system is mounted read-only",
		       "containers that write to their root; missing mount points cannot be made",
		       is_always ? "use it as the lower directory of an overlay"
				 : doctor_text(doctor, "%s, or use an overlay", remount(doctor, place, "rw")));
}

static void add_flags(struct doctor *doctor, const struct place *place)
{
	const char *text = flags_text(doctor, place);

	if ((place->flags & ST_NOEXEC) != 0)
		doctor_broken(doctor, place->item, text,
			      doctor_text(doctor, "%s: no program in it can be executed",
					  remount(doctor, place, "exec")));
	else
		doctor_ok(doctor, place->item, text);
	if ((place->flags & ST_NOSUID) != 0)
		doctor_limited(doctor, place->item, "its file system is mounted nosuid",
			       "the rights of set-user-ID programs and file capabilities in the image",
			       remount(doctor, place, "suid"));
	if ((place->flags & ST_NODEV) != 0)
		doctor_limited(doctor, place->item, "its file system is mounted nodev",
			       "device nodes in the image; those of the configuration are in a tmpfs",
			       remount(doctor, place, "dev"));
	if ((place->flags & ST_RDONLY) != 0)
		add_readonly(doctor, place);
}

/* --- id-mapped mounts --- */

struct idmap {
	const char *path;
	int userns_fd;
};

static int mount_mapped(const void *context, struct err *err)
{
	const struct idmap *idmap = context;
	_cleanup_fd_ int fd = k_open_tree(AT_FDCWD, idmap->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	int r = fd < 0 ? fd : mount_idmap(fd, idmap->userns_fd, false);

	if (r >= 0)
		return 0;
	err_system(err, r, "cannot map the ids of '%.200s'", idmap->path);
	if (fd >= 0)
		mount_hint_idmap(
			&(struct mount_refused_idmap){fd, idmap->userns_fd, AT_FDCWD, idmap->path, false}, r,
			err);
	return r;
}

/* A user namespace that maps only the id 0 of the caller's, as 1. */
static int open_mapped_userns(struct err *err)
{
	static const char *const files[] = {"uid_map", "gid_map"};
	int pidfd = -1, fd = -1, r = 0;
	long pid = probe_holder_start(CLONE_NEWUSER, &pidfd);
	char path[48];

	if (pid < 0)
		return err_system(err, (int)pid, "cannot make a user namespace");
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(files); i++) {
		str_format(path, sizeof path, "/proc/%ld/%s", pid, files[i]);
		r = io_write_file(AT_FDCWD, path, "1 0 1\n", 6);
	}
	str_format(path, sizeof path, "/proc/%ld/ns/user", pid);
	if (r >= 0)
		r = fd = k_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	probe_holder_end(pidfd);
	return r < 0 ? err_system(err, r, "cannot map ids in a user namespace") : fd;
}

static void add_idmap(struct doctor *doctor, const char *path)
{
	static const char item[] = "idmapped mounts", lost[] = "idmapped mounts of its file system";
	struct idmap idmap = {path, -1};
	const struct probe_trial trial = {.namespaces = CLONE_NEWNS, .run = mount_mapped, .context = &idmap};
	_cleanup_fd_ int userns_fd = -1;
	struct err err;
	int r;

	if (!doctor->host.is_mounting) {
		doctor_limited(doctor, item, "need root's rights where the file system was mounted", lost,
			       "chown the files to the ids that the container maps");
		return;
	}
	r = idmap.userns_fd = userns_fd = open_mapped_userns(&err);
	if (r >= 0)
		r = probe_try(&trial, &err);
	if (r >= 0)
		doctor_ok(doctor, item, "work on its file system");
	else
		doctor_limited(doctor, item, doctor_error(doctor, &err), lost, doctor_hint(doctor, &err));
}

/* --- overlay --- */

static int set_string(int fd, const char *key, const char *value)
{
	return k_fsconfig(fd, FSCONFIG_SET_STRING, key, value, 0);
}

/* A tmpfs over /dev of this mount namespace only, with the directories upper and work. */
static int mount_upper(void)
{
	struct mount_attr attr = {.propagation = MS_PRIVATE};
	_cleanup_fd_ int fd = -1, mount_fd = -1;
	int r = k_mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr);

	if (r >= 0)
		r = fd = k_fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (r >= 0)
		r = k_fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r >= 0)
		r = mount_fd = k_fsmount(fd, FSMOUNT_CLOEXEC, 0);
	if (r >= 0)
		r = k_move_mount(mount_fd, "", AT_FDCWD, "/dev", MOVE_MOUNT_F_EMPTY_PATH);
	if (r >= 0)
		r = k_mkdirat(mount_fd, "upper", 0755);
	return r < 0 ? r : k_mkdirat(mount_fd, "work", 0755);
}

/* The lower directory is named by its descriptor: its path may have characters that separate directories. */
static int mount_overlay(const void *context, struct err *err)
{
	const char *path = context;
	_cleanup_fd_ int lower_fd = k_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	_cleanup_fd_ int fd = -1, mount_fd = -1;
	char lower[32];
	int r = lower_fd < 0 ? lower_fd : mount_upper();

	str_format(lower, sizeof lower, "/proc/self/fd/%d", lower_fd);
	if (r >= 0)
		r = fd = k_fsopen("overlay", FSOPEN_CLOEXEC);
	if (r >= 0)
		r = set_string(fd, "lowerdir", lower);
	if (r >= 0)
		r = set_string(fd, "upperdir", "/dev/upper");
	if (r >= 0)
		r = set_string(fd, "workdir", "/dev/work");
	if (r >= 0)
		r = k_fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r >= 0)
		r = mount_fd = k_fsmount(fd, FSMOUNT_CLOEXEC, 0);
	return r < 0 ? err_system(err, r, "cannot mount an overlay over '%.200s'", path) : 0;
}

static void add_overlay(struct doctor *doctor, const char *path)
{
	const struct probe_trial trial = {
		.namespaces = CLONE_NEWNS | (doctor->host.is_mounting ? 0 : CLONE_NEWUSER),
		.run = mount_overlay,
		.context = path,
	};
	struct err err;
	int r = probe_try(&trial, &err);

	if (r >= 0)
		doctor_ok(doctor, "overlay", "works over it, with its upper directory in a tmpfs");
	else
		doctor_limited(doctor, "overlay", doctor_error(doctor, &err), "overlay mounts over it",
			       r == -ENODEV ? "modprobe overlay, or boot a kernel with CONFIG_OVERLAY_FS"
					    : doctor_hint(doctor, &err));
}

static void add_bundle(struct doctor *doctor)
{
	struct place place = {.item = "root file system", .path = read_rootfs(doctor)};
	struct err err;

	if (place.path == NULL)
		return;
	if (read_flags(&place, &err) < 0) {
		doctor_broken(doctor, place.item, doctor_error(doctor, &err),
			      "root.path must be a directory with the container's files, such as an unpacked "
			      "image");
		return;
	}
	if (k_faccessat2(AT_FDCWD, place.path, R_OK | X_OK, AT_EACCESS) < 0)
		doctor_broken(doctor, place.item,
			      doctor_text(doctor, "'%s' may not be read by the caller", place.path),
			      "chmod o+rx it and the directories above it, or chown it to the caller");
	else
		add_flags(doctor, &place);
	add_idmap(doctor, place.path);
	add_overlay(doctor, place.path);
}

void doctor_files(struct doctor *doctor)
{
	struct err err;

	if (doctor_mounts_open(doctor, &err) < 0) {
		doctor_add_unknown(doctor, "mount table", &err);
		return;
	}
	add_propagation(doctor);
	add_state_root(doctor);
	if (doctor->bundle != NULL)
		add_bundle(doctor);
}
