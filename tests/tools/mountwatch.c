/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says whether the mounts of its mount namespace ever change: mountwatch PIPE REPORT.
 *
 * proc_pid_mountinfo(5): a poll(2) with POLLPRI on the file returns when the mount table changes; an event that
 * came and went is seen, too, since the kernel counts them. Ready once it has closed its standard output; ends
 * when PIPE (a FIFO, made unless it is there) has been opened for writing and closed again. REPORT then has a
 * line for each change, with what is different from before; it stays empty when there was none.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

/* Lines of one table that are not in the other. */
static void report_lines(FILE *report, char sign, const char *table, const char *other)
{
	while (*table != '\0') {
		size_t len = strcspn(table, "\n") + 1;
		char *line = strndup(table, len);

		if (line != NULL && strstr(other, line) == NULL)
			fprintf(report, "%c%s", sign, line);
		free(line);
		table += len;
	}
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
	int pipe_fd = argc == 3 ? open_pipe(argv[1]) : -1;
	FILE *report = argc == 3 ? fopen(argv[2], "ae") : NULL;
	struct pollfd fds[] = {{.fd = table_fd, .events = POLLPRI}, {.fd = pipe_fd, .events = POLLIN}};

	if (table_fd < 0 || pipe_fd < 0 || report == NULL)
		return 2;
	read_table(table_fd, before);
	close(STDOUT_FILENO);
	while (fds[1].revents == 0) {
		if (poll(fds, 2, -1) < 0 || (fds[0].revents & POLLPRI) == 0)
			continue;
		read_table(table_fd, after);
		fprintf(report, "the mounts changed%s\n", strcmp(before, after) == 0 ? ", and back" : ":");
		report_lines(report, '-', before, after);
		report_lines(report, '+', after, before);
		memcpy(before, after, sizeof before);
	}
	return fclose(report) != 0;
}
