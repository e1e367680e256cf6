/* SPDX-License-Identifier: Apache-2.0 */
/* tare-systemd's connection to the bus, and its calls to systemd's manager. Process: as in helper_main.c. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "helper.h"

#define DEADLINE_SECS 25
#define OBJECT "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/*
 * The first letter of an errno text is lower-case in all messages of tare. libsystemd stores such a text as the
 * message of an error that it finds itself.
 */
static char first_letter(const char *reason, int r)
{
	bool is_lowered = strcmp(reason, strerror(-r)) == 0 && islower((unsigned char)reason[1]);

	return (char)(is_lowered ? tolower((unsigned char)reason[0]) : reason[0]);
}

int helper_fail(const struct helper *helper, const char *action, int r, const sd_bus_error *error)
{
	const char *reason = error != NULL && error->message != NULL && error->message[0] != '\0'
				     ? error->message
				     : strerror(-r);

	if (r == -ETIMEDOUT)
		fprintf(stderr, "%s unit %s: no answer from systemd within %d s\n", action, helper->unit,
			DEADLINE_SECS);
	else
		fprintf(stderr, "%s unit %s: %c%s\n", action, helper->unit, first_letter(reason, r),
			reason + 1);
	return r;
}

/* Completes the handshake within the deadline; sd_bus_call would wait for it without a limit. */
static int shake_hands(struct helper *helper)
{
	int r = sd_bus_is_ready(helper->bus);

	while (r == 0) {
		uint64_t at = now();

		r = at >= helper->deadline ? -ETIMEDOUT : sd_bus_process(helper->bus, NULL);
		if (r == 0)
			r = sd_bus_wait(helper->bus, helper->deadline - at);
		if (r >= 0)
			r = sd_bus_is_ready(helper->bus);
	}
	return r < 0 ? helper_fail(helper, "cannot ask for", r, NULL) : 0;
}

int helper_connect(struct helper *helper, bool is_user)
{
	int r;

	helper->deadline = now() + DEADLINE_SECS * 1000000ull;
	r = is_user ? sd_bus_open_user(&helper->bus) : sd_bus_open_system(&helper->bus);
	if (r >= 0)
		return shake_hands(helper);
	fprintf(stderr, "cannot reach systemd: the %s bus cannot be opened: %c%s\n",
		is_user ? "user's" : "system", first_letter(strerror(-r), r), strerror(-r) + 1);
	return r;
}

/* --- calls --- */

int helper_new_call(const struct helper *helper, const char *method, sd_bus_message **ret)
{
	return sd_bus_message_new_method_call(helper->bus, ret, HELPER_SERVICE, OBJECT, MANAGER, method);
}

int helper_call(const struct helper *helper, sd_bus_message *message, sd_bus_error *error,
		sd_bus_message **ret_reply)
{
	uint64_t at = now();

	if (at >= helper->deadline)
		return -ETIMEDOUT;
	return sd_bus_call(helper->bus, message, helper->deadline - at, error, ret_reply);
}

static int on_job_removed(sd_bus_message *message, void *data, sd_bus_error *error)
{
	struct helper *helper = data;
	const char *path, *unit, *result;
	uint32_t id;

	(void)error;
	if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	if (helper->job != NULL && strcmp(path, helper->job) == 0)
		snprintf(helper->job_result, sizeof helper->job_result, "%s", result);
	return 0;
}

/* A signal JobRemoved that arrives before the reply is queued, and handled only here, when the job is known. */
int helper_wait_for_job(struct helper *helper, sd_bus_message *reply)
{
	int r = sd_bus_message_read(reply, "o", &helper->job);

	while (r >= 0 && helper->job_result[0] == '\0') {
		uint64_t at = now();

		r = sd_bus_process(helper->bus, NULL);
		if (r == 0)
			r = at >= helper->deadline ? -ETIMEDOUT
						   : sd_bus_wait(helper->bus, helper->deadline - at);
	}
	helper->job = NULL;
	return r < 0 ? r : 0;
}

int helper_watch_jobs(struct helper *helper)
{
	return sd_bus_match_signal_async(helper->bus, NULL, HELPER_SERVICE, OBJECT, MANAGER, "JobRemoved",
					 on_job_removed, NULL, helper);
}

int helper_call_for_unit(const struct helper *helper, const char *method, sd_bus_error *error)
{
	_cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
	int r = helper_new_call(helper, method, &message);

	if (r >= 0)
		r = sd_bus_message_append(message, "s", helper->unit);
	return r < 0 ? r : helper_call(helper, message, error, &reply);
}

int helper_ping(const struct helper *helper, sd_bus_error *error)
{
	_cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
	int r = sd_bus_message_new_method_call(helper->bus, &message, HELPER_SERVICE, OBJECT,
					       "org.freedesktop.DBus.Peer", "Ping");

	return r < 0 ? r : helper_call(helper, message, error, &reply);
}

int helper_get_property(const struct helper *helper, const struct helper_property *property,
			sd_bus_error *error, sd_bus_message **ret_reply)
{
	_cleanup_message_ sd_bus_message *message = NULL;
	char *path = NULL;
	int r = sd_bus_path_encode(OBJECT "/unit", helper->unit, &path);

	if (r >= 0)
		r = sd_bus_message_new_method_call(helper->bus, &message, HELPER_SERVICE, path,
						   "org.freedesktop.DBus.Properties", "Get");
	free(path);
	if (r >= 0)
		r = sd_bus_message_append(message, "ss", property->interface, property->name);
	if (r >= 0)
		r = helper_call(helper, message, error, ret_reply);
	return r < 0 ? r : sd_bus_message_enter_container(*ret_reply, 'v', property->type);
}

/* --- pids --- */

/* The pid of this process as the bus sees it. */
static int read_own_pid(const struct helper *helper, uint32_t *ret, sd_bus_error *error)
{
	_cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
	const char *name;
	int r = sd_bus_get_unique_name(helper->bus, &name);

	if (r >= 0)
		r = sd_bus_message_new_method_call(helper->bus, &message, "org.freedesktop.DBus",
						   "/org/freedesktop/DBus", "org.freedesktop.DBus",
						   "GetConnectionUnixProcessID");
	if (r >= 0)
		r = sd_bus_message_append(message, "s", name);
	if (r >= 0)
		r = helper_call(helper, message, error, &reply);
	return r < 0 ? r : sd_bus_message_read(reply, "u", ret);
}

/* The pid of the socket's peer, which may be a proxy of the bus, in this process's view; or 0 (unix(7),
 * SO_PEERCRED). */
static uint32_t peer_pid(const struct helper *helper)
{
	struct ucred peer = {.pid = 0};
	socklen_t len = sizeof peer;
	int fd = sd_bus_get_fd(helper->bus);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return 0;
	return (uint32_t)peer.pid;
}

/*
 * D-Bus does not report systemd's namespace. But a process, this one or the proxy that speaks for it, has the
 * same pid for both sides only if they share a pid namespace.
 */
int helper_check_pids(const struct helper *helper)
{
	_cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	uint32_t pid = 0;
	int r = read_own_pid(helper, &pid, &error);

	if (r < 0)
		return helper_fail(helper, "cannot compare pids with systemd's, to start", r, &error);
	if (pid != 0 && (pid == (uint32_t)getpid() || pid == peer_pid(helper)))
		return 0;
	fprintf(stderr,
		"cannot start unit %s: systemd is not in this pid namespace, and would move another process "
		"into the unit (use --cgroup-manager cgroupfs, or run tare outside of the namespace)\n",
		helper->unit);
	return -EXDEV;
}
