/* SPDX-License-Identifier: Apache-2.0 */
/* Executes tare-systemd and reads what it reports. Process: the parent, or a later command. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tare/await.h>
#include <tare/systemd.h>

#define PROGRAM "tare-systemd"
#define TIMEOUT_MS 28000  /* a little longer than the program's deadline */
#define STATUS_NOT_MADE 3 /* of the program: there is no unit to stop */

/* --- the program --- */

struct call {
	int answer_fd;    /* a file for its standard output, or -1 */
	int signal_fd;    /* of await_signals, which end the program, or -1 */
	bool is_not_made; /* set after its exit: there is no unit to stop */
	int output_fd;
	pid_t pid;
};

static int start_program(char **args, struct call *call, struct err *err)
{
	char program[HELPER_PATH_MAX];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	_cleanup_fd_ int write_fd = -1;
	sigset_t none, term;
	int fds[2], r;

	helper_path(PROGRAM, program, sizeof program);
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
	/* A separate process group: a terminal's signal must reach only the parent, which undoes the start. */
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

/* Reads the program's errors until it exits: 0, -ETIMEDOUT, or -EINTR for a signal. */
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
 * Kills the program. It ignores TERM once it has asked systemd for a unit, so its exit status shows whether
 * there may be a unit: TERM killed it before the request, KILL after it.
 */
static void kill_program(const struct call *call)
{
	kill(call->pid, SIGTERM);
	kill(call->pid, SIGKILL);
}

/* Waits for the program. Returns its exit status, 1 if a signal killed it, or -errno with *err. */
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

/* Executes the program and waits for it; its first line on standard error becomes *err. args[0]: its name. */
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
		kill_program(call);
	status = wait_program(call, err);
	if (r == -EINTR)
		return await_interrupted(call->signal_fd, err);
	if (r < 0)
		return err_system(err, r, PROGRAM " gave no answer");
	if (status <= 0)
		return status;
	output.data[strcspn(output.data, "\n")] = '\0';
	return err_set(err, ERR_SYSTEM, 0, NULL, "%s",
		       output.data[0] == '\0' ? PROGRAM " failed without an error message" : output.data),
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

/* Enough for every ask: no unit of this name is made. */
#define ASKED_UNIT "tare.scope"

static void args_begin(struct args *args, const char *command, const char *unit, bool is_user)
{
	args_add(args, PROGRAM);
	args_add(args, is_user ? "user" : "system");
	args_add(args, command);
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

/* --- calls --- */

int unit_ask_manager(bool is_user, struct err *err)
{
	struct call call = {.answer_fd = -1, .signal_fd = -1};
	_cleanup_args_ struct args args = {.count = 0};

	args_begin(&args, "ask", ASKED_UNIT, is_user);
	return run_program(args.v, &call, err);
}

int unit_ask(const struct plan *plan, const struct plan_unit *unit, struct err *err)
{
	struct call call = {.answer_fd = -1, .signal_fd = -1};
	_cleanup_args_ struct args args = {.count = 0};

	args_begin(&args, "ask", plan_get(plan, unit->name), unit->is_user);
	return run_program(args.v, &call, err);
}

int unit_start(const struct unit_start *start, bool *ret_is_made, struct err *err)
{
	_cleanup_args_ struct args args = {.count = 0};
	struct call call = {.answer_fd = -1, .signal_fd = start->signal_fd};
	char pid[16];
	int r;

	str_format(pid, sizeof pid, "%d", start->pid);
	args_begin(&args, "start", plan_get(start->plan, start->unit->name), start->unit->is_user);
	args_add(&args, pid);
	add_property(&args, "Description", "s", start->description);
	args_add_properties(&args, start->plan, start->unit->properties);
	r = run_program(args.v, &call, err);
	*ret_is_made = !call.is_not_made;
	return r;
}

int unit_set_properties(const struct plan *plan, const struct plan_unit *unit, int signal_fd, struct err *err)
{
	struct call call = {.answer_fd = -1, .signal_fd = signal_fd};
	_cleanup_args_ struct args args = {.count = 0};

	args_begin(&args, "set", plan_get(plan, unit->name), unit->is_user);
	args_add_properties(&args, plan, unit->properties);
	return run_program(args.v, &call, err);
}

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
	/* A program that was killed may have written a partial line. */
	while (answer->len > 0 && answer->data[answer->len - 1] != '\n')
		answer->data[--answer->len] = '\0';
	return (int)len;
}

int unit_set(const struct state_record *record, const struct unit_call *call, struct err *err)
{
	struct call program = {.signal_fd = call->signal_fd};
	_cleanup_args_ struct args args = {.count = 0};
	_cleanup_fd_ int answer_fd = -1;
	const struct plan_step *rejected = NULL;
	size_t fixed;
	int r, read;

	args_begin(&args, "set", record->unit, record->is_user_unit);
	fixed = args.count;
	if (call->plan != NULL)
		rejected = plan_unit_limits(call->plan, call->cpu, add_property, &args);
	else
		args_add_lines(&args, call->properties);
	if (rejected != NULL)
		return err_set(err, ERR_UNSUPPORTED, 0, plan_get(call->plan, rejected->json_pointer),
			       PLAN_NO_PROPERTY, plan_get(call->plan, rejected->u.write.value),
			       plan_get(call->plan, rejected->u.write.file));
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
	return r >= 0 && read < 0 ? err_system(err, read, "cannot read the output of " PROGRAM) : r;
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
