/* SPDX-License-Identifier: Apache-2.0 */
/* Names of sysctls, and the namespaces that they belong to. */
#include <errno.h>
#include <string.h>

#include <tare/spec.h>

/* PATH_MAX: no name below /proc/sys is longer. */
#define KEY_MAX 4096

/*
 * The first separator decides, as in sysctl(8). If it is a dot, dots separate components and a slash means a
 * dot within a component (net.ipv4.conf.eth0/1.forwarding). If it is a slash, the key already is a path.
 */
int spec_sysctl_path(const char *key, char *ret, size_t size)
{
	size_t len = strlen(key), component = 0;
	bool has_dots = key[strcspn(key, "./")] == '.';

	if (len == 0 || len >= size)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		ret[i] = key[i];
		if (has_dots && (key[i] == '.' || key[i] == '/'))
			ret[i] = key[i] == '.' ? '/' : '.';
	}
	ret[len] = '\0';
	for (size_t at = 0; at <= len; at += component + 1) {
		component = strcspn(ret + at, "/");
		if (component <= 2 && strncmp(ret + at, "..", component) == 0)
			return -EINVAL;
	}
	return 0;
}

static bool is_one_of(const char *path, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(path, names[i]) == 0)
			return true;
	return false;
}

int spec_sysctl_owner(const char *key)
{
	static const char *const ipc[] = {
		"kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem",
		"kernel/shmall", "kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced",
	};
	char path[KEY_MAX];

	if (spec_sysctl_path(key, path, sizeof path) < 0)
		return SPEC_SYSCTL_FORBIDDEN;
	if (is_one_of(path, ipc, ARRAY_SIZE(ipc)) || str_has_prefix(path, "fs/mqueue/"))
		return SPEC_NS_IPC;
	if (str_has_prefix(path, "net/"))
		return SPEC_NS_NETWORK;
	if (str_has_prefix(path, "user/"))
		return SPEC_NS_USER;
	if (strcmp(path, "kernel/domainname") == 0)
		return SPEC_NS_UTS;
	return SPEC_SYSCTL_FORBIDDEN;
}
