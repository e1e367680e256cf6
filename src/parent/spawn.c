/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts the process that becomes init: by one clone or, through the bridge, by two. Process: the parent, as in
 * child.c; functions that run in the child say so.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tare/probe.h>
#include <tare/await.h>
#include <tare/init.h>
#include <tare/protocol.h>
#include <tare/sys.h>

#include "steps.h"
#include "trace.h"

struct spawn {
	const struct plan *plan;
	int first_fd;      /* 3 + preserved descriptors, as in init.h */
	int socket_fd;     /* init's end of the conversation */
	int cgroup_fd;     /* or -1 */
	int trace_fd;      /* or -1 */
	int output_fds[2]; /* to be 1 and 2, or -1 */
	int signal_fd;     /* of await_signals */
	const int *slots;  /* plan->slot_count descriptors, -1 where the child itself fills the slot */
	uint64_t flags;    /* CLONE_NEW* */
	bool is_bridge, into_cgroup;
	bool is_exec;          /* the program has no steps of a creation */
	bool is_mounting;      /* the program also has the steps that change mounts */
	bool is_interruptible; /* signals end the wait for execve, because the cgroup may be frozen */
	bool dies_on_signal; /* HUP, INT and TERM kill this process while it waits: there is nothing to undo */
};

/* The programs of init, of an exec and of a change of mounts, linked into this one; see embed.S. */
extern const char tare_init_start[], tare_init_end[], tare_exec_start[], tare_exec_end[];
extern const char tare_mounts_start[], tare_mounts_end[];

static int copy_program(const struct spawn *spawn, struct err *err)
{
	const char *start = spawn->is_mounting ? tare_mounts_start
			    : spawn->is_exec   ? tare_exec_start
					       : tare_init_start;
	const char *end = spawn->is_mounting ? tare_mounts_end : spawn->is_exec ? tare_exec_end : tare_init_end;

	return memfd_seal_copy("tare", start, (size_t)(end - start), MFD_EXEC, err);
}

/* Their default action is to terminate the process. QUIT is omitted, as it dumps core first. */
static const uint64_t fatal_signals = 1ull << (SIGHUP - 1) | 1ull << (SIGINT - 1) | 1ull << (SIGTERM - 1);

/* What the child needs between clone3 and execve. It shares the parent's memory, and writes only result. */
struct launch {
	const struct spawn *spawn;
	int program_fd, plan_fd;
	int done_fd;     /* the writing end of a pipe that execve or the child's death closes */
	int procs_fd;    /* cgroup.procs of the cgroup that the child has to move to; -1: it starts there, or in
			    none */
	bool is_outside; /* result is the error of that move */
	char *const *argv;
	int result;
};

/*
 * In the child: gives the descriptors the numbers that init expects (init.h). An empty slot gets a copy of
 * another descriptor, so that no descriptor that init opens gets its number.
 */
static int place_descriptors(const struct launch *n)
{
	const struct spawn *s = n->spawn;
	int r = k_dup3(s->socket_fd, s->first_fd + INIT_FD_SOCKET, 0);

	if (r >= 0)
		r = k_dup3(n->plan_fd, s->first_fd + INIT_FD_PLAN, 0);
	if (r >= 0)
		r = k_dup3(s->cgroup_fd >= 0 ? s->cgroup_fd : n->plan_fd, s->first_fd + INIT_FD_CGROUP, 0);
	for (int i = 0; r >= 0 && i < 2; i++)
		r = s->output_fds[i] < 0 ? r : k_dup3(s->output_fds[i], 1 + i, 0);
	for (uint32_t i = 0; r >= 0 && i < s->plan->slot_count; i++)
		r = k_dup3(s->slots[i] >= 0 ? s->slots[i] : n->plan_fd, s->first_fd + INIT_FD_SLOTS + (int)i,
			   0);
	if (r >= 0 && s->trace_fd >= 0)
		r = k_dup3(s->trace_fd, s->first_fd + INIT_FD_SLOTS + (int)s->plan->slot_count, 0);
	return r;
}

/*
 * In the child, before anything else. The kernel checks the rights and the cgroup namespace of the process that
 * has opened the file (cgroups(7)), which is the parent, and "0" is the process that writes.
 */
