/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts add, mounts remove: changes the mounts of an existing container.
 *
 * Process: the parent of the process that enters the container, in the caller's namespaces, with the lock of
 * the container. It opens the sources, as the parent of a creation does, and stores what was mounted.
 */
#include <errno.h>
#include <poll.h>

#include <tare/await.h>
#include <tare/command.h>
#include <tare/exec.h>
#include <tare/protocol.h>

#include "private.h"

#define LOCK_TIMEOUT_MS 10000
#define QUIT_TIMEOUT_MS 10000

struct change {
	const struct mounts_options *options;
	struct exec exec;
	struct exec_options exec_options; /* none */
	struct state_mounts kept;         /* of the container, before and after */
};

static int parse(const struct mounts_options *options, struct spec **ret_spec, struct err *err)
{
	const struct buf *document = options->document;
	int r = spec_parse_mounts(document->data, document->len, ret_spec, err);

	/* An error with a JSON pointer needs no name of a file; one with a line number does. */
	if (r < 0 && err->json_pointer[0] == '\0')
		err_prefix(err, "%s", options->name);
	for (size_t i = 0; r >= 0 && i < (*ret_spec)->warnings.count; i++)
		log_line(LOG_WARNING, "%s: %s", options->name, (*ret_spec)->warnings.v[i]);
	return r;
}

static void log_notes(const struct plan *plan)
{
	const struct plan_note *notes = plan_rows(plan, plan->notes);

	for (uint32_t i = 0; i < plan->notes.count; i++) {
		const char *json_pointer = plan_get(plan, notes[i].json_pointer);

		log_line(LOG_WARNING, "%s: %s", json_pointer == NULL ? "" : json_pointer,
			 plan_get(plan, notes[i].text));
	}
}

static int build_add(struct change *change, const struct plan *plan, const struct plan_mounts_request *request,
		     struct err *err)
{
	_cleanup_spec_ struct spec *spec = NULL;
	struct host host;
	int r = container_load_spec(&change->exec.container, &spec, err);

	if (r >= 0)
		r = host_probe(&host, err);
	if (r >= 0)
		r = plan_build_mounts(spec, plan, &host, request, &change->exec.plan, err);
	if (r >= 0)
		log_notes(change->exec.plan);
	return r;
}

static int build_remove(struct change *change, const struct plan *plan,
			const struct plan_mounts_request *request, struct err *err)
{
	struct host host = {0};
	int r = host_probe_caller(&host, err);

	return r < 0 ? r : plan_build_unmounts(plan, &host, request, &change->exec.plan, err);
}

static int build(struct change *change, const struct spec *document, struct err *err)
{
	struct exec *exec = &change->exec;
	_cleanup_buf_ struct buf text = {0};
	const struct plan_mounts_request request = {.bundle = exec->container.record.bundle,
						    .mounts = document->mounts,
						    .count = document->mount_count,
						    .ids = change->kept.ids,
						    .id_count = change->kept.count};
	const struct plan *plan = NULL;
	int r = exec_load_plan(&exec->container, &text, &plan, err);

	if (r >= 0)
		r = change->options->is_remove ? build_remove(change, plan, &request, err)
					       : build_add(change, plan, &request, err);
	if (r < 0)
		return r;
	exec->child.plan = exec->plan;
	exec->child.is_mounting = true;
	return child_open_slots(&exec->child, err);
}

/*
 * The process stays until this one has stored the mounts: without COMMITTED it unmounts what it has mounted.
 * What it has unmounted is stored in any case.
 */
static int store(struct change *change, struct err *err)
{
	const struct exec *exec = &change->exec;

	if (exec->mount_count == 0)
		return 0;
	for (size_t i = 0; i < exec->mount_count; i++) {
		state_mounts_drop(&change->kept, exec->mounts[i]);
		if (!change->options->is_remove)
			state_mounts_add(&change->kept, exec->mounts[i]);
	}
	return state_write_mounts(exec->container.dir_fd, &change->kept, err);
}

/*
 * Waits until the process has exited, so that it has unmounted what it has to. It can wait for the container
 * itself, for example for a file system in user space: then it is killed, and mounts can stay.
 */
static void end(struct child *child)
{
	const struct await await = {-1, 0, child->pidfd, -1, QUIT_TIMEOUT_MS};

	fd_close(&child->socket_fd);
	if (child->pidfd >= 0)
		(void)!await_any(&await);
	child_kill(child);
}

/* If the container stops meanwhile, each step can fail with another error: one message replaces them. */
static void explain(const struct exec *exec, struct err *err)
{
	struct err ignored;
	_cleanup_fd_ int pidfd = state_open_pidfd(&exec->container.record, &ignored);

	if (err->json_pointer[0] == '\0' && pidfd == -ESRCH)
		err_set(err, ERR_STATE, 0, NULL,
			"container not running: it ended before its mounts were changed");
}

static int apply(struct change *change, struct err *err)
{
	struct exec *exec = &change->exec;
	struct err other;
	int r = child_hold_signals(&exec->child, err);

	if (r < 0)
		return r;
	r = parent_walk_exec(exec, err);
	if (r >= 0)
		r = store(change, err);
	else if (change->options->is_remove && store(change, &other) < 0)
		err_hint(err, "and %s", other.msg);
	if (r >= 0) {
		r = protocol_send(exec->child.socket_fd, STEP_COMMITTED, 0, NULL, -1);
		if (r < 0)
			r = err_system(err, r, "cannot complete the change of mounts");
	}
	end(&exec->child);
	if (r < 0 && r != -EINTR)
		explain(exec, err);
	return r;
}

int command_mounts(const struct mounts_options *options, struct err *err)
{
	struct change change = {.options = options};
	_cleanup_spec_ struct spec *document = NULL;
	struct exec *exec = &change.exec;
	int r;

	exec_init(exec, &change.exec_options);
	r = container_open(options->state_root, options->id, LOCK_TIMEOUT_MS, &exec->container, err);
	if (r >= 0)
		r = exec_open_init(&exec->container, "change the mounts of", &exec->container_pidfd, err);
	if (r >= 0)
		r = parse(options, &document, err);
	if (r >= 0)
		r = state_read_mounts(exec->container.dir_fd, &change.kept, err);
	if (r >= 0)
		r = build(&change, document, err);
	if (r >= 0)
		r = apply(&change, err);
	state_mounts_done(&change.kept);
	exec_done(exec);
	return r;
}
