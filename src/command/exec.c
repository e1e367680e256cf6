/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec: starts a further process in an existing container.
 *
 * Process: the parent of the new process, in the caller's namespaces. It carries out a plan as the parent of a
 * container does, but owns nothing of the container: after a failure it only kills the new process.
 */
#include <errno.h>
#include <string.h>

#include <tare/command.h>
#include <tare/exec.h>
#include <tare/notify.h>

#include "private.h"

#define PROCESS_MAX ((size_t)16 << 20) /* bytes of a --process file */

int exec_open_init(const struct container *container, const char *action, int *ret_pidfd, struct err *err)
{
	_cleanup_fd_ int pidfd = state_open_pidfd(&container->record, err);
	enum state_status status;
	int r = pidfd == -ESRCH ? state_status(container->dir_fd, &container->record, &status, err) : pidfd;

	if (r < 0)
		return r;
	if (pidfd == -ESRCH && status == STATE_CREATING)
		return err_set(err, ERR_STATE, 0, NULL, "cannot %s a container that is not created yet",
			       action);
	if (pidfd == -ESRCH)
		return err_set(err, ERR_STATE, 0, NULL, "cannot %s a stopped container", action);
	*ret_pidfd = take_fd(&pidfd);
	return 0;
}

/* Builds the container's plan from its configuration, if the stored plan cannot be used. */
static int rebuild_plan(const struct container *container, struct buf *ret, struct err *err)
{
	const struct state_record *record = &container->record;
	struct plan_request request = {
		.id = record->id,
		.bundle = record->bundle,
		.is_systemd_cgroup = !str_is_empty(record->unit),
		.is_cgroup_disabled = str_is_empty(record->cgroup_path),
		.is_no_new_keyring = record->is_no_new_keyring,
		.keyring = str_is_empty(record->keyring) ? NULL : record->keyring,
	};
	_cleanup_spec_ struct spec *spec = NULL;
	_cleanup_seccomp_ struct seccomp_program program = {0};
	_cleanup_free_ struct plan *plan = NULL;
	struct plan_filter_program filter;
	struct host whole;
	int r = container_load_spec(container, &spec, err);

	if (r >= 0)
		r = host_probe(&whole, err);
	if (r >= 0 && spec->seccomp.is_set) {
		request.filter = &filter;
		r = filter_load(&spec->seccomp, container->root_fd, &program, &filter, err);
	}
	if (r >= 0)
		r = plan_build(spec, &whole, &request, &plan, err);
	if (r < 0)
		return r;
	plan_store(plan);
	buf_done(ret);
	buf_add(ret, plan, plan->size);
	return 0;
}

int exec_load_plan(const struct container *container, struct buf *text, const struct plan **ret,
		   struct err *err)
{
	size_t size;
	const void *data = state_map_plan(container->dir_fd, &size);
	int r = 0;

	if (data != NULL)
		*ret = plan_restore(data, size);
	if (*ret == NULL) {
		r = rebuild_plan(container, text, err);
		*ret = r < 0 ? NULL : plan_restore(text->data, text->len);
	}
	return r;
}

static int load_process(const struct exec_options *options, struct spec **ret_spec, struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	int r;

	if (options->process == NULL)
		return 0;
	r = io_read_input(options->process, PROCESS_MAX, &text);
	if (r < 0)
		return err_system(err, r, "cannot read process file '%s'", IO_INPUT_NAME(options->process));
	r = spec_parse_process(text.data == NULL ? "" : text.data, text.len, ret_spec, err);
	if (r < 0)
		err_prefix(err, "%s", IO_INPUT_NAME(options->process));
	return r;
}

/*
 * The cgroup for the new process: --cgroup names one below the container's. The controllers in
 * "CONTROLLERS:PATH" select one of several cgroup v1 hierarchies; v2 has one, so they are ignored.
 */
static int choose_cgroup(const struct exec_options *options, const struct state_record *record, char **ret,
			 struct err *err)
{
	const char *path = options->cgroup, *colon = path == NULL ? NULL : strchr(path, ':');

	/* A colon after a slash is part of the path: names of controllers have no slash. */
	if (colon != NULL && memchr(path, '/', (size_t)(colon - path)) == NULL)
		path = colon + 1;
	if (path == NULL || str_equal(path, "/") || path[0] == '\0') {
		*ret = mem_dup(record->cgroup_path);
		return 0;
	}
	if (str_is_empty(record->cgroup_path))
		return err_set(err, ERR_USAGE, 0, NULL, "--cgroup %s: the container has no cgroup",
			       options->cgroup);
	for (const char *at = path; *at != '\0';) {
		size_t len = strcspn(at, "/");

		if (len == 2 && at[0] == '.' && at[1] == '.')
			return err_set(err, ERR_USAGE, 0, NULL,
				       "--cgroup %s: '..' leaves the container's cgroup", options->cgroup);
		at += len + (at[len] == '/');
	}
	*ret = mem_format("%s/%s", record->cgroup_path, path + strspn(path, "/"));
	return 0;
}

/* The request of the command line, completed. */
static struct plan_exec_request make_request(const struct exec_options *o, const struct spec *process,
					     const struct parent_descriptors *kept, const char *cgroup)
{
	struct plan_exec_request request = o->plan;

	request.process = process == NULL ? NULL : &process->process;
	request.is_announced = o->common.pid_file != NULL || o->common.console_socket != NULL ||
			       o->common.pidfd_socket != NULL;
	request.preserve_fds = kept->preserve_fds;
	request.listen_fds = kept->listen_fds;
	request.listen_fdnames = kept->listen_fdnames;
	request.cgroup = cgroup;
	return request;
}

