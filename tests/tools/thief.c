/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thief FILE: a process of a container that tries to obtain descriptors of the runtime's processes in its pid
 * namespace. It has no capability for that, and needs none unless these processes are non-dumpable. Over each
 * socket that it obtains it sends the parent a false message (include/tare/protocol.h): that its own process 1
 * is the new init. It writes a line "met PID" for each process of the runtime, "took PID FD LINK" for each
 * descriptor that it obtained, and "end" once /tmp/stop exists.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tare/protocol.h>

#define PIDS_BACK 40 /* how many pids it tries, back from the newest one */
#define FD_MAX 40

static FILE *report;

static void send_false_message(int socket_fd)
{
	struct protocol_message message = {.magic = 0x74617265, .step = STEP_INIT_STARTED, .value = 1};

	send(socket_fd, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void report_descriptor(int pid, int number, int fd)
{
	char path[64], link[256] = "?";
	ssize_t len;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	len = readlink(path, link, sizeof link - 1);
	link[len < 0 ? 0 : len] = '\0';
	fprintf(report, "took %d %d %s\n", pid, number, link);
	if (strncmp(link, "socket", 6) == 0)
		send_false_message(fd);
	close(fd);
}

static int is_runtime(int pid)
{
	char path[64], comm[32] = "";
	int fd;

	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return 0;
	if (read(fd, comm, sizeof comm - 1) < 0)
		comm[0] = '\0';
	close(fd);
	/* The name of the memfd that it was executed from, or the name that it gave itself. */
	return strncmp(comm, "memfd:", 6) == 0 || strcmp(comm, "tare:init\n") == 0;
}

static void copy_descriptors(int pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	fprintf(report, "met %d\n", pid);
	for (int number = 3; number < FD_MAX; number++) {
		char path[64];
		int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);

		if (fd >= 0)
			report_descriptor(pid, number, fd);
		snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, number);
		fd = open(path, O_RDONLY | O_NONBLOCK);
		if (fd >= 0)
			report_descriptor(pid, number, fd);
	}
	if (pidfd >= 0)
		close(pidfd);
}

int main(int argc, char **argv)
{
	report = argc == 2 ? fopen(argv[1], "we") : NULL;
	if (report == NULL)
		return 2;
	setvbuf(report, NULL, _IOLBF, 0);
	while (access("/tmp/stop", F_OK) != 0) {
		char text[128] = "";
		int fd = open("/proc/loadavg", O_RDONLY), newest;

		if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
			return 2;
		close(fd);
		newest = atoi(strrchr(text, ' ') + 1);
		for (int pid = newest + 2; pid > 1 && pid > newest - PIDS_BACK; pid--)
			if (pid != getpid() && is_runtime(pid))
				copy_descriptors(pid);
	}
	fputs("end\n", report);
	return fclose(report) != 0;
}
