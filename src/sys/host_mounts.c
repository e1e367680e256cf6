/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hides the host's procfs and sysfs mounts when pivot_root(2) is not used (--no-pivot). The host's mounts then
 * stay in the container's mount namespace, below its root. No path leads to them, but the kernel allows a
 * process in a new user namespace to mount a procfs or sysfs if the mount namespace has one anywhere that is
 * not covered (mount_namespaces(7), "mount_too_revealing" in fs/namespace.c), and that new one would have no
 * masks. So the host's are unmounted, or covered if they are locked.
 *
 * Process: init, at the pivot, with the host's root as its root directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <string.h>

#include <tare/sys.h>

#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif
#define TABLE_MAX (64 << 20) /* bytes of mountinfo; pages that are not used cost no memory */

struct text {
	const char *at;
	size_t len;
};

/* A line of /proc/PID/mountinfo, proc_pid_mountinfo(5). */
struct entry {
	uint64_t id, parent;
	struct text root, point, type;
};

struct table {
	char *text;
	size_t len;
	int top_fd; /* root of the topmost mount of the namespace */
	struct place_identity top, own;
};

/* --- the table --- */

static struct text next_field(const char **at, const char *end)
{
	struct text field = {*at, 0};

	while (field.at + field.len < end && field.at[field.len] != ' ')
		field.len++;
	*at = field.at + field.len + (field.at + field.len < end);
	return field;
}

static uint64_t to_number(struct text field)
{
	uint64_t number = 0;

	for (size_t i = 0; i < field.len && field.at[i] >= '0' && field.at[i] <= '9'; i++)
		number = number * 10 + (uint64_t)(field.at[i] - '0');
	return number;
}

static bool is_text(struct text field, const char *text)
{
	return field.len == strlen(text) && strncmp(field.at, text, field.len) == 0;
}

static bool is_same(struct text a, struct text b)
{
	return a.len == b.len && strncmp(a.at, b.at, a.len) == 0;
}

/* Whether a lookup of path passes the mount point. */
static bool is_on_the_way(struct text point, struct text path)
{
	size_t len = is_text(point, "/") ? 0 : point.len;

	return len <= path.len && strncmp(point.at, path.at, len) == 0 &&
	       (len == path.len || path.at[len] == '/');
}

static bool next_entry(const struct table *table, size_t *at, struct entry *ret)
{
	const char *field = table->text + *at, *end = field;

	if (*at >= table->len)
		return false;
	while (end < table->text + table->len && *end != '\n')
		end++;
	*at = (size_t)(end - table->text) + 1;
	ret->id = to_number(next_field(&field, end));
	ret->parent = to_number(next_field(&field, end));
	(void)next_field(&field, end);
	ret->root = next_field(&field, end);
	ret->point = next_field(&field, end);
	while (field < end && !is_text(next_field(&field, end), "-"))
		;
	ret->type = next_field(&field, end);
	return true;
}

static bool find_entry(const struct table *table, uint64_t id, struct entry *ret)
{
	size_t at = 0;

	while (next_entry(table, &at, ret))
		if (ret->id == id)
			return true;
	return false;
}

static int read_table(const struct rootfs *rootfs, int32_t slot, struct table *table)
{
	_cleanup_fd_ int fd = process_open_self(rootfs->slot_base + slot, "mountinfo", O_RDONLY);
	ssize_t len = fd;

	table->len = 0;
	while (len >= 0 && table->len < TABLE_MAX) {
		len = k_read(fd, table->text + table->len, TABLE_MAX - table->len);
		if (len == 0)
			return 0;
		table->len += len > 0 ? (size_t)len : 0;
	}
	return len < 0 ? (int)len : -EFBIG;
}

/* --- the mounts to hide --- */

static bool is_own(const struct table *table, struct entry entry)
{
	while (entry.id != table->own.mount)
		if (entry.id == entry.parent || !find_entry(table, entry.parent, &entry))
			return false;
	return true;
}

static bool is_covered(const struct table *table, const struct entry *entry)
{
	struct entry other;
	size_t at = 0;

	while (next_entry(table, &at, &other))
		if (other.parent == entry->id && is_same(other.point, entry->point))
			return true;
	return false;
}

/* The next procfs or sysfs of the host that is mounted from its root and that no mount covers. */
static bool next_revealing(const struct table *table, size_t *at, struct entry *ret)
{
	while (next_entry(table, at, ret))
		if ((is_text(ret->type, "proc") || is_text(ret->type, "sysfs")) && is_text(ret->root, "/") &&
		    !is_covered(table, ret) && !is_own(table, *ret))
			return true;
	return false;
}

static void unescape(struct text from, char *to)
{
	for (size_t i = 0; i < from.len; i++) {
		const char *c = from.at + i;

		if (*c == '\\' && i + 3 < from.len) {
			*to++ = (char)((c[1] - '0') * 64 + (c[2] - '0') * 8 + (c[3] - '0'));
			i += 3;
		} else {
			*to++ = *c;
		}
	}
	*to = '\0';
}

/* Opens the mount by its path. -ESTALE: the path leads to another mount, which covers this one. */
static int open_mount(const struct table *table, const struct entry *entry)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_fd_ int fd = -1;
	struct place_identity identity;
	char path[4096];
	int r;

	if (entry->point.len >= sizeof path)
		return -ENAMETOOLONG;
	unescape(entry->point, path);
	fd = k_openat2(table->top_fd, path, &how);
	r = fd < 0 ? fd : place_identify(fd, &identity);
	if (r >= 0 && identity.mount != entry->id)
		r = -ESTALE;
	return r < 0 ? r : take_fd(&fd);
}

