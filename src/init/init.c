/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init: the process that becomes the container's program.
 *
 * Process: child of the parent, starts in the container's cgroup and its new namespaces, runs from the sealed
 * memfd; as the caller with all capabilities until PLAN_SETUP_IDS, as the container's root until PLAN_USER,
 * then as the container's user. It must not allocate memory or print. It resolves paths of the container only
 * from a descriptor of the container's root, or of a mount in it, before PLAN_PIVOT, and from inside the
 * container after it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <tare/hooks.h>
#include <tare/init.h>
#include <tare/protocol.h>

#include "walker.h"

#define FDS_AFTER_SLOTS 64 /* more than init has open at any time, beside the slots */

/* --- identity and namespaces --- */

int init_refuse(const struct plan_step *step, struct err *err)
{
	return err_set(err, ERR_PEER, EPROTO, NULL, "init has no step %u", step->kind);
}

/*
 * Becomes the container's root, which creates directories and devices: a user without a mapping cannot
 * (EOVERFLOW). A change of ids clears the death signal (prctl(2)), which a creation needs until READY, and a
 * process that executes no program until its end.
 */
int init_setup_ids(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int r = k_setresgid(step->u.ids.gid, step->u.ids.gid, step->u.ids.gid);

	if (r >= 0)
		r = k_setresuid(step->u.ids.uid, step->u.ids.uid, step->u.ids.uid);
	if (r >= 0 &&
	    (plan_find(walker->plan, PLAN_GATE) != NULL || plan_find(walker->plan, PLAN_EXEC) == NULL))
		r = (int)k_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	return r < 0 ? err_system(err, r, "cannot become uid %u, gid %u of the user namespace", step->u.ids.uid,
				  step->u.ids.gid)
		     : 0;
}

int init_join(struct walker *walker, const struct plan_step *step, struct err *err)
{
	uint32_t bit = 1u << step->u.ns.ns;
	int r;

	if (walker->joined & bit)
		return 0;
	r = step->u.ns.drops_groups ? k_setgroups(0, NULL) : 0;
	if (r < 0)
		return err_system(err, r, "cannot drop the caller's groups before a user namespace is joined");
	r = k_setns(walker->rootfs.slot_base + step->u.ns.slot, 0);
	if (r == -EPERM && step->u.ns.is_tentative)
		return 0;
	if (r < 0)
		return err_system(err, r, "cannot join the namespace");
	walker->joined |= bit;
	return 0;
}

int init_label(struct walker *walker, const struct plan_step *step, struct err *err)
{
	return label_set(&walker->rootfs, &step->u.label, err);
}

int init_stdio_owner(struct walker *walker, const struct plan_step *step, struct err *err)
{
	(void)walker;
	return user_own_stdio((uint32_t)step->u.number, err);
}

int init_home(struct walker *walker, const struct plan_step *step, struct err *err)
{
	return exec_home(&walker->rootfs, (uint32_t)step->u.number, &walker->program, err);
}

int init_lookup(struct walker *walker, const struct plan_step *step, struct err *err)
{
	return exec_lookup(walker->plan, &step->u.program, &walker->program, err);
}

int init_expect(struct walker *walker, const struct plan_step *step, struct err *err)
{
	return protocol_expect(walker->socket_fd, (enum protocol_step)step->u.step, NULL, NULL, err);
}

/* --- the last steps --- */

int init_console(struct walker *walker, const struct plan_step *step, struct err *err)
{
	walker->console_fd = tty_open(&walker->rootfs, step, err);
	return walker->console_fd < 0 ? walker->console_fd : 0;
}

static int slot_of_gate(const struct walker *walker)
{
	const struct plan_step *step = plan_find(walker->plan, PLAN_GATE);

	return step == NULL || step->u.slot == PLAN_NO_SLOT ? -1 : walker->rootfs.slot_base + step->u.slot;
}

/* It is needed until the filter is installed, which may be after the gate. execve(2) closes it. */
int init_recorder_fd(const struct walker *walker)
{
	const struct plan_step *step = plan_find(walker->plan, PLAN_RECORDER);

	return step == NULL ? -1 : walker->rootfs.slot_base + step->u.slot;
}

