/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tare/sys.h>

#include "parent.h"

#define ID_LINES 340 /* user_namespaces(7) */

static void format_ranges(const struct plan *plan, struct plan_table table, struct buf *text)
{
	const struct plan_id_range *ranges = plan_rows(plan, table);

	for (uint32_t i = 0; i < table.count; i++)
		buf_format(text, "%u %u %u\n", ranges[i].container_id, ranges[i].host_id, ranges[i].size);
}

static int write_proc(int proc_fd, pid_t pid, const char *name, const char *text, size_t len)
{
	char path[48];

	str_format(path, sizeof path, "%d/%s", pid, name);
	return io_write_file(proc_fd, path, text, len);
}

/*
 * newuidmap(1), newgidmap(1): what an unprivileged caller may map beyond its own id, by /etc/subuid. Runs the
 * program and waits for it.
 */
static int run_mapper(const char *program, pid_t pid, const struct plan *plan, struct plan_table table)
{
	const struct plan_id_range *ranges = plan_rows(plan, table);
	_cleanup_free_ char **args = mem_alloc((table.count * 3 + 3) * sizeof *args);
	size_t count = 0;
	siginfo_t info = {0};
	pid_t child, self = k_getpid();

	args[count++] = mem_dup(program);
	args[count++] = mem_format("%d", pid);
	for (uint32_t i = 0; i < table.count; i++) {
		args[count++] = mem_format("%u", ranges[i].container_id);
		args[count++] = mem_format("%u", ranges[i].host_id);
		args[count++] = mem_format("%u", ranges[i].size);
	}
	child = fork();
	if (child == 0) {
		child_die_with(self);
		execvp(program, args);
		_exit(127);
	}
	while (count > 0)
		mem_free(&args[--count]);
	if (child < 0 || k_waitid(P_PID, child, &info, WEXITED) < 0)
		return -ECHILD;
	return info.si_code == CLD_EXITED && info.si_status == 0 ? 0 : info.si_status == 127 ? -ENOENT : -EPERM;
}

static int write_map(int proc_fd, pid_t pid, const struct plan *plan, struct plan_table table, bool is_gid)
{
	const char *program = is_gid ? "newgidmap" : "newuidmap";
	_cleanup_buf_ struct buf text = {0};
	int r;

	buf_add(&text, "", 0);
	format_ranges(plan, table, &text);
	r = write_proc(proc_fd, pid, is_gid ? "gid_map" : "uid_map", text.data, text.len);
	if (r == -EINVAL && (table.count > ID_LINES || text.len >= (size_t)sysconf(_SC_PAGESIZE)))
		return -E2BIG;
	return r == -EPERM ? run_mapper(program, pid, plan, table) : r;
}

static int explain(int r, const char *what, struct err *err)
{
	err_system(err, r == -E2BIG ? -EINVAL : r, "cannot write the %s map of the user namespace", what);
	if (r == -ENOENT)
		err_hint(err, "new%smap is not installed (package uidmap)", what);
	else if (r == -EPERM)
		err_hint(err, "the ids have to be the caller's own or in /etc/sub%s", what);
	else if (r == -E2BIG)
		err_hint(err, "the kernel takes at most %d ranges, as lines of less than %ld bytes together",
			 ID_LINES, sysconf(_SC_PAGESIZE));
	else if (r == -EINVAL)
		err_hint(err, "ranges overlap, or hold ids that this user namespace does not have");
	return r;
}

int idmap_write(int proc_fd, pid_t pid, const struct plan *plan, const struct plan_maps *maps, struct err *err)
{
	int r;

	if (maps->deny_setgroups) {
		r = write_proc(proc_fd, pid, "setgroups", "deny", 4);
		if (r < 0)
			return err_system(err, r, "cannot deny setgroups in the user namespace");
	}
	r = write_map(proc_fd, pid, plan, maps->uid, false);
	if (r < 0)
		return explain(r, "uid", err);
	r = write_map(proc_fd, pid, plan, maps->gid, true);
	return r < 0 ? explain(r, "gid", err) : 0;
}

