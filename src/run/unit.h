/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's cgroup as a unit of systemd, by way of the program tare-systemd. Private to the room; runs in
 * the parent or a later command.
 */
#ifndef TARE_RUN_UNIT_H
#define TARE_RUN_UNIT_H

#include <tare/plan.h>
#include <tare/state.h>

struct parent;

/*
 * The steps PLAN_UNIT_*. START lets a process keep the place in the new unit, which would end without a
 * process, and leaves its cgroup in *parent and its path in the record; SETTLED ends the process.
 */
int unit_step(struct parent *parent, const struct plan_step *step, struct err *err) MUST_CHECK;

/* Whether systemd could be asked for START. */
int unit_ask(const struct plan *plan, const struct plan_unit *unit, struct err *err) MUST_CHECK;

/* Takes back what START did, if it did anything. 0 or -errno with *err. */
int unit_undo(struct parent *parent, struct err *err) MUST_CHECK;

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

#endif
