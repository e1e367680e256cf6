/* SPDX-License-Identifier: Apache-2.0 */
/* The ids that the caller may map: /etc/subuid, /etc/subgid, newuidmap(1) and newgidmap(1). */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tare/probe.h>

#include "doctor.h"

#define RANGE_SIZE 65536
#define FIRST_ID 100000 /* login.defs(5), SUB_UID_MIN */

static const char *user_name(struct doctor *doctor)
{
	const struct passwd *entry = getpwuid(geteuid());

	return entry == NULL ? doctor_text(doctor, "%u", geteuid()) : doctor_text(doctor, "%s", entry->pw_name);
}

/* How to permit the user enough ids: by a line with ids after all that the file (subuid(5)) permits already. */
static const char *line_to_add(struct doctor *doctor, const char *path, const char *user)
{
	_cleanup_buf_ struct buf text = {0};
	uint64_t free_id = FIRST_ID;
	char *rest = NULL, *line = NULL;

	/* host_probe_subids has reported every error but that the file does not exist. */
	if (io_read_file(AT_FDCWD, path, 16 << 20, &text) >= 0 && text.data != NULL)
		line = strtok_r(text.data, "\n", &rest);
	for (; line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		unsigned long long first, count;

		if (sscanf(line, "%*[^:]:%llu:%llu", &first, &count) == 2 && first + count > free_id)
			free_id = first + count;
	}
	return doctor_text(doctor, "as root: add the line '%s:%llu:%d' to %s", user,
			   (unsigned long long)free_id, RANGE_SIZE, path);
}

/* Maps one subordinate id in a user namespace, which is gone afterwards. */
static int try_mapper(bool is_gid, uint64_t first, struct err *err)
{
	int pidfd = -1, r;
	long pid = probe_holder_start(CLONE_NEWUSER, &pidfd);
	char process[16], own[16], sub[24], one[] = "1", zero[] = "0", reason[120] = "";
	char *args[] = {
		(char *)(uintptr_t)probe_mapper_name(is_gid), process, zero, own, one, one, sub, one, NULL};

	if (pid < 0)
		return err_system(err, (int)pid, "cannot make a user namespace to try %s", args[0]);
	str_format(process, sizeof process, "%ld", pid);
	str_format(own, sizeof own, "%u", is_gid ? getegid() : geteuid());
	str_format(sub, sizeof sub, "%llu", (unsigned long long)first);
	r = probe_mapper_run(args, reason, sizeof reason);
	probe_holder_end(pidfd);
	if (r < 0)
		err_system(err, r, "%s", reason[0] == '\0' ? args[0] : reason);
	return r;
}

static void add_mapper(struct doctor *doctor, bool is_gid, uint64_t first)
{
	static const char lost[] = "subordinate ids: containers have one user id and one group id";
	const char *item = probe_mapper_name(is_gid);
	char path[4096];
	struct err err;

	if (probe_mapper_find(is_gid, path, sizeof path, &err) < 0) {
		doctor_limited(doctor, item, doctor_error(doctor, &err), lost, doctor_hint(doctor, &err));
		return;
	}
	if (first == 0)
		doctor_ok(doctor, item, doctor_text(doctor, "'%s' can write maps", path));
	else if (try_mapper(is_gid, first, &err) >= 0)
		doctor_ok(doctor, item, doctor_text(doctor, "'%s' maps them", path));
	else
		doctor_limited(doctor, item, doctor_error(doctor, &err), lost,
			       "see the lines above, and newuidmap(1)");
}

/* Adds a line for the file, and returns the first id that it permits, or 0. */
static uint64_t add_file(struct doctor *doctor, bool is_gid, const struct host_subids *subids)
{
	const char *path = is_gid ? "/etc/subgid" : "/etc/subuid", *user = user_name(doctor);
	const struct host_range *ranges = is_gid ? subids->gids : subids->uids;
	uint32_t count = is_gid ? subids->gid_count : subids->uid_count;
	uint64_t total = 0;

	for (uint32_t i = 0; i < count; i++)
		total += ranges[i].size;
	if (total == 0)
		doctor_limited(
			doctor, path, doctor_text(doctor, "has no usable range for %s", user),
			doctor_text(doctor, "containers with more than one %s id", is_gid ? "group" : "user"),
			line_to_add(doctor, path, user));
	else if (total < RANGE_SIZE)
		doctor_limited(doctor, path,
			       doctor_text(doctor, "%llu ids for %s", (unsigned long long)total, user),
			       "images with higher ids: most expect 65536", line_to_add(doctor, path, user));
	else
		doctor_ok(doctor, path,
			  doctor_text(doctor, "%llu ids for %s, from %u", (unsigned long long)total, user,
				      ranges[0].first));
	return total == 0 ? 0 : ranges[0].first;
}

/* The ids that a caller with CAP_SETUID may map: all of its user namespace. */
static void add_own_map(struct doctor *doctor)
{
	_cleanup_buf_ struct buf text = {0};
	int r = io_read_file(AT_FDCWD, "/proc/self/uid_map", 1 << 16, &text);
	const char *at = text.data;
	struct id_map_line line;
	uint64_t count = 0;
	struct err err;

	if (r < 0) {
		err_system(&err, r, "cannot read /proc/self/uid_map");
		doctor_add_unknown(doctor, "ids", &err);
		return;
	}
	while (id_map_next(&at, &line))
		count += line.size;
	if (count >= RANGE_SIZE)
		doctor_ok(doctor, "ids",
			  doctor_text(doctor, "%llu user ids can be mapped", (unsigned long long)count));
	else
		doctor_limited(doctor, "ids",
			       doctor_text(doctor, "%llu user id%s in this user namespace",
					   (unsigned long long)count, count == 1 ? "" : "s"),
			       "containers with other ids", "map more ids when this namespace is made");
}

static void add_subordinate(struct doctor *doctor)
{
	uint64_t uid = 0, gid = 0;
	struct host_subids subids;
	struct err err;
	int r = host_has_subid_files(&err);

	if (r == 0) {
		doctor_ok(doctor, "subordinate ids", "come from the database that nsswitch.conf names");
	} else {
		if (r > 0)
			r = host_probe_subids(&subids, &err);
		if (r < 0) {
			doctor_add_unknown(doctor, "subordinate ids", &err);
		} else {
			uid = add_file(doctor, false, &subids);
			gid = add_file(doctor, true, &subids);
		}
	}
	add_mapper(doctor, false, uid);
	add_mapper(doctor, true, gid);
}

void doctor_ids(struct doctor *doctor)
{
	if ((doctor->host.capabilities >> CAP_SETUID & 1) != 0)
		add_own_map(doctor);
	else
		add_subordinate(doctor);
}
