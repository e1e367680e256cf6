/* SPDX-License-Identifier: Apache-2.0 */
/* The clock for deadlines. */
#include <time.h>

#include <tare/base.h>

int64_t time_ms(void)
{
	struct timespec now = {0};

	k_call2(__NR_clock_gettime, CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
