/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host: what this machine is, as read-only facts. Changes nothing. Runs in the parent, in the caller's
 * namespaces.
 */
#ifndef TARE_HOST_H
#define TARE_HOST_H

#include <tare/base.h>

/* In the order of enum spec_ns, so that its values index this room's arrays; CLONE_NEW* in parallel. */
#define HOST_NS_COUNT 8

struct host_namespace {
	bool is_probed;  /* a path was given to host_probe_namespace */
	int errnum;      /* 0, or why the path could not be opened */
	int actual_type; /* CLONE_NEW* of the file, 0 if it is no namespace */
	bool is_own;     /* the namespace that the caller is in */
};

struct host {
	uid_t euid;
	gid_t egid;
	uint64_t capabilities; /* the caller's effective set */
	int last_capability;   /* the kernel's highest capability number */
	bool is_in_user_ns;    /* not in the initial user namespace */
	bool is_privileged;    /* may mount in, and has every id of, its user namespace: CAP_SYS_ADMIN */
	int kernel_major, kernel_minor;
	int64_t page_size;      /* bytes: 4, 16 or 64 KiB */
	char machine[32];       /* uname -m */
	char cgroup_mount[128]; /* where cgroup2 is mounted; "" if nowhere */
	char cgroup_own[512];   /* the caller's cgroup below it, "/" ...; "" if unknown */
	bool is_cgroup_hybrid;  /* v1 controllers are in use beside it */
	struct host_namespace namespaces[HOST_NS_COUNT];
};

/*
 * Fills *ret_host with what every start needs: a handful of system calls. Fails with ERR_UNSUPPORTED on a
 * kernel older than 5.14, with ERR_SYSTEM if /proc cannot be read.
 */
int host_probe(struct host *ret_host, struct err *err) MUST_CHECK;

/* Only who the caller is: ids and capabilities; all that exec asks for. */
int host_probe_caller(struct host *ret_host, struct err *err) MUST_CHECK;

/* Looks at the namespace file path, which the configuration names for namespace number ns. Cannot fail. */
void host_probe_namespace(struct host *host, int ns, const char *path);

/* What only "check" and "features" ask for. */
struct host_details {
	char cgroup_controllers[256]; /* of the root of cgroup2, blank-separated */
	char lsm[128];                /* /sys/kernel/security/lsm, "" if unknown */
	bool has_apparmor, has_selinux;
	bool has_user_ns;          /* user namespaces are compiled in and max_user_namespaces > 0 */
	uint32_t namespaces;       /* bit n: namespace number n exists here */
	bool is_userns_restricted; /* kernel.apparmor_restrict_unprivileged_userns=1 or alike */
};
void host_probe_details(struct host_details *ret_details);

/* Whether this kernel knows file system type (/proc/filesystems, or its module could be loaded: then true). */
bool host_has_filesystem(const char *type);

#endif
