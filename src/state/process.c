/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Determines whether a recorded process is alive. It is dead only if the kernel reports that for exactly this
 * process. Everything else, such as an unreadable /proc, is an error and never the answer "dead".
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "private.h"

/* --- /proc/PID/stat --- */

/* Fields of /proc/PID/stat (proc_pid_stat(5)), counted from 1. */
#define FIELD_STATE 3
#define FIELD_THREADS 20
#define FIELD_START 22
#define FIELD_EXIT_CODE 52

/* Cuts field number out of a stat line. *text: the rest of the line; *at: the number of the last field cut. */
static char *stat_field(char **text, int *at, int number)
{
	char *field = NULL;

	while (*at < number) {
		field = strsep(text, " ");
		if (field == NULL)
			return NULL;
		(*at)++;
	}
	return field;
}

/* The last field, without the line feed. */
static const char *exit_code_field(char **text, int *at)
{
	char *field = stat_field(text, at, FIELD_EXIT_CODE);

	if (field != NULL)
		field[strcspn(field, "\n")] = '\0';
	return field;
}

static int parse_stat(char *text, struct process *ret_process)
{
	char *rest = strrchr(text, ')'); /* the command's name may contain blanks and parentheses */
	const char *state;
	uint64_t threads, start, code = 0;
	int at = FIELD_STATE - 1;

	if (rest == NULL || rest[1] != ' ')
		return -EBADMSG;
	rest += 2;
	state = stat_field(&rest, &at, FIELD_STATE);
	if (state == NULL || !str_to_u64(stat_field(&rest, &at, FIELD_THREADS), UINT64_MAX, &threads) ||
	    !str_to_u64(stat_field(&rest, &at, FIELD_START), UINT64_MAX, &start))
		return -EBADMSG;
	/* If the first thread has exited, the state is Z although other threads still run. */
	ret_process->is_dead = state[0] == 'X' || (state[0] == 'Z' && threads <= 1);
	ret_process->start = start;
	ret_process->wait_status = 0;
	if (ret_process->is_dead && str_to_u64(exit_code_field(&rest, &at), UINT16_MAX, &code))
		ret_process->wait_status = (int)code;
	return 0;
}

int process_read(pid_t pid, struct process *ret_process)
{
	char path[64], text[1024];
	int r;

	if (pid <= 0)
		return -ESRCH;
	str_format(path, sizeof path, "/proc/%d/stat", pid);
	r = io_read_small(AT_FDCWD, path, 0, text, sizeof text);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	return parse_stat(text, ret_process);
}

int state_process_start(pid_t pid, uint64_t *ret_start)
{
	struct process process;
	int r = process_read(pid, &process);

	if (r == 0)
		*ret_start = process.start;
	return r;
}

/* --- namespaces: a pid is valid in one pid namespace, a start time in one time namespace --- */

#define CANNOT_TELL "cannot tell whether the container lives: "

/*
 * The kernel may refuse the procfs of this pid namespace to the caller, as in a container with a bind of the
 * host's /proc. Then the one that made the pid namespace has to mount it.
 */
static void hint_procfs(struct err *err)
{
	_cleanup_fd_ int fs_fd = k_fsopen("proc", FSOPEN_CLOEXEC), fd = -1;
	int r = fs_fd < 0 ? fs_fd : k_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0);

	if (r >= 0)
		r = fd = k_fsmount(fs_fd, FSMOUNT_CLOEXEC, 0);
	if (r >= 0)
		err_hint(err, "mount the procfs of this pid namespace on /proc");
	else
		err_hint(err, "it needs the procfs of this pid namespace, which the caller may not mount: a "
			      "container made with --proc bind has none");
}

static int read_inode(const char *path, uint64_t *ret_inode)
{
	struct stat stat;
	int r = k_fstatat(AT_FDCWD, path, &stat, 0);

	if (r == 0)
		*ret_inode = stat.st_ino;
	return r;
}

static int proc_fail(int r, struct err *err)
{
	r = err_system(err, r, CANNOT_TELL "cannot find this process in /proc");
	if (r == -ENOENT)
		hint_procfs(err);
	return r;
}

int state_set_namespaces(struct state_record *record, struct err *err)
{
	int r = read_inode("/proc/self/ns/pid", &record->pid_namespace);

	if (r < 0)
		return proc_fail(r, err);
	r = read_inode("/proc/self/ns/time", &record->time_namespace);
	if (r == -ENOENT) /* a kernel without time namespaces (CONFIG_TIME_NS) */
		record->time_namespace = r = 0;
	return r < 0 ? proc_fail(r, err) : 0;
}

#define OWN_START "cannot read the start time of this process"

/*
 * In the procfs of an outer pid namespace this process has another pid, and the pid of init is that of another
 * process: its start time would be recorded as that of init.
 */
int state_set_creator(struct state_record *record, struct err *err)
{
	struct process process;
	char text[1024], *rest = text;
	uint64_t pid = 0;
	int r = io_read_small(AT_FDCWD, "/proc/self/stat", 0, text, sizeof text);

	if (r >= 0)
		r = str_to_u64(strsep(&rest, " "), INT32_MAX, &pid) && rest != NULL ? parse_stat(rest, &process)
										    : -EBADMSG;
	if (r < 0)
		err_system(err, r, OWN_START);
	if (r >= 0 && pid != (uint64_t)k_getpid()) {
		err_set(err, ERR_SYSTEM, 0, NULL, OWN_START ": /proc is that of another pid namespace");
		r = -EXDEV;
	}
	if (r == -ENOENT || r == -EXDEV)
		hint_procfs(err);
	if (r < 0)
		return r;
	record->creator = (pid_t)pid;
	record->creator_start = process.start;
	return 0;
}

