/* SPDX-License-Identifier: Apache-2.0 */
/* What a pidfd leads to: whether it is dying, and how far it has come. Process: any of the caller's. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <tare/await.h>
#include <tare/parent.h>
#include <tare/protocol.h>

#define SOON_MS 100         /* from somebody's SIGKILL to the end of a process that has nothing to wait for */
#define END_TIMEOUT_MS 5000 /* of a process that has lost its descriptors */

/* The kernel's PF_* of a process, and whether it has init's name; 0 if there is none, or it may not be seen. */
uint64_t pidfd_process_flags(pid_t pid, bool *ret_is_init)
{
	static const char name[] = " (" PROTOCOL_INIT_NAME ")";
	char path[32], text[1024], *at;

	*ret_is_init = false;
	str_format(path, sizeof path, "/proc/%d/stat", pid);
	if (io_read_small(AT_FDCWD, path, 0, text, sizeof text) < 0)
		return 0;
	/* Its name may have anything in it; behind that come state, ppid, pgrp, session, tty_nr and tpgid. */
	at = strrchr(text, ')');
	*ret_is_init = at != NULL && at + 2 - text > (ptrdiff_t)sizeof name &&
		       strncmp(at + 2 - sizeof name, name, sizeof name - 1) == 0;
	for (int i = 0; i < 7 && at != NULL; i++)
		at = strchr(at + 1, ' ');
	return at == NULL ? 0 : strtoull(at, NULL, 10);
}

/* proc_pid_fdinfo(5); 0 once it has been waited for. */
pid_t pidfd_pid(int pidfd)
{
	char path[40], text[512];
	const char *at;

	str_format(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
	if (io_read_small(AT_FDCWD, path, 0, text, sizeof text) < 0)
		return 0;
	at = strstr(text, "\nPid:");
	return at == NULL ? 0 : (pid_t)strtol(at + strlen("\nPid:"), NULL, 10);
}

bool pidfd_is_dying(int pidfd)
{
	_cleanup_fd_ int signal_fd = await_signals();
	struct await await = {-1, 0, pidfd, signal_fd, SOON_MS};
	int r = pidfd < 0 ? 0 : await_any(&await);
	pid_t pid = r == 0 ? pidfd_pid(pidfd) : 0;
	bool is_init;

	if (pid > 0 && (pidfd_process_flags(pid, &is_init) & PF_EXITING) != 0) {
		await.timeout_ms = END_TIMEOUT_MS;
		r = await_any(&await);
	}
	return r > 0 && (r & AWAIT_ENDED) != 0;
}
