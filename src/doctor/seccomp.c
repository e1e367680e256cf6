/* SPDX-License-Identifier: Apache-2.0 */
/* Seccomp: what a filter around tare refuses, and what the kernel has for the filters of containers. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <tare/probe.h>
#include <tare/seccomp.h>

#include "doctor.h"

/* The number after "Seccomp:" (proc_pid_status(5)): 0, 2 with a filter; -1 if it is unknown. */
static int seccomp_mode(void)
{
	_cleanup_buf_ struct buf text = {0};
	const char *at;

	if (io_read_file(AT_FDCWD, "/proc/self/status", 1 << 16, &text) < 0 || text.data == NULL)
		return -1;
	at = strstr(text.data, "\nSeccomp:");
	return at == NULL ? 0 : at[strcspn(at, "0123456789")] - '0';
}

static void add_refused(struct doctor *doctor, const struct probe_call *call, bool has_filter)
{
	const char *item = doctor_text(doctor, "%s(2)", call->name);
	const char *finding = has_filter ? "is refused by a seccomp filter around tare"
					 : "is missing from this kernel";
	const char *change = has_filter ? doctor_text(doctor,
						      "allow %s in that profile (an engine: --security-opt "
						      "seccomp=FILE, systemd: SystemCallFilter=)",
						      call->name)
					: "boot a kernel that has it";

	if (call->lost == NULL)
		doctor_broken(doctor, item, finding, change);
	else
		doctor_limited(doctor, item, finding, call->lost, change);
}

static void add_filter(struct doctor *doctor)
{
	static const char item[] = "filter around tare";
	int mode = seccomp_mode();
	const struct probe_call *call = probe_filtered_call(0);

	for (size_t i = 1; call != NULL; i++) {
		add_refused(doctor, call, mode != 0);
		call = probe_filtered_call(i);
	}
	if (mode == 0)
		doctor_ok(doctor, item, "there is none");
	else if (probe_filtered_call(0) == NULL)
		doctor_ok(doctor, item, "it refuses none of the calls that were tried");
}

static void add_notify(struct doctor *doctor)
{
	const struct spec_seccomp notify = {.is_set = true, .default_action = SPEC_SECCOMP_NOTIFY};
	static const char item[] = "notification";
	struct err err;
	int r = seccomp_check_kernel(&notify, &err);

	if (r >= 0)
		r = probe_listener(&err);
	if (r >= 0)
		doctor_ok(doctor, item, "a filter can notify an agent (SCMP_ACT_NOTIFY)");
	else
		doctor_limited(doctor, item, doctor_error(doctor, &err), "filters with SCMP_ACT_NOTIFY",
			       doctor_hint(doctor, &err));
}

static void add_filters(struct doctor *doctor)
{
	const struct spec_seccomp plain = {.is_set = true, .default_action = SPEC_SECCOMP_ALLOW};
	static const char item[] = "filters";
	_cleanup_buf_ struct buf flags = {0};
	struct err err;

	if (seccomp_check_kernel(&plain, &err) < 0) {
		doctor_limited(doctor, item, doctor_error(doctor, &err), "the seccomp filters of containers",
			       "boot a kernel with CONFIG_SECCOMP_FILTER");
		return;
	}
	for (int i = 0; seccomp_supported_flag_name(i) != NULL; i++)
		buf_format(&flags, "%s%s", i == 0 ? "" : ", ",
			   seccomp_supported_flag_name(i) + strlen("SECCOMP_FILTER_FLAG_"));
	doctor_ok(doctor, item,
		  doctor_text(doctor, "can be installed, with the flags %s",
			      flags.len == 0 ? "none" : flags.data));
}

void doctor_seccomp(struct doctor *doctor)
{
	add_filter(doctor);
	add_filters(doctor);
	add_notify(doctor);
}
