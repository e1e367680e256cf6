/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter that notifies a listener where another one denies: the recorder then answers as that one would.
 * Process: the parent.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>

#include <tare/seccomp.h>

#define LOW_WORD(index) ((uint32_t)(offsetof(struct seccomp_data, args) + (index) * sizeof(uint64_t)))
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low word of an argument is its first one");

/* --- whether it is possible --- */

static int refuse(const char *json_pointer, const char *action, const char *flag, struct err *err)
{
	err_set(err, ERR_UNSUPPORTED, 0, json_pointer, "cannot observe a filter with %s for --%s", action,
		flag);
	if (str_equal(action, "SCMP_ACT_NOTIFY"))
		err_hint(err, "its listener is the agent's, and a process can have only one");
	else if (str_equal(action, "SCMP_ACT_TRAP"))
		err_hint(err, "only the kernel can send the program SIGSYS with the call; SCMP_ACT_ERRNO and "
			      "SCMP_ACT_KILL_PROCESS can be observed");
	else
		err_hint(err, "the answer is the tracer's");
	return -EINVAL;
}

/* The name of an action that cannot be observed, or NULL. */
static const char *unobservable(enum spec_seccomp_action action, enum seccomp_observation kind)
{
	if (action == SPEC_SECCOMP_NOTIFY)
		return "SCMP_ACT_NOTIFY";
	if (kind != SECCOMP_OBSERVE_DENIALS)
		return NULL;
	if (action == SPEC_SECCOMP_TRAP)
		return "SCMP_ACT_TRAP";
	return action == SPEC_SECCOMP_TRACE ? "SCMP_ACT_TRACE" : NULL;
}

int seccomp_check_observable(const struct spec_seccomp *spec, enum seccomp_observation kind, struct err *err)
{
	const char *flag = kind == SECCOMP_OBSERVE_ALL ? "learn" : "denied";
	const char *action = unobservable(spec->default_action, kind);
	char json_pointer[64];

	if (action != NULL)
		return refuse("/linux/seccomp/defaultAction", action, flag, err);
	for (size_t i = 0; i < spec->rule_count; i++) {
		action = unobservable(spec->rules[i].action, kind);
		if (action == NULL)
			continue;
		str_format(json_pointer, sizeof json_pointer, "/linux/seccomp/syscalls/%zu/action", i);
		return refuse(json_pointer, action, flag, err);
	}
	return 0;
}

/* Whether a program under the filter can install a filter with a listener; seccomp(2), EBUSY. */
static bool may_install_listener(const struct seccomp_program *program)
{
	const struct seccomp_data call = {
		.nr = __NR_seccomp,
		.arch = seccomp_arch_native(),
		.args = {SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER},
	};
	uint32_t action = seccomp_action(seccomp_evaluate(program->filter, program->count, &call));

	return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG || action == SECCOMP_RET_TRACE;
}

static bool is_kill(uint32_t result)
{
	uint32_t action = seccomp_action(result);

	return action == SECCOMP_RET_KILL_PROCESS || action == SECCOMP_RET_KILL_THREAD;
}

bool seccomp_is_kill_observable(const struct seccomp_program *program)
{
	bool has_kill = false;

	for (uint32_t i = 0; i < program->count; i++)
		has_kill |= program->filter[i].code == (BPF_RET | BPF_K) && is_kill(program->filter[i].k);
	return has_kill && !may_install_listener(program);
}

/* --- the filter --- */

/*
 * A call that kills leads to the last block. A thread that the recorder has made repeat its call with the mark
 * in its last two arguments is killed there by the kernel itself; every other call notifies.
 */
static void add_tail(struct buf *out, const struct seccomp_mark *mark)
{
	const struct sock_filter tail[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW_WORD(5)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mark->second, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW_WORD(4)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mark->first, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mark->first + 1, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};

	buf_add(out, tail, sizeof tail);
}

static struct sock_filter observed(const struct sock_filter *row, uint32_t rows_to_tail,
				   enum seccomp_observation kind)
{
	if (row->code != (BPF_RET | BPF_K))
		return *row;
	if (is_kill(row->k))
		return (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, rows_to_tail);
	if (kind == SECCOMP_OBSERVE_DENIALS && seccomp_action(row->k) == SECCOMP_RET_ERRNO)
		return (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	return *row;
}

/*
 * The number is compared first, without the arguments: for calls that a filter allows by their number alone the
 * kernel does not run it at all, and that stays so.
 */
static void add_all(struct buf *out, const struct seccomp_program *from, enum seccomp_observation kind,
		    const struct seccomp_mark *mark)
{
	const struct sock_filter head[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SECCOMP_HANDOVER_NUMBER, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};

	buf_add(out, head, sizeof head);
	for (uint32_t i = 0; i < from->count; i++) {
		struct sock_filter row = observed(&from->filter[i], from->count - i - 1, kind);

		buf_add(out, &row, sizeof row);
	}
	add_tail(out, mark);
}

int seccomp_observe(const struct seccomp_program *from, enum seccomp_observation kind,
		    const struct seccomp_mark *mark, struct seccomp_program *ret, struct err *err)
{
	const struct sock_filter notify = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	_cleanup_buf_ struct buf out = {0};

	*ret = (struct seccomp_program){0};
	if (kind == SECCOMP_OBSERVE_ALL)
		buf_add(&out, &notify, sizeof notify);
	else
		add_all(&out, from, kind, mark);
	if (out.len > BPF_MAXINSNS * sizeof notify)
		return err_set(err, ERR_CONFIG, E2BIG, "/linux/seccomp",
			       "the filter has no room to be observed: with that it has more than %d "
			       "instructions, the kernel's limit",
			       BPF_MAXINSNS);
	ret->count = (uint32_t)(out.len / sizeof notify);
	ret->filter = (struct sock_filter *)(void *)take_ptr(out.data);
	return 0;
}