static int unmount(const struct table *table, const struct entry *entry)
{
	_cleanup_fd_ int fd = open_mount(table, entry);
	int r = fd < 0 ? fd : k_fchdir(fd);

	return r < 0 ? r : k_umount2(".", MNT_DETACH);
}

/* Unmounts the mount, or one that covers a directory of its path. The table lists covering mounts later. */
static int unmount_one(const struct table *table, const struct entry *entry)
{
	struct entry other;
	size_t at = 0;
	int r = unmount(table, entry);

	while (r < 0 && next_entry(table, &at, &other))
		if (other.id != table->top.mount && other.id != table->own.mount &&
		    is_on_the_way(other.point, entry->point) && !is_own(table, other) &&
		    unmount(table, &other) >= 0)
			r = 0;
	return r;
}

static int cover_one(struct rootfs *rootfs, const struct table *table, const struct entry *entry)
{
	_cleanup_fd_ int fd = open_mount(table, entry);

	return fd < 0 ? fd : rootfs_attach_empty(rootfs, fd);
}

static int hide_one(struct rootfs *rootfs, const struct table *table, const struct entry *entry,
		    struct err *err)
{
	char path[4096] = "?";
	int r = unmount_one(table, entry);

	if (r < 0)
		r = cover_one(rootfs, table, entry);
	if (r >= 0)
		return 0;
	if (entry->point.len < sizeof path)
		unescape(entry->point, path);
	r = err_system(err, r, "cannot unmount or cover the host's '%s' in the container's mount namespace",
		       path);
	err_hint(err, "with --no-pivot it stays mounted, and the kernel would then let the container mount a "
		      "procfs or sysfs "
		      "without masks");
	return r;
}

/* --- the host's root --- */

/* The topmost directory that ".." leads to: outside of a chroot(2) in which tare runs are mounts, too. */
static int open_top(int from_fd)
{
	_cleanup_fd_ int fd = k_fcntl(from_fd, F_DUPFD_CLOEXEC, 0);
	struct place_identity here, above;
	int r = fd < 0 ? fd : place_identify(fd, &here);

	while (r >= 0) {
		_cleanup_fd_ int up_fd = k_openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

		r = up_fd < 0 ? up_fd : place_identify(up_fd, &above);
		if (r < 0)
			return r;
		if (above.mount == here.mount && above.inode == here.inode && above.device == here.device)
			return take_fd(&up_fd);
		here = above;
		k_close(fd);
		fd = take_fd(&up_fd);
	}
	return r;
}

/* Makes the topmost directory the root directory and the working directory of this process. */
static int enter_top(struct rootfs *rootfs, struct table *table)
{
	_cleanup_fd_ int root_fd = k_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	int r = root_fd < 0 ? root_fd : k_fchdir(rootfs->fd);

	/* With its root directory elsewhere, ".." from root_fd is not stopped at the old root directory. */
	if (r >= 0)
		r = k_chroot(".");
	table->top_fd = r < 0 ? r : open_top(root_fd);
	r = table->top_fd < 0 ? table->top_fd : place_identify(table->top_fd, &table->top);
	if (r >= 0)
		r = place_identify(rootfs->fd, &table->own);
	if (r >= 0)
		r = k_fchdir(table->top_fd);
	return r < 0 ? r : k_chroot(".");
}

/* If another mount covers the host's root, mountinfo does not list the mounts below that root. */
static int check_top(const struct table *table, const struct place_identity *root, struct err *err)
{
	struct entry entry;

	if (find_entry(table, root->mount, &entry) && find_entry(table, table->own.mount, &entry))
		return 0;
	err_system(err, EBUSY, "cannot find the host's mounts in the container's mount namespace");
	err_hint(err, "--no-pivot needs a host without a mount over its root directory");
	return -EBUSY;
}

static int hide_all(struct rootfs *rootfs, int32_t proc_slot, struct table *table, struct err *err)
{
	struct place_identity root;
	struct entry entry;
	int r = place_identify(AT_FDCWD, &root);

	if (r >= 0)
		r = enter_top(rootfs, table);
	if (r >= 0)
		r = k_move_mount(rootfs->fd, "", table->top_fd, "",
				 MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	if (r < 0)
		return err_system(err, r, "cannot move the root file system to '/'");
	while (true) {
		size_t at = 0;

		r = read_table(rootfs, proc_slot, table);
		if (r < 0)
			return err_system(err, r, "cannot read the mounts of the container's mount namespace");
		r = check_top(table, &root, err);
		if (r < 0 || !next_revealing(table, &at, &entry))
			return r;
		r = hide_one(rootfs, table, &entry, err);
		if (r < 0)
			return r;
	}
}

int host_mounts_hide(struct rootfs *rootfs, int32_t proc_slot, struct err *err)
{
	struct table table = {.top_fd = -1};
	long at = k_call6(__NR_mmap, 0, TABLE_MAX, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int r;

	if (at < 0 && at > -4096)
		return err_system(err, (int)at, "cannot map the table of mounts");
	table.text = (char *)at;
	r = k_chdir("/");
	r = r < 0 ? err_system(err, r, "cannot change to the host's '/'")
		  : hide_all(rootfs, proc_slot, &table, err);
	fd_close(&table.top_fd);
	(void)k_call2(__NR_munmap, at, TABLE_MAX);
	return r;
}
