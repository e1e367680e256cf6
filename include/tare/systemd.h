/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd: the container's cgroup as a scope of systemd, by way of the program tare-systemd. Runs in the parent
 * or a later command.
 */
#ifndef TARE_SYSTEMD_H
#define TARE_SYSTEMD_H

#include <tare/plan.h>
#include <tare/state.h>

/* Whether systemd could be asked for START. */
int unit_ask(const struct plan *plan, const struct plan_unit *unit, struct err *err) MUST_CHECK;

/* For "update": properties for the container's unit. */
struct unit_call {
	const struct plan *plan; /* of plan_build_update: those of its limits that systemd knows; or NULL */
	struct plan_cpu cpu;     /* now that the plan is carried out */
	const char *properties;  /* as before has them, without a plan */
	struct buf *before; /* or NULL: what those properties were; on failure, too, if systemd was asked */
	int signal_fd;      /* of await_signals: -EINTR when one comes, done or not; or -1 */
};

/*
 * Tells systemd, which writes the cgroup's files by that. Does nothing where there is nothing to tell. Systemd
 * takes all properties or none.
 */
int unit_set(const struct state_record *record, const struct unit_call *call, struct err *err) MUST_CHECK;

/*
 * Ends the record's unit with all that is left in it, and waits until it is gone. A unit that is gone already,
 * or that is none of this container's, is a success; so is a record without one.
 */
int unit_stop(const struct state_record *record, struct err *err) MUST_CHECK;

/* Starts a scope with the process pid in it. */
struct unit_start {
	const struct plan *plan;
	const struct plan_unit *unit;
	const char *description; /* of state_identity: by it unit_stop knows the unit again */
	pid_t pid;
	int signal_fd; /* of await_signals, or -1 */
};

/*
 * StartTransientUnit of org.freedesktop.systemd1(5), and waits for its job. *ret_is_made, also set on failure,
 * is false if there is surely nothing to stop.
 */
int unit_start(const struct unit_start *start, bool *ret_is_made, struct err *err) MUST_CHECK;

/* Sets the properties of a unit of the plan. signal_fd: of await_signals. */
int unit_set_properties(const struct plan *plan, const struct plan_unit *unit, int signal_fd,
			struct err *err) MUST_CHECK;

/*
 * The watcher: a process that reads what a scope's cgroup has counted before systemd removes it, where no other
 * process of tare's lives as long as the container. Its program is src/systemd/watch_main.c.
 */
/* All that its program holds, by number. */
enum watch_fd {
	WATCH_FD_END,    /* of state_open_end, to be written */
	WATCH_FD_EVENTS, /* cgroup.events */
	WATCH_FD_MEMORY, /* memory.events */
	WATCH_FD_INIT,   /* a pidfd of the container's init */
	WATCH_FDS,
};

#endif
