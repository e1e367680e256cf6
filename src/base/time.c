/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks: for deadlines, and for durations that several processes measure. */
#include <time.h>

#include <tare/base.h>

int64_t time_ms(void)
{
	struct timespec now = {0};

	k_call2(__NR_clock_gettime, CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t time_monotonic_us(void)
{
	struct timespec now = {0};

	k_call2(__NR_clock_gettime, CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

uint64_t time_us(void)
{
	struct timespec now = {0};

	k_call2(__NR_clock_gettime, CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}
