/* SPDX-License-Identifier: Apache-2.0 */
/* Copies programs and plans into sealed memfds. Process: the parent. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <tare/sys.h>

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int memfd_seal_copy(const char *name, const void *data, size_t size, unsigned int flags, struct err *err)
{
	_cleanup_fd_ int fd = k_memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
	int r;

	/* memfd_create(2): MFD_EXEC exists since Linux 6.3; before, every memfd is executable. */
	if (fd == -EINVAL)
		fd = k_memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0) {
		r = err_system(err, fd, "cannot make a memfd for '%s'", name);
		if (r == -EACCES)
			err_hint(err, "vm.memfd_noexec must not be 2");
		return r;
	}
	r = io_write_all(fd, data, size);
	if (r == 0)
		r = k_fcntl(fd, F_ADD_SEALS, ALL_SEALS);
	if (r < 0)
		return err_system(err, r, "cannot fill and seal the memfd for '%s'", name);
	return take_fd(&fd);
}