/*
 * At the gate init calls accept4(2) when the parent may have exited. A filter that denies the call is found
 * here, while the parent can still receive the error: on descriptor -1 the kernel returns EBADF.
 */
static int try_gate(const struct walker *walker, struct err *err)
{
	int r = walker->filter == NULL || slot_of_gate(walker) < 0 ? -EBADF : k_accept4(-1, SOCK_CLOEXEC);

	if (r >= 0)
		return user_faked_success("/linux/seccomp", "accept4(2)", err);
	return r == -EBADF ? 0 : err_system(err, r, "cannot wait at the start gate");
}

/*
 * From READY on init only waits for messages of the parent, and end of file reports the parent's death. The
 * death signal has to be cleared before READY is sent, because the parent can exit as soon as it has sent
 * COMMITTED.
 */
int init_send(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int r = 0;

	if (step->u.step == STEP_READY)
		r = try_gate(walker, err);
	if (walker->rootfs.warning_count > 1)
		err_hint(&walker->rootfs.warning, "and %u other mounts", walker->rootfs.warning_count - 1);
	if (r >= 0 && step->u.step == STEP_READY)
		r = (int)k_prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	if (r >= 0)
		r = protocol_send(walker->socket_fd, (enum protocol_step)step->u.step, walker->rootfs.taken,
				  step->u.step == STEP_READY ? &walker->rootfs.warning : NULL,
				  walker->console_fd);
	fd_close(&walker->console_fd);
	return r;
}

/* A filter may deny close_range(2), or fake its success: then each number that can be open is closed. */
void init_close_range(const struct walker *walker, int first, int last)
{
	int end = walker->rootfs.slot_base + (int)walker->plan->slot_count + FDS_AFTER_SLOTS;

	if (k_close_range((unsigned int)first, (unsigned int)last, 0) >= 0 && !walker->may_fake_success)
		return;
	for (int fd = first; fd <= (last < 0 ? end : last); fd++)
		k_close(fd);
}

int init_end_fd(const struct walker *walker)
{
	const struct plan_step *step = plan_find(walker->plan, PLAN_REAPER);

	return step == NULL || step->u.reaper.slot == PLAN_NO_SLOT
		       ? -1
		       : walker->rootfs.slot_base + step->u.reaper.slot;
}

int init_output_fd(const struct walker *walker, int i)
{
	const struct plan_step *pivot = plan_find(walker->plan, PLAN_PIVOT);
	const struct plan_step *steps = plan_steps(walker->plan), *end = steps + walker->plan->step_count;

	for (const struct plan_step *step = pivot == NULL ? steps : pivot; step < end; step++)
		if (step->kind == PLAN_HOOKS && step->actor == PLAN_INIT &&
		    step->u.hooks.output_slots[i] != PLAN_NO_SLOT)
			return walker->rootfs.slot_base + step->u.hooks.output_slots[i];
	return -1;
}

void init_close_except(const struct walker *walker, int first, const int *kept, size_t count)
{
	int from = first;

	while (true) {
		int next = -1;

		for (size_t i = 0; i < count; i++)
			if (kept[i] >= from && (next < 0 || kept[i] < next))
				next = kept[i];
		if (next != from)
			init_close_range(walker, from, next < 0 ? -1 : next - 1);
		if (next < 0)
			break;
		from = next + 1;
	}
}

/*
 * Closes, before this process has only the rights of the container's user, all descriptors of the host and
 * those that lead to more than the container may reach. The plan stays mapped.
 */
static void close_host_fds(struct walker *walker)
{
	const int kept[] = {walker->socket_fd,        walker->console_fd,  slot_of_gate(walker),
			    init_recorder_fd(walker), init_end_fd(walker), init_output_fd(walker, 0),
			    init_output_fd(walker, 1)};

	init_close_except(walker, walker->first_fd, kept, ARRAY_SIZE(kept));
	walker->rootfs.fd = walker->rootfs.null_fd = walker->rootfs.empty_fd = -1;
	walker->rootfs.host_cgroup_fd = -1;
}

