/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines in a file or on standard error, as text or JSON. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include <tare/base.h>

/* The only mutable state of the room. log_open sets it before any other process exists; log_line adds to it. */
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
	/* open(2), ENXIO: a FIFO without a reader; without O_NONBLOCK open(2) would block. */
	if (fd == -ENXIO)
		err_hint(err, "no process reads from it");
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
	return the_log.is_debug;
}

/* The form of the errors on standard error: one line that begins with the program's name. */
static void compose_shown(struct buf *line, const char *level, const char *message)
{
	buf_format(line, "tare: %s: ", level);
	buf_add_line(line, message);
	buf_add(line, "\n", 1);
}

static void log_compose(struct buf *line, const char *level, const char *message)
{
	_cleanup_free_ char *date = NULL, *stamp = NULL;
	struct timespec now;
	struct json json;

	if (the_log.fd < 0 && !the_log.is_json) {
		compose_shown(line, level, message);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	date = date_text(now.tv_sec);
	stamp = mem_format("%sZ", date);
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

/* Without a log only this reaches standard error, which main writes errors to. */
static bool is_written(enum log_level level)
{
	switch (level) {
	case LOG_DEBUG:
		return the_log.is_debug;
	case LOG_SHOWN_WARNING:
		return true;
	default:
		return the_log.fd >= 0;
	}
}

static void write_out(const struct buf *text)
{
	(void)!io_write_all(the_log.fd >= 0 ? the_log.fd : 2, text->data, text->len);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = {"error", "warning", "warning", "debug"};
	_cleanup_buf_ struct buf line = {0};
	_cleanup_free_ char *message = NULL;
	va_list args;
	int len;

	if (!is_written(level))
		return;
	va_start(args, fmt);
	len = vasprintf(&message, fmt, args);
	va_end(args);
	if (len < 0)
		return;
	log_compose(&line, names[level], message);
	if (level == LOG_WARNING || level == LOG_SHOWN_WARNING)
		buf_add(&the_log.warnings, line.data, line.len);
	else
		write_out(&line);
}

void log_show_warnings(void)
{
	if (the_log.fd >= 0 || the_log.warnings.len == 0)
		return;
	write_out(&the_log.warnings);
	buf_done(&the_log.warnings);
	the_log.warnings = (struct buf){0};
}

void log_close(bool is_success)
{
	if (is_success && the_log.warnings.len > 0)
		write_out(&the_log.warnings);
	buf_done(&the_log.warnings);
	fd_close(&the_log.fd);
}
