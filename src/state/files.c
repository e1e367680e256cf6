/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a container that are read as they are: the record's bytes, the configuration, the plan. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "private.h"

/* A record of an earlier version: the config, and its annotations with at most three bytes for each byte. */
#define RECORD_MAX ((size_t)72 << 20)
#define PLAN_MAX ((size_t)72 << 20)

static int open_regular(int dir_fd, const char *name, size_t *ret_size)
{
	_cleanup_fd_ int fd = path_open_beneath(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat stat;
	int r;

	if (fd < 0)
		return fd;
	r = k_fstat(fd, &stat);
	if (r < 0)
		return r;
	*ret_size = (size_t)stat.st_size;
	if (!S_ISREG(stat.st_mode))
		return -EBADMSG;
	return state_is_trusted(&stat) ? take_fd(&fd) : -EPERM;
}

/* Reads a whole file, of which messages say what it is. */
static int read_file(int dir_fd, const char *name, const char *what, struct buf *out, struct err *err)
{
	size_t size;
	_cleanup_fd_ int fd = open_regular(dir_fd, name, &size);
	int r = fd < 0 ? fd : size > RECORD_MAX ? -EFBIG : 0;

	if (r >= 0) {
		buf_reserve(out, size + 1);
		r = io_read_fd(fd, RECORD_MAX, out);
	}
	if (r >= 0)
		return 0;
	if (r == -ENOENT)
		return state_fail(err, ENOENT, "the %s of the container does not exist", what);
	if (r == -EPERM)
		return state_fail(err, EPERM, "another user owns or can write to the %s of the container",
				  what);
	if (r == -EFBIG || r == -ELOOP || r == -EBADMSG || r == -EXDEV)
		return state_fail(err, EBADMSG, "the %s of the container is damaged", what);
	return err_system(err, r, "cannot read the %s of the container", what);
}

/*
 * Creates a file that the record must have: no command reads it before the record is written, or shows that the
 * creation is complete, so no rename is needed.
 */
static int write_new(int dir_fd, const char *name, const void *data, size_t size)
{
	_cleanup_fd_ int fd =
		k_openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, STATE_FILE_MODE);

	return fd < 0 ? fd : io_write_all(fd, data, size);
}

/* --- the record --- */

int state_read_record(int dir_fd, struct buf *out, struct err *err)
{
	return read_file(dir_fd, STATE_RECORD_NAME, "record", out, err);
}

int state_read_optional(int dir_fd, const char *name, const char *what, struct buf *out, struct err *err)
{
	int r = read_file(dir_fd, name, what, out, err);

	return r == -ENOENT ? 0 : r;
}

/* --- the configuration --- */

int state_write_config(int dir_fd, const char *text, size_t len, struct err *err)
{
	int r = len > STATE_CONFIG_MAX ? -EFBIG : write_new(dir_fd, STATE_CONFIG_NAME, text, len);

	return r < 0 ? err_system(err, r, "cannot write the configuration of the container") : 0;
}

int state_read_config(int dir_fd, const struct state_record *record, struct buf *out, struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	int r;

	if (record->config_inside == 0)
		return read_file(dir_fd, STATE_CONFIG_NAME, "configuration", out, err);
	r = state_read_record(dir_fd, &text, err);
	if (r < 0)
		return r;
	if (text.len < record->config_inside)
		return state_fail(err, EBADMSG, "the record of the container is damaged");
	buf_add(out, text.data + text.len - record->config_inside, record->config_inside);
	return 0;
}

/* --- the plan --- */

int state_write_plan(int dir_fd, const void *data, size_t size, struct err *err)
{
	int r = write_new(dir_fd, STATE_PLAN_NAME, data, size);

	return r < 0 ? err_system(err, r, "cannot write the plan of the container") : 0;
}

const void *state_map_plan(int dir_fd, size_t *ret_size)
{
	_cleanup_fd_ int fd = open_regular(dir_fd, STATE_PLAN_NAME, ret_size);
	void *data = fd < 0 || *ret_size == 0 || *ret_size > PLAN_MAX
			     ? MAP_FAILED
			     : mmap(NULL, *ret_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);

	return data == MAP_FAILED ? NULL : data;
}
