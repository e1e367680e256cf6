/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints what the kernel reports for the calling process, for properties that no file of procfs has. A line for
 * each argument:
 *
 *	scheduler    policy flags nice priority runtime deadline period, of sched_getattr(2)
 *	ioprio       class and priority of the process, and of its process group, of ioprio_get(2)
 *	mempolicy    mode with its flags, and the first 64 nodes as a mask, of get_mempolicy(2)
 *	personality  of personality(2), in hexadecimal
 *
 * Usage: facts FACT...
 */
#include <linux/ioprio.h>
#include <linux/sched/types.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

static long print_scheduler(void)
{
	struct sched_attr a = {.size = sizeof a};
	long r = syscall(SYS_sched_getattr, 0, &a, sizeof a, 0);

	printf("%u %llu %d %u %llu %llu %llu\n", a.sched_policy, (unsigned long long)a.sched_flags,
	       a.sched_nice, a.sched_priority, (unsigned long long)a.sched_runtime,
	       (unsigned long long)a.sched_deadline, (unsigned long long)a.sched_period);
	return r;
}

static long print_ioprio(void)
{
	long own = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
	long group = syscall(SYS_ioprio_get, IOPRIO_WHO_PGRP, 0);

	printf("%ld %ld %ld %ld\n", own >> 13, own & 7, group >> 13, group & 7);
	return own < 0 ? own : group;
}

static long print_mempolicy(void)
{
	uint64_t nodes[16] = {0};
	int mode = -1;
	long r = syscall(SYS_get_mempolicy, &mode, nodes, sizeof nodes * 8, NULL, 0);

	printf("%d %#llx\n", mode, (unsigned long long)nodes[0]);
	return r;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		long r = -1;

		if (strcmp(argv[i], "scheduler") == 0)
			r = print_scheduler();
		else if (strcmp(argv[i], "ioprio") == 0)
			r = print_ioprio();
		else if (strcmp(argv[i], "mempolicy") == 0)
			r = print_mempolicy();
		else if (strcmp(argv[i], "personality") == 0)
			r = printf("%x\n", (unsigned int)personality(0xffffffff));
		if (r < 0) {
			perror(argv[i]);
			return 1;
		}
	}
	return 0;
}
