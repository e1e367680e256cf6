/* SPDX-License-Identifier: Apache-2.0 */
/* The command list. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tare/host.h>
#include <tare/state.h>

#include "cli.h"

struct list_options {
	const char *format;
	bool is_quiet;
};

static const struct option_row list_rows[] = {
	{"format", 'f', OPTION_TEXT, offsetof(struct list_options, format), "table|json",
	 "format of the output (default: table)"},
	{"quiet", 'q', OPTION_FLAG, offsetof(struct list_options, is_quiet), NULL, "print only ids"},
	{.name = NULL},
};

#define COLUMNS 6
struct row {
	char *cells[COLUMNS];
	enum state_status status;
};

struct list {
	int root_fd;
	bool is_json, is_quiet;
	struct buf *out;
	struct json json;
	struct buf passwd;
	struct row *rows;
	size_t count;
};

static char *owner_name(const struct list *list, uid_t uid)
{
	char *name = host_user_name(list->passwd.data, uid);

	return name == NULL ? mem_format("#%u", uid) : name;
}

static void add_json(struct list *list, int dir_fd, const struct state_record *record, enum state_status status)
{
	_cleanup_free_ char *owner = owner_name(list, record->owner);
	struct state_end end;

	if (status == STATE_STOPPED)
		state_read_end(dir_fd, record, -1, &end);
	state_write_json(&list->json, record, status, status == STATE_STOPPED ? &end : NULL, owner);
}

static void add_row(struct list *list, const struct state_record *record, enum state_status status)
{
	struct row row = {.status = status};

	row.cells[0] = mem_dup(record->id);
	row.cells[1] = mem_format("%d", state_shown_pid(record, status));
	row.cells[2] = mem_dup(state_status_name(status));
	row.cells[3] = mem_dup(str_is_empty(record->bundle) ? "" : record->bundle);
	row.cells[4] = state_created(record);
	row.cells[5] = owner_name(list, record->owner);
	list->rows = mem_resize(list->rows, (list->count + 1) * sizeof *list->rows);
	list->rows[list->count] = row;
}

/*
 * Logs why the status of a container is unknown. With the table, also prints it to standard error; not with
 * json and --quiet, because engines parse both outputs together.
 */
static void warn(const struct list *list, const char *id, const struct err *err)
{
	_cleanup_buf_ struct buf line = {0};

	buf_format(&line, "container %s: ", id);
	err_print(err, &line);
	log_line(LOG_WARNING, "%s", line.data);
	if (!list->is_json && !list->is_quiet) {
		_cleanup_free_ char *text = mem_format("tare: list: warning: %s\n", line.data);

		(void)!io_write_all(2, text, strlen(text));
	}
}

/* Fills the record of a container that cannot be read: only its id and the owner of its directory are known. */
static void make_unknown(struct state_record *record, const char *id, const struct list *list)
{
	struct stat stat;

	state_record_done(record);
	record->id = mem_dup(id);
	record->owner = k_fstatat(list->root_fd, id, &stat, AT_SYMLINK_NOFOLLOW) < 0 ? geteuid() : stat.st_uid;
}

/*
 * Lists one container. One that is deleted meanwhile is skipped, and so is a directory without a record, which
 * a creator left that was killed: state_sweep removes it.
 */
static void on_id(void *context, const char *id)
{
	_cleanup_record_ struct state_record record = {0};
	struct list *list = context;
	struct err err;
	_cleanup_fd_ int dir_fd = state_open_dir(list->root_fd, id, &err);
	enum state_status status = STATE_UNKNOWN;
	int r = dir_fd < 0 ? dir_fd : state_read(dir_fd, &record, &err);

	if (r == -ENOENT) {
		if (dir_fd >= 0)
			(void)!state_sweep(list->root_fd, dir_fd, id);
		return;
	}
	if (r < 0)
		make_unknown(&record, id, list);
	else
		r = state_status(dir_fd, &record, &status, &err);
	if (r < 0) {
		status = STATE_UNKNOWN;
		warn(list, id, &err);
	}
	if (list->is_quiet)
		buf_format(list->out, "%s\n", id);
	else if (list->is_json)
		add_json(list, dir_fd, &record, status);
	else
		add_row(list, &record, status);
	list->count++;
}

static void print_cell(struct list *list, const char *text, size_t width, const char *colour)
{
	size_t len = strlen(text);

	buf_format(list->out, "%s%s%s", colour, text, colour[0] == '\0' ? "" : "\033[0m");
	for (; len < width; len++)
		buf_add(list->out, " ", 1);
}

static const char *status_colour(enum state_status status)
{
	return status == STATE_RUNNING ? "\033[32m" : status == STATE_STOPPED ? "\033[90m" : "\033[33m";
}

static void print_table(struct list *list)
{
	static const char *const heads[COLUMNS] = {"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"};
	bool is_coloured = isatty(1) && getenv("NO_COLOR") == NULL;
	size_t widths[COLUMNS];

	for (int c = 0; c < COLUMNS; c++) {
		widths[c] = strlen(heads[c]);
		for (size_t i = 0; i < list->count; i++)
			if (strlen(list->rows[i].cells[c]) > widths[c])
				widths[c] = strlen(list->rows[i].cells[c]);
	}
	for (int c = 0; c < COLUMNS; c++)
		print_cell(list, heads[c], c == COLUMNS - 1 ? 0 : widths[c] + 3, "");
	buf_add(list->out, "\n", 1);
	for (size_t i = 0; i < list->count; i++) {
		for (int c = 0; c < COLUMNS; c++) {
			const char *colour = is_coloured && c == 2 ? status_colour(list->rows[i].status) : "";

			print_cell(list, list->rows[i].cells[c], c == COLUMNS - 1 ? 0 : widths[c] + 3, colour);
			mem_free(&list->rows[i].cells[c]);
		}
		buf_add(list->out, "\n", 1);
	}
	mem_free(&list->rows);
}

static int list_containers(struct cli_call *call, void *options, struct err *err)
{
	const struct list_options *o = options;
	struct list list = {.out = &call->out, .is_quiet = o->is_quiet};
	int r = cli_is_json(o->format, &list.is_json, err);

	if (r < 0)
		return r;
	list.root_fd = state_open_root(call->globals.root, false, err);
	/* A missing default state root means that there are no containers. A root from --root must exist. */
	if (list.root_fd < 0 && (list.root_fd != -ENOENT || call->globals.root != NULL))
		return list.root_fd;
	(void)!io_read_file(AT_FDCWD, "/etc/passwd", 16 << 20, &list.passwd);
	buf_add(&list.passwd, "", 0);
	json_begin(&list.json, &call->out, 0);
	if (list.is_json && !list.is_quiet)
		json_array(&list.json);
	r = list.root_fd < 0 ? 0 : state_list(list.root_fd, on_id, &list, err);
	if (r >= 0 && !list.is_quiet && !list.is_json)
		print_table(&list);
	if (r >= 0 && !list.is_quiet && list.is_json) {
		json_array_end(&list.json);
		if (list.count == 0) {
			/* The output of runc for an empty list, which engines parse. */
			call->out.len = 0;
			buf_add_str(&call->out, "null");
		}
		buf_add(&call->out, "\n", 1);
	}
	buf_done(&list.passwd);
	fd_close(&list.root_fd);
	return r;
}

const struct cli_command cli_list = {
	.name = "list",
	.operands = "",
	.help = "List the containers",
	.options = list_rows,
	.options_size = sizeof(struct list_options),
	.run = list_containers,
};
