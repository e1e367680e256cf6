/* SPDX-License-Identifier: Apache-2.0 */
/* Any list of words as mount options, one in each line. */
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/plan/idmap.h"

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

/* Ids are 32 bits, and no range is empty. */
static void check_ranges(const struct spec_id_maps *maps)
{
	for (size_t i = 0; i < maps->count; i++)
		if (maps->v[i].size == 0 ||
		    (uint64_t)maps->v[i].container_id + maps->v[i].size > UINT64_C(1) << 32 ||
		    (uint64_t)maps->v[i].host_id + maps->v[i].size > UINT64_C(1) << 32)
			abort();
}

static void check_idmap(const char *value)
{
	struct spec_id_range ranges[] = {{0, 1000, 10}, {10, 4000000000u, 100000}};
	const struct idmap_maps container = {{ranges, 2}, {ranges, 1}};
	struct arena arena = {0};
	struct idmap_maps maps;
	struct err err;

	if (idmap_parse(&arena, value, &container, &maps, &err) >= 0) {
		check_ranges(&maps.uid);
		check_ranges(&maps.gid);
	}
	arena_done(&arena);
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
	if (parsed.idmap_value != NULL)
		check_idmap(parsed.idmap_value);
	free(parsed.data.v);
	return 0;
}
