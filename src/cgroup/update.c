/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New limits for a cgroup that is in use: all of them, or those that were there before. cgroup v2 has no
 * transactions, so each file is read before it is written, and written back when a later one is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

#define FILE_MAX ((size_t)1 << 20)

struct saved {
	const char *file; /* the plan's */
	char *value;
};
struct saving {
	int cgroup_fd;
	struct saved *rows;
	size_t count;
};

static void saving_done(struct saving *saving)
{
	for (size_t i = 0; i < saving->count; i++)
		free(saving->rows[i].value);
	free(saving->rows);
}

/*
 * Files with a line for each device or resource, whose name is the first word of a write (cgroup-v2.rst,
 * "nested keyed"), and what takes a line away again.
 */
static const struct {
	const char *file, *none;
} keyed[] = {
	{"io.max", "rbps=max wbps=max riops=max wiops=max"},
	{"io.latency", "target=0"},
	{"io.weight", "default"},
	{"io.bfq.weight", "default"},
	{"rdma.max", "hca_handle=max hca_object=max"},
	{"misc.max", "max"},
};

/* The line of text that begins with the first word of value, or none behind that word. The caller frees. */
static char *line_of(const char *text, const char *value, const char *none)
{
	size_t len = strcspn(value, " ");

	for (const char *line = text; *line != '\0';) {
		size_t line_len = strcspn(line, "\n");

		if (strncmp(line, value, len) == 0 && line[len] == ' ')
			return mem_format("%.*s", (int)line_len, line);
		line += line_len + (line[line_len] == '\n');
	}
	return mem_format("%.*s %s", (int)len, value, none);
}

static bool is_number(const char *text)
{
	uint64_t value;

	return str_to_u64(text, UINT64_MAX, &value);
}

/* What has to be written to take the write of value back. io.weight takes a bare number for all devices. */
static char *old_value(const char *file, const char *text, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(keyed); i++)
		if (str_equal(keyed[i].file, file))
			return line_of(text, is_number(value) ? "default" : value, keyed[i].none);
	return mem_dup(text);
}

/* A file that is not there, or cannot be read, is not saved: its write fails, or has nothing to take back. */
static void save(struct saving *saving, const char *file, const char *value)
{
	_cleanup_buf_ struct buf text = {0};

	buf_add(&text, "", 0);
	if (io_read_file(saving->cgroup_fd, file, FILE_MAX, &text) < 0)
		return;
	saving->rows = mem_resize(saving->rows, (saving->count + 1) * sizeof *saving->rows);
	saving->rows[saving->count++] = (struct saved){file, old_value(file, text.data, value)};
}

/* The last first. An error of its own is the hint of the one that led to this. */
static void put_back(const struct saving *saving, struct err *err)
{
	for (size_t i = saving->count; i > 0; i--) {
		const struct saved *saved = &saving->rows[i - 1];

		if (io_write_file(saving->cgroup_fd, saved->file, saved->value, strlen(saved->value)) < 0)
			err_hint(err, "and '%s' could not be set back to '%.*s'", saved->file,
				 (int)strcspn(saved->value, "\n"), saved->value);
	}
}

static int write_limit(struct saving *saving, const struct plan *plan, const struct plan_cgroup_write *write,
		       struct err *err)
{
	const char *file = plan_get(plan, write->file);

	/* A change of cpu.idle also resets the weight, which is put back behind it. */
	if (str_equal(file, "cpu.idle"))
		save(saving, "cpu.weight", "");
	save(saving, file, plan_get(plan, write->value));
	if (write->other_file != 0)
		save(saving, plan_get(plan, write->other_file), plan_get(plan, write->other_value));
	return cgroup_write(saving->cgroup_fd, plan, write, err);
}

static int step(const struct cgroup_place *place, struct saving *saving, const struct plan *plan,
		const struct plan_step *step, struct err *err)
{
	switch ((enum plan_kind)step->kind) {
	case PLAN_CGROUP_ENABLE:
		return cgroup_enable(place, plan, step->u.controllers, err);
	case PLAN_CGROUP_USAGE:
		return cgroup_check_usage(place->fd, plan, &step->u.usage, err);
	case PLAN_CGROUP_WRITE:
		return write_limit(saving, plan, &step->u.write, err);
	default:
		return err_set(err, ERR_PEER, EPROTO, NULL, "an update has no step %u", step->kind);
	}
}

int cgroup_update(const struct cgroup_place *place, const struct plan *plan, struct err *err)
{
	__attribute__((cleanup(saving_done))) struct saving saving = {.cgroup_fd = place->fd};
	const struct plan_step *steps = plan_steps(plan);

	for (uint32_t i = 0; i < plan->step_count; i++) {
		int r = step(place, &saving, plan, &steps[i], err);

		if (r >= 0)
			continue;
		err_where(err, plan_get(plan, steps[i].where));
		put_back(&saving, err);
		return r;
	}
	return 0;
}
