/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of systemd's units, as texts. Private to the room. */
#ifndef TARE_PLAN_UNIT_H
#define TARE_PLAN_UNIT_H

#include <tare/plan.h>

/*
 * The properties (org.freedesktop.systemd1(5)) that make systemd write the same value into the same file of a
 * cgroup: none for a file that it does not know.
 */
void unit_limit(const char *file, const char *value, plan_property on_property, void *context);

/*
 * The property of an annotation org.systemd.property.NAME, whose value is GVariant text: true, 'text', uint64
 * 5,
 * ['a', 'b']. Returns NULL, or why it is none.
 */
const char *unit_annotation(const char *name, const char *value, plan_property on_property, void *context);

#endif
