/* SPDX-License-Identifier: Apache-2.0 */
/* The file that the recorder writes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder.h"

#define MODE_NEW 0600u

/* A pipe or a device cannot be replaced by rename(2). */
static int open_special(const char *path, struct output *ret, struct err *err)
{
	ret->fd = k_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC | O_NOCTTY, 0);
	return ret->fd < 0 ? err_system(err, ret->fd, "cannot open '%s'", path) : 0;
}

int output_open(const char *path, struct output *ret, struct err *err)
{
	const char *slash = path == NULL ? NULL : strrchr(path, '/');
	_cleanup_free_ char *dir = slash == NULL ? mem_dup(".")
						 : mem_format("%.*s/", (int)(slash - path), path);
	struct stat st;
	int r;

	*ret = OUTPUT_NONE;
	if (path == NULL)
		return 0;
	if (str_equal(path, "-")) {
		ret->fd = k_fcntl(2, F_DUPFD_CLOEXEC, 0);
		return ret->fd < 0 ? err_system(err, ret->fd, "cannot use standard error") : 0;
	}
	r = k_fstatat(AT_FDCWD, path, &st, 0);
	if (r >= 0 && S_ISDIR(st.st_mode))
		return err_system(err, EISDIR, "cannot write '%s'", path);
	if (r >= 0 && !S_ISREG(st.st_mode))
		return open_special(path, ret, err);
	ret->mode = r < 0 ? MODE_NEW : st.st_mode & 0777;
	ret->name = slash == NULL ? path : slash + 1;
	ret->dir_fd = k_openat(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	r = ret->dir_fd;
	if (r >= 0)
		r = k_faccessat2(ret->dir_fd, ".", W_OK | X_OK, AT_EACCESS);
	return r < 0 ? err_system(err, r, "cannot write '%s'", path) : 0;
}

void output_done(struct output *output)
{
	fd_close(&output->dir_fd);
	fd_close(&output->fd);
}

int output_write(const struct output *output, const struct buf *text)
{
	if (output->fd >= 0)
		return io_write_all(output->fd, text->data, text->len);
	return output->dir_fd < 0
		       ? 0
		       : io_replace_file(output->dir_fd, output->name, text->data, text->len, output->mode);
}
