/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts the process that becomes init: by one clone or, through the bridge, by two. Process: the parent, as in
 * parent.c; functions that run in the child say so.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tare/await.h>
#include <tare/init.h>
#include <tare/protocol.h>
#include <tare/sys.h>

#include "steps.h"

struct spawn {
	const struct plan *plan;
	int first_fd;     /* 3 + preserved descriptors, as in init.h */
	int socket_fd;    /* init's end of the conversation */
	int cgroup_fd;    /* or -1 */
	int signal_fd;    /* of await_signals */
	const int *slots; /* plan->slot_count descriptors, -1 where the child itself fills the slot */
	uint64_t flags;   /* CLONE_NEW* */
	bool is_bridge, into_cgroup;
	bool is_exec;          /* the program has no steps of a creation */
	bool is_interruptible; /* signals end the wait for execve, because the cgroup may be frozen */
	bool dies_on_signal; /* HUP, INT and TERM kill this process while it waits: there is nothing to undo */
};

/* The programs of init and of an exec, linked into this one; see embed.S. */
extern const char tare_init_start[], tare_init_end[], tare_exec_start[], tare_exec_end[];

static int copy_program(bool is_exec, struct err *err)
{
	const char *start = is_exec ? tare_exec_start : tare_init_start;
	const char *end = is_exec ? tare_exec_end : tare_init_end;

	return memfd_seal_copy("tare", start, (size_t)(end - start), MFD_EXEC, err);
}

/* Their default action is to terminate the process. QUIT is omitted, as it dumps core first. */
static const uint64_t fatal_signals = 1ull << (SIGHUP - 1) | 1ull << (SIGINT - 1) | 1ull << (SIGTERM - 1);

/* What the child needs between clone3 and execve. It shares the parent's memory, and writes only result. */
struct child {
	const struct spawn *spawn;
	int program_fd, plan_fd;
	int done_fd; /* the writing end of a pipe that execve or the child's death closes */
	char *const *argv;
	int result;
};

/*
 * In the child: gives the descriptors the numbers that init expects (init.h). An empty slot gets a copy of
 * another descriptor, so that no descriptor that init opens gets its number.
 */
static int place_descriptors(const struct child *n)
{
	const struct spawn *s = n->spawn;
	int r = k_dup3(s->socket_fd, s->first_fd + INIT_FD_SOCKET, 0);

	if (r >= 0)
		r = k_dup3(n->plan_fd, s->first_fd + INIT_FD_PLAN, 0);
	if (r >= 0)
		r = k_dup3(s->cgroup_fd >= 0 ? s->cgroup_fd : n->plan_fd, s->first_fd + INIT_FD_CGROUP, 0);
	for (uint32_t i = 0; r >= 0 && i < s->plan->slot_count; i++)
		r = k_dup3(s->slots[i] >= 0 ? s->slots[i] : n->plan_fd, s->first_fd + INIT_FD_SLOTS + (int)i,
			   0);
	return r;
}

/*
 * The child's whole life until execve, in its new namespaces, with the caller's ids, in the parent's memory
 * while the parent waits. It makes only system calls. Returns the exit status.
 */
__attribute__((noinline)) static int run_child(void *arg)
{
	/* The container could read the caller's environment in /proc/PID/environ. */
	static char *const no_environment[] = {NULL};
	struct child *n = arg;
	int r;

	k_sigprocmask(SIG_BLOCK, &fatal_signals, NULL);
	r = place_descriptors(n);
	/* Without a mapped id the process would lose all capabilities at execve. */
	if (r >= 0 && (n->spawn->flags & CLONE_NEWUSER) != 0)
		r = user_keep_capabilities();
	if (r >= 0)
		r = k_execveat(n->program_fd, "", n->argv, no_environment, AT_EMPTY_PATH);
	n->result = r;
	return 127;
}

/*
 * clone3(2) with a separate stack for the child: with CLONE_VM both processes would otherwise return on the
 * same stack. The child calls function(arg) and exits with its result.
 */
