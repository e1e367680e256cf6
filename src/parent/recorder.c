/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recorder of system calls (tare/syscalls.h): whether there is one, the filter that init installs for it,
 * and its start. Process: the parent, as in child.c.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sys/random.h>

#include "steps.h"

/* Whether the recorder can take the listener of any program: pidfd_getfd(2), ptrace(2). */
static bool can_trace(const struct draft *draft)
{
	return (draft->host.capabilities >> CAP_SYS_PTRACE & 1) != 0 ||
	       draft->spec->namespaces[SPEC_NS_USER].is_set;
}

/*
 * For a report alone the calls that kill are observed if no program can notice that, and no others. A filter
 * with its own listener then stays as it is.
 */
static bool choose(const struct draft *draft, const struct seccomp_program *filter,
		   enum seccomp_observation *ret_kind)
{
	const struct supervise_options *asked = &draft->supervise;

	if (asked->learn != NULL || asked->denied != NULL) {
		*ret_kind = asked->learn != NULL ? SECCOMP_OBSERVE_ALL : SECCOMP_OBSERVE_DENIALS;
		return asked->learn != NULL || filter != NULL;
	}
	*ret_kind = SECCOMP_OBSERVE_KILLS;
	return filter != NULL && supervise_has_report(asked) && !seccomp_is_notify(&draft->spec->seccomp) &&
	       can_trace(draft) && seccomp_is_kill_observable(filter);
}

static int make_mark(struct seccomp_mark *ret, struct err *err)
{
	ssize_t r = getrandom(ret, sizeof *ret, 0);

	return r == sizeof *ret ? 0 : err_system(err, r < 0 ? errno : EIO, "cannot get a random number");
}

int recorder_load_filter(struct draft *draft, const struct seccomp_program *filter, struct seccomp_program *ret,
			 struct plan_filter_program *ret_observer, struct err *err)
{
	const struct spec_seccomp *spec = &draft->spec->seccomp;
	struct observation *observation = &draft->observation;
	int r;

	if (!choose(draft, filter, &observation->kind))
		return 0;
	if (draft->supervise.learn != NULL && draft->supervise.denied != NULL)
		return err_set(
			err, ERR_USAGE, 0, NULL,
			"cannot use --denied or org.tare.denied with --learn, which allows every system call");
	r = seccomp_check_observable(spec, observation->kind, err);
	if (r >= 0)
		r = make_mark(&observation->mark, err);
	if (r >= 0)
		r = seccomp_observe(filter, observation->kind, &observation->mark, ret, err);
	if (r < 0)
		return r;
	observation->flags = seccomp_observation_flags(seccomp_flags(spec));
	/* Without this flag a program that handles signals can see the difference: Linux 5.14 to 5.18. */
	observation->is_wanted = observation->kind != SECCOMP_OBSERVE_KILLS ||
				 (observation->flags & SECCOMP_WAIT_KILLABLE) != 0;
	*ret_observer = (struct plan_filter_program){
		.filter = ret->filter,
		.count = ret->count,
		.flags = observation->flags,
		.may_fake_success = filter != NULL && observation->kind != SECCOMP_OBSERVE_ALL &&
				    seccomp_may_fake_success(filter),
	};
	return 0;
}

int recorder_write_none(const struct draft *draft, struct err *err)
{
	const char *denied = draft->supervise.denied;

	return denied == NULL || draft->observation.is_wanted
		       ? 0
		       : syscalls_write_none(draft->options->common.id, denied, err);
}

int parent_create_recorder(struct creation *creation, const struct plan_step *step, struct err *err)
{
	const struct draft *draft = &creation->draft;
	const struct supervise_options *asked = &draft->supervise;
	const struct plan_table filter = plan_process_of(draft->plan)->filter.program;
	const struct syscalls_request request = {
		.id = creation->record.id,
		.kind = draft->observation.kind,
		.file = asked->learn != NULL ? asked->learn : asked->denied,
		.filter = plan_rows(draft->plan, filter),
		.count = filter.count,
		.flags = draft->observation.flags,
		.mark = draft->observation.mark,
	};

	return syscalls_start(&request, &creation->recorder, &creation->child.slots[step->u.slot], err);
}
