/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reaper: an init that does not become the program. It starts the program as its child, forwards signals to
 * it, waits for orphans, and exits with the program's status.
 *
 * Process: as init in its last steps: in all namespaces, with the ids and capabilities of the container's user,
 * not dumpable. The child shares its memory until execve(2), as after vfork(2), so that a start needs no copy
 * of it. From then on the reaper has no descriptor of the program, maps nothing of the plan, and makes only the
 * calls of the table below: the program must not be able to use it to make others.
 *
 * A filter that is installed last is the program's alone, and so is a label, which execve(2) sets. Then the
 * reaper gets a filter of its own, for a program that may trace it (CAP_SYS_PTRACE). A filter that is installed
 * earlier also applies to the reaper, which then checks that it can make its calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <tare/init.h>
#include <tare/protocol.h>

#include "walker.h"

#define REAPER_NAME "tare:reaper"
#ifdef TARE_INIT_HOSTED /* with sanitizers */
#define STACK_SIZE (64 << 10)
#else
#define STACK_SIZE (16 << 10)
#endif
#define SIGNAL_SET_SIZE sizeof(uint64_t) /* of the kernel's signal sets */
#define NO_SIGNAL 65                     /* larger than any number of a signal */

#if defined(__x86_64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define NATIVE_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

struct reaper {
	struct walker *walker;
	const struct plan_reaper *step;
	int own_pid;            /* of the reaper */
	int end_fd;             /* for struct init_end, or -1 */
	pid_t pid;              /* of the program */
	volatile int tid;       /* the same; the kernel sets it to 0 once the child has left this memory */
	volatile int is_opened; /* the child may execute the program */
};

static long wait_on(const volatile int *at, int value)
{
	return k_call4(__NR_futex, at, FUTEX_WAIT, value, NULL);
}

/* --- the calls of the reaper --- */

/* A filter that is already in force may deny a call, or make it seem to succeed: each must fail as expected. */
static int check_calls(const struct reaper *reaper, struct err *err)
{
	const struct {
		const char *name;
		long result, expected;
	} calls[] = {
		{"futex(2)", wait_on((const volatile int *)((const char *)&reaper->tid + 1), 0), -EINVAL},
		{"waitid(2)", k_waitid(P_ALL, 0, NULL, 0), -EINVAL},
		{"rt_sigtimedwait(2)", k_call4(__NR_rt_sigtimedwait, NULL, NULL, NULL, 0), -EINVAL},
		{"kill(2)", k_kill(reaper->own_pid, NO_SIGNAL), -EINVAL},
		{"write(2)", reaper->end_fd < 0 ? -EBADF : k_write(-1, "", 1), -EBADF},
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].result >= 0)
			return user_faked_success("/linux/seccomp", calls[i].name, err);
		if (calls[i].result != calls[i].expected)
			return err_system(err, (int)calls[i].result, "cannot wait for the program by %s",
					  calls[i].name);
	}
	return 0;
}

/* Allows the call nr; with is_bound only if its first argument is that number. */
struct allowed_call {
	uint32_t nr;
	bool is_bound;
	uint32_t first;
};

#define DATA(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)

