/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the poststart and poststop hooks of a container's configuration. Process: a later command, or the
 * parent, with the caller's privileges.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <tare/await.h>
#include <tare/container.h>
#include <tare/hooks.h>
#include <tare/plan.h>
#include <tare/spec.h>

int container_open_bundle(const char *bundle, struct err *err)
{
	int fd = k_openat(AT_FDCWD, bundle, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);

	return fd < 0 ? err_system(err, fd, "cannot open bundle '%s', the directory of its hooks", bundle) : fd;
}

int container_open_output(const char *path, struct err *err)
{
	int fd = k_openat(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
			  0644);
	int r = fd < 0 ? fd : k_fcntl(fd, F_SETFL, O_APPEND);

	if (r >= 0)
		return fd;
	fd_close(&fd);
	return err_system(err, r, "cannot open '%s' for the output of hooks", path);
}

void container_close_outputs(struct container_outputs *outputs)
{
	for (int i = 0; i < PLAN_OUTPUTS; i++)
		fd_close(&outputs->fds[i]);
}

int container_open_outputs(const struct plan *plan, const struct plan_hooks *hooks,
			   struct container_outputs *ret, struct err *err)
{
	static const char *const pointers[PLAN_OUTPUTS] = {"/annotations/run.oci.hooks.stdout",
							   "/annotations/run.oci.hooks.stderr"};

	for (int i = 0; i < PLAN_OUTPUTS; i++) {
		if (hooks->outputs[i] == 0)
			continue;
		ret->fds[i] = container_open_output(plan_get(plan, hooks->outputs[i]), err);
		if (ret->fds[i] < 0) {
			err_pointer(err, pointers[i]);
			return ret->fds[i];
		}
	}
	return 0;
}

/* The bundle may have been removed before poststop hooks run: they start in "/" then. */
static int open_directory(const char *bundle, bool is_poststop, struct err *err)
{
	int fd = container_open_bundle(bundle, err);

	return is_poststop && (fd == -ENOENT || fd == -ENOTDIR) ? container_open_bundle("/", err) : fd;
}

/* A poststop hook that fails is only a warning (runtime-spec runtime.md, "Lifecycle"). */
static void warn_of_poststop(const struct err *err)
{
	_cleanup_buf_ struct buf text = {0};

	err_print(err, &text);
	log_line(LOG_SHOWN_WARNING, "%s", text.data);
}

struct spec *container_load_poststop(const struct container *container)
{
	struct spec *spec = NULL;
	struct err err;

	if (!container->record.has_poststop || container_load_spec(container, &spec, &err) >= 0)
		return spec;
	if (state_is_gone(container->dir_fd) > 0)
		return NULL;
	err_prefix(&err, "cannot be run");
	err_pointer(&err, "/hooks/poststop");
	warn_of_poststop(&err);
	return NULL;
}

int container_run_hooks(const struct state_record *record, const struct spec *spec, uint32_t kind,
			struct err *err)
{
	bool is_poststop = kind == SPEC_HOOK_POSTSTOP;
	struct plan_request request = {.id = record->id, .bundle = record->bundle};
	_cleanup_free_ struct plan *plan = NULL;
	const struct plan_step *step;
	const struct plan_hook *rows;
	_cleanup_fd_ int signal_fd = is_poststop ? -1 : await_signals(), directory_fd = -1;
	struct hooks_context context = {
		.pid = is_poststop ? 0 : record->pid, .environment = environ, .signal_fd = signal_fd};
	_cleanup_outputs_ struct container_outputs outputs = CONTAINER_NO_OUTPUTS;
	_cleanup_buf_ struct buf state = {0};
	int result = 0;

	plan = plan_build_hooks(spec, &request, kind, is_poststop ? "stopped" : "running");
	step = plan_find(plan, PLAN_HOOKS);
	if (step == NULL)
		return 0;
	directory_fd = open_directory(record->bundle, is_poststop, err);
	if (directory_fd < 0) {
		err_pointer(err, plan_get(plan, step->json_pointer));
		if (is_poststop)
			warn_of_poststop(err);
		return directory_fd;
	}
	result = container_open_outputs(plan, &step->u.hooks, &outputs, err);
	if (result < 0 && is_poststop)
		warn_of_poststop(err);
	if (result < 0)
		return result;
	context.output_fds = outputs.fds;
	context.directory_fd = directory_fd;
	context.plan = plan;
	if (!is_poststop) {
		result = hooks_run(&context, &step->u.hooks, err);
		return result == -EINTR ? await_interrupted(signal_fd, err) : result;
	}
	/* All poststop hooks run, even if earlier ones fail. */
	buf_format(&state, "%s0%s", plan_get(plan, step->u.hooks.state_head),
		   plan_get(plan, step->u.hooks.state_tail));
	rows = plan_rows(plan, step->u.hooks.hooks);
	for (uint32_t i = 0; i < step->u.hooks.hooks.count; i++) {
		int r = hooks_run_one(&context, &rows[i], state.data, err);

		if (r < 0) {
			warn_of_poststop(err);
			result = r;
		}
	}
	return result;
}