static void undo(struct child *child)
{
	struct err ignored;

	child_kill(child);
	(void)!parent_remove_pid_file(child, &ignored);
}

/* Only for capabilities that this exec requests; a request of the container's was reported by create. */
static void load_warnings(const struct exec *exec, const struct spec *process)
{
	struct spec_capabilities asked = {0};

	if (process != NULL)
		asked = process->process.capabilities;
	asked.bounding |= exec->options->plan.capabilities;
	parent_load_warnings(exec->plan, process, &asked);
}

static int build(struct exec *exec, const struct spec *process, struct err *err)
{
	const struct exec_options *o = exec->options;
	_cleanup_buf_ struct buf text = {0};
	_cleanup_free_ char *cgroup = NULL;
	struct parent_descriptors kept;
	struct plan_exec_request request;
	const struct plan *plan = NULL;
	struct host host = {0};
	int r = host_probe_caller(&host, err);

	if (r >= 0)
		r = exec_load_plan(&exec->container, &text, &plan, err);
	if (r >= 0 && plan_process_of(plan)->user.is_setgroups_denied)
		r = host_probe_setgroups(&host, err);
	if (r >= 0)
		r = choose_cgroup(o, &exec->container.record, &cgroup, err);
	if (r >= 0)
		r = parent_load_descriptors(o->common.preserve_fds, &kept, err);
	if (r < 0)
		return r;
	request = make_request(o, process, &kept, cgroup);
	r = plan_build_exec(plan, &host, &request, &exec->plan, err);
	if (r < 0)
		return r;
	exec->child.plan = exec->plan;
	exec->child.first_fd = kept.first_fd;
	load_warnings(exec, process);
	return 0;
}

static int prepare(struct exec *exec, struct err *err)
{
	const struct exec_options *o = exec->options;
	_cleanup_spec_ struct spec *process = NULL;
	const struct plan_step *console;
	int r = exec_open_init(&exec->container, "exec in", &exec->container_pidfd, err);

	if (r >= 0)
		r = load_process(o, &process, err);
	if (r >= 0)
		r = build(exec, process, err);
	if (r < 0)
		return r;
	console = plan_find(exec->plan, PLAN_CONSOLE);
	r = parent_check_console(o->common.console_socket, o->common.is_detached, console != NULL, err);
	if (r >= 0)
		r = parent_check_pid_file(o->common.pid_file, err);
	return r < 0 ? r : child_open_slots(&exec->child, err);
}

/* A filter that kills the process at one of its last system calls leaves no process to report the error. */
static int wait_executed(const struct child *child, struct err *err)
{
	const struct plan_step *step = plan_find(child->plan, PLAN_SECCOMP);
	const struct plan_table *program = step == NULL ? NULL : &step->u.filter.program;
	int r = starter_wait_executed(child->socket_fd, child->pidfd, err);

	if (r == -EPIPE && err->kind == ERR_PEER)
		child_explain_end(child->pidfd, child->plan, err);
	if (r < 0)
		return r;
	if (program == NULL || !seccomp_can_kill(plan_rows(child->plan, *program), program->count))
		return 0;
	return starter_check_executed(child->pidfd, child->pid, err);
}

static int execute(struct child *child, struct err *err)
{
	int r = wait_executed(child, err);

	if (r < 0)
		trace_log_stop(child);
	else
		trace_log_executed(child);
	return r;
}

/*
 * If the container stops meanwhile, its cgroup, its namespaces and the new process can disappear at any step,
 * each with another error; all of them are replaced by one message. An error with a JSON pointer is about a
 * value of the request and stays.
 */
static void explain_failure(const struct exec *exec, struct err *err)
{
	struct err ignored;
	_cleanup_fd_ int pidfd = state_open_pidfd(&exec->container.record, &ignored);
	bool is_cut_off = err->kind == ERR_PEER || err->errnum == EPIPE;

	if (err->json_pointer[0] == '\0' && (pidfd == -ESRCH || (is_cut_off && pidfd_is_dying(pidfd))))
		err_set(err, ERR_STATE, 0, NULL,
			"container not running: it ended before the new process began");
	parent_explain_limits(&exec->child, err);
}

int command_exec(const struct exec_options *options, int *ret_status, struct err *err)
{
	_cleanup_exec_ struct exec exec;
	struct notify nothing = NOTIFY_NONE;
	struct state_end end = {.status = 0};
	int r;

	exec_init(&exec, options);
	r = container_open(options->common.state_root, options->common.id, -1, &exec.container, err);
	if (r >= 0)
		r = prepare(&exec, err);
	if (r >= 0)
		r = child_hold_signals(&exec.child, err);
	if (r < 0)
		return r;
	r = parent_walk_exec(&exec, err);
	if (r >= 0)
		r = execute(&exec.child, err);
	if (r >= 0)
		log_show_warnings();
	if (r >= 0 && !options->common.is_detached)
		r = foreground_wait(&(struct foreground_options){.child = &exec.child, .notify = &nothing},
				    &end, err);
	if (r >= 0 && exec.child.bridge_pidfd >= 0)
		spawn_end_bridge(&exec.child);
	*ret_status = end.status;
	if (r >= 0)
		return 0;
	undo(&exec.child);
	if (r != -EINTR)
		explain_failure(&exec, err);
	return r;
}
