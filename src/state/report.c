/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a supervised container: its report, on which the supervisor holds a lock (flock(2)) until the
 * report is complete, and the signals that commands have sent to the container.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "private.h"

#define REPORT_MAX ((size_t)1 << 20)
#define SIGNALS_MAX 64 /* the highest number of a signal */

static int create_file(int dir_fd, const char *name, int flags, struct err *err)
{
	int fd = k_openat(dir_fd, name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, STATE_FILE_MODE);

	return fd < 0 ? err_system(err, fd, "cannot create the file '%s' of the container", name) : fd;
}

/* --- the report --- */

int state_create_report(int dir_fd, struct err *err)
{
	_cleanup_fd_ int fd = create_file(dir_fd, STATE_REPORT_NAME, O_RDWR, err);
	int r = fd < 0 ? fd : k_flock(fd, LOCK_EX | LOCK_NB);

	if (fd >= 0 && r < 0)
		return err_system(err, r, "cannot lock the report of the container");
	return r < 0 ? r : take_fd(&fd);
}

int state_open_report(int dir_fd)
{
	_cleanup_fd_ int fd = path_open_beneath(dir_fd, STATE_REPORT_NAME, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat stat;
	int r = fd < 0 ? fd : k_fstat(fd, &stat);

	if (r < 0)
		return r;
	return S_ISREG(stat.st_mode) ? take_fd(&fd) : -EBADMSG;
}

int state_await_report(int report_fd, int timeout_ms)
{
	return state_lock_within(report_fd, LOCK_SH, timeout_ms);
}

int state_read_report(int report_fd, struct buf *out)
{
	size_t before = out->len;
	int r;

	buf_reserve(out, REPORT_MAX);
	r = io_read_fd(report_fd, REPORT_MAX, out);
	return r < 0 ? r : out->len == before ? -ENODATA : 0;
}

/* --- the signals --- */

/*
 * One byte for each signal, added by a single write(2). More than the file can have of different ones are not
 * needed, so a caller that sends signals without end cannot fill the file system.
 */
void state_note_signal(int dir_fd, int signal)
{
	_cleanup_fd_ int fd =
		path_open_beneath(dir_fd, STATE_SIGNALS_NAME, O_RDWR | O_APPEND | O_NONBLOCK | O_NOCTTY, 0);
	unsigned char noted[SIGNALS_MAX], byte = (unsigned char)signal;
	ssize_t len = fd < 0 ? fd : k_pread(fd, noted, sizeof noted, 0);

	if (len < 0 || len == SIGNALS_MAX || memchr(noted, byte, (size_t)len) != NULL)
		return;
	(void)!k_write(fd, &byte, 1);
}

int state_create_signals(int dir_fd, struct err *err)
{
	return create_file(dir_fd, STATE_SIGNALS_NAME, O_RDONLY, err);
}

uint64_t state_read_signals(int signals_fd)
{
	unsigned char noted[SIGNALS_MAX];
	ssize_t len = k_pread(signals_fd, noted, sizeof noted, 0);
	uint64_t signals = 0;

	for (ssize_t i = 0; i < len; i++)
		if (noted[i] >= 1 && noted[i] <= SIGNALS_MAX)
			signals |= UINT64_C(1) << (noted[i] - 1);
	return signals;
}
