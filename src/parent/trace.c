/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs the steps of all processes. init and the bridge write the times of their steps into a file in memory
 * (init.h), because they cannot print, and because one that hangs or was killed cannot send a message.
 *
 * Process: the parent. It reads the file and does not map it, and takes from it only numbers that it prints,
 * and only for steps of other processes. The size of the file is sealed, and the program of the container has
 * neither the file nor its memory.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include <tare/init.h>
#include <tare/sys.h>

#include "trace.h"

struct trace {
	int fd;
	struct init_trace *rows;      /* as read last, one for each step of the plan */
	bool *is_logged;              /* of each step */
	const struct plan_step *step; /* the parent's last one, or NULL */
	struct init_trace own;        /* its row */
};

static int open_file(size_t size, struct err *err)
{
	_cleanup_fd_ int fd = k_memfd_create("trace", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	_cleanup_free_ void *zeros = mem_alloc(size + 1);
	int r = fd;

	/* Written, so that its memory is charged to this process and not to the container. */
	if (r >= 0)
		r = io_write_all(fd, zeros, size);
	if (r >= 0)
		r = k_fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW);
	return r < 0 ? err_system(err, r, "cannot make a file to trace the steps in") : take_fd(&fd);
}

int trace_open(struct child *child, struct err *err)
{
	uint32_t count = child->plan->step_count;
	struct trace *trace;
	int fd;

	if (!log_is_debug())
		return 0;
	fd = open_file(count * sizeof *trace->rows, err);
	if (fd < 0)
		return fd;
	trace = child->trace = mem_alloc(sizeof *trace);
	*trace = (struct trace){.fd = fd,
				.rows = mem_alloc((count + 1) * sizeof *trace->rows),
				.is_logged = mem_alloc((count + 1) * sizeof *trace->is_logged)};
	return 0;
}

void trace_close(struct trace **trace)
{
	if (*trace == NULL)
		return;
	fd_close(&(*trace)->fd);
	mem_free(&(*trace)->rows);
	mem_free(&(*trace)->is_logged);
	mem_free(trace);
}

int trace_fd(const struct trace *trace)
{
	return trace == NULL ? -1 : trace->fd;
}

static void log_row(const struct plan *plan, const char *before, const struct plan_step *step,
		    const struct init_trace *row)
{
	bool is_known = row->begin > INIT_TRACE_NO_CLOCK && row->end >= row->begin;
	_cleanup_buf_ struct buf text = {0};

	plan_print_step(plan, step, &text);
	if (is_known)
		log_line(LOG_DEBUG, "%s%s (%llu us)", before, text.data,
			 (unsigned long long)(row->end - row->begin));
	else
		log_line(LOG_DEBUG, "%s%s (no clock)", before, text.data);
}

static void read_rows(const struct child *child)
{
	size_t size = child->plan->step_count * sizeof *child->trace->rows;

	(void)!k_pread(child->trace->fd, child->trace->rows, size, 0);
}

/* Logs the steps of the other processes that have ended since the last call. */
static void log_ended(const struct child *child)
{
	const struct plan_step *steps = plan_steps(child->plan);
	struct trace *trace = child->trace;

	read_rows(child);
	for (uint32_t i = 0; i < child->plan->step_count; i++) {
		if (steps[i].actor == PLAN_PARENT || trace->rows[i].end == 0 || trace->is_logged[i])
			continue;
		trace->is_logged[i] = true;
		log_row(child->plan, "", &steps[i], &trace->rows[i]);
	}
}

/* A system call of the parent can hang: the name of the step is printed before, all of it with its duration. */
void trace_begin(const struct child *child, const struct plan_step *step)
{
	_cleanup_buf_ struct buf text = {0};

	if (child->trace == NULL)
		return;
	plan_print_step_name(step, &text);
	log_line(LOG_DEBUG, "begins: %s", text.data);
	child->trace->step = step;
	child->trace->own = (struct init_trace){time_us(), 0};
}

void trace_end(const struct child *child)
{
	struct trace *trace = child->trace;

	if (trace == NULL)
		return;
	trace->own.end = time_us();
	log_ended(child);
	log_row(child->plan, "", trace->step, &trace->own);
}

void trace_log_executed(struct child *child)
{
	const struct plan_step *exec = plan_find(child->plan, PLAN_EXEC);
	struct init_trace *row;

	if (child->trace == NULL || exec == NULL)
		return;
	log_ended(child);
	row = &child->trace->rows[exec - plan_steps(child->plan)];
	row->end = time_us();
	log_row(child->plan, "", exec, row);
	trace_close(&child->trace);
}

static void log_stop(const struct plan *plan, const struct plan_step *step, struct init_trace row)
{
	bool is_ended = row.end != 0;

	row.end = is_ended ? row.end : time_us();
	log_row(plan, is_ended ? "stopped after: " : "stopped in: ", step, &row);
}

/* Logs where the bridge or init is, if the plan has steps for it. */
static void log_stop_of(const struct child *child, enum plan_actor actor, const char *name)
{
	const struct plan_step *steps = plan_steps(child->plan), *last = NULL;
	bool has_steps = false;

	for (uint32_t i = 0; i < child->plan->step_count; i++) {
		if (steps[i].actor != actor)
			continue;
		has_steps = true;
		if (child->trace->rows[i].begin != 0)
			last = &steps[i];
	}
	if (last != NULL)
		log_stop(child->plan, last, child->trace->rows[last - steps]);
	else if (has_steps)
		log_line(LOG_DEBUG, "stopped before the first step of %s", name);
}

void trace_log_stop(const struct child *child)
{
	const struct plan_step *spawn = plan_find(child->plan, PLAN_SPAWN);

	if (child->trace == NULL || child->trace->step == NULL)
		return;
	log_ended(child);
	log_stop(child->plan, child->trace->step, child->trace->own);
	if (spawn == NULL || child->trace->step < spawn)
		return;
	log_stop_of(child, PLAN_BRIDGE, "the bridge");
	log_stop_of(child, PLAN_INIT, "init");
}
