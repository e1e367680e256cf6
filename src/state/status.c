/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Determines a container's status from its processes, its gate and its cgroup, stores and reads how it ended,
 * and writes the state document.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "private.h"

const char *state_status_name(enum state_status status)
{
	static const char *const names[] = {
		[STATE_CREATING] = "creating", [STATE_CREATED] = "created", [STATE_RUNNING] = "running",
		[STATE_PAUSED] = "paused",     [STATE_STOPPED] = "stopped", [STATE_UNKNOWN] = "unknown",
	};

	return (unsigned int)status < ARRAY_SIZE(names) ? names[status] : "unknown";
}

/* --- the gate --- */

/*
 * Whether init listens at the gate: it closes the listening socket once it is told to start. 1, 0, or -errno
 * with *err.
 */
static int is_gate_listening(int dir_fd, struct err *err)
{
	_cleanup_fd_ int gate_fd = path_open_beneath(dir_fd, STATE_GATE_NAME, O_PATH | O_NOFOLLOW, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_fd_ int fd = -1;
	struct stat stat;
	int r = gate_fd < 0 ? gate_fd : k_fstat(gate_fd, &stat);

	if (r == -ENOENT || (r >= 0 && !S_ISSOCK(stat.st_mode)))
		return 0;
	if (r >= 0)
		r = fd = k_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r >= 0) {
		/* The path of a container's directory may be longer than sun_path; this one is short. */
		str_format(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", gate_fd);
		r = k_connect(fd, &address, sizeof address);
	}
	if (r >= 0 || r == -EAGAIN) /* EAGAIN: the queue of connections is full */
		return 1;
	return r == -ECONNREFUSED ? 0 : err_system(err, r, "cannot tell whether the container has started");
}

/* --- the cgroup --- */

static int is_paused(const struct state_record *record, struct err *err)
{
	int r = state_read_cgroup_event(record, "frozen");

	if (r >= 0)
		return r;
	r = err_system(err, r, "cannot tell whether the container is paused: cannot inspect its cgroup");
	if (r == -ENODEV)
		err_hint(err, "cgroup2 has to be mounted on '%.100s', as when the container was created",
			 record->cgroup_mount);
	return r;
}

/* --- the status --- */

/* A container that is frozen before it was started is "paused", too, because it has to be resumed first. */
int state_status(int dir_fd, const struct state_record *record, enum state_status *ret_status, struct err *err)
{
	bool has_init = record->pid != 0;
	struct process process;
	int r = has_init ? process_is_alive(record, record->pid, record->pid_start, &process, err)
			 : process_is_alive(record, record->creator, record->creator_start, &process, err);

	if (r <= 0) {
		*ret_status = STATE_STOPPED;
		return r;
	}
	*ret_status = has_init ? STATE_RUNNING : STATE_CREATING;
	if (!has_init)
		return 0;
	r = is_paused(record, err);
	if (r > 0)
		*ret_status = STATE_PAUSED;
	if (r != 0)
		return r < 0 ? r : 0;
	r = record->has_gate ? is_gate_listening(dir_fd, err) : 0;
	if (r > 0)
		*ret_status = STATE_CREATED;
	return r < 0 ? r : 0;
}

/* --- the end --- */

int state_write_end(int dir_fd, const struct state_end *end, struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	int r;

	if (end->has_status)
		buf_format(&text, "%d %d", end->status, end->signal);
	else
		buf_add_str(&text, "- -");
	if (end->has_oom_kills)
		buf_format(&text, " %llu", (unsigned long long)end->oom_kills);
	buf_add_str(&text, "\n");
	r = io_replace_file(dir_fd, STATE_END_NAME, text.data, text.len, STATE_FILE_MODE);
	return r < 0 ? err_system(err, r, "cannot store the exit status of the container") : 0;
}

#define END_UNKNOWN "- -\n" /* not longer than any STATE_END_KILLS, which overwrites it */

int state_open_end(int dir_fd, struct err *err)
{
	_cleanup_fd_ int fd = k_openat(dir_fd, STATE_END_NAME,
				       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, STATE_FILE_MODE);
	int r = fd < 0 ? fd : io_write_all(fd, END_UNKNOWN, strlen(END_UNKNOWN));

	return r < 0 ? err_system(err, r, "cannot create the file '%s' of the container", STATE_END_NAME)
		     : take_fd(&fd);
}

/* "status signal kills": "-" for an unknown value, the last one may be missing. */
static void read_stored(int dir_fd, struct state_end *end)
{
	char text[64], *at = text, *line;
	const char *status_text, *signal_text;
	uint64_t status, signal;

	if (io_read_small(dir_fd, STATE_END_NAME, O_NOFOLLOW, text, sizeof text) < 0)
		return;
	line = strsep(&at, "\n");
	status_text = strsep(&line, " ");
	signal_text = strsep(&line, " ");
	end->has_oom_kills = line != NULL && str_to_u64(line, UINT64_MAX, &end->oom_kills);
	end->has_status = str_to_u64(status_text, 255, &status) && str_to_u64(signal_text, 64, &signal);
	if (!end->has_status)
		return;
	end->status = (int)status;
	end->signal = (int)signal;
}

static bool read_oom_kills(const struct state_record *record, uint64_t *ret_kills)
{
	_cleanup_fd_ int fd = state_open_cgroup(record);
	char events[512];
	struct stat stat;

	/* The path may name another container's cgroup by now, with other counts. */
	if (fd < 0 || k_fstatat(fd, "", &stat, AT_EMPTY_PATH) < 0 || stat.st_ino != record->cgroup_inode ||
	    io_read_small(fd, "memory.events", O_NOFOLLOW, events, sizeof events) < 0)
		return false;
	return str_keyed_u64(events, "oom_kill", ret_kills);
}

void state_end_set(struct state_end *end, int wait_status)
{
	end->has_status = true;
	end->signal = wait_status & 0x7f;
	end->status = end->signal == 0 ? wait_status >> 8 & 0xff : 128 + end->signal;
}

void state_read_end(int dir_fd, const struct state_record *record, int pidfd, struct state_end *ret)
{
	int wait_status;
	bool is_waited;
	uint64_t kills;

	*ret = (struct state_end){.has_status = false};
	read_stored(dir_fd, ret);
	is_waited = ret->has_status;
	if (!is_waited && state_read_exit(record, pidfd, &wait_status))
		state_end_set(ret, wait_status);
	/*
	 * The count of a command that waited is exact: it has subtracted what the cgroup had counted before the
	 * container. The watcher's count may be too low, if it was killed before the container ended; then the
	 * cgroup's count is used, if that is higher.
	 */
	if ((is_waited && ret->has_oom_kills) || !read_oom_kills(record, &kills))
		return;
	if (!ret->has_oom_kills || kills > ret->oom_kills)
		ret->oom_kills = kills;
	ret->has_oom_kills = true;
}

/* --- the document --- */

pid_t state_shown_pid(const struct state_record *record, enum state_status status)
{
	return status == STATE_STOPPED || status == STATE_UNKNOWN ? 0 : record->pid;
}

char *state_created(const struct state_record *record)
{
	_cleanup_free_ char *date = date_text(record->created_secs);

	return mem_format("%s.%09uZ", date, record->created_nanosecs);
}

static void json_annotations(struct json *json, const struct state_record *record)
{
	if (record->annotation_count == 0)
		return;
	json_key(json, "annotations");
	json_object(json);
	for (size_t i = 0; i < record->annotation_count; i++)
		json_pair(json, record->annotations[i].key, record->annotations[i].value);
	json_object_end(json);
}

static void json_text(struct json *json, const char *key, const char *value)
{
	json_pair(json, key, value == NULL ? "" : value);
}

static void json_end(struct json *json, const struct state_end *end)
{
	if (end->has_status)
		json_pair_int(json, "exitStatus", end->status);
	if (end->has_status && end->signal > 0)
		json_pair_int(json, "exitSignal", end->signal);
	if (end->has_oom_kills)
		json_pair_uint(json, "oomKills", end->oom_kills);
}

/* One string for each line. */
static void json_notes(struct json *json, const char *notes)
{
	json_key(json, "notes");
	json_array(json);
	for (size_t len; *notes != '\0'; notes += len + (notes[len] == '\n')) {
		_cleanup_free_ char *line = NULL;

		len = strcspn(notes, "\n");
		line = mem_format("%.*s", (int)len, notes);
		json_string(json, line);
	}
	json_array_end(json);
}

void state_write_json(struct json *json, const struct state_record *record, enum state_status status,
		      const struct state_end *end, const char *owner)
{
	_cleanup_free_ char *created = state_created(record);

	json_object(json);
	json_text(json, "ociVersion", record->oci_version);
	json_text(json, "id", record->id);
	json_pair_int(json, "pid", state_shown_pid(record, status));
	json_text(json, "status", state_status_name(status));
	json_text(json, "bundle", record->bundle);
	json_text(json, "rootfs", record->rootfs);
	json_text(json, "created", created);
	json_annotations(json, record);
	json_text(json, "owner", owner);
	if (!str_is_empty(record->notes))
		json_notes(json, record->notes);
	if (end != NULL)
		json_end(json, end);
	json_object_end(json);
}
