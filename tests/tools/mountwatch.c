/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports whether the mounts of its mount namespace ever change: mountwatch PIPE REPORT [ends].
 *
 * proc_pid_mountinfo(5): a poll(2) with POLLPRI on the file returns when the mount table has changed. The
 * kernel counts the changes, so one that is undone at once is seen, too. It is ready once it has closed its
 * standard output. It exits when PIPE (a FIFO, which it makes unless it exists) has been opened for writing and
 * closed again. REPORT then has a line for each change. It is empty if there was none. With "ends" only the
 * tables at the beginning and at the end are compared.
 *
 * libmount parses and compares the tables. Its comparison pairs mounts by source and mount point, so it does
 * not see a second mount of the same source in the same place, nor a change of propagation. The mounts that it
 * has not reported are compared by their ids.
 *
 * The removal of a mount is no change if its mount point was removed by another process: the kernel then
 * removes the mount from all mount namespaces. Container engines do that to the root of a container that exits.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TABLE_MAX (1 << 20)

struct table {
	char *text; /* as the kernel writes it */
	struct libmnt_table *mounts;
};

static void table_free(struct table *table)
{
	free(table->text);
	mnt_unref_table(table->mounts);
}

static void read_text(int fd, char *text)
{
	size_t len = 0;
	ssize_t r;

	if (lseek(fd, 0, SEEK_SET) < 0)
		exit(2);
	while (len < TABLE_MAX - 1 && (r = read(fd, text + len, TABLE_MAX - 1 - len)) > 0)
		len += (size_t)r;
	text[len] = '\0';
}

static void parse(struct table *table)
{
	FILE *file = fmemopen(table->text, strlen(table->text), "r");

	table->mounts = mnt_new_table();
	if (file == NULL || table->mounts == NULL ||
	    mnt_table_parse_stream(table->mounts, file, "mountinfo") != 0)
		exit(2);
	fclose(file);
}

static struct table read_table(int fd)
{
	struct table table = {.text = malloc(TABLE_MAX)};

	if (table.text == NULL)
		exit(2);
	read_text(fd, table.text);
	parse(&table);
	return table;
}

/* Each poll reads one event or several. Their effect is in the table that is read after the last one. */
static struct table read_settled_table(struct pollfd *table_poll)
{
	for (;;) {
		struct table table = read_table(table_poll->fd);

		if (poll(table_poll, 1, 0) <= 0 || (table_poll->revents & POLLPRI) == 0)
			return table;
		table_free(&table);
	}
}

/*
 * Whether the mount point has been removed. rmdir(2) and unlink(2) detach the mounts before they remove the
 * name, but both while they hold the lock of the directory, for which reading the directory waits.
 */
