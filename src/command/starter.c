/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The starter: who says START. The parent itself for run, a later command at the gate for start.
 *
 * Process: the caller's own; the container is somebody else's child.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tare/await.h>
#include <tare/command.h>
#include <tare/hooks.h>
#include <tare/protocol.h>

#include "private.h"

#define EXEC_TIMEOUT_MS 10000 /* for one system call, of a program that may come over a network */

/* End of file behind EXEC: the program runs, or init was killed in between. The pidfd knows. */
static void judge_end(int pidfd)
{
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
	struct timespec none = {0};
	siginfo_t info = {0};

	if (k_ppoll(&poll_fd, 1, &none, NULL) <= 0)
		return;
	/* Only a parent can ask how; a short program that has ended by now ran all the same. */
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
	parent_explain_end(pidfd, err);
	return -EPIPE;
}

/*
 * A filter may kill for the very last calls, or deny them and every way to tell so. A program that was executed
 * has its own name, also when it has ended, as long as nobody has waited for it.
 */
static int check_began(int pidfd, struct err *err)
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
		return err_system(err, r, "cannot tell init to start");
	r = starter_wait_executed(socket_fd, pidfd, err);
	return r < 0 || !has_filter ? r : check_began(pidfd, err);
}

/*
 * Behind EXEC the end of file says that execve worked. Somebody else may have a copy of init's socket, though,
 * and it then never comes: its process's end, a caller who is impatient, and time say the same.
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
	judge_end(pidfd);
	return 0;
}