static int enter_cgroup(struct launch *n)
{
	ssize_t r = n->procs_fd < 0 ? 0 : k_write(n->procs_fd, "0", 1);

	n->is_outside = r < 0;
	return (int)r;
}

/*
 * The child's whole life until execve, in its new namespaces, with the caller's ids, in the parent's memory
 * while the parent waits. It makes only system calls. Returns the exit status.
 */
__attribute__((noinline)) static int run_child(void *arg)
{
	/* The container could read the caller's environment in /proc/PID/environ. */
	static char *const no_environment[] = {NULL};
	struct launch *n = arg;
	int r;

	k_sigprocmask(SIG_BLOCK, &fatal_signals, NULL);
	r = enter_cgroup(n);
	if (r >= 0)
		r = place_descriptors(n);
	/* Without a mapped id the process would lose all capabilities at execve. */
	if (r >= 0 && (n->spawn->flags & CLONE_NEWUSER) != 0)
		r = user_keep_capabilities();
	if (r >= 0)
		r = k_execveat(n->program_fd, "", n->argv, no_environment, AT_EMPTY_PATH);
	n->result = r;
	return 127;
}

static int explain_clone(long r, const struct spawn *spawn, struct err *err)
{
	err_system(err, (int)r, "cannot start init in its namespaces");
	probe_hint_namespaces((int)r, spawn->flags, err);
	if (err->hint[0] != '\0')
		return (int)r;
	if (r == -EACCES && spawn->into_cgroup)
		err_hint(err,
			 "the caller may not move processes from its own cgroup into that one: both have to be "
			 "inside a cgroup that is delegated to it");
	else if (r == -EBUSY || r == -EOPNOTSUPP)
		err_hint(err, "the cgroup cannot hold processes: it has controllers enabled for its children");
	return (int)r;
}

static int explain_execution(const struct launch *n, struct err *err)
{
	return n->is_outside ? explain_clone(n->result, n->spawn, err)
			     : err_system(err, n->result, "cannot execute init");
}

/*
 * Waits until the child has left this process's memory by execve or exit. CLONE_VFORK waits for the same, but
 * only a fatal signal interrupts it, and a child in a frozen cgroup executes nothing until it is thawed.
 * CLONE_VFORK is still the normal case: the OOM killer, which kills every process that shares its victim's
 * memory, spares a process in the middle of a vfork.
 */
static int wait_executed(struct launch *n, int done_fd, int *pidfd, struct err *err)
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
		return explain_execution(n, err);
	return r < 0 ? err_system(err, r, "cannot wait for init") : await_interrupted(n->spawn->signal_fd, err);
}

#define STACK_SIZE (16 << 10)

/* clone3(2) starts the child in its cgroup. */
static long clone_into_cgroup(struct launch *n, char *stack, uint64_t flags, int *ret_pidfd)
{
	const struct spawn *spawn = n->spawn;
	struct clone_args args = {
		.flags = flags,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
		.stack = (uint64_t)(uintptr_t)stack,
		.stack_size = STACK_SIZE,
	};
	const struct clone_call call = {__NR_clone3, {(long)&args, sizeof args}};

	if (spawn->cgroup_fd >= 0 && spawn->into_cgroup) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)spawn->cgroup_fd;
	}
	return clone_onto_stack(&call, run_child, n);
}

/*
 * Where a seccomp filter refuses clone3(2) with ENOSYS: clone(2) has no CLONE_INTO_CGROUP, so the child moves
 * to its cgroup with its first system calls. Its memory is still the parent's, and no program has run.
 */
static long clone_then_move(struct launch *n, char *stack, uint64_t flags, int *ret_pidfd)
{
	const struct spawn *spawn = n->spawn;
	const struct clone_call call = {__NR_clone,
					{(long)(flags | SIGCHLD), (long)(stack + STACK_SIZE), (long)ret_pidfd}};
	_cleanup_fd_ int procs_fd = -1;

	if (spawn->cgroup_fd >= 0 && spawn->into_cgroup) {
		procs_fd = k_openat(spawn->cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC, 0);
		if (procs_fd < 0)
			return procs_fd;
	}
	n->procs_fd = procs_fd;
	return clone_onto_stack(&call, run_child, n);
}