static long clone_onto_stack(struct clone_args *args, int (*function)(void *), void *arg)
{
#if defined(__x86_64__)
	long ret;
	register int (*r8)(void *) __asm__("r8") = function;
	register void *r9 __asm__("r9") = arg;

	__asm__ volatile("syscall\n"
			 "test %%rax, %%rax\n"
			 "jnz 1f\n"
			 "xor %%ebp, %%ebp\n"
			 "mov %%r9, %%rdi\n"
			 "call *%%r8\n"
			 "mov %%eax, %%edi\n"
			 "mov %[exit], %%eax\n"
			 "syscall\n"
			 "1:\n"
			 : "=a"(ret)
			 : "a"(__NR_clone3), "D"(args), "S"(sizeof *args), "r"(r8),
			   "r"(r9), [exit] "i"(__NR_exit)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = __NR_clone3;
	register long x0 __asm__("x0") = (long)args;
	register long x1 __asm__("x1") = sizeof *args;
	register int (*x10)(void *) __asm__("x10") = function;
	register void *x11 __asm__("x11") = arg;

	__asm__ volatile("svc 0\n"
			 "cbnz x0, 1f\n"
			 "mov x29, #0\n"
			 "mov x0, x11\n"
			 "blr x10\n"
			 "mov x8, %[exit]\n"
			 "svc 0\n"
			 "1:\n"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x10), "r"(x11), [exit] "i"(__NR_exit)
			 : "memory", "x30");
	return x0;
#endif
}

static int explain_clone(long r, const struct spawn *spawn, struct err *err)
{
	err_system(err, (int)r, "cannot start init in its namespaces");
	if (r == -ENOSPC)
		hints_no_more_namespaces(spawn->flags, err);
	else if (r == -EPERM && (spawn->flags & CLONE_NEWUSER) != 0)
		hints_no_user_namespace(err);
	else if (r == -EACCES && spawn->into_cgroup)
		err_hint(err,
			 "the caller may not move processes from its own cgroup into that one: both have to be "
			 "inside a cgroup that is delegated to it");
	else if (r == -EBUSY || r == -EOPNOTSUPP)
		err_hint(err, "the cgroup cannot hold processes: it has controllers enabled for its children");
	return (int)r;
}

/*
 * Waits until the child has left this process's memory by execve or exit. CLONE_VFORK waits for the same, but
 * only a fatal signal interrupts it, and a child in a frozen cgroup executes nothing until it is thawed.
 * CLONE_VFORK is still the normal case: the OOM killer, which kills every process that shares its victim's
 * memory, spares a process in the middle of a vfork.
 */
static int wait_executed(struct child *n, int done_fd, int *pidfd, struct err *err)
{
	const struct await await = {done_fd, POLLIN, -1, n->spawn->signal_fd, -1};
	int r = await_any(&await);
	bool is_done = r > 0 && (r & AWAIT_READY) != 0;

	if (is_done && n->result >= 0)
		return 0;
	k_pidfd_send_signal(*pidfd, SIGKILL);
	k_waitid(P_PIDFD, *pidfd, NULL, WEXITED);
	fd_close(pidfd);
	if (is_done)
		return err_system(err, n->result, "cannot execute init");
	return r < 0 ? err_system(err, r, "cannot wait for init") : await_interrupted(n->spawn->signal_fd, err);
}

