/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a function in a child that has exited afterwards. */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tare/probe.h>

/* --- in the child --- */

/*
 * As child_die_with, but also in a new pid namespace, where the parent has no pid: the parent has the only
 * descriptor of the pipe's other end.
 */
static void die_with_reader(int write_fd)
{
	struct pollfd poll_fd = {.fd = write_fd};
	struct timespec now = {0};

	(void)k_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (k_ppoll(&poll_fd, 1, &now, NULL) != 0)
		k_exit(1);
}

static int write_map(const char *file, unsigned int id)
{
	char line[48];
	int len = str_format(line, sizeof line, "%u %u 1\n", id, id);

	return io_write_file(AT_FDCWD, file, line, (size_t)len);
}

/* user_namespaces(7): an unprivileged process may map only its own ids, the group after a "deny". */
static int map_ids(unsigned int uid, unsigned int gid, struct err *err)
{
	int r = io_write_file(AT_FDCWD, "/proc/self/setgroups", "deny", 4);

	if (r >= 0)
		r = write_map("/proc/self/uid_map", uid);
	if (r >= 0)
		r = write_map("/proc/self/gid_map", gid);
	return r < 0 ? err_system(err, r, "cannot write the id maps of a user namespace") : 0;
}

struct start {
	const struct probe_trial *trial;
	unsigned int uid, gid; /* of the caller; in a user namespace without maps they are unknown */
	int read_fd, write_fd;
};

__attribute__((noreturn)) static void carry_out(const struct start *start)
{
	struct err finding = {.kind = ERR_NONE};
	int r = 0;

	k_close(start->read_fd);
	die_with_reader(start->write_fd);
	if ((start->trial->namespaces & CLONE_NEWUSER) != 0)
		r = map_ids(start->uid, start->gid, &finding);
	if (r >= 0)
		r = start->trial->run(start->trial->context, &finding);
	if (r < 0 && finding.kind == ERR_NONE)
		err_system(&finding, r, "a trial has failed");
	(void)!io_write_all(start->write_fd, &finding, sizeof finding);
	k_exit(0);
}

/* --- in the parent --- */

static int explain(long r, uint64_t namespaces, struct err *err)
{
	err_system(err, (int)r,
		   namespaces == 0               ? "cannot make a process"
		   : namespaces == CLONE_NEWUSER ? "cannot make a user namespace"
						 : "cannot make namespaces");
	probe_hint_namespaces((int)r, namespaces, err);
	return (int)r;
}

int probe_try(const struct probe_trial *trial, struct err *err)
{
	struct clone_args args = {.flags = trial->namespaces, .exit_signal = SIGCHLD};
	struct start start = {.trial = trial, .uid = geteuid(), .gid = getegid()};
	_cleanup_fd_ int read_fd = -1, write_fd = -1;
	ssize_t len;
	long pid;
	int fds[2], r = k_pipe2(fds, O_CLOEXEC);

	*err = (struct err){.kind = ERR_NONE};
	if (r < 0)
		return err_system(err, r, "cannot make a pipe for a trial");
	read_fd = start.read_fd = fds[0];
	write_fd = start.write_fd = fds[1];
	pid = trial->namespaces == 0 ? fork() : k_clone_any(&args);
	if (pid == 0)
		carry_out(&start);
	if (pid < 0)
		return explain(trial->namespaces == 0 ? -errno : pid, trial->namespaces, err);
	fd_close(&write_fd);
	do
		len = k_read(read_fd, err, sizeof *err);
	while (len == -EINTR);
	k_waitid(P_PID, (int)pid, NULL, WEXITED);
	if (len != (ssize_t)sizeof *err) {
		err_set(err, ERR_PEER, 0, NULL, "the process of a trial was killed");
		return -ECHILD;
	}
	return err->kind == ERR_NONE ? 0 : err->errnum > 0 ? -err->errnum : -EINVAL;
}
