/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facts about this machine and the caller that every start needs. Process: the parent, in the caller's
 * namespaces.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "private.h"

static int probe_kernel(struct host *host, struct err *err)
{
	struct utsname name;
	uint64_t numbers[2] = {0};
	const char *at;

	if (uname(&name) < 0)
		return err_system(err, errno, "cannot read the kernel's version");
	str_format(host->machine, sizeof host->machine, "%s", name.machine);
	at = name.release;
	for (int i = 0; i < 2; i++) {
		for (; *at >= '0' && *at <= '9' && numbers[i] < 10000; at++)
			numbers[i] = numbers[i] * 10 + (uint64_t)(*at - '0');
		at += *at == '.';
	}
	host->kernel_major = (int)numbers[0];
	host->kernel_minor = (int)numbers[1];
	host->page_size = sysconf(_SC_PAGESIZE);
	if (numbers[0] < 5 || (numbers[0] == 5 && numbers[1] < 14))
		return err_set(err, ERR_UNSUPPORTED, 0, NULL, "Linux 5.14 or newer is needed, this is %s",
			       name.release);
	return 0;
}

static int probe_identity(struct host *host, struct err *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	int r;

	host->euid = geteuid();
	host->egid = getegid();
	r = k_capget(&header, data);
	if (r < 0)
		return err_system(err, r, "cannot read the caller's capabilities");
	host->capabilities = data[0].effective | (uint64_t)data[1].effective << 32;
	host->is_privileged = host->capabilities >> CAP_SYS_ADMIN & 1;
	/* Linux 5.14 always has CAP_CHECKPOINT_RESTORE (since 5.9), the last one that libcap 2.66 knows. */
	host->last_capability = CAP_CHECKPOINT_RESTORE;
	while (host->last_capability < capability_last() &&
	       k_prctl(PR_CAPBSET_READ, (unsigned long)host->last_capability + 1, 0, 0, 0) >= 0)
		host->last_capability++;
	return 0;
}

/*
 * Whether the caller's user namespace owns its mount namespace: open_tree(2), for example, needs CAP_SYS_ADMIN
 * in the owner. NS_GET_USERNS, EPERM: the owner is not this user namespace (ioctl_ns(2)).
 */
static int probe_mount_owner(struct host *host, const struct stat *own, struct err *err)
{
	_cleanup_fd_ int fd = k_openat(AT_FDCWD, "/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC, 0);
	_cleanup_fd_ int owner_fd = fd < 0 ? fd : k_ioctl(fd, NS_GET_USERNS, NULL);
	struct stat owner;
	int r = owner_fd < 0 ? owner_fd : k_fstat(owner_fd, &owner);

	host->is_mounting = r >= 0 && owner.st_ino == own->st_ino && owner.st_dev == own->st_dev;
	return r < 0 && r != -EPERM
		       ? err_system(err, r, "cannot find the owner of the caller's mount namespace")
		       : 0;
}

static int probe_user_ns(struct host *host, struct err *err)
{
	struct stat st;
	int r = k_fstatat(AT_FDCWD, "/proc/self/ns/user", &st, 0);

	if (r < 0)
		err_system(err, r, "cannot read /proc");
	if (r == -ENOENT)
		err_hint(err, "a procfs has to be mounted on /proc");
	if (r < 0)
		return r;
	host->is_in_user_ns = st.st_ino != USER_NS_INITIAL;
	host->is_mounting = host->is_privileged;
	if (host->is_in_user_ns && host->is_privileged)
		return probe_mount_owner(host, &st, err);
	return 0;
}

static void read_gids(struct host *host, const char *map)
{
	struct id_map_line line;

	for (uint32_t i = 0; id_map_next(&map, &line); i++) {
		host->gid_range_count = i < HOST_RANGES ? i + 1 : 0;
		if (i == HOST_RANGES)
			return;
		host->gids[i] = (struct host_range){(uint32_t)line.first, (uint32_t)line.size};
	}
}

static int count_groups(struct host *host, struct err *err)
{
	int count = k_getgroups(0, NULL);
	_cleanup_free_ gid_t *groups = mem_alloc((size_t)(count < 0 ? 0 : count + 1) * sizeof *groups);

	if (count >= 0)
		count = k_getgroups(count, groups);
	if (count < 0)
		return err_system(err, count, "cannot read the caller's groups");
	for (int i = 0; i < count; i++)
		host->other_groups += groups[i] != host->egid;
	return 0;
}

int host_probe_setgroups(struct host *host, struct err *err)
{
	char answer[16];
	int r = io_read_small(AT_FDCWD, "/proc/self/setgroups", 0, answer, sizeof answer);

	if (r < 0)
		return err_system(err, r, "cannot read /proc/self/setgroups");
	host->is_setgroups_denied = str_has_prefix(answer, "deny");
	return 0;
}

static int probe_groups(struct host *host, struct err *err)
{
	_cleanup_buf_ struct buf gid_map = {0};
	int r;

	r = count_groups(host, err);
	if (r < 0 || !host->is_in_user_ns)
		return r;
	r = host_probe_setgroups(host, err);
	if (r < 0)
		return r;
	r = io_read_file(AT_FDCWD, "/proc/self/gid_map", 1 << 16, &gid_map);
	if (r < 0)
		return err_system(err, r, "cannot read /proc/self/gid_map");
	read_gids(host, gid_map.data);
	return 0;
}

/*
 * cgroups(7): each line is "id:controllers:path", that of the v2 hierarchy is "0::path". A path that begins
 * with "/.." is outside of the caller's cgroup namespace, and one with " (deleted)" was removed: no cgroup can
 * be created below either of them.
 */
static void read_own_cgroup(struct host *host, char *text)
{
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		const char *controllers = strchr(line, ':');
		const char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');

		if (path == NULL)
			continue;
		if (!str_has_prefix(line, "0::"))
			host->is_cgroup_hybrid |= path != controllers + 1 &&
						  !str_has_prefix(controllers, ":name=");
		else if (strlen(++path) < sizeof host->cgroup_own && !str_has_prefix(path, "/..") &&
			 strstr(path, " (deleted)") == NULL)
			str_format(host->cgroup_own, sizeof host->cgroup_own, "%s", path);
	}
}

