/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program of the configuration's seccomp filter, from the cache in the state root or compiled. Process: the
 * parent, as in child.c.
 */
#include <errno.h>

#include "steps.h"

#define CACHE "seccomp"

/*
 * Calls that every process makes once its filter is in force, in their order, and the step of the plan without
 * which it does not make them.
 */
static const struct {
	int number;
	const char *name;
	enum plan_kind step;
} later_calls[] = {
	{__NR_close_range, "close_range", PLAN_USER},
	{__NR_prctl, "prctl", PLAN_USER},
	{__NR_chdir, "chdir", PLAN_USER},
	{__NR_getcwd, "getcwd", PLAN_USER},
	{__NR_setgroups, "setgroups", PLAN_USER},
	{__NR_setresgid, "setresgid", PLAN_USER},
	{__NR_setresuid, "setresuid", PLAN_USER},
	{__NR_capget, "capget", PLAN_USER},
	{__NR_newfstatat, "newfstatat", PLAN_LOOKUP},
	{__NR_faccessat2, "faccessat2", PLAN_LOOKUP},
	{__NR_rt_sigprocmask, "rt_sigprocmask", PLAN_HANDOVER},
	{__NR_execve, "execve", PLAN_EXEC},
};

static bool is_made(const struct plan *plan, size_t i)
{
	const struct plan_step *filter = plan_find(plan, PLAN_SECCOMP), *step = NULL, *steps = plan_steps(plan);

	/* The steps after the filter, which the same or a later process carries out. */
	for (const struct plan_step *at = filter; at < steps + plan->step_count && step == NULL; at++)
		if (at->kind == later_calls[i].step)
			step = at;
	if (step == NULL)
		return false;
	return later_calls[i].number != __NR_setgroups ||
	       !(step->u.user.is_setgroups_denied || step->u.user.has_callers_groups);
}

const char *filter_killed_call(const struct plan *plan)
{
	const struct plan_step *step = plan_find(plan, PLAN_SECCOMP);
	struct plan_table program;
	const struct sock_filter *rows;

	if (step == NULL)
		return NULL;
	program = step->u.filter.recorder_slot == PLAN_NO_SLOT ? step->u.filter.program
							       : plan_process_of(plan)->filter.program;
	rows = plan_rows(plan, program);
	for (size_t i = 0; i < ARRAY_SIZE(later_calls); i++) {
		if (!is_made(plan, i) || !seccomp_can_kill_for(rows, program.count, later_calls[i].number))
			continue;
		/* If it depends on the arguments, another call may be the cause. */
		return seccomp_must_kill_for(rows, program.count, later_calls[i].number) ? later_calls[i].name
											 : NULL;
	}
	return NULL;
}

static int compile(const struct spec_seccomp *spec, int root_fd, struct seccomp_program *ret, struct err *err)
{
	_cleanup_buf_ struct buf entry = {0};
	_cleanup_seccomp_key_ struct seccomp_key key = {.bytes = {0}};
	int r;

	if (root_fd < 0)
		return seccomp_compile(spec, ret, err);
	seccomp_key_make(spec, &key);
	if (state_cache_read(root_fd, CACHE, key.name, seccomp_entry_max(&key), &entry) >= 0 &&
	    seccomp_unseal(entry.data, entry.len, &key, ret) >= 0)
		return 0;
	r = seccomp_compile(spec, ret, err);
	if (r < 0)
		return r;
	buf_done(&entry);
	seccomp_seal(ret, &key, &entry);
	state_cache_write(root_fd, CACHE, key.name, entry.data, entry.len);
	return 0;
}

static void on_unknown_name(void *context, const char *json_pointer, const char *name)
{
	struct err *err = context;

	if (err->kind == ERR_NONE)
		err_set(err, ERR_CONFIG, 0, json_pointer, "libseccomp does not know '%.40s'", name);
}

/* An unknown name may be that of a newer kernel's system call. Without the annotation the filter omits it. */
static int refuse_unknown_names(const struct spec_seccomp *spec, struct err *err)
{
	struct err first = {.kind = ERR_NONE};

	if (!spec->refuses_unknown_names || seccomp_unknown_names(spec, on_unknown_name, &first) == 0)
		return 0;
	*err = first;
	err_hint(err, "remove it, or the annotation run.oci.seccomp_fail_unknown_syscall");
	return -EINVAL;
}

int filter_load(const struct spec_seccomp *spec, int root_fd, struct seccomp_program *ret,
		struct plan_filter_program *ret_filter, struct err *err)
{
	int r = seccomp_check_kernel(spec, err);

	if (r >= 0)
		r = refuse_unknown_names(spec, err);
	*ret = (struct seccomp_program){0};
	if (r >= 0)
		r = compile(spec, root_fd, ret, err);
	if (r < 0)
		return r;
	*ret_filter = (struct plan_filter_program){
		.filter = ret->filter,
		.count = ret->count,
		.flags = seccomp_flags(spec),
		.is_notify = seccomp_is_notify(spec),
		.may_fake_success = seccomp_may_fake_success(ret),
	};
	return 0;
}
