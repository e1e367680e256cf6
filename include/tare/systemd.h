/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd: the container's cgroup as a scope of systemd, by way of the program tare-systemd. Runs in the parent
 * or a later command, with the caller's privileges; each function executes the program and waits for it, up to
 * 28 s. The errors are those that the program reports.
 */
#ifndef TARE_SYSTEMD_H
#define TARE_SYSTEMD_H

#include <tare/plan.h>
#include <tare/state.h>

/*
 * Whether unit_start could ask systemd: tare-systemd is installed, systemd answers on the bus, and it is in the
 * caller's pid namespace. 0 or -errno with *err.
 */
int unit_ask(const struct plan *plan, const struct plan_unit *unit, struct err *err) MUST_CHECK;

/* The same without a unit: whether systemd's manager, of the system or of the user, can be asked. */
int unit_ask_manager(bool is_user, struct err *err) MUST_CHECK;

/* A scope to start, with the process pid in it. */
struct unit_start {
	const struct plan *plan;
	const struct plan_unit *unit;
	const char *description; /* of state_identity: unit_stop identifies the unit by it */
	pid_t pid;
	int signal_fd; /* of await_signals, or -1 */
};

/*
 * Calls StartTransientUnit of org.freedesktop.systemd1(5) and waits for its job. -EINTR for a signal.
 * *ret_is_made is also set on failure: false if it is certain that there is no unit to stop.
 */
int unit_start(const struct unit_start *start, bool *ret_is_made, struct err *err) MUST_CHECK;

/* Sets the properties that the plan has for a unit. signal_fd: of await_signals. */
int unit_set_properties(const struct plan *plan, const struct plan_unit *unit, int signal_fd,
			struct err *err) MUST_CHECK;

/* Properties that "update" sets for the container's unit. */
struct unit_call {
	const struct plan *plan; /* of plan_build_update: those of its limits that are properties; or NULL */
	struct plan_cpu cpu;     /* the values in force after the plan has been carried out */
	const char *properties;  /* in the format of before; used if plan is NULL */
	struct buf *before;      /* or NULL: gets the previous values; also on failure, if systemd was asked */
	int signal_fd;           /* of await_signals, or -1; after -EINTR the properties may be set or not */
};

/*
 * Sets the properties of the record's unit; systemd then writes the cgroup's files. Systemd sets all properties
 * or none. ERR_UNSUPPORTED if a limit has no equivalent property. Does nothing without properties.
 */
int unit_set(const struct state_record *record, const struct unit_call *call, struct err *err) MUST_CHECK;

/*
 * Kills all processes of the record's unit, stops it, and waits until it is gone. Success without effect if the
 * record has no unit, the unit does not exist, or the unit of that name is not this container's.
 */
int unit_stop(const struct state_record *record, struct err *err) MUST_CHECK;

/*
 * The watcher: a process that reads the counters of a scope's cgroup before systemd removes it. It exists only
 * where no other process of tare lives as long as the container. Its program is src/systemd/watch_main.c; these
 * are all its descriptors, by number.
 */
enum watch_fd {
	WATCH_FD_END,    /* of state_open_end; the watcher writes it */
	WATCH_FD_EVENTS, /* cgroup.events */
	WATCH_FD_MEMORY, /* memory.events */
	WATCH_FD_INIT,   /* a pidfd of the container's init */
	WATCH_FDS,
};

#endif
