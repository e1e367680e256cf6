/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent: the tare process that was called to create or run a container.
 *
 * Process: the caller's own namespaces, ids, cgroup and working directory, all signals blocked from the
 * moment that there is something to undo; INT, TERM, HUP and QUIT end its waiting, and it undoes all. It
 * prepares everything that can be prepared, lets init be born, and carries out the plan's steps that need the
 * host. It may be killed at any moment: init then dies with it (until it has said COMMITTED), and what is left
 * on the host is named in the record, which is written before anything else is made.
 */
#include "parent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tare/sys.h>

#include <tare/await.h>
#include <tare/container.h>
#include "environment.h"
#include <tare/hooks.h>
#include <tare/notify.h>
#include <tare/protocol.h>

void parent_init(struct parent *parent, const struct run_options *options)
{
	*parent = (struct parent){
		.options = options,
		.root_fd = -1,
		.dir_fd = -1,
		.mount_fd = -1,
		.cgroup_fd = -1,
		.socket_fd = -1,
		.child_socket_fd = -1,
		.pidfd = -1,
		.bridge_pidfd = -1,
		.listener_fd = -1,
		.placeholder_pidfd = -1,
		.keeper_pidfd = -1,
		.signal_fd = -1,
		.console_fd = -1,
		.container_pidfd = -1,
		.first_fd = 3,
	};
}

void parent_close_slots(struct parent *parent)
{
	for (size_t i = 0; parent->slots != NULL && i < parent->plan->slot_count; i++)
		fd_close(&parent->slots[i]);
}

void parent_done(struct parent *parent)
{
	int *const fds[] = {&parent->root_fd,      &parent->dir_fd,          &parent->mount_fd,
			    &parent->cgroup_fd,    &parent->socket_fd,       &parent->child_socket_fd,
			    &parent->pidfd,        &parent->bridge_pidfd,    &parent->listener_fd,
			    &parent->console_fd,   &parent->container_pidfd, &parent->placeholder_pidfd,
			    &parent->keeper_pidfd, &parent->signal_fd};

	parent_close_slots(parent);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_close(fds[i]);
	netdev_done(&parent->netdev);
	mem_free(&parent->slots);
	state_record_done(&parent->record);
	spec_free(parent->spec);
	mem_free(&parent->plan);
	mem_free(&parent->bundle);
	mem_free(&parent->notify_dir);
	mem_free(&parent->keyring);
}

/* --- the record --- */

static void fill_annotations(struct state_record *record, const struct spec *spec)
{
	record->annotations = mem_alloc((spec->annotations.count + 1) * sizeof *record->annotations);
	for (size_t i = 0; i < spec->annotations.count; i++) {
		record->annotations[i].key = mem_dup(spec->annotations.v[i].key);
		record->annotations[i].value = mem_dup(spec->annotations.v[i].value);
	}
	record->annotation_count = spec->annotations.count;
}

static int fill_record(struct parent *parent, struct err *err)
{
	struct state_record *record = &parent->record;
	const struct plan_step *root = plan_find(parent->plan, PLAN_ROOT);
	const char *cgroup = plan_cgroup_path(parent->plan);
	const struct plan_step *unit = plan_find(parent->plan, PLAN_UNIT_START);
	struct timespec now;
	int r;

	clock_gettime(CLOCK_REALTIME, &now);
	record->id = mem_dup(parent->options->id);
	record->bundle = mem_dup(parent->bundle);
	record->rootfs = mem_dup(plan_get(parent->plan, root->u.root.path));
	record->oci_version = mem_dup(parent->spec->oci_version);
	record->cgroup_mount = mem_dup(plan_has_cgroup(parent->plan) ? parent->host.cgroup_mount : "");
	record->cgroup_path = mem_dup(cgroup);
	record->unit = mem_dup(unit == NULL ? "" : plan_get(parent->plan, unit->u.unit.name));
	record->is_user_unit = unit != NULL && unit->u.unit.is_user;
	rdt_fill_record(parent);
	record->creator = k_getpid();
	r = state_process_start(record->creator, &record->creator_start);
	if (r < 0)
		return err_system(err, r, "cannot read the start time of this process");
	record->created_secs = now.tv_sec;
	record->created_nanosecs = (uint32_t)now.tv_nsec;
	record->owner = parent->host.euid;
	record->has_gate = !parent->request.is_run;
	record->is_no_new_keyring = parent->request.is_no_new_keyring;
	record->keyring = mem_dup(parent->keyring == NULL ? "" : parent->keyring);
	record->has_poststart = parent->spec->hooks[SPEC_HOOK_POSTSTART].count > 0;
	record->has_poststop = parent->spec->hooks[SPEC_HOOK_POSTSTOP].count > 0;
	fill_annotations(record, parent->spec);
	return state_note_namespaces(record, err);
}