/* -EXDEV: the recorded pid refers to another pid namespace. */
static int check_pid_namespace(const struct state_record *record, struct err *err)
{
	uint64_t own = 0;
	int r = record->pid_namespace == 0 ? 0 : read_inode("/proc/self/ns/pid", &own);

	if (r < 0)
		return proc_fail(r, err);
	if (own == record->pid_namespace)
		return 0;
	r = state_fail(err, EXDEV, CANNOT_TELL "it was created in another pid namespace");
	err_hint(err, "run this command in that namespace");
	return r;
}

/* -EXDEV: the recorded start time refers to another time namespace (time_namespaces(7)). */
static int check_time_namespace(const struct state_record *record, struct err *err)
{
	uint64_t own = 0;
	int r = record->time_namespace == 0 ? 0 : read_inode("/proc/self/ns/time", &own);

	if (r < 0)
		return proc_fail(r, err);
	if (own == record->time_namespace)
		return 0;
	r = state_fail(err, EXDEV, CANNOT_TELL "it was created in another time namespace");
	err_hint(err, "run this command in that namespace");
	return r;
}

/* -EXDEV: /proc shows the pids of another pid namespace than this process's. */
static int check_proc(struct err *err)
{
	char name[16];
	uint64_t number = 0;
	ssize_t len = k_readlinkat(AT_FDCWD, "/proc/self", name, sizeof name - 1);
	int r;

	if (len < 0)
		return proc_fail((int)len, err);
	name[len] = '\0';
	if (str_to_u64(name, INT32_MAX, &number) && number == (uint64_t)k_getpid())
		return 0;
	r = state_fail(err, EXDEV, CANNOT_TELL "/proc is that of another pid namespace");
	hint_procfs(err);
	return r;
}

/* --- alive or dead --- */

/*
 * A record of an older version does not name the namespaces. If the cgroup has processes then, init may be one
 * of them, with another pid.
 */
static int check_cgroup(const struct state_record *record, struct err *err)
{
	int r = record->pid_namespace != 0 || record->cgroup_inode == 0
			? 0
			: state_read_cgroup_event(record, "populated");

	if (r < 0)
		return err_system(err, r, CANNOT_TELL "cannot inspect its cgroup");
	if (r == 0)
		return 0;
	r = state_fail(err, EXDEV, CANNOT_TELL "its init is not visible, but its cgroup has processes");
	err_hint(err, "delete --force kills them");
	return r;
}

/*
 * Called if the pid is not in /proc, or belongs to another process (is_listed). 0 if the recorded process is
 * therefore dead, otherwise -errno with *err. kill(2) finds a process that /proc hides (mount option hidepid).
 */
static int confirm_dead(const struct state_record *record, pid_t pid, bool is_listed, struct err *err)
{
	struct process process;
	int r = check_pid_namespace(record, err);

	/*
	 * A pid namespace that does not exist any more, such as that of a container with an engine in it, has
	 * no process. If the cgroup is empty, init is dead in any namespace.
	 */
	if (r == -EXDEV && state_is_cgroup_empty(record) == 1)
		return 0;
	if (r >= 0)
		r = check_proc(err);
	if (r >= 0 && is_listed)
		r = check_time_namespace(record, err);
	if (r >= 0)
		r = check_cgroup(record, err);
	if (r < 0 || is_listed || k_kill(pid, 0) == -ESRCH)
		return r;
	/* Another process with this pid may have started since /proc was read. */
	r = process_read(pid, &process);
	if (r >= 0)
		return check_time_namespace(record, err);
	if (r != -ESRCH)
		return err_system(err, r, CANNOT_TELL "cannot see process %d", pid);
	err_system(err, EACCES, CANNOT_TELL "cannot see process %d", pid);
	err_hint(err, "/proc must not hide processes: mount it without the option hidepid");
	return -EACCES;
}

int process_is_alive(const struct state_record *record, pid_t pid, uint64_t start, struct process *ret_process,
		     struct err *err)
{
	int r = pid <= 0 ? 0 : process_read(pid, ret_process);

	if (pid <= 0)
		return 0;
	if (r >= 0 && ret_process->start == start)
		return !ret_process->is_dead;
	if (r < 0 && r != -ESRCH)
		return err_system(err, r, CANNOT_TELL "cannot read /proc/%d/stat", pid);
	return confirm_dead(record, pid, r >= 0, err);
}

static int open_pidfd(const struct state_record *record, pid_t pid, uint64_t start, struct err *err)
{
	_cleanup_fd_ int pidfd = -1;
	struct process process;
	int r;

	if (pid <= 0)
		return -ESRCH;
	pidfd = k_pidfd_open(pid, 0);
	if (pidfd < 0 && pidfd != -ESRCH && pidfd != -EINVAL)
		return err_system(err, pidfd, "cannot open process %d of the container", pid);
	/*
	 * After pidfd_open(2): if the recorded process has this pid now, it also had it when the pidfd was
	 * opened. That does not hold in another pid namespace with the creator's procfs on /proc: there the
	 * pidfd refers to another process.
	 */
	r = process_is_alive(record, pid, start, &process, err);
	if (r == 0)
		return -ESRCH;
	if (r > 0)
		r = check_pid_namespace(record, err);
	if (r < 0)
		return r;
	if (pidfd < 0)
		return check_proc(err) < 0 ? -EXDEV : -ESRCH;
	return take_fd(&pidfd);
}

int state_open_pidfd(const struct state_record *record, struct err *err)
{
	return open_pidfd(record, record->pid, record->pid_start, err);
}

int state_open_creator(const struct state_record *record, struct err *err)
{
	return open_pidfd(record, record->creator, record->creator_start, err);
}
