/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hijack DIRECTORY: a process of a container with CAP_SYS_PTRACE. It stops the first process of its pid
 * namespace in the middle of a system call, and makes it call mkdir(2) instead. Prints "made" or "refused",
 * unless that process is killed, and this one with it. For x86-64.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#define SYSCALL_LENGTH 2 /* bytes of the instruction */
#define BELOW_STACK 512  /* bytes, more than the red zone */

#ifdef __x86_64__
static int redirect(const char *path)
{
	struct user_regs_struct registers, saved;
	struct iovec local = {(void *)path, strlen(path) + 1}, remote;

	if (ptrace(PTRACE_SEIZE, 1, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, 1, 0, 0) < 0 ||
	    waitpid(1, NULL, __WALL) != 1 || ptrace(PTRACE_GETREGS, 1, 0, &registers) < 0)
		return -1;
	registers.orig_rax = (unsigned long long)-1; /* the interrupted call is not restarted */
	saved = registers;
	registers.rip -= SYSCALL_LENGTH;
	registers.rax = SYS_mkdir;
	registers.rdi = registers.rsp - BELOW_STACK;
	registers.rsi = 0700;
	remote = (struct iovec){(void *)registers.rdi, local.iov_len};
	if (process_vm_writev(1, &local, 1, &remote, 1, 0) < 0 ||
	    ptrace(PTRACE_SETREGS, 1, 0, &registers) < 0 || ptrace(PTRACE_SINGLESTEP, 1, 0, 0) < 0)
		return -1;
	if (waitpid(1, NULL, __WALL) != 1)
		return -1;
	saved.rax = (unsigned long long)-EINTR;
	return ptrace(PTRACE_SETREGS, 1, 0, &saved) < 0 || ptrace(PTRACE_DETACH, 1, 0, 0) < 0 ? -1 : 0;
}
#else
static int redirect(const char *path)
{
	(void)path;
	return -1;
}
#endif

int main(int argc, char **argv)
{
	struct stat st;

	if (argc != 2 || redirect(argv[1]) < 0) {
		perror("cannot redirect process 1");
		return 2;
	}
	puts(stat(argv[1], &st) == 0 ? "made" : "refused");
	return 0;
}
