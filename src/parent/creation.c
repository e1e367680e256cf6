/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The creation of a container, from the state directory to an init that waits at its gate; a failure undoes it.
 * Process: the parent, as in child.c.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <tare/container.h>
#include <tare/notify.h>

#include "steps.h"

void creation_init(struct creation *creation, const struct create_options *options)
{
	*creation = (struct creation){
		.dir_fd = -1, .mount_fd = -1, .placeholder = {-1, -1}, .recorder = SYSCALLS_NO_RECORDER};
	draft_init(&creation->draft, options);
	child_init(&creation->child);
}

void creation_done(struct creation *creation)
{
	child_done(&creation->child);
	fd_close(&creation->dir_fd);
	fd_close(&creation->mount_fd);
	fd_close(&creation->placeholder.pidfd);
	fd_close(&creation->placeholder.keeper_pidfd);
	syscalls_recorder_done(&creation->recorder);
	netdev_done(&creation->netdev);
	state_record_done(&creation->record);
	draft_done(&creation->draft);
}

static void fill_annotations(struct state_record *record, const struct spec *spec)
{
	record->annotations = mem_alloc((spec->annotations.count + 1) * sizeof *record->annotations);
	for (size_t i = 0; i < spec->annotations.count; i++) {
		record->annotations[i].key = mem_dup(spec->annotations.v[i].key);
		record->annotations[i].value = mem_dup(spec->annotations.v[i].value);
	}
	record->annotation_count = spec->annotations.count;
}

static void fill_notes(struct state_record *record, const struct plan *plan)
{
	const struct plan_note *notes = plan_rows(plan, plan->notes);

	record->notes = mem_dup("");
	for (uint32_t i = 0; i < plan->notes.count; i++)
		create_note(record, plan_get(plan, notes[i].json_pointer), plan_get(plan, notes[i].text), "");
}

static int fill_record(struct creation *creation, struct err *err)
{
	struct draft *draft = &creation->draft;
	struct state_record *record = &creation->record;
	const struct plan_step *root = plan_find(draft->plan, PLAN_ROOT);
	const char *cgroup = plan_cgroup_path(draft->plan);
	const struct plan_step *unit = plan_find(draft->plan, PLAN_UNIT_START);
	struct timespec now;
	int r;

	clock_gettime(CLOCK_REALTIME, &now);
	record->id = mem_dup(draft->options->common.id);
	record->bundle = mem_dup(draft->bundle);
	record->rootfs = mem_dup(plan_get(draft->plan, root->u.root.path));
	record->oci_version = mem_dup(draft->spec->oci_version);
	record->cgroup_mount = mem_dup(plan_has_cgroup(draft->plan) ? draft->host.cgroup_mount : "");
	record->cgroup_path = mem_dup(cgroup);
	record->unit = mem_dup(unit == NULL ? "" : plan_get(draft->plan, unit->u.unit.name));
	record->is_user_unit = unit != NULL && unit->u.unit.is_user;
	parent_resctrl_fill_record(draft->plan, record);
	r = state_set_creator(record, err);
	if (r < 0)
		return r;
	record->created_secs = now.tv_sec;
	record->created_nanosecs = (uint32_t)now.tv_nsec;
	record->owner = draft->host.euid;
	record->has_gate = !draft->request.is_run;
	record->is_no_new_keyring = draft->request.is_no_new_keyring;
	record->keyring = mem_dup(draft->keyring == NULL ? "" : draft->keyring);
	container_record_spec(record, draft->spec);
	fill_annotations(record, draft->spec);
	fill_notes(record, draft->plan);
	return state_set_namespaces(record, err);
}

