/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The printers: each appends what a step has beside its name, in the form of "tare plan". The printer of a step
 * is in the file that adds the step. Private to the room. Process: the parent.
 */
#ifndef TARE_PLAN_DETAIL_H
#define TARE_PLAN_DETAIL_H

#include <tare/plan.h>

#define DETAIL_PRINTER(kind, name, printed, parent, bridge, create, exec, detail, ...)                         \
	void plan_detail_##detail(struct buf *out, const struct plan *plan, const struct plan_step *step);
PLAN_STEPS(DETAIL_PRINTER)
#undef DETAIL_PRINTER

struct detail_bit {
	uint64_t value;
	const char *name;
};
/* Appends the names of the bits that are set. */
void detail_add_bits(struct buf *out, uint64_t value, const struct detail_bit *bits, size_t count,
		     const char *between);
/* The same for CLONE_NEW*, with spaces between. */
void detail_add_namespaces(struct buf *out, uint64_t flags);
/* The same for MS_SHARED and the other types of propagation. */
void detail_add_propagation(struct buf *out, uint64_t type);
/* Appends both; item may be NULL. */
void detail_add_item(struct buf *out, const char *before, const char *item);

#endif
