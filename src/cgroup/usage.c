/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what the processes of a cgroup have used, as numbers (cgroup-v2.rst). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "file.h"

/* io.stat has a line of about 100 bytes for each device. */
#define TEXT_MAX 16384

static const char *const files[CGROUP_COUNTERS] = {
	[CGROUP_CPU_STAT] = "cpu.stat",
	[CGROUP_MEMORY_PEAK] = "memory.peak", /* since Linux 5.19 */
	[CGROUP_MEMORY_MAX] = "memory.max",
	[CGROUP_MEMORY_EVENTS] = "memory.events",
	[CGROUP_MEMORY_SWAP_PEAK] = "memory.swap.peak", /* since Linux 6.5 */
	[CGROUP_PIDS_PEAK] = "pids.peak",               /* since Linux 6.1 */
	[CGROUP_PIDS_MAX] = "pids.max",
	[CGROUP_PIDS_EVENTS] = "pids.events",
	[CGROUP_IO_STAT] = "io.stat",
	[CGROUP_CPU_PRESSURE] = "cpu.pressure",
	[CGROUP_MEMORY_PRESSURE] = "memory.pressure",
	[CGROUP_IO_PRESSURE] = "io.pressure",
};

void cgroup_counters_init(struct cgroup_counters *counters)
{
	for (size_t i = 0; i < CGROUP_COUNTERS; i++)
		counters->fds[i] = -1;
}

