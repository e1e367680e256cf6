/* SPDX-License-Identifier: Apache-2.0 */
/* Programs and services of the host that tare uses: systemd's manager, CRIU. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tare/systemd.h>

#include "doctor.h"

/* --- systemd --- */

/* What to change if there is no socket of the bus; another failure of the bus has no advice that is certain. */
static const char *advice(struct doctor *doctor, bool is_user)
{
	const char *dir = is_user ? getenv("XDG_RUNTIME_DIR") : "/run/dbus";
	const char *socket =
		doctor_text(doctor, "%s/%s", dir == NULL ? "" : dir, is_user ? "bus" : "system_bus_socket");

	if (is_user && str_is_empty(dir))
		return "set XDG_RUNTIME_DIR, as a login by pam_systemd does";
	if (k_faccessat2(AT_FDCWD, socket, 0 /* F_OK */, 0) != -ENOENT)
		return NULL;
	return is_user ? doctor_text(doctor,
				     "log in by pam_systemd, or: loginctl enable-linger (there is no %s)",
				     socket)
		       : doctor_text(doctor, "systemctl start dbus (there is no %s)", socket);
}

static void add_manager(struct doctor *doctor, bool is_user)
{
	const char *item = is_user ? "systemd, user manager" : "systemd";
	const char *lost = is_user ? "cgroups by --systemd-cgroup, and limits without a delegated cgroup"
				   : "cgroups by --systemd-cgroup";
	struct err err;

	if (unit_ask_manager(is_user, &err) >= 0)
		doctor_ok(doctor, item, "answers over D-Bus");
	else if (k_faccessat2(AT_FDCWD, "/run/systemd/system", 0 /* F_OK */, 0) < 0)
		doctor_limited(doctor, item, "does not run on this host", lost, NULL);
	else
		doctor_limited(doctor, item, doctor_error(doctor, &err), lost,
			       err.hint[0] != '\0' ? doctor_hint(doctor, &err) : advice(doctor, is_user));
}

/* --- CRIU --- */

static int execute_criu(const void *context, int output_fd)
{
	char *const args[] = {(char *)(uintptr_t) "criu", (char *)(uintptr_t) "--version", NULL};

	(void)context;
	(void)k_dup3(output_fd, 1, 0);
	(void)k_dup3(output_fd, 2, 0);
	execvp(args[0], args);
	return 127;
}

/* The first line that "criu --version" prints. -ENOENT if it is not installed. */
static int read_version(struct buf *ret)
{
	int r;

	buf_add_str(ret, "");
	r = child_read_output(execute_criu, NULL, 1 << 16, ret);
	ret->data[strcspn(ret->data, "\n")] = '\0';
	return r <= 0 ? r : r == 127 ? -ENOENT : -EIO;
}

/* Only the commands checkpoint and restore need it. */
static void add_criu(struct doctor *doctor)
{
	_cleanup_buf_ struct buf version = {0};
	struct err err;
	int r = read_version(&version);

	if (r >= 0 && (doctor->host.capabilities >> CAP_SYS_ADMIN & 1) == 0)
		doctor_limited(doctor, "CRIU", "needs CAP_SYS_ADMIN for containers",
			       "checkpoint and restore fail", "checkpoint and restore as root");
	else if (r >= 0)
		doctor_ok(doctor, "CRIU", doctor_text(doctor, "%s", version.data));
	else if (r == -ENOENT)
		doctor_limited(doctor, "CRIU", "is not installed", "checkpoint and restore fail",
			       "install criu, in a directory of PATH");
	else {
		err_system(&err, r, "'criu --version' has failed");
		doctor_add_unknown(doctor, "CRIU", &err);
	}
}

void doctor_services(struct doctor *doctor)
{
	add_manager(doctor, !doctor_is_root(doctor));
	add_criu(doctor);
}
