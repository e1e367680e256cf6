/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the container's terminal. Process: init, or the bridge of an exec. */
#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <tare/sys.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

struct window { /* struct winsize of ioctl_tty(2) */
	uint16_t rows, columns, x, y;
};

/*
 * An image can have any file at /dev/pts and /dev/ptmx, such as another device, and open(2) of that may have an
 * effect. So the type of a file is checked before it is opened.
 */
static int open_in_devpts(const struct rootfs *rootfs)
{
	const struct path_place place = place_find(rootfs, "/dev/pts");
	_cleanup_fd_ int dir_fd = path_open(&place, O_PATH | O_DIRECTORY);
	struct statfs fs;
	int r = dir_fd < 0 ? dir_fd : k_fstatfs(dir_fd, &fs);

	if (r < 0)
		return r;
	/* Only the kernel creates files in a devpts; a mount over one of them is refused (-EXDEV). */
	return fs.f_type == DEVPTS_SUPER_MAGIC ? path_open_beneath(dir_fd, "ptmx", O_RDWR | O_NOCTTY, 0)
					       : -ENODEV;
}

static int check_multiplexer(int fd)
{
	struct stat st;
	int r = k_fstat(fd, &st);

	return r < 0 ? r : S_ISCHR(st.st_mode) && st.st_rdev == makedev(5, 2) ? 0 : -ENODEV;
}

/* For a /dev of the host: the container's root may have no permission to open the ptmx of the host's devpts. */
static int open_in_dev(const struct rootfs *rootfs)
{
	const struct path_place place = place_find(rootfs, "/dev/ptmx");
	_cleanup_fd_ int path_fd = path_open(&place, O_PATH), fd = -1;
	int r = path_fd < 0 ? path_fd : check_multiplexer(path_fd);

	if (r < 0)
		return r;
	/*
	 * A process that replaces the file now gains nothing: the open is limited to the devices of the cgroup,
	 * which is the same for both processes.
	 */
	fd = path_open(&place, O_RDWR | O_NOCTTY);
	r = fd < 0 ? fd : check_multiplexer(fd);
	return r < 0 ? r : take_fd(&fd);
}

static int open_master(const struct rootfs *rootfs, struct err *err)
{
	int fd = open_in_devpts(rootfs);

	if (fd < 0)
		fd = open_in_dev(rootfs);
	if (fd >= 0)
		return fd;
	err_system(err, fd, "cannot open a terminal in the container");
	err_hint(err, "process.terminal needs a mount of type devpts on /dev/pts");
	return fd;
}

static int open_slave(int master_fd, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	struct statfs fs;
	int unlock = 0, r;

	r = k_ioctl(master_fd, TIOCSPTLCK, &unlock);
	if (r < 0)
		return err_system(err, r, "cannot unlock the terminal");
	/* ioctl_tty(2): opens the peer through the master, since a name could lead to a replaced file. */
	fd = (int)k_call3(__NR_ioctl, master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_system(err, fd, "cannot open the terminal");
	r = k_fstatfs(fd, &fs);
	if (r < 0 || fs.f_type != DEVPTS_SUPER_MAGIC)
		return err_system(err, r < 0 ? r : ENODEV, "cannot use the terminal: it is not in a devpts");
	return take_fd(&fd);
}

static int show_console(struct rootfs *rootfs, int slave_fd, struct err *err)
{
	_cleanup_fd_ int dir_fd = -1, target_fd = -1, tree_fd = -1;
	const char *name;
	int r;

	dir_fd = bind_check_open_own_parent(rootfs, "/dev/console", &name, err);
	if (dir_fd < 0)
		return dir_fd;
	r = bind_check_own(rootfs, dir_fd, "/dev/console", err);
	if (r < 0)
		return r;
	target_fd = k_openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0620);
	if (target_fd < 0 && target_fd != -EEXIST)
		return err_system(err, target_fd, "cannot make /dev/console");
	fd_close(&target_fd);
	target_fd = k_openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	tree_fd = k_open_tree(slave_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	r = target_fd < 0 ? target_fd : tree_fd;
	if (r >= 0)
		r = k_move_mount(tree_fd, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	return r < 0 ? err_system(err, r, "cannot bind the terminal on /dev/console") : 0;
}

int tty_open(struct rootfs *rootfs, const struct plan_step *console, struct err *err)
{
	struct window window = {.rows = console->u.console.size.height,
				.columns = console->u.console.size.width};
	_cleanup_fd_ int master_fd = open_master(rootfs, err);
	_cleanup_fd_ int slave_fd = -1;
	int r;

	if (master_fd < 0)
		return master_fd;
	slave_fd = open_slave(master_fd, err);
	if (slave_fd < 0)
		return slave_fd;
	if (console->u.console.size.is_set) {
		r = k_ioctl(master_fd, TIOCSWINSZ, &window);
		if (r < 0)
			return err_system(err, r, "cannot set the size of the terminal");
	}
	r = k_fchownat(slave_fd, "", console->u.console.uid, (gid_t)-1, AT_EMPTY_PATH);
	if (r < 0 && r != -EPERM)
		return err_system(err, r, "cannot give the terminal to the container's user");
	if (console->u.console.has_console_file) {
		r = show_console(rootfs, slave_fd, err);
		if (r < 0)
			return r;
	}
	r = console->u.console.is_controlling ? k_ioctl(slave_fd, TIOCSCTTY, NULL) : 0;
	for (int fd = 0; r >= 0 && fd < 3; fd++)
		r = k_dup3(slave_fd, fd, 0);
	if (r < 0)
		return err_system(err, r, "cannot make the terminal the controlling terminal");
	return take_fd(&master_fd);
}
