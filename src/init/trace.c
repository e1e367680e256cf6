/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With --debug: writes when a step begins and ends into memory that the parent reads, also if this process
 * hangs or is killed. Process: init or the bridge. execve(2) unmaps the memory, so no other program has it.
 */
#include <sys/mman.h>

#include <tare/init.h>

#include "walker.h"

int init_trace_map(struct walker *walker)
{
	int fd = walker->rootfs.slot_base + (int)walker->plan->slot_count;
	size_t size = walker->plan->step_count * sizeof *walker->trace;
	long at = k_call6(__NR_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	k_close(fd);
	if (at < 0 && at > -4096)
		return (int)at;
	walker->trace = (struct init_trace *)at;
	return 0;
}

void init_trace_unmap(struct walker *walker)
{
	if (walker->trace != NULL)
		k_call2(__NR_munmap, walker->trace, walker->plan->step_count * sizeof *walker->trace);
	walker->trace = NULL;
}

/* A seccomp filter can deny each system call, suspend it, or kill the process for it. */
static uint64_t clock_of(const struct walker *walker)
{
	uint64_t now = walker->filter == NULL ? time_us() : 0;

	return now == 0 ? INIT_TRACE_NO_CLOCK : now;
}

void init_trace_begin(const struct walker *walker)
{
	if (walker->trace != NULL)
		__atomic_store_n(&walker->trace[walker->at].begin, clock_of(walker), __ATOMIC_RELEASE);
}

void init_trace_end(const struct walker *walker)
{
	if (walker->trace != NULL)
		__atomic_store_n(&walker->trace[walker->at].end, clock_of(walker), __ATOMIC_RELEASE);
}
