/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor: limits and report of a container that no command waits for. Private to the room. */
#ifndef TARE_COMMAND_SUPERVISOR_H
#define TARE_COMMAND_SUPERVISOR_H

#include "supervision.h"

/*
 * Starts the supervisor of a container, if anything is asked for, and returns once it runs. Called after
 * supervision_open; is_started: the program was executed, and otherwise init waits at its gate.
 */
int supervisor_start(struct creation *creation, struct supervision *supervision, bool is_started,
		     struct err *err) MUST_CHECK;

/*
 * Whether the supervisor of a container runs, or the record's annotations ask for none. ERR_STATE otherwise: a
 * program that is started would have no limits.
 */
int supervisor_check(int dir_fd, const struct state_record *record, struct err *err) MUST_CHECK;

#endif
