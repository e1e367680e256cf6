/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder: answers the calls that an observed filter notifies of, and counts them.
 *
 * Process: a child of the parent, in the caller's namespaces and cgroup, with the caller's ids and
 * capabilities, in a session of its own; every signal but SIGKILL is blocked. It has no descriptor but those of
 * struct recorder. It exits when no process has the filter any more. If it is killed before, the calls that it
 * would answer fail with ENOSYS (seccomp_unotify(2)): none of them is ever carried out.
 *
 * What it reads of a thread, beside the kernel's notification, is only the thread's name. The notification has
 * the call's arguments as they were at the time of the call, and pointers among them are not followed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "recorder.h"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS /* Linux 6.6 */
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#define SYNC_WAKE_UP 1ul /* SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP: the two processes take turns */
#define COPY_PAUSE_NS 50000

static void send_result(const struct recorder *r, const struct recorder_result *result)
{
	struct iovec vector = {.iov_base = (void *)(uintptr_t)result, .iov_len = sizeof *result};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

	/* The peer may have exited. */
	if (r->control_fd >= 0)
		(void)!k_sendmsg(r->control_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* --- the listener --- */

/*
 * The number that the listener will have, and the thread that sends it: the kernel adds its id to the message
 * (unix(7), SO_PASSCRED). False at the end of file: no process installs the filter any more.
 */
static bool receive_number(struct recorder *r)
{
	union {
		struct cmsghdr align;
		char data[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec vector = {.iov_base = &r->number, .iov_len = sizeof r->number};
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control.data,
				 .msg_controllen = sizeof control.data};
	struct ucred sender;
	ssize_t size = k_recvmsg(r->init_fd, &message, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	if (size != (ssize_t)sizeof r->number || head == NULL || head->cmsg_type != SCM_CREDENTIALS)
		return false;
	memcpy(&sender, CMSG_DATA(head), sizeof sender);
	r->program = sender.pid;
	return true;
}

/*
 * Copies the listener once it exists. -ECHILD if the filter could not be installed: its process then exits,
 * with an error of its own.
 */
static int copy_listener(struct recorder *r, int pidfd)
{
	struct pollfd init = {.fd = r->init_fd};
	int fd;

	while ((fd = k_pidfd_getfd(pidfd, r->number, 0)) == -EBADF) {
		struct timespec pause = {.tv_nsec = COPY_PAUSE_NS};

		if (k_ppoll(&init, 1, &pause, NULL) > 0)
			return -ECHILD;
	}
	if (fd < 0)
		return fd == -ESRCH ? -ECHILD : fd;
	r->listener_fd = fd;
	if (!seccomp_is_listener(fd))
		return -EPROTO;
	(void)k_ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, (const void *)SYNC_WAKE_UP);
	return 0;
}

/*
 * The parent of a container that is created exits meanwhile, and closes its end of the control socket. A
 * process that waits for its listener to be taken would wait for ever if that is not possible, so it is killed.
 */
static int take_listener(struct recorder *r)
{
	_cleanup_fd_ int pidfd = -1;
	int error;

	if (!receive_number(r))
		return -ECHILD;
	pidfd = k_pidfd_open(r->program, 0);
	handover_begin(r);
	error = pidfd < 0 ? pidfd : copy_listener(r, pidfd);
	if (error < 0 && error != -ECHILD) {
		send_result(r, &(struct recorder_result){.error = error, .is_lost = true});
		k_pidfd_send_signal(pidfd, SIGKILL);
	}
	return error;
}

/* --- one call --- */

static void read_name(pid_t pid, char ret[static CALLS_NAME_MAX])
{
	char path[40];

	str_format(path, sizeof path, "/proc/%d/comm", pid);
	if (io_read_small(AT_FDCWD, path, 0, ret, CALLS_NAME_MAX) < 0)
		ret[0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

static void count_call(struct recorder *r, const struct seccomp_notif *notification, uint32_t answer)
{
	struct call call = {.arch = notification->data.arch,
			    .number = notification->data.nr,
			    .answer = answer,
			    .pid = (pid_t)notification->pid};

	if (r->request->kind == SECCOMP_OBSERVE_ALL)
		call.has_value = profile_value(&notification->data, &call.value);
	else
		read_name(call.pid, call.program);
	calls_add(&r->calls, &call);
	r->is_written = false;
}

static void send_answer(struct recorder *r, uint64_t id, uint32_t answer)
{
	struct seccomp_notif_resp response = {.id = id};

	if (seccomp_action(answer) == SECCOMP_RET_ERRNO)
		response.error = -(int)(answer & SECCOMP_RET_DATA);
	else
		response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	/* ENOENT: the thread was killed meanwhile. */
	k_ioctl(r->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/* Whether the thread is of the process that has installed the filter, and with is_thread, the only one of it.
 */
static bool ends_program(const struct recorder *r, pid_t tid, bool is_thread)
{
	char path[48], text[4096];

	str_format(path, sizeof path, "/proc/%d/task/%d", r->program, tid);
	if (tid != r->program && k_faccessat2(AT_FDCWD, path, 0, 0) < 0)
		return false;
	str_format(path, sizeof path, "/proc/%d/status", r->program);
	return !is_thread || (io_read_small(AT_FDCWD, path, 0, text, sizeof text) >= 0 &&
			      strstr(text, "\nThreads:\t1\n") != NULL);
}

/* Where the kernel cannot be made to kill by the filter, the process is killed by SIGKILL. */
static void kill_caller(struct recorder *r, const struct seccomp_notif *notification, uint32_t answer)
{
	const struct syscalls_request *request = r->request;
	bool is_thread = seccomp_action(answer) == SECCOMP_RET_KILL_THREAD;
	struct seccomp_data marked = kill_marked(&notification->data, &request->mark, is_thread);
	int result = -EOPNOTSUPP;

	if (ends_program(r, (pid_t)notification->pid, is_thread))
		r->kill = (struct syscalls_kill){true, notification->data.arch, notification->data.nr};
	if ((request->flags & SECCOMP_WAIT_KILLABLE) != 0 &&
	    seccomp_evaluate(request->filter, request->count, &marked) == answer)
		result = kill_by_filter(r->listener_fd, notification, &request->mark, is_thread);
	if (result < 0)
		kill_by_signal(r->listener_fd, notification);
}

static void answer_call(struct recorder *r, const struct seccomp_notif *notification)
{
	const struct syscalls_request *request = r->request;
	uint32_t answer, action;

	if (!r->is_handed_over && (pid_t)notification->pid == r->program &&
	    notification->data.nr == SECCOMP_HANDOVER_NUMBER) {
		handover_end(r, notification);
		return;
	}
	answer = request->kind == SECCOMP_OBSERVE_ALL
			 ? profile_answer(&notification->data)
			 : seccomp_evaluate(request->filter, request->count, &notification->data);
	action = seccomp_action(answer);
	if (action != SECCOMP_RET_ALLOW || request->kind == SECCOMP_OBSERVE_ALL)
		count_call(r, notification, answer);
	if (action == SECCOMP_RET_KILL_PROCESS || action == SECCOMP_RET_KILL_THREAD)
		kill_caller(r, notification, answer);
	else
		send_answer(r, notification->id, answer);
}

static void serve_listener(struct recorder *r)
{
	struct seccomp_notif notification = {0};

	/* ENOENT: the thread was killed, or interrupted by a signal before the call was received. */
	if (k_ioctl(r->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &notification) >= 0)
		answer_call(r, &notification);
}

/* --- the file and the control socket --- */

static int write_file(const struct recorder *r)
{
	_cleanup_buf_ struct buf text = {0};

	/* A profile that lacks calls would stop the program. */
	if (r->request->kind == SECCOMP_OBSERVE_ALL && r->calls.omitted > 0)
		return -E2BIG;
	if (r->request->kind == SECCOMP_OBSERVE_ALL)
		profile_print(&r->profile, &r->calls, &text);
	else if (r->request->file != NULL)
		denied_print(r->request->id, &r->calls, &text);
	return text.len == 0 ? 0 : output_write(&r->output, &text);
}

/* The caller may have read and removed the file: it is written again only if it lacks a call. */
static void report(struct recorder *r)
{
	struct recorder_result result = {.error = r->is_written ? 0 : write_file(r), .kill = r->kill};

	r->is_written = result.error >= 0;
	send_result(r, &result);
}

/* Calls that wait for an answer already belong into the file. */
static void drain(struct recorder *r)
{
	struct pollfd listener = {.fd = r->listener_fd, .events = POLLIN};
	struct timespec at_once = {0};

	for (int i = 0; i < CALLS_MAX; i++) {
		if (k_ppoll(&listener, 1, &at_once, NULL) <= 0 || (listener.revents & POLLIN) == 0)
			return;
		serve_listener(r);
	}
}

/* A message requests the file; at the end of file the peer has exited, and no process waits for it. */
static void serve_control(struct recorder *r)
{
	char request;

	if (k_read(r->control_fd, &request, 1) == 1) {
		drain(r);
		report(r);
	}
	fd_close(&r->control_fd);
}

/* Until no process has the filter any more: poll(2) then reports POLLHUP for the listener. */
static void serve(struct recorder *r)
{
	while (true) {
		struct pollfd fds[] = {{.fd = r->listener_fd, .events = POLLIN},
				       {.fd = r->control_fd, .events = POLLIN}};

		if (k_ppoll(fds, ARRAY_SIZE(fds), NULL, NULL) < 0)
			continue;
		if (fds[1].revents != 0)
			serve_control(r);
		if ((fds[0].revents & POLLIN) != 0)
			serve_listener(r);
		else if (fds[0].revents != 0)
			return;
	}
}

/* --- the process --- */

/* Descriptors 0 to 2 become /dev/null, so that no caller waits for the end of a pipe that this process has. */
static void close_others(struct recorder *r)
{
	int *const kept[] = {&r->control_fd, &r->init_fd, &r->output.dir_fd, &r->output.fd};
	int null_fd = k_openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);

	/* First to numbers above all that are used, then to the lowest ones. */
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (*kept[i] >= 0 && (*kept[i] = k_fcntl(*kept[i], F_DUPFD_CLOEXEC, 64)) < 0)
			k_exit(1);
	for (int fd = 0; fd < 3; fd++)
		if (null_fd >= 0)
			(void)!k_dup3(null_fd, fd, 0);
	k_close_range(3, 63, 0);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (*kept[i] >= 0)
			*kept[i] = k_fcntl(*kept[i], F_DUPFD_CLOEXEC, 3);
	k_close_range(3 + ARRAY_SIZE(kept), ~0u, 0);
}

void recorder_main(struct recorder *r)
{
	k_prctl(PR_SET_NAME, (unsigned long)(uintptr_t) "tare:recorder", 0, 0, 0);
	k_prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	k_setsid();
	close_others(r);
	k_chdir("/");
	if (take_listener(r) >= 0) {
		fd_close(&r->init_fd);
		serve(r);
		report(r);
	}
	k_exit(0);
}
