/* SPDX-License-Identifier: Apache-2.0 */
/* The command ps: the processes of a container, as pids or as lines of ps(1). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

#define OUTPUT_MAX ((size_t)256 << 20)
#define BLANKS " \t"

struct ps_options {
	const char *format;
};

static const struct option_row ps_rows[] = {
	{"format", 'f', OPTION_TEXT, offsetof(struct ps_options, format), "table|json",
	 "json: pids only (default: table)"},
	{.name = NULL},
};

struct processes {
	pid_t *pids; /* ascending */
	int count;
};

static void processes_done(struct processes *processes)
{
	mem_free(&processes->pids);
}

/* --- ps(1) --- */

/* Starts ps(1) with the user's options, or -ef. Its pid or -errno; *ret_fd is a pipe with its output. */
static int start_ps(char **options, int *ret_fd, struct err *err)
{
	static const char every[] = "-ef";
	bool has_options = options != NULL && options[0] != NULL;
	_cleanup_free_ char **args = NULL;
	_cleanup_fd_ int read_fd = -1, write_fd = -1;
	size_t count = 0;
	int fds[2], r, self = k_getpid();
	volatile int failure = 0;
	pid_t pid;

	while (has_options && options[count] != NULL)
		count++;
	args = mem_alloc((count + 3) * sizeof *args);
	args[0] = (char *)(uintptr_t) "ps";
	args[1] = (char *)(uintptr_t)every;
	if (has_options)
		memcpy(args + 1, options, count * sizeof *args);
	r = k_pipe2(fds, O_CLOEXEC);
	if (r < 0)
		return err_system(err, r, "cannot make a pipe for ps");
	read_fd = fds[0];
	write_fd = fds[1];
	pid = vfork(); /* the child shares memory: it sets failure of this process */
	if (pid == 0) {
		child_die_with(self);
		if (dup2(write_fd, 1) >= 0)
			execvp("ps", args);
		failure = errno;
		k_exit(127);
	}
	r = pid < 0 ? errno : failure;
	if (r != 0) {
		if (pid > 0)
			k_waitid(P_PID, pid, NULL, WEXITED);
		r = err_system(err, r, "cannot execute ps");
		err_hint(err, "ps(1) prints the table; --format json does not need it");
		return r;
	}
	*ret_fd = take_fd(&read_fd);
	return pid;
}

static int read_ps(char **options, struct buf *out, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	siginfo_t info = {0};
	int pid = start_ps(options, &fd, err), r;

	if (pid < 0)
		return pid;
	r = io_read_fd(fd, OUTPUT_MAX, out);
	fd_close(&fd);
	k_waitid(P_PID, pid, &info, WEXITED);
	if (r < 0)
		return err_system(err, r, "cannot read the output of ps");
	if (info.si_code != CLD_EXITED || info.si_status != 0)
		return err_set(err, ERR_SYSTEM, 0, NULL, "ps failed with %s %d",
			       info.si_code == CLD_EXITED ? "status" : "signal", info.si_status);
	return 0;
}

/* --- the table --- */

/* Word number index, from 0, of a line, and its length in *ret_len: 0 if the line has fewer words. */
static const char *word(const char *line, int index, size_t *ret_len)
{
	for (;;) {
		line += strspn(line, BLANKS);
		*ret_len = strcspn(line, BLANKS "\n");
		if (index-- == 0 || *ret_len == 0)
			return line;
		line += *ret_len;
	}
}

/* The number of the column PID, or -1. */
static int pid_column(const char *head)
{
	for (int index = 0;; index++) {
		size_t len;
		const char *name = word(head, index, &len);

		if (len == 0)
			return -1;
		if (len == 3 && strncmp(name, "PID", 3) == 0)
			return index;
	}
}

static bool is_listed(const struct processes *processes, const char *line, int column)
{
	char digits[16];
	uint64_t pid;
	size_t len;
	const char *text = word(line, column, &len);

	str_format(digits, sizeof digits, "%.*s", (int)(len < sizeof digits ? len : 0), text);
	if (!str_to_u64(digits, INT32_MAX, &pid))
		return false;
	for (int i = 0; i < processes->count; i++)
		if ((uint64_t)processes->pids[i] == pid)
			return true;
	return false;
}

/* Appends the header line of ps(1) and the lines of the container's processes. */
static int add_table(const struct processes *processes, const char *text, struct buf *out, struct err *err)
{
	int column = pid_column(text);

	if (column < 0) {
		err_set(err, ERR_USAGE, 0, NULL,
			"cannot find the container's processes: the output of ps has no header with PID");
		err_hint(err, "use options such as -ef, or -o pid,comm");
		return -EINVAL;
	}
	for (bool is_head = true; *text != '\0'; is_head = false) {
		size_t len = strcspn(text, "\n");

		len += text[len] == '\n';
		if (is_head || is_listed(processes, text, column))
			buf_add(out, text, len);
		text += len;
	}
	return 0;
}

static int ps(struct cli_call *call, void *options, struct err *err)
{
	const struct ps_options *o = options;
	__attribute__((cleanup(processes_done))) struct processes processes = {NULL, 0};
	_cleanup_buf_ struct buf text = {0};
	char **rest;
	bool is_json;
	int r = cli_is_json(o->format, &is_json, err);

	if (r < 0)
		return r;
	processes.count = command_pids(call->globals.root, call->id, &processes.pids, err);
	if (processes.count < 0)
		return processes.count;
	if (is_json) {
		struct json json;

		json_begin(&json, &call->out, 0);
		json_array(&json);
		for (int i = 0; i < processes.count; i++)
			json_int(&json, processes.pids[i]);
		json_array_end(&json);
		buf_add(&call->out, "\n", 1);
		return 0;
	}
	buf_add(&text, "", 0);
	/* A leading "--" separates the options of ps(1) from those of tare; it is not passed on. */
	rest = call->rest + (call->rest != NULL && call->rest[0] != NULL && str_equal(call->rest[0], "--"));
	r = read_ps(rest, &text, err);
	return r < 0 ? r : add_table(&processes, text.data, &call->out, err);
}

const struct cli_command cli_ps = {
	.name = "ps",
	.operands = "ID [PS OPTIONS]",
	.help = "List the processes of a container",
	.options = ps_rows,
	.options_size = sizeof(struct ps_options),
	.min = 1,
	.max = 1,
	.has_id = true,
	.run = ps,
	.has_rest = true,
};
