/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the resource usage of a cgroup as JSON, from the files of cgroup v2 (cgroup-v2.rst). The members have
 * the names that engines expect from runc's "events", which are those of cgroup v1.
 */
#include <fcntl.h>
#include <string.h>

#include <tare/host.h>

#include "file.h"

#define FILE_MAX ((size_t)4 << 20)

/* --- files --- */

/* Reads a whole file. False, with an empty text, if it cannot be read: its controller is not enabled. */
static bool read_text(int cgroup_fd, const char *name, struct buf *text)
{
	_cleanup_fd_ int fd = k_openat(cgroup_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);

	text->len = 0;
	buf_add(text, "", 0);
	if (fd < 0 || io_read_fd(fd, FILE_MAX, text) < 0) {
		text->len = 0;
		text->data[0] = '\0';
		return false;
	}
	return true;
}

/* Cuts the next line out of *at; NULL at the end. */
static char *next_line(char **at)
{
	char *line = strsep(at, "\n");

	return line == NULL || *line == '\0' ? NULL : line;
}

static bool read_value(int cgroup_fd, const char *name, uint64_t *ret_value)
{
	return cgroup_read_number(cgroup_fd, name, ret_value) >= 0;
}

/* The value of the line "key value"; 0 if there is none. */
static uint64_t keyed_value(const char *text, const char *key)
{
	uint64_t value = 0;

	(void)!str_keyed_u64(text, key, &value);
	return value;
}

static uint64_t file_value(int cgroup_fd, const char *name, const char *key)
{
	_cleanup_buf_ struct buf text = {0};

	return read_text(cgroup_fd, name, &text) ? keyed_value(text.data, key) : 0;
}

/* --- pressure --- */

