/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a pidfd's process: whether it exits, and whether it has executed a program. Process: the parent
 * or the starter, with the caller's privileges.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <tare/await.h>
#include <tare/parent.h>
#include <tare/protocol.h>

#define KILL_TIMEOUT_MS 100  /* until a process that was killed is PF_EXITING; it may also not exit at all */
#define EXIT_TIMEOUT_MS 5000 /* for a process that has begun to exit */

uint64_t pidfd_process_flags(pid_t pid, bool *ret_is_init)
{
	static const char name[] = " (" PROTOCOL_INIT_NAME ")";
	char path[32], text[1024], *at;

	*ret_is_init = false;
	str_format(path, sizeof path, "/proc/%d/stat", pid);
	if (io_read_small(AT_FDCWD, path, 0, text, sizeof text) < 0)
		return 0;
	/* The name can contain any byte. After it are state, ppid, pgrp, session, tty_nr and tpgid. */
	at = strrchr(text, ')');
	*ret_is_init = at != NULL && at + 2 - text > (ptrdiff_t)sizeof name &&
		       strncmp(at + 2 - sizeof name, name, sizeof name - 1) == 0;
	for (int i = 0; i < 7 && at != NULL; i++)
		at = strchr(at + 1, ' ');
	return at == NULL ? 0 : strtoull(at, NULL, 10);
}

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
	struct await await = {-1, 0, pidfd, signal_fd, KILL_TIMEOUT_MS};
	int r = pidfd < 0 ? 0 : await_any(&await);
	pid_t pid = r == 0 ? pidfd_pid(pidfd) : 0;
	bool is_init;

	if (pid > 0 && (pidfd_process_flags(pid, &is_init) & PF_EXITING) != 0) {
		await.timeout_ms = EXIT_TIMEOUT_MS;
		r = await_any(&await);
	}
	return r > 0 && (r & AWAIT_ENDED) != 0;
}
