/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include <tare/base.h>

/* The one mutable state of the room: written by log_open, before any other process or thread exists. */
static struct {
	int fd;
	bool is_json, is_debug;
	struct buf warnings;
} the_log = {.fd = -1};

int log_open(const char *path, bool is_json, bool is_debug, struct err *err)
{
	int fd;

	the_log.is_json = is_json;
	the_log.is_debug = is_debug;
	if (path == NULL)
		return 0;
	fd = k_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
	if (fd < 0)
		err_system(err, fd, "cannot open log file '%s'", path);
	/* open(2): of a FIFO, which would be waited for. */
	if (fd == -ENXIO)
		err_hint(err, "nobody reads from it");
	if (fd < 0)
		return fd;
	(void)!k_fcntl(fd, F_SETFL, O_APPEND);
	the_log.fd = fd;
	return 0;
}

int log_fd(void)
{
	return the_log.fd;
}

bool log_is_debug(void)
{
	return the_log.fd >= 0 && the_log.is_debug;
}

static void log_compose(struct buf *line, const char *level, const char *message)
{
	char stamp[32];
	struct timespec now;
	struct tm tm;
	struct json json;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (!the_log.is_json) {
		buf_format(line, "time=\"%s\" level=%s msg=", stamp, level);
		json_begin(&json, line, 0);
		json_string(&json, message);
		buf_add(line, "\n", 1);
		return;
	}
	json_begin(&json, line, 0);
	json_object(&json);
	json_pair(&json, "level", level);
	json_pair(&json, "msg", message);
	json_pair(&json, "time", stamp);
	json_object_end(&json);
	buf_add(line, "\n", 1);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = {"error", "warning", "debug"};
	_cleanup_buf_ struct buf line = {0};
	_cleanup_free_ char *message = NULL;
	va_list args;
	int len;

	if (the_log.fd < 0 || (level == LOG_DEBUG && !the_log.is_debug))
		return;
	va_start(args, fmt);
	len = vasprintf(&message, fmt, args);
	va_end(args);
	if (len < 0)
		return;
	log_compose(&line, names[level], message);
	if (level == LOG_WARNING)
		buf_add(&the_log.warnings, line.data, line.len);
	else
		(void)!io_write_all(the_log.fd, line.data, line.len);
}

void log_close(bool is_success)
{
	if (is_success && the_log.fd >= 0 && the_log.warnings.len > 0)
		(void)!io_write_all(the_log.fd, the_log.warnings.data, the_log.warnings.len);
	buf_done(&the_log.warnings);
	fd_close(&the_log.fd);
}
