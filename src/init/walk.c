/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main function of init and the bridge: prepares the process and carries out its steps of the plan.
 *
 * Process: as in init.c and bridge.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <signal.h>
#include <sys/mman.h>

#include <tare/init.h>
#include <tare/protocol.h>

#include "walker.h"

static const struct plan *map_plan(int fd)
{
	struct plan head;
	long at;

	if (k_pread(fd, &head, sizeof head, 0) != (ssize_t)sizeof head || head.magic != PLAN_MAGIC)
		return NULL;
	at = k_call6(__NR_mmap, 0, (long)head.size, PROT_READ, MAP_PRIVATE, fd, 0);
	return at < 0 && at > -4096 ? NULL : (const struct plan *)at;
}

/*
 * Maps memory for argv and environment of the program. On the stack they could exceed the program's
 * RLIMIT_STACK, which is set before; and once a seccomp filter is installed, mmap(2) may be denied.
 */
static int map_pointers(struct walker *walker)
{
	const struct plan_step *exec = plan_find(walker->plan, PLAN_EXEC);
	size_t count = 1;
	long at;

	if (exec != NULL)
		count = (size_t)exec->u.program.args.count + exec->u.program.env.count + 3;
	walker->pointers_size = count * sizeof *walker->pointers;
	at = k_call6(__NR_mmap, 0, walker->pointers_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	if (at < 0 && at > -4096)
		return (int)at;
	walker->pointers = (char **)at;
	return 0;
}

/* Signals that the caller ignores (a shell's background job, nohup(1)) must not be ignored in the container. */
static void reset_signals(void)
{
	static const uint64_t nothing[4]; /* the kernel's struct sigaction: SIG_DFL, no flags, empty mask */

	for (int signal = 1; signal <= 64; signal++)
		k_call4(__NR_rt_sigaction, signal, nothing, NULL, sizeof(uint64_t));
}

/*
 * Numbers below first_fd belong to the program's descriptors, but the caller may not have opened all of them. A
 * descriptor that this process opens must not get such a number, because close_host_fds closes only the numbers
 * from first_fd on. So the free numbers are filled with the end of a pipe, which is close-on-exec.
 */
static int occupy_gaps(const struct walker *walker)
{
	int fds[2] = {-1, -1}, r = 0;

	for (int fd = 3; r >= 0 && fd < walker->first_fd; fd++) {
		if (k_fcntl(fd, F_GETFD, 0) != -EBADF)
			continue;
		/* pipe2(2) itself uses the lowest free numbers, of which fd is one. */
		r = fds[0] < 0 ? k_pipe2(fds, O_CLOEXEC) : k_dup3(fds[0], fd, O_CLOEXEC);
	}
	return r;
}

static int prepare(struct walker *walker, bool is_traced, struct err *err)
{
	int r = (int)k_prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

	if (r >= 0)
		r = (int)k_prctl(PR_SET_NAME, (unsigned long)(uintptr_t)PROTOCOL_INIT_NAME, 0, 0, 0);
	if (r >= 0)
		r = k_close_range((unsigned int)walker->first_fd, ~0u, CLOSE_RANGE_CLOEXEC);
	if (r >= 0)
		r = occupy_gaps(walker);
	if (r < 0)
		return err_system(err, r, "cannot prepare init");
	walker->plan = map_plan(walker->first_fd + INIT_FD_PLAN);
	if (walker->plan == NULL)
		return err_set(err, ERR_PEER, EPROTO, NULL, "cannot map the plan");
	walker->rootfs.plan = walker->plan;
	r = map_pointers(walker);
	if (r < 0)
		return err_system(err, r, "cannot map the program's arguments");
	r = is_traced ? init_trace_map(walker) : 0;
	if (r < 0)
		return err_system(err, r, "cannot map the trace");
	reset_signals();
	/* Steps create files with their final modes; PLAN_UMASK sets the container's umask later. */
	k_umask(0);
	return 0;
}

static int carry_out(struct walker *walker, const struct plan_step *step, struct err *err)
{
	int r;

	init_trace_begin(walker);
	r = walker->actor == PLAN_BRIDGE ? bridge_step(walker, step, err)
					 : walker->init_step(walker, step, err);
	if (r < 0) {
		err_pointer(err, plan_get(walker->plan, step->json_pointer));
		return r;
	}
	init_trace_end(walker);
	return 0;
}

/*
 * The process that the bridge starts as init begins with the first step again: init opens sources in steps that
 * come before those of the bridge.
 */
static int walk(struct walker *walker, struct err *err)
{
	const struct plan_step *steps = plan_steps(walker->plan);

	while (walker->at < walker->plan->step_count) {
		const struct plan_step *step = &steps[walker->at];
		enum plan_actor actor = walker->actor;
		int r = step->actor == actor ? carry_out(walker, step, err) : 0;

		if (r < 0)
			return r;
		walker->at = walker->actor == actor ? walker->at + 1 : 0;
	}
	return 0;
}

void init_fail(const struct walker *walker, int r, struct err *err)
{
	if (r < 0 && err->kind == ERR_NONE)
		err_system(err, r, "cannot carry out a step of the plan");
	init_explain_filter(walker, err);
	(void)!protocol_send(walker->socket_fd, STEP_FAILED, 0, err, -1);
	if (walker->creator_fd >= 0)
		(void)!protocol_send(walker->creator_fd, STEP_FAILED, 0, err, -1);
	k_exit(1);
}

void init_walk_on(struct walker *walker)
{
	struct err err = {.kind = ERR_NONE};
	int r;

	init_trace_end(walker);
	walker->at++;
	r = walk(walker, &err);
	init_fail(walker, r, &err);
}

void init_walk(int argc, char **argv, walk_step init_step)
{
	struct walker walker = {.creator_fd = -1, .console_fd = -1, .init_step = init_step};
	struct err err = {.kind = ERR_NONE};
	uint64_t first = 0;
	int r;

	if (argc < 3 || !str_to_u64(argv[1], 1 << 20, &first))
		k_exit(127);
	walker.first_fd = (int)first;
	walker.socket_fd = walker.first_fd + INIT_FD_SOCKET;
	walker.actor = str_equal(argv[2], "bridge") ? PLAN_BRIDGE : PLAN_INIT;
	walker.rootfs = (struct rootfs){.fd = -1,
					.slot_base = walker.first_fd + INIT_FD_SLOTS,
					.null_fd = -1,
					.empty_fd = -1,
					.host_cgroup_fd = -1};
	r = prepare(&walker, argc > 3, &err);
	/* A session of its own, with a terminal or without; setsid(2) fails only for a process group leader. */
	if (r >= 0 && walker.actor == PLAN_INIT)
		(void)k_setsid();
	if (r >= 0)
		r = walk(&walker, &err);
	init_fail(&walker, r, &err);
}
