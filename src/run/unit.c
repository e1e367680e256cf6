/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tare/await.h>
#include "container.h"
#include "parent.h"
#include "watch.h"

#define PROGRAM "tare-systemd"
#define TIMEOUT_MS 28000  /* a little longer than the program's own */
#define STATUS_NOT_MADE 3 /* of the program: there is nothing to take back */

/* --- the program --- */

/* Beside this one, as in the build tree, or where it is installed: never by PATH. */
static const char *find_program(char *ret, size_t size)
{
	ssize_t len = readlink("/proc/self/exe", ret, size - sizeof PROGRAM);

	while (len > 0 && ret[len - 1] != '/')
		len--;
	if (len > 0) {
		memcpy(ret + len, PROGRAM, sizeof PROGRAM);
		if (k_faccessat2(AT_FDCWD, ret, X_OK, 0) == 0)
			return ret;
	}
	return TARE_SYSTEMD;
}

struct call {
	int answer_fd;    /* a file for its standard output, or -1 */
	int signal_fd;    /* what ends it, or -1 */
	bool is_not_made; /* once it has ended: there is nothing to take back */
	int output_fd;
	pid_t pid;
};

static int start_program(char **args, struct call *call, struct err *err)
{
	char path[4096];
	const char *program = find_program(path, sizeof path);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	_cleanup_fd_ int write_fd = -1;
	sigset_t none, term;
	int fds[2], r;

	r = k_pipe2(fds, O_CLOEXEC);
	if (r < 0)
		return err_system(err, r, "cannot make a pipe for " PROGRAM);
	call->output_fd = fds[0];
	write_fd = fds[1];
	sigemptyset(&none);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, call->answer_fd >= 0 ? call->answer_fd : 0, 1);
	posix_spawn_file_actions_adddup2(&actions, write_fd, 2);
	/* In a process group of its own: what a terminal sends is for the one that can take back. */
	posix_spawnattr_setflags(&attributes,
				 POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &term);
	r = posix_spawn(&call->pid, program, &actions, &attributes, args, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	if (r != 0) {
		err_system(err, r, "cannot execute '%s'", program);
		if (r == ENOENT)
			err_hint(err, "this tare was built or installed without systemd's cgroup driver");
		return -r;
	}
	return 0;
}

/* What the program has to say, until it ends: 0, -ETIMEDOUT, or -EINTR for a signal. */
static int read_program(const struct call *call, struct buf *output)
{
	const struct await await = {call->output_fd, POLLIN, -1, call->signal_fd, TIMEOUT_MS};
	char text[512];

	for (;;) {
		int r = await_any(&await);
		ssize_t len;

		if (r <= 0)
			return r < 0 ? r : -ETIMEDOUT;
		if ((r & AWAIT_READY) == 0)
			return -EINTR;
		len = read(call->output_fd, text, sizeof text);
		if (len <= 0)
			return 0;
		buf_add(output, text, (size_t)len);
	}
}

/*
 * The program ignores TERM from when it asks systemd for a unit: it dies of the first signal that it does not
 * ignore, and which one that was tells whether there may be a unit.
 */
static void end_program(const struct call *call)
{
	kill(call->pid, SIGTERM);
	kill(call->pid, SIGKILL);
}

