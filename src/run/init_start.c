/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first instructions of init, and the four functions that compilers call on their own. init has no C
 * library: what runs where a container can see it is small enough to be read, copied into a memfd and
 * executed in a fraction of the time that a C library needs for its own start.
 */
#include "init.h"

#include <elf.h>
#include <stdint.h>
#include <string.h>

#ifdef TARE_INIT_HOSTED
int main(int argc, char **argv)
{
	init_main(argc, argv);
}
#else

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	char *t = to;
	const char *f = from;

	while (size-- > 0)
		*t++ = *f++;
	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	char *t = to;
	const char *f = from;

	if (t < f)
		return memcpy(to, from, size);
	while (size-- > 0)
		t[size] = f[size];
	return to;
}

void *memset(void *to, int value, size_t size)
{
	char *t = to;

	while (size-- > 0)
		*t++ = (char)value;
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;

	for (; size > 0; size--, x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}

size_t strlen(const char *s)
{
	size_t len = 0;

	while (s[len] != '\0')
		len++;
	return len;
}

size_t strnlen(const char *s, size_t max)
{
	size_t len = 0;

	while (len < max && s[len] != '\0')
		len++;
	return len;
}

int strncmp(const char *a, const char *b, size_t size)
{
	for (; size > 0; size--, a++, b++) {
		if (*a != *b)
			return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
		if (*a == '\0')
			return 0;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (*s == '\0')
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	do
		if (*s == (char)c)
			found = s;
	while (*s++ != '\0');
	return (char *)(uintptr_t)found;
}

size_t strspn(const char *s, const char *accept)
{
	size_t len = 0;

	while (s[len] != '\0' && strchr(accept, s[len]) != NULL)
		len++;
	return len;
}

size_t strcspn(const char *s, const char *reject)
{
	size_t len = 0;

	while (s[len] != '\0' && strchr(reject, s[len]) == NULL)
		len++;
	return len;
}

#if defined(__x86_64__)
__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	lea _DYNAMIC(%rip), %rsi\n"
	"	and $-16, %rsp\n"
	"	call start_c\n");
#define RELATIVE R_X86_64_RELATIVE
#elif defined(__aarch64__)
__asm__(".globl _start\n"
	"_start:\n"
	"	mov x29, #0\n"
	"	mov x0, sp\n"
	"	adrp x1, _DYNAMIC\n"
	"	add x1, x1, #:lo12:_DYNAMIC\n"
	"	and sp, x0, #-16\n"
	"	bl start_c\n");
#define RELATIVE R_AARCH64_RELATIVE
#endif

/*
 * The program is position-independent (for ASLR) and has no loader, so it adds its own address to its tables
 * before anything uses them. dynamic - its link-time address is that address.
 */
static void relocate(const Elf64_Dyn *dynamic, uintptr_t base)
{
	const Elf64_Rela *rows = NULL;
	size_t size = 0;

	for (; dynamic->d_tag != DT_NULL; dynamic++) {
		if (dynamic->d_tag == DT_RELA)
			rows = (const Elf64_Rela *)(base + dynamic->d_un.d_ptr);
		else if (dynamic->d_tag == DT_RELASZ)
			size = dynamic->d_un.d_val;
	}
	for (size_t i = 0; i < size / sizeof *rows; i++)
		if (ELF64_R_TYPE(rows[i].r_info) == RELATIVE)
			*(uintptr_t *)(base + rows[i].r_offset) = base + (uintptr_t)rows[i].r_addend;
}

extern const char image_base[] __asm__("__ehdr_start") __attribute__((visibility("hidden")));

__attribute__((noreturn, used)) void start_c(uintptr_t *stack, const Elf64_Dyn *dynamic);
void start_c(uintptr_t *stack, const Elf64_Dyn *dynamic)
{
	int argc = (int)stack[0];
	char **argv = (char **)(stack + 1);

	relocate(dynamic, (uintptr_t)image_base);
	init_main(argc, argv);
}
#endif
