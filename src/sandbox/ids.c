/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ids of the program. It has no capabilities, so it can never change them, and its user namespace needs
 * only these two. A map of one id needs no subordinate ids and no helper program.
 */
#include <linux/capability.h>
#include <unistd.h>

#include <tare/host.h>

#include "private.h"

/* Whether the caller may map other ids than its own, and its user namespace has this one. */
static int is_available(const struct host *host, bool is_gid, uint32_t id, struct err *err)
{
	uint64_t needed = UINT64_C(1) << (is_gid ? CAP_SETGID : CAP_SETUID);
	struct host_range range = {.first = id, .size = 1};
	uint32_t missing;
	int r;

	if ((host->capabilities & needed) == 0)
		return 0;
	r = host_find_unmapped_id(is_gid, &range, &missing, err);
	return r < 0 ? r : r == 0;
}

/*
 * The id 0 of the host owns most files there, and the kernel's in /proc: a program that is 0 in the sandbox has
 * another id on the host.
 */
static uint32_t host_id(uint32_t id)
{
	return id == 0 ? SANDBOX_ID : id;
}

int ids_choose(const struct sandbox_options *options, struct sandbox_ids *ret, struct err *err)
{
	struct host host;
	int r = host_probe_caller(&host, err), has_uid, has_gid;

	if (r < 0)
		return r;
	ret->uid = options->user.is_set ? options->user.uid : SANDBOX_ID;
	ret->gid = options->user.is_set ? options->user.gid : SANDBOX_ID;
	ret->host_uid = host_id(ret->uid);
	ret->host_gid = host_id(ret->gid);
	has_uid = is_available(&host, false, ret->host_uid, err);
	has_gid = has_uid <= 0 ? has_uid : is_available(&host, true, ret->host_gid, err);
	if (has_gid < 0)
		return has_gid;
	ret->is_chosen = has_gid > 0;
	if (ret->is_chosen)
		return 0;
	ret->host_uid = host.euid;
	ret->host_gid = host.egid;
	if (!options->user.is_set) {
		ret->uid = host.euid;
		ret->gid = host.egid;
	}
	return 0;
}
