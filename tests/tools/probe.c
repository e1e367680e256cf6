/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe CALL...: makes system calls and writes a line "NUMBER RESULT ERRNO" for each. An argument is a number,
 * or NUMBER:ARG0:ARG1... with up to six arguments. After its start it makes no other call but write and
 * exit_group. A number with the prefix "i" is an i386 call without arguments, made by this x86-64 program.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Like syscall(3), with the machine's other system call table. */
static long call_i386(long number)
{
#ifdef __x86_64__
	int r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"((int)number), "b"(0), "c"(0), "d"(0), "S"(0), "D"(0)
			 : "memory");
	errno = r < 0 ? -r : 0;
	return r < 0 ? -1 : r;
#else
	(void)number;
	errno = ENOSYS;
	return -1;
#endif
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		unsigned long v[7] = {0};
		char *at = argv[i], line[128];
		long r;
		int len;
		bool is_i386 = *at == 'i';

		at += is_i386;
		for (int k = 0; k < 7 && *at != '\0'; k++) {
			v[k] = strtoul(at, &at, 0);
			at += *at == ':';
		}
		errno = 0;
		r = is_i386 ? call_i386((long)v[0]) : syscall((long)v[0], v[1], v[2], v[3], v[4], v[5], v[6]);
		len = snprintf(line, sizeof line, "%lu %ld %d\n", v[0], r, errno);
		if (syscall(SYS_write, 1, line, (size_t)len) != len)
			_exit(1);
	}
	_exit(0);
}
