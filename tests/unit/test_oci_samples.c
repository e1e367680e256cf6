/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sample configurations of runtime-spec. TARE_OCI_SAMPLES names a directory with config/good, of which spec
 * must accept every file, and config/bad, of which it must refuse every file.
 */
#include <dirent.h>
#include <stdlib.h>

#include <tare/spec.h>

#include "unit.h"

static void check_file(int dir_fd, const char *name, bool is_good)
{
	_cleanup_buf_ struct buf json = {0};
	_cleanup_spec_ struct spec *spec = NULL;
	struct err err = {0};

	if (!CHECK_INT(io_read_file(dir_fd, name, SPEC_SIZE_MAX, &json), 0))
		return;
	if (!CHECK_INT(spec_parse(json.data, json.len, &spec, &err) == 0, is_good))
		fprintf(stderr, "\t%s: %s: %s\n", name, err.json_pointer, err.msg);
}

static void check_dir(const char *samples, const char *below, bool is_good)
{
	_cleanup_free_ char *path = mem_format("%s/%s", samples, below);
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!CHECK(dir != NULL))
		return;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			check_file(dirfd(dir), entry->d_name, is_good);
	closedir(dir);
}

int main(void)
{
	const char *samples = getenv("TARE_OCI_SAMPLES");

	if (samples == NULL) {
		fprintf(stderr, "skipped: TARE_OCI_SAMPLES is not set\n");
		return UNIT_SKIP;
	}
	check_dir(samples, "config/good", true);
	check_dir(samples, "config/bad", false);
	UNIT_MAIN_END;
}
