/* SPDX-License-Identifier: Apache-2.0 */
/* Copies the directory that a tmpfs will cover into the tmpfs (the option tmpcopyup). Process: init. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tare/sys.h>

#define COPY_DEPTH_MAX 32 /* nested directories: limits the stack that the recursion needs */

static int copy_directory(int from_fd, int to_fd, int depth);

/* Copies the bytes from `at` to `end`; the offsets of both descriptors are `at`. */
static int copy_range(int in_fd, int out_fd, int64_t at, int64_t end)
{
	char block[4096];

	while (at < end) {
		size_t size = end - at < (int64_t)sizeof block ? (size_t)(end - at) : sizeof block;
		ssize_t len = k_read(in_fd, block, size);
		int r = len <= 0 ? (int)len : io_write_all(out_fd, block, (size_t)len);

		if (len <= 0 || r < 0)
			return r;
		at += len;
	}
	return 0;
}

/* Copies holes as holes: a sparse file of an image can be larger than the memory. */
static int copy_data(int in_fd, int out_fd, int64_t size)
{
	int64_t at = 0;
	int r = k_ftruncate(out_fd, size);

	while (r >= 0 && at < size) {
		int64_t data = k_lseek(in_fd, at, SEEK_DATA), end;

		if (data == -ENXIO)
			break;
		if (data == -EINVAL) /* lseek(2): the file system does not support SEEK_DATA */
			data = at;
		end = data < 0 ? data : k_lseek(in_fd, data, SEEK_HOLE);
		if (end == -EINVAL)
			end = size;
		if (end < 0)
			return (int)end;
		if (end <= at)
			return -EIO;
		if (k_lseek(in_fd, data, SEEK_SET) < 0 || k_lseek(out_fd, data, SEEK_SET) < 0)
			return -EIO;
		end = end < size ? end : size;
		r = copy_range(in_fd, out_fd, data, end);
		at = end;
	}
	return r;
}

static int copy_file(int from_fd, int to_fd, const char *name, const struct stat *st)
{
	_cleanup_fd_ int in_fd = k_openat(from_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	_cleanup_fd_ int out_fd = -1;
	if (in_fd < 0)
		return in_fd;
	out_fd = k_openat(to_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			  st->st_mode & 07777);
	return out_fd < 0 ? out_fd : copy_data(in_fd, out_fd, st->st_size);
}

static int copy_link(int from_fd, int to_fd, const char *name)
{
	char target[4096];
	ssize_t len = k_readlinkat(from_fd, name, target, sizeof target - 1);

	if (len < 0)
		return (int)len;
	target[len] = '\0';
	return k_symlinkat(target, to_fd, name);
}

static int copy_subdirectory(int from_fd, int to_fd, const char *name, const struct stat *st, int depth)
{
	_cleanup_fd_ int in_fd = -1, out_fd = -1;
	int r = k_mkdirat(to_fd, name, st->st_mode & 07777);

	if (r < 0)
		return r;
	in_fd = k_openat(from_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	out_fd = k_openat(to_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	if (in_fd < 0 || out_fd < 0)
		return in_fd < 0 ? in_fd : out_fd;
	return copy_directory(in_fd, out_fd, depth + 1);
}

static int copy_entry(int from_fd, int to_fd, const char *name, int depth)
{
	struct stat st;
	int r = k_fstatat(from_fd, name, &st, AT_SYMLINK_NOFOLLOW);

	if (r < 0)
		return r;
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		r = copy_file(from_fd, to_fd, name, &st);
		break;
	case S_IFLNK:
		r = copy_link(from_fd, to_fd, name);
		break;
	case S_IFDIR:
		r = copy_subdirectory(from_fd, to_fd, name, &st, depth);
		break;
	default:
		r = k_mknodat(to_fd, name, st.st_mode, st.st_rdev);
	}
	if (r >= 0)
		r = k_fchownat(to_fd, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW);
	/* The umask has cleared mode bits, and chown(2) the set-id bits. */
	if (r >= 0 && !S_ISLNK(st.st_mode))
		r = k_fchmodat(to_fd, name, st.st_mode & 07777);
	return r;
}

static int copy_directory(int from_fd, int to_fd, int depth)
{
	_Alignas(struct dir_entry) char block[2048];
	struct dir_reader reader = {.fd = from_fd, .block = block, .size = sizeof block};
	const struct dir_entry *entry;
	int r;

	if (depth > COPY_DEPTH_MAX)
		return -EMLINK;
	while ((r = dir_next(&reader, &entry)) > 0) {
		r = copy_entry(from_fd, to_fd, entry->name, depth);
		if (r < 0)
			break;
	}
	return r;
}

/*
 * Another container that shares the image can put a device in the place of a file after init has seen its type,
 * and open(2) of a device may have an effect. Through this copy of the mounts no device can be opened.
 */
static int copy_without_devices(int from_fd)
{
	_cleanup_fd_ int tree_fd =
		k_open_tree(from_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	int r = tree_fd < 0 ? tree_fd : mount_set(tree_fd, MOUNT_ATTR_NODEV, 0, 0, true);

	return r < 0 ? r : take_fd(&tree_fd);
}

static int fail(int r, struct err *err)
{
	if (r == -EMLINK)
		return err_set(err, ERR_SYSTEM, 0, NULL,
			       "cannot copy the directory that a tmpfs covers into it (tmpcopyup): "
			       "more than %d directories are nested",
			       COPY_DEPTH_MAX);
	return err_system(err, r, "cannot copy the directory that a tmpfs covers into it (tmpcopyup)");
}

int rootfs_copy_up(int from_fd, int to_fd, struct err *err)
{
	/* The mounts below the directory last as long as this descriptor is open. */
	_cleanup_fd_ int tree_fd = copy_without_devices(from_fd), in_fd = -1, out_fd = -1;
	int r;

	if (tree_fd < 0) {
		r = fail(tree_fd, err);
		if (tree_fd == -EINVAL)
			err_hint(err, "the mount in which it lies must not be unbindable");
		return r;
	}
	in_fd = k_openat(tree_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	out_fd = k_openat(to_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	r = in_fd < 0 ? in_fd : out_fd < 0 ? out_fd : copy_directory(in_fd, out_fd, 0);
	return r < 0 ? fail(r, err) : 0;
}