/* Binds the gate through the directory's descriptor: sun_path is too short for most paths. */
static int open_gate(struct creation *creation, struct err *err)
{
	const struct plan_step *step = plan_find(creation->draft.plan, PLAN_GATE);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_fd_ int fd = -1;
	int r;

	if (step->u.slot == PLAN_NO_SLOT)
		return 0;
	fd = k_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	str_format(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/gate", creation->dir_fd);
	r = fd < 0 ? fd : k_bind(fd, &address, sizeof address);
	if (r >= 0)
		r = k_listen(fd, 16);
	if (r < 0)
		return err_system(err, r, "cannot make the start gate");
	creation->child.slots[step->u.slot] = take_fd(&fd);
	return 0;
}

/*
 * Records how many directories of the cgroup's path do not exist yet. If this process is killed, they are the
 * ones that it may have created.
 */
static int record_missing_cgroups(struct creation *creation, struct err *err)
{
	if (plan_find(creation->draft.plan, PLAN_CGROUP_CREATE) == NULL)
		return 0;
	creation->mount_fd = cgroup_open_mount(creation->draft.host.cgroup_mount, err);
	if (creation->mount_fd < 0)
		return creation->mount_fd;
	return cgroup_count_missing(creation->mount_fd, creation->record.cgroup_path,
				    &creation->record.cgroup_created, err);
}

/* exec uses the stored plan instead of the configuration. */
static int store_plan(const struct creation *creation, struct err *err)
{
	struct plan *plan = creation->draft.plan;

	plan->created_secs = creation->record.created_secs;
	plan->created_nanosecs = creation->record.created_nanosecs;
	plan_store(plan);
	return state_write_plan(creation->dir_fd, plan, plan->size, err);
}

static int open_state(struct creation *creation, struct err *err)
{
	struct draft *draft = &creation->draft;
	int r;

	if (draft->root_fd < 0)
		draft->root_fd = state_open_root(draft->options->common.state_root, true, err);
	if (draft->root_fd < 0)
		return draft->root_fd;
	creation->dir_fd = state_create_dir(draft->root_fd, draft->options->common.id, err);
	if (creation->dir_fd < 0)
		return creation->dir_fd;
	r = fill_record(creation, err);
	if (r >= 0)
		r = record_missing_cgroups(creation, err);
	if (r >= 0)
		r = state_write_config(creation->dir_fd, draft->config.data, draft->config.len, err);
	if (r >= 0)
		r = state_write(creation->dir_fd, &creation->record, err);
	if (r >= 0)
		r = store_plan(creation, err);
	if (r >= 0 && draft->request.notify_dir != NULL)
		r = notify_make_dir(creation->dir_fd, err);
	if (r >= 0)
		r = recorder_write_none(draft, err);
	return r < 0 ? r : open_gate(creation, err);
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

/* Loads all that the creation needs, without any effect on the host but the cache of seccomp programs. */
static int load(struct creation *creation, struct err *err)
{
	struct draft *draft = &creation->draft;
	const struct create_options *options = draft->options;
	int r;

	draft->is_changing = true;
	r = draft_load(draft, err);
	if (r >= 0)
		r = parent_check_console(options->common.console_socket,
					 options->common.is_detached || !draft->request.is_run,
					 draft->spec->has_process && draft->spec->process.terminal, err);
	if (r >= 0)
		r = parent_check_pid_file(options->common.pid_file, err);
	if (supervise_has_report(&draft->supervise))
		creation->loaded_us = time_monotonic_us();
	if (r >= 0 && options->restore != NULL)
		draft->restore = plan_build_restore(draft->plan);
	creation->child.plan = draft->restore != NULL ? draft->restore : draft->plan;
	creation->child.first_fd = draft->first_fd;
	return r < 0 ? r : child_open_slots(&creation->child, err);
}

int parent_create(struct creation *creation, struct err *err)
{
	int r = load(creation, err);

	/* Until here a signal kills this process at once, and there is nothing to undo. */
	if (r >= 0)
		r = child_hold_signals(&creation->child, err);
	if (r < 0)
		return r;
	r = open_state(creation, err);
	if (r >= 0)
		r = parent_walk_creation(creation, err);
	if (r < 0) {
		(void)!syscalls_check(&creation->recorder, err);
		/* netdev holds the network namespace of the dead init open: the devices in it still exist. */
		child_kill(&creation->child);
		netdev_undo(creation->netdev, err);
		(void)!parent_undo(creation, err);
	}
	netdev_done(&creation->netdev);
	/* From now on the undo keeps a class that closID names, even if this process has made it. */
	creation->resctrl.has_clos &= creation->record.is_resctrl_own;
	return r;
}
