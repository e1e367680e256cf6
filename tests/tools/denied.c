/* SPDX-License-Identifier: Apache-2.0 */
/*
 * denied MODE: makes calls that a filter denies, and prints what a program can see of that: mkdir(2) fails with
 * an errno, rmdir(2) kills the process, unlink(2) kills the thread.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALLS 3000
#define FLOOD 200

static sigjmp_buf place;
static volatile sig_atomic_t alarms;

static void on_signal(int signal)
{
	(void)signal;
	alarms++;
}

static void on_alarm(int signal)
{
	(void)signal;
	siglongjmp(place, 1);
}

static void wait_for(pid_t pid, const char *text)
{
	int status;

	if (waitpid(pid, &status, 0) < 0)
		perror("waitpid");
	else if (WIFSIGNALED(status))
		printf("%s: signal %d\n", text, WTERMSIG(status));
	else
		printf("%s: status %d\n", text, WEXITSTATUS(status));
	fflush(stdout);
}

/* What a process that is killed has done about SIGSYS makes no difference. */
static void kill_with(const char *text, void (*handler)(int), int is_blocked)
{
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t set;

		signal(SIGSYS, handler);
		sigemptyset(&set);
		sigaddset(&set, SIGSYS);
		sigprocmask(is_blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
		syscall(SYS_rmdir, "/none");
		_exit(1);
	}
	wait_for(pid, text);
}

static void *unlink_in_thread(void *unused)
{
	(void)unused;
	syscall(SYS_unlink, "/none");
	puts("the thread lives");
	exit(1);
}

static void kill_thread(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, unlink_in_thread, NULL);
		pthread_join(thread, NULL);
		_exit(7);
	}
	wait_for(pid, "one thread of two");
	pid = fork();
	if (pid == 0) {
		syscall(SYS_unlink, "/none");
		_exit(1);
	}
	wait_for(pid, "the only thread");
}

/* A handler that leaves by siglongjmp does not save a process, however often it runs. */
static void kill_with_alarms(void)
{
	struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGALRM, on_alarm);
		if (sigsetjmp(place, 1) == 0) {
			setitimer(ITIMER_REAL, &often, NULL);
			for (;;)
				pause();
		}
		setitimer(ITIMER_REAL, &never, NULL);
		syscall(SYS_rmdir, "/none");
		_exit(1);
	}
	wait_for(pid, "after a handler");
}

static void fail_often(void)
{
	int wrong = 0;

	for (int i = 0; i < CALLS; i++)
		wrong += syscall(SYS_mkdir, "/none", 0700) != -1 || errno != EACCES;
	printf("%d of %d wrong\n", wrong, CALLS);
}

static void *fail_in_thread(void *unused)
{
	(void)unused;
	fail_often();
	return NULL;
}

static void fail_in_threads(void)
{
	pthread_t threads[8];

	for (size_t i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, fail_in_thread, NULL);
	for (size_t i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
}

/* Signals with SA_RESTART while calls are denied. */
static void fail_with_signals(void)
{
	struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};

	signal(SIGALRM, on_signal);
	setitimer(ITIMER_REAL, &often, NULL);
	fail_often();
	setitimer(ITIMER_REAL, &never, NULL);
	printf("signals: %s\n", alarms > 0 ? "yes" : "no");
}

static void fail_by_names(void)
{
	char name[16];

	for (int i = 0; i < CALLS; i++) {
		snprintf(name, sizeof name, "n%d", i);
		prctl(PR_SET_NAME, name);
		syscall(SYS_mkdir, "/none", 0700);
	}
}

#ifdef __x86_64__
/* A call of an architecture that the filter does not know: mkdir of i386. */
static void kill_i386(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		long r = 39;

		__asm__ volatile("int $0x80" : "+a"(r) : "b"(0), "c"(0) : "memory", "r8", "r9", "r10", "r11");
		_exit(1);
	}
	wait_for(pid, "i386");
}
#else
static void kill_i386(void)
{
	puts("i386: signal 31");
}
#endif

/* Reports that it has made FLOOD calls, and makes more of them. */
static void fail_without_end(void)
{
	for (int i = 0; i < FLOOD; i++)
		syscall(SYS_mkdir, "/none", 0700);
	printf("flooding\n");
	fflush(stdout);
	for (;;)
		syscall(SYS_mkdir, "/none", 0700);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (strcmp(mode, "names") == 0) {
		fail_by_names();
	} else if (strcmp(mode, "flood") == 0) {
		fail_without_end();
	} else if (strcmp(mode, "rmdir") == 0) {
		syscall(SYS_rmdir, "/none");
	} else if (strcmp(mode, "unlink") == 0) {
		syscall(SYS_unlink, "/none");
	} else {
		fail_often();
		fail_in_threads();
		fail_with_signals();
		kill_with("default", SIG_DFL, 0);
		kill_with("handled", on_signal, 0);
		kill_with("ignored", SIG_IGN, 0);
		kill_with("blocked", SIG_DFL, 1);
		kill_thread();
		kill_with_alarms();
		kill_i386();
	}
	return 0;
}