static bool is_number(const char *text)
{
	size_t whole = strspn(text, "0123456789");

	if (text[whole] == '.' && whole > 0) {
		text += whole + 1;
		whole = strspn(text, "0123456789");
	}
	return whole > 0 && text[whole] == '\0';
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" (psi.rst); total is in us. */
static void add_pressure_line(struct json *json, char *line)
{
	char *word = strsep(&line, " ");

	json_key(json, word);
	json_object(json);
	while (line != NULL) {
		char *value = strsep(&line, " "), *key = strsep(&value, "=");

		if (value == NULL || !is_number(value))
			continue;
		json_key(json, key);
		json_number(json, value, strlen(value));
	}
	json_object_end(json);
}

/* On kernels without pressure stall information the file does not exist, or reading fails with EOPNOTSUPP. */
static void add_pressure(struct json *json, int cgroup_fd, const char *name)
{
	_cleanup_buf_ struct buf text = {0};
	char *at, *line;

	if (!read_text(cgroup_fd, name, &text) || text.len == 0)
		return;
	json_key(json, "psi");
	json_object(json);
	at = text.data;
	while ((line = next_line(&at)) != NULL)
		add_pressure_line(json, line);
	json_object_end(json);
}

/* --- cpu --- */

#define NS_PER_US 1000

static void add_cpu(struct json *json, int cgroup_fd)
{
	_cleanup_buf_ struct buf text = {0};

	json_key(json, "cpu");
	json_object(json);
	if (read_text(cgroup_fd, "cpu.stat", &text)) {
		json_key(json, "usage");
		json_object(json);
		json_pair_uint(json, "total", keyed_value(text.data, "usage_usec") * NS_PER_US);
		json_pair_uint(json, "kernel", keyed_value(text.data, "system_usec") * NS_PER_US);
		json_pair_uint(json, "user", keyed_value(text.data, "user_usec") * NS_PER_US);
		json_object_end(json);
		json_key(json, "throttling");
		json_object(json);
		json_pair_uint(json, "periods", keyed_value(text.data, "nr_periods"));
		json_pair_uint(json, "throttledPeriods", keyed_value(text.data, "nr_throttled"));
		json_pair_uint(json, "throttledTime", keyed_value(text.data, "throttled_usec") * NS_PER_US);
		json_object_end(json);
	}
	add_pressure(json, cgroup_fd, "cpu.pressure");
	json_object_end(json);
}

#define CPUS_MAX 65535

/* "0-3,7" as [0,1,2,3,7]. */
static void add_list(struct json *json, int cgroup_fd, const char *key, const char *name)
{
	_cleanup_buf_ struct buf text = {0};
	char *at, *range;

	if (!read_text(cgroup_fd, name, &text))
		return;
	text.data[strcspn(text.data, "\n")] = '\0';
	json_key(json, key);
	json_array(json);
	at = text.data;
	while ((range = strsep(&at, ",")) != NULL) {
		char *first_text = strsep(&range, "-");
		uint64_t first, last;

		if (!str_to_u64(first_text, CPUS_MAX, &first))
			break;
		if (range == NULL || !str_to_u64(range, CPUS_MAX, &last))
			last = first;
		for (; first <= last; first++)
			json_uint(json, first);
	}
	json_array_end(json);
}

static void add_cpuset(struct json *json, int cgroup_fd)
{
	json_key(json, "cpuset");
	json_object(json);
	add_list(json, cgroup_fd, "cpus", "cpuset.cpus.effective");
	add_list(json, cgroup_fd, "mems", "cpuset.mems.effective");
	json_object_end(json);
}

/* --- memory --- */

struct memory {
	uint64_t limit, usage, max, failures;
};

static void add_memory_entry(struct json *json, const char *key, const struct memory *memory)
{
	json_key(json, key);
	json_object(json);
	json_pair_uint(json, "limit", memory->limit);
	json_pair_uint(json, "usage", memory->usage);
	json_pair_uint(json, "max", memory->max);
	json_pair_uint(json, "failcnt", memory->failures);
	json_object_end(json);
}

/* The values of swap are the sums of memory and swap, as in cgroup v1. */
static void add_swap(struct json *json, int cgroup_fd, const struct memory *memory)
{
	struct memory swap = {.limit = CGROUP_NO_LIMIT};

	if (!read_value(cgroup_fd, "memory.swap.current", &swap.usage))
		return;
	(void)!read_value(cgroup_fd, "memory.swap.max", &swap.limit);
	swap.usage += memory->usage;
	if (swap.limit > CGROUP_NO_LIMIT - memory->limit)
		swap.limit = CGROUP_NO_LIMIT;
	else
		swap.limit += memory->limit;
	swap.failures = file_value(cgroup_fd, "memory.swap.events", "max");
	json_key(json, "swap");
	json_object(json);
	json_pair_uint(json, "limit", swap.limit);
	json_pair_uint(json, "usage", swap.usage);
	json_pair_uint(json, "failcnt", swap.failures);
	json_object_end(json);
}

/* Kinds of memory that have a limit of their own in cgroup v1, and none in v2. */
static void add_part(struct json *json, const char *key, const char *stat, const char *name)
{
	json_key(json, key);
	json_object(json);
	json_pair_uint(json, "limit", CGROUP_NO_LIMIT);
	json_pair_uint(json, "usage", keyed_value(stat, name));
	json_pair_uint(json, "failcnt", 0);
	json_object_end(json);
}

static void add_raw(struct json *json, char *stat)
{
	char *line;

	json_key(json, "raw");
	json_object(json);
	while ((line = next_line(&stat)) != NULL) {
		char *key = strsep(&line, " ");
		uint64_t value;

		if (str_to_u64(line, UINT64_MAX, &value))
			json_pair_uint(json, key, value);
	}
	json_object_end(json);
}

static void add_memory(struct json *json, int cgroup_fd)
{
	_cleanup_buf_ struct buf stat = {0};
	struct memory memory = {.limit = CGROUP_NO_LIMIT};

	json_key(json, "memory");
	json_object(json);
	if (read_value(cgroup_fd, "memory.current", &memory.usage)) {
		(void)!read_value(cgroup_fd, "memory.max", &memory.limit);
		(void)!read_value(cgroup_fd, "memory.peak", &memory.max); /* since Linux 5.19 */
		memory.failures = file_value(cgroup_fd, "memory.events", "max");
		add_memory_entry(json, "usage", &memory);
		add_swap(json, cgroup_fd, &memory);
	}
	if (read_text(cgroup_fd, "memory.stat", &stat)) {
		json_pair_uint(json, "cache", keyed_value(stat.data, "file"));
		add_part(json, "kernel", stat.data, "kernel");
		add_part(json, "kernelTCP", stat.data, "sock");
		add_raw(json, stat.data);
	}
	add_pressure(json, cgroup_fd, "memory.pressure");
	json_object_end(json);
}

/* --- pids --- */

static void add_pids(struct json *json, int cgroup_fd)
{
	uint64_t current, limit = CGROUP_NO_LIMIT;

	json_key(json, "pids");
	json_object(json);
	if (read_value(cgroup_fd, "pids.current", &current)) {
		(void)!read_value(cgroup_fd, "pids.max", &limit);
		json_pair_uint(json, "current", current);
		json_pair_uint(json, "limit", limit == CGROUP_NO_LIMIT ? 0 : limit);
	}
	json_object_end(json);
}

/* --- block I/O --- */

struct io_kind {
	const char *name, *operation;
};

static void add_io_entry(struct json *json, char *device, const char *operation, uint64_t value)
{
	char *minor_text = strchr(device, ':');
	uint64_t major, minor;

	if (minor_text == NULL)
		return;
	*minor_text = '\0';
	if (str_to_u64(device, UINT32_MAX, &major) && str_to_u64(minor_text + 1, UINT32_MAX, &minor)) {
		json_object(json);
		json_pair_uint(json, "major", major);
		json_pair_uint(json, "minor", minor);
		json_pair(json, "op", operation);
		json_pair_uint(json, "value", value);
		json_object_end(json);
	}
	*minor_text = ':';
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 ..." */
static void add_io_line(struct json *json, char *line, const struct io_kind kinds[3])
{
	char *device = strsep(&line, " ");

	while (line != NULL) {
		char *text = strsep(&line, " "), *name = strsep(&text, "=");
		uint64_t value;

		for (size_t i = 0; i < 3; i++)
			if (str_equal(kinds[i].name, name) && str_to_u64(text, UINT64_MAX, &value))
				add_io_entry(json, device, kinds[i].operation, value);
	}
}

static void add_io_list(struct json *json, const char *key, const char *stat, const struct io_kind kinds[3])
{
	_cleanup_free_ char *copy = mem_dup(stat);
	char *at = copy, *line;

	json_key(json, key);
	json_array(json);
	while ((line = next_line(&at)) != NULL)
		add_io_line(json, line, kinds);
	json_array_end(json);
}

static void add_block_io(struct json *json, int cgroup_fd)
{
	static const struct io_kind bytes[3] = {{"rbytes", "Read"}, {"wbytes", "Write"}, {"dbytes", "Discard"}};
	static const struct io_kind operations[3] = {{"rios", "Read"}, {"wios", "Write"}, {"dios", "Discard"}};
	_cleanup_buf_ struct buf stat = {0};

	json_key(json, "blkio");
	json_object(json);
	if (read_text(cgroup_fd, "io.stat", &stat)) {
		add_io_list(json, "ioServiceBytesRecursive", stat.data, bytes);
		add_io_list(json, "ioServicedRecursive", stat.data, operations);
	}
	add_pressure(json, cgroup_fd, "io.pressure");
	json_object_end(json);
}

/* --- huge pages --- */

static void add_huge_page(struct json *json, int cgroup_fd, const char *name)
{
	char size[16], file[64];
	uint64_t usage;

	host_page_size_of(name, size, sizeof size);
	str_format(file, sizeof file, "hugetlb.%s.current", size);
	if (!str_equal(name, file) || !read_value(cgroup_fd, name, &usage))
		return;
	str_format(file, sizeof file, "hugetlb.%s.events", size);
	json_key(json, size);
	json_object(json);
	json_pair_uint(json, "usage", usage);
	json_pair_uint(json, "failcnt", file_value(cgroup_fd, file, "max"));
	json_object_end(json);
}

static void add_huge_pages(struct json *json, int cgroup_fd)
{
	_cleanup_fd_ int fd = k_openat(cgroup_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	_Alignas(struct dir_entry) char block[4096];
	struct dir_reader reader = {.fd = fd, .block = block, .size = sizeof block};
	const struct dir_entry *entry;

	json_key(json, "hugetlb");
	json_object(json);
	while (fd >= 0 && dir_next(&reader, &entry) > 0)
		add_huge_page(json, cgroup_fd, entry->name);
	json_object_end(json);
}

void cgroup_write_stats(int cgroup_fd, struct json *json)
{
	json_object(json);
	add_cpu(json, cgroup_fd);
	add_cpuset(json, cgroup_fd);
	add_memory(json, cgroup_fd);
	add_pids(json, cgroup_fd);
	add_block_io(json, cgroup_fd);
	add_huge_pages(json, cgroup_fd);
	json_object_end(json);
}
