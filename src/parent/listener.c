/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener of a seccomp filter with SCMP_ACT_NOTIFY (seccomp_unotify(2)): from the process that has loaded
 * the filter to the agent at listenerPath. Process: the parent, as in parent.c.
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

/* Checks a descriptor from a process that the container may control, before it is sent on; proc_pid_fd(5). */
static bool is_listener(int fd)
{
	char path[32], link[64];
	ssize_t len;

	str_format(path, sizeof path, "/proc/self/fd/%d", fd);
	len = k_readlinkat(AT_FDCWD, path, link, sizeof link - 1);
	link[len < 0 ? 0 : len] = '\0';
	return str_equal(link, "anon_inode:seccomp notify");
}

/* The process that has the filter: the bridge, until its child is identified. */
static int filtered_pidfd(const struct parent *parent)
{
	return parent->pidfd >= 0 ? parent->pidfd : parent->bridge_pidfd;
}

/*
 * Waits until the process has the descriptor, and copies it. The process cannot report it: a further system
 * call of its could be one that the filter stops. So after LISTENER either the descriptor appears, or FAILED
 * arrives, or the process dies.
 */
static int copy_listener(const struct parent *parent, int number, struct err *err)
{
	struct pollfd fds[] = {{.fd = parent->socket_fd, .events = POLLIN},
			       {.fd = parent->signal_fd, .events = POLLIN}};
	int pidfd = filtered_pidfd(parent), fd;

	while ((fd = k_pidfd_getfd(pidfd, number, 0)) == -EBADF) {
		struct timespec pause = {.tv_nsec = 100000};

		if (k_ppoll(fds, ARRAY_SIZE(fds), &pause, NULL) <= 0)
			continue;
		if (fds[1].revents != 0)
			return await_interrupted(parent->signal_fd, err);
		if (fds[0].revents != 0)
			return protocol_expect(parent->socket_fd, STEP_NONE, NULL, NULL, err);
	}
	/* The process has exited; it may have sent FAILED before. */
	if (fd == -ESRCH) {
		int r = parent_await(parent, STEP_LISTENER_TAKEN, err);

		return r < 0 ? r : protocol_expect(parent->socket_fd, STEP_NONE, NULL, NULL, err);
	}
	if (fd < 0) {
		err_system(err, fd, "cannot get the seccomp filter's listener from init");
		if (fd == -EPERM)
			err_hint(err, "kernel.yama.ptrace_scope 3 forbids pidfd_getfd(2) to every process");
	} else if (!is_listener(fd)) {
		k_close(fd);
		return err_set(err, ERR_PEER, EPROTO, NULL,
			       "descriptor %d of init is not its filter's listener", number);
	}
	return fd;
}

/* The container process state (runtime-spec config-linux.md, "The Container Process State"). */
static char *process_state(const struct parent *parent, const struct plan_filter *filter,
			   enum state_status status)
{
	const struct state_record *record = &parent->record;
	const char *metadata = plan_get(parent->plan, filter->listener_metadata);
	struct buf text = {0};
	struct json json;

