/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics, events and the freezer, on a directory with files like those of cgroup2. No cgroup is needed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tare/cgroup.h>

#include "unit.h"

static int dir_fd;

static void put(const char *name, const char *text)
{
	CHECK_INT(io_replace_file(dir_fd, name, text, strlen(text), 0600), 0);
}

/* In place, for readers that have the file open. */
static void change(const char *name, const char *text)
{
	CHECK_INT(io_write_file(dir_fd, name, text, strlen(text)), 0);
}

static void drop(const char *name)
{
	CHECK_INT(k_unlinkat(dir_fd, name, 0), 0);
}

static bool is_text(const char *name, const char *text)
{
	char now[64];

	return io_read_small(dir_fd, name, 0, now, sizeof now) >= 0 && str_equal(now, text);
}

/* The statistics in one line. The caller frees it. */
static char *stats(void)
{
	struct buf text = {0};
	struct json json;

	json_begin(&json, &text, 0);
	cgroup_write_stats(dir_fd, &json);
	return text.data;
}

/* --- statistics --- */

static void test_nothing(void)
{
	_cleanup_free_ char *text = stats();

	CHECK_STR(text, "{\"cpu\":{},\"cpuset\":{},\"memory\":{},\"pids\":{},\"blkio\":{},\"hugetlb\":{}}");
}

