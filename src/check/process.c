/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries properties of the process in a forked copy of the parent, which reports what was refused and exits.
 * Whether the kernel allows them cannot be read in advance: for example, the lowest allowed oom_score_adj
 * depends on what the caller's ancestors were allowed. Runs in the parent and in the copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tare/sys.h>

#include "private.h"

#define NODE_WORDS 16           /* of a node mask in a plan */
#define FINDINGS_MAX (1u << 20) /* bytes */

/* --- in the copy --- */

/* Every process may set the highest value, 1000: if that fails too, the value is not the reason. */
static int try_oom_score(const struct plan_step *step, struct err *err)
{
	_cleanup_fd_ int proc_fd = k_openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	int r = process_set_oom_score(proc_fd, step->u.number, err);
	struct err ignored;

	if (r >= 0 || process_set_oom_score(proc_fd, 1000, &ignored) < 0)
		return 0;
	return r;
}

/* Only raising a hard limit can be refused. A lower limit is not set, because it could kill this process. */
static int try_rlimit(const struct spec_rlimit *limit, struct err *err)
{
	const struct plan_rlimit wanted = {(uint32_t)limit->resource, limit->soft, limit->hard};
	struct rlimit64 now = {0};
	int r = k_prlimit(0, limit->resource, NULL, &now);

	return r < 0 || limit->hard <= now.rlim_max ? 0 : process_set_rlimit(0, &wanted, err);
}

static void on_nodes(void *context, uint32_t first, uint32_t last)
{
	uint64_t *words = context;

	for (uint32_t node = first; node <= last && node / 64 < NODE_WORDS; node++)
		words[node / 64] |= 1ull << (node % 64);
}

/*
 * The kernel requires one node that has memory and is in the cpuset of the process. The container's cpuset may
 * be larger than the caller's: if a node with memory is missing only from the caller's, the result is unknown.
 */
static int try_memory_policy(const struct check *check, const struct plan_step *step, struct err *err)
{
	const uint64_t *wanted = plan_rows(check->plan, step->u.memory_policy.nodes);
	uint64_t present[NODE_WORDS] = {0}, allowed[NODE_WORDS] = {0};
	char text[512];
	int r = process_set_memory_policy(check->plan, step, err);

	if (r >= 0)
		return 0;
	if (io_read_small(AT_FDCWD, "/sys/devices/system/node/has_memory", 0, text, sizeof text) < 0)
		return r == -EINVAL ? 0 : r;
	text[strcspn(text, "\n")] = '\0';
	if (spec_list_parse(text, on_nodes, present) < 0 ||
	    k_call5(__NR_get_mempolicy, (long)NULL, (long)allowed, NODE_WORDS * 64, (long)NULL,
		    MPOL_F_MEMS_ALLOWED) < 0)
		return 0;
	for (uint32_t i = 0; i < NODE_WORDS && i < step->u.memory_policy.nodes.count; i++) {
		if ((wanted[i] & present[i] & ~allowed[i]) != 0)
			return 0;
		if ((wanted[i] & ~present[i]) != 0)
			err_hint(err, "the nodes of this host that have memory: %s", text);
	}
	return r;
}

static void send_finding(const struct err *finding, const char *json_pointer, int write_fd)
{
	struct err sent = *finding;

	err_pointer(&sent, json_pointer);
	(void)!io_write_all(write_fd, &sent, sizeof sent);
}

__attribute__((noreturn)) static void try_properties(const struct check *check, int write_fd)
{
	const struct plan_step *oom_score = plan_find(check->plan, PLAN_OOM_SCORE);
	const struct plan_step *policy = plan_find(check->plan, PLAN_MEMORY_POLICY);
	struct err finding = {0};
	char json_pointer[64];

	if (policy != NULL && try_memory_policy(check, policy, &finding) < 0)
		send_finding(&finding, plan_get(check->plan, policy->json_pointer), write_fd);
	finding = (struct err){0};
	if (oom_score != NULL && try_oom_score(oom_score, &finding) < 0)
		send_finding(&finding, plan_get(check->plan, oom_score->json_pointer), write_fd);
	for (size_t i = 0; i < check->spec->process.rlimit_count; i++) {
		str_format(json_pointer, sizeof json_pointer, "/process/rlimits/%zu", i);
		finding = (struct err){0};
		if (try_rlimit(&check->spec->process.rlimits[i], &finding) < 0)
			send_finding(&finding, json_pointer, write_fd);
	}
	k_exit(0);
}

/* --- in the parent --- */

static bool is_needed(const struct check *check)
{
	return plan_find(check->plan, PLAN_OOM_SCORE) != NULL ||
	       plan_find(check->plan, PLAN_MEMORY_POLICY) != NULL || check->spec->process.rlimit_count > 0;
}

void check_process(struct check *check)
{
	_cleanup_fd_ int read_fd = -1, write_fd = -1;
	_cleanup_buf_ struct buf findings = {0};
	struct err finding;
	siginfo_t info;
	pid_t pid, self = k_getpid();
	int fds[2];

	if (!is_needed(check) || k_pipe2(fds, O_CLOEXEC) < 0)
		return;
	read_fd = fds[0];
	write_fd = fds[1];
	pid = fork();
	if (pid == 0) {
		child_die_with(self);
		try_properties(check, write_fd);
	}
	fd_close(&write_fd);
	if (pid < 0)
		return;
	(void)!io_read_fd(read_fd, FINDINGS_MAX, &findings);
	fd_close(&read_fd);
	(void)!k_waitid(P_PID, pid, &info, WEXITED);
	for (size_t at = 0; at + sizeof finding <= findings.len; at += sizeof finding) {
		memcpy(&finding, findings.data + at, sizeof finding);
		check_report(check, &finding);
	}
}
