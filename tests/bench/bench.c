/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench ROUNDS [--json] NAME COMMAND [ARG...] -- NAME COMMAND ...: runs several commands alternately, many
 * times, and prints their medians and the ratios to the first one. Alternately, because the speed of a shared
 * machine changes within seconds. Medians, because noise only makes runs slower. A "%" in an argument becomes
 * the number of the run, for names that must be new.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 16

struct command {
	const char *name;
	char **args;
	double *wall, *cpu; /* microseconds */
	long faults;
	int failures;
};

static double seconds(struct timeval t)
{
	return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

static void run_once(struct command *c, int round, int number)
{
	struct timespec begin, end;
	struct rusage usage;
	char texts[64][512];
	char *args[65];
	int i, status = 0;
	pid_t pid;

	for (i = 0; c->args[i] != NULL && i < 64; i++) {
		const char *mark = strchr(c->args[i], '%');

		args[i] = c->args[i];
		if (mark == NULL)
			continue;
		snprintf(texts[i], sizeof texts[i], "%.*s%d%s", (int)(mark - c->args[i]), c->args[i], number,
			 mark + 1);
		args[i] = texts[i];
	}
	args[i] = NULL;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	pid = vfork();
	if (pid == 0) {
		execv(args[0], args);
		_exit(127);
	}
	wait4(pid, &status, 0, &usage);
	clock_gettime(CLOCK_MONOTONIC, &end);
	c->wall[round] = (double)(end.tv_sec - begin.tv_sec) * 1e6 +
			 (double)(end.tv_nsec - begin.tv_nsec) / 1e3;
	c->cpu[round] = seconds(usage.ru_utime) + seconds(usage.ru_stime);
	c->faults += usage.ru_minflt;
	c->failures += status != 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double at(double *values, int rounds, double share)
{
	qsort(values, (size_t)rounds, sizeof *values, compare);
	return values[(int)((rounds - 1) * share)];
}

static void print(struct command *commands, int count, int rounds, int is_json)
{
	double wall = at(commands[0].wall, rounds, 0.5), cpu = at(commands[0].cpu, rounds, 0.5);

	if (!is_json)
		printf("%-10s %10s %8s %10s %8s %10s %8s %8s\n", "", "wall us", "ratio", "p10 us", "p99 us",
		       "cpu us", "ratio", "faults");
	for (int i = 0; i < count; i++) {
		struct command *c = &commands[i];
		double w = at(c->wall, rounds, 0.5), u = at(c->cpu, rounds, 0.5);

		printf(is_json ? "{\"name\":\"%s\",\"wall_us\":%.0f,\"wall_ratio\":%.2f,\"p10_us\":%.0f,\"p99_"
				 "us\":%.0f,"
				 "\"cpu_us\":%.0f,\"cpu_ratio\":%.2f,\"faults\":%ld,\"failures\":%d}\n"
			       : "%-10s %10.0f %8.2f %10.0f %8.0f %10.0f %8.2f %8ld",
		       c->name, w, w / wall, at(c->wall, rounds, 0.1), at(c->wall, rounds, 0.99), u,
		       cpu > 0 ? u / cpu : 0.0, c->faults / rounds, c->failures);
		if (!is_json)
			printf(c->failures > 0 ? "  %d of %d failed\n" : "\n", c->failures, rounds);
	}
}

int main(int argc, char **argv)
{
	struct command commands[COMMANDS_MAX] = {{0}};
	int rounds = argc > 1 ? atoi(argv[1]) : 0, at_arg = 2, count = 0, is_json = 0;

	if (rounds < 1 || argc < 4)
		return 2;
	if (strcmp(argv[at_arg], "--json") == 0)
		is_json = at_arg++;
	while (at_arg < argc && count < COMMANDS_MAX) {
		struct command *c = &commands[count++];

		c->name = argv[at_arg++];
		c->args = &argv[at_arg];
		c->wall = calloc((size_t)rounds, sizeof *c->wall);
		c->cpu = calloc((size_t)rounds, sizeof *c->cpu);
		while (at_arg < argc && strcmp(argv[at_arg], "--") != 0)
			at_arg++;
		if (at_arg < argc)
			argv[at_arg++] = NULL;
	}
	for (int round = -3; round < rounds; round++)
		for (int i = 0; i < count; i++)
			run_once(&commands[i], round < 0 ? 0 : round, getpid() * 100000 + round + 3);
	print(commands, count, rounds, is_json);
	return 0;
}
