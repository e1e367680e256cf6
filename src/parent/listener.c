/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener of a seccomp filter with SCMP_ACT_NOTIFY (seccomp_unotify(2)): from the process that has loaded
 * the filter to the agent at listenerPath. Process: the parent, as in child.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <time.h>

#include <tare/await.h>
#include <tare/protocol.h>
#include <tare/sys.h>

#include "steps.h"

/* The process that has the filter: the bridge, until its child is identified. */
static int filtered_pidfd(const struct child *child)
{
	return child->pidfd >= 0 ? child->pidfd : child->bridge_pidfd;
}

/*
 * Waits until the process has the descriptor, and copies it. The process cannot report it: a further system
 * call of its could be one that the filter stops. So after LISTENER either the descriptor appears, or FAILED
 * arrives, or the process dies.
 */
static int copy_listener(const struct child *child, int number, struct err *err)
{
	struct pollfd fds[] = {{.fd = child->socket_fd, .events = POLLIN},
			       {.fd = child->signal_fd, .events = POLLIN}};
	int pidfd = filtered_pidfd(child), fd;

	while ((fd = k_pidfd_getfd(pidfd, number, 0)) == -EBADF) {
		struct timespec pause = {.tv_nsec = 100000};

		if (k_ppoll(fds, ARRAY_SIZE(fds), &pause, NULL) <= 0)
			continue;
		if (fds[1].revents != 0)
			return await_interrupted(child->signal_fd, err);
		if (fds[0].revents != 0)
			return protocol_expect(child->socket_fd, STEP_NONE, NULL, NULL, err);
	}
	/* The process has exited; it may have sent FAILED before. */
	if (fd == -ESRCH) {
		int r = child_await(child, STEP_LISTENER_TAKEN, err);

		return r < 0 ? r : protocol_expect(child->socket_fd, STEP_NONE, NULL, NULL, err);
	}
	if (fd < 0) {
		err_system(err, fd, "cannot get the seccomp filter's listener from init");
		if (fd == -EPERM)
			err_hint(err, "kernel.yama.ptrace_scope 3 forbids pidfd_getfd(2) to every process");
	} else if (!seccomp_is_listener(fd)) {
		k_close(fd);
		return err_set(err, ERR_PEER, EPROTO, NULL,
			       "descriptor %d of init is not its filter's listener", number);
	}
	return fd;
}

/* The container process state (runtime-spec config-linux.md, "The Container Process State"). */
static char *process_state(const struct child *child, const struct plan_filter *filter,
			   const struct state_record *record, enum state_status status)
{
	const char *metadata = plan_get(child->plan, filter->listener_metadata);
	struct buf text = {0};
	struct json json;

	json_begin(&json, &text, 0);
	json_object(&json);
	json_pair(&json, "ociVersion", record->oci_version);
	json_key(&json, "fds");
	json_array(&json);
	json_string(&json, "seccompFd");
	json_array_end(&json);
	json_pair_int(&json, "pid", child->pid);
	if (metadata != NULL)
		json_pair(&json, "metadata", metadata);
	json_key(&json, "state");
	json_object(&json);
	json_pair(&json, "ociVersion", record->oci_version);
	json_pair(&json, "id", record->id);
	json_pair(&json, "status", state_status_name(status));
	json_pair_int(&json, "pid", child->is_exec ? record->pid : child->pid);
	json_pair(&json, "bundle", record->bundle);
	if (record->annotation_count > 0) {
		json_key(&json, "annotations");
		json_object(&json);
		for (size_t i = 0; i < record->annotation_count; i++)
			json_pair(&json, record->annotations[i].key, record->annotations[i].value);
		json_object_end(&json);
	}
	json_object_end(&json);
	json_object_end(&json);
	return text.data;
}

int listener_send(const struct child *child, int fd, const struct state_record *record,
		  enum state_status status, struct err *err)
{
	const struct plan_filter *filter = &plan_find(child->plan, PLAN_LISTENER)->u.filter;
	_cleanup_free_ char *state = process_state(child, filter, record, status);
	const struct socket_target target = {plan_get(child->plan, filter->listener_path), state,
					     child->signal_fd};
	int r = socket_send_fd(&target, fd, err);

