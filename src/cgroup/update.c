/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes the limits of a cgroup that is in use: all of them, or none. cgroup v2 has no transactions, so each
 * file is read before it is written, and its old value is written back if a later write fails.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

#define FILE_MAX ((size_t)1 << 20)

struct cgroup_saved_row {
	const char *file; /* a text of the plan, or of systemd_files */
	char *value;
};

void cgroup_saved_done(struct cgroup_saved *saved)
{
	for (size_t i = 0; i < saved->count; i++)
		free(saved->rows[i].value);
	free(saved->rows);
	*saved = (struct cgroup_saved){.cgroup_fd = -1};
}

/*
 * Files with a line for each device or resource (cgroup-v2.rst, "Flat keyed" and "Nested keyed"), and the value
 * that resets or removes a line. The first word of a write is the device or resource.
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
	{"dmem.max", "max"},
};

const char *cgroup_keyed_none(const char *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(keyed); i++)
		if (str_equal(keyed[i].file, file))
			return keyed[i].none;
	return NULL;
}

/*
 * The line of text with the same first word as value; without such a line, that word followed by none. The
 * caller frees it.
 */
static char *find_line(const char *text, const char *value, const char *none)
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

/*
 * The text that undoes a write of value; text is the content of the file before. A write of a number alone to
 * io.weight sets the line "default".
 */
static char *old_value(const char *file, const char *text, const char *value)
{
	const char *none = cgroup_keyed_none(file);

	return none == NULL ? mem_dup(text) : find_line(text, is_number(value) ? "default" : value, none);
}

/* A file that does not exist or cannot be read is not saved: the write to it fails, or cannot be undone. */
static void save(struct cgroup_saved *saved, const char *file, const char *value)
{
	_cleanup_buf_ struct buf text = {0};

	buf_add(&text, "", 0);
	if (io_read_file(saved->cgroup_fd, file, FILE_MAX, &text) < 0)
		return;
	saved->rows = mem_resize(saved->rows, (saved->count + 1) * sizeof *saved->rows);
	saved->rows[saved->count++] = (struct cgroup_saved_row){file, old_value(file, text.data, value)};
}

/*
 * Once a cpuset has processes, it cannot be made empty again (kernel/cgroup/cpuset.c, validate_change: ENOSPC).
 * An empty list meant all that the parent has, so that list is written instead.
 */
static int write_back(int cgroup_fd, const struct cgroup_saved_row *row)
{
	_cleanup_free_ char *above = mem_format("../%s.effective", row->file);
	_cleanup_buf_ struct buf text = {0};
	int r = io_write_file(cgroup_fd, row->file, row->value, strlen(row->value));

	if (r != -ENOSPC || row->value[0] != '\n' || io_read_file(cgroup_fd, above, FILE_MAX, &text) < 0)
		return r;
	return io_write_file(cgroup_fd, row->file, text.data, text.len);
}

/* Whether the file still has the saved value: it must not be written then, the kernel may refuse it. */
static bool is_unchanged(int cgroup_fd, const struct cgroup_saved_row *kept)
{
	__attribute__((cleanup(cgroup_saved_done))) struct cgroup_saved now = {.cgroup_fd = cgroup_fd};

	save(&now, kept->file, kept->value);
	return now.count > 0 && str_equal(now.rows[0].value, kept->value);
}

/* In reverse order of the writes. */
void cgroup_rollback(const struct cgroup_saved *saved, struct err *err)
{
	for (size_t i = saved->count; i > 0; i--) {
		const struct cgroup_saved_row *row = &saved->rows[i - 1];

		/* For example, the kernel refuses the weight of an idle cgroup, even the one that it shows. */
		if (is_unchanged(saved->cgroup_fd, row))
			continue;
		if (write_back(saved->cgroup_fd, row) < 0)
			err_hint(err, "and '%s' could not be reset to '%.*s'", row->file,
				 (int)strcspn(row->value, "\n"), row->value);
	}
}

static int write_limit(struct cgroup_saved *saved, const struct plan *plan,
		       const struct plan_cgroup_write *write, struct err *err)
{
	const char *file = plan_get(plan, write->file);

	/* A write to cpu.idle also resets cpu.weight: it is saved first, and so restored after cpu.idle. */
	if (str_equal(file, "cpu.idle"))
		save(saved, "cpu.weight", "");
	save(saved, file, plan_get(plan, write->value));
	if (write->other_file != 0)
		save(saved, plan_get(plan, write->other_file), plan_get(plan, write->other_value));
	return cgroup_write(saved->cgroup_fd, plan, write, err);
}

static int update_step(const struct cgroup_place *place, struct cgroup_saved *saved, const struct plan *plan,
		       const struct plan_step *step, struct err *err)
{
	switch ((enum plan_kind)step->kind) {
	case PLAN_CGROUP_ENABLE:
		return cgroup_enable(place, plan, step->u.controllers, err);
	case PLAN_CGROUP_USAGE:
		return cgroup_check_usage(place->fd, plan, &step->u.usage, err);
	case PLAN_CGROUP_WRITE:
		return write_limit(saved, plan, &step->u.write, err);
	default:
		return err_set(err, ERR_PEER, EPROTO, NULL, "cannot carry out step %u in an update",
			       step->kind);
	}
}

int cgroup_update(const struct cgroup_place *place, const struct plan *plan, struct cgroup_saved *ret_saved,
		  struct err *err)
{
	const struct plan_step *steps = plan_steps(plan);

	*ret_saved = (struct cgroup_saved){.cgroup_fd = place->fd};
	for (uint32_t i = 0; i < plan->step_count; i++) {
		int r = update_step(place, ret_saved, plan, &steps[i], err);

		if (r >= 0)
			continue;
		err_pointer(err, plan_get(plan, steps[i].json_pointer));
		cgroup_rollback(ret_saved, err);
		return r;
	}
	return 0;
}

/* --- files that systemd writes --- */

/*
 * When one property of a unit changes, systemd writes all properties of the same controller
 * (cgroup_context_apply of systemd), with the rounded values that it stores. cpu.idle is first, because an idle
 * cgroup refuses a weight.
 */
static const char *const systemd_files[] = {
	"cpu.idle",         "cpu.weight", "cpu.max",         "memory.min",       "memory.low",
	"memory.high",      "memory.max", "memory.swap.max", "memory.zswap.max", "memory.zswap.writeback",
	"memory.oom.group", "pids.max",   "cpuset.cpus",     "cpuset.mems",      "io.weight",
	"io.bfq.weight",
};

void cgroup_snapshot(int cgroup_fd, struct cgroup_saved *ret_kept)
{
	*ret_kept = (struct cgroup_saved){.cgroup_fd = cgroup_fd};
	for (size_t i = 0; i < ARRAY_SIZE(systemd_files); i++)
		save(ret_kept, systemd_files[i], "default");
}

int cgroup_write_snapshot(const struct cgroup_saved *kept, struct err *err)
{
	for (size_t i = 0; i < kept->count; i++) {
		const struct cgroup_saved_row *row = &kept->rows[i];
		int r;

		if (is_unchanged(kept->cgroup_fd, row))
			continue;
		r = write_back(kept->cgroup_fd, row);
		if (r < 0)
			return err_system(err, r, "cannot reset '%s', which systemd has changed, to '%.*s'",
					  row->file, (int)strcspn(row->value, "\n"), row->value);
	}
	return 0;
}
