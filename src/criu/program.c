/* SPDX-License-Identifier: Apache-2.0 */
/* Executes criu(8). Process: the one that was called; the program is its child. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tare/criu.h>
#include <tare/kernel.h>

#define OUTPUT_MAX 65536
#define LOG_MAX (64 << 20)
#define STATUS_ABSENT 127

/* The first version with mounts that are moved into place, on which the restored mount flags depend. */
#define MAJOR_MIN 3
#define MINOR_MIN 17

/* --- what it needs --- */

/*
 * capabilities(7): with CAP_CHECKPOINT_RESTORE alone criu(8) writes and restores only processes that are in the
 * namespaces of the caller. A container is not.
 */
static int check_caller(struct err *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	int r = k_capget(&header, data);

	if (r < 0)
		return err_system(err, r, "cannot read the caller's capabilities");
	if ((data[0].effective >> CAP_SYS_ADMIN & 1) != 0)
		return 0;
	err_set(err, ERR_UNSUPPORTED, 0, NULL,
		"cannot use criu: it enters and makes the namespaces of a container, which needs "
		"CAP_SYS_ADMIN");
	err_hint(err, "checkpoint and restore as root");
	return -EOPNOTSUPP;
}

static int execute_version(const void *context, int output_fd)
{
	char *args[] = {(char[]){"criu"}, (char[]){"--version"}, NULL};

	(void)context;
	(void)k_dup3(output_fd, 1, 0);
	(void)k_dup3(output_fd, 2, 0);
	execvp(args[0], args);
	return errno == ENOENT ? STATUS_ABSENT : 126;
}

static int refuse(struct err *err, const char *reason)
{
	err_set(err, ERR_UNSUPPORTED, 0, NULL, "cannot use criu: %s", reason);
	err_hint(err, "install criu %d.%d or newer, in a directory of PATH", MAJOR_MIN, MINOR_MIN);
	return -EOPNOTSUPP;
}

static int check_version(struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	char *end = NULL;
	const char *at;
	long major, minor = 0;
	int r = child_read_output(execute_version, NULL, OUTPUT_MAX, &text);

	if (r < 0)
		return err_system(err, r, "cannot execute 'criu --version'");
	if (r == STATUS_ABSENT)
		return refuse(err, "it is not installed");
	at = r > 0 || text.data == NULL ? NULL : strstr(text.data, "Version: ");
	if (at == NULL)
		return refuse(err, "'criu --version' does not print its version");
	major = strtol(at + strlen("Version: "), &end, 10);
	if (*end == '.')
		minor = strtol(end + 1, NULL, 10);
	if (major < MAJOR_MIN || (major == MAJOR_MIN && minor < MINOR_MIN))
		return refuse(err, "its version is too old");
	return 0;
}

int criu_check(struct err *err)
{
	int r = check_version(err);

	return r < 0 ? r : check_caller(err);
}

/* --- the call --- */

/* The program mounts file systems to try out what the kernel can do: none of them reaches the host. */
static int enter(void)
{
	const uint64_t no_signals = 0;
	int r = k_sigprocmask(SIG_SETMASK, &no_signals, NULL);

	if (r >= 0)
		r = k_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (r >= 0)
		r = setpgid(0, 0) < 0 ? -errno : 0;
	return r;
}

static _Noreturn void become_criu(const struct criu_call *call, int output_fd)
{
	int r = enter();

	if (r >= 0 && call->prepare != NULL)
		r = call->prepare(call->context);
	if (r < 0)
		dprintf(output_fd, "cannot prepare its process: %s", ERRNO_TEXT(r));
	if (r >= 0)
		r = k_dup3(output_fd, 1, 0);
	if (r >= 0)
		r = k_dup3(output_fd, 2, 0);
	if (r < 0)
		_exit(1);
	fd_close(&(int){0});
	(void)!open("/dev/null", O_RDONLY);
	execvp("criu", call->args->v);
	dprintf(2, "cannot execute it: %s", ERRNO_TEXT(errno));
	_exit(1);
}