/* The lines of user_namespaces(7) as ranges, at most max of them; how many there are. */
static size_t parse_map(const char *text, struct plan_id_range *ret, size_t max)
{
	size_t count = 0;

	while (count < max && *text != '\0') {
		uint32_t *const members[] = {&ret[count].container_id, &ret[count].host_id, &ret[count].size};

		for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
			uint64_t value = 0;

			for (text += strspn(text, " \n"); *text >= '0' && *text <= '9'; text++)
				value = value * 10 + (uint64_t)(*text - '0');
			*members[i] = (uint32_t)value;
		}
		text += strspn(text, " \n");
		count++;
	}
	return count;
}

static bool has_range(const struct plan_id_range *ranges, size_t count, const struct plan_id_range *wanted)
{
	for (size_t i = 0; i < count; i++)
		if (ranges[i].container_id == wanted->container_id && ranges[i].host_id == wanted->host_id &&
		    ranges[i].size == wanted->size)
			return true;
	return false;
}

/* The kernel sorts them where there are more than five. */
static int compare_map(int proc_fd, pid_t pid, const struct plan *plan, struct plan_table table, bool is_gid,
		       struct err *err)
{
	const struct plan_id_range *wanted = plan_rows(plan, table);
	const char *name = is_gid ? "gid" : "uid";
	struct plan_id_range actual[ID_LINES];
	_cleanup_buf_ struct buf text = {0};
	char path[48];
	size_t count;
	bool is_same;
	int r;

	if (table.count == 0)
		return 0;
	str_format(path, sizeof path, "%d/%s_map", pid, name);
	r = io_read_file(proc_fd, path, 1 << 16, &text);
	if (r < 0)
		return err_system(err, r, "cannot read the %s map of the user namespace", name);
	count = parse_map(text.data == NULL ? "" : text.data, actual, ARRAY_SIZE(actual));
	is_same = count == table.count;
	for (uint32_t i = 0; is_same && i < table.count; i++)
		is_same = has_range(actual, count, &wanted[i]);
	if (is_same)
		return 0;
	r = err_set(err, ERR_CONFIG, 0, NULL, "the user namespace that is joined has another %s map", name);
	err_hint(err, "leave the mappings away, or give those of the namespace");
	return r;
}

int idmap_compare(int proc_fd, pid_t pid, const struct plan *plan, const struct plan_maps *maps,
		  struct err *err)
{
	int r = compare_map(proc_fd, pid, plan, maps->uid, false, err);

	return r < 0 ? r : compare_map(proc_fd, pid, plan, maps->gid, true, err);
}

int idmap_open(const struct plan *plan, const struct plan_maps *maps, struct err *err)
{
	struct clone_args args = {.flags = CLONE_NEWUSER | CLONE_PIDFD, .exit_signal = SIGCHLD};
	_cleanup_fd_ int proc_fd = mount_open_proc(err), fd = -1;
	int pidfd = -1, self = k_getpid(), r;
	char path[48];
	long pid;

	if (proc_fd < 0)
		return proc_fd;
	/* The namespace lives as long as a process in it, or a descriptor of it. */
	args.pidfd = (uint64_t)(uintptr_t)&pidfd;
	pid = k_clone3(&args);
	if (pid == 0) {
		/* Among them are the caller's output and the lock of the container. */
		k_close_range(0, ~0u, 0);
		child_die_with(self);
		while (true)
			k_ppoll(NULL, 0, NULL, NULL);
	}
	if (pid < 0)
		return err_system(err, (int)pid, "cannot make a user namespace for idmapped mounts");
	r = idmap_write(proc_fd, (pid_t)pid, plan, maps, err);
	if (r >= 0) {
		str_format(path, sizeof path, "%ld/ns/user", pid);
		fd = k_openat(proc_fd, path, O_RDONLY | O_CLOEXEC, 0);
		if (fd < 0)
			r = err_system(err, fd, "cannot open the user namespace for idmapped mounts");
	}
	k_pidfd_send_signal(pidfd, SIGKILL);
	k_waitid(P_PIDFD, pidfd, NULL, WEXITED);
	k_close(pidfd);
	return r < 0 ? r : take_fd(&fd);
}
