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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "helper.h"

#define STATUS_NOT_MADE 3

static int try_start(struct helper *helper, char **args, sd_bus_error *error, sd_bus_message **ret_reply)
{
	_cleanup_message_ sd_bus_message *message = NULL;
	int r = helper_new_call(helper, "StartTransientUnit", &message);

	if (r >= 0)
		r = sd_bus_message_append(message, "ss", helper->unit, "replace");
	if (r >= 0)
		r = helper_append_properties(message, args[0], args + 1);
	if (r >= 0)
		r = sd_bus_message_append(message, "a(sa(sv))", 0);
	if (r < 0)
		return r;
	/* TERM is ignored as soon as there may be a unit: a death by TERM proves that there is none. */
	signal(SIGTERM, SIG_IGN);
	return helper_call(helper, message, error, ret_reply);
}

static int start(struct helper *helper, char **args)
{
	_cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	_cleanup_message_ sd_bus_message *reply = NULL;
	bool has_reset = false, is_again;
	int r = helper_check_pids(helper);

	helper->is_not_made = r < 0;
	if (r < 0)
		return r;
	r = helper_watch_jobs(helper);
	do {
		sd_bus_error_free(&error);
		if (r >= 0)
			r = try_start(helper, args, &error, &reply);
		is_again = r < 0 && helper_drop_unknown(args + 1, &error);
		/* A failed unit keeps its name until ResetFailedUnit, which has no effect on an active one. */
		if (r < 0 && !has_reset && sd_bus_error_has_name(&error, HELPER_SERVICE ".UnitExists")) {
			_cleanup_error_ sd_bus_error ignored = SD_BUS_ERROR_NULL;

			(void)helper_call_for_unit(helper, "ResetFailedUnit", &ignored);
			has_reset = is_again = true;
		}
		if (is_again)
			r = 0;
	} while (is_again);
	helper->is_not_made = r < 0 && r != -ETIMEDOUT;
	if (r < 0)
		return helper_fail(helper, "cannot start", r, &error);
	r = helper_wait_for_job(helper, reply);
	if (r < 0)
		return helper_fail(helper, "cannot start", r, NULL);
	if (strcmp(helper->job_result, "done") != 0) {
		fprintf(stderr, "cannot start unit %s: systemd's job ended with '%s' (see journalctl -u %s)\n",
			helper->unit, helper->job_result, helper->unit);
		return -EIO;
	}
	return 0;
}

static int try_set(struct helper *helper, char **args, sd_bus_error *error)
{
	_cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
	int r = helper_new_call(helper, "SetUnitProperties", &message);

	if (r >= 0)
		r = sd_bus_message_append(message, "sb", helper->unit, 1 /* until the next boot */);
	if (r >= 0)
		r = helper_append_properties(message, NULL, args);
	return r < 0 ? r : helper_call(helper, message, error, &reply);
}

static int set(struct helper *helper, char **args)
{
	_cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	int r;

	helper_print_properties(helper, args);
	do {
		sd_bus_error_free(&error);
		r = try_set(helper, args, &error);
	} while (r < 0 && helper_drop_unknown(args, &error));
	/* systemd replies before it writes the cgroup's files, but reads the next message only after that. */
	if (r >= 0)
		r = helper_ping(helper, &error);
	return r < 0 ? helper_fail(helper, "cannot set the properties of", r, &error) : 0;
}

/*
 * Whether the unit has the description: 1, 0, or -errno. The description of a unit that does not exist is its
 * name.
 */
static int has_description(const struct helper *helper, const char *description, sd_bus_error *error)
{
	const struct helper_property property = {HELPER_SERVICE ".Unit", "Description", "s"};
	_cleanup_message_ sd_bus_message *message = NULL;
	const char *value;
	int r = helper_get_property(helper, &property, error, &message);

	if (r >= 0)
		r = sd_bus_message_read(message, "s", &value);
	return r < 0 ? r : strcmp(value, description) == 0;
}

/*
 * Sends SIGKILL to all processes of the unit. The first process of a pid namespace ignores other fatal signals
 * (pid_namespaces(7)), and StopUnit alone would wait for it until TimeoutStopSec (systemd.kill(5)). The failure
 * for a unit without processes is ignored.
 */
static void kill_unit(const struct helper *helper)
{
	_cleanup_error_ sd_bus_error ignored = SD_BUS_ERROR_NULL;
	_cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
	int r = helper_new_call(helper, "KillUnit", &message);

	if (r >= 0)
		r = sd_bus_message_append(message, "ssi", helper->unit, "all", (int32_t)SIGKILL);
	if (r >= 0)
		(void)helper_call(helper, message, &ignored, &reply);
}

static int stop(struct helper *helper, char **args)
{
	_cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	_cleanup_message_ sd_bus_message *message = NULL, *reply = NULL;
	int r = helper_watch_jobs(helper);

	if (r >= 0)
		r = has_description(helper, args[0], &error);
	if (r == 0)
		return 0;
	if (r > 0) {
		kill_unit(helper);
		r = helper_new_call(helper, "StopUnit", &message);
	}
	if (r >= 0)
		r = sd_bus_message_append(message, "ss", helper->unit, "replace");
	if (r >= 0)
		r = helper_call(helper, message, &error, &reply);
	if (r < 0 && sd_bus_error_has_name(&error, HELPER_SERVICE ".NoSuchUnit"))
		return 0;
	if (r >= 0)
		r = helper_wait_for_job(helper, reply);
	return r < 0 ? helper_fail(helper, "cannot stop", r, &error) : 0;
}

static int ask(struct helper *helper, char **args)
{
	_cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = helper_check_pids(helper);

	(void)args;
	if (r < 0)
		return r;
	r = helper_ping(helper, &error);
	return r < 0 ? helper_fail(helper, "cannot ask systemd for", r, &error) : 0;
}

static const struct command {
	const char *name;
	int min; /* number of arguments after the unit's name */
	int (*run)(struct helper *helper, char **args);
} commands[] = {{"start", 1, start}, {"set", 0, set}, {"stop", 1, stop}, {"ask", 0, ask}};

static int run(const struct command *command, bool is_user, int argc, char **argv)
{
	struct helper helper = {.unit = argv[3]};
	int r;

	if (argc - 4 < command->min) {
		fprintf(stderr, "%s: an argument is missing\n", command->name);
		return 2;
	}
	r = helper_connect(&helper, is_user);
	if (r >= 0)
		r = command->run(&helper, argv + 4);
	/* Without a connection there was no request. */
	helper.is_not_made |= helper.bus == NULL || sd_bus_is_ready(helper.bus) <= 0;
	if (r < 0)
		sd_bus_close_unref(helper.bus);
	else
		sd_bus_flush_close_unref(helper.bus);
	return r >= 0 ? 0 : helper.is_not_made ? STATUS_NOT_MADE : 1;
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
