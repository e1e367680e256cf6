/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a report is written to.
 *
 * The program may be able to write to the directory of the report. The directory is opened before the program
 * starts, so that the program cannot exchange it, and the file is written once no process of the container is
 * left, by a new name that is then renamed: a link that the program has put there is replaced and not followed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tare/supervise.h>

#define MODE 0600

static int open_directory(const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *dir = NULL;

	*ret_name = slash == NULL ? path : slash + 1;
	if ((*ret_name)[0] == '\0')
		return -EISDIR;
	dir = slash == NULL ? mem_dup(".") : mem_format("%.*s/", (int)(slash - path), path);
	return k_openat(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}

/* Removes the file of an earlier report, and keeps its mode. */
static int remove_earlier(struct report_place *place, const char *path, struct err *err)
{
	struct stat st;
	int r = k_fstatat(place->dir_fd, place->name, &st, AT_SYMLINK_NOFOLLOW);

	if (r >= 0 && !S_ISREG(st.st_mode)) {
		err_set(err, ERR_USAGE, 0, NULL,
			"cannot write report '%s': it exists and is not a regular file", path);
		err_hint(err, "give the path of a new file or of a regular file, or use --report-fd");
		return -EINVAL;
	}
	if (r >= 0) {
		place->mode = st.st_mode & 07777;
		r = k_unlinkat(place->dir_fd, place->name, 0);
	} else if (r == -ENOENT) {
		r = k_faccessat2(place->dir_fd, ".", W_OK | X_OK, AT_EACCESS);
	}
	return r < 0 ? err_system(err, r, "cannot write report '%s'", path) : 0;
}

static int check_descriptor(int fd, struct err *err)
{
	int flags = k_fcntl(fd, F_GETFL, 0);

	/* A descriptor that the caller has passed is not close-on-exec. */
	if (flags < 0 || (k_fcntl(fd, F_GETFD, 0) & FD_CLOEXEC) != 0)
		return err_set(err, ERR_USAGE, EBADF, NULL, "cannot write the report to descriptor %d", fd);
	if ((flags & O_ACCMODE) == O_RDONLY)
		return err_set(err, ERR_USAGE, 0, NULL,
			       "cannot write the report to descriptor %d: it is open for reading only", fd);
	return 0;
}

static int open_place(const struct supervise_options *options, struct report_place *ret, struct err *err)
{
	int r;

	*ret = (struct report_place){.dir_fd = -1, .mode = MODE, .fd = -1};
	if (options->report_fd > 0) {
		r = check_descriptor((int)options->report_fd, err);
		if (r < 0)
			return r;
		ret->fd = (int)options->report_fd;
	}
	if (options->report == NULL)
		return 0;
	ret->dir_fd = open_directory(options->report, &ret->name);
	if (ret->dir_fd < 0)
		return err_system(err, ret->dir_fd, "cannot write report '%s'", options->report);
	return remove_earlier(ret, options->report, err);
}

void report_close(struct report_place *place)
{
	fd_close(&place->dir_fd);
	place->fd = -1;
}

/* A place that was refused must not be written to, either. */
int report_open(const struct supervise_options *options, struct report_place *ret, struct err *err)
{
	int r = open_place(options, ret, err);

	if (r < 0)
		report_close(ret);
	return r;
}

int report_write(const struct report_place *place, const struct buf *text, struct err *err)
{
	int r = place->fd < 0 ? 0 : io_write_all(place->fd, text->data, text->len);

	if (r < 0)
		return err_system(err, r, "cannot write the report to descriptor %d", place->fd);
	if (place->dir_fd < 0)
		return 0;
	r = io_replace_file(place->dir_fd, place->name, text->data, text->len, MODE);
	/* The umask does not apply to the mode of an earlier file. */
	if (r >= 0 && place->mode != MODE)
		r = k_fchmodat(place->dir_fd, place->name, place->mode);
	return r < 0 ? err_system(err, r, "cannot write report '%s'", place->name) : 0;
}
