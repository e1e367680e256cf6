/* SPDX-License-Identifier: Apache-2.0 */
/* Names of signals (signal(7)). */
#include <signal.h>
#include <string.h>

#include <tare/base.h>

/* Of two names for one number, signal_name returns the first. */
static const struct {
	const char *name;
	int number;
} signals[] = {
	{"HUP", SIGHUP},   {"INT", SIGINT},       {"QUIT", SIGQUIT}, {"ILL", SIGILL},       {"TRAP", SIGTRAP},
	{"ABRT", SIGABRT}, {"IOT", SIGIOT},       {"BUS", SIGBUS},   {"FPE", SIGFPE},       {"KILL", SIGKILL},
	{"USR1", SIGUSR1}, {"SEGV", SIGSEGV},     {"USR2", SIGUSR2}, {"PIPE", SIGPIPE},     {"ALRM", SIGALRM},
	{"TERM", SIGTERM}, {"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD}, {"CLD", SIGCHLD},      {"CONT", SIGCONT},
	{"STOP", SIGSTOP}, {"TSTP", SIGTSTP},     {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},     {"URG", SIGURG},
	{"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ},     {"PROF", SIGPROF}, {"WINCH", SIGWINCH},   {"IO", SIGIO},
	{"POLL", SIGPOLL}, {"PWR", SIGPWR},       {"SYS", SIGSYS},   {"VTALRM", SIGVTALRM},
};

/* signal(7): the kernel's real-time range begins at 32; the C library keeps the first two for itself. */
static int signal_realtime(const char *name)
{
	uint64_t offset;

	if (strcmp(name, "RTMIN") == 0)
		return SIGRTMIN;
	if (strcmp(name, "RTMAX") == 0)
		return SIGRTMAX;
	if (str_has_prefix(name, "RTMIN+") && str_to_u64(name + 6, (uint64_t)(SIGRTMAX - SIGRTMIN), &offset))
		return SIGRTMIN + (int)offset;
	if (str_has_prefix(name, "RTMAX-") && str_to_u64(name + 6, (uint64_t)(SIGRTMAX - SIGRTMIN), &offset))
		return SIGRTMAX - (int)offset;
	return -1;
}

int signal_number(const char *text)
{
	char name[16];
	uint64_t number;
	size_t len = strlen(text);

	if (str_to_u64(text, 64, &number))
		return (int)number;
	if (len >= sizeof name)
		return -1;
	for (size_t i = 0; i <= len; i++)
		name[i] = (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 'a' + 'A' : text[i]);
	text = str_has_prefix(name, "SIG") ? name + 3 : name;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (str_equal(signals[i].name, text))
			return signals[i].number;
	return signal_realtime(text);
}

const char *signal_name(int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (signals[i].number == number)
			return signals[i].name;
	return NULL;
}
