/* SPDX-License-Identifier: Apache-2.0 */
/* Reads whole files into buffers, and replaces files atomically. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <tare/base.h>

/* Reserves the file's size, one byte for the read(2) that returns the end of file, and one for the NUL. */
static void reserve_size(const struct stat *stat, size_t max, struct buf *buf)
{
	if (stat->st_size <= 0 || (uint64_t)stat->st_size > max)
		return;
	buf->cap = buf->len + (size_t)stat->st_size + 2;
	buf->data = mem_resize(buf->data, buf->cap);
}

/* A caller that knows the size has reserved room itself. */
static void reserve_file(int fd, size_t max, struct buf *buf)
{
	struct stat stat;

	if (buf->cap <= buf->len + 1 && k_fstat(fd, &stat) >= 0)
		reserve_size(&stat, max, buf);
}

int io_read_fd(int fd, size_t max, struct buf *buf)
{
	size_t start = buf->len;

	reserve_file(fd, max, buf);
	for (;;) {
		ssize_t got;

		if (buf->cap - buf->len < 2)
			buf_reserve(buf, 4096);
		got = k_read(fd, buf->data + buf->len, buf->cap - buf->len - 1);
		if (got == -EINTR)
			continue;
		if (got < 0)
			return (int)got;
		buf->len += (size_t)got;
		buf->data[buf->len] = '\0';
		if (buf->len - start > max)
			return -EFBIG;
		if (got == 0)
			return 0;
	}
}

int io_read_file(int dir_fd, const char *path, size_t max, struct buf *buf)
{
	_cleanup_fd_ int fd = k_openat(dir_fd, path, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	return io_read_fd(fd, max, buf);
}

int io_read_regular(const char *path, size_t max, struct buf *buf, struct err *err)
{
	_cleanup_fd_ int fd = k_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	struct stat stat;
	int r = fd < 0 ? fd : k_fstat(fd, &stat);

	if (r >= 0 && !S_ISREG(stat.st_mode))
		return err_set(err, ERR_USAGE, 0, NULL, "cannot read '%s': it is not a regular file", path);
	if (r >= 0) {
		reserve_size(&stat, max, buf);
		r = io_read_fd(fd, max, buf);
	}
	return r < 0 ? err_system(err, r, "cannot read '%s'", path) : 0;
}

int io_replace_file(int dir_fd, const char *name, const void *data, size_t size, unsigned int mode)
{
	const char *slash = strrchr(name, '/');
	size_t dir_len = slash == NULL ? 0 : (size_t)(slash - name) + 1;
	_cleanup_free_ char *temporary = NULL;
	_cleanup_fd_ int fd = -1;
	int r;

	/*
	 * rename(2) does not cross file systems, so the directory is the same; callers race, so the name has
	 * the pid in it.
	 */
	temporary = mem_format("%.*s.%s.%d", (int)dir_len, name, name + dir_len, k_getpid());
	fd = k_openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd == -EEXIST) {
		k_unlinkat(dir_fd, temporary, 0);
		fd = k_openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	}
	if (fd < 0)
		return fd;
	r = io_write_all(fd, data, size);
	if (r == 0)
		r = k_renameat2(dir_fd, temporary, dir_fd, name, 0);
	if (r < 0)
		k_unlinkat(dir_fd, temporary, 0);
	return r;
}

int io_read_input(const char *path, size_t max, struct buf *buf)
{
	return str_equal(path, "-") ? io_read_fd(0, max, buf) : io_read_file(AT_FDCWD, path, max, buf);
}
