/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint: writes the processes of a running container to files, by criu(8). Process: the one that the
 * caller started. criu(8) is not killed with it: it would leave processes that it has stopped and altered.
 */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tare/command.h>
#include <tare/container.h>
#include <tare/criu.h>
#include <tare/plan.h>
#include <tare/spec.h>

#include "private.h"

#define LOCK_TIMEOUT_MS 10000
#define ROOT_ANNOTATION "org.tare.root"

static int check_status(const struct container *container, struct err *err)
{
	enum state_status status;
	int r = state_status(container->dir_fd, &container->record, &status, err);

	if (r < 0 || status == STATE_RUNNING || status == STATE_PAUSED)
		return r;
	err_set(err, ERR_STATE, 0, NULL, "cannot checkpoint a container in the %s state",
		state_status_name(status));
	return -EINVAL;
}

/* The namespaces that the configuration gives paths of, in the form of struct criu_source. */
static void add_joined(const struct spec *spec, struct buf *out)
{
	static const char *const names[SPEC_NS_COUNT] = {
		[SPEC_NS_USER] = "user",     [SPEC_NS_MOUNT] = "mnt", [SPEC_NS_PID] = "pid",
		[SPEC_NS_NETWORK] = "net",   [SPEC_NS_IPC] = "ipc",   [SPEC_NS_UTS] = "uts",
		[SPEC_NS_CGROUP] = "cgroup", [SPEC_NS_TIME] = "time"};

	buf_add_str(out, "");
	for (int ns = 0; ns < SPEC_NS_COUNT; ns++)
		if (spec->namespaces[ns].path != NULL)
			buf_format(out, "%s%s", out->len == 0 ? "" : " ", names[ns]);
}

/* The configuration file of criu(8) that a container names, or that the host has for the runtime. */
static const char *config_of(const struct state_record *record)
{
	static const char *const usual[] = {"/etc/criu/tare.conf", "/etc/criu/crun.conf",
					    "/etc/criu/runc.conf"};
	const char *named = state_annotation(record, "org.criu.config");

	for (size_t i = 0; named == NULL && i < ARRAY_SIZE(usual); i++)
		if (access(usual[i], R_OK) == 0)
			return usual[i];
	return named;
}

static void add_dump(struct criu_args *args, const struct container *container, const struct criu_options *o)
{
	const struct state_record *record = &container->record;

	criu_args_add(args, "--tree");
	criu_args_add(args, "%d", record->pid);
	criu_args_add(args, "--root");
	criu_args_add(args, "%s", record->rootfs);
	if (!str_is_empty(record->cgroup_path))
		criu_args_add(args, "--freeze-cgroup=%s%s", record->cgroup_mount, record->cgroup_path);
	if (o->is_leave_running && !o->is_pre_dump)
		criu_args_add(args, "--leave-running");
	if (o->is_pre_dump || o->parent_path != NULL)
		criu_args_add(args, "--track-mem");
	if (o->parent_path != NULL)
		criu_args_add(args, "--prev-images-dir=%s", o->parent_path);
}

/* criu(8) restores a filter, but nothing that answers the system calls of which the filter notifies. */
static int check_filter(const struct container *container, struct err *err)
{
	size_t size = 0;
	const void *data = state_map_plan(container->dir_fd, &size);
	const struct plan *plan = data == NULL ? NULL : plan_restore(data, size);

	if (plan == NULL)
		return err_set(err, ERR_STATE, 0, NULL,
			       "cannot checkpoint the container: its plan cannot be read");
	if (plan_find(plan, PLAN_LISTENER) == NULL && plan_find(plan, PLAN_RECORDER) == NULL)
		return 0;
	err_set(err, ERR_UNSUPPORTED, 0, "/linux/seccomp",
		"cannot checkpoint a container of which an agent or a recorder answers system calls: criu "
		"cannot");
	err_hint(err, "create it without SCMP_ACT_NOTIFY, org.tare.denied and a report");
	return -EOPNOTSUPP;
}

static int find_externals(const struct container *container, struct criu_externals *ret, struct err *err)
{
	_cleanup_spec_ struct spec *spec = NULL;
	_cleanup_buf_ struct buf joined = {0};
	_cleanup_state_mounts_ struct state_mounts added = {NULL, 0};
	int r = container_load_spec(container, &spec, err);

	*ret = (struct criu_externals){.v = NULL};
	if (r >= 0)
		r = state_read_mounts(container->dir_fd, &added, err);
	if (r < 0)
		return r;
	if (state_annotation(&container->record, ROOT_ANNOTATION) != NULL)
		return err_set(err, ERR_UNSUPPORTED, 0, "/annotations/" ROOT_ANNOTATION,
			       "cannot checkpoint a container with a root in memory");
	if (!spec->namespaces[SPEC_NS_MOUNT].is_set)
		return err_set(err, ERR_UNSUPPORTED, 0, "/linux/namespaces",
			       "cannot checkpoint a container without a mount namespace of its own");
	add_joined(spec, &joined);
	return criu_externals_find(
		&(struct criu_source){container->record.pid, joined.data, added.ids, added.count}, ret, err);
}

static int dump(const struct container *container, struct criu_options *o, struct err *err)
{
	_cleanup_criu_args_ struct criu_args args = {.v = NULL};
	_cleanup_criu_dirs_ struct criu_dirs dirs = {NULL};
	_cleanup_criu_externals_ struct criu_externals externals = {.v = NULL};
	const char *action = o->is_pre_dump ? "pre-dump" : "dump";
	const struct criu_call call = {.args = &args,
				       .dirs = &dirs,
				       .action = action,
				       .goal = "checkpoint the container",
				       .cgroup_fd = -1};
	int r = check_filter(container, err);

	if (r >= 0)
		r = criu_dirs_open(o, true, &dirs, err);
	if (r >= 0)
		r = find_externals(container, &externals, err);
	if (r < 0)
		return r;
	o->config = config_of(&container->record);
	criu_args_begin(&args, action, o, &dirs);
	add_dump(&args, container, o);
	r = criu_externals_add(&externals, container->record.pid, &args, err);
	/* Before the dump, so that no image exists that cannot be restored. */
	if (r >= 0)
		r = criu_externals_write(&externals, dirs.images, err);
	return r < 0 ? r : criu_run(&call, err);
}

int command_checkpoint(const char *state_root, const char *id, struct criu_options *options, struct err *err)
{
	_cleanup_container_ struct container container = {.root_fd = -1, .dir_fd = -1};
	uint64_t all = ~0ull, old;
	int r = criu_check(err);

	if (r < 0)
		return r;
	r = container_open(state_root, id, LOCK_TIMEOUT_MS, &container, err);
	if (r < 0)
		return r;
	r = check_status(&container, err);
	if (r < 0)
		return r;
	/* A signal must not end this process between the dump and the removal of the container. */
	k_sigprocmask(SIG_SETMASK, &all, &old);
	r = dump(&container, options, err);
	if (r >= 0 && !options->is_leave_running && !options->is_pre_dump)
		r = container_destroy(&container, err);
	k_sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}
