/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holder PID FILE: duplicates each socket of a process, writes their number to FILE, and keeps them open until
 * it is killed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FD_MAX 64

int main(int argc, char **argv)
{
	int pidfd, count = 0;
	FILE *report;

	if (argc != 3)
		return 2;
	pidfd = (int)syscall(SYS_pidfd_open, atoi(argv[1]), 0);
	for (int number = 0; number < FD_MAX; number++) {
		int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
		struct stat st;

		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
			count++;
		else
			close(fd);
	}
	report = fopen(argv[2], "w");
	if (report == NULL)
		return 1;
	fprintf(report, "%d\n", count);
	fclose(report);
	pause();
	return 0;
}
