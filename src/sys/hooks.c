/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs hooks. Process: the parent for prestart, createRuntime, poststart and poststop hooks; init for
 * createContainer and startContainer hooks.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <tare/hooks.h>

#ifndef F_SETPIPE_SZ
#define F_SETPIPE_SZ 1031
#endif

#define OUTPUT_BLOCK 128
#define OUTPUT_REST (1 << 16) /* bytes: the capacity of a pipe */
#define STATE_MAX (1 << 20)   /* bytes: the capacity that a pipe can get (fcntl(2), F_SETPIPE_SZ) */

/* The end of a hook's output: programs usually print last why they fail. */
struct output {
	char text[256];
	size_t len;
};

/* Why a hook's program was not executed; sent over a pipe that execve(2) closes. */
struct failure {
	int errnum;
	bool is_of_directory;
};

struct child {
	int pidfd, state_fd, output_fd, failure_fd;
	int signal_fd;       /* of the caller */
	int64_t deadline_ms; /* CLOCK_MONOTONIC, 0: none */
	struct output output;
};

static void child_done(struct child *child)
{
	fd_close(&child->pidfd);
	fd_close(&child->state_fd);
	fd_close(&child->output_fd);
	fd_close(&child->failure_fd);
}

/*
 * Opens a pipe that already contains the whole state: a hook that does not read it can neither block this
 * process nor cause a SIGPIPE.
 */
static int prepare_state(const char *state, int *ret_fd, struct err *err)
{
	_cleanup_fd_ int read_fd = -1, write_fd = -1;
	size_t len = strlen(state);
	int fds[2], r;

	r = k_pipe2(fds, O_CLOEXEC);
	if (r < 0)
		return err_system(err, r, "cannot make a pipe for a hook");
	read_fd = fds[0];
	write_fd = fds[1];
	if (len > 4096) {
		r = len > STATE_MAX ? -EFBIG : k_fcntl(write_fd, F_SETPIPE_SZ, (long)len);
		if (r < 0)
			return err_system(err, r, "cannot pass %zu bytes of state to a hook", len);
	}
	r = io_write_all(write_fd, state, len);
	if (r < 0)
		return err_system(err, r, "cannot write the state for a hook");
	*ret_fd = take_fd(&read_fd);
	return 0;
}

/* The descriptor that becomes standard output (0) or error (1) of a hook. */
static int output_of(const struct hooks_context *context, int i, int pipe_fd)
{
	return context->output_fds == NULL || context->output_fds[i] < 0 ? pipe_fd : context->output_fds[i];
}

/* Runs in the hook's process, up to its execve. */
__attribute__((noreturn)) static void become_hook(const struct hooks_context *context,
						  const struct plan_hook *hook, struct child *child,
						  const int writers[2])
{
	char *args[hook->args.count + 1], *env[hook->env.count + 1];
	struct failure failure = {0};
	uint64_t no_signals = 0;
	int r = context->directory_fd < 0 ? 0 : k_fchdir(context->directory_fd);

	failure.is_of_directory = r < 0;
	for (uint32_t i = 0; i <= hook->args.count; i++)
		args[i] = (char *)(uintptr_t)plan_item(context->plan, hook->args, i);
	for (uint32_t i = 0; i <= hook->env.count; i++)
		env[i] = (char *)(uintptr_t)plan_item(context->plan, hook->env, i);
	if (r >= 0)
		r = k_dup3(child->state_fd, 0, 0);
	if (r >= 0)
		r = k_dup3(output_of(context, 0, writers[0]), 1, 0);
	if (r >= 0)
		r = k_dup3(output_of(context, 1, writers[0]), 2, 0);
	if (r >= 0)
		r = k_close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	if (r >= 0)
		r = k_sigprocmask(SIG_SETMASK, &no_signals, NULL);
	if (r >= 0)
		r = k_execve(plan_get(context->plan, hook->path), args,
			     hook->is_env_set ? env : context->environment);
	failure.errnum = r;
	k_write(writers[1], &failure, sizeof failure);
	k_exit(127);
}

