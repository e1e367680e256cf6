/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of systemd's units, as texts. Private to the room. Process: the parent. */
#ifndef TARE_PLAN_UNIT_H
#define TARE_PLAN_UNIT_H

#include <tare/plan.h>

struct unit_write {
	const char *file, *value;
};

/*
 * Parses a number as the kernel does in a file of a cgroup: a leading 0x or 0 means hexadecimal or octal, a
 * final letter "K" to "E" a power of 1024, and blanks around it are ignored. False if it is not a number, or
 * 2^64 - 1 or larger.
 */
bool number_parse(const char *value, uint64_t *ret);

/*
 * Reports the properties (org.freedesktop.systemd1(5)) with which systemd writes the same value to the same
 * file of a cgroup; none for a file that systemd does not write. *cpu has the values in force before the write,
 * and is updated. Returns false, without a report, if systemd writes the file but the value has a notation that
 * is not known here: systemd would then undo this limit.
 */
bool property_limit(const struct unit_write *write, struct plan_cpu *cpu, plan_property on_property,
		    void *context);

/*
 * Reports the property of an annotation org.systemd.property.NAME, with a value in the text format of GVariant:
 * true, 'text', uint64 5, ['a', 'b']. Returns NULL, or the reason why it is not valid.
 */
const char *property_annotation(const char *name, const char *value, plan_property on_property, void *context);

#endif