/* Status of exit(3), or 1. */
static int wait_program(struct call *call, struct err *err)
{
	int status;
	pid_t pid;

	do
		pid = waitpid(call->pid, &status, 0);
	while (pid < 0 && errno == EINTR);
	if (pid < 0)
		return err_system(err, errno, "cannot wait for " PROGRAM);
	call->is_not_made = WIFEXITED(status) ? WEXITSTATUS(status) == STATUS_NOT_MADE
					      : WTERMSIG(status) == SIGTERM;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* args[0] is the program's name. */
static int run_program(char **args, struct call *call, struct err *err)
{
	_cleanup_buf_ struct buf output = {0};
	int status, r;

	call->is_not_made = true;
	call->output_fd = -1;
	r = start_program(args, call, err);
	if (r < 0) {
		fd_close(&call->output_fd);
		return r;
	}
	call->is_not_made = false;
	buf_add_str(&output, "");
	r = read_program(call, &output);
	fd_close(&call->output_fd);
	if (r < 0)
		end_program(call);
	status = wait_program(call, err);
	if (r == -EINTR)
		return await_interrupted(call->signal_fd, err);
	if (r < 0)
		return err_system(err, r, PROGRAM " gave no answer");
	if (status <= 0)
		return status;
	output.data[strcspn(output.data, "\n")] = '\0';
	return err_set(err, ERR_SYSTEM, 0, NULL, "%s",
		       output.data[0] == '\0' ? PROGRAM " ended without a word" : output.data),
	       -EIO;
}

/* --- arguments --- */

struct args {
	char **v;
	size_t count, cap;
};

static void args_add(struct args *args, const char *text)
{
	if (args->count + 2 > args->cap) {
		args->cap = args->cap == 0 ? 64 : args->cap * 2;
		args->v = mem_resize(args->v, args->cap * sizeof *args->v);
	}
	args->v[args->count++] = mem_dup(text);
	args->v[args->count] = NULL;
}

static void args_done(struct args *args)
{
	for (size_t i = 0; i < args->count; i++)
		free(args->v[i]);
	free(args->v);
}
#define _cleanup_args_ __attribute__((cleanup(args_done)))

static void args_begin(struct args *args, const char *what, const char *unit, bool is_user)
{
	args_add(args, PROGRAM);
	args_add(args, is_user ? "user" : "system");
	args_add(args, what);
	args_add(args, unit);
}

static void args_add_properties(struct args *args, const struct plan *plan, struct plan_texts properties)
{
	for (uint32_t i = 0; i < properties.count; i++)
		args_add(args, plan_item(plan, properties, i));
}

static void add_property(void *context, const char *name, const char *type, const char *value)
{
	args_add(context, name);
	args_add(context, type);
	args_add(context, value);
}

/* --- the placeholder --- */

/*
 * A unit that has no process ends, and its cgroup with all that the kernel has counted there. init is to be
 * born into it, and if the OOM killer takes init, that has to be read there: somebody is there before, and
 * until init is ready.
 *
 * The OOM killer must not take him instead, and spares a process that runs in the memory of its parent by
 * vfork(2). So there are two: the keeper, a copy of this process outside of the unit, and his child, the
 * placeholder, whose memory is all the keeper's. Both do nothing and hold nothing, and die with the parent.
 */
static _Noreturn void keep_place(int pipe_fd, pid_t parent)
{
	pid_t self = k_getpid(), pid;

	k_dup3(pipe_fd, 0, 0);
	k_close_range(1, ~0u, 0);
	child_die_with(parent);
	pid = vfork();
	if (pid == 0) {
		child_die_with(self);
		pid = k_getpid();
		k_write(0, &pid, sizeof pid);
		k_close(0);
		for (;;)
			pause();
	}
	k_waitid(P_PID, pid, NULL, WEXITED);
	k_exit(0);
}

static int start_placeholder(struct parent *parent, pid_t *ret_pid, struct err *err)
{
	struct clone_args args = {.flags = CLONE_PIDFD,
				  .pidfd = (uint64_t)(uintptr_t)&parent->keeper_pidfd,
				  .exit_signal = SIGCHLD};
	_cleanup_fd_ int read_fd = -1, write_fd = -1;
	pid_t self = k_getpid();
	int fds[2], r = k_pipe2(fds, O_CLOEXEC);
	long pid;

	if (r < 0)
		return err_system(err, r, "cannot make a pipe to hold the unit");
	read_fd = fds[0];
	write_fd = fds[1];
	pid = k_clone3(&args);
	if (pid == 0)
		keep_place(write_fd, self);
	fd_close(&write_fd);
	if (pid < 0) {
		parent->keeper_pidfd = -1;
		return err_system(err, (int)pid, "cannot start a process to hold the unit");
	}
	if (k_read(read_fd, ret_pid, sizeof *ret_pid) != sizeof *ret_pid)
		return err_system(err, EAGAIN, "cannot start a process to hold the unit");
	parent->placeholder_pidfd = k_pidfd_open(*ret_pid, 0);
	return parent->placeholder_pidfd < 0 ? err_system(err, parent->placeholder_pidfd,
							  "cannot watch the process that holds the unit")
					     : 0;
}

/* The keeper ends when he has seen the end of his child: nothing is left in the cgroup then. */
static void end_placeholder(struct parent *parent)
{
	if (parent->keeper_pidfd < 0)
		return;
	k_pidfd_send_signal(parent->placeholder_pidfd < 0 ? parent->keeper_pidfd : parent->placeholder_pidfd,
			    SIGKILL);
	k_waitid(P_PIDFD, parent->keeper_pidfd, NULL, WEXITED);
	fd_close(&parent->placeholder_pidfd);
	fd_close(&parent->keeper_pidfd);
}

/* --- steps --- */

/*
 * systemd moved the placeholder: where it is now is the unit's cgroup, by the names that this process sees. If
 * it is elsewhere, who knows what was moved into the unit: that is not ours to end.
 */
static int open_cgroup(struct parent *parent, pid_t placeholder, const char *unit, struct err *err)
{
	_cleanup_free_ char *identity = NULL;
	char path[1024];
	const char *name;
	int r = container_cgroup_of(placeholder, path, sizeof path);

	parent->has_unit = r < 0;
	if (r < 0)
		return err_system(err, r, "cannot read the cgroup of unit %s", unit);
	name = strrchr(path, '/');
	/* In a cgroup's name systemd puts "_" before what the kernel could take for a file of its own. */
	if (name == NULL || !str_equal(name + 1 + (name[1] == '_'), unit))
		return err_set(err, ERR_SYSTEM, 0, NULL,
			       "unit %s has started, but its process is in cgroup '%s'", unit, path),
		       -EIO;
	parent->has_unit = parent->has_cgroup = true;
	mem_free(&parent->record.cgroup_path);
	parent->record.cgroup_path = mem_dup(path);
	parent->mount_fd = cgroup_open_mount(parent->host.cgroup_mount, err);
	if (parent->mount_fd < 0)
		return parent->mount_fd;
	parent->cgroup_fd = cgroup_open(parent->mount_fd, path, err);
	if (parent->cgroup_fd < 0)
		return parent->cgroup_fd;
	identity = state_identity(&parent->record);
	r = cgroup_inode(parent->cgroup_fd, &parent->record.cgroup_inode);
	if (r < 0)
		return err_system(err, r, "cannot inspect the cgroup of unit %s", unit);
	return cgroup_mark(parent->cgroup_fd, identity, 0, err);
}

static int start(struct parent *parent, const struct plan_unit *unit, struct err *err)
{
	const char *name = plan_get(parent->plan, unit->name);
	_cleanup_free_ char *description = state_identity(&parent->record);
	_cleanup_args_ struct args args = {.count = 0};
	struct call call = {.answer_fd = -1, .signal_fd = parent->signal_fd};
	pid_t placeholder = 0;
	char pid[16];
	int r = start_placeholder(parent, &placeholder, err);

	if (r < 0)
		return r;
	str_format(pid, sizeof pid, "%d", placeholder);
	args_begin(&args, "start", name, unit->is_user);
	args_add(&args, pid);
	add_property(&args, "Description", "s", description);
	args_add_properties(&args, parent->plan, unit->properties);
	r = run_program(args.v, &call, err);
	parent->has_unit = !call.is_not_made;
	return r < 0 ? r : open_cgroup(parent, placeholder, name, err);
}

/* systemd writes all files of the unit again, and rounds: it does not have the last word. */
static int set(struct parent *parent, const struct plan_unit *unit, struct err *err)
{
	struct call call = {.answer_fd = -1, .signal_fd = parent->signal_fd};
	_cleanup_cgroup_saved_ struct cgroup_saved kept;
	_cleanup_args_ struct args args = {.count = 0};
	int r;

	cgroup_keep(parent->cgroup_fd, &kept);
	args_begin(&args, "set", plan_get(parent->plan, unit->name), unit->is_user);
	args_add_properties(&args, parent->plan, unit->properties);
	r = run_program(args.v, &call, err);
	return r < 0 ? r : cgroup_write_kept(&kept, err);
}

int unit_ask(const struct plan *plan, const struct plan_unit *unit, struct err *err)
{
	struct call call = {.answer_fd = -1, .signal_fd = -1};
	_cleanup_args_ struct args args = {.count = 0};

	args_begin(&args, "ask", plan_get(plan, unit->name), unit->is_user);
	return run_program(args.v, &call, err);
}

int unit_step(struct parent *parent, const struct plan_step *step, struct err *err)
{
	switch ((enum plan_kind)step->kind) {
	case PLAN_UNIT_START:
		return start(parent, &step->u.unit, err);
	case PLAN_UNIT_SETTLED:
		end_placeholder(parent);
		return 0;
	case PLAN_UNIT_SET:
		return set(parent, &step->u.unit, err);
	case PLAN_UNIT_WATCH:
		return watch_start(parent, err);
	default:
		return err_set(err, ERR_PEER, EPROTO, NULL, "the parent has no step %u", step->kind);
	}
}

int unit_undo(struct parent *parent, struct err *err)
{
	int r;

	end_placeholder(parent);
	r = parent->has_unit ? unit_stop(&parent->record, err) : 0;
	parent->has_unit = false;
	return r;
}

/* --- later commands --- */

static void args_add_lines(struct args *args, const char *lines)
{
	while (*lines != '\0') {
		size_t len = strcspn(lines, "\n");
		_cleanup_free_ char *line = mem_format("%.*s", (int)len, lines);

		args_add(args, line);
		lines += len + (lines[len] == '\n');
	}
}

static int read_answer(int fd, struct buf *answer)
{
	char text[512];
	ssize_t len;

	buf_add_str(answer, "");
	while ((len = k_pread(fd, text, sizeof text, (int64_t)answer->len)) > 0)
		buf_add(answer, text, (size_t)len);
	/* A program that was killed may not have come to the end of a line. */
	while (answer->len > 0 && answer->data[answer->len - 1] != '\n')
		answer->data[--answer->len] = '\0';
	return (int)len;
}

int unit_set(const struct state_record *record, const struct unit_call *call, struct err *err)
{
	struct call program = {.signal_fd = call->signal_fd};
	_cleanup_args_ struct args args = {.count = 0};
	_cleanup_fd_ int answer_fd = -1;
	const struct plan_step *untold = NULL;
	size_t fixed;
	int r, read;

	args_begin(&args, "set", record->unit, record->is_user_unit);
	fixed = args.count;
	if (call->plan != NULL)
		untold = plan_unit_limits(call->plan, call->cpu, add_property, &args);
	else
		args_add_lines(&args, call->properties);
	if (untold != NULL)
		return err_set(err, ERR_UNSUPPORTED, 0, plan_get(call->plan, untold->where), PLAN_UNTOLD,
			       plan_get(call->plan, untold->u.write.value),
			       plan_get(call->plan, untold->u.write.file));
	if (args.count == fixed)
		return 0;
	if (call->before != NULL) {
		answer_fd = k_memfd_create(PROGRAM, MFD_CLOEXEC);
		if (answer_fd < 0)
			return err_system(err, answer_fd, "cannot make a memfd for " PROGRAM);
	}
	program.answer_fd = answer_fd;
	r = run_program(args.v, &program, err);
	read = answer_fd < 0 ? 0 : read_answer(answer_fd, call->before);
	return r >= 0 && read < 0 ? err_system(err, read, "cannot read what " PROGRAM " said") : r;
}

int unit_stop(const struct state_record *record, struct err *err)
{
	struct call call = {.answer_fd = -1, .signal_fd = -1};
	_cleanup_args_ struct args args = {.count = 0};
	_cleanup_free_ char *description = NULL;

	if (str_is_empty(record->unit))
		return 0;
	description = state_identity(record);
	args_begin(&args, "stop", record->unit, record->is_user_unit);
	args_add(&args, description);
	return run_program(args.v, &call, err);
}