	if (r < 0)
		err_pointer(err, plan_get(child->plan, filter->listener_pointer));
	return r;
}

/* The system calls of the bridge's child before it sends INIT_STARTED (become_init in src/init/bridge.c). */
static bool is_first_call(int nr)
{
	return nr == __NR_setsid || nr == __NR_close || nr == __NR_sendmsg || nr == __NR_write;
}

/* Permits any call of the bridge, and the first calls of another process, which is its child. Denies others. */
static void answer_call(const struct child *child, int listener_fd)
{
	struct seccomp_notif call = {0};
	struct seccomp_notif_resp response = {0};

	if (k_ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
		return;
	response.id = call.id;
	if ((pid_t)call.pid == child->pid || is_first_call(call.data.nr))
		response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else
		response.error = -EPERM;
	k_ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/*
 * Answers until a message or a signal arrives, or until no process has the filter any more, for which poll(2)
 * reports POLLHUP (seccomp_unotify(2)).
 */
int listener_answer(const struct child *child, int listener_fd, struct err *err)
{
	struct pollfd fds[] = {{.fd = child->socket_fd, .events = POLLIN},
			       {.fd = child->signal_fd, .events = POLLIN},
			       {.fd = listener_fd, .events = POLLIN}};

	while (true) {
		int r = k_ppoll(fds, ARRAY_SIZE(fds), NULL, NULL);

		if (r < 0 && r != -EINTR)
			return err_system(err, r, "cannot wait for the seccomp filter's listener");
		if (r > 0 && (fds[0].revents != 0 || fds[1].revents != 0 || (fds[2].revents & POLLIN) == 0))
			return 0;
		if (r > 0)
			answer_call(child, listener_fd);
	}
}

/*
 * Waits until the process has closed its copy of the listener. As long as it has one, its calls would wait for
 * ever if the agent died: the listener would stay open, and no process would answer. So this process answers
 * them until then.
 */
static int await_closed(const struct child *child, int listener_fd, int number, struct err *err)
{
	_cleanup_fd_ int copy = -1;
	int r = protocol_send(child->socket_fd, STEP_LISTENER_TAKEN, 0, NULL, -1);

	if (r < 0)
		return err_system(err, r, "cannot report to init that its listener was copied");
	r = listener_answer(child, listener_fd, err);
	if (r >= 0)
		r = child_await(child, STEP_LISTENER_CLOSED, err);
	if (r >= 0)
		r = protocol_expect(child->socket_fd, STEP_LISTENER_CLOSED, NULL, NULL, err);
	if (r < 0)
		return r;
	copy = k_pidfd_getfd(filtered_pidfd(child), number, 0);
	if (copy == -EBADF)
		return 0;
	err_set(err, ERR_SYSTEM, EPERM, NULL, "init cannot close the seccomp filter's listener");
	err_hint(err, "a filter with SCMP_ACT_NOTIFY has to allow close(2)");
	return -EPERM;
}

int listener_take(const struct child *child, int *ret_fd, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	int64_t number = 0;
	int r = parent_expect(child, STEP_LISTENER, &number, NULL, err);

	if (r >= 0)
		r = fd = copy_listener(child, (int)number, err);
	if (r >= 0)
		r = await_closed(child, fd, (int)number, err);
	if (r == -EPIPE && err->kind == ERR_PEER) {
		err_hint(err, "a filter with SCMP_ACT_NOTIFY has to allow sendmsg(2) or write(2): see tare(8), "
			      "SECCOMP");
		child_explain_end(filtered_pidfd(child), child->plan, err);
	}
	if (r < 0)
		return r;
	*ret_fd = take_fd(&fd);
	return 0;
}

int listener_confirm(const struct child *child, struct err *err)
{
	int r = protocol_send(child->socket_fd, STEP_LISTENER_SENT, 0, NULL, -1);

	return r < 0 ? err_system(err, r, "cannot report to init that its listener was sent") : 0;
}
