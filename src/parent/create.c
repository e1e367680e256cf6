/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The creation of a container, from the state directory to an init that waits at its gate; a failure undoes it.
 * Process: the parent, as in parent.c.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <tare/notify.h>

#include "steps.h"

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
	parent_resctrl_fill_record(parent);
	r = state_set_creator(record, err);
	if (r < 0)
		return r;
	record->created_secs = now.tv_sec;
	record->created_nanosecs = (uint32_t)now.tv_nsec;
	record->owner = parent->host.euid;
	record->has_gate = !parent->request.is_run;
	record->is_no_new_keyring = parent->request.is_no_new_keyring;
	record->keyring = mem_dup(parent->keyring == NULL ? "" : parent->keyring);
	record->has_poststart = parent->spec->hooks[SPEC_HOOK_POSTSTART].count > 0;
	record->has_poststop = parent->spec->hooks[SPEC_HOOK_POSTSTOP].count > 0;
	fill_annotations(record, parent->spec);
	return state_set_namespaces(record, err);
}

/* Binds the gate through the directory's descriptor: sun_path is too short for most paths. */
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

/*
 * Records how many directories of the cgroup's path do not exist yet. If this process is killed, they are the
 * ones that it may have created.
 */
static int record_missing_cgroups(struct parent *parent, struct err *err)
{
	_cleanup_fd_ int mount_fd = -1;

	if (plan_find(parent->plan, PLAN_CGROUP_CREATE) == NULL)
		return 0;
	mount_fd = cgroup_open_mount(parent->host.cgroup_mount, err);
	if (mount_fd < 0)
		return mount_fd;
	return cgroup_count_missing(mount_fd, parent->record.cgroup_path, &parent->record.cgroup_created, err);
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
		r = record_missing_cgroups(parent, err);
	if (r >= 0)
		r = state_write(parent->dir_fd, &parent->record, err);
	/* exec uses the stored plan instead of the configuration. */
	parent->plan->created_secs = parent->record.created_secs;
	parent->plan->created_nanosecs = parent->record.created_nanosecs;
	plan_store(parent->plan);
	if (r >= 0)
		r = state_write_plan(parent->dir_fd, parent->plan, parent->plan->size, err);
	if (r >= 0 && parent->request.notify_dir != NULL)
		r = notify_make_dir(parent->dir_fd, err);
	return r < 0 ? r : open_gate(parent, err);
}

int parent_check_console(const char *console_socket, bool is_detached, bool has_terminal, struct err *err)
{
	if (is_detached && has_terminal && console_socket == NULL) {
		err_set(err, ERR_USAGE, 0, NULL,
			"cannot allocate tty if tare will detach without setting console socket");
		err_hint(err,
			 "give --console-socket to receive the terminal, or set /process/terminal to false");
		return -EINVAL;
	}
	if (console_socket != NULL && (!is_detached || !has_terminal))
		return err_set(err, ERR_USAGE, 0, NULL,
			       "cannot use console socket if tare will not detach or allocate tty");
	return 0;
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
	/* Until here a signal kills this process at once, and there is nothing to undo. */
	if (r >= 0)
		r = parent_hold_signals(parent, err);
	if (r < 0)
		return r;
	r = open_state(parent, err);
	if (r >= 0)
		r = parent_walk(parent, err);
	if (r < 0) {
		/* netdev holds the network namespace of the dead init open: the devices in it still exist. */
		parent_undo_processes(parent);
		netdev_undo(parent->netdev, err);
		(void)!parent_undo(parent, err);
	}
	netdev_done(&parent->netdev);
	parent_resctrl_commit(parent);
	return r;
}