static int start_child(struct child *n, int done_fd, int *ret_pidfd, struct err *err)
{
	static _Alignas(16) char stack[16 << 10]; /* of one child at a time, until its execve */
	const struct spawn *spawn = n->spawn;
	struct clone_args args = {
		.flags = spawn->flags | CLONE_PIDFD | CLONE_VM | (spawn->is_interruptible ? 0 : CLONE_VFORK),
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
		.stack = (uint64_t)(uintptr_t)stack,
		.stack_size = sizeof stack,
	};
	long pid;
	int r;

	if (spawn->cgroup_fd >= 0 && spawn->into_cgroup) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)spawn->cgroup_fd;
	}
	/* Only a signal that kills the process interrupts a vfork. */
	if (spawn->dies_on_signal)
		k_sigprocmask(SIG_UNBLOCK, &fatal_signals, NULL);
	pid = clone_onto_stack(&args, run_child, n);
	k_sigprocmask(SIG_BLOCK, &fatal_signals, NULL);
	fd_close(&n->done_fd);
	if (pid < 0) {
		*ret_pidfd = -1;
		return explain_clone(pid, spawn, err);
	}
	if (spawn->is_interruptible) {
		r = wait_executed(n, done_fd, ret_pidfd, err);
		return r < 0 ? r : (int)pid;
	}
	if (n->result < 0) {
		k_waitid(P_PIDFD, *ret_pidfd, NULL, WEXITED);
		fd_close(ret_pidfd);
		return err_system(err, n->result, "cannot execute init");
	}
	return (int)pid;
}

/*
 * Replaces *fd by a copy with a number of at least floor, if it is below. The child assigns the numbers from
 * first_fd up to floor, so a descriptor that it has still to copy there must not have one of them.
 */
static int lift(int *fd, int floor)
{
	int lifted;

	if (*fd < 0 || *fd >= floor)
		return 0;
	lifted = k_fcntl(*fd, F_DUPFD_CLOEXEC, floor);
	if (lifted < 0)
		return lifted;
	*fd = lifted;
	return 0;
}

/* A pipe that execve in the child closes. The child's end has a number that no other descriptor gets. */
static int open_done(int floor, int *ret_done_fd, int *ret_child_fd, struct err *err)
{
	int fds[2], r = k_pipe2(fds, O_CLOEXEC);

	if (r < 0)
		return err_system(err, r, "cannot make a pipe for init");
	*ret_done_fd = fds[0];
	*ret_child_fd = fds[1];
	r = lift(ret_child_fd, floor);
	if (*ret_child_fd != fds[1])
		k_close(fds[1]);
	return r < 0 ? err_system(err, r, "cannot make a pipe for init") : 0;
}

/*
 * Starts init's program, the whole one or the one for an exec, from a sealed memfd, in new namespaces and, if
 * into_cgroup is set, in the cgroup. Returns after execve: the pid, and a pidfd in *ret_pidfd; or -errno with
 * *err and no process left, -EINTR for a signal if is_interruptible. All signals must be blocked.
 */
static int spawn_child(const struct spawn *spawn, int *ret_pidfd, struct err *err)
{
	char first[16], *argv[] = {(char[]){"tare"}, first,
				   spawn->is_bridge ? (char[]){"bridge"} : (char[]){"init"}, NULL};
	_cleanup_fd_ int program_fd = -1, plan_fd = -1, done_fd = -1;
	_cleanup_free_ int *slots = mem_alloc((spawn->plan->slot_count + 1) * sizeof *slots);
	int floor = spawn->first_fd + INIT_FD_SLOTS + (int)spawn->plan->slot_count, r = 0;
	struct spawn lifted = *spawn;
	struct child n = {.spawn = &lifted, .argv = argv, .done_fd = -1};

	str_format(first, sizeof first, "%d", spawn->first_fd);
	program_fd = copy_program(spawn->is_exec, err);
	if (program_fd < 0)
		return program_fd;
	plan_fd = memfd_seal_copy("plan", spawn->plan, spawn->plan->size, 0, err);
	if (plan_fd < 0)
		return plan_fd;
	if (spawn->is_interruptible)
		r = open_done(floor, &done_fd, &n.done_fd, err);
	if (r < 0)
		return r;
	lifted.slots = slots;
	n.program_fd = program_fd;
	n.plan_fd = plan_fd;
	for (uint32_t i = 0; r == 0 && i < spawn->plan->slot_count; i++) {
		slots[i] = spawn->slots[i];
		r = lift(&slots[i], floor);
	}
	if (r == 0)
		r = lift(&lifted.socket_fd, floor);
	if (r == 0)
		r = lift(&lifted.cgroup_fd, floor);
	if (r == 0)
		r = lift(&n.program_fd, floor);
	if (r == 0)
		r = lift(&n.plan_fd, floor);
	if (r < 0)
		err_system(err, r, "cannot place %u descriptors for init", spawn->plan->slot_count);
	else
		r = start_child(&n, done_fd, ret_pidfd, err);
	/* The copies above floor are not the caller's. */
	for (uint32_t i = 0; i < spawn->plan->slot_count; i++)
		if (slots[i] > 0 && slots[i] != spawn->slots[i])
			k_close(slots[i]);
	if (lifted.socket_fd != spawn->socket_fd)
		k_close(lifted.socket_fd);
	if (lifted.cgroup_fd != spawn->cgroup_fd)
		k_close(lifted.cgroup_fd);
	if (n.program_fd != program_fd)
		k_close(n.program_fd);
	if (n.plan_fd != plan_fd)
		k_close(n.plan_fd);
	fd_close(&n.done_fd);
	return r;
}

