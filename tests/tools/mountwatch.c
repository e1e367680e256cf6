/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports whether the mounts of its mount namespace ever change: mountwatch PIPE REPORT [ends].
 *
 * proc_pid_mountinfo(5): a poll(2) with POLLPRI on the file returns when the mount table has changed. The
 * kernel counts the changes, so one that is undone at once is seen, too. It is ready once it has closed its
 * standard output. It exits when PIPE (a FIFO, which it makes unless it exists) has been opened for writing and
 * closed again. REPORT then has a line for each change, with the lines of the table that differ. It is empty if
 * there was none. With "ends" only the tables at the beginning and at the end are compared.
 *
 * The removal of a mount is no change if its mount point was removed by another process: the kernel then
 * removes the mount from all mount namespaces. Container engines do that to the root of a container that exits.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLE_MAX (1 << 20)

static void read_table(int fd, char *table)
{
	size_t len = 0;
	ssize_t r;

	if (lseek(fd, 0, SEEK_SET) < 0)
		exit(2);
	while (len < TABLE_MAX - 1 && (r = read(fd, table + len, TABLE_MAX - 1 - len)) > 0)
		len += (size_t)r;
	table[len] = '\0';
}

/* Each poll reads one event or several. Their effect is in the table that is read after the last one. */
static void read_settled_table(struct pollfd *table_poll, char *table)
{
	do
		read_table(table_poll->fd, table);
	while (poll(table_poll, 1, 0) > 0 && (table_poll->revents & POLLPRI) != 0);
}

/* The fifth field of a line. In it a space, tab, newline or backslash is a backslash and three octal digits. */
static void read_mount_point(const char *line, char *ret_path)
{
	for (int field = 1; field < 5; field++)
		line += strcspn(line, " ") + 1;
	while (*line != ' ' && *line != '\n' && *line != '\0') {
		if (*line == '\\') {
			*ret_path++ = (char)((line[1] - '0') << 6 | (line[2] - '0') << 3 | (line[3] - '0'));
			line += 4;
		} else {
			*ret_path++ = *line++;
		}
	}
	*ret_path = '\0';
}

/*
 * Whether the mount point has been removed. rmdir(2) and unlink(2) detach the mounts before they remove the
 * name, but both while they hold the lock of the directory, for which reading the directory waits.
 */
static bool is_mount_point_removed(const char *line)
{
	char *path = malloc(strlen(line) + 1);
	struct stat st;
	bool removed;
	char *slash;
	DIR *dir;

	if (path == NULL)
		exit(2);
	read_mount_point(line, path);
	slash = strrchr(path, '/');
	if (slash != NULL && slash != path) {
		*slash = '\0';
		dir = opendir(path);
		if (dir != NULL) {
			readdir(dir);
			closedir(dir);
		}
		*slash = '/';
	}
	removed = lstat(path, &st) < 0 && errno == ENOENT;
	free(path);
	return removed;
}

/*
 * Reports the lines of one table that the other one lacks. Returns how many they are, except for those that are
 * no change.
 */
static size_t report_lines(FILE *report, char sign, const char *table, const char *other)
{
	size_t lines = 0;

	while (*table != '\0') {
		size_t len = strcspn(table, "\n") + 1;
		char *line = strndup(table, len);

		if (line == NULL)
			exit(2);
		if (strstr(other, line) == NULL && (sign == '+' || !is_mount_point_removed(line))) {
			fprintf(report, "%c%s", sign, line);
			lines++;
		}
		free(line);
		table += len;
	}
	return lines;
}

static void report_change(FILE *report, const char *before, const char *after)
{
	size_t lines = report_lines(report, '-', before, after) + report_lines(report, '+', after, before);

	if (lines > 0)
		fprintf(report, "the mounts changed: %zu lines\n", lines);
	else if (strcmp(before, after) == 0)
		fprintf(report, "the mounts changed, and back\n");
}

static int open_pipe(const char *path)
{
	if (mkfifo(path, 0600) < 0 && errno != EEXIST)
		return -1;
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

int main(int argc, char **argv)
{
	static char before[TABLE_MAX], after[TABLE_MAX];
	int table_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	bool ends = argc == 4 && strcmp(argv[3], "ends") == 0;
	int pipe_fd = argc == 3 || ends ? open_pipe(argv[1]) : -1;
	FILE *report = pipe_fd >= 0 ? fopen(argv[2], "ae") : NULL;
	struct pollfd fds[] = {{.fd = pipe_fd, .events = POLLIN}, {.fd = table_fd, .events = POLLPRI}};

	if (table_fd < 0 || report == NULL)
		return 2;
	read_settled_table(&fds[1], before);
	close(STDOUT_FILENO);
	do {
		if (poll(fds, ends ? 1 : 2, -1) < 0 || (fds[1].revents & POLLPRI) == 0)
			continue;
		read_settled_table(&fds[1], after);
		report_change(report, before, after);
		memcpy(before, after, sizeof before);
	} while (fds[0].revents == 0);
	/* Some changes cause no event: those of a file system's options and of propagation. */
	read_table(table_fd, after);
	if (strcmp(before, after) != 0)
		report_change(report, before, after);
	return fclose(report) != 0;
}
