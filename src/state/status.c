/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <tare/state.h>

const char *state_status_name(enum state_status status)
{
	static const char *const names[] = {"creating", "created", "running", "paused", "stopped"};

	return names[status];
}

int state_process_start(pid_t pid, uint64_t *ret_start)
{
	char path[32], text[1024], *at;
	int r;

	str_format(path, sizeof path, "/proc/%d/stat", pid);
	r = io_read_small(AT_FDCWD, path, 0, text, sizeof text);
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	/* proc_pid_stat(5): the name in parentheses may hold anything, blanks and parentheses too. */
	at = strrchr(text, ')');
	if (at == NULL || at[1] != ' ')
		return -EBADMSG;
	if (at[2] == 'Z' || at[2] == 'X')
		return -ESRCH;
	for (int field = 2; field < 22; field++) {
		at = strchr(at + 1, ' ');
		if (at == NULL)
			return -EBADMSG;
	}
	at[1 + strcspn(at + 1, " \n")] = '\0';
	return str_to_u64(at + 1, UINT64_MAX, ret_start) ? 0 : -EBADMSG;
}

static bool is_alive(pid_t pid, uint64_t start)
{
	uint64_t found;

	return pid > 0 && state_process_start(pid, &found) == 0 && found == start;
}

int state_open_pidfd(const struct state_record *record)
{
	_cleanup_fd_ int fd = k_pidfd_open(record->pid, 0);

	if (fd < 0)
		return fd;
	/* The descriptor was opened first: if the process is the right one now, it was so then. */
	return is_alive(record->pid, record->pid_start) ? take_fd(&fd) : -ESRCH;
}

static bool waits_at_gate(int dir_fd)
{
	_cleanup_fd_ int fd = k_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r;

	str_format(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/gate", dir_fd);
	r = fd < 0 ? fd : k_connect(fd, &address, sizeof address);
	return r == 0 || r == -EAGAIN; /* unix(7): a full backlog means that somebody listens */
}

static bool is_frozen(const struct state_record *record)
{
	_cleanup_fd_ int mount_fd = -1, cgroup_fd = -1, fd = -1;
	char text[512];
	ssize_t len;

	if (str_is_empty(record->cgroup_path))
		return false;
	mount_fd = k_openat(AT_FDCWD, record->cgroup_mount, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (mount_fd < 0)
		return false;
	cgroup_fd = path_open_beneath(mount_fd, record->cgroup_path + strspn(record->cgroup_path, "/"),
				      O_PATH | O_DIRECTORY, 0);
	fd = cgroup_fd < 0 ? cgroup_fd : path_open_beneath(cgroup_fd, "cgroup.events", O_RDONLY, 0);
	len = fd < 0 ? fd : k_read(fd, text, sizeof text - 1);
	if (len <= 0)
		return false;
	text[len] = '\0';
	return strstr(text, "frozen 1") != NULL;
}

enum state_status state_status(int dir_fd, const struct state_record *record)
{
	if (record->pid == 0)
		return is_alive(record->creator, record->creator_start) ? STATE_CREATING : STATE_STOPPED;
	if (!is_alive(record->pid, record->pid_start))
		return STATE_STOPPED;
	if (is_frozen(record))
		return STATE_PAUSED;
	return record->has_gate && waits_at_gate(dir_fd) ? STATE_CREATED : STATE_RUNNING;
}

char *state_created(const struct state_record *record)
{
	time_t secs = record->created_secs;
	char stamp[40], nanosecs[16];
	struct tm tm;

	gmtime_r(&secs, &tm);
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
	/* Nine digits: the one in front is only there for its leading zeros. */
	str_format(nanosecs, sizeof nanosecs, "%u", 1000000000u + record->created_nanosecs);
	return mem_format("%s.%sZ", stamp, nanosecs + 1);
}

static void write_annotations(struct json *json, const struct state_record *record)
{
	if (record->annotation_count == 0)
		return;
	json_key(json, "annotations");
	json_object(json);
	for (size_t i = 0; i < record->annotation_count; i++)
		json_pair(json, record->annotations[i].key, record->annotations[i].value);
	json_object_end(json);
}

void state_write_json(struct json *json, const struct state_record *record, const char *status, pid_t pid,
		      const char *owner)
{
	_cleanup_free_ char *created = state_created(record);

	json_object(json);
	json_pair(json, "ociVersion", record->oci_version);
	json_pair(json, "id", record->id);
	json_pair_int(json, "pid", pid);
	json_pair(json, "status", status);
	json_pair(json, "bundle", record->bundle);
	json_pair(json, "rootfs", record->rootfs);
	json_pair(json, "created", created);
	write_annotations(json, record);
	json_pair(json, "owner", owner);
	json_object_end(json);
}
