/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host: facts about this machine. Changes nothing. All functions run in the parent, in the caller's namespaces.
 */
#ifndef TARE_HOST_H
#define TARE_HOST_H

#include <tare/base.h>

/* Number of namespace types, in the order of enum spec_ns: its values index the arrays of this room. */
#define HOST_NS_COUNT 8

struct host_namespace {
	bool is_probed;  /* host_probe_namespace was called for it */
	int errnum;      /* errno of opening the path, or 0 */
	int actual_type; /* CLONE_NEW* of the file, 0 if it is no namespace */
	bool is_own;     /* the caller is in this namespace */
};

struct host {
	uid_t euid;
	gid_t egid;
	uint64_t capabilities; /* the caller's effective set */
	int last_capability;   /* the kernel's highest capability number */
	bool is_in_user_ns;    /* not in the initial user namespace */
	bool is_privileged;    /* CAP_SYS_ADMIN: may mount in its user namespace, and has all ids there */
	int kernel_major, kernel_minor;
	int64_t page_size;      /* bytes: 4, 16 or 64 KiB */
	char machine[32];       /* uname -m */
	char cgroup_mount[128]; /* where cgroup2 is mounted; "" if it is not */
	char cgroup_own[512];   /* the caller's cgroup below that mount, "/..."; "" if unknown */
	bool is_cgroup_hybrid;  /* cgroup v1 controllers are mounted besides cgroup2 */
	struct host_namespace namespaces[HOST_NS_COUNT];
};

/*
 * Fills *ret_host with what every start needs, except namespaces[]. Fails with ERR_UNSUPPORTED on a kernel
 * older than 5.14, with ERR_SYSTEM if /proc cannot be read. An unreadable cgroup hierarchy is not an error: the
 * cgroup members stay empty.
 */
int host_probe(struct host *ret_host, struct err *err) MUST_CHECK;

/*
 * Fills only euid, egid, the capabilities and is_privileged, which is all that exec needs. Fails with
 * ERR_SYSTEM.
 */
int host_probe_caller(struct host *ret_host, struct err *err) MUST_CHECK;

/*
 * Fills host->namespaces[ns] from the file at path, which the configuration names for namespace number ns (enum
 * spec_ns). A path that cannot be opened is reported in errnum.
 */
void host_probe_namespace(struct host *host, int ns, const char *path);

/* What only "check" and "features" need. A fact that cannot be read counts as absent. */
struct host_details {
	char cgroup_controllers[256]; /* cgroup.controllers of the root of cgroup2, separated by blanks */
	char lsm[128];                /* content of /sys/kernel/security/lsm, "" if unknown */
	bool has_apparmor, has_selinux;
	bool has_user_ns;          /* user namespaces are compiled in and max_user_namespaces > 0 */
	uint32_t namespaces;       /* bit n: the kernel has namespace number n (enum spec_ns) */
	bool is_userns_restricted; /* a sysctl of Ubuntu or Debian restricts unprivileged user namespaces */
};
/* Cannot fail. */
void host_probe_details(struct host_details *ret_details);

#endif
