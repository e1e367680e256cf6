/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With --debug: logs the steps of the parent, the bridge and init, each with its duration, and where each
 * process has stopped. Without --debug a child has no trace, and all functions do nothing. Private to the room,
 * except what child.h declares; runs in the parent.
 */
#ifndef TARE_PARENT_TRACE_H
#define TARE_PARENT_TRACE_H

#include <tare/child.h>

/* Sets child->trace. Needs the plan. -errno with *err. */
int trace_open(struct child *child, struct err *err) MUST_CHECK;
void trace_close(struct trace **trace);
/* The file that init and the bridge write to; or -1. */
int trace_fd(const struct trace *trace);
/* The parent begins the step, or has carried it out. */
void trace_begin(const struct child *child, const struct plan_step *step);
void trace_end(const struct child *child);

#endif