/* Whether the caller may write to the file or directory: 1, 0 or -errno. */
static int is_writable(const char *path, int mode)
{
	int r = k_faccessat2(AT_FDCWD, path, mode, AT_EACCESS);

	if (r == -EACCES || r == -EPERM || r == -EROFS || r == -ENOENT)
		return 0;
	return r < 0 ? r : 1;
}

/*
 * Whether the caller may make cgroups in a cgroup, and start processes in them from a cgroup below it
 * (cgroups(7), "Delegation containment"): 1, 0 or -errno with *err.
 */
static int is_delegated(const struct host *host, const char *cgroup, struct err *err)
{
	char path[sizeof host->cgroup_mount + sizeof host->cgroup_own + sizeof "/cgroup.procs"];
	int r;

	str_format(path, sizeof path, "%s%s", host->cgroup_mount, cgroup);
	r = is_writable(path, W_OK | X_OK);
	if (r <= 0)
		return r < 0 ? err_system(err, r, "cannot inspect cgroup '%s/'", cgroup) : r;
	str_format(path, sizeof path, "%s%s/cgroup.procs", host->cgroup_mount, cgroup);
	r = is_writable(path, W_OK);
	return r < 0 ? err_system(err, r, "cannot inspect cgroup.procs of cgroup '%s/'", cgroup) : r;
}

/* Beside the caller's cgroup or, if a caller that is not root may not make cgroups there, in it. */
static int probe_cgroup_parent(struct host *host, struct err *err)
{
	char *slash;
	int r;

	str_format(host->cgroup_parent, sizeof host->cgroup_parent, "%s", host->cgroup_own);
	slash = strrchr(host->cgroup_parent, '/');
	if (slash == NULL)
		return 0;
	*slash = '\0';
	if (host->is_privileged && !host->is_in_user_ns)
		return 0;
	r = is_delegated(host, host->cgroup_parent, err);
	if (r == 0) {
		r = is_delegated(host, host->cgroup_own, err);
		if (r > 0)
			*slash = '/';
	}
	host->is_cgroup_delegated = r > 0;
	return r < 0 ? r : 0;
}

static int probe_cgroup(struct host *host, struct err *err)
{
	static const char *const usual[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	_cleanup_buf_ struct buf text = {0};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(usual) && host->cgroup_mount[0] == '\0'; i++)
		if (host_is_cgroup2(usual[i], &host->is_cgroup_readonly))
			str_format(host->cgroup_mount, sizeof host->cgroup_mount, "%s", usual[i]);
	if (host->cgroup_mount[0] == '\0')
		r = host_search_cgroup2(host, err);
	if (r < 0)
		return r;
	if (host->cgroup_mount[0] != '\0' && io_read_file(AT_FDCWD, "/proc/self/cgroup", 1 << 20, &text) == 0)
		read_own_cgroup(host, text.data);
	host->is_cgroup_hybrid |= str_equal(host->cgroup_mount, usual[1]);
	return probe_cgroup_parent(host, err);
}

int host_probe_caller(struct host *ret_host, struct err *err)
{
	memset(ret_host, 0, sizeof *ret_host);
	return probe_identity(ret_host, err);
}

int host_probe(struct host *ret_host, struct err *err)
{
	int r;

	memset(ret_host, 0, sizeof *ret_host);
	r = probe_kernel(ret_host, err);
	if (r >= 0)
		r = probe_identity(ret_host, err);
	if (r >= 0)
		r = probe_user_ns(ret_host, err);
	if (r >= 0)
		r = probe_groups(ret_host, err);
	return r < 0 ? r : probe_cgroup(ret_host, err);
}
