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

struct cgroup_saved_row {
	const char *file; /* the plan's, or of the table below */
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
	{"dmem.max", "max"},
};

const char *cgroup_keyed_none(const char *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(keyed); i++)
		if (str_equal(keyed[i].file, file))
			return keyed[i].none;
	return NULL;
}

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
	const char *none = cgroup_keyed_none(file);

	return none == NULL ? mem_dup(text) : line_of(text, is_number(value) ? "default" : value, none);
}

/* A file that is not there, or cannot be read, is not saved: its write fails, or has nothing to take back. */
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
 * A cpuset that has processes cannot be emptied any more (kernel/cgroup/cpuset.c, validate_change: ENOSPC).
 * What the empty one stood for are those of the cgroup above.
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

/* What is right already is left alone: the kernel does not take everything that it shows. */
static bool is_as_kept(int cgroup_fd, const struct cgroup_saved_row *kept)
{
	__attribute__((cleanup(cgroup_saved_done))) struct cgroup_saved now = {.cgroup_fd = cgroup_fd};

	save(&now, kept->file, kept->value);
	return now.count > 0 && str_equal(now.rows[0].value, kept->value);
}

/* The last first. An error of its own is the hint of the one that led to this. */
void cgroup_rollback(const struct cgroup_saved *saved, struct err *err)
{
	for (size_t i = saved->count; i > 0; i--) {
		const struct cgroup_saved_row *row = &saved->rows[i - 1];

		/* An idle cgroup takes no weight, not even the one that it shows. */
		if (is_as_kept(saved->cgroup_fd, row))
			continue;
		if (write_back(saved->cgroup_fd, row) < 0)
			err_hint(err, "and '%s' could not be set back to '%.*s'", row->file,
				 (int)strcspn(row->value, "\n"), row->value);
	}
}

static int write_limit(struct cgroup_saved *saved, const struct plan *plan,
		       const struct plan_cgroup_write *write, struct err *err)
{
	const char *file = plan_get(plan, write->file);

	/* A change of cpu.idle also resets the weight, which is put back behind it. */
	if (str_equal(file, "cpu.idle"))
		save(saved, "cpu.weight", "");
	save(saved, file, plan_get(plan, write->value));
	if (write->other_file != 0)
		save(saved, plan_get(plan, write->other_file), plan_get(plan, write->other_value));
	return cgroup_write(saved->cgroup_fd, plan, write, err);
}

static int step(const struct cgroup_place *place, struct cgroup_saved *saved, const struct plan *plan,
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
		return err_set(err, ERR_PEER, EPROTO, NULL, "an update has no step %u", step->kind);
	}
}

int cgroup_update(const struct cgroup_place *place, const struct plan *plan, struct cgroup_saved *ret_saved,
		  struct err *err)
{
	const struct plan_step *steps = plan_steps(plan);

	*ret_saved = (struct cgroup_saved){.cgroup_fd = place->fd};
	for (uint32_t i = 0; i < plan->step_count; i++) {
		int r = step(place, ret_saved, plan, &steps[i], err);

		if (r >= 0)
			continue;
		err_pointer(err, plan_get(plan, steps[i].json_pointer));
		cgroup_rollback(ret_saved, err);
		return r;
	}
	return 0;
}

/* --- what systemd writes --- */

/*
 * Of a unit's properties systemd writes all that belong to a controller when one of them changes (systemd's
 * cgroup_context_apply), rounded as it keeps them. An idle cgroup takes no weight, so idle comes first.
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

		if (is_as_kept(kept->cgroup_fd, row))
			continue;
		r = write_back(kept->cgroup_fd, row);
		if (r < 0)
			return err_system(err, r, "cannot set '%s' to '%.*s' again, which systemd has changed",
					  row->file, (int)strcspn(row->value, "\n"), row->value);
	}
	return 0;
}