static int start(const struct hooks_context *context, const struct plan_hook *hook, struct child *child,
		 struct err *err)
{
	struct clone_args args = {.flags = CLONE_PIDFD, .exit_signal = SIGCHLD};
	int output[2], failure[2], writers[2], self = context->is_filtered ? 0 : k_getpid(), r;
	long pid;

	r = k_pipe2(output, O_CLOEXEC);
	if (r < 0)
		return err_system(err, r, "cannot make a pipe for a hook");
	child->output_fd = output[0];
	writers[0] = output[1];
	r = k_pipe2(failure, O_CLOEXEC);
	if (r < 0) {
		k_close(output[1]);
		return err_system(err, r, "cannot make a pipe for a hook");
	}
	child->failure_fd = failure[0];
	writers[1] = failure[1];
	args.pidfd = (uint64_t)(uintptr_t)&child->pidfd;
	pid = k_clone3(&args);
	/* Seccomp filters cannot inspect the arguments of clone3(2), and many deny it for that reason. */
	if (pid < 0)
		pid = k_call5(__NR_clone, args.flags | args.exit_signal, 0, args.pidfd, 0, 0);
	if (pid == 0 && !context->is_filtered)
		child_die_with(self);
	if (pid == 0)
		become_hook(context, hook, child, writers);
	k_close(output[1]);
	k_close(failure[1]);
	if (pid < 0) {
		child->pidfd = -1;
		return err_system(err, (int)pid, "cannot start a process for a hook");
	}
	return 0;
}

static bool read_output(struct child *child)
{
	struct output *out = &child->output;
	char block[OUTPUT_BLOCK];
	ssize_t len = k_read(child->output_fd, block, sizeof block);

	if (len == -EINTR || len == -EAGAIN)
		return true;
	if (len <= 0)
		return false;
	if (out->len + (size_t)len > sizeof out->text - 1) {
		size_t drop = out->len + (size_t)len - (sizeof out->text - 1);

		memmove(out->text, out->text + drop, out->len - drop);
		out->len -= drop;
	}
	memcpy(out->text + out->len, block, (size_t)len);
	out->len += (size_t)len;
	return true;
}

/*
 * The hook has exited, and all that it wrote is in the pipe. A process that it left running can fill the pipe
 * again without end, so no more than one pipe's capacity is read.
 */
static void read_rest(struct child *child)
{
	struct pollfd output = {.fd = child->output_fd, .events = POLLIN};

	for (size_t len = 0; len < OUTPUT_REST; len += OUTPUT_BLOCK) {
		struct timespec at_once = {0};

		if (k_ppoll(&output, 1, &at_once, NULL) <= 0 || !read_output(child))
			return;
	}
}

/*
 * Waits until the hook has exited, not until its output is closed: a process that it left running can keep the
 * pipe open without end. -ETIMEDOUT at the hook's timeout, -EINTR if a signal requests the end of the command.
 */
static int wait_for_exit(struct child *child)
{
	struct pollfd fds[] = {{.fd = child->pidfd, .events = POLLIN},
			       {.fd = child->output_fd, .events = POLLIN},
			       {.fd = child->signal_fd, .events = POLLIN}};

	while (true) {
		int64_t left = child->deadline_ms - time_ms();
		struct timespec timeout = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
		int r;

		if (child->deadline_ms != 0 && left <= 0)
			return -ETIMEDOUT;
		r = k_ppoll(fds, ARRAY_SIZE(fds), child->deadline_ms != 0 ? &timeout : NULL, NULL);
		if (r < 0 && r != -EINTR)
			return r;
		if (r <= 0)
			continue;
		if (fds[2].revents != 0)
			return -EINTR;
		if (fds[1].revents != 0 && !read_output(child))
			fds[1].fd = -1;
		if (fds[0].revents != 0 && fds[1].fd >= 0)
			read_rest(child);
		if (fds[0].revents != 0)
			return 0;
	}
}

