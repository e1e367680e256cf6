/* SPDX-License-Identifier: Apache-2.0 */
/* Any list of words as mount options, one in each line. */
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/plan/options.h"

#define OPTIONS_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct plan_options *o, const struct spec_list *options)
{
	/* mount_setattr(2) refuses a value of the atime field unless the whole field is cleared with it. */
	if ((o->attr_set & MOUNT_ATTR__ATIME) != 0 && (~o->attr_clear & MOUNT_ATTR__ATIME) != 0)
		abort();
	if ((o->recursive_attr_set & MOUNT_ATTR__ATIME) != 0 &&
	    (~o->recursive_attr_clear & MOUNT_ATTR__ATIME) != 0)
		abort();
	/* A flag that is set is not cleared: the last one of two words counts. */
	if ((o->attr_set & o->attr_clear & ~(uint64_t)MOUNT_ATTR__ATIME) != 0 ||
	    (o->recursive_attr_set & o->recursive_attr_clear & ~(uint64_t)MOUNT_ATTR__ATIME) != 0)
		abort();
	if (o->data.count > options->count)
		abort();
	/* Every word for the file system is one of the input, in the input's order. */
	for (size_t i = 0, at = 0; i < o->data.count; i++, at++) {
		while (at < options->count && options->v[at] != o->data.v[i])
			at++;
		if (at == options->count)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = mem_alloc(size + 1);
	char *v[OPTIONS_MAX], *line = text;
	struct spec_list options = {.v = v};
	struct plan_options parsed;

	memcpy(text, data, size);
	while (line != NULL && options.count < OPTIONS_MAX) {
		char *newline = strchr(line, '\n');

		if (newline != NULL)
			*newline = '\0';
		v[options.count++] = line;
		line = newline == NULL ? NULL : newline + 1;
	}
	plan_options_parse(&options, &parsed);
	check(&parsed, &options);
	free(parsed.data.v);
	return 0;
}