static int start_child(struct launch *n, int done_fd, int *ret_pidfd, struct err *err)
{
	static _Alignas(16) char stack[STACK_SIZE]; /* of one child at a time, until its execve */
	const struct spawn *spawn = n->spawn;
	uint64_t flags = spawn->flags | CLONE_PIDFD | CLONE_VM | (spawn->is_interruptible ? 0 : CLONE_VFORK);
	long pid;
	int r;

	/*
	 * Only a signal that kills the process interrupts a vfork. Without a vfork the signals stay blocked: a
	 * child in a frozen cgroup would outlive this process.
	 */
	if (spawn->dies_on_signal && !spawn->is_interruptible)
		k_sigprocmask(SIG_UNBLOCK, &fatal_signals, NULL);
	pid = clone_into_cgroup(n, stack, flags, ret_pidfd);
	if (pid == -ENOSYS)
		pid = clone_then_move(n, stack, flags, ret_pidfd);
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
		return explain_execution(n, err);
	}
	return (int)pid;
}

void spawn_hint_open_files(struct err *err)
{
	struct rlimit64 limit;

	if (k_prlimit(0, RLIMIT_NOFILE, NULL, &limit) >= 0 && limit.rlim_cur < limit.rlim_max)
		err_hint(err, "the limit of open files is %llu: raise it with ulimit -n, up to %llu",
			 (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
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
 * Starts init's program, or that of an exec or of a change of mounts, from a sealed memfd, in new namespaces
 * and, if into_cgroup is set, in the cgroup. Returns after execve: the pid, and a pidfd in *ret_pidfd; or
 * -errno with *err and no process left, -EINTR for a signal if is_interruptible. All signals must be blocked.
 */
static int spawn_child(const struct spawn *spawn, int *ret_pidfd, struct err *err)
{
	char first[16],
		*argv[] = {(char[]){"tare"}, first, spawn->is_bridge ? (char[]){"bridge"} : (char[]){"init"},
			   spawn->trace_fd >= 0 ? (char[]){"trace"} : NULL, NULL};
	_cleanup_fd_ int program_fd = -1, plan_fd = -1, done_fd = -1;
	_cleanup_free_ int *slots = mem_alloc((spawn->plan->slot_count + 1) * sizeof *slots);
	int floor = spawn->first_fd + INIT_FD_SLOTS + (int)spawn->plan->slot_count + (spawn->trace_fd >= 0);
	struct spawn lifted = *spawn;
	struct launch n = {.spawn = &lifted, .argv = argv, .done_fd = -1, .procs_fd = -1};
	int *const single[] = {&lifted.socket_fd, &lifted.cgroup_fd,     &lifted.trace_fd,     &n.program_fd,
			       &n.plan_fd,        &lifted.output_fds[0], &lifted.output_fds[1]};
	int before[ARRAY_SIZE(single)], r = 0;

	str_format(first, sizeof first, "%d", spawn->first_fd);
	program_fd = copy_program(spawn, err);
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
	for (size_t i = 0; i < ARRAY_SIZE(single); i++) {
		before[i] = *single[i];
		r = r < 0 ? r : lift(single[i], floor);
	}
	/* F_DUPFD: EINVAL for a number that is not below the limit. */
	if (r == -EINVAL || r == -EMFILE) {
		r = err_system(err, EMFILE, "cannot place %u descriptors for init", spawn->plan->slot_count);
		spawn_hint_open_files(err);
	} else if (r < 0)
		err_system(err, r, "cannot place %u descriptors for init", spawn->plan->slot_count);
	else
		r = start_child(&n, done_fd, ret_pidfd, err);
	/* The copies above floor are not the caller's. */
	for (uint32_t i = 0; i < spawn->plan->slot_count; i++)
		if (slots[i] > 0 && slots[i] != spawn->slots[i])
			k_close(slots[i]);
	for (size_t i = 0; i < ARRAY_SIZE(single); i++)
		if (*single[i] != before[i])
			k_close(*single[i]);
	fd_close(&n.done_fd);
	return r;
}

/* --- the steps --- */

#define INIT_STARTED_TIMEOUT_MS 10000
#define REAP_TIMEOUT_MS 2000

/*
 * SO_PASSCRED: after a bridge the kernel adds the sender's pid to INIT_STARTED. The bridge's child knows its
 * own pid only in the container's pid namespace.
 */
static int open_socket(bool is_bridge, int *ret_fd, int *ret_child_fd)
{
	int fds[2], on = 1, r = k_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);

	if (r < 0)
		return r;
	*ret_fd = fds[0];
	*ret_child_fd = fds[1];
	return is_bridge ? k_setsockopt(fds[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) : 0;
}

int spawn_init(struct child *child, const struct plan_step *step, struct err *err)
{
	_cleanup_fd_ int socket_fd = -1, child_socket_fd = -1;
	struct spawn spawn = {
		.plan = child->plan,
		.first_fd = child->first_fd,
		.cgroup_fd = child->cgroup_fd,
		.trace_fd = trace_fd(child->trace),
		.output_fds = {child->output_fds[0], child->output_fds[1]},
		.signal_fd = child->signal_fd,
		.slots = child->slots,
		.flags = step->u.spawn.flags,
		.is_bridge = step->u.spawn.is_bridge,
		.is_interruptible = child->is_interruptible,
		/* The child of an exec exits when the parent's end of the socket is closed. */
		.dies_on_signal = child->is_exec && !child->is_mounting,
		.into_cgroup = step->u.spawn.into_cgroup,
		.is_exec = child->is_exec,
		.is_mounting = child->is_mounting,
	};
	int r = open_socket(spawn.is_bridge, &socket_fd, &child_socket_fd);

	if (r < 0)
		return err_system(err, r, "cannot make a socket for init");
	spawn.socket_fd = child_socket_fd;
	sources_close(&child->sources);
	r = spawn_child(&spawn, spawn.is_bridge ? &child->bridge_pidfd : &child->pidfd, err);
	if (r < 0)
		return r;
	child->socket_fd = take_fd(&socket_fd);
	child->pid = r;
	return 0;
}

/*
 * Sets pid and pidfd to those of init. CLONE_PARENT makes init a child of this process, so its pid is not
 * reused until this process waits for it. waitid(2) verifies that the pid is a child's: the message comes from
 * a process that the container may control.
 */
static int identify_init(struct child *child, int64_t pid, struct err *err)
{
	bool is_pid = pid > 0 && pid <= INT32_MAX && pid != child->pid;
	_cleanup_fd_ int pidfd = is_pid ? k_pidfd_open((pid_t)pid, 0) : -ESRCH;
	siginfo_t info;
	int r = pidfd < 0 ? pidfd : k_waitid(P_PIDFD, pidfd, &info, WEXITED | WNOHANG | WNOWAIT);

	if (r < 0)
		return err_set(err, ERR_PEER, r, NULL, "process %lld is not init", (long long)pid);
	child->pid = (pid_t)pid;
	child->pidfd = take_fd(&pidfd);
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
static int await_init_started(const struct child *child, struct err *err)
{
	const char *name = protocol_step_name(STEP_INIT_STARTED);
	struct await await = {child->socket_fd, POLLIN, child->bridge_pidfd, child->signal_fd, -1};
	int r = await_message(&await, name, err);

	if (r != -EPIPE || !has_succeeded(child->bridge_pidfd))
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
static void reap_unidentified_init(const struct plan *plan, struct err *err)
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
			child_explain_status(&info, plan, err);
	}
}

int spawn_expect_init(struct child *child, struct err *err)
{
	bool is_console = child->is_exec && plan_find(child->plan, PLAN_CONSOLE) != NULL;
	int64_t pid = 0;
	int r = await_init_started(child, err);

	if (r >= 0)
		r = protocol_expect(child->socket_fd, STEP_INIT_STARTED, &pid,
				    is_console ? &child->console_fd : NULL, err);
	if (r == -EPIPE && err->kind == ERR_PEER) {
		child_explain_end(child->bridge_pidfd, child->plan, err);
		reap_unidentified_init(child->plan, err);
	}
	if (r >= 0)
		r = identify_init(child, pid, err);
	if (r < 0)
		return r;
	/* The bridge has only to exit, a system call that its seccomp filter may deny or notify of. */
	k_pidfd_send_signal(child->bridge_pidfd, SIGKILL);
	return 0;
}

/* SIGKILL also kills a process in a frozen cgroup (cgroup-v2.rst, cgroup.freeze). */
void spawn_end_bridge(struct child *child)
{
	k_waitid(P_PIDFD, child->bridge_pidfd, NULL, WEXITED);
	fd_close(&child->bridge_pidfd);
}