/* The gate is bound by its directory's descriptor: sun_path is too short for most paths. */
static int open_gate(struct parent *parent, struct err *err)
{
	const struct plan_step *step = plan_find(parent->plan, PLAN_GATE);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_fd_ int fd = -1;
	int r;

	if (step->u.slot == PLAN_NO_SLOT)
		return 0;
	fd = k_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	str_format(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/gate", parent->dir_fd);
	r = fd < 0 ? fd : k_bind(fd, &address, sizeof address);
	if (r >= 0)
		r = k_listen(fd, 16);
	if (r < 0)
		return err_system(err, r, "cannot make the start gate");
	parent->slots[step->u.slot] = take_fd(&fd);
	return 0;
}

/* If this process is killed, what it has begun to make is what is not there yet. */
static int note_missing(struct parent *parent, struct err *err)
{
	_cleanup_fd_ int mount_fd = -1;

	if (plan_find(parent->plan, PLAN_CGROUP_CREATE) == NULL)
		return 0;
	mount_fd = cgroup_open_mount(parent->host.cgroup_mount, err);
	if (mount_fd < 0)
		return mount_fd;
	return cgroup_missing(mount_fd, parent->record.cgroup_path, &parent->record.cgroup_created, err);
}

static int open_state(struct parent *parent, struct err *err)
{
	int r;

	if (parent->root_fd < 0)
		parent->root_fd = state_open_root(parent->options->state_root, true, err);
	if (parent->root_fd < 0)
		return parent->root_fd;
	parent->dir_fd = state_create_dir(parent->root_fd, parent->options->id, err);
	if (parent->dir_fd < 0)
		return parent->dir_fd;
	r = fill_record(parent, err);
	if (r >= 0)
		r = note_missing(parent, err);
	if (r >= 0)
		r = state_write(parent->dir_fd, &parent->record, err);
	/* For exec, which then need not read the configuration again. */
	parent->plan->created_secs = parent->record.created_secs;
	parent->plan->created_nanosecs = parent->record.created_nanosecs;
	plan_store(parent->plan);
	if (r >= 0)
		r = state_write_plan(parent->dir_fd, parent->plan, parent->plan->size, err);
	if (r >= 0 && parent->request.notify_dir != NULL)
		r = notify_make_dir(parent->dir_fd, err);
	return r < 0 ? r : open_gate(parent, err);
}

/* --- steps --- */

static int keep(struct parent *parent, int32_t slot, int fd)
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
	return keep(parent, step->u.ns.slot, fd);
}

