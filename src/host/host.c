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
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <tare/host.h>

#define INITIAL_USER_NS 4026531837ull /* PROC_USER_INIT_INO of <linux/proc_ns.h>: part of the kernel's ABI */

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
	/*
	 * The same number as /proc/sys/kernel/cap_last_cap, for one system call instead of three: Linux 5.14
	 * always has CAP_CHECKPOINT_RESTORE (since 5.9), so the search begins there.
	 */
	host->last_capability = CAP_CHECKPOINT_RESTORE;
	while (k_prctl(PR_CAPBSET_READ, (unsigned long)host->last_capability + 1, 0, 0, 0) >= 0)
		host->last_capability++;
	return 0;
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
	host->is_in_user_ns = st.st_ino != INITIAL_USER_NS;
	return 0;
}

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return k_statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* Decodes the octal escapes of mountinfo (blank, tab, line feed and backslash) in place. */
static void unescape(char *text)
{
	char *out = text;

	for (; *text != '\0'; text++) {
		unsigned int value = 0;
		int digits = 0;

		while (text[0] == '\\' && digits < 3 && text[digits + 1] >= '0' && text[digits + 1] <= '7')
			value = value * 8 + (unsigned int)(text[++digits] - '0');
		*out++ = digits == 3 ? (char)value : *text;
		text += digits == 3 ? 3 : 0;
	}
	*out = '\0';
}

/* proc_pid_mountinfo(5): "id parent dev root mountpoint options [optional] - type source options". */
static void search_cgroup2(struct host *host)
{
	_cleanup_buf_ struct buf text = {0};
	char *rest = NULL;

	if (io_read_file(AT_FDCWD, "/proc/self/mountinfo", 16 << 20, &text) < 0)
		return;
	for (char *line = strtok_r(text.data, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		const char *type = strstr(line, " - cgroup2 ");
		char *field = NULL;

		for (int i = 0; type != NULL && i < 5; i++)
			field = strsep(&line, " ");
		if (field == NULL)
			continue;
		unescape(field);
		/* A later mount may cover this one, so check what the mount point shows now. */
		if (strlen(field) >= sizeof host->cgroup_mount || !is_cgroup2(field))
			continue;
		str_format(host->cgroup_mount, sizeof host->cgroup_mount, "%s", field);
		return;
	}
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

static void probe_cgroup(struct host *host)
{
	static const char *const usual[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	_cleanup_buf_ struct buf text = {0};

	for (size_t i = 0; i < ARRAY_SIZE(usual) && host->cgroup_mount[0] == '\0'; i++)
		if (is_cgroup2(usual[i]))
			str_format(host->cgroup_mount, sizeof host->cgroup_mount, "%s", usual[i]);
	if (host->cgroup_mount[0] == '\0')
		search_cgroup2(host);
	if (host->cgroup_mount[0] != '\0' && io_read_file(AT_FDCWD, "/proc/self/cgroup", 1 << 20, &text) == 0)
		read_own_cgroup(host, text.data);
	host->is_cgroup_hybrid |= str_equal(host->cgroup_mount, usual[1]);
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
	struct statfs fs;
	int type;

	*found = (struct host_namespace){.is_probed = true};
	if (fd < 0) {
		found->errnum = -fd;
		return;
	}
	/*
	 * Only for a namespace file: other files, a device for example, may give this ioctl number another
	 * meaning.
	 */
	type = k_fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC ? k_ioctl(fd, NS_GET_NSTYPE, NULL) : -ENOTTY;
	found->actual_type = type < 0 ? 0 : type;
	if (type >= 0 && k_fstat(fd, &st) == 0 && k_fstatat(AT_FDCWD, own[ns], &own_st, 0) == 0)
		found->is_own = st.st_dev == own_st.st_dev && st.st_ino == own_st.st_ino;
}
