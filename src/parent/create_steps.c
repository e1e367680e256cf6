/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's steps that only a creation has. Process: the parent, as in child.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tare/await.h>
#include <tare/container.h>
#include <tare/hooks.h>
#include <tare/protocol.h>

#include "steps.h"
#include "watch.h"

void create_note(struct state_record *record, const char *json_pointer, const char *text, const char *hint)
{
	_cleanup_free_ char *earlier = record->notes;
	size_t start = strlen(earlier);

	record->notes = mem_format("%s%s%s: %s%s%s%s", earlier, start == 0 ? "" : "\n", json_pointer, text,
				   hint[0] == '\0' ? "" : " (", hint, hint[0] == '\0' ? "" : ")");
	log_line(LOG_WARNING, "%s", record->notes + start + (start == 0 ? 0 : 1));
}

#define PROC_ANNOTATION "org.tare.proc"

/*
 * The annotation in the container's state is the way in which /proc was mounted, also if the configuration has
 * it with the value auto. NULL: as a new file system.
 */
static void set_proc(struct state_record *record, const char *way)
{
	size_t i = 0;

	while (i < record->annotation_count && !str_equal(record->annotations[i].key, PROC_ANNOTATION))
		i++;
	if (i == record->annotation_count && way == NULL)
		return;
	if (i == record->annotation_count) {
		record->annotations = mem_resize(record->annotations, (i + 1) * sizeof *record->annotations);
		record->annotations[i] = (struct state_annotation){.key = mem_dup(PROC_ANNOTATION)};
		record->annotation_count++;
	}
	free(record->annotations[i].value);
	record->annotations[i].value = mem_dup(way == NULL ? "fresh" : way);
	log_line(LOG_DEBUG, "/proc: %s", record->annotations[i].value);
}

/* The JSON pointer of the first mount of that type, or NULL. */
static const char *pointer_of_type(const struct plan *plan, const char *type)
{
	const struct plan_step *steps = plan_steps(plan);

	for (uint32_t i = 0; i < plan->step_count; i++)
		if (steps[i].kind == PLAN_MOUNT && str_equal(plan_get(plan, steps[i].u.mount.type), type))
			return plan_get(plan, steps[i].json_pointer);
	return NULL;
}

/* Notes the file systems that init has mounted in another way than as new ones: PLAN_TOOK_*. */
static void note_taken(struct creation *creation, uint32_t taken)
{
	static const struct {
		uint32_t bit;
		const char *type, *text;
	} texts[] = {
		{PLAN_TOOK_PROC_SUBSET, "proc", "/proc has only the files of processes (subset=pid)"},
		{PLAN_TOOK_PROC_COPY, "proc", "/proc is a bind of the caller's"},
		{PLAN_TOOK_SYSFS_COPY, "sysfs", "/sys is a bind of the caller's"},
		{PLAN_TOOK_MQUEUE_COPY, "mqueue", "/dev/mqueue is a bind of the caller's"},
		{PLAN_TOOK_CGROUP_COPY, "cgroup2", "the cgroup2 mount is a bind of the caller's"},
	};
	const struct plan *plan = creation->draft.plan;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if ((taken & texts[i].bit) != 0)
			create_note(&creation->record, pointer_of_type(plan, texts[i].type), texts[i].text, "");
	if (pointer_of_type(plan, "proc") != NULL)
		set_proc(&creation->record, (taken & PLAN_TOOK_PROC_COPY) != 0     ? "bind"
					    : (taken & PLAN_TOOK_PROC_SUBSET) != 0 ? "subset"
										   : NULL);
}

static bool has_init_hooks(const struct plan *plan)
{
	const struct plan_step *steps = plan_steps(plan);

	for (uint32_t i = 0; i < plan->step_count; i++)
		if (steps[i].kind == PLAN_HOOKS && steps[i].actor == PLAN_INIT)
			return true;
	return false;
}

