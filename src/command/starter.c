/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The starter: the process that sends START to init. For run it is the parent, and init is its child; for start
 * it is a later command, connected to the gate, and init is not its child.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include <tare/await.h>
#include <tare/command.h>
#include <tare/protocol.h>

#include "private.h"

#define EXEC_TIMEOUT_MS 10000 /* for execve(2) alone; the program's file may be on a network */

/*
 * Called after EXEC and the end of file: execve(2) has succeeded, or init was killed before it. Warns if the
 * pidfd shows that init was killed.
 */
static void warn_if_killed(int pidfd)
{
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
	struct timespec none = {0};
	siginfo_t info = {0};

	if (k_ppoll(&poll_fd, 1, &none, NULL) <= 0)
		return;
	/* Only its parent can read the status. A program that has exited by now was executed. */
	if (k_waitid(P_PIDFD, pidfd, &info, WEXITED | WNOWAIT | WNOHANG) < 0 || info.si_code == CLD_EXITED)
		return;
	if (info.si_code == CLD_KILLED && info.si_status == SIGKILL)
		log_line(LOG_WARNING, "the container was killed while its program started");
}

int starter_check_executed(int pidfd, pid_t pid, struct err *err)
{
	bool is_init;
	uint64_t flags = pidfd_process_flags(pid, &is_init);

	if ((flags & PF_FORKNOEXEC) == 0 || (flags & PF_EXITING) == 0 || !pidfd_is_dying(pidfd))
		return 0;
	err_set(err, ERR_PEER, 0, NULL, "the process ended before its program began");
	child_explain_end(pidfd, NULL, err);
	return -EPIPE;
}

/*
 * A filter may kill init at one of its last system calls, or deny them together with all calls that could
 * report that. A process that is dead and still has init's name has not executed its program; the name can be
 * read until the process is waited for.
 */
static int check_not_init(int pidfd, struct err *err)
{
	siginfo_t info = {0};
	bool is_init;

	if ((pidfd_process_flags(pidfd_pid(pidfd), &is_init) & PF_EXITING) == 0 || !is_init ||
	    !pidfd_is_dying(pidfd))
		return 0;
	if (k_waitid(P_PIDFD, pidfd, &info, WEXITED | WNOWAIT | WNOHANG) >= 0 && info.si_status == SIGKILL)
		return 0;
	err_set(err, ERR_PEER, 0, "/linux/seccomp", "the process ended before its program began");
	err_hint(err, "the filter has to allow execve: tare(8), SECCOMP");
	return -EPIPE;
}

int starter_start(int socket_fd, int pidfd, bool has_filter, struct err *err)
{
	int r = protocol_send(socket_fd, STEP_START, 0, NULL, -1);

	if (r < 0)
		return err_system(err, r, "cannot send START to init");
	r = starter_wait_executed(socket_fd, pidfd, err);
	return r < 0 || !has_filter ? r : check_not_init(pidfd, err);
}

/*
 * After EXEC, end of file means that execve(2) has succeeded, because it closes the socket. If another process
 * has a copy of init's socket, there is no end of file: then the wait also ends when init exits, after a signal
 * to this process, or after EXEC_TIMEOUT_MS, and each is a success.
 */
static int wait_executed(struct await *await, struct err *err)
{
	int r;

	await->timeout_ms = EXEC_TIMEOUT_MS;
	r = await_any(await);
	if (r < 0)
		return err_system(err, r, "cannot wait for the program");
	return (r & AWAIT_READY) != 0 ? protocol_expect(await->fd, STEP_NONE, NULL, NULL, err) : 0;
}

int starter_wait_executed(int socket_fd, int pidfd, struct err *err)
{
	_cleanup_fd_ int signal_fd = await_signals();
	struct await await = {socket_fd, POLLIN, pidfd, signal_fd, -1};
	int r = await_message(&await, protocol_step_name(STEP_EXEC), err);

	if (r >= 0)
		r = protocol_expect(socket_fd, STEP_EXEC, NULL, NULL, err);
	if (r < 0)
		return r;
	r = wait_executed(&await, err);
	if (r < 0 && !(r == -EPIPE && err->kind == ERR_PEER))
		return r;
	err->kind = ERR_NONE;
	warn_if_killed(pidfd);
	return 0;
}