static void test_cpu(void)
{
	_cleanup_free_ char *text = NULL;

	put("cpu.stat", "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\nnr_periods 10\n"
			"nr_throttled 3\nthrottled_usec 42\n");
	put("cpu.pressure", "some avg10=0.50 avg60=1.25 avg300=0.00 total=77\n"
			    "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
	put("cpuset.cpus.effective", "0-2,7\n");
	put("cpuset.mems.effective", "0\n");
	text = stats();
	CHECK(strstr(text, "\"cpu\":{\"usage\":{\"total\":1234567000,\"kernel\":234567000,\"user\":1000000000},"
			   "\"throttling\":{\"periods\":10,\"throttledPeriods\":3,\"throttledTime\":42000},"
			   "\"psi\":{\"some\":{\"avg10\":0.50,\"avg60\":1.25,\"avg300\":0.00,\"total\":77},"
			   "\"full\":{\"avg10\":0.00,\"avg60\":0.00,\"avg300\":0.00,\"total\":0}}},"
			   "\"cpuset\":{\"cpus\":[0,1,2,7],\"mems\":[0]}") != NULL);
	put("cpuset.mems.effective", "\n");
	mem_free(&text);
	text = stats();
	CHECK(strstr(text, "\"mems\":[]}") != NULL);
	drop("cpu.stat");
	drop("cpu.pressure");
	drop("cpuset.cpus.effective");
	drop("cpuset.mems.effective");
}

/* cgroup v2 counts memory and swap separately. The document has their sum. */
static void test_memory(void)
{
	_cleanup_free_ char *text = NULL, *unlimited = NULL;

	put("memory.current", "1000\n");
	put("memory.max", "4096\n");
	put("memory.peak", "2000\n");
	put("memory.events", "low 0\nhigh 0\nmax 5\noom 2\noom_kill 1\n");
	put("memory.swap.current", "100\n");
	put("memory.swap.max", "1024\n");
	put("memory.swap.events", "high 0\nmax 4\nfail 0\n");
	put("memory.stat", "anon 300\nfile 600\nkernel 70\nsock 8\n");
	text = stats();
	CHECK(strstr(text, "\"memory\":{\"usage\":{\"limit\":4096,\"usage\":1000,\"max\":2000,\"failcnt\":5},"
			   "\"swap\":{\"limit\":5120,\"usage\":1100,\"failcnt\":4},\"cache\":600,"
			   "\"kernel\":{\"limit\":18446744073709551615,\"usage\":70,\"failcnt\":0},"
			   "\"kernelTCP\":{\"limit\":18446744073709551615,\"usage\":8,\"failcnt\":0},"
			   "\"raw\":{\"anon\":300,\"file\":600,\"kernel\":70,\"sock\":8}}") != NULL);
	put("memory.max", "max\n");
	unlimited = stats();
	CHECK(strstr(unlimited, "\"usage\":{\"limit\":18446744073709551615,\"usage\":1000") != NULL);
	CHECK(strstr(unlimited, "\"swap\":{\"limit\":18446744073709551615,\"usage\":1100") != NULL);
	drop("memory.current");
	drop("memory.max");
	drop("memory.peak");
	drop("memory.events");
	drop("memory.swap.current");
	drop("memory.swap.max");
	drop("memory.swap.events");
	drop("memory.stat");
}

static void test_rest(void)
{
	_cleanup_free_ char *text = NULL;

	put("pids.current", "3\n");
	put("pids.max", "max\n");
	put("io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n");
	put("hugetlb.2MB.current", "2097152\n");
	put("hugetlb.2MB.events", "max 6\n");
	put("hugetlb.2MB.rsvd.current", "0\n");
	text = stats();
	CHECK(strstr(text, "\"pids\":{\"current\":3,\"limit\":0},"
			   "\"blkio\":{\"ioServiceBytesRecursive\":["
			   "{\"major\":8,\"minor\":0,\"op\":\"Read\",\"value\":10},"
			   "{\"major\":8,\"minor\":0,\"op\":\"Write\",\"value\":20},"
			   "{\"major\":8,\"minor\":0,\"op\":\"Discard\",\"value\":0}],"
			   "\"ioServicedRecursive\":[{\"major\":8,\"minor\":0,\"op\":\"Read\",\"value\":1},"
			   "{\"major\":8,\"minor\":0,\"op\":\"Write\",\"value\":2},"
			   "{\"major\":8,\"minor\":0,\"op\":\"Discard\",\"value\":0}]},"
			   "\"hugetlb\":{\"2MB\":{\"usage\":2097152,\"failcnt\":6}}") != NULL);
	drop("pids.current");
	drop("pids.max");
	drop("io.stat");
	drop("hugetlb.2MB.current");
	drop("hugetlb.2MB.events");
	drop("hugetlb.2MB.rsvd.current");
}

/* --- the freezer --- */

/* The kernel never reports that the cgroup is frozen: the request is undone. */
static void test_freeze_fails(void)
{
	struct err err = {0};

	put("cgroup.events", "populated 1\nfrozen 0\n");
	CHECK(!cgroup_is_freezing(dir_fd));
	put("cgroup.freeze", "0");
	CHECK(!cgroup_is_freezing(dir_fd));
	CHECK_INT(cgroup_freeze(dir_fd, 150, &err), -ETIMEDOUT);
	CHECK(err.hint[0] != '\0');
	CHECK(is_text("cgroup.freeze", "0"));
	CHECK_INT(cgroup_thaw(dir_fd, 0, &err), 0);
	put("cgroup.events", "populated 1\nfrozen 1\n");
	CHECK_INT(cgroup_freeze(dir_fd, 0, &err), 0);
	CHECK(is_text("cgroup.freeze", "1"));
	CHECK(cgroup_is_freezing(dir_fd));
	CHECK_INT(cgroup_thaw(dir_fd, 150, &err), -ETIMEDOUT);
	CHECK(is_text("cgroup.freeze", "0"));
	put("cgroup.events", "populated 1\n");
	CHECK_INT(cgroup_freeze(dir_fd, 0, &err), -EBADMSG);
	CHECK(is_text("cgroup.freeze", "0"));
	drop("cgroup.freeze");
	CHECK_INT(cgroup_freeze(dir_fd, 0, &err), -ENOENT);
	drop("cgroup.events");
}

/* --- pids --- */

static void test_full(void)
{
	char path[256];
	uint64_t max = 0;
	int fd;

	CHECK(!cgroup_find_full(dir_fd, &max, path, sizeof path));
	CHECK_INT(k_mkdirat(dir_fd, "in", 0700), 0);
	/* Every cgroup but the root has cgroup.events; without the controller it has no pids.max. */
	put("cgroup.events", "populated 1\n");
	put("in/cgroup.events", "populated 1\n");
	put("pids.max", "3\n");
	put("pids.current", "2\n");
	fd = k_openat(dir_fd, "in", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	CHECK(!cgroup_find_full(fd, &max, path, sizeof path));
	change("pids.current", "3\n");
	CHECK(cgroup_find_full(fd, &max, path, sizeof path));
	CHECK_INT(max, 3);
	CHECK(strstr(path, "/in") == NULL && path[0] == '/');
	put("in/pids.max", "2\n");
	put("in/pids.current", "2\n");
	CHECK(cgroup_find_full(fd, &max, path, sizeof path));
	CHECK_INT(max, 2);
	CHECK(strstr(path, "/in") != NULL);
	change("in/pids.max", "max\n");
	CHECK(cgroup_find_full(fd, &max, path, sizeof path));
	CHECK_INT(max, 3);
	k_close(fd);
	drop("in/pids.max");
	drop("in/pids.current");
	drop("in/cgroup.events");
	drop("cgroup.events");
	CHECK_INT(k_unlinkat(dir_fd, "in", AT_REMOVEDIR), 0);
	drop("pids.max");
	drop("pids.current");
}

/* --- events --- */

static void test_watch(void)
{
	struct cgroup_watch watch;
	struct err err = {0};

	CHECK_INT(cgroup_watch_open(dir_fd, &watch, &err), -ENOENT);
	CHECK_INT(cgroup_event_count(dir_fd, "memory.events", "oom_kill"), 0);
	put("cgroup.events", "populated 1\nfrozen 0\n");
	put("memory.events", "oom 2\noom_kill 2\noom_group_kill 0\n");
	CHECK_INT(cgroup_event_count(dir_fd, "memory.events", "oom_kill"), 2);
	CHECK_INT(cgroup_watch_open(dir_fd, &watch, &err), 0);
	/* Counts from before are no event. */
	CHECK_INT(cgroup_watch_wait(&watch, 0), 0);
	change("memory.events", "oom 3\noom_kill 3\noom_group_kill 0\n");
	CHECK_INT(cgroup_watch_wait(&watch, 1000), CGROUP_OOM);
	CHECK_INT(cgroup_watch_wait(&watch, 10), 0);
	change("memory.events", "oom 4\noom_kill 4\noom_group_kill 0\n");
	change("cgroup.events", "populated 0\nfrozen 0\n");
	CHECK_INT(cgroup_watch_wait(&watch, 1000), CGROUP_OOM | CGROUP_EMPTY);
	CHECK_INT(cgroup_watch_wait(&watch, 1000), CGROUP_EMPTY);
	CHECK_INT(cgroup_watch_read(&watch), CGROUP_EMPTY | CGROUP_COUNT_READ);
	CHECK_INT(watch.oom_kills, 4);
	/* As if the cgroup were removed: the last count stays. */
	change("memory.events", "oom 4\noom_gone 4\n");
	CHECK_INT(cgroup_watch_read(&watch), CGROUP_EMPTY);
	CHECK_INT(watch.oom_kills, 4);
	CHECK(watch.memory_fd >= 0);
	/* As if the controller were disabled, which makes poll(2) return for its files forever. */
	change("cgroup.events", "populated 1\n");
	CHECK_INT(cgroup_watch_read(&watch), 0);
	CHECK_INT(watch.memory_fd, -1);
	CHECK_INT(watch.oom_kills, 4);
	/* An error is not an empty cgroup. */
	change("cgroup.events", "POPULATED 1\n");
	CHECK_INT(cgroup_watch_read(&watch), -EBADMSG);
	CHECK_INT(cgroup_watch_wait(&watch, 0), -EBADMSG);
	cgroup_watch_close(&watch);
	change("cgroup.events", "populated 0\n");
	drop("memory.events");
	CHECK_INT(cgroup_watch_open(dir_fd, &watch, &err), 0);
	CHECK_INT(watch.memory_fd, -1);
	CHECK_INT(cgroup_watch_wait(&watch, 0), CGROUP_EMPTY);
	CHECK_INT(cgroup_watch_read(&watch), CGROUP_EMPTY);
	cgroup_watch_close(&watch);
	drop("cgroup.events");
}

/* Continues the process until it is about to read the file. */
static bool is_stopped_at(pid_t pid, int fd)
{
	struct __ptrace_syscall_info info = {0};
	int status;

	while (ptrace(PTRACE_SYSCALL, pid, 0, 0) == 0 && waitpid(pid, &status, 0) == pid &&
	       WIFSTOPPED(status) && ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0)
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == __NR_pread64 &&
		    info.entry.args[0] == (uint64_t)fd)
			return true;
	return false;
}

/*
 * A count that was read while there were processes may be incomplete if the cgroup is removed before the next
 * read.
 */
static void test_watch_late(void)
{
	struct cgroup_watch watch;
	struct err err = {0};
	int status = 0;
	pid_t pid;

	put("cgroup.events", "populated 1\n");
	put("memory.events", "oom_kill 0\n");
	CHECK_INT(cgroup_watch_open(dir_fd, &watch, &err), 0);
	pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(cgroup_watch_read(&watch));
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	CHECK_INT(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	CHECK(is_stopped_at(pid, watch.events_fd));
	change("cgroup.events", "populated 0\n");
	change("memory.events", "oom_gone 0\n");
	ptrace(PTRACE_DETACH, pid, 0, 0);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), CGROUP_EMPTY);
	cgroup_watch_close(&watch);
	drop("cgroup.events");
	drop("memory.events");
}

int main(void)
{
	char path[] = "/tmp/tare-stats-XXXXXX";

	if (!CHECK(mkdtemp(path) != NULL))
		UNIT_MAIN_END;
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	test_nothing();
	test_cpu();
	test_memory();
	test_rest();
	test_freeze_fails();
	test_full();
	test_watch();
	test_watch_late();
	CHECK_INT(rmdir(path), 0);
	close(dir_fd);
	UNIT_MAIN_END;
}
