/* SPDX-License-Identifier: Apache-2.0 */
/* The id maps of user namespaces (user_namespaces(7)). Process: the parent, as in child.c. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tare/host.h>
#include <tare/probe.h>
#include <tare/sys.h>

#include "steps.h"

#define ID_LINES 340 /* the kernel's maximum of ranges in a map (user_namespaces(7)) */

static void format_ranges(const struct plan *plan, struct plan_table table, struct buf *text)
{
	const struct spec_id_range *ranges = plan_rows(plan, table);

	for (uint32_t i = 0; i < table.count; i++)
		buf_format(text, "%u %u %u\n", ranges[i].container_id, ranges[i].host_id, ranges[i].size);
}

static int write_proc(int proc_fd, pid_t pid, const char *name, const char *text, size_t len)
{
	char path[48];

	str_format(path, sizeof path, "%d/%s", pid, name);
	return io_write_file(proc_fd, path, text, len);
}

/* One of the two maps of a process. */
struct map {
	const struct plan *plan;
	struct plan_table table;
	int proc_fd;
	pid_t pid;
	bool is_gid;
	char mapper_error[120]; /* of the program that was run to write it */
};

static const char *map_name(const struct map *map)
{
	return map->is_gid ? "gid" : "uid";
}

static char **mapper_args(const struct map *map, const char *program)
{
	const struct spec_id_range *ranges = plan_rows(map->plan, map->table);
	char **args = mem_alloc((map->table.count * 3 + 3) * sizeof *args);
	size_t count = 0;

	args[count++] = mem_dup(program);
	args[count++] = mem_format("%d", map->pid);
	for (uint32_t i = 0; i < map->table.count; i++) {
		args[count++] = mem_format("%u", ranges[i].container_id);
		args[count++] = mem_format("%u", ranges[i].host_id);
		args[count++] = mem_format("%u", ranges[i].size);
	}
	return args;
}

/* An unprivileged caller cannot map more than its own id itself. */
static int run_mapper(struct map *map)
{
	char **args = mapper_args(map, probe_mapper_name(map->is_gid));
	int r = probe_mapper_run(args, map->mapper_error, sizeof map->mapper_error);

	for (char **arg = args; *arg != NULL; arg++)
		free(*arg);
	free(args);
	return r;
}

static int write_map(struct map *map)
{
	_cleanup_buf_ struct buf text = {0};
	int r;

	buf_add(&text, "", 0);
	format_ranges(map->plan, map->table, &text);
	r = write_proc(map->proc_fd, map->pid, map->is_gid ? "gid_map" : "uid_map", text.data, text.len);
	if (r == -EINVAL && (map->table.count > ID_LINES || text.len >= (size_t)sysconf(_SC_PAGESIZE)))
		return -E2BIG;
	return r == -EPERM ? run_mapper(map) : r;
}

/*
 * Whether CAP_SETFCAP is what the caller lacks: mapping id 0 of the parent user namespace needs it in addition
 * to CAP_SETUID, which is not needed for the caller's own id alone (user_namespaces(7)).
 */
static bool lacks_setfcap(const struct map *map)
{
	const struct spec_id_range *ranges = plan_rows(map->plan, map->table);
	bool is_own = map->table.count == 1 && ranges[0].size == 1 && ranges[0].host_id == geteuid();

	if (map->is_gid || !user_lacks_capability(CAP_SETFCAP) ||
	    (!is_own && user_lacks_capability(CAP_SETUID)))
		return false;
	for (uint32_t i = 0; i < map->table.count; i++)
		if (ranges[i].host_id == 0)
			return true;
	return false;
}

static bool is_overlapping(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size)
{
	return (a <= b && b - a < a_size) || (b <= a && a - b < b_size);
}

/* user_namespaces(7): neither the ids of the container nor those of the host may be in two ranges. */
static void hint_overlap(const struct map *map, struct err *err)
{
	const struct spec_id_range *ranges = plan_rows(map->plan, map->table);

	for (uint32_t i = 1; i < map->table.count; i++)
		for (uint32_t j = 0; j < i; j++) {
			const struct spec_id_range *a = &ranges[j], *b = &ranges[i];
			bool is_inside = is_overlapping(a->container_id, a->size, b->container_id, b->size);

			if (!is_inside && !is_overlapping(a->host_id, a->size, b->host_id, b->size))
				continue;
			err_hint(err, "the %s ids of ranges %u and %u overlap",
				 is_inside ? "container's" : "host's", j, i);
			return;
		}
}

