/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <tare/host.h>

#define INITIAL_USER_NS 4026531837ull /* <linux/proc_ns.h> PROC_USER_INIT_INO: part of the kernel's ABI */

static int probe_kernel(struct host *host, struct err *err)
{
	struct utsname name;
	uint64_t numbers[2] = {0};
	const char *at;

	if (uname(&name) < 0)
		return err_system(err, errno, "cannot ask for the kernel's version");
	str_format(host->machine, sizeof host->machine, "%s", name.machine);
	at = name.release;
	for (int i = 0; i < 2; i++) {
		for (; *at >= '0' && *at <= '9' && numbers[i] < 10000; at++)
			numbers[i] = numbers[i] * 10 + (uint64_t)(*at - '0');
		at += *at == '.';
	}
	host->kernel_major = (int)numbers[0];
	host->kernel_minor = (int)numbers[1];
	if (numbers[0] < 5 || (numbers[0] == 5 && numbers[1] < 14))
		return err_set(err, ERR_UNSUPPORTED, 0, NULL, "Linux 5.14 or newer is needed, this is %s",
			       name.release);
	return 0;
}

static int probe_identity(struct host *host, struct err *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	struct stat st;
	char text[16];
	uint64_t last = 40;
	int r;

	host->euid = geteuid();
	host->egid = getegid();
	r = k_capget(&header, data);
	if (r < 0)
		return err_system(err, r, "cannot read the caller's capabilities");
	host->capabilities = data[0].effective | (uint64_t)data[1].effective << 32;
	host->is_privileged = host->capabilities >> CAP_SYS_ADMIN & 1;
	r = k_fstatat(AT_FDCWD, "/proc/self/ns/user", &st, 0);
	if (r < 0)
		return err_system(err, r, "cannot read /proc");
	host->is_in_user_ns = st.st_ino != INITIAL_USER_NS;
	r = io_read_small(AT_FDCWD, "/proc/sys/kernel/cap_last_cap", 0, text, sizeof text);
	if (r > 0) {
		text[strcspn(text, "\n")] = '\0';
		(void)str_to_u64(text, 63, &last);
	}
	host->last_capability = (int)last;
	return 0;
}

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return k_statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* proc_pid_mountinfo(5): "id parent dev root mountpoint options [optional] - type source options". */
static void search_cgroup2(struct host *host)
{
	_cleanup_buf_ struct buf text = {0};
	char *line, *rest = NULL;

	if (io_read_file(AT_FDCWD, "/proc/self/mountinfo", 4 << 20, &text) < 0)
		return;
	for (line = strtok_r(text.data, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		char *field = line;

		if (strstr(line, " - cgroup2 ") == NULL)
			continue;
		for (int i = 0; i < 4 && field != NULL; i++)
			field = strchr(field, ' ') == NULL ? NULL : strchr(field, ' ') + 1;
		if (field == NULL || strcspn(field, " \\") >= sizeof host->cgroup_mount)
			continue;
		str_format(host->cgroup_mount, sizeof host->cgroup_mount, "%.*s", (int)strcspn(field, " "),
			   field);
		return;
	}
}

static void probe_cgroup(struct host *host)
{
	static const char *const usual[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	_cleanup_buf_ struct buf text = {0};
	const char *own;

	for (size_t i = 0; i < ARRAY_SIZE(usual) && host->cgroup_mount[0] == '\0'; i++)
		if (is_cgroup2(usual[i]))
			str_format(host->cgroup_mount, sizeof host->cgroup_mount, "%s", usual[i]);
	if (host->cgroup_mount[0] == '\0')
		search_cgroup2(host);
	if (host->cgroup_mount[0] == '\0' || io_read_file(AT_FDCWD, "/proc/self/cgroup", 1 << 20, &text) < 0)
		return;
	host->is_cgroup_hybrid = !str_equal(host->cgroup_mount, usual[0]);
	/* cgroups(7): the v2 hierarchy is the line with id 0 and no controllers. */
	own = str_has_prefix(text.data, "0::") ? text.data : strstr(text.data, "\n0::");
	if (own == NULL)
		return;
	own = strchr(own, ':') + 2;
	str_format(host->cgroup_own, sizeof host->cgroup_own, "%.*s", (int)strcspn(own, "\n"), own);
}

int host_probe(struct host *ret_host, struct err *err)
{
	int r;

	memset(ret_host, 0, sizeof *ret_host);
	r = probe_kernel(ret_host, err);
	if (r >= 0)
		r = probe_identity(ret_host, err);
	if (r >= 0)
		probe_cgroup(ret_host);
	return r;
}

void host_probe_namespace(struct host *host, int ns, const char *path)
{
	static const char *const own[HOST_NS_COUNT] = {
		"/proc/self/ns/user", "/proc/self/ns/mnt", "/proc/self/ns/pid",    "/proc/self/ns/net",
		"/proc/self/ns/ipc",  "/proc/self/ns/uts", "/proc/self/ns/cgroup", "/proc/self/ns/time",
	};
	struct host_namespace *found = &host->namespaces[ns];
	_cleanup_fd_ int fd = k_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st, own_st;
	int type;

	found->is_probed = true;
	if (fd < 0) {
		found->errnum = -fd;
		return;
	}
	/* ioctl_ns(2): anything that is not a namespace does not know the request. */
	type = k_ioctl(fd, NS_GET_NSTYPE, NULL);
	found->actual_type = type < 0 ? 0 : type;
	if (type >= 0 && k_fstat(fd, &st) == 0 && k_fstatat(AT_FDCWD, own[ns], &own_st, 0) == 0)
		found->is_own = st.st_dev == own_st.st_dev && st.st_ino == own_st.st_ino;
}
