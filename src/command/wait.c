/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait: waits until a container has ended. Process: the one that the caller started; the container's init is
 * not its child.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>

#include <tare/command.h>
#include <tare/container.h>

#define LOCK_TIMEOUT_MS 10000
#define STORE_TIMEOUT_MS 2000 /* until a run --keep, which is notified at the same time, has stored the end */
#define STORE_POLL_MS 20

/* A creator holds the lock until init waits at the gate. */
static int open_created(const char *state_root, const char *id, struct container *container, struct err *err)
{
	int r = container_open(state_root, id, -1, container, err);

	if (r < 0 || container->record.pid != 0)
		return r;
	container_done(container);
	r = container_open(state_root, id, LOCK_TIMEOUT_MS, container, err);
	if (r < 0)
		return r;
	k_flock(container->dir_fd, LOCK_UN);
	if (container->record.pid != 0)
		return 0;
	err_set(err, ERR_STATE, 0, NULL, "the container has no process: its creation was not completed");
	err_hint(err, "delete --force removes what is left of it");
	return -EINVAL;
}

static int wait_exit(int pidfd, struct err *err)
{
	struct pollfd fd = {.fd = pidfd, .events = POLLIN};
	int r;

	do
		r = k_ppoll(&fd, 1, NULL, NULL);
	while (r == -EINTR);
	return r < 0 ? err_system(err, r, "cannot wait for the container's init") : 0;
}

/* Whether init, which has exited, is a zombie. */
static bool is_zombie(const struct state_record *record)
{
	uint64_t start;

	return state_process_start(record->pid, &start) >= 0 && start == record->pid_start;
}

/*
 * Reads how the container ended. If that is not known, a run --keep may be about to store it; no other command
 * waits for init, and a container with a gate was not made by run. Or init is a zombie that this user must not
 * inspect (ptrace(2)), because it was not dumpable: the pidfd has the status once init's parent has waited.
 */
static void read_end(const struct container *container, int pidfd, struct state_end *ret)
{
	struct timespec pause = {.tv_nsec = STORE_POLL_MS * 1000000};

	state_read_end(container->dir_fd, &container->record, pidfd, ret);
	if (pidfd < 0)
		return;
	for (int i = 0; i < STORE_TIMEOUT_MS / STORE_POLL_MS && !ret->has_status; i++) {
		bool is_stored = container->record.has_gate || state_is_gone(container->dir_fd) != 0;
		bool is_final = is_stored && !is_zombie(&container->record);

		if (!is_final)
			k_ppoll(NULL, 0, &pause, NULL);
		state_read_end(container->dir_fd, &container->record, pidfd, ret);
		if (is_final)
			return;
	}
}

static int fail_unknown(const struct state_record *record, bool has_waited, struct err *err)
{
	if (has_waited && is_zombie(record)) {
		err_set(err, ERR_STATE, 0, NULL, "the container has ended, but its exit status cannot be read");
		err_hint(err, "this user must not inspect process %d, for which its parent has not waited",
			 record->pid);
		return -ENODATA;
	}
	err_set(err, ERR_STATE, 0, NULL, "the container has ended, but %s",
		has_waited
			? "this kernel does not keep the exit status of a process for which its parent waited"
			: "its exit status was not stored");
	err_hint(err, "%s",
		 has_waited ? "Linux 6.15 or newer keeps it"
			    : "wait before it ends, use run --keep, or request --init and a report: tare(8), "
			      "REPORTS");
	return -ENODATA;
}

/* Also of a container that was deleted meanwhile. */
static int read_report(int report_fd, struct buf *report, struct err *err)
{
	int r;

	if (report_fd == -ENOENT) {
		err_set(err, ERR_STATE, 0, NULL, "the container has no report: it has no supervisor");
		err_hint(err, "request one by an annotation: tare(8), REPORTS");
		return -ENODATA;
	}
	r = report_fd < 0 ? report_fd : state_read_report(report_fd, report);
	if (r == -ENODATA)
		return err_set(err, ERR_STATE, 0, NULL,
			       "the container has no report: its supervisor was killed before the container "
			       "ended, or could not write it"),
		       -ENODATA;
	return r < 0 ? err_system(err, r, "cannot read the report of the container") : 0;
}

/* Waits for the exit of init, and for the supervisor if there is one, which stores how init ended. */
static int wait_all(int pidfd, int report_fd, struct err *err)
{
	int r = pidfd < 0 ? 0 : wait_exit(pidfd, err);

	if (r < 0 || report_fd < 0)
		return r;
	r = state_await_report(report_fd, -1);
	return r < 0 ? err_system(err, r, "cannot wait for the report of the container") : 0;
}

int command_wait(const char *state_root, const char *id, struct buf *report, int *ret_status, struct err *err)
{
	_cleanup_container_ struct container container;
	_cleanup_fd_ int pidfd = -1, report_fd = -1;
	struct state_end end;
	int r = open_created(state_root, id, &container, err);

	if (r < 0)
		return r;
	report_fd = state_open_report(container.dir_fd);
	if (report_fd < 0 && report_fd != -ENOENT)
		return err_system(err, report_fd, "cannot open the report of the container");
	pidfd = state_open_pidfd(&container.record, err);
	if (pidfd < 0 && pidfd != -ESRCH)
		return pidfd;
	r = wait_all(pidfd, report_fd, err);
	if (r < 0)
		return r;
	read_end(&container, pidfd, &end);
	if (report == NULL && !end.has_status)
		return fail_unknown(&container.record, pidfd >= 0, err);
	*ret_status = end.has_status ? end.status : WAIT_FAILED;
	return report == NULL ? 0 : read_report(report_fd, report, err);
}
