/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How init comes to be, as the parent sees it: by one birth or, by way of the bridge, by two.
 *
 * Process: the parent.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include <tare/await.h>
#include <tare/protocol.h>

#include "spawn.h"
#include "steps.h"

#define BORN_TIMEOUT_MS 10000
#define REAP_TIMEOUT_MS 2000

static bool has_init_hooks(const struct plan *plan)
{
	const struct plan_step *steps = plan_steps(plan);

	for (uint32_t i = 0; i < plan->step_count; i++)
		if (steps[i].kind == PLAN_HOOKS && steps[i].who == PLAN_INIT)
			return true;
	return false;
}

/* Who a message is from is the bridge's question: its child knows its own pid only as the container sees it. */
static int open_socket(struct parent *parent, bool is_bridge)
{
	int fds[2], on = 1, r = k_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);

	if (r < 0)
		return r;
	parent->socket_fd = fds[0];
	parent->child_socket_fd = fds[1];
	return is_bridge ? k_setsockopt(fds[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) : 0;
}

int birth_spawn(struct parent *parent, const struct plan_step *step, struct err *err)
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
		/* The child of an exec ends when it finds nobody to talk to. */
		.is_mortal = parent->exec != NULL,
		.into_cgroup = step->u.spawn.into_cgroup,
		.is_exec = parent->exec != NULL,
	};

	r = open_socket(parent, spawn.is_bridge);
	if (r < 0)
		return err_system(err, r, "cannot make a socket for init");
	spawn.socket_fd = parent->child_socket_fd;
	r = spawn_child(&spawn, spawn.is_bridge ? &parent->bridge_pidfd : &parent->pidfd, err);
	/* The cgroup has processes below it (cgroups(7), "no internal processes"): so has the container's init.
	 */
	if ((r == -EBUSY || r == -EOPNOTSUPP) && parent->exec != NULL &&
	    exec_open_init_cgroup(parent, err) >= 0) {
		spawn.cgroup_fd = parent->cgroup_fd;
		r = spawn_child(&spawn, &parent->bridge_pidfd, err);
	}
	fd_close(&parent->child_socket_fd);
	if (r < 0)
		return r;
	parent->pid = r;
	/* Whether init got as far as its hooks is not known when it fails: poststop hooks have to expect both.
	 */
	parent->has_hooked |= has_init_hooks(parent->plan);
	return 0;
}

/*
 * CLONE_PARENT made init a child of this process, so its pid cannot be another's before it is waited for. That
 * it is a child is asked of the kernel: the message comes out of a container.
 */
static int take_init(struct parent *parent, int64_t pid, struct err *err)
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

static bool has_done_its_part(int bridge_pidfd)
{
	siginfo_t info = {0};

	return k_waitid(P_PIDFD, bridge_pidfd, &info, WEXITED | WNOHANG | WNOWAIT) >= 0 &&
	       info.si_code == CLD_EXITED && info.si_status == 0;
}

/*
 * Behind the bridge's end only init is left to say something. Its socket tells of its end, too, unless somebody
 * in the container has a copy: then time does.
 */
static int await_born(const struct parent *parent, struct err *err)
{
	const char *name = protocol_step_name(STEP_BORN);
	struct await await = {parent->socket_fd, POLLIN, parent->bridge_pidfd, parent->signal_fd, -1};
	int r = await_message(&await, name, err);

	if (r != -EPIPE || !has_done_its_part(parent->bridge_pidfd))
		return r;
	err->kind = ERR_NONE;
	await.pidfd = -1;
	await.timeout_ms = BORN_TIMEOUT_MS;
	return await_message(&await, name, err);
}

/*
 * An init that ended before it could say that it was there is nobody's, and keeps its pid namespace from ending
 * as long as nobody has waited for it. It is a child, and the bridge the only other one. How it ended is told
 * only if somebody killed it: an end of its own follows the bridge's.
 */
static void reap_unknown(struct err *err)
{
	for (int i = 0; i < REAP_TIMEOUT_MS; i++) {
		/* ppoll(2) writes what is left into it. */
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

int birth_expect(struct parent *parent, struct err *err)
{
	bool is_console = parent->exec != NULL && plan_find(parent->plan, PLAN_CONSOLE) != NULL;
	int64_t pid = 0;
	int r = listener_answer(parent, err);

	if (r >= 0)
		r = await_born(parent, err);
	if (r >= 0)
		r = protocol_expect(parent->socket_fd, STEP_BORN, &pid, is_console ? &parent->console_fd : NULL,
				    err);
	if (r == -EPIPE && err->kind == ERR_PEER) {
		parent_explain_end(parent->bridge_pidfd, err);
		reap_unknown(err);
	}
	if (r >= 0)
		r = take_init(parent, pid, err);
	if (r < 0)
		return r;
	/* All that it has left to do is to end, which is a system call that its filter may deny, or ask about.
	 */
	k_pidfd_send_signal(parent->bridge_pidfd, SIGKILL);
	return listener_hand_on(parent, err);
}

/* Nothing keeps a SIGKILL away, not even a frozen cgroup (cgroup-v2.rst). */
void birth_end_bridge(struct parent *parent)
{
	k_waitid(P_PIDFD, parent->bridge_pidfd, NULL, WEXITED);
	fd_close(&parent->bridge_pidfd);
}
