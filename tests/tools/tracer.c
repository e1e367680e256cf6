/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracer FILE: a process of a container with CAP_SYS_PTRACE. It seizes new processes of the container and
 * inspects their rights. It writes "caught PID COMM" for a process that has not executed its program yet,
 * "excess PID CAPS" for capabilities outside of its own bounding set, "host PID LINK" for an open descriptor or
 * a program that is a file of the host, and "end" once /tmp/stop exists.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned long long own;

static unsigned long long capabilities(int pid)
{
	char path[64], line[256];
	unsigned long long value = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (sscanf(line, "CapPrm: %llx", &value) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return value;
}

static void inspect_link(FILE *out, int pid, const char *name)
{
	char path[300], target[4096];
	ssize_t len;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	len = readlink(path, target, sizeof target - 1);
	if (len <= 0)
		return;
	target[len] = '\0';
	/* A memfd is no file of the host, and paths of the container can be opened in it. */
	if (target[0] != '/' || strncmp(target, "/memfd:", 7) == 0 || strncmp(target, "/dev/", 5) == 0)
		return;
	if (strstr(target, "tare") != NULL || access(target, F_OK) != 0)
		fprintf(out, "host %d %s -> %s\n", pid, name, target);
}

static void inspect(FILE *out, int pid)
{
	char path[64], comm[32] = "";
	unsigned long long caps = capabilities(pid);
	DIR *dir;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY);
	if (fd >= 0 && read(fd, comm, sizeof comm - 1) > 0)
		comm[strcspn(comm, "\n")] = '\0';
	close(fd);
	if (strcmp(comm, "true") != 0)
		fprintf(out, "caught %d %s\n", pid, comm);
	if ((caps & ~own) != 0)
		fprintf(out, "excess %d %llx\n", pid, caps);
	inspect_link(out, pid, "exe");
	inspect_link(out, pid, "cwd");
	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	dir = opendir(path);
	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
		char name[300];

		snprintf(name, sizeof name, "fd/%s", e->d_name);
		if (atoi(e->d_name) > 2)
			inspect_link(out, pid, name);
	}
	if (dir != NULL)
		closedir(dir);
	fflush(out);
}

/* The last pid that was assigned in this pid namespace, see proc(5). */
static int last_pid(void)
{
	FILE *file = fopen("/proc/loadavg", "r");
	int pid = 0;

	if (file == NULL || fscanf(file, "%*s %*s %*s %*s %d", &pid) != 1)
		pid = 0;
	if (file != NULL)
		fclose(file);
	return pid;
}

/*
 * Pids are assigned in ascending order, so the next ones are tried without waiting until /proc shows them. If
 * that has missed some, it continues at the last assigned pid.
 */
int main(int argc, char **argv)
{
	int self = getpid(), next = self + 1;
	FILE *out;

	if (argc != 2 || (out = fopen(argv[1], "w")) == NULL)
		return 2;
	own = capabilities(self);
	while (access("/tmp/stop", F_OK) != 0) {
		int last = last_pid();

		if (last > next)
			next = last;
		for (int pid = next; pid < next + 3; pid++) {
			int status;

			if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0)
				continue;
			ptrace(PTRACE_INTERRUPT, pid, 0, 0);
			waitpid(pid, &status, __WALL);
			inspect(out, pid);
			ptrace(PTRACE_DETACH, pid, 0, 0);
			next = pid + 1;
			break;
		}
	}
	fprintf(out, "end\n");
	fclose(out);
	while (1)
		pause();
}