static int start(const struct criu_call *call, int output_fd, pid_t *ret_pid)
{
	struct clone_args args = {.flags = CLONE_NEWNS, .exit_signal = SIGCHLD};
	long pid;

	if (call->has_cgroup_ns)
		args.flags |= CLONE_NEWCGROUP;
	if (call->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)call->cgroup_fd;
	}
	pid = k_clone3(&args);
	if (pid == 0)
		become_criu(call, output_fd);
	*ret_pid = (pid_t)pid;
	return pid < 0 ? (int)pid : 0;
}

/* --- its errors --- */

/*
 * Errors after which the program continues: a caller without CAP_SYS_RESOURCE, and tools of which it tries
 * several.
 */
static bool is_harmless(const char *text, size_t len)
{
	static const char probe[] = " -V failed"; /* of a tool's version */

	return str_has_prefix(text, "rlimit: Can't setup RLIMIT_NOFILE") ||
	       str_has_prefix(text, "exited, status=") || str_has_prefix(text, "execvp(") ||
	       (len > sizeof probe && strncmp(text + len - strlen(probe), probe, strlen(probe)) == 0);
}

/* The text of the first line with an error, because later errors follow from it. */
static bool find_cause(const char *log, char *ret, size_t size)
{
	const char *line = log;

	while ((line = strstr(line, "Error (")) != NULL) {
		size_t len = strcspn(line, "\n");
		const char *text = strstr(line, "): "), *end = line + len;

		if (text != NULL && text < end && !is_harmless(text + 3, (size_t)(end - text - 3))) {
			str_format(ret, size, "%.*s", (int)(end - text - 3), text + 3);
			return true;
		}
		line = end;
	}
	return false;
}

static int fail(const struct criu_call *call, const char *output, struct err *err)
{
	_cleanup_free_ char *path = mem_format("%s/%s.log", call->dirs->work, call->action);
	_cleanup_buf_ struct buf log = {0};
	char cause[400];

	if (io_read_file(AT_FDCWD, path, LOG_MAX, &log) >= 0 && log.data != NULL &&
	    find_cause(log.data, cause, sizeof cause)) {
		err_set(err, ERR_SYSTEM, 0, NULL, "cannot %s: criu: %s", call->goal, cause);
		err_hint(err, "the whole log is %s", path);
	} else {
		str_format(cause, sizeof cause, "%.*s", (int)strcspn(output, "\n"), output);
		err_set(err, ERR_SYSTEM, 0, NULL, "cannot %s: criu: %s", call->goal,
			cause[0] == '\0' ? "it has failed without a message" : cause);
	}
	return -EIO;
}

/* Reads and drops what the program still writes: it would wait for a reader. */
static void drain(int fd)
{
	char block[4096];

	while (k_read(fd, block, sizeof block) > 0)
		continue;
}

int criu_run(const struct criu_call *call, struct err *err)
{
	_cleanup_fd_ int read_fd = -1, write_fd = -1;
	_cleanup_buf_ struct buf output = {0};
	_cleanup_free_ char *log = mem_format("%s/%s.log", call->dirs->work, call->action);
	siginfo_t info = {0};
	int fds[2], r = k_pipe2(fds, O_CLOEXEC);
	pid_t pid;

	if (r < 0)
		return err_system(err, r, "cannot make a pipe for criu");
	read_fd = fds[0];
	write_fd = fds[1];
	/* The log of an earlier call must not explain a failure of this one. */
	(void)!unlink(log);
	r = start(call, write_fd, &pid);
	if (r < 0)
		return err_system(err, r, "cannot start a process for criu");
	fd_close(&write_fd);
	buf_add_str(&output, "");
	(void)!io_read_fd(read_fd, OUTPUT_MAX, &output);
	drain(read_fd);
	if (k_waitid(P_PID, pid, &info, WEXITED) < 0)
		return err_system(err, ECHILD, "cannot wait for criu");
	if (info.si_code == CLD_EXITED && info.si_status == 0)
		return 0;
	return fail(call, output.data, err);
}
