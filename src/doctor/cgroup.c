/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup that a container of this caller gets without a cgroupsPath, and the controllers on the way to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <tare/cgroup.h>

#include "doctor.h"

static const char lost_cgroup[] = "limits, and ps, pause, resume, events and update";

static const char *level_name(struct doctor *doctor, const char *path)
{
	size_t len = (size_t)(strrchr(path, '/') - path);

	return len == 0 ? "/" : doctor_text(doctor, "%.*s", (int)len, path);
}

/* As a start of this caller would find it: broken where every container gets a cgroup. */
static void add_fault(struct doctor *doctor, const char *item, const char *finding, const char *change)
{
	if (doctor_is_root(doctor))
		doctor_broken(doctor, item, finding, change);
	else
		doctor_limited(doctor, item, finding, lost_cgroup, change);
}

static void add_mount(struct doctor *doctor)
{
	const struct host *host = &doctor->host;

	if (host->is_cgroup_hybrid)
		doctor_limited(doctor, "mount",
			       doctor_text(doctor, "cgroup2 on %s, beside cgroup v1", host->cgroup_mount),
			       "controllers that cgroup v1 has",
			       "boot with systemd.unified_cgroup_hierarchy=1, or without mounts of cgroup v1");
	else
		doctor_ok(doctor, "mount", doctor_text(doctor, "cgroup2 on %s", host->cgroup_mount));
}

/* --- levels --- */

static const char *const known[] = {"cpu", "cpuset", "io", "memory", "pids", "hugetlb", "rdma", "misc"};

/* cgroup.controllers and cgroup.subtree_control of a cgroup; path ends with a "/". NULL with *err. */
static const char *level_text(struct doctor *doctor, int mount_fd, const char *path, struct err *err)
{
	char available[512], enabled[512], file[1024];
	int r;

	str_format(file, sizeof file, ".%scgroup.controllers", path);
	r = io_read_small(mount_fd, file, O_NOFOLLOW, available, sizeof available);
	str_format(file, sizeof file, ".%scgroup.subtree_control", path);
	if (r >= 0)
		r = io_read_small(mount_fd, file, O_NOFOLLOW, enabled, sizeof enabled);
	if (r < 0) {
		err_system(err, r, "cannot read the controllers of cgroup '%.200s'", path);
		return NULL;
	}
	available[strcspn(available, "\n")] = '\0';
	enabled[strcspn(enabled, "\n")] = '\0';
	return doctor_text(
		doctor, "has %s; enabled for its children: %s; %s",
		available[0] == '\0' ? "no controller" : available, enabled[0] == '\0' ? "none" : enabled,
		k_faccessat2(mount_fd, file, W_OK, AT_EACCESS) == 0 ? "the caller may enable more"
								    : "the caller may not change that");
}

/* One line for each cgroup from the mount down to the parent of the container's. */
static void add_levels(struct doctor *doctor, int mount_fd, const char *path)
{
	for (const char *slash = path; slash != NULL; slash = strchr(slash + 1, '/')) {
		const char *name = slash == path ? "/" : doctor_text(doctor, "%.*s", (int)(slash - path), path);
		const char *level = doctor_text(doctor, "%.*s", (int)(slash - path) + 1, path);
		struct err err;
		const char *text = level_text(doctor, mount_fd, level, &err);

		if (text != NULL)
			doctor_ok(doctor, "level", doctor_text(doctor, "%s %s", name, text));
		else
			doctor_add_unknown(doctor, "level", &err);
	}
}

/* One line for each controller that cannot be used, and one for all that can. */
static void add_controllers(struct doctor *doctor, int mount_fd, const char *path)
{
	_cleanup_buf_ struct buf usable = {0};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		struct err err = {.kind = ERR_NONE};

		if (cgroup_check_controller(mount_fd, path, known[i], &err) >= 0)
			buf_format(&usable, "%s%s", usable.len == 0 ? "" : " ", known[i]);
		else
			doctor_limited(doctor, doctor_text(doctor, "controller %s", known[i]),
				       doctor_error(doctor, &err),
				       doctor_text(doctor, "limits of %s", known[i]),
				       doctor_hint(doctor, &err));
	}
	if (usable.len > 0)
		doctor_ok(doctor, "controllers", doctor_text(doctor, "usable: %s", usable.data));
}

/* --- device rules --- */

/* For root, in the container's cgroup. */
static void add_devices(struct doctor *doctor)
{
	const struct spec_device_rule rule = {-1, -1, 'c', SPEC_ACCESS_READ, true};
	struct err err;

	if (cgroup_devices_check(&rule, 1, &err) >= 0)
		doctor_ok(doctor, "device rules", "can be enforced (eBPF)");
	else
		doctor_limited(doctor, "device rules", doctor_error(doctor, &err),
			       "containers with linux.resources.devices", doctor_hint(doctor, &err));
}

static void add_cgroup(struct doctor *doctor)
{
	const char *own = doctor_is_root(doctor) ? NULL : doctor->host.cgroup_own;
	const char *path = doctor_text(doctor, "%s/tare-doctor", doctor->host.cgroup_parent);
	_cleanup_fd_ int mount_fd = -1;
	struct err err;

	if (doctor->host.cgroup_mount[0] == '\0') {
		add_fault(doctor, "mount", "no cgroup2 is mounted",
			  "mount -t cgroup2 none /sys/fs/cgroup, or run containers with --cgroup-manager "
			  "disabled");
		return;
	}
	add_mount(doctor);
	mount_fd = cgroup_open_mount(doctor->host.cgroup_mount, &err);
	if (mount_fd < 0) {
		doctor_add_unknown(doctor, "cgroup", &err);
		return;
	}
	if (doctor->host.cgroup_own[0] == '\0')
		add_fault(doctor, "own cgroup", "is outside of this mount, or was removed",
			  "start tare from a cgroup below the mount, or name one by linux.cgroupsPath");
	else
		doctor_ok(doctor, "own cgroup", doctor_text(doctor, "%s", doctor->host.cgroup_own));
	add_levels(doctor, mount_fd, path);
	if (cgroup_check_create(mount_fd, path, own, &err) < 0) {
		add_fault(doctor, "containers' cgroups", doctor_error(doctor, &err), doctor_hint(doctor, &err));
		return;
	}
	doctor_ok(doctor, "containers' cgroups",
		  doctor_text(doctor, "can be made in %s", level_name(doctor, path)));
	add_controllers(doctor, mount_fd, path);
	if (doctor_is_root(doctor))
		add_devices(doctor);
}

void doctor_cgroup(struct doctor *doctor)
{
	if (doctor->host_err.kind != ERR_NONE)
		return;
	add_cgroup(doctor);
	if (!doctor_is_root(doctor))
		doctor_ok(doctor, "device rules",
			  "not needed: containers of this caller cannot make device nodes");
}