	json_begin(&json, &text, 0);
	json_object(&json);
	json_pair(&json, "ociVersion", record->oci_version);
	json_key(&json, "fds");
	json_array(&json);
	json_string(&json, "seccompFd");
	json_array_end(&json);
	json_pair_int(&json, "pid", parent->pid);
	if (metadata != NULL)
		json_pair(&json, "metadata", metadata);
	json_key(&json, "state");
	json_object(&json);
	json_pair(&json, "ociVersion", record->oci_version);
	json_pair(&json, "id", record->id);
	json_pair(&json, "status", state_status_name(status));
	json_pair_int(&json, "pid", parent->exec == NULL ? parent->pid : record->pid);
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

static int send_to_agent(struct parent *parent, const struct plan_filter *filter, int fd, struct err *err)
{
	_cleanup_free_ char *state = NULL;
	struct socket_target target = {plan_get(parent->plan, filter->listener_path), NULL, parent->signal_fd};
	enum state_status status = STATE_CREATING;
	int r = parent->exec == NULL ? 0 : state_status(parent->dir_fd, &parent->record, &status, err);

	if (r < 0)
		return r;
	state = process_state(parent, filter, status);
	target.payload = state;
	r = socket_send_fd(&target, fd, err);
	if (r < 0)
		err_pointer(err, "/linux/seccomp/listenerPath");
	return r;
}

/* The system calls of the bridge's child before it sends INIT_STARTED (become_init in src/init/bridge.c). */
static bool is_first_call(int nr)
{
	return nr == __NR_setsid || nr == __NR_close || nr == __NR_sendmsg || nr == __NR_write;
}

/* Permits any call of the bridge, and the first calls of another process, which is its child. Denies others. */
static void answer_call(const struct parent *parent, int listener_fd)
{
	struct seccomp_notif call = {0};
	struct seccomp_notif_resp response = {0};

	if (k_ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
		return;
	response.id = call.id;
	if ((pid_t)call.pid == parent->pid || is_first_call(call.data.nr))
		response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else
		response.error = -EPERM;
	k_ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/*
 * Answers until a message or a signal arrives, or until no process has the filter any more, for which poll(2)
 * reports POLLHUP (seccomp_unotify(2)).
 */
static int answer_calls(const struct parent *parent, int listener_fd, struct err *err)
{
	struct pollfd fds[] = {{.fd = parent->socket_fd, .events = POLLIN},
			       {.fd = parent->signal_fd, .events = POLLIN},
			       {.fd = listener_fd, .events = POLLIN}};

	while (true) {
		int r = k_ppoll(fds, ARRAY_SIZE(fds), NULL, NULL);

		if (r < 0 && r != -EINTR)
			return err_system(err, r, "cannot wait for the seccomp filter's listener");
		if (r > 0 && (fds[0].revents != 0 || fds[1].revents != 0 || (fds[2].revents & POLLIN) == 0))
			return 0;
		if (r > 0)
			answer_call(parent, listener_fd);
	}
}

int listener_answer(const struct parent *parent, struct err *err)
{
	return parent->listener_fd < 0 ? 0 : answer_calls(parent, parent->listener_fd, err);
}

/*
 * Waits until the process has closed its copy of the listener. As long as it has one, its calls would wait for
 * ever if the agent died: the listener would stay open, and no process would answer. So this process answers
 * them until then.
 */
static int await_closed(const struct parent *parent, int listener_fd, int number, struct err *err)
{
	_cleanup_fd_ int copy = -1;
	int r = protocol_send(parent->socket_fd, STEP_LISTENER_TAKEN, 0, NULL, -1);

	if (r < 0)
		return err_system(err, r, "cannot report to init that its listener was copied");
	r = answer_calls(parent, listener_fd, err);
	if (r >= 0)
		r = parent_await(parent, STEP_LISTENER_CLOSED, err);
	if (r >= 0)
		r = protocol_expect(parent->socket_fd, STEP_LISTENER_CLOSED, NULL, NULL, err);
	if (r < 0)
		return r;
	copy = k_pidfd_getfd(filtered_pidfd(parent), number, 0);
	if (copy == -EBADF)
		return 0;
	err_set(err, ERR_SYSTEM, EPERM, NULL, "init cannot close the seccomp filter's listener");
	err_hint(err, "a filter with SCMP_ACT_NOTIFY has to allow close(2)");
	return -EPERM;
}

/*
 * The bridge of an exec loads the filter before it starts its child. The agent receives the pid of the child,
 * so until that is known this process keeps the listener and answers the bridge's calls. The bridge is no
 * process of the container, and the container cannot reach it.
 */
int listener_take(struct parent *parent, const struct plan_filter *filter, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	int64_t number = 0;
	int r = parent_await(parent, STEP_LISTENER, err);

	if (r >= 0)
		r = protocol_expect(parent->socket_fd, STEP_LISTENER, &number, NULL, err);
	if (r >= 0)
		r = fd = copy_listener(parent, (int)number, err);
	if (r >= 0)
		r = await_closed(parent, fd, (int)number, err);
	if (r == -EPIPE && err->kind == ERR_PEER) {
		err_hint(err, "a filter with SCMP_ACT_NOTIFY has to allow sendmsg(2) or write(2): see tare(8), "
			      "SECCOMP");
		parent_explain_end(filtered_pidfd(parent), err);
	}
	if (r < 0)
		return r;
	if (parent->exec != NULL && parent->pidfd < 0)
		parent->listener_fd = take_fd(&fd);
	else
		r = send_to_agent(parent, filter, fd, err);
	if (r < 0)
		return r;
	r = protocol_send(parent->socket_fd, STEP_LISTENER_SENT, 0, NULL, -1);
	return r < 0 ? err_system(err, r, "cannot report to init that its listener was sent") : 0;
}

int listener_send(struct parent *parent, struct err *err)
{
	const struct plan_step *step = plan_find(parent->plan, PLAN_LISTENER);
	int r;

	if (parent->listener_fd < 0)
		return 0;
	r = send_to_agent(parent, &step->u.filter, parent->listener_fd, err);
	fd_close(&parent->listener_fd);
	return r;
}
