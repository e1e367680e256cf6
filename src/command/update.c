/* SPDX-License-Identifier: Apache-2.0 */
/* update: changes the limits of an existing container. Process: the one that the caller started. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include <tare/await.h>
#include <tare/command.h>
#include <tare/container.h>
#include <tare/systemd.h>

#include "private.h"

#define LOCK_TIMEOUT_MS 10000

/* Reads the first number in the file, -1 for "max"; false if there is none. */
static bool read_limit(int cgroup_fd, const char *file, int64_t *ret)
{
	char text[64];
	uint64_t value;

	if (io_read_small(cgroup_fd, file, O_NOFOLLOW, text, sizeof text) < 0)
		return false;
	text[strcspn(text, " \n")] = '\0';
	if (str_equal(text, "max"))
		return *ret = -1, true;
	if (!str_to_u64(text, INT64_MAX, &value))
		return false;
	*ret = (int64_t)value;
	return true;
}

/* --- completing the requested limits by the current ones --- */

/* The kernel refuses a weight for an idle cgroup (EINVAL): reported here with the reason. */
static int check_shares(int cgroup_fd, const struct spec_resources *r, struct err *err)
{
	int64_t idle;

	if (r->cpu.shares.value == 0 || r->cpu.idle.is_set || !read_limit(cgroup_fd, "cpu.idle", &idle) ||
	    idle == 0)
		return 0;
	err_set(err, ERR_CONFIG, 0, "/cpu/shares", "have no effect in a container that is idle");
	err_hint(err, "set idle to 0, too");
	return -EINVAL;
}

/* Reads the period of cpu.max, "QUOTA PERIOD". False if there is none. */
static bool read_period(int cgroup_fd, uint64_t *ret)
{
	char text[64], *at = text;

	if (io_read_small(cgroup_fd, "cpu.max", O_NOFOLLOW, text, sizeof text) < 0)
		return false;
	strsep(&at, " ");
	if (at == NULL)
		return false;
	at[strcspn(at, "\n")] = '\0';
	return str_to_u64(at, UINT32_MAX, ret);
}

/* cpu.max has quota and period: if only one of them is requested, the other one keeps its value. */
static void complete_cpu(int cgroup_fd, struct spec_resources *r)
{
	uint64_t period;
	int64_t quota;

	if ((r->cpu.quota.value != 0) == (r->cpu.period.value != 0) ||
	    !read_limit(cgroup_fd, "cpu.max", &quota) || !read_period(cgroup_fd, &period))
		return;
	if (r->cpu.quota.value == 0)
		r->cpu.quota = (struct spec_int){.is_set = true, .value = quota};
	else
		r->cpu.period = (struct spec_uint){.is_set = true, .value = period};
}

/*
 * memory.swap limits memory and swap together (runtime-spec config-linux.md), memory.swap.max of v2 only swap.
 * So if only one of limit and swap is requested, the other one is completed by its current value, and
 * memory.swap.max changes. A container without swap (memory.swap.max 0) stays without.
 */
static int complete_memory(int cgroup_fd, struct spec_resources *r, struct err *err)
{
	int64_t memory, swap, both;

	if ((r->memory.limit.value > 0) == (r->memory.swap.value > 0) || r->memory.limit.value < 0 ||
	    r->memory.swap.value < 0 || !read_limit(cgroup_fd, "memory.max", &memory) || memory < 0)
		return 0;
	if (r->memory.limit.value == 0) {
		r->memory.limit = (struct spec_int){.is_set = true, .value = memory};
		return 0;
	}
	if (!read_limit(cgroup_fd, "memory.swap.max", &swap) || swap <= 0 ||
	    __builtin_add_overflow(memory, swap, &both))
		return 0;
	r->memory.swap = (struct spec_int){.is_set = true, .value = both};
	if (both >= r->memory.limit.value)
		return 0;
	err_set(err, ERR_CONFIG, 0, "/memory/limit",
		"memory+swap limit should be >= memory limit, and is %lld in this container", (long long)both);
	err_hint(err, "set swap, too; -1 is no limit");
	return -EINVAL;
}

/* --- the command --- */

static int check_status(const struct container *container, struct err *err)
{
	enum state_status status;
	int r = state_status(container->dir_fd, &container->record, &status, err);

	if (r < 0)
		return r;
	if (status == STATE_STOPPED || status == STATE_CREATING)
		return err_set(err, ERR_STATE, 0, NULL, "container not running");
	return 0;
}

/* Sets the unit's properties. systemd then writes the files with rounded values, so they are written back. */
static int set_unit(const struct container *container, int cgroup_fd, const struct unit_call *call,
		    struct err *err)
{
	_cleanup_cgroup_saved_ struct cgroup_saved kept;
	int r;

