/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel: its version, and what tare uses of later versions than the oldest that it runs on. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <tare/seccomp.h>
#include <tare/sys.h>

#include "doctor.h"

static bool is_since(const struct host *host, int major, int minor)
{
	return host->kernel_major > major || (host->kernel_major == major && host->kernel_minor >= minor);
}

static void add_version(struct doctor *doctor)
{
	struct utsname name = {.release = "unknown"};
	bool is_too_old = !is_since(&doctor->host, 5, 14);
	const char *finding;

	(void)uname(&name);
	finding = doctor_text(doctor, "Linux %s, %s (the minimum is 5.14)", name.release, name.machine);
	if (is_too_old)
		doctor_broken(doctor, "version", finding, "boot Linux 5.14 or newer");
	else
		doctor_ok(doctor, "version", finding);
	if (doctor->host_err.kind != ERR_NONE && !is_too_old)
		doctor_broken(doctor, "host", doctor_error(doctor, &doctor->host_err),
			      doctor_hint(doctor, &doctor->host_err));
}

/* --- executable memfds --- */

/* As the parent makes them for init. vm.memfd_noexec is a sysctl of the pid namespace (since Linux 6.3). */
static void add_memfd(struct doctor *doctor)
{
	static const char item[] = "sealed memfd";
	struct err err;
	_cleanup_fd_ int fd = memfd_seal_copy("tare-doctor", "", 0, MFD_EXEC, &err);
	struct stat st;

	if (fd < 0) {
		doctor_broken(doctor, item, doctor_error(doctor, &err),
			      err.hint[0] == '\0' ? "memfd_create(2) has to be possible"
						  : "sysctl vm.memfd_noexec=1");
		return;
	}
	if (k_fstat(fd, &st) == 0 && (st.st_mode & 0111) == 0)
		doctor_broken(doctor, item, "is not executable", "sysctl vm.memfd_noexec=0");
	else
		doctor_ok(doctor, item, "can be executed: init is a copy that no container can reach");
}

/* --- later features --- */

static bool has_wait_killable(const struct host *host)
{
	(void)host;
	for (int i = 0; seccomp_supported_flag_name(i) != NULL; i++)
		if (str_equal(seccomp_supported_flag_name(i), "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"))
			return true;
	return false;
}

/* By the version: no cgroup needs to have the memory controller, and only those that do show the file. */
static bool has_memory_peak(const struct host *host)
{
	return is_since(host, 5, 19);
}

static void add_features(struct doctor *doctor)
{
	static const struct {
		const char *name, *version, *lost;
		bool (*is_present)(const struct host *host);
	} features[] = {
		{"WAIT_KILLABLE_RECV", "5.19", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", has_wait_killable},
		{"memory.peak", "5.19", "the peak of memory in events", has_memory_peak},
	};
	_cleanup_buf_ struct buf names = {0};

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		if (features[i].is_present(&doctor->host))
			buf_format(&names, "%s%s (%s)", names.len == 0 ? "" : ", ", features[i].name,
				   features[i].version);
		else
			doctor_limited(
				doctor, features[i].name,
				doctor_text(doctor, "is missing (Linux has it since %s)", features[i].version),
				features[i].lost, NULL);
	}
	if (names.len > 0)
		doctor_ok(doctor, "later features", doctor_text(doctor, "%s", names.data));
}

void doctor_kernel(struct doctor *doctor)
{
	add_version(doctor);
	add_memfd(doctor);
	add_features(doctor);
}