static bool is_mount_point_removed(struct libmnt_fs *mount)
{
	char *path = strdup(mnt_fs_get_target(mount));
	struct stat st;
	bool removed;
	char *slash;
	DIR *dir;

	if (path == NULL)
		exit(2);
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

static const char *propagation_of(struct libmnt_fs *mount)
{
	const char *fields = mnt_fs_get_optional_fields(mount);

	return fields == NULL ? "" : fields;
}

static void print_mount(FILE *report, const char *change, struct libmnt_fs *mount)
{
	fprintf(report, "%s %s: %d, %s from %s%s with %s %s\n", change, mnt_fs_get_target(mount),
		mnt_fs_get_id(mount), mnt_fs_get_fstype(mount), mnt_fs_get_source(mount),
		mnt_fs_get_root(mount), mnt_fs_get_options(mount), propagation_of(mount));
}

struct report {
	FILE *file;
	void *round; /* marks the mounts that this comparison has reported */
	size_t changes;
};

static void report_pair(struct report *report, struct libmnt_fs *before, struct libmnt_fs *after, int kind)
{
	bool is_removed = kind == MNT_TABDIFF_UMOUNT && is_mount_point_removed(before);

	if (kind != MNT_TABDIFF_MOUNT)
		mnt_fs_set_userdata(before, report->round);
	if (kind != MNT_TABDIFF_UMOUNT)
		mnt_fs_set_userdata(after, report->round);
	if (is_removed)
		return;
	if (kind != MNT_TABDIFF_MOUNT)
		print_mount(report->file, "-", before);
	if (kind != MNT_TABDIFF_UMOUNT)
		print_mount(report->file, "+", after);
	report->changes++;
}

static struct libmnt_fs *find_id(struct libmnt_table *mounts, int id)
{
	struct libmnt_iter *position = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *mount = NULL;

	if (position == NULL)
		exit(2);
	while (mnt_table_next_fs(mounts, position, &mount) == 0 && mnt_fs_get_id(mount) != id)
		mount = NULL;
	mnt_free_iter(position);
	return mount;
}

/* Reports the mounts that only the first table has, and mounts with another propagation. */
static void report_by_id(struct report *report, struct libmnt_table *mounts, struct libmnt_table *others,
			 bool is_new)
{
	struct libmnt_iter *position = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *mount;

	if (position == NULL)
		exit(2);
	while (mnt_table_next_fs(mounts, position, &mount) == 0) {
		struct libmnt_fs *other = find_id(others, mnt_fs_get_id(mount));

		if (mnt_fs_get_userdata(mount) == report->round)
			continue;
		if (other == NULL)
			report_pair(report, mount, mount, is_new ? MNT_TABDIFF_MOUNT : MNT_TABDIFF_UMOUNT);
		else if (strcmp(propagation_of(mount), propagation_of(other)) != 0)
			report_pair(report, is_new ? other : mount, is_new ? mount : other,
				    MNT_TABDIFF_PROPAGATION);
	}
	mnt_free_iter(position);
}

static void report_change(FILE *file, struct table *before, struct table *after)
{
	struct report report = {.file = file, .round = after->mounts};
	struct libmnt_tabdiff *diff = mnt_new_tabdiff();
	struct libmnt_iter *position = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *from, *to;
	int kind;

	if (diff == NULL || position == NULL || mnt_diff_tables(diff, before->mounts, after->mounts) < 0)
		exit(2);
	while (mnt_tabdiff_next_change(diff, position, &from, &to, &kind) == 0)
		report_pair(&report, from, to, kind);
	report_by_id(&report, before->mounts, after->mounts, false);
	report_by_id(&report, after->mounts, before->mounts, true);
	if (report.changes > 0)
		fprintf(file, "the mounts changed: %zu\n", report.changes);
	else if (strcmp(before->text, after->text) == 0)
		fprintf(file, "the mounts changed, and back\n");
	mnt_free_iter(position);
	mnt_free_tabdiff(diff);
}

static int open_pipe(const char *path)
{
	if (mkfifo(path, 0600) < 0 && errno != EEXIST)
		return -1;
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

int main(int argc, char **argv)
{
	int table_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	bool ends = argc == 4 && strcmp(argv[3], "ends") == 0;
	int pipe_fd = argc == 3 || ends ? open_pipe(argv[1]) : -1;
	FILE *report = pipe_fd >= 0 ? fopen(argv[2], "ae") : NULL;
	struct pollfd fds[] = {{.fd = pipe_fd, .events = POLLIN}, {.fd = table_fd, .events = POLLPRI}};
	struct table before, after;

	if (table_fd < 0 || report == NULL)
		return 2;
	before = read_settled_table(&fds[1]);
	close(STDOUT_FILENO);
	do {
		if (poll(fds, ends ? 1 : 2, -1) < 0 || (fds[1].revents & POLLPRI) == 0)
			continue;
		after = read_settled_table(&fds[1]);
		report_change(report, &before, &after);
		table_free(&before);
		before = after;
	} while (fds[0].revents == 0);
	/* Some changes cause no event: those of a file system's options and of propagation. */
	after = read_table(table_fd);
	if (strcmp(before.text, after.text) != 0)
		report_change(report, &before, &after);
	return fclose(report) != 0;
}