/* --- the steps --- */

#define INIT_STARTED_TIMEOUT_MS 10000
#define REAP_TIMEOUT_MS 2000

static bool has_init_hooks(const struct plan *plan)
{
	const struct plan_step *steps = plan_steps(plan);

	for (uint32_t i = 0; i < plan->step_count; i++)
		if (steps[i].kind == PLAN_HOOKS && steps[i].actor == PLAN_INIT)
			return true;
	return false;
}

/*
 * SO_PASSCRED: after a bridge the kernel adds the sender's pid to INIT_STARTED. The bridge's child knows its
 * own pid only in the container's pid namespace.
 */
static int open_socket(struct parent *parent, bool is_bridge)
{
	int fds[2], on = 1, r = k_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);

	if (r < 0)
		return r;
	parent->socket_fd = fds[0];
	parent->child_socket_fd = fds[1];
	return is_bridge ? k_setsockopt(fds[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) : 0;
}

int spawn_init(struct parent *parent, const struct plan_step *step, struct err *err)
{
	int r;
	struct spawn spawn = {
		.plan = parent->plan,
		.first_fd = parent->first_fd,
		.cgroup_fd = parent->cgroup_fd,
		.signal_fd = parent->signal_fd,
		.slots = parent->slots,
		.flags = step->u.spawn.flags,
		.is_bridge = step->u.spawn.is_bridge,
		.is_interruptible = parent->exec != NULL && parent->exec->is_ignoring_paused,
		/* The child of an exec exits when the parent's end of the socket is closed. */
		.dies_on_signal = parent->exec != NULL,
		.into_cgroup = step->u.spawn.into_cgroup,
		.is_exec = parent->exec != NULL,
	};

	r = open_socket(parent, spawn.is_bridge);
	if (r < 0)
		return err_system(err, r, "cannot make a socket for init");
	spawn.socket_fd = parent->child_socket_fd;
	r = spawn_child(&spawn, spawn.is_bridge ? &parent->bridge_pidfd : &parent->pidfd, err);
	/* The cgroup has enabled controllers for its children (cgroups(7), "no internal processes"): init has
	 * moved to one of them. */
	if ((r == -EBUSY || r == -EOPNOTSUPP) && parent->exec != NULL &&
	    exec_open_init_cgroup(parent, err) >= 0) {
		spawn.cgroup_fd = parent->cgroup_fd;
		r = spawn_child(&spawn, &parent->bridge_pidfd, err);
	}
	fd_close(&parent->child_socket_fd);
	if (r < 0)
		return r;
	parent->pid = r;
	/*
	 * If init fails later, it is unknown whether it has run its hooks. The parent assumes that it has: the
	 * poststop hooks then run.
	 */
	parent->has_run_hooks |= has_init_hooks(parent->plan);
	return 0;
}

/*
 * Sets pid and pidfd to those of init. CLONE_PARENT makes init a child of this process, so its pid is not
 * reused until this process waits for it. waitid(2) verifies that the pid is a child's: the message comes from
 * a process that the container may control.
 */
