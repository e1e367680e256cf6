/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the programs of tare that are separate from it because they use shared libraries. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <tare/base.h>

void helper_path(const char *name, char *ret, size_t size)
{
	ssize_t len = readlink("/proc/self/exe", ret, size - strlen(name) - 1);

	while (len > 0 && ret[len - 1] != '/')
		len--;
	if (len > 0) {
		strcpy(ret + len, name);
		if (k_faccessat2(AT_FDCWD, ret, X_OK, 0) == 0)
			return;
	}
	str_format(ret, size, TARE_HELPERS "/%s", name);
}