/* Each mount source is a descriptor until init has it. */
static void explain_descriptors(struct err *err)
{
	struct rlimit64 limit;

	if (k_prlimit(0, RLIMIT_NOFILE, NULL, &limit) >= 0 && limit.rlim_cur < limit.rlim_max)
		err_hint(err, "the limit of open files is %llu: raise it with ulimit -n, up to %llu",
			 (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
}

/* Idmapped sources name their user namespace by its slot, which here is an array index and not a number. */
static int step_open_source(struct parent *parent, const struct plan_step *step, struct err *err)
{
	struct plan_source source = step->u.source.source;
	int base = 0, fd;

	if (source.idmap_slot != PLAN_NO_SLOT) {
		base = parent->slots[source.idmap_slot];
		source.idmap_slot = 0;
	}
	fd = mount_open_source(parent->plan, &source, AT_FDCWD, base, err);
	if (fd == -EMFILE)
		explain_descriptors(err);
	return keep(parent, step->u.source.slot, fd);
}

static int step_make_node(struct parent *parent, const struct plan_step *step, struct err *err)
{
	int *fd = &parent->slots[step->u.node.slot];

	if (*fd < 0)
		*fd = nodes_open(parent->plan, err);
	return *fd < 0 ? *fd : nodes_make(parent->plan, *fd, &step->u.node.device, err);
}

int parent_await(const struct parent *parent, uint32_t step, struct err *err)
{
	int pidfd = parent->pidfd >= 0 ? parent->pidfd : parent->bridge_pidfd;
	const struct await await = {parent->socket_fd, POLLIN, pidfd, parent->signal_fd, -1};

	return await_message(&await, protocol_step_name((enum protocol_step)step), err);
}

static int step_expect(struct parent *parent, const struct plan_step *step, struct err *err)
{
	int r;

	if (step->u.step == STEP_BORN)
		return birth_expect(parent, err);
	r = parent_await(parent, step->u.step, err);
	if (r >= 0)
		r = protocol_expect(parent->socket_fd, (enum protocol_step)step->u.step, NULL,
				    step->u.step == STEP_READY ? &parent->console_fd : NULL, err);
	if (r >= 0 && step->u.step == STEP_READY) {
		if (err->kind != ERR_NONE)
			log_line(LOG_WARNING, err->hint[0] == '\0' ? "%s: %s" : "%s: %s (%s)", err->where,
				 err->msg, err->hint);
		*err = (struct err){.kind = ERR_NONE};
		r = limits_check_owner(parent, err);
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
	parent->has_hooked = true;
	r = hooks_run(&context, &step->u.hooks, err);
	return r == -EINTR ? await_interrupted(parent->signal_fd, err) : r;
}

/* --- the end of it --- */

static int commit(struct parent *parent, struct err *err)
{
	const struct run_options *o = parent->options;
	const struct parent_announcement announcement = {o->console_socket, o->pidfd_socket, o->pid_file,
							 "standard"};
	int r;

	/* Without a creator the record says that creation is over. */
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
		r = err_system(err, r, "cannot tell init to go on");
	if (r == -EPIPE)
		parent_explain_end(parent->pidfd, err);
	if (r < 0)
		return r;
	if (step->u.step == STEP_COMMITTED && parent->bridge_pidfd >= 0)
		birth_end_bridge(parent);
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
		return keep(parent, step->u.slot, mount_open_proc(err));
	case PLAN_OPEN_NAMESPACE:
		return step_open_namespace(parent, step, err);
	case PLAN_OPEN_IDMAP:
		return keep(parent, step->u.idmap.slot, idmap_open(plan, &step->u.idmap.maps, err));
	case PLAN_OPEN_SOURCE:
		return step_open_source(parent, step, err);
	case PLAN_MAKE_NODE:
		return step_make_node(parent, step, err);
	case PLAN_OPEN_ENVIRONMENT:
		return keep(parent, step->u.slot, environment_open(environ, err));
	case PLAN_OPEN_CONTAINER:
		return exec_open_container(parent, step, err);
	case PLAN_OPEN_CGROUP:
		return exec_open_cgroup(parent, step, err);
	case PLAN_AFFINITY:
		return process_set_affinity(plan, step->u.affinity, err);
	case PLAN_SPAWN:
		return birth_spawn(parent, step, err);
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
		return filter_take(parent, &step->u.filter, err);
	default:
		return limits_step(parent, step, err);
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

/* A step can fail because the other process has: then what that has said is why. */
static bool take_failure(const struct parent *parent, struct err *err)
{
	const struct await await = {parent->socket_fd, POLLIN, -1, -1, 0};
	struct err said;

	if (parent->socket_fd < 0 || await_any(&await) != AWAIT_READY ||
	    protocol_expect(parent->socket_fd, STEP_FAILED, NULL, NULL, &said) >= 0)
		return false;
	/* Not that it said something else, or nothing. */
	if (said.kind == ERR_PEER && (said.errnum == EPROTO || said.errnum == EPIPE))
		return false;
	*err = said;
	return true;
}

/* Up to COMMITTED; what stands behind that in the plan belongs to the start. */
int parent_walk(struct parent *parent, struct err *err)
{
	const struct plan_step *steps = plan_steps(parent->plan);

	for (uint32_t i = 0; i < parent->plan->step_count; i++) {
		int r;

		if (steps[i].who != PLAN_PARENT)
			continue;
		log_step(parent->plan, &steps[i]);
		r = parent_step(parent, &steps[i], err);
		if (r == -EINTR)
			return r;
		if (r < 0) {
			bool is_peers = take_failure(parent, err);

			limits_explain(parent, err);
			if (!is_peers)
				err_where(err, plan_get(parent->plan, steps[i].where));
			return r;
		}
		if (steps[i].kind == PLAN_SEND && steps[i].u.step == STEP_COMMITTED)
			break;
	}
	return 0;
}

int parent_check_console(const char *console_socket, bool is_detached, bool has_terminal, struct err *err)
{
	if (is_detached && has_terminal && console_socket == NULL) {
		err_set(err, ERR_USAGE, 0, NULL,
			"cannot allocate tty if tare will detach without setting console socket");
		err_hint(err, "--console-socket says where it goes, /process/terminal false does without one");
		return -EINVAL;
	}
	if (console_socket != NULL && (!is_detached || !has_terminal))
		return err_set(err, ERR_USAGE, 0, NULL,
			       "cannot use console socket if tare will not detach or allocate tty");
	return 0;
}

int parent_open_slots(struct parent *parent, struct err *err)
{
	int r = k_close_range((unsigned int)parent->first_fd, ~0u, CLOSE_RANGE_CLOEXEC);

	if (r < 0)
		return err_system(err, r, "cannot mark the caller's descriptors");
	parent->slots = mem_alloc((parent->plan->slot_count + 1) * sizeof *parent->slots);
	for (uint32_t i = 0; i < parent->plan->slot_count; i++)
		parent->slots[i] = -1;
	return 0;
}

int parent_hold_signals(struct parent *parent, struct err *err)
{
	uint64_t all = ~0ull;

	k_sigprocmask(SIG_SETMASK, &all, &parent->old_signals);
	parent->signal_fd = await_signals();
	return parent->signal_fd < 0 ? err_system(err, parent->signal_fd, "cannot wait for signals") : 0;
}

int parent_create(struct parent *parent, struct err *err)
{
	int r;

	parent->is_changing = true;
	r = parent_load(parent, err);
	if (r >= 0)
		r = parent_check_console(parent->options->console_socket,
					 parent->options->is_detached || !parent->request.is_run,
					 parent->spec->has_process && parent->spec->process.terminal, err);
	if (r >= 0)
		r = parent_check_pid_file(parent->options->pid_file, err);
	if (r >= 0)
		r = parent_open_slots(parent, err);
	/* Until here an impatient user's signal ends this process, and nothing has been made. */
	if (r >= 0)
		r = parent_hold_signals(parent, err);
	if (r < 0)
		return r;
	r = open_state(parent, err);
	if (r >= 0)
		r = parent_walk(parent, err);
	if (r < 0) {
		/* Before they go with the namespace of an init that is dead. */
		parent_undo_processes(parent);
		netdev_undo(parent->netdev, err);
		(void)!parent_undo(parent, err);
	}
	netdev_done(&parent->netdev);
	rdt_commit(parent);
	return r;
}

void parent_explain_status(const siginfo_t *info, struct err *err)
{
	if (info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED) {
		err_set(err, ERR_PEER, 0, NULL, "init was killed by signal %d before the container was ready",
			info->si_status);
		if (info->si_status == SIGKILL)
			err_hint(err, "out of memory, or somebody killed it");
		if (info->si_status == SIGSYS)
			err_hint(err, "the seccomp filter kills for a call that tare itself still makes: "
				      "tare(8), SECCOMP; with noNewPrivileges and without SCMP_ACT_NOTIFY it "
				      "has to allow execve alone");
	}
}

void parent_explain_end(int pidfd, struct err *err)
{
	siginfo_t info = {0};

	if (pidfd >= 0 && k_waitid(P_PIDFD, pidfd, &info, WEXITED | WNOWAIT) >= 0)
		parent_explain_status(&info, err);
}

int run_create(const struct run_options *options, struct err *err)
{
	_cleanup_parent_ struct parent parent;
	int r;

	parent_init(&parent, options);
	r = state_check_id(options->id, err);
	return r < 0 ? r : parent_create(&parent, err);
}
