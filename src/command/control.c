/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pause, resume, ps and events: commands on the cgroup of an existing container. Process: the one that the
 * caller started; the container's processes are not its children.
 */
#include <errno.h>
#include <signal.h>

#include <tare/command.h>
#include <tare/container.h>

#include "private.h"

#define LOCK_TIMEOUT_MS 10000
#define FREEZE_TIMEOUT_MS 10000

/* --- pause, resume --- */

/* With all signals blocked, so that none but SIGKILL ends this process while the container is partly frozen. */
static int freeze(int cgroup_fd, struct err *err)
{
	uint64_t all = ~0ull, old;
	int r;

	k_sigprocmask(SIG_SETMASK, &all, &old);
	r = cgroup_freeze(cgroup_fd, FREEZE_TIMEOUT_MS, err);
	k_sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

/* A pause that was killed may have stopped only some of the processes: such a container is thawed, too. */
static int thaw(int cgroup_fd, enum state_status status, struct err *err)
{
	int r = status == STATE_PAUSED ? 1 : cgroup_is_freezing(cgroup_fd);

	if (r < 0)
		return err_system(err, r, "cannot tell whether the container is paused");
	if (r == 0)
		return err_set(err, ERR_STATE, 0, NULL, "container not paused");
	return cgroup_thaw(cgroup_fd, FREEZE_TIMEOUT_MS, err);
}

/* Whether a container of this status can be paused or resumed. */
static int check_status(enum state_status status, bool is_pause, struct err *err)
{
	bool is_alive = status != STATE_CREATING && status != STATE_STOPPED;

	if (is_pause && status == STATE_PAUSED)
		return err_set(err, ERR_STATE, 0, NULL, "container paused already");
	if (!is_alive)
		return err_set(err, ERR_STATE, 0, NULL, "container not %s", is_pause ? "running" : "paused");
	return 0;
}

static int set_paused(const char *state_root, const char *id, bool is_pause, struct err *err)
{
	_cleanup_container_ struct container container;
	_cleanup_fd_ int cgroup_fd = -1;
	enum state_status status;
	int r = container_open(state_root, id, LOCK_TIMEOUT_MS, &container, err);

	if (r >= 0)
		r = state_status(container.dir_fd, &container.record, &status, err);
	if (r >= 0)
		r = check_status(status, is_pause, err);
	if (r < 0)
		return r;
	cgroup_fd = container_open_cgroup(&container, err);
	if (cgroup_fd < 0)
		return cgroup_fd;
	return is_pause ? freeze(cgroup_fd, err) : thaw(cgroup_fd, status, err);
}

int command_pause(const char *state_root, const char *id, struct err *err)
{
	return set_paused(state_root, id, true, err);
}

int command_resume(const char *state_root, const char *id, struct err *err)
{
	return set_paused(state_root, id, false, err);
}

/* --- ps --- */

int command_pids(const char *state_root, const char *id, pid_t **ret_pids, struct err *err)
{
	_cleanup_container_ struct container container;
	_cleanup_fd_ int cgroup_fd = -1;
	enum state_status status;
	struct err other;
	int r = container_open(state_root, id, -1, &container, err);

	if (r < 0)
		return r;
	cgroup_fd = container_open_cgroup(&container, err);
	if (cgroup_fd != -ENOENT)
		return cgroup_fd < 0 ? cgroup_fd : cgroup_pids(cgroup_fd, ret_pids, err);
	/* Without a cgroup the processes are not known, unless the container is stopped and has none. */
	r = state_status(container.dir_fd, &container.record, &status, &other);
	if (r < 0)
		*err = other;
	if (r < 0 || status != STATE_STOPPED)
		return r < 0 ? r : cgroup_fd;
	*ret_pids = mem_alloc(sizeof **ret_pids);
	return 0;
}

/* --- events --- */

struct events {
	const struct events_options *options;
	int cgroup_fd;
};

static int write_event(const struct events *events, const char *type, bool has_data, struct err *err)
{
	_cleanup_buf_ struct buf line = {0};
	struct json json;

	json_begin(&json, &line, 0);
	json_object(&json);
	json_pair(&json, "type", type);
	json_pair(&json, "id", events->options->id);
	if (has_data) {
		json_key(&json, "data");
		cgroup_write_stats(events->cgroup_fd, &json);
	}
	json_object_end(&json);
	buf_add(&line, "\n", 1);
	return events->options->on_line(events->options->context, line.data, line.len, err);
}

static int stream(const struct events *events, struct cgroup_watch *watch, struct err *err)
{
	int64_t interval = events->options->interval_ms, next = time_ms() + interval;
	int r = 0;

	while (r >= 0) {
		int64_t left = next - time_ms();
		int what = cgroup_watch_wait(watch, left > 0 ? left : 0);

		if (what < 0)
			return err_system(err, what, "cannot read the events of the container's cgroup");
		if (what & CGROUP_OOM)
			r = write_event(events, "oom", false, err);
		if (what & CGROUP_EMPTY)
			break;
		if (r < 0 || time_ms() < next)
			continue;
		r = write_event(events, "stats", true, err);
		next = time_ms() + interval;
	}
	return r < 0 ? r : 0;
}

int command_events(const struct events_options *options, struct err *err)
{
	_cleanup_container_ struct container container;
	__attribute__((cleanup(cgroup_watch_close))) struct cgroup_watch watch = {.events_fd = -1,
										  .memory_fd = -1};
	struct events events = {.options = options};
	_cleanup_fd_ int cgroup_fd = -1;
	enum state_status status;
	int r = container_open(options->state_root, options->id, -1, &container, err);

	if (r < 0)
		return r;
	r = state_status(container.dir_fd, &container.record, &status, err);
	if (r < 0)
		return r;
	if (status == STATE_STOPPED || status == STATE_CREATING)
		return err_set(err, ERR_STATE, 0, NULL, "container with id %s is not running", options->id);
	cgroup_fd = container_open_cgroup(&container, err);
	if (cgroup_fd < 0)
		return cgroup_fd;
	events.cgroup_fd = cgroup_fd;
	if (options->is_once)
		return write_event(&events, "stats", true, err);
	r = cgroup_watch_open(cgroup_fd, &watch, err);
	return r < 0 ? r : stream(&events, &watch, err);
}
