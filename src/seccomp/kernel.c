/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions, flags and listeners of seccomp(2) that the running kernel has, and those that a configuration needs.
 * Process: the parent; the recorder of system calls for listeners.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>

#include <tare/seccomp.h>

static const struct {
	const char *name;
	uint32_t value;
} flags[] = {
	{"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
	{"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
	{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
	{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_WAIT_KILLABLE}, /* missing in older headers */
};

/* In the order of enum spec_seccomp_action. */
static const uint32_t actions[] = {
	SECCOMP_RET_KILL_THREAD, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO,
	SECCOMP_RET_TRACE,       SECCOMP_RET_ALLOW,        SECCOMP_RET_LOG,  SECCOMP_RET_USER_NOTIF,
};

bool seccomp_is_notify(const struct spec_seccomp *spec)
{
	bool is_notify = spec->default_action == SPEC_SECCOMP_NOTIFY;

	for (size_t i = 0; i < spec->rule_count; i++)
		is_notify = is_notify || spec->rules[i].action == SPEC_SECCOMP_NOTIFY;
	return is_notify;
}

bool seccomp_is_listener(int fd)
{
	char path[32], link[64];
	ssize_t len;

	str_format(path, sizeof path, "/proc/self/fd/%d", fd);
	len = k_readlinkat(AT_FDCWD, path, link, sizeof link - 1);
	link[len < 0 ? 0 : len] = '\0';
	return str_equal(link, "anon_inode:seccomp notify"); /* proc_pid_fd(5) */
}

uint32_t seccomp_flags(const struct spec_seccomp *spec)
{
	bool is_notify = seccomp_is_notify(spec);
	uint32_t value = spec->flags.v == NULL ? SECCOMP_FILTER_FLAG_SPEC_ALLOW : 0;

	for (size_t i = 0; i < spec->flags.count; i++)
		for (size_t k = 0; k < ARRAY_SIZE(flags); k++)
			if (str_equal(spec->flags.v[i], flags[k].name))
				value |= flags[k].value;
	/* seccomp(2) fails with EINVAL if this flag is set without NEW_LISTENER. */
	if (!is_notify)
		return value & ~SECCOMP_WAIT_KILLABLE;
	/*
	 * seccomp(2) refuses TSYNC together with NEW_LISTENER. init has only one thread, so TSYNC has no effect
	 * there.
	 */
	return (value | SECCOMP_FILTER_FLAG_NEW_LISTENER) & ~(uint32_t)SECCOMP_FILTER_FLAG_TSYNC;
}

/*
 * seccomp(2) checks the flags before it reads the program: a NULL program fails with EFAULT if it knows all
 * flags.
 */
static bool has_flags(uint32_t value)
{
	return k_call3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, value, NULL) == -EFAULT;
}

static bool has_flag(uint32_t value)
{
	return has_flags(value == SECCOMP_WAIT_KILLABLE ? value | SECCOMP_FILTER_FLAG_NEW_LISTENER : value);
}

/*
 * TSYNC has no effect in init, see seccomp_flags. With WAIT_KILLABLE_RECV no signal but a fatal one interrupts
 * a call that the recorder has received: without it such a call returns EINTR if the signal has a handler.
 */
uint32_t seccomp_observation_flags(uint32_t value)
{
	value = (value | SECCOMP_FILTER_FLAG_NEW_LISTENER) & ~(uint32_t)SECCOMP_FILTER_FLAG_TSYNC;
	return has_flags(value | SECCOMP_WAIT_KILLABLE) ? value | SECCOMP_WAIT_KILLABLE : value;
}

const char *seccomp_supported_flag_name(int index)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (has_flag(flags[i].value) && index-- == 0)
			return flags[i].name;
	return NULL;
}

static int check_action(enum spec_seccomp_action action, const char *json_pointer, struct err *err)
{
	uint32_t value = actions[action];
	int r = (int)k_call3(__NR_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &value);

	if (r >= 0)
		return 0;
	/* seccomp(2): EOPNOTSUPP; EINVAL and ENOSYS come from a kernel without the operation, or without
	 * filters. */
	if (r == -EOPNOTSUPP || r == -EINVAL || r == -ENOSYS) {
		err_set(err, ERR_UNSUPPORTED, 0, json_pointer, "this kernel does not have this seccomp action");
		return -EINVAL;
	}
	r = err_set(err, ERR_SYSTEM, r, json_pointer,
		    "cannot find out whether this kernel has this seccomp action");
	err_hint(err, "a seccomp filter around tare refuses seccomp(2): its profile has to allow it");
	return r;
}

int seccomp_check_kernel(const struct spec_seccomp *spec, struct err *err)
{
	uint32_t wanted = seccomp_flags(spec), checked = 1u << spec->default_action;
	int r = check_action(spec->default_action, "/linux/seccomp/defaultAction", err);
	char json_pointer[64];

	for (size_t i = 0; r >= 0 && i < spec->rule_count; i++) {
		if ((checked >> spec->rules[i].action & 1) != 0)
			continue;
		checked |= 1u << spec->rules[i].action;
		str_format(json_pointer, sizeof json_pointer, "/linux/seccomp/syscalls/%zu/action", i);
		r = check_action(spec->rules[i].action, json_pointer, err);
	}
	if (r < 0 || has_flags(wanted))
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if ((wanted & flags[i].value) != 0 && !has_flag(flags[i].value))
			return err_set(err, ERR_UNSUPPORTED, 0, "/linux/seccomp/flags",
				       "this kernel does not have %s", flags[i].name);
	return err_set(err, ERR_UNSUPPORTED, 0, "/linux/seccomp", "this kernel has no seccomp filters");
}