/* Installs a filter that allows only what the reaper does from here on. */
static int limit_calls(const struct reaper *reaper, struct err *err)
{
	const struct allowed_call calls[] = {
		{__NR_futex, false, 0},
		{__NR_sendmsg, true, (uint32_t)reaper->walker->socket_fd},
		{__NR_munmap, false, 0},
		{__NR_close_range, false, 0},
		{__NR_waitid, false, 0},
		{__NR_rt_sigtimedwait, false, 0},
		{__NR_restart_syscall, false, 0},
		{__NR_kill, true, (uint32_t)reaper->pid},
		{__NR_write, true, (uint32_t)reaper->end_fd},
		{__NR_exit_group, false, 0},
#ifdef TARE_INIT_HOSTED
		{__NR_sigaltstack, false,
		 0}, /* of AddressSanitizer, before it calls a function without return */
#endif
	};
	struct sock_filter rows[4 + ARRAY_SIZE(calls) * 5 + 1] = {
		DATA(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCHITECTURE, 1, 0),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		DATA(nr),
	};
	struct sock_fprog program = {.len = 4, .filter = rows};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct sock_filter *at = rows + program.len;
		uint8_t skipped = calls[i].is_bound ? 4 : 1;

		*at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].nr, 0, skipped);
		if (calls[i].is_bound) {
			*at++ = (struct sock_filter)DATA(args[0]);
			*at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].first, 1, 0);
			*at++ = (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS);
		}
		*at++ = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
		program.len = (unsigned short)(at - rows);
	}
	rows[program.len++] = (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS);
	/* Only for this process, which executes nothing: without CAP_SYS_ADMIN a filter needs it. */
	r = (int)k_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (r >= 0)
		r = (int)k_call3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
	return r < 0 ? err_system(err, r, "cannot limit the calls of the first process") : 0;
}

/* --- the program's process --- */

/* A session of its own, as an init that becomes the program has. */
static int begin_session(const struct reaper *reaper, struct err *err)
{
	int r = k_setsid();

	if (r == 0)
		return user_faked_success("/linux/seccomp", "setsid(2)", err);
	if (r < 0)
		return err_system(err, r, "cannot create a session");
	/* In a new pid namespace the kernel kills all processes with the first one. */
	if (reaper->step->is_subreaper)
		child_die_with(reaper->own_pid);
	return 0;
}

/* Runs in the child, on its own stack: the rest of the plan. */
__attribute__((noinline)) static int run_program(void *arg)
{
	struct reaper *reaper = arg;
	struct walker *walker = reaper->walker;
	struct err err = {.kind = ERR_NONE};

	/* The kernel has set tid before the child starts, unless a filter has faked the clone(2). */
	if (reaper->tid == 0 && !reaper->is_opened) {
		user_faked_success("/linux/seccomp", "clone(2)", &err);
		init_fail(walker, -ECANCELED, &err);
	}
	str_format(walker->program.listen_pid, sizeof walker->program.listen_pid, "LISTEN_PID=%d", reaper->tid);
	if (begin_session(reaper, &err) < 0)
		init_fail(walker, -ECANCELED, &err);
	while (!reaper->is_opened)
		wait_on(&reaper->is_opened, 0);
	init_walk_on(walker);
}

/*
 * Without SIGCHLD as the signal of its end, the child is one that only __WCLONE waits for, until execve(2) sets
 * SIGCHLD: so the reaper can tell whether the program was executed. stack has STACK_SIZE bytes.
 */
static int start_program(struct reaper *reaper, char *stack, struct err *err)
{
	const struct clone_call call = {__NR_clone,
					{CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
					 (long)(stack + STACK_SIZE), (long)&reaper->tid, (long)&reaper->tid}};
	struct rlimit64 limit;
	long pid = clone_onto_stack(&call, run_program, reaper);

	if (pid >= 0) {
		reaper->pid = (pid_t)pid;
		return 0;
	}
	err_system(err, (int)pid, "cannot start the program's process");
	if (pid == -EAGAIN && k_prlimit(0, RLIMIT_NPROC, NULL, &limit) >= 0 && limit.rlim_cur <= 1)
		err_hint(err, "RLIMIT_NPROC is %llu, and the first process of --init counts, too",
			 (unsigned long long)limit.rlim_cur);
	return (int)pid;
}

/* The program may change its user: CAP_KILL is for the signals to it. */
static int limit_rights(const struct reaper *reaper, struct err *err)
{
	int r = user_keep_only(CAP_KILL);

	if (r < 0)
		return err_system(err, r, "cannot drop the capabilities of the first process");
	return reaper->step->is_limited ? limit_calls(reaper, err) : 0;
}

static void kill_program(const struct reaper *reaper)
{
	k_kill(reaper->pid, SIGKILL);
	k_waitid(P_PID, reaper->pid, NULL, WEXITED | __WALL);
}

