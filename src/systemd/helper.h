/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of tare-systemd; see helper_main.c. Private to the program. Functions return a negative errno on
 * failure, and describe a failure of the bus in *error.
 */
#ifndef TARE_SYSTEMD_HELPER_H
#define TARE_SYSTEMD_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#define HELPER_SERVICE "org.freedesktop.systemd1"

#define _cleanup_message_ __attribute__((cleanup(sd_bus_message_unrefp)))
#define _cleanup_error_ __attribute__((cleanup(sd_bus_error_free)))

/* One run of the program. */
struct helper {
	sd_bus *bus;
	const char *unit;
	uint64_t deadline; /* CLOCK_MONOTONIC, microseconds */
	const char *job;   /* object path of the job to wait for */
	char job_result[32];
	bool is_not_made; /* there is certainly no unit */
};

/* --- helper_bus.c --- */

/* Opens the bus of the system or of the user, and sets the deadline. A failure was printed. */
int helper_connect(struct helper *helper, bool is_user);
/* Prints the error; action: "cannot VERB", to which the unit is added. Returns r. */
int helper_fail(const struct helper *helper, const char *action, int r, const sd_bus_error *error);

/* A call of a method of the manager, without arguments. The caller releases *ret. */
int helper_new_call(const struct helper *helper, const char *method, sd_bus_message **ret);
/* -ETIMEDOUT after the deadline. */
int helper_call(const struct helper *helper, sd_bus_message *message, sd_bus_error *error,
		sd_bus_message **ret_reply);
/* Calls a method that has the unit's name as its only argument. */
int helper_call_for_unit(const struct helper *helper, const char *method, sd_bus_error *error);
int helper_ping(const struct helper *helper, sd_bus_error *error);

/* Has to be called before the call that makes a job. */
int helper_watch_jobs(struct helper *helper);
/* Waits for the job that the reply names, and stores its result. */
int helper_wait_for_job(struct helper *helper, sd_bus_message *reply);

struct helper_property {
	const char *interface, *name, *type;
};
/*
 * Reads a property within the deadline, unlike sd_bus_get_property. The next item of *ret_reply is the value,
 * of the property's type.
 */
int helper_get_property(const struct helper *helper, const struct helper_property *property,
			sd_bus_error *error, sd_bus_message **ret_reply);

/*
 * Fails, and prints why, unless systemd is in this process's pid namespace. systemd looks a pid up in its own
 * pid namespace: from another one it would find a different process, move that into the unit, and kill it with
 * the unit.
 */
int helper_check_pids(const struct helper *helper);

/* --- helper_property.c: properties as arguments, NAME TYPE VALUE each, up to NULL --- */

/* Appends them to a message as an array of (sv), with PIDs before them if pid is not NULL. */
int helper_append_properties(sd_bus_message *message, const char *pid, char **triples);
/* Removes from the list the property that systemd does not know by *error, if it is marked with "?". */
bool helper_drop_unknown(char **triples, const sd_bus_error *error);
/*
 * Prints the values that they have now, of types t, b, s and ay, which limits have. Omits those that systemd
 * does not know: it cannot set them.
 */
void helper_print_properties(const struct helper *helper, char **triples);

#endif
