/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refuse NAME[&MASK[:VALUE]]=ERRNO... -- COMMAND...: executes the command under a seccomp filter that refuses
 * the system calls of these names with that errno, with &MASK only if their first argument has one of these
 * bits, with :VALUE only if these bits have that value.
 * As container engines do it, no process can remove the filter again. With NAME=notify the filter has a
 * listener, which the command inherits and which answers no call.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "refuse: %s: %s\n", what, strerror(errno));
	return 1;
}

static int add_rule(scmp_filter_ctx filter, char *rule)
{
	char *number = strchr(rule, '='), *bits = strchr(rule, '&');
	char *end = number;
	unsigned long mask = bits == NULL ? 0 : strtoul(bits + 1, &end, 0);
	uint32_t action = strcmp(number + 1, "notify") == 0 ? SCMP_ACT_NOTIFY
							    : SCMP_ACT_ERRNO((unsigned int)atoi(number + 1));
	int call, r = 0;

	*number = '\0';
	if (bits != NULL)
		*bits = '\0';
	call = seccomp_syscall_resolve_name(rule);
	if (bits == NULL)
		return seccomp_rule_add(filter, action, call, 0);
	if (*end == ':')
		return seccomp_rule_add(filter, action, call, 1,
					SCMP_A0(SCMP_CMP_MASKED_EQ, mask, strtoul(end + 1, NULL, 0)));
	for (unsigned long bit = 1; r == 0 && bit != 0; bit <<= 1)
		if ((mask & bit) != 0)
			r = seccomp_rule_add(filter, action, call, 1, SCMP_A0(SCMP_CMP_MASKED_EQ, bit, bit));
	return r;
}

int main(int argc, char **argv)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int at = 1, listener_fd;

	/* With CAP_SYS_ADMIN the filter needs no no_new_privs, which newuidmap would not survive. */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
	for (; at < argc && strcmp(argv[at], "--") != 0; at++)
		if (strchr(argv[at], '=') == NULL || add_rule(filter, argv[at]) != 0)
			return fail(argv[at]);
	errno = -seccomp_load(filter);
	if (errno != 0)
		return fail("cannot install the filter");
	listener_fd = seccomp_notify_fd(filter);
	if (listener_fd >= 0 && fcntl(listener_fd, F_SETFD, 0) < 0)
		return fail("cannot keep the listener");
	if (at + 1 < argc)
		execvp(argv[at + 1], argv + at + 1);
	return fail(at + 1 < argc ? argv[at + 1] : "no command");
}