	cgroup_snapshot(cgroup_fd, &kept);
	r = unit_set(&container->record, call, err);
	return r < 0 ? r : cgroup_write_snapshot(&kept, err);
}

/* Changes the files and the unit's properties, or neither: if one of them fails, the other one is reset. */
static int update_unit(const struct container *container, const struct cgroup_place *place,
		       const struct plan *plan, int signal_fd, struct err *err)
{
	_cleanup_cgroup_saved_ struct cgroup_saved saved, kept;
	_cleanup_buf_ struct buf before = {0};
	struct unit_call call = {.plan = plan,
				 .cpu = {PLAN_CPU_PERIOD, PLAN_CPU_WEIGHT},
				 .before = &before,
				 .signal_fd = signal_fd};
	struct unit_call back = {.signal_fd = -1};
	struct err other;
	int64_t weight;
	int r;

	cgroup_snapshot(place->fd, &kept);
	r = cgroup_update(place, plan, &saved, err);
	if (r < 0)
		return r;
	(void)read_period(place->fd, &call.cpu.period);
	if (read_limit(place->fd, "cpu.weight", &weight) && weight > 0)
		call.cpu.weight = (uint64_t)weight;
	r = set_unit(container, place->fd, &call, err);
	if (r >= 0)
		return 0;
	back.properties = before.data;
	if (before.len > 0 && unit_set(&container->record, &back, &other) < 0)
		err_hint(err, "and the unit's properties could not be reset: %s", other.msg);
	cgroup_rollback(&saved, err);
	if (cgroup_write_snapshot(&kept, &other) < 0)
		err_hint(err, "and %s", other.msg);
	return r;
}

/*
 * Signals are blocked, so that none leaves an update incomplete. A signal during the wait for systemd makes the
 * update fail, and everything is reset.
 */
static int apply(const struct container *container, const struct cgroup_place *place, const struct plan *plan,
		 struct err *err)
{
	_cleanup_cgroup_saved_ struct cgroup_saved saved = {.cgroup_fd = -1};
	_cleanup_fd_ int signal_fd = -1;
	uint64_t all = ~0ull, old;
	int r;

	k_sigprocmask(SIG_SETMASK, &all, &old);
	signal_fd = await_signals();
	if (signal_fd < 0)
		r = err_system(err, signal_fd, "cannot wait for signals");
	else if (str_is_empty(container->record.unit))
		r = cgroup_update(place, plan, &saved, err);
	else
		r = update_unit(container, place, plan, signal_fd, err);
	k_sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

static int update(const struct container *container, struct spec_resources *resources, struct err *err)
{
	_cleanup_fd_ int mount_fd = container_open_mount(container, err), cgroup_fd = -1;
	_cleanup_free_ struct plan *plan = NULL;
	struct cgroup_place place = {.mount_fd = mount_fd, .path = container->record.cgroup_path};
	struct host host;
	int r = mount_fd < 0 ? mount_fd : host_probe_caller(&host, err);

	if (r < 0)
		return r;
	cgroup_fd = container_open_cgroup(container, err);
	if (cgroup_fd < 0)
		return cgroup_fd;
	place.fd = cgroup_fd;
	complete_cpu(cgroup_fd, resources);
	r = check_shares(cgroup_fd, resources, err);
	if (r >= 0)
		r = complete_memory(cgroup_fd, resources, err);
	if (r >= 0)
		r = plan_build_update(resources, &host, &plan, err);
	return r < 0 ? r : apply(container, &place, plan, err);
}

/* name: of the document's file. runtime-spec: unknown keys must be ignored, and may be logged. */
static int parse(const struct buf *document, const char *name, struct spec **ret_spec, struct err *err)
{
	int r = spec_parse_resources(document->data, document->len, ret_spec, err);

	/* An error with a JSON pointer needs no name of a file; one with a line number does. */
	if (r < 0 && err->json_pointer[0] == '\0')
		err_prefix(err, "%s", name);
	for (size_t i = 0; r >= 0 && i < (*ret_spec)->warnings.count; i++)
		log_line(LOG_WARNING, "%s: %s", name, (*ret_spec)->warnings.v[i]);
	return r;
}

int command_update(const struct update_options *options, struct err *err)
{
	_cleanup_container_ struct container container;
	_cleanup_spec_ struct spec *spec = NULL;
	int r = container_open(options->state_root, options->id, LOCK_TIMEOUT_MS, &container, err);

	if (r >= 0)
		r = check_status(&container, err);
	if (r >= 0)
		r = parse(options->document, options->name, &spec, err);
	return r < 0 ? r : update(&container, &spec->resources, err);
}
