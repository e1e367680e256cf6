/* SPDX-License-Identifier: Apache-2.0 */
/* Tries whether the caller can use user namespaces. */
#include <errno.h>
#include <sched.h>

#include <tare/probe.h>

/* A detached tmpfs: needs CAP_SYS_ADMIN in the mount namespace, and changes nothing. */
static int mount_tmpfs(const void *context, struct err *err)
{
	_cleanup_fd_ int fd = k_fsopen("tmpfs", FSOPEN_CLOEXEC), mount_fd = -1;
	int r = fd;

	(void)context;
	if (r >= 0)
		r = k_fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r >= 0)
		r = mount_fd = k_fsmount(fd, FSMOUNT_CLOEXEC, 0);
	return r < 0 ? err_system(err, r, "cannot mount a tmpfs in a new user namespace") : 0;
}

int probe_user_namespace(struct err *err)
{
	const struct probe_trial namespace = {.namespaces = CLONE_NEWUSER | CLONE_NEWNS, .run = mount_tmpfs};
	int r = probe_try(&namespace, err);

	if ((r == -EPERM || r == -EACCES) && err->hint[0] == '\0')
		probe_hint_no_user_namespace(err);
	return r;
}
