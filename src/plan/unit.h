/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of systemd's units, as texts. Private to the room. */
#ifndef TARE_PLAN_UNIT_H
#define TARE_PLAN_UNIT_H

#include <tare/plan.h>

struct unit_write {
	const char *file, *value;
};

/*
 * The properties (org.freedesktop.systemd1(5)) that make systemd write the same value into the same file of a
 * cgroup: none for a file that it does not know. *period is that of cpu.max, in microseconds, before
 * and after the write.
 */
void unit_limit(const struct unit_write *write, uint64_t *period, plan_property on_property, void *context);

/*
 * The property of an annotation org.systemd.property.NAME, whose value is GVariant text: true, 'text', uint64
 * 5,
 * ['a', 'b']. Returns NULL, or why it is none.
 */
const char *unit_annotation(const char *name, const char *value, plan_property on_property, void *context);

#endif
