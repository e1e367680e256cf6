/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first instructions of init, the program of exec and the watcher. These programs have no C library,
 * because a small program is read, copied into a memfd and executed in a fraction of the time that a C library
 * needs to initialize itself.
 */
#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include <tare/freestanding.h>

#ifdef TARE_INIT_HOSTED
int main(int argc, char **argv)
{
	freestanding_main(argc, argv);
}
#else

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
 * The program is position-independent (for ASLR) and has no dynamic loader, so it applies its own relocations
 * before any code uses a relocated address. base is the address at which the kernel loaded the program.
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
	freestanding_main(argc, argv);
}
#endif
