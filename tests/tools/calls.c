/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cost of a system call: prints the nanoseconds of one getpid(2), from the best of many batches, which is
 * the one with the fewest interruptions.
 */
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 200
#define CALLS 5000

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(void)
{
	double best = 0;

	for (int batch = 0; batch < BATCHES; batch++) {
		double begin = now(), cost;

		for (int i = 0; i < CALLS; i++)
			syscall(SYS_getpid);
		cost = (now() - begin) / CALLS;
		if (batch == 0 || cost < best)
			best = cost;
	}
	printf("%.1f\n", best);
	return 0;
}