int parent_create_spawn(struct creation *creation, const struct plan_step *step, struct err *err)
{
	int r = spawn_init(&creation->child, step, err);

	/*
	 * If init fails later, it is unknown whether it has run its hooks. The parent assumes that it has: the
	 * poststop hooks then run.
	 */
	if (r >= 0)
		creation->has_run_hooks |= has_init_hooks(creation->draft.plan);
	return r;
}

int parent_create_hooks(struct creation *creation, const struct plan_step *step, struct err *err)
{
	_cleanup_fd_ int bundle_fd = container_open_bundle(creation->draft.bundle, err);
	struct hooks_context context = {.plan = creation->draft.plan,
					.pid = creation->child.pid,
					.environment = environ,
					.directory_fd = bundle_fd,
					.signal_fd = creation->child.signal_fd};
	_cleanup_outputs_ struct container_outputs outputs = CONTAINER_NO_OUTPUTS;
	int r;

	if (bundle_fd < 0)
		return bundle_fd;
	r = container_open_outputs(context.plan, &step->u.hooks, &outputs, err);
	if (r < 0)
		return r;
	context.output_fds = outputs.fds;
	creation->has_run_hooks = true;
	r = hooks_run(&context, &step->u.hooks, err);
	return r == -EINTR ? await_interrupted(context.signal_fd, err) : r;
}

int parent_create_net_device(struct creation *creation, const struct plan_step *step, struct err *err)
{
	const struct plan_net_device *device = &step->u.net_device;
	const struct child *child = &creation->child;
	int container_fd = device->slot == PLAN_NO_SLOT ? child->pidfd : child->slots[device->slot];

	return netdev_move(&creation->netdev, container_fd, creation->draft.plan, device, err);
}

int parent_create_listener(struct creation *creation, const struct plan_step *step, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	int r = listener_take(&creation->child, &fd, err);

	(void)step;
	if (r >= 0)
		r = listener_send(&creation->child, fd, &creation->record, STATE_CREATING, err);
	return r < 0 ? r : listener_confirm(&creation->child, err);
}

int parent_create_unit_watch(struct creation *creation, const struct plan_step *step, struct err *err)
{
	const struct watched watched = {.id = creation->record.id,
					.unit = creation->record.unit,
					.dir_fd = creation->dir_fd,
					.cgroup_fd = creation->child.cgroup_fd,
					.pidfd = creation->child.pidfd};

	(void)step;
	return watch_start(&watched, err);
}

/* Announces init and completes the record, before COMMITTED. */
static int commit(struct creation *creation, struct err *err)
{
	struct state_record *record = &creation->record;
	int r;

	/* A record without a creator is one of a complete container. */
	record->creator = 0;
	record->creator_start = 0;
	record->pid = creation->child.pid;
	r = state_process_start(record->pid, &record->pid_start);
	if (r < 0)
		return err_system(err, r, "cannot read the start time of init");
	r = parent_announce(&creation->child, &creation->draft.options->common, "standard", err);
	return r < 0 ? r : state_write(creation->dir_fd, record, err);
}

int parent_create_send(struct creation *creation, const struct plan_step *step, struct err *err)
{
	int r = step->u.step == STEP_COMMITTED ? commit(creation, err) : 0;

	/* The processes of a checkpoint have no conversation with this one. */
	return r < 0 || creation->draft.restore != NULL ? r : parent_step_send(&creation->child, step, err);
}

int parent_create_expect(struct creation *creation, const struct plan_step *step, struct err *err)
{
	int64_t taken = 0;
	int r = parent_expect_message(&creation->child, step, &taken, err);

	if (r < 0 || step->u.step != STEP_READY)
		return r;
	note_taken(creation, (uint32_t)taken);
	if (err->kind != ERR_NONE)
		create_note(&creation->record, err->json_pointer, err->msg, err->hint);
	*err = (struct err){.kind = ERR_NONE};
	return parent_cgroup_check_owner(creation->child.cgroup_fd, &creation->record, err);
}
