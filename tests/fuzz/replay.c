/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A main() for the fuzz targets that needs no fuzzer: runs LLVMFuzzerTestOneInput over each file, and over each
 * file in each directory, of its arguments. Fails if there are no files.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tare/base.h>

#define FILE_MAX ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
	_cleanup_buf_ struct buf buf = {0};
	uint8_t *exact;
	int r = io_read_file(AT_FDCWD, path, FILE_MAX, &buf);

	if (r < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(-r));
		exit(1);
	}
	/* Without the NUL that follows a buf's data, so that a sanitizer detects a read beyond the end. */
	exact = mem_alloc(buf.len);
	if (buf.len > 0)
		memcpy(exact, buf.data, buf.len);
	LLVMFuzzerTestOneInput(exact, buf.len);
	free(exact);
	return 1;
}

static int run_dir(DIR *dir, const char *path)
{
	struct dirent *entry;
	int count = 0;

	while ((entry = readdir(dir)) != NULL) {
		_cleanup_free_ char *file = mem_format("%s/%s", path, entry->d_name);

		if (entry->d_name[0] != '.')
			count += run_file(file);
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	int count = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);

		count += dir != NULL ? run_dir(dir, argv[i]) : run_file(argv[i]);
	}
	printf("%d inputs\n", count);
	return count == 0;
}
