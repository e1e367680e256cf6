/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs while tare is built: prints the names of all capabilities that libcap knows, in the order of their
 * numbers, as rows of an array in C. A program that links libcap searches for the kernel's last capability
 * before main begins, with six system calls. tare needs the names alone, and not at that cost.
 */
#include <ctype.h>
#include <stdio.h>
#include <sys/capability.h>

#define CAPABILITIES 64 /* the bits of a set (capget(2)) */

int main(void)
{
	for (cap_value_t capability = 0; capability < CAPABILITIES; capability++) {
		char *name = cap_to_name(capability);

		if (name == NULL)
			return 1;
		/* libcap prints the number of a capability that it does not know. */
		if (isdigit((unsigned char)name[0]))
			return cap_free(name) != 0 || capability == 0;
		putchar('"');
		for (const char *c = name; *c != '\0'; c++)
			putchar(toupper((unsigned char)*c));
		puts("\",");
		cap_free(name);
	}
	return fflush(stdout) != 0;
}
