/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tare-systemd: the calls that tare makes to systemd's manager. It is a separate program because libsystemd is
 * a shared library: tare itself uses none, and only a user of the systemd cgroup driver pays for loading it.
 *
 *     tare-systemd system|user start UNIT PID [NAME TYPE VALUE]...
 *     tare-systemd system|user set UNIT [NAME TYPE VALUE]...
 *     tare-systemd system|user stop UNIT DESCRIPTION
 *     tare-systemd system|user ask UNIT
 *
 * start creates a transient scope (org.freedesktop.systemd1(5), StartTransientUnit) with process PID in it; it
 * fails if PID would be another process for systemd. set sets properties, and first prints their previous
 * values, a line for each NAME, TYPE and VALUE: as arguments of set they restore them. stop kills all processes
 * of the unit and stops it; a unit that does not exist, or has another DESCRIPTION, is a success. start and
 * stop wait until systemd has finished. ask checks whether start could ask systemd.
 *
 * TYPE is a D-Bus type: b, s, t, u, x, i, as (VALUE: lines) or ay (VALUE: hexadecimal). "?" before it marks a
 * property that an older systemd may not have; it is omitted then.
 *
 * A failure is one line on standard error and status 1; status 3 if start made no request, or systemd refused
 * it, so that there is no unit. The program ignores TERM as soon as start makes its request.
 *
 * Process: child of the parent or of a later command, with its namespaces, privileges and environment (for the
 * address of the user's bus).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_SECS 25
#define STATUS_NOT_MADE 3
#define SERVICE "org.freedesktop.systemd1"
#define OBJECT "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"

#define _cleanup_message_ __attribute__((cleanup(sd_bus_message_unrefp)))
#define _cleanup_error_ __attribute__((cleanup(sd_bus_error_free)))

struct client {
	sd_bus *bus;
	const char *unit;
	uint64_t deadline; /* CLOCK_MONOTONIC, microseconds */
	const char *job;   /* object path of the job to wait for */
	char job_result[32];
	bool is_not_made; /* there is certainly no unit */
};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* Prints the error; action: "cannot VERB", to which the unit is added. Returns r. */
static int fail(const struct client *client, const char *action, int r, const sd_bus_error *error)
{
	const char *reason = error != NULL && error->message != NULL ? error->message : strerror(-r);

	if (r == -ETIMEDOUT)
		fprintf(stderr, "%s unit %s: no answer from systemd within %d s\n", action, client->unit,
			DEADLINE_SECS);
	else
		fprintf(stderr, "%s unit %s: %s\n", action, client->unit, reason);
	return r;
}

/* --- properties --- */

static int append_strings(sd_bus_message *message, const char *lines)
{
	int r = sd_bus_message_open_container(message, 'a', "s");

	while (r >= 0 && *lines != '\0') {
		size_t len = strcspn(lines, "\n");
		char *line = strndup(lines, len);

		r = line == NULL ? -ENOMEM : sd_bus_message_append(message, "s", line);
		free(line);
		lines += len + (lines[len] == '\n');
	}
	return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_bytes(sd_bus_message *message, const char *hex)
{
	uint8_t bytes[1024];
	size_t count = 0;

	for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
		char pair[3] = {hex[0], hex[1], '\0'};

		if (count == sizeof bytes)
			return -E2BIG;
		bytes[count++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return sd_bus_message_append_array(message, 'y', bytes, count);
}

static int append_value(sd_bus_message *message, const char *type, const char *value)
{
	switch (type[0]) {
	case 'b':
		return sd_bus_message_append(message, "b", value[0] == 't');
	case 's':
		return sd_bus_message_append(message, "s", value);
	case 't':
		return sd_bus_message_append(message, "t", (uint64_t)strtoull(value, NULL, 10));
	case 'u':
		return sd_bus_message_append(message, "u", (uint32_t)strtoul(value, NULL, 10));
	case 'x':
		return sd_bus_message_append(message, "x", (int64_t)strtoll(value, NULL, 10));
	case 'i':
		return sd_bus_message_append(message, "i", (int32_t)strtol(value, NULL, 10));
	case 'a':
		return type[1] == 'y' ? append_bytes(message, value) : append_strings(message, value);
	default:
		return -EINVAL;
	}
}

static int append_property(sd_bus_message *message, char **triple)
{
	const char *type = triple[1] + (triple[1][0] == '?');
	int r = sd_bus_message_open_container(message, 'r', "sv");

	if (r >= 0)
		r = sd_bus_message_append(message, "s", triple[0]);
	if (r >= 0)
		r = sd_bus_message_open_container(message, 'v', type);
	if (r >= 0)
		r = append_value(message, type, triple[2]);
	if (r >= 0)
		r = sd_bus_message_close_container(message);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_properties(sd_bus_message *message, const char *pid, char **triples)
{
	int r = sd_bus_message_open_container(message, 'a', "(sv)");

	if (r >= 0 && pid != NULL)
		r = sd_bus_message_append(message, "(sv)", "PIDs", "au", 1, (uint32_t)strtoul(pid, NULL, 10));
	for (; r >= 0 && triples[0] != NULL && triples[1] != NULL && triples[2] != NULL; triples += 3)
		r = append_property(message, triples);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

/*
 * Removes from the list the property that systemd does not know, if it is marked with "?". Only the text of the
 * error has the property's name: "Cannot set property NAME, or unknown property."
 */
static bool drop_unknown(char **triples, const sd_bus_error *error)
{
	size_t count = 0, at;

	if (!sd_bus_error_has_name(error, SD_BUS_ERROR_PROPERTY_READ_ONLY) || error->message == NULL)
		return false;
	while (triples[count] != NULL)
		count++;
	for (at = 0; at + 2 < count; at += 3) {
		const char *found = strstr(error->message, triples[at]);

		if (triples[at + 1][0] == '?' && found != NULL && found[strlen(triples[at])] == ',')
			break;
	}
	if (at + 2 >= count)
		return false;
	memmove(triples + at, triples + at + 3, (count - at - 2) * sizeof *triples);
	return true;
}

/* --- calls --- */

static int new_call(const struct client *client, const char *method, sd_bus_message **ret)
{
	return sd_bus_message_new_method_call(client->bus, ret, SERVICE, OBJECT, MANAGER, method);
}

static int call(const struct client *client, sd_bus_message *message, sd_bus_error *error,
		sd_bus_message **ret_reply)
{
	uint64_t at = now();

	if (at >= client->deadline)
		return -ETIMEDOUT;
	return sd_bus_call(client->bus, message, client->deadline - at, error, ret_reply);
}

static int on_job_removed(sd_bus_message *message, void *data, sd_bus_error *error)
{
	struct client *client = data;
	const char *path, *unit, *result;
	uint32_t id;

	(void)error;
	if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	if (client->job != NULL && strcmp(path, client->job) == 0)
		snprintf(client->job_result, sizeof client->job_result, "%s", result);
	return 0;
}

/* Waits for the job that the reply names. The signal JobRemoved may have arrived before the reply, or arrives
 * later. */
static int wait_for_job(struct client *client, sd_bus_message *reply)
{
	int r = sd_bus_message_read(reply, "o", &client->job);

	while (r >= 0 && client->job_result[0] == '\0') {
		uint64_t at = now();

		r = sd_bus_process(client->bus, NULL);
		if (r == 0)
			r = at >= client->deadline ? -ETIMEDOUT
						   : sd_bus_wait(client->bus, client->deadline - at);
	}
	client->job = NULL;
	return r < 0 ? r : 0;
}

static int watch_jobs(struct client *client)
{
	return sd_bus_match_signal_async(client->bus, NULL, SERVICE, OBJECT, MANAGER, "JobRemoved",
					 on_job_removed, NULL, client);
}

static int call_for_unit(const struct client *client, const char *method, sd_bus_error *error)
{
	_cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
	int r = new_call(client, method, &message);

	if (r >= 0)
		r = sd_bus_message_append(message, "s", client->unit);
	return r < 0 ? r : call(client, message, error, &reply);
}

/* --- pids --- */

/* The pid of this process as the bus sees it. */
static int read_own_pid(const struct client *client, uint32_t *ret, sd_bus_error *error)
{
	_cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
	const char *name;
	int r = sd_bus_get_unique_name(client->bus, &name);

	if (r >= 0)
		r = sd_bus_message_new_method_call(client->bus, &message, "org.freedesktop.DBus",
						   "/org/freedesktop/DBus", "org.freedesktop.DBus",
						   "GetConnectionUnixProcessID");
	if (r >= 0)
		r = sd_bus_message_append(message, "s", name);
	if (r >= 0)
		r = call(client, message, error, &reply);
	return r < 0 ? r : sd_bus_message_read(reply, "u", ret);
}

/* The pid of the socket's peer, which may be a proxy of the bus, in this process's view; or 0 (unix(7),
 * SO_PEERCRED). */
static uint32_t peer_pid(const struct client *client)
{
	struct ucred peer = {.pid = 0};
	socklen_t len = sizeof peer;
	int fd = sd_bus_get_fd(client->bus);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return 0;
	return (uint32_t)peer.pid;
}

/*
 * Fails unless systemd is in this process's pid namespace. systemd looks a pid up in its own pid namespace:
 * from another one it would find a different process, move that into the unit, and kill it with the unit. D-Bus
 * does not report systemd's namespace. But a process, this one or the proxy that speaks for it, has the same
 * pid for both sides only if they share a pid namespace.
 */
static int check_pids(const struct client *client)
{
	_cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	uint32_t pid = 0;
	int r = read_own_pid(client, &pid, &error);

	if (r < 0)
		return fail(client, "cannot compare pids with systemd's, to start", r, &error);
	if (pid != 0 && (pid == (uint32_t)getpid() || pid == peer_pid(client)))
		return 0;
	fprintf(stderr,
		"cannot start unit %s: systemd is not in this pid namespace, and would move another process "
		"into the unit (use --cgroup-manager cgroupfs, or run tare outside of the namespace)\n",
		client->unit);
	return -EXDEV;
}

/* --- commands --- */

static int try_start(struct client *client, char **args, sd_bus_error *error, sd_bus_message **ret_reply)
{
	_cleanup_message_ sd_bus_message *message = NULL;
	int r = new_call(client, "StartTransientUnit", &message);

	if (r >= 0)
		r = sd_bus_message_append(message, "ss", client->unit, "replace");
	if (r >= 0)
		r = append_properties(message, args[0], args + 1);
	if (r >= 0)
		r = sd_bus_message_append(message, "a(sa(sv))", 0);
	if (r < 0)
		return r;
	/* TERM is ignored as soon as there may be a unit: a death by TERM proves that there is none. */
	signal(SIGTERM, SIG_IGN);
	return call(client, message, error, ret_reply);
}

static int start(struct client *client, char **args)
{
	_cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	_cleanup_message_ sd_bus_message *reply = NULL;
	bool has_reset = false, is_again;
	int r = check_pids(client);

	client->is_not_made = r < 0;
	if (r < 0)
		return r;
	r = watch_jobs(client);
	do {
		sd_bus_error_free(&error);
		if (r >= 0)
			r = try_start(client, args, &error, &reply);
		is_again = r < 0 && drop_unknown(args + 1, &error);
		/* A failed unit keeps its name until ResetFailedUnit, which has no effect on an active one. */
		if (r < 0 && !has_reset && sd_bus_error_has_name(&error, SERVICE ".UnitExists")) {
			_cleanup_error_ sd_bus_error ignored = SD_BUS_ERROR_NULL;

			(void)call_for_unit(client, "ResetFailedUnit", &ignored);
			has_reset = is_again = true;
		}
		if (is_again)
			r = 0;
	} while (is_again);
	client->is_not_made = r < 0 && r != -ETIMEDOUT;
	if (r < 0)
		return fail(client, "cannot start", r, &error);
	r = wait_for_job(client, reply);
	if (r < 0)
		return fail(client, "cannot start", r, NULL);
	if (strcmp(client->job_result, "done") != 0) {
		fprintf(stderr, "cannot start unit %s: systemd's job ended with '%s' (see journalctl -u %s)\n",
			client->unit, client->job_result, client->unit);
		return -EIO;
	}
	return 0;
}

static int try_set(struct client *client, char **args, sd_bus_error *error)
{
	_cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
	int r = new_call(client, "SetUnitProperties", &message);

	if (r >= 0)
		r = sd_bus_message_append(message, "sb", client->unit, 1 /* until the next boot */);
	if (r >= 0)
		r = append_properties(message, NULL, args);
	return r < 0 ? r : call(client, message, error, &reply);
}

static int ping(const struct client *client, sd_bus_error *error)
{
	_cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
	int r = sd_bus_message_new_method_call(client->bus, &message, SERVICE, OBJECT,
					       "org.freedesktop.DBus.Peer", "Ping");

	return r < 0 ? r : call(client, message, error, &reply);
}

static int print_bytes(sd_bus_message *message)
{
	const void *bytes;
	size_t count;
	int r = sd_bus_message_read_array(message, 'y', &bytes, &count);

	for (size_t i = 0; r >= 0 && i < count; i++)
		printf("%02x", ((const uint8_t *)bytes)[i]);
	return r;
}

static int print_value(sd_bus_message *message, const char *type)
{
	const char *text;
	uint64_t number;
	int r, is_true;

	if (type[0] == 'a')
		return print_bytes(message);
	if (type[0] == 's') {
		r = sd_bus_message_read(message, "s", &text);
		return r < 0 ? r : printf("%s", text);
	}
	if (type[0] == 'b') {
		r = sd_bus_message_read(message, "b", &is_true);
		return r < 0 ? r : printf("%s", is_true ? "true" : "false");
	}
	r = sd_bus_message_read(message, "t", &number);
	return r < 0 ? r : printf("%llu", (unsigned long long)number);
}

struct property {
	const char *interface, *name, *type;
};

/*
 * Reads a property within the deadline, unlike sd_bus_get_property. The next item of *ret_reply is the value,
 * of the property's type.
 */
static int get_property(const struct client *client, const struct property *property, sd_bus_error *error,
			sd_bus_message **ret_reply)
{
	_cleanup_message_ sd_bus_message *message = NULL;
	char *path = NULL;
	int r = sd_bus_path_encode(OBJECT "/unit", client->unit, &path);

	if (r >= 0)
		r = sd_bus_message_new_method_call(client->bus, &message, SERVICE, path,
						   "org.freedesktop.DBus.Properties", "Get");
	free(path);
	if (r >= 0)
		r = sd_bus_message_append(message, "ss", property->interface, property->name);
	if (r >= 0)
		r = call(client, message, error, ret_reply);
	return r < 0 ? r : sd_bus_message_enter_container(*ret_reply, 'v', property->type);
}

/* Prints properties of types t, b, s and ay, which limits have. Omits those that systemd does not know: it
 * cannot set them. */
static void print_properties(const struct client *client, char **triples)
{
	for (; triples[0] != NULL && triples[1] != NULL && triples[2] != NULL; triples += 3) {
		_cleanup_error_ sd_bus_error ignored = SD_BUS_ERROR_NULL;
		_cleanup_message_ sd_bus_message *message = NULL;
		const char *type = triples[1] + (triples[1][0] == '?');

		if (get_property(client, &(struct property){SERVICE ".Scope", triples[0], type}, &ignored,
				 &message) < 0)
			continue;
		printf("%s\n%s\n", triples[0], triples[1]);
		if (print_value(message, type) < 0)
			break;
		printf("\n");
	}
	fflush(stdout);
}

static int set(struct client *client, char **args)
{
	_cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	int r;

	print_properties(client, args);
	do {
		sd_bus_error_free(&error);
		r = try_set(client, args, &error);
	} while (r < 0 && drop_unknown(args, &error));
	/* systemd replies before it writes the cgroup's files, but reads the next message only after that. */
	if (r >= 0)
		r = ping(client, &error);
	return r < 0 ? fail(client, "cannot set the properties of", r, &error) : 0;
}

/*
 * Whether the unit has the description: 1, 0, or -errno. The description of a unit that does not exist is its
 * name.
 */
static int has_description(const struct client *client, const char *description, sd_bus_error *error)
{
	const struct property property = {SERVICE ".Unit", "Description", "s"};
	_cleanup_message_ sd_bus_message *message = NULL;
	const char *value;
	int r = get_property(client, &property, error, &message);

	if (r >= 0)
		r = sd_bus_message_read(message, "s", &value);
	return r < 0 ? r : strcmp(value, description) == 0;
}

/*
 * Sends SIGKILL to all processes of the unit. The first process of a pid namespace ignores other fatal signals
 * (pid_namespaces(7)), and StopUnit alone would wait for it until TimeoutStopSec (systemd.kill(5)). The failure
 * for a unit without processes is ignored.
 */
static void kill_unit(const struct client *client)
{
	_cleanup_error_ sd_bus_error ignored = SD_BUS_ERROR_NULL;
	_cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
	int r = new_call(client, "KillUnit", &message);

	if (r >= 0)
		r = sd_bus_message_append(message, "ssi", client->unit, "all", (int32_t)SIGKILL);
	if (r >= 0)
		(void)call(client, message, &ignored, &reply);
}

static int stop(struct client *client, char **args)
{
	_cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	_cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
	int r = watch_jobs(client);

	if (r >= 0)
		r = has_description(client, args[0], &error);
	if (r == 0)
		return 0;
	if (r > 0) {
		kill_unit(client);
		r = new_call(client, "StopUnit", &message);
	}
	if (r >= 0)
		r = sd_bus_message_append(message, "ss", client->unit, "replace");
	if (r >= 0)
		r = call(client, message, &error, &reply);
	if (r < 0 && sd_bus_error_has_name(&error, SERVICE ".NoSuchUnit"))
		return 0;
	if (r >= 0)
		r = wait_for_job(client, reply);
	return r < 0 ? fail(client, "cannot stop", r, &error) : 0;
}

static int ask(struct client *client, char **args)
{
	_cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = check_pids(client);

	(void)args;
	if (r < 0)
		return r;
	r = ping(client, &error);
	return r < 0 ? fail(client, "cannot ask systemd for", r, &error) : 0;
}

/* Completes the handshake within the deadline; sd_bus_call would wait for it without a limit. */
static int connect_bus(struct client *client)
{
	int r = sd_bus_is_ready(client->bus);

	while (r == 0) {
		uint64_t at = now();

		r = at >= client->deadline ? -ETIMEDOUT : sd_bus_process(client->bus, NULL);
		if (r == 0)
			r = sd_bus_wait(client->bus, client->deadline - at);
		if (r >= 0)
			r = sd_bus_is_ready(client->bus);
	}
	return r < 0 ? fail(client, "cannot ask for", r, NULL) : 0;
}

static const struct command {
	const char *name;
	int min; /* number of arguments after the unit's name */
	int (*run)(struct client *client, char **args);
} commands[] = {{"start", 1, start}, {"set", 0, set}, {"stop", 1, stop}, {"ask", 0, ask}};

static int run(const struct command *command, bool is_user, int argc, char **argv)
{
	struct client client = {.unit = argv[3], .deadline = now() + DEADLINE_SECS * 1000000ull};
	int r;

	if (argc - 4 < command->min) {
		fprintf(stderr, "%s: an argument is missing\n", command->name);
		return 2;
	}
	r = is_user ? sd_bus_open_user(&client.bus) : sd_bus_open_system(&client.bus);
	if (r < 0)
		fprintf(stderr, "cannot reach systemd: the %s bus cannot be opened: %s\n",
			is_user ? "user's" : "system", strerror(-r));
	else
		r = connect_bus(&client);
	if (r >= 0)
		r = command->run(&client, argv + 4);
	/* Without a connection there was no request. */
	client.is_not_made |= client.bus == NULL || sd_bus_is_ready(client.bus) <= 0;
	if (r < 0)
		sd_bus_close_unref(client.bus);
	else
		sd_bus_flush_close_unref(client.bus);
	return r >= 0 ? 0 : client.is_not_made ? STATUS_NOT_MADE : 1;
}

/*
 * Kills this process when the parent dies (prctl(2), PR_SET_PDEATHSIG). No signal is sent if the parent died
 * before the call. Standard error is a pipe that only the parent reads, so POLLERR reports that.
 */
static void die_with_parent(void)
{
	struct pollfd reader = {.fd = 2};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    (poll(&reader, 1, 0) > 0 && (reader.revents & POLLERR) != 0))
		exit(STATUS_NOT_MADE);
}

int main(int argc, char **argv)
{
	bool is_user = argc > 1 && strcmp(argv[1], "user") == 0;

	die_with_parent();
	for (size_t i = 0; argc > 3 && i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(argv[2], commands[i].name) == 0)
			return run(&commands[i], is_user, argc, argv);
	fprintf(stderr, "usage: tare-systemd system|user start|set|stop|ask UNIT ...\n");
	return 2;
}
