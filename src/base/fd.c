/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that are closed when they go out of scope. */
#include <tare/base.h>

void fd_close(int *fd)
{
	if (*fd >= 0)
		k_close(*fd);
	*fd = -1;
}