static const char *last_line(struct output *out)
{
	char *line;

	while (out->len > 0 && (out->text[out->len - 1] == '\n' || out->text[out->len - 1] == ' '))
		out->len--;
	out->text[out->len] = '\0';
	line = strrchr(out->text, '\n');
	return line == NULL ? out->text : line + 1;
}

static int explain_failure(const struct failure *failure, const char *path, struct err *err)
{
	int r = failure->errnum;

	if (failure->is_of_directory)
		return err_system(err, r, "cannot enter the directory of hook '%s'", path);
	err_system(err, r, "cannot execute hook '%s'", path);
	if ((r == -ENOENT || r == -ENOTDIR) && strchr(path, ' ') != NULL)
		err_hint(err, "its name contains a space: each argument is a separate item of args");
	return r;
}

/* Kills the hook if waiting for it failed with `waited`, and turns its end into 0 or an error. */
static int check_result(const struct hooks_context *context, const struct plan_hook *hook, struct child *child,
			int waited, struct err *err)
{
	const char *path = plan_get(context->plan, hook->path);
	struct failure failure = {0};
	siginfo_t info = {0};

	if (waited < 0)
		k_pidfd_send_signal(child->pidfd, SIGKILL);
	k_waitid(P_PIDFD, child->pidfd, &info, WEXITED);
	if (waited == -ETIMEDOUT)
		return err_set(err, ERR_SYSTEM, 0, NULL, "hook '%s' ran past specified timeout of %u.0s", path,
			       hook->timeout);
	if (waited < 0)
		return err_system(err, waited, "cannot wait for hook '%s'", path);
	if (k_read(child->failure_fd, &failure, sizeof failure) == (ssize_t)sizeof failure)
		return explain_failure(&failure, path, err);
	if (info.si_code == CLD_EXITED && info.si_status == 0)
		return 0;
	err_set(err, ERR_PEER, 0, NULL, "hook '%s' %s %d", path,
		info.si_code == CLD_EXITED ? "exited with status" : "was killed by signal", info.si_status);
	if (child->output.len > 0)
		err_hint(err, "%s", last_line(&child->output));
	return -EINVAL;
}

int hooks_run_one(const struct hooks_context *context, const struct plan_hook *hook, const char *state,
		  struct err *err)
{
	struct child child
		__attribute__((cleanup(child_done))) = {-1, -1, -1, -1, context->signal_fd, 0, {{0}, 0}};
	int r = prepare_state(state, &child.state_fd, err);

	if (r >= 0)
		r = start(context, hook, &child, err);
	if (r < 0) {
		err_pointer(err, plan_get(context->plan, hook->json_pointer));
		return r;
	}
	if (hook->timeout > 0)
		child.deadline_ms = time_ms() + (int64_t)hook->timeout * 1000;
	r = check_result(context, hook, &child, wait_for_exit(&child), err);
	if (r < 0)
		err_pointer(err, plan_get(context->plan, hook->json_pointer));
	return r;
}

int hooks_run(const struct hooks_context *context, const struct plan_hooks *hooks, struct err *err)
{
	const struct plan_hook *rows = plan_rows(context->plan, hooks->hooks);
	const char *head = plan_get(context->plan, hooks->state_head);
	const char *tail = plan_get(context->plan, hooks->state_tail);
	size_t size = strlen(head) + strlen(tail) + 24;
	int r = 0;

	if (size > STATE_MAX)
		return err_system(err, EFBIG, "cannot pass %zu bytes of state to a hook", size);
	for (uint32_t i = 0; r >= 0 && i < hooks->hooks.count; i++) {
		char state[size];

		str_format(state, size, "%s%lld%s", head, (long long)context->pid, tail);
		r = hooks_run_one(context, &rows[i], state, err);
	}
	return r;
}