int init_user(struct walker *walker, const struct plan_step *step, struct err *err)
{
	close_host_fds(walker);
	return user_become(walker->plan, &step->u.user, walker->may_fake_success, err);
}

/*
 * The last actions before execve(2): close-on-exec, the message to the parent, the signal mask. A step of its
 * own, because the seccomp filter can be installed between it and execve(2).
 */
int init_handover(struct walker *walker, const struct plan_step *step, struct err *err)
{
	uint64_t no_signals = 0;
	int r = k_close_range((unsigned int)walker->first_fd, ~0u, CLOSE_RANGE_CLOEXEC);

	(void)step;
	/* Each descriptor was opened close-on-exec, so a filter that denies the call makes no difference. */
	if (r < 0 && walker->filter == NULL)
		return err_system(err, r, "cannot set close-on-exec on the descriptors");
	r = protocol_send(walker->socket_fd, STEP_EXEC, 0, NULL, -1);
	if (r >= 0)
		r = k_sigprocmask(SIG_SETMASK, &no_signals, NULL);
	return r < 0 ? err_system(err, r, "cannot report that the program starts") : 0;
}

void init_caller_environment(struct walker *walker, const struct plan_program *program, char **ret)
{
	uint32_t count = 0, own = program->env.count - program->runtime_env_count;
	char *listen_pid = walker->program.listen_pid;

	for (; count < program->env.count; count++) {
		ret[count] = (char *)(uintptr_t)plan_item(walker->plan, program->env, count);
		/* sd_listen_fds(3): the variable must have the pid of the process that uses the descriptors. */
		if (count >= own && listen_pid[0] != '\0' && str_has_prefix(ret[count], "LISTEN_PID="))
			ret[count] = listen_pid;
	}
	if (program->needs_home)
		ret[count++] = walker->program.home;
	ret[count] = NULL;
}

#define TEXT_MAX (32 * 4096) /* bytes of one string of args or env: execve(2), MAX_ARG_STRLEN */

static size_t size_of(char *const *texts, bool *ret_has_long)
{
	size_t size = 0;

	for (; *texts != NULL; texts++) {
		size_t len = strlen(*texts) + 1;

		*ret_has_long |= len > TEXT_MAX;
		size += len + sizeof *texts;
	}
	return size;
}

/*
 * Finds the limit that was exceeded: execve(2), "Limits on size of arguments and environment". The kernel can
 * return E2BIG also if memory is short; then no limit is named.
 */
static int explain_size(char *const *args, char *const *env, struct err *err)
{
	struct rlimit64 stack = {.rlim_cur = 0};
	bool has_long_arg = false, has_long_env = false;
	size_t arg_size = size_of(args, &has_long_arg), env_size = size_of(env, &has_long_env);
	bool is_env = has_long_env || (!has_long_arg && env_size > arg_size);

	(void)k_prlimit(0, RLIMIT_STACK, NULL, &stack);
	err_set(err, ERR_SYSTEM, E2BIG, is_env ? "/process/env" : "/process/args", "exec: \"%.*s\"", 200,
		args[0]);
	if (has_long_arg || has_long_env)
		err_hint(err, "one of the strings has more than %u bytes", TEXT_MAX - 1);
	else if (arg_size + env_size > stack.rlim_cur / 4 || arg_size + env_size > TEXT_MAX)
		err_hint(err,
			 "args have %zu bytes and env %zu: their limit is a quarter of RLIMIT_STACK, and at "
			 "most 6 MiB",
			 arg_size, env_size);
	return -E2BIG;
}

int init_exec(struct walker *walker, const struct plan_step *step, struct err *err)
{
	const struct plan_program *program = &step->u.program;
	char **args = walker->pointers, **env = args + program->args.count + 1;
	int r;

	for (uint32_t i = 0; i <= program->args.count; i++)
		args[i] = (char *)(uintptr_t)plan_item(walker->plan, program->args, i);
	init_caller_environment(walker, program, env);
	r = k_execve(walker->program.path, args, env);
	return r == -E2BIG ? explain_size(args, env, err) : exec_explain(args[0], walker->program.path, r, err);
}
