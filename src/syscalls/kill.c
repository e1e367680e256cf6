/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kills a thread for a call that the filter kills for.
 *
 * SIGSYS from another process is not what the kernel does: a program can handle, block and ignore it, the first
 * process of a pid namespace never gets it, and it is always for the whole process. So the thread is made to
 * repeat its call with a mark in the last two arguments, for which the filter itself kills (tare/seccomp.h):
 * ptrace(2) stops it where the call returns, the answer to the notification is that the call has to be
 * restarted, and the registers of the two arguments are set meanwhile.
 */
#include <errno.h>
#include <elf.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <linux/audit.h>

#include "recorder.h"

#define ERESTARTNOINTR 513 /* include/linux/errno.h: never seen by programs, restarts the call */

#if defined(__x86_64__)
/* The registers of arguments 4 and 5: arch/x86/entry/calling.h; of int 0x80: edi and ebp. */
static int set_arguments(pid_t tid, uint32_t arch, uint32_t fourth, uint32_t fifth)
{
	bool is_i386 = arch == AUDIT_ARCH_I386;
	size_t first = is_i386 ? offsetof(struct user_regs_struct, rdi) : offsetof(struct user_regs_struct, r8);
	size_t second = is_i386 ? offsetof(struct user_regs_struct, rbp)
				: offsetof(struct user_regs_struct, r9);
	int r = recorder_trace(PTRACE_POKEUSER, tid, offsetof(struct user, regs) + first, fourth);

	return r < 0 ? r : recorder_trace(PTRACE_POKEUSER, tid, offsetof(struct user, regs) + second, fifth);
}
#else
/* Registers x4 and x5; for a 32-bit program the kernel gives 18 words: arch/arm64/kernel/ptrace.c. */
static int set_arguments(pid_t tid, uint32_t arch, uint32_t fourth, uint32_t fifth)
{
	union {
		uint64_t wide[34];
		uint32_t narrow[18];
	} registers;
	struct iovec vector = {.iov_base = &registers, .iov_len = sizeof registers};
	int r = recorder_trace(PTRACE_GETREGSET, tid, NT_PRSTATUS, (unsigned long)&vector);

	if (r < 0)
		return r;
	if (arch == AUDIT_ARCH_ARM) {
		registers.narrow[4] = fourth;
		registers.narrow[5] = fifth;
	} else {
		registers.wide[4] = fourth;
		registers.wide[5] = fifth;
	}
	return recorder_trace(PTRACE_SETREGSET, tid, NT_PRSTATUS, (unsigned long)&vector);
}
#endif

struct seccomp_data kill_marked(const struct seccomp_data *call, const struct seccomp_mark *mark,
				bool is_thread)
{
	struct seccomp_data marked = *call;

	marked.args[4] = mark->first + is_thread;
	marked.args[5] = mark->second;
	return marked;
}

/* No handler may run before the call is repeated: it could leave by longjmp(3). */
static void mark_thread(const struct seccomp_notif *notification, const struct seccomp_mark *mark,
			bool is_thread)
{
	uint64_t all = ~0ull;
	struct seccomp_data marked = kill_marked(&notification->data, mark, is_thread);
	pid_t tid = (pid_t)notification->pid;

	(void)!set_arguments(tid, notification->data.arch, (uint32_t)marked.args[4], (uint32_t)marked.args[5]);
	(void)!recorder_trace(PTRACE_SETSIGMASK, tid, sizeof all, (unsigned long)&all);
}

/*
 * The thread waits in a way that no signal but a fatal one interrupts (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV),
 * so if the answer is accepted, it is in that call.
 */
int kill_by_filter(int listener_fd, const struct seccomp_notif *notification, const struct seccomp_mark *mark,
		   bool is_thread)
{
	struct seccomp_notif_resp restart = {.id = notification->id, .error = -ERESTARTNOINTR};
	pid_t tid = (pid_t)notification->pid;
	int status = 0, answered, r = recorder_trace(PTRACE_SEIZE, tid, 0, 0);

	if (r < 0)
		return r;
	(void)!recorder_trace(PTRACE_INTERRUPT, tid, 0, 0);
	answered = k_ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &restart);
	do
		r = (int)k_call4(__NR_wait4, tid, &status, __WALL, NULL);
	while (r == -EINTR);
	if (r < 0 || !WIFSTOPPED(status))
		return 0;
	if (answered >= 0)
		mark_thread(notification, mark, is_thread);
	(void)!recorder_trace(PTRACE_DETACH, tid, 0, 0);
	return 0;
}

/* tkill(2), because a pidfd needs the pid of the process; the id proves that the thread still is that one. */
void kill_by_signal(int listener_fd, const struct seccomp_notif *notification)
{
	if (k_ioctl(listener_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &notification->id) >= 0)
		k_call2(__NR_tkill, (pid_t)notification->pid, SIGKILL);
}