/* --- the rest of the reaper's life --- */

__attribute__((noreturn)) static void finish(const struct reaper *reaper, const siginfo_t *info)
{
	const struct init_end end = {.code = info->si_code, .status = info->si_status};

	if (reaper->end_fd >= 0)
		k_write(reaper->end_fd, &end, sizeof end);
	k_exit(info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status);
}

/*
 * Waits until the child has executed the program. If it has failed, it has reported that; only a filter kills
 * it without a word. The end of file on the socket, which means that the program was executed, is the reaper's
 * close of its copy.
 */
static void await_execution(const struct reaper *reaper)
{
	struct err err = {.kind = ERR_NONE};
	siginfo_t info = {0};
	int tid;

	while ((tid = reaper->tid) != 0)
		wait_on(&reaper->tid, tid);
	if (k_waitid(P_PID, reaper->pid, &info, WEXITED | __WCLONE) < 0)
		return;
	if (info.si_code != CLD_EXITED && info.si_status == SIGSYS) {
		err_set(&err, ERR_PEER, 0, "/linux/seccomp", "the process ended before its program began");
		err_hint(&err, "the filter has to allow execve: tare(8), SECCOMP");
		(void)!protocol_send(reaper->walker->socket_fd, STEP_FAILED, 0, &err, -1);
	}
	finish(reaper, &info);
}

static void drop_all(const struct reaper *reaper)
{
	struct walker *walker = reaper->walker;
	const struct plan *plan = walker->plan;

	init_close_except(walker, 0, &reaper->end_fd, 1);
	init_trace_unmap(walker);
	k_call2(__NR_munmap, walker->pointers, walker->pointers_size);
	k_call2(__NR_munmap, plan, plan->size);
}

static void reap(const struct reaper *reaper, int flags)
{
	siginfo_t info = {0};

	while (k_waitid(P_ALL, 0, &info, WEXITED | flags) >= 0 && info.si_pid != 0) {
		if (info.si_pid == reaper->pid)
			finish(reaper, &info);
		info.si_pid = 0;
	}
}

__attribute__((noreturn)) static void serve(const struct reaper *reaper)
{
	const uint64_t all = ~0ull;

	while (true) {
		long signal = k_call4(__NR_rt_sigtimedwait, &all, NULL, NULL, SIGNAL_SET_SIZE);

		if (signal == SIGCHLD)
			reap(reaper, WNOHANG);
		else if (signal > 0)
			k_kill(reaper->pid, (int)signal);
		else if (signal != -EINTR)
			/* The agent of a filter has died: its calls return ENOSYS. */
			break;
	}
	reap(reaper, 0);
	k_exit(1);
}

int init_reaper(struct walker *walker, const struct plan_step *step, struct err *err)
{
	struct reaper reaper = {.walker = walker,
				.step = &step->u.reaper,
				.own_pid = k_getpid(),
				.end_fd = init_end_fd(walker)};
	_Alignas(16) char
		stack[STACK_SIZE]; /* of the child, until its execve; a static one would cost each start */
	const uint64_t all = ~0ull;
	int r = k_sigprocmask(SIG_SETMASK, &all, NULL);

	if (r >= 0 && step->u.reaper.is_subreaper)
		r = (int)k_prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (r < 0)
		return err_system(err, r, "cannot become the parent of the container's processes");
	r = walker->filter == NULL ? 0 : check_calls(&reaper, err);
	if (r >= 0)
		r = start_program(&reaper, stack, err);
	if (r < 0)
		return r;
	/* While this process has init's name, its death is one before the program was executed. */
	k_prctl(PR_SET_NAME, (unsigned long)(uintptr_t)REAPER_NAME, 0, 0, 0);
	r = limit_rights(&reaper, err);
	if (r < 0) {
		kill_program(&reaper);
		return r;
	}
	reaper.is_opened = 1;
	k_call3(__NR_futex, &reaper.is_opened, FUTEX_WAKE, 1);
	await_execution(&reaper);
	drop_all(&reaper);
	serve(&reaper);
}
