/* SPDX-License-Identifier: Apache-2.0 */
/* clone(2) and clone3(2) of a child that shares this process's memory. */
#include <tare/base.h>

/*
 * A seccomp filter can make the call return 0 in this process itself, on the current stack. The alignment of
 * that is unknown here.
 */
long clone_onto_stack(const struct clone_call *call, int (*function)(void *), void *arg)
{
#if defined(__x86_64__)
	long ret;
	register long r10 __asm__("r10") = call->arguments[3];
	/* Without CLONE_SETTLS, clone(2) ignores r8. */
	register int (*r8)(void *) __asm__("r8") = function;
	register void *r9 __asm__("r9") = arg;

	__asm__ volatile("syscall\n"
			 "test %%rax, %%rax\n"
			 "jnz 1f\n"
			 "xor %%ebp, %%ebp\n"
			 "and $-16, %%rsp\n"
			 "mov %%r9, %%rdi\n"
			 "call *%%r8\n"
			 "mov %%eax, %%edi\n"
			 "mov %[exit], %%eax\n"
			 "syscall\n"
			 "1:\n"
			 : "=a"(ret)
			 : "a"(call->number), "D"(call->arguments[0]), "S"(call->arguments[1]),
			   "d"(call->arguments[2]), "r"(r10), "r"(r8), "r"(r9), [exit] "i"(__NR_exit)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = call->number;
	register long x0 __asm__("x0") = call->arguments[0];
	register long x1 __asm__("x1") = call->arguments[1];
	register long x2 __asm__("x2") = call->arguments[2];
	/* Here child_tid is the fifth argument of clone(2), and the fourth is ignored without CLONE_SETTLS. */
	register long x3 __asm__("x3") = 0;
	register long x4 __asm__("x4") = call->arguments[3];
	register int (*x10)(void *) __asm__("x10") = function;
	register void *x11 __asm__("x11") = arg;

	__asm__ volatile("svc 0\n"
			 "cbnz x0, 1f\n"
			 "mov x29, #0\n"
			 "mov x0, x11\n"
			 "blr x10\n"
			 "mov x8, %[exit]\n"
			 "svc 0\n"
			 "1:\n"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x10),
			   "r"(x11), [exit] "i"(__NR_exit)
			 : "memory", "x30");
	return x0;
#endif
}