static int identify_init(struct parent *parent, int64_t pid, struct err *err)
{
	bool is_pid = pid > 0 && pid <= INT32_MAX && pid != parent->pid;
	_cleanup_fd_ int pidfd = is_pid ? k_pidfd_open((pid_t)pid, 0) : -ESRCH;
	siginfo_t info;
	int r = pidfd < 0 ? pidfd : k_waitid(P_PIDFD, pidfd, &info, WEXITED | WNOHANG | WNOWAIT);

	if (r < 0)
		return err_set(err, ERR_PEER, r, NULL, "process %lld is not init", (long long)pid);
	parent->pid = (pid_t)pid;
	parent->pidfd = take_fd(&pidfd);
	return 0;
}

static bool has_succeeded(int bridge_pidfd)
{
	siginfo_t info = {0};

	return k_waitid(P_PIDFD, bridge_pidfd, &info, WEXITED | WNOHANG | WNOWAIT) >= 0 &&
	       info.si_code == CLD_EXITED && info.si_status == 0;
}

/*
 * After the bridge has exited, only init can send a message. The end of file on its socket reports its exit,
 * unless a process of the container has a copy of the socket. A timeout covers that case.
 */
static int await_init_started(const struct parent *parent, struct err *err)
{
	const char *name = protocol_step_name(STEP_INIT_STARTED);
	struct await await = {parent->socket_fd, POLLIN, parent->bridge_pidfd, parent->signal_fd, -1};
	int r = await_message(&await, name, err);

	if (r != -EPIPE || !has_succeeded(parent->bridge_pidfd))
		return r;
	err->kind = ERR_NONE;
	await.pidfd = -1;
	await.timeout_ms = INIT_STARTED_TIMEOUT_MS;
	return await_message(&await, name, err);
}

/*
 * Waits for an init that exited before it sent INIT_STARTED, so that its pid is unknown: its pid namespace
 * exists until it has been waited for. It is a child of this process, and the bridge is the only other one. If
 * it was killed, *err states the signal; if it exited, that was a consequence of the bridge's exit.
 */
static void reap_unidentified_init(struct err *err)
{
	for (int i = 0; i < REAP_TIMEOUT_MS; i++) {
		/* The system call ppoll(2) modifies it. */
		struct timespec pause = {.tv_nsec = 1000000};
		siginfo_t info = {0};

		if (k_waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0)
			return;
		if (info.si_pid == 0)
			k_ppoll(NULL, 0, &pause, NULL);
		else if (info.si_code != CLD_EXITED)
			parent_explain_status(&info, err);
	}
}

int spawn_expect_init(struct parent *parent, struct err *err)
{
	bool is_console = parent->exec != NULL && plan_find(parent->plan, PLAN_CONSOLE) != NULL;
	int64_t pid = 0;
	int r = listener_answer(parent, err);

	if (r >= 0)
		r = await_init_started(parent, err);
	if (r >= 0)
		r = protocol_expect(parent->socket_fd, STEP_INIT_STARTED, &pid,
				    is_console ? &parent->console_fd : NULL, err);
	if (r == -EPIPE && err->kind == ERR_PEER) {
		parent_explain_end(parent->bridge_pidfd, err);
		reap_unidentified_init(err);
	}
	if (r >= 0)
		r = identify_init(parent, pid, err);
	if (r < 0)
		return r;
	/* The bridge has only to exit, a system call that its seccomp filter may deny or notify of. */
	k_pidfd_send_signal(parent->bridge_pidfd, SIGKILL);
	return listener_send(parent, err);
}

/* SIGKILL also kills a process in a frozen cgroup (cgroup-v2.rst, cgroup.freeze). */
void spawn_end_bridge(struct parent *parent)
{
	k_waitid(P_PIDFD, parent->bridge_pidfd, NULL, WEXITED);
	fd_close(&parent->bridge_pidfd);
}