/* Whether the caller's own user namespace lacks one of the host's ids. */
static bool hint_unmapped(const struct map *map, struct err *err)
{
	const struct spec_id_range *ranges = plan_rows(map->plan, map->table);
	struct err ignored;
	uint32_t id;

	for (uint32_t i = 0; i < map->table.count; i++) {
		const struct host_range range = {ranges[i].host_id, ranges[i].size};

		if (host_find_unmapped_id(map->is_gid, &range, &id, &ignored) <= 0)
			continue;
		err_hint(err,
			 "the caller's user namespace has no %s %u, which is to be mapped (/proc/self/%s_map)",
			 map_name(map), id, map_name(map));
		return true;
	}
	return false;
}

/* Lower ids belong to users of the host: a caller that may map one has the rights of that user, or of root. */
#define FIRST_SUBORDINATE 65536

/* Whether newuidmap(1) may not map one of the ranges for the caller. */
static bool hint_forbidden(const struct map *map, struct err *err)
{
	const struct spec_id_range *ranges = plan_rows(map->plan, map->table);
	struct host_user user;
	struct err ignored;
	uint32_t id;

	for (uint32_t i = 0; i < map->table.count; i++) {
		const struct host_range range = {ranges[i].host_id, ranges[i].size};

		if (host_find_forbidden_id(map->is_gid, &range, &id, &user, &ignored) <= 0)
			continue;
		if (range.first < FIRST_SUBORDINATE)
			err_hint(err, "/etc/sub%s does not permit %s %u to the caller: use ids of its lines",
				 map_name(map), map_name(map), id);
		else
			err_hint(err,
				 "/etc/sub%s does not permit %s %u to the caller: use ids of its lines, or add "
				 "%s:%u:%u",
				 map_name(map), map_name(map), id, user.name, range.first, range.size);
		return true;
	}
	return false;
}

/* After EPERM: what the kernel, or the program that it was left to, requires. */
static void hint_refused(const struct map *map, struct err *err)
{
	struct err cause;

	if (lacks_setfcap(map))
		err_hint(err, "mapping id 0 of the caller's user namespace needs CAP_SETFCAP");
	else if (hint_unmapped(map, err))
		return;
	else if (probe_mapper_find(map->is_gid, NULL, 0, &cause) < 0)
		err_hint(err, "%s: %s", cause.msg, cause.hint);
	else if (!hint_forbidden(map, err) && map->mapper_error[0] != '\0')
		err_hint(err, "%s", map->mapper_error);
}

static int explain_map(const struct map *map, int r, struct err *err)
{
	const char *name = map_name(map);

	err_system(err,
		   r == -E2BIG    ? -EINVAL
		   : r == -ENOENT ? -EPERM
				  : r,
		   "cannot write the %s map of the user namespace", name);
	if (r == -ENOENT || r == -EPERM)
		hint_refused(map, err);
	else if (r == -E2BIG)
		err_hint(err, "the kernel accepts at most %d ranges, and less than %ld bytes as text", ID_LINES,
			 sysconf(_SC_PAGESIZE));
	else if (r == -EINVAL)
		hint_overlap(map, err);
	return r;
}

int idmap_write_uids(int proc_fd, pid_t pid, const struct plan *plan, const struct plan_maps *maps,
		     struct err *err)
{
	struct map map = {.plan = plan, .table = maps->uid, .proc_fd = proc_fd, .pid = pid};
	int r = maps->deny_setgroups ? write_proc(proc_fd, pid, "setgroups", "deny", 4) : 0;

	if (r < 0)
		return err_system(err, r, "cannot deny setgroups in the user namespace");
	r = write_map(&map);
	return r < 0 ? explain_map(&map, r, err) : 0;
}