static int open_counter(int cgroup_fd, size_t counter)
{
	return k_openat(cgroup_fd, files[counter], O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
}

int cgroup_counters_open_cpu(int cgroup_fd, struct cgroup_counters *counters)
{
	int fd = open_counter(cgroup_fd, CGROUP_CPU_STAT);

	if (fd < 0)
		return fd;
	counters->fds[CGROUP_CPU_STAT] = fd;
	return cgroup_read_cpu_time(counters) == CGROUP_ABSENT ? -ENODATA : 0;
}

void cgroup_counters_open(int cgroup_fd, struct cgroup_counters *counters)
{
	for (size_t i = 0; i < CGROUP_COUNTERS; i++) {
		int fd = counters->fds[i] >= 0 ? counters->fds[i] : open_counter(cgroup_fd, i);

		counters->fds[i] = fd < 0 ? -1 : fd;
	}
}

void cgroup_counters_close(struct cgroup_counters *counters)
{
	for (size_t i = 0; i < CGROUP_COUNTERS; i++)
		fd_close(&counters->fds[i]);
}

/* --- the forms of files --- */

/*
 * The file's text. "" if it cannot be read: its controller is not enabled, or the cgroup was removed. Also if
 * it is too long: a sum of a part of it would be wrong.
 */
static const char *read_text(const struct cgroup_counters *counters, size_t counter, char text[static TEXT_MAX])
{
	ssize_t len = counters->fds[counter] < 0 ? 0 : k_pread(counters->fds[counter], text, TEXT_MAX - 1, 0);

	text[len < 0 || len == TEXT_MAX - 1 ? 0 : len] = '\0';
	return text;
}

static uint64_t keyed(const char *text, const char *key)
{
	uint64_t value = CGROUP_ABSENT;

	(void)!str_keyed_u64(text, key, &value);
	return value;
}

/* "max", no limit, is CGROUP_ABSENT. */
static uint64_t number(char *text)
{
	uint64_t value = CGROUP_ABSENT;

	text[strcspn(text, "\n")] = '\0';
	(void)!str_to_u64(text, UINT64_MAX - 1, &value);
	return value;
}

/* The number after each occurrence of name ("rbytes=") in a nested keyed file, added up. */
static uint64_t sum_named(const char *text, const char *name)
{
	uint64_t sum = CGROUP_ABSENT, value;
	const char *at = text;

	while ((at = strstr(at, name)) != NULL) {
		char digits[24];

		at += strlen(name);
		str_format(digits, sizeof digits, "%.*s", (int)strspn(at, "0123456789"), at);
		if (str_to_u64(digits, UINT64_MAX - 1, &value))
			sum = sum == CGROUP_ABSENT ? value : sum + value;
	}
	return sum;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", and the same for "full" (psi.rst). */
static struct cgroup_pressure pressure(const char *text)
{
	const char *full = strstr(text, "full ");
	struct cgroup_pressure ret = {CGROUP_ABSENT, CGROUP_ABSENT};
	char some[128];

	str_format(some, sizeof some, "%.*s", (int)strcspn(text, "\n"), text);
	if (str_has_prefix(some, "some "))
		ret.some = sum_named(some, " total=");
	if (full != NULL)
		ret.full = sum_named(full, " total=");
	return ret;
}

/* --- reading --- */

uint64_t cgroup_read_cpu_time(const struct cgroup_counters *counters)
{
	char text[TEXT_MAX];

	return keyed(read_text(counters, CGROUP_CPU_STAT, text), "usage_usec");
}

static void read_cpu(const struct cgroup_counters *counters, struct cgroup_usage *ret)
{
	char text[TEXT_MAX];

	read_text(counters, CGROUP_CPU_STAT, text);
	ret->cpu.total = keyed(text, "usage_usec");
	ret->cpu.user = keyed(text, "user_usec");
	ret->cpu.system = keyed(text, "system_usec");
	ret->cpu.throttled = keyed(text, "throttled_usec");
}

static void read_memory(const struct cgroup_counters *counters, struct cgroup_usage *ret)
{
	char text[TEXT_MAX];

	(void)!read_text(counters, CGROUP_MEMORY_PEAK, text);
	ret->memory.peak = number(text);
	(void)!read_text(counters, CGROUP_MEMORY_MAX, text);
	ret->memory.limit = number(text);
	(void)!read_text(counters, CGROUP_MEMORY_SWAP_PEAK, text);
	ret->memory.swap_peak = number(text);
	(void)!read_text(counters, CGROUP_MEMORY_EVENTS, text);
	ret->memory.oom_kills = keyed(text, "oom_kill");
	ret->memory.own_ooms = keyed(text, "oom");
}

static void read_pids(const struct cgroup_counters *counters, struct cgroup_usage *ret)
{
	char text[TEXT_MAX];

	(void)!read_text(counters, CGROUP_PIDS_PEAK, text);
	ret->pids.peak = number(text);
	(void)!read_text(counters, CGROUP_PIDS_MAX, text);
	ret->pids.limit = number(text);
	ret->pids.limit_hits = keyed(read_text(counters, CGROUP_PIDS_EVENTS, text), "max");
}

static void read_io(const struct cgroup_counters *counters, struct cgroup_usage *ret)
{
	char text[TEXT_MAX];

	read_text(counters, CGROUP_IO_STAT, text);
	ret->io.read = sum_named(text, " rbytes=");
	ret->io.written = sum_named(text, " wbytes=");
	ret->cpu_pressure = pressure(read_text(counters, CGROUP_CPU_PRESSURE, text));
	ret->memory_pressure = pressure(read_text(counters, CGROUP_MEMORY_PRESSURE, text));
	ret->io_pressure = pressure(read_text(counters, CGROUP_IO_PRESSURE, text));
}

void cgroup_read_usage(const struct cgroup_counters *counters, struct cgroup_usage *ret)
{
	read_cpu(counters, ret);
	read_memory(counters, ret);
	read_pids(counters, ret);
	read_io(counters, ret);
}

static void subtract(uint64_t *value, uint64_t before)
{
	if (*value != CGROUP_ABSENT && before != CGROUP_ABSENT)
		*value -= before <= *value ? before : *value;
}

void cgroup_usage_subtract(struct cgroup_usage *usage, const struct cgroup_usage *before)
{
	subtract(&usage->cpu.total, before->cpu.total);
	subtract(&usage->cpu.user, before->cpu.user);
	subtract(&usage->cpu.system, before->cpu.system);
	subtract(&usage->cpu.throttled, before->cpu.throttled);
	subtract(&usage->memory.oom_kills, before->memory.oom_kills);
	subtract(&usage->memory.own_ooms, before->memory.own_ooms);
	subtract(&usage->pids.limit_hits, before->pids.limit_hits);
	subtract(&usage->io.read, before->io.read);
	subtract(&usage->io.written, before->io.written);
	subtract(&usage->cpu_pressure.some, before->cpu_pressure.some);
	subtract(&usage->cpu_pressure.full, before->cpu_pressure.full);
	subtract(&usage->memory_pressure.some, before->memory_pressure.some);
	subtract(&usage->memory_pressure.full, before->memory_pressure.full);
	subtract(&usage->io_pressure.some, before->io_pressure.some);
	subtract(&usage->io_pressure.full, before->io_pressure.full);
	usage->memory.peak = usage->memory.swap_peak = usage->pids.peak = CGROUP_ABSENT;
}
