/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the plan and carries out the parent's steps. Process: the parent, as in parent.c. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <tare/await.h>
#include <tare/container.h>
#include <tare/hooks.h>
#include <tare/protocol.h>
#include <tare/sys.h>

#include "environment.h"
#include "steps.h"

/* --- steps --- */

static int store_fd(struct parent *parent, int32_t slot, int fd)
{
	if (fd < 0)
		return fd;
	parent->slots[slot] = fd;
	return 0;
}

static int step_open_namespace(struct parent *parent, const struct plan_step *step, struct err *err)
{
	const char *path = plan_get(parent->plan, step->u.ns.path);
	int fd = k_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);

	if (fd < 0)
		return err_system(err, fd, "cannot open namespace '%s'", path);
	return store_fd(parent, step->u.ns.slot, fd);
}

/* Each mount source is an open descriptor until init has started. */
static void hint_open_files(struct err *err)
{
	struct rlimit64 limit;

	if (k_prlimit(0, RLIMIT_NOFILE, NULL, &limit) >= 0 && limit.rlim_cur < limit.rlim_max)
		err_hint(err, "the limit of open files is %llu: raise it with ulimit -n, up to %llu",
			 (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
}

/* In the parent a slot is an index of parent->slots, and no descriptor's number as in init. */
static int step_open_source(struct parent *parent, const struct plan_step *step, struct err *err)
{
	struct plan_source source = step->u.source.source;
	int base = 0, fd;

	if (source.idmap_slot != PLAN_NO_SLOT) {
		base = parent->slots[source.idmap_slot];
		source.idmap_slot = 0;
	}
	fd = source.is_locked ? sources_open_locked(parent, &source, base, err)
			      : mount_open_source(parent->plan, &source, AT_FDCWD, base, err);
	if (fd == -EMFILE)
		hint_open_files(err);
	return store_fd(parent, step->u.source.slot, fd);
}

static int step_make_node(struct parent *parent, const struct plan_step *step, struct err *err)
{
	int *fd = &parent->slots[step->u.node.slot];

	if (*fd < 0)
		*fd = nodes_open(parent->plan, err);
	return *fd < 0 ? *fd : nodes_make(parent->plan, *fd, &step->u.node.device, err);
}

static int step_expect(struct parent *parent, const struct plan_step *step, struct err *err)
{
	int r;

	if (step->u.step == STEP_INIT_STARTED)
		return spawn_expect_init(parent, err);
	r = parent_await(parent, step->u.step, err);
	if (r >= 0)
		r = protocol_expect(parent->socket_fd, (enum protocol_step)step->u.step, NULL,
				    step->u.step == STEP_READY ? &parent->console_fd : NULL, err);
	if (r >= 0 && step->u.step == STEP_READY) {
		if (err->kind != ERR_NONE)
			log_line(LOG_WARNING, err->hint[0] == '\0' ? "%s: %s" : "%s: %s (%s)",
				 err->json_pointer, err->msg, err->hint);
		*err = (struct err){.kind = ERR_NONE};
		r = parent_cgroup_check_owner(parent, err);
	}
	if (r == -EPIPE && err->kind == ERR_PEER)
		parent_explain_end(parent->pidfd >= 0 ? parent->pidfd : parent->bridge_pidfd, err);
	return r;
}

static int step_oom_score(struct parent *parent, const struct plan_step *step, struct err *err)
{
	const struct plan_step *proc = plan_find(parent->plan, PLAN_OPEN_PROC);
	char path[48], text[16];
	int len, r;

	str_format(path, sizeof path, "%d/oom_score_adj", parent->pid);
	len = str_format(text, sizeof text, "%lld", (long long)step->u.number);
	r = io_write_file(parent->slots[proc->u.slot], path, text, (size_t)len);
	if (r < 0) {
		r = err_system(err, r, "cannot set oom_score_adj to %s", text);
		if (r == -EACCES || r == -EPERM)
			err_hint(err, "lowering it needs CAP_SYS_RESOURCE");
	}
	return r;
}

static int step_maps(struct parent *parent, const struct plan_step *step, struct err *err)
{
	const struct plan_step *proc = plan_find(parent->plan, PLAN_OPEN_PROC);

	if (step->u.maps.is_joined)
		return idmap_compare(parent->slots[proc->u.slot], parent->pid, parent->plan, &step->u.maps,
				     err);
	return idmap_write(parent->slots[proc->u.slot], parent->pid, parent->plan, &step->u.maps, err);
}

static int step_hooks(struct parent *parent, const struct plan_step *step, struct err *err)
{
	_cleanup_fd_ int bundle_fd = container_open_bundle(parent->bundle, err);
	struct hooks_context context = {.plan = parent->plan,
					.pid = parent->pid,
					.environment = environ,
					.directory_fd = bundle_fd,
					.signal_fd = parent->signal_fd};
	int r;

	if (bundle_fd < 0)
		return bundle_fd;
	parent->has_run_hooks = true;
	r = hooks_run(&context, &step->u.hooks, err);
	return r == -EINTR ? await_interrupted(parent->signal_fd, err) : r;
}

static int commit(struct parent *parent, struct err *err)
{
	const struct create_options *o = parent->options;
	const struct parent_announcement announcement = {o->console_socket, o->pidfd_socket, o->pid_file,
							 "standard"};
	int r;

	/* A record without a creator is one of a complete container. */
	parent->record.creator = 0;
	parent->record.creator_start = 0;
	parent->record.pid = parent->pid;
	r = state_process_start(parent->pid, &parent->record.pid_start);
	if (r < 0)
		return err_system(err, r, "cannot read the start time of init");
	r = parent_announce(parent, &announcement, err);
	return r < 0 ? r : state_write(parent->dir_fd, &parent->record, err);
}

static int step_send(struct parent *parent, const struct plan_step *step, struct err *err)
{
	int r = 0;

	if (step->u.step == STEP_COMMITTED)
		r = parent->exec != NULL ? exec_commit(parent, err) : commit(parent, err);
	if (r < 0)
		return r;
	r = protocol_send(parent->socket_fd, (enum protocol_step)step->u.step, 0, NULL, -1);
	if (r < 0)
		r = err_system(err, r, "cannot send init the message to continue");
	if (r == -EPIPE)
		parent_explain_end(parent->pidfd, err);
	if (r < 0)
		return r;
	if (step->u.step == STEP_COMMITTED && parent->bridge_pidfd >= 0)
		spawn_end_bridge(parent);
	return 0;
}

static int step_net_device(struct parent *parent, const struct plan_net_device *device, struct err *err)
{
	int container_fd = device->slot == PLAN_NO_SLOT ? parent->pidfd : parent->slots[device->slot];

	return netdev_move(&parent->netdev, container_fd, parent->plan, device, err);
}

static int parent_step(struct parent *parent, const struct plan_step *step, struct err *err)
{
	const struct plan *plan = parent->plan;

	switch ((enum plan_kind)step->kind) {
	case PLAN_OPEN_PROC:
		return store_fd(parent, step->u.slot, mount_open_proc(err));
	case PLAN_OPEN_NAMESPACE:
		return step_open_namespace(parent, step, err);
	case PLAN_OPEN_IDMAP:
		return store_fd(parent, step->u.idmap.slot, idmap_open(plan, &step->u.idmap.maps, err));
	case PLAN_OPEN_SOURCE:
		return step_open_source(parent, step, err);
	case PLAN_MAKE_NODE:
		return step_make_node(parent, step, err);
	case PLAN_OPEN_ENVIRONMENT:
		return store_fd(parent, step->u.slot, environment_open(environ, err));
	case PLAN_OPEN_CONTAINER:
		return exec_open_container(parent, step, err);
	case PLAN_OPEN_CGROUP:
		return exec_open_cgroup(parent, step, err);
	case PLAN_AFFINITY:
		return process_set_affinity(plan, step->u.affinity, err);
	case PLAN_SPAWN:
		sources_done(parent);
		return spawn_init(parent, step, err);
	case PLAN_ID_MAPS:
		return step_maps(parent, step, err);
	case PLAN_NET_DEVICE:
		return step_net_device(parent, &step->u.net_device, err);
	case PLAN_OOM_SCORE:
		return step_oom_score(parent, step, err);
	case PLAN_HOOKS:
		return step_hooks(parent, step, err);
	case PLAN_SCHEDULER:
		return process_set_scheduler(parent->pid, step, err);
	case PLAN_IO_PRIORITY:
		return process_set_io_priority(parent->pid, step->u.number, err);
	case PLAN_RLIMIT:
		return process_set_rlimit(parent->pid, &step->u.rlimit, err);
	case PLAN_SEND:
		return step_send(parent, step, err);
	case PLAN_EXPECT:
		return step_expect(parent, step, err);
	case PLAN_LISTENER:
		return listener_take(parent, &step->u.filter, err);
	default:
		return parent_cgroup_step(parent, step, err);
	}
}

static void log_step(const struct plan *plan, const struct plan_step *step)
{
	_cleanup_buf_ struct buf text = {0};

	if (!log_is_debug())
		return;
	plan_print_step(plan, step, &text);
	log_line(LOG_DEBUG, "%s", text.data);
}

/* A step can fail because the child has failed before: its error is the cause, and replaces *err. */
static bool receive_failure(const struct parent *parent, struct err *err)
{
	const struct await await = {parent->socket_fd, POLLIN, -1, -1, 0};
	struct err child_err;

	if (parent->socket_fd < 0 || await_any(&await) != AWAIT_READY ||
	    protocol_expect(parent->socket_fd, STEP_FAILED, NULL, NULL, &child_err) >= 0)
		return false;
	/* Another message, or none, is not the cause. */
	if (child_err.kind == ERR_PEER && (child_err.errnum == EPROTO || child_err.errnum == EPIPE))
		return false;
	*err = child_err;
	return true;
}

/* Steps after COMMITTED are part of the start. */
int parent_walk(struct parent *parent, struct err *err)
{
	const struct plan_step *steps = plan_steps(parent->plan);

	for (uint32_t i = 0; i < parent->plan->step_count; i++) {
		int r;

		if (steps[i].actor != PLAN_PARENT)
			continue;
		log_step(parent->plan, &steps[i]);
		r = parent_step(parent, &steps[i], err);
		if (r == -EINTR)
			return r;
		if (r < 0) {
			bool is_childs = receive_failure(parent, err);

			parent_explain_limits(parent, err);
			if (!is_childs)
				err_pointer(err, plan_get(parent->plan, steps[i].json_pointer));
			return r;
		}
		if (steps[i].kind == PLAN_SEND && steps[i].u.step == STEP_COMMITTED)
			break;
	}
	return 0;
}
