/* SPDX-License-Identifier: Apache-2.0 */
/* The listener of a seccomp filter that notifies. Process: the parent, as in parent.c. */
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

/* --- the listener --- */

/* What comes out of another process is looked at before it is handed on; proc_pid_fd(5). */
static bool is_listener(int fd)
{
	char path[32], link[64];
	ssize_t len;

	str_format(path, sizeof path, "/proc/self/fd/%d", fd);
	len = k_readlinkat(AT_FDCWD, path, link, sizeof link - 1);
	link[len < 0 ? 0 : len] = '\0';
	return str_equal(link, "anon_inode:seccomp notify");
}

static int watched_pidfd(const struct parent *parent)
{
	return parent->pidfd >= 0 ? parent->pidfd : parent->bridge_pidfd;
}

/*
 * Waits until the descriptor is there. The process makes no call that could tell so: after the announcement
 * either the filter is in force, or it says why not, or it is dead.
 */
static int take_listener(const struct parent *parent, int number, struct err *err)
{
	struct pollfd fds[] = {{.fd = parent->socket_fd, .events = POLLIN},
			       {.fd = parent->signal_fd, .events = POLLIN}};
	int pidfd = watched_pidfd(parent), fd;

	while ((fd = k_pidfd_getfd(pidfd, number, 0)) == -EBADF) {
		struct timespec pause = {.tv_nsec = 100000};

		if (k_ppoll(fds, ARRAY_SIZE(fds), &pause, NULL) <= 0)
			continue;
		if (fds[1].revents != 0)
			return await_interrupted(parent->signal_fd, err);
		if (fds[0].revents != 0)
			return protocol_expect(parent->socket_fd, STEP_NONE, NULL, NULL, err);
	}
	/* It has ended, and said before what it could not do. */
	if (fd == -ESRCH) {
		int r = parent_await(parent, STEP_LISTENER_TAKEN, err);

		return r < 0 ? r : protocol_expect(parent->socket_fd, STEP_NONE, NULL, NULL, err);
	}
	if (fd < 0) {
		err_system(err, fd, "cannot take the seccomp filter's listener out of init");
		if (fd == -EPERM)
			err_hint(err, "kernel.yama.ptrace_scope 3 forbids pidfd_getfd(2) to everybody");
	} else if (!is_listener(fd)) {
		k_close(fd);
		return err_set(err, ERR_PEER, EPROTO, NULL,
			       "descriptor %d of init is not its filter's listener", number);
	}
	return fd;
}

/* The container process state of the specification's "seccomp" section. */
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

static int hand_on(struct parent *parent, const struct plan_filter *filter, int fd, struct err *err)
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

/* What become_init of the bridge's child calls before it has said INIT_STARTED; src/init/bridge.c. */
static bool is_first_call(int nr)
{
	return nr == __NR_setsid || nr == __NR_close || nr == __NR_sendmsg || nr == __NR_write;
}

static void answer(const struct parent *parent, int listener_fd)
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
 * Until there is a message or a signal. Without a process that has the filter poll(2) says POLLHUP:
 * seccomp_unotify(2).
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
			answer(parent, listener_fd);
	}
}

int listener_answer(const struct parent *parent, struct err *err)
{
	return parent->listener_fd < 0 ? 0 : answer_calls(parent, parent->listener_fd, err);
}

/*
 * The process itself has the listener, too, and would wait for ever for somebody else who dies: so its calls
 * are answered here as long as it has.
 */
static int await_closed(const struct parent *parent, int listener_fd, int number, struct err *err)
{
	_cleanup_fd_ int copy = -1;
	int r = protocol_send(parent->socket_fd, STEP_LISTENER_TAKEN, 0, NULL, -1);

	if (r < 0)
		return err_system(err, r, "cannot tell init that its listener is taken");
	r = answer_calls(parent, listener_fd, err);
	if (r >= 0)
		r = parent_await(parent, STEP_LISTENER_CLOSED, err);
	if (r >= 0)
		r = protocol_expect(parent->socket_fd, STEP_LISTENER_CLOSED, NULL, NULL, err);
	if (r < 0)
		return r;
	copy = k_pidfd_getfd(watched_pidfd(parent), number, 0);
	if (copy == -EBADF)
		return 0;
	err_set(err, ERR_SYSTEM, EPERM, NULL, "init cannot close the seccomp filter's listener");
	err_hint(err, "a filter that notifies has to allow close(2)");
	return -EPERM;
}

/*
 * The bridge of an exec has the filter before its child is born: the agent is told of the child, and the
 * bridge's calls are answered here meanwhile. It is no process of the container, which cannot reach it either.
 */
int listener_take(struct parent *parent, const struct plan_filter *filter, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	int64_t number = 0;
	int r = parent_await(parent, STEP_LISTENER, err);

	if (r >= 0)
		r = protocol_expect(parent->socket_fd, STEP_LISTENER, &number, NULL, err);
	if (r >= 0)
		r = fd = take_listener(parent, (int)number, err);
	if (r >= 0)
		r = await_closed(parent, fd, (int)number, err);
	if (r == -EPIPE && err->kind == ERR_PEER) {
		err_hint(err, "a filter that notifies has to allow sendmsg(2) or write(2): tare(8), SECCOMP");
		parent_explain_end(watched_pidfd(parent), err);
	}
	if (r < 0)
		return r;
	if (parent->exec != NULL && parent->pidfd < 0)
		parent->listener_fd = take_fd(&fd);
	else
		r = hand_on(parent, filter, fd, err);
	if (r < 0)
		return r;
	r = protocol_send(parent->socket_fd, STEP_LISTENER_SENT, 0, NULL, -1);
	return r < 0 ? err_system(err, r, "cannot tell init that its listener is handed on") : 0;
}

int listener_hand_on(struct parent *parent, struct err *err)
{
	const struct plan_step *step = plan_find(parent->plan, PLAN_LISTENER);
	int r;

	if (parent->listener_fd < 0)
		return 0;
	r = hand_on(parent, &step->u.filter, parent->listener_fd, err);
	fd_close(&parent->listener_fd);
	return r;
}
