/* SPDX-License-Identifier: Apache-2.0 */
/* Mount tables, read with libmount. */
#include <errno.h>
#include <libmount/libmount.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <tare/sys.h>

#include "doctor.h"

int doctor_mounts_open(struct doctor *doctor, struct err *err)
{
	if (doctor->mounts != NULL)
		return 0;
	errno = 0;
	doctor->mounts = mnt_new_table_from_file("/proc/self/mountinfo");
	if (doctor->mounts == NULL)
		return err_system(err, errno == 0 ? EIO : errno, "cannot read /proc/self/mountinfo");
	return 0;
}

void doctor_mounts_close(struct doctor *doctor)
{
	mnt_unref_table(doctor->mounts);
	doctor->mounts = NULL;
}

/* A later mount may cover an earlier one: examines the file system that is visible at the path. */
static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return k_statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

const char *doctor_mounts_cgroup2(const struct doctor *doctor)
{
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs = NULL;
	const char *found = NULL;

	while (iter != NULL && found == NULL && mnt_table_next_fs(doctor->mounts, iter, &fs) == 0)
		if (str_equal(mnt_fs_get_fstype(fs), "cgroup2") && is_cgroup2(mnt_fs_get_target(fs)))
			found = mnt_fs_get_target(fs);
	mnt_free_iter(iter);
	return found;
}

/* The mount that path is on: a later one may cover an earlier one, so the search goes backwards. */
static struct libmnt_fs *find_mount(const struct doctor *doctor, const char *path)
{
	_cleanup_free_ char *target = doctor->mounts == NULL ? NULL : mnt_get_mountpoint(path);

	return target == NULL ? NULL : mnt_table_find_target(doctor->mounts, target, MNT_ITER_BACKWARD);
}

const char *doctor_mounts_remount(struct doctor *doctor, const char *path, const char *option)
{
	struct libmnt_fs *fs = find_mount(doctor, path);

	return fs == NULL ? NULL : doctor_text(doctor, "mount -o remount,%s %s", option, mnt_fs_get_target(fs));
}

bool doctor_mounts_is_readonly_type(const struct doctor *doctor, const char *path)
{
	static const char *const types[] = {"squashfs", "erofs", "iso9660", "cramfs", "romfs"};
	struct libmnt_fs *fs = find_mount(doctor, path);

	for (size_t i = 0; fs != NULL && i < ARRAY_SIZE(types); i++)
		if (str_equal(mnt_fs_get_fstype(fs), types[i]))
			return true;
	return false;
}

const char *doctor_mounts_describe(struct doctor *doctor, const char *path)
{
	struct libmnt_fs *fs = find_mount(doctor, path);

	if (fs == NULL)
		return "an unknown file system";
	return doctor_text(doctor, "%s at %s", mnt_fs_get_fstype(fs), mnt_fs_get_target(fs));
}

const char *doctor_mounts_propagation(const struct doctor *doctor)
{
	struct libmnt_fs *fs = mnt_table_find_target(doctor->mounts, "/", MNT_ITER_BACKWARD);
	unsigned long flags = 0;

	if (fs == NULL || mnt_fs_get_propagation(fs, &flags) != 0)
		return NULL;
	return (flags & MS_SHARED) != 0 ? "shared" : (flags & MS_SLAVE) != 0 ? "slave" : "private";
}

#define NAMED_MAX 4

const char *doctor_mounts_over(struct doctor *doctor, const char *path)
{
	struct libmnt_fs *parent = find_mount(doctor, path), *fs = NULL;
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	_cleanup_buf_ struct buf names = {0};
	size_t count = 0;

	while (parent != NULL && iter != NULL && mnt_table_next_fs(doctor->mounts, iter, &fs) == 0) {
		const char *target = mnt_fs_get_target(fs);

		if (mnt_fs_get_parent_id(fs) != mnt_fs_get_id(parent) || !mount_hides(target))
			continue;
		if (count++ < NAMED_MAX)
			buf_format(&names, "%s%s", count == 1 ? "" : ", ", target);
	}
	mnt_free_iter(iter);
	if (count > NAMED_MAX)
		buf_format(&names, " and %zu more", count - NAMED_MAX);
	return count == 0 ? NULL : doctor_text(doctor, "%s", names.data);
}
