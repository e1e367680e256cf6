/* SPDX-License-Identifier: Apache-2.0 */
/* Names of capabilities, as the specification spells them. */
#include <tare/base.h>

/* Row n is the name of capability number n. libcap's names, written by capability_names_main.c. */
static const char *const names[] = {
#include "capability_names.h"
};

const char *capability_name(int capability)
{
	return capability >= 0 && capability <= capability_last() ? names[capability] : NULL;
}

int capability_number(const char *name)
{
	for (int capability = 0; capability <= capability_last(); capability++)
		if (str_equal(names[capability], name))
			return capability;
	return -1;
}

int capability_last(void)
{
	return (int)ARRAY_SIZE(names) - 1;
}

void capability_set_add(struct buf *buf, uint64_t set)
{
	const char *separator = "";

	if (set == 0)
		buf_add_str(buf, "none");
	for (int capability = 0; capability < 64; capability++) {
		const char *name = capability_name(capability);

		if ((set >> capability & 1) == 0)
			continue;
		if (name != NULL)
			buf_format(buf, "%s%s", separator, name);
		else
			buf_format(buf, "%s%d", separator, capability);
		separator = ",";
	}
}
