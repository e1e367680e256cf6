/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of systemd's units, as texts. Private to the room. */
#ifndef TARE_PLAN_UNIT_H
#define TARE_PLAN_UNIT_H

#include <tare/plan.h>

struct unit_write {
	const char *file, *value;
};

/*
 * A number as the kernel takes it in a file: 0x and 0 in front mean hexadecimal and octal, "K" to "E" behind
 * are powers of 1024, blanks around it mean nothing. False if it is none, or 2^64 - 1 and more.
 */
bool number_parse(const char *value, uint64_t *ret);

/*
 * The properties (org.freedesktop.systemd1(5)) that make systemd write the same value into the same file of a
 * cgroup: none for a file that it does not know. *cpu is what is in force before and after the write. False,
 * with nothing said, if systemd knows the file and the value is in no notation that is understood here: it
 * would take such a limit back.
 */
bool property_limit(const struct unit_write *write, struct plan_cpu *cpu, plan_property on_property,
		    void *context);

/*
 * The property of an annotation org.systemd.property.NAME, whose value is GVariant text: true, 'text',
 * uint64 5, ['a', 'b']. Returns NULL, or why it is none.
 */
const char *property_annotation(const char *name, const char *value, plan_property on_property, void *context);

#endif
