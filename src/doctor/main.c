/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tare-doctor: the table of probes, and the two questions that the program answers.
 *
 *     tare-doctor report text|json STATE_ROOT BUNDLE
 *     tare-doctor cgroup-mount
 *
 * report prints what the host permits; an empty STATE_ROOT is the default one, an empty BUNDLE none. The status
 * is 1 if a line of the report is "broken", and 0 otherwise. cgroup-mount prints where cgroup2 is mounted, or
 * nothing if it is not mounted.
 *
 * A failure is one line on standard error; the status is 2 for report and an errno for cgroup-mount.
 *
 * Process: "tare doctor" becomes this program; for cgroup-mount it is a child of tare.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

#define STATUS_BROKEN 1
#define STATUS_FAILED 2

static const struct {
	const char *subject;
	void (*run)(struct doctor *doctor);
} probes[] = {
	{"kernel", doctor_kernel},
	{"namespaces and rights", doctor_userns},
	{"ids", doctor_ids},
	{"cgroup", doctor_cgroup},
	{"file systems in a user namespace", doctor_proc},
	{"places", doctor_files},
	{"seccomp", doctor_seccomp},
	{"security modules", doctor_security},
	{"services", doctor_services}, /* last: waits for systemd */
};

static int fail(const struct err *err)
{
	_cleanup_buf_ struct buf text = {0};

	err_print(err, &text);
	fprintf(stderr, "tare: doctor: %s\n", text.data);
	return STATUS_FAILED;
}

static int print_cgroup_mount(void)
{
	struct doctor doctor = {.count = 0};
	const char *path;
	struct err err;
	int r = doctor_mounts_open(&doctor, &err);

	if (r < 0) {
		fail(&err);
		return -r;
	}
	path = doctor_mounts_cgroup2(&doctor);
	if (path != NULL && (strchr(path, '\n') != NULL || printf("%s\n", path) < 0 || fflush(stdout) != 0))
		r = -EIO;
	doctor_mounts_close(&doctor);
	return -r;
}

static int report(struct doctor *doctor, bool is_json)
{
	_cleanup_buf_ struct buf out = {0};
	struct err ignored;
	int r, status = 0;

	if (host_probe(&doctor->host, &doctor->host_err) >= 0)
		doctor->host_err.kind = ERR_NONE;
	if (doctor_mounts_open(doctor, &ignored) < 0)
		doctor->mounts = NULL; /* the probe of files reports that */
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		doctor->subject = probes[i].subject;
		probes[i].run(doctor);
	}
	if (is_json)
		doctor_print_json(doctor, &out);
	else
		doctor_print_text(doctor, &out);
	for (size_t i = 0; i < doctor->count; i++)
		if (doctor->results[i].verdict == DOCTOR_BROKEN)
			status = STATUS_BROKEN;
	mem_free(&doctor->results);
	doctor_mounts_close(doctor);
	r = io_write_all(1, out.data, out.len);
	if (r < 0) {
		err_system(&doctor->host_err, r, "cannot write to standard output");
		status = fail(&doctor->host_err);
	}
	arena_done(&doctor->arena);
	return status;
}

int main(int argc, char **argv)
{
	struct doctor doctor = {.count = 0};
	struct err err;

	if (argc == 2 && str_equal(argv[1], "cgroup-mount"))
		return print_cgroup_mount();
	if (argc != 5 || !str_equal(argv[1], "report")) {
		err_set(&err, ERR_USAGE, 0, NULL, "this program is executed by 'tare doctor'");
		return fail(&err);
	}
	doctor.state_root = argv[3][0] == '\0' ? NULL : argv[3];
	doctor.bundle = argv[4][0] == '\0' ? NULL : argv[4];
	return report(&doctor, str_equal(argv[2], "json"));
}