int idmap_write_gids(int proc_fd, pid_t pid, const struct plan *plan, const struct plan_maps *maps,
		     struct err *err)
{
	struct map map = {.plan = plan, .table = maps->gid, .proc_fd = proc_fd, .pid = pid, .is_gid = true};
	int r = write_map(&map);

	return r < 0 ? explain_map(&map, r, err) : 0;
}

/* Parses the lines of a map into at most max ranges. Returns the number of ranges. */
static size_t parse_map(const char *text, struct spec_id_range *ret, size_t max)
{
	size_t count = 0;

	while (count < max && *text != '\0') {
		uint32_t *const members[] = {&ret[count].container_id, &ret[count].host_id, &ret[count].size};

		for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
			uint64_t value = 0;

			for (text += strspn(text, " \n"); *text >= '0' && *text <= '9'; text++)
				value = value * 10 + (uint64_t)(*text - '0');
			*members[i] = (uint32_t)value;
		}
		text += strspn(text, " \n");
		count++;
	}
	return count;
}

static bool has_range(const struct spec_id_range *ranges, size_t count, const struct spec_id_range *wanted)
{
	for (size_t i = 0; i < count; i++)
		if (ranges[i].container_id == wanted->container_id && ranges[i].host_id == wanted->host_id &&
		    ranges[i].size == wanted->size)
			return true;
	return false;
}

/* Compares without regard to order: the kernel sorts a map of more than five ranges. */
static int compare_map(int proc_fd, pid_t pid, const struct plan *plan, struct plan_table table, bool is_gid,
		       struct err *err)
{
	const struct spec_id_range *wanted = plan_rows(plan, table);
	const char *name = is_gid ? "gid" : "uid";
	struct spec_id_range actual[ID_LINES];
	_cleanup_buf_ struct buf text = {0};
	char path[48];
	size_t count;
	bool is_same;
	int r;

	if (table.count == 0)
		return 0;
	str_format(path, sizeof path, "%d/%s_map", pid, name);
	r = io_read_file(proc_fd, path, 1 << 16, &text);
	if (r < 0)
		return err_system(err, r, "cannot read the %s map of the user namespace", name);
	count = parse_map(text.data == NULL ? "" : text.data, actual, ARRAY_SIZE(actual));
	is_same = count == table.count;
	for (uint32_t i = 0; is_same && i < table.count; i++)
		is_same = has_range(actual, count, &wanted[i]);
	if (is_same)
		return 0;
	r = err_set(err, ERR_CONFIG, 0, NULL, "the user namespace to join has a different %s map", name);
	err_hint(err, "omit the mappings, or give those of the namespace");
	return r;
}

int idmap_compare(int proc_fd, pid_t pid, const struct plan *plan, const struct plan_maps *maps,
		  struct err *err)
{
	int r = compare_map(proc_fd, pid, plan, maps->uid, false, err);

	if (r < 0)
		return r;
	r = compare_map(proc_fd, pid, plan, maps->gid, true, err);
	if (r < 0)
		err_pointer(err, "/linux/gidMappings");
	return r;
}

int idmap_open(const struct plan *plan, const struct plan_maps *maps, struct err *err)
{
	_cleanup_fd_ int proc_fd = mount_open_proc(err), fd = -1;
	int pidfd = -1, r;
	char path[48];
	long pid;

	if (proc_fd < 0)
		return proc_fd;
	/* The child keeps the namespace alive until a descriptor of it is open. */
	pid = probe_holder_start(CLONE_NEWUSER, &pidfd);
	if (pid < 0)
		return err_system(err, (int)pid, "cannot make a user namespace for idmapped mounts");
	r = idmap_write_uids(proc_fd, (pid_t)pid, plan, maps, err);
	if (r >= 0)
		r = idmap_write_gids(proc_fd, (pid_t)pid, plan, maps, err);
	if (r >= 0) {
		str_format(path, sizeof path, "%ld/ns/user", pid);
		fd = k_openat(proc_fd, path, O_RDONLY | O_CLOEXEC, 0);
		if (fd < 0)
			r = err_system(err, fd, "cannot open the user namespace for idmapped mounts");
	}
	probe_holder_end(pidfd);
	return r < 0 ? r : take_fd(&fd);
}
