/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec: starts a further process in an existing container.
 *
 * Process: the parent of the new process, in the caller's namespaces. It carries out a plan as the parent of a
 * container does, but owns nothing of the container: after a failure it only kills the new process.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <tare/command.h>
#include <tare/container.h>
#include <tare/notify.h>

#include "private.h"

#define PROCESS_MAX ((size_t)16 << 20) /* bytes of a --process file */

/* Opens a pidfd of the container's init. If init is dead, the error depends on the container's status. */
static int open_init(const struct container *container, int *ret_pidfd, struct err *err)
{
	_cleanup_fd_ int pidfd = state_open_pidfd(&container->record, err);
	enum state_status status;
	int r = pidfd == -ESRCH ? state_status(container->dir_fd, &container->record, &status, err) : pidfd;

	if (r < 0)
		return r;
	if (pidfd == -ESRCH && status == STATE_CREATING)
		return err_set(err, ERR_STATE, 0, NULL, "cannot exec in a container that is not created yet");
	if (pidfd == -ESRCH)
		return err_set(err, ERR_STATE, 0, NULL, "cannot exec in a stopped container");
	*ret_pidfd = take_fd(&pidfd);
	return 0;
}

/* Builds the container's plan from the configuration in the record, if the stored plan cannot be used. */
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
	int r = spec_parse(record->config, record->config_len, &spec, err);

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

static int load_container_plan(const struct container *container, struct buf *text, const struct plan **ret,
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

static struct plan_exec_request make_request(const struct parent *parent, const struct spec *process,
					     const char *cgroup)
{
	const struct exec_options *o = parent->exec;

	return (struct plan_exec_request){
		.process = process == NULL ? NULL : &process->process,
		.args = o->args,
		.arg_count = o->arg_count,
		.env = o->env,
		.env_count = o->env_count,
		.cwd = o->cwd,
		.apparmor_profile = o->apparmor,
		.selinux_label = o->process_label,
		.has_uid = o->has_uid,
		.has_gid = o->has_gid,
		.has_groups = o->group_count > 0,
		.uid = o->uid,
		.gid = o->gid,
		.groups = o->groups,
		.group_count = o->group_count,
		.capabilities = o->capabilities,
		.is_no_new_privs = o->is_no_new_privs,
		.is_terminal = o->is_terminal,
		.is_announced = o->pid_file != NULL || o->console_socket != NULL || o->pidfd_socket != NULL,
		.preserve_fds = parent->request.preserve_fds,
		.listen_fds = parent->request.listen_fds,
		.listen_fdnames = parent->request.listen_fdnames,
		.cgroup = cgroup,
	};
}

static void undo(struct parent *parent)
{
	parent_undo_processes(parent);
	if (parent->has_pid_file)
		k_unlinkat(AT_FDCWD, parent->exec->pid_file, 0);
}

/* Only for capabilities that this exec requests; a request of the container's was reported by create. */
static void load_warnings(const struct parent *parent, const struct spec *process)
{
	uint64_t asked[SPEC_CAP_SETS] = {0};

	if (process != NULL)
		memcpy(asked, process->process.capabilities, sizeof asked);
	asked[SPEC_CAP_BOUNDING] |= parent->exec->capabilities;
	parent_load_warnings(parent->plan, process, asked);
}

static int build(struct parent *parent, const struct container *container, const struct spec *process,
		 struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	_cleanup_free_ char *cgroup = NULL;
	struct plan_exec_request request;
	const struct plan *plan = NULL;
	int r = host_probe_caller(&parent->host, err);

	if (r >= 0)
		r = load_container_plan(container, &text, &plan, err);
	if (r >= 0)
		r = choose_cgroup(parent->exec, &container->record, &cgroup, err);
	if (r >= 0)
		r = parent_load_descriptors(parent, parent->exec->preserve_fds, err);
	if (r < 0)
		return r;
	request = make_request(parent, process, cgroup);
	r = plan_build_exec(plan, &parent->host, &request, &parent->plan, err);
	if (r >= 0)
		load_warnings(parent, process);
	return r;
}

static int prepare(struct parent *parent, struct container *container, struct err *err)
{
	const struct exec_options *o = parent->exec;
	_cleanup_spec_ struct spec *process = NULL;
	const struct plan_step *console;
	int r = open_init(container, &parent->container_pidfd, err);

	if (r >= 0)
		r = load_process(o, &process, err);
	if (r >= 0)
		r = build(parent, container, process, err);
	if (r < 0)
		return r;
	console = plan_find(parent->plan, PLAN_CONSOLE);
	r = parent_check_console(o->console_socket, o->is_detached, console != NULL, err);
	if (r >= 0)
		r = parent_check_pid_file(o->pid_file, err);
	return r < 0 ? r : parent_open_slots(parent, err);
}

/* A filter that kills the process at one of its last system calls leaves no process to report the error. */
static int wait_executed(const struct parent *parent, struct err *err)
{
	const struct plan_step *step = plan_find(parent->plan, PLAN_SECCOMP);
	const struct plan_table *program = step == NULL ? NULL : &step->u.filter.program;
	int r = starter_wait_executed(parent->socket_fd, parent->pidfd, err);

	if (r == -EPIPE && err->kind == ERR_PEER)
		parent_explain_end(parent->pidfd, err);
	if (r < 0)
		return r;
	if (program == NULL || !seccomp_can_kill(plan_rows(parent->plan, *program), program->count))
		return 0;
	return starter_check_executed(parent->pidfd, parent->pid, err);
}

/*
 * If the container stops meanwhile, its cgroup, its namespaces and the new process can disappear at any step,
 * each with another error; all of them are replaced by one message. An error with a JSON pointer is about a
 * value of the request and stays.
 */
static void explain_failure(struct parent *parent, struct err *err)
{
	struct err ignored;
	_cleanup_fd_ int pidfd = state_open_pidfd(&parent->record, &ignored);
	bool is_cut_off = err->kind == ERR_PEER || err->errnum == EPIPE;

	if (err->json_pointer[0] == '\0' && (pidfd == -ESRCH || (is_cut_off && pidfd_is_dying(pidfd))))
		err_set(err, ERR_STATE, 0, NULL,
			"container not running: it ended before the new process began");
	parent_explain_limits(parent, err);
}

int command_exec(const struct exec_options *options, int *ret_status, struct err *err)
{
	_cleanup_container_ struct container container;
	_cleanup_parent_ struct parent parent;
	struct notify nothing = NOTIFY_NONE;
	struct state_end end = {.status = 0};
	int r;

	parent_init(&parent, NULL);
	parent.exec = options;
	r = container_open(options->state_root, options->id, -1, &container, err);
	if (r < 0)
		return r;
	r = prepare(&parent, &container, err);
	if (r >= 0)
		r = parent_hold_signals(&parent, err);
	if (r < 0)
		return r;
	parent.record = container.record;
	container.record = (struct state_record){0};
	parent.dir_fd = take_fd(&container.dir_fd);
	r = parent_walk(&parent, err);
	if (r >= 0)
		r = wait_executed(&parent, err);
	if (r >= 0)
		log_show_warnings();
	if (r >= 0 && !options->is_detached)
		r = foreground_wait(&parent, &nothing, &end, err);
	if (r >= 0 && parent.bridge_pidfd >= 0)
		spawn_end_bridge(&parent);
	*ret_status = end.status;
	if (r >= 0)
		return 0;
	undo(&parent);
	if (r != -EINTR)
		explain_failure(&parent, err);
	return r;
}
