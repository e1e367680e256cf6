/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that does not return on failure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tare/base.h>

static void *mem_check(void *ptr)
{
	if (ptr == NULL) {
		fputs("tare: out of memory\n", stderr);
		_Exit(1);
	}
	return ptr;
}

void *mem_alloc(size_t size)
{
	return mem_check(calloc(1, size == 0 ? 1 : size));
}

void *mem_resize(void *ptr, size_t size)
{
	return mem_check(realloc(ptr, size == 0 ? 1 : size));
}

char *mem_dup(const char *s)
{
	return mem_check(strdup(s));
}

char *mem_format(const char *fmt, ...)
{
	char *text = NULL;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	return mem_check(len < 0 ? NULL : text);
}

void mem_free(void *ptr_to_ptr)
{
	void **ptr = ptr_to_ptr;

	free(*ptr);
	*ptr = NULL;
}
