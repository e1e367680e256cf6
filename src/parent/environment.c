/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's environment as a sealed memfd. Process: the parent, as in child.c. */
#include <string.h>

#include <tare/sys.h>

#include "environment.h"

int environment_open(char *const *environment, struct err *err)
{
	_cleanup_buf_ struct buf image = {0};
	uint64_t offset;
	size_t count = 0;

	while (environment[count] != NULL)
		count++;
	offset = (count + 1) * sizeof offset;
	for (size_t i = 0; i < count; i++) {
		buf_add(&image, &offset, sizeof offset);
		offset += strlen(environment[i]) + 1;
	}
	buf_add(&image, &(uint64_t){0}, sizeof offset);
	for (size_t i = 0; i < count; i++)
		buf_add(&image, environment[i], strlen(environment[i]) + 1);
	return memfd_seal_copy("environment", image.data, image.len, 0, err);
}
