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
	bool is_probed;           /* host_probe_namespace was called for it */
	int errnum;               /* errno of opening the path, or 0 */
	int actual_type;          /* CLONE_NEW* of the file, 0 if it is no namespace */
	bool is_own;              /* the caller is in this namespace */
	bool is_setgroups_denied; /* a user namespace that is not the caller's: in it (user_namespaces(7)) */
};

struct host_range { /* of ids */
	uint32_t first, size;
};

#define HOST_RANGES 16

struct host {
	uid_t euid;
	gid_t egid;
	uint64_t capabilities;    /* the caller's effective set */
	int last_capability;      /* the greatest number that the kernel and capability_name() know */
	bool is_in_user_ns;       /* not in the initial user namespace */
	bool is_setgroups_denied; /* in the caller's user namespace (user_namespaces(7)) */
	uint32_t other_groups;    /* the caller's supplementary groups besides egid */
	struct host_range gids[HOST_RANGES]; /* group ids that the caller's user namespace has */
	uint32_t gid_range_count; /* 0: all, or unknown because there are more than HOST_RANGES ranges */
	bool is_mounting;         /* may also mount: the mount namespace belongs to that user namespace */
	bool is_privileged;       /* CAP_SYS_ADMIN: may mount in its user namespace, and has all ids there */
	int kernel_major, kernel_minor;
	int64_t page_size;        /* bytes: 4, 16 or 64 KiB */
	char machine[32];         /* uname -m */
	char cgroup_mount[128];   /* where cgroup2 is mounted; "" if it is not */
	char cgroup_own[512];     /* the caller's cgroup below that mount, "/..."; "" if unknown */
	char cgroup_parent[512];  /* containers' cgroups are made in it: above own, or own; "" is the mount */
	bool is_cgroup_delegated; /* the caller may make them there; not asked, and false, for root */
	bool is_cgroup_readonly;  /* the mount is, as in containers of engines */
	bool is_cgroup_hybrid;    /* cgroup v1 controllers are mounted besides cgroup2 */
	struct host_namespace namespaces[HOST_NS_COUNT];
};

/*
 * Fills *ret_host with what every start needs, except namespaces[]. Fails with ERR_UNSUPPORTED on a kernel
 * older than 5.14, with ERR_SYSTEM if /proc cannot be read. The cgroup members stay empty if no cgroup2 is
 * mounted. If one is mounted neither on /sys/fs/cgroup nor on /sys/fs/cgroup/unified, the program tare-doctor
 * is asked for its place; a failure of that is one of this function.
 */
int host_probe(struct host *ret_host, struct err *err) MUST_CHECK;

/*
 * Fills only euid, egid, the capabilities and is_privileged, which is all that exec needs. Fails with
 * ERR_SYSTEM.
 */
int host_probe_caller(struct host *ret_host, struct err *err) MUST_CHECK;

/*
 * Fills only is_setgroups_denied: /proc/self/setgroups, user_namespaces(7). Fails with ERR_SYSTEM if that
 * cannot be read.
 */
int host_probe_setgroups(struct host *host, struct err *err) MUST_CHECK;

/*
 * Fills host->namespaces[ns] from the file at path, which the configuration names for namespace number ns (enum
 * spec_ns). A path that cannot be opened is reported in errnum. A child enters a user namespace that is not the
 * caller's to find out whether setgroups(2) is denied there; if it may not enter, that stays false.
 */
void host_probe_namespace(struct host *host, int ns, const char *path);

/* What only "check" and "features" need. A fact that cannot be read counts as absent. */
struct host_details {
	char lsm[128]; /* content of /sys/kernel/security/lsm, "" if unknown */
	bool has_apparmor, has_selinux;
	uint32_t namespaces; /* bit n: the kernel has namespace number n (enum spec_ns) */
};
/* Cannot fail. */
void host_probe_details(struct host_details *ret_details);

/* Extracts SIZE from "hugetlb.SIZE.max" and the other files of the hugetlb controller; "" for other names. */
void host_page_size_of(const char *file, char *ret, size_t size);
/*
 * Whether this host has no huge pages of that size ("2MB"): appends the sizes that it has, separated by blanks.
 * False for "", and if sysfs cannot be read or lists none.
 */
bool host_lacks_page_size(const char *size, struct buf *ret_existing);

/* The name of a user in the text of passwd(5), or NULL; [free]. */
char *host_user_name(const char *passwd, uid_t uid);

/*
 * The caller's subordinate ids: ranges of /etc/subuid and /etc/subgid (subuid(5)), without those that cannot be
 * mapped together with the caller's own ids, or that the caller's user namespace does not have. At most
 * HOST_RANGES of each. ERR_SYSTEM if a file exists and cannot be read.
 */
struct host_subids {
	struct host_range uids[HOST_RANGES], gids[HOST_RANGES];
	uint32_t uid_count, gid_count;
};
int host_probe_subids(struct host_subids *ret_subids, struct err *err) MUST_CHECK;
/* Whether subordinate ids come from the files, and not from a database (nsswitch.conf(5)): 1, 0 or -errno. */
int host_has_subid_files(struct err *err) MUST_CHECK;

/*
 * Why ids cannot be mapped into a new user namespace. 1 if the range has such an id: *ret_id is the first one.
 * 0 if it has none, -errno with *err if that cannot be found out. unmapped: the caller's own user namespace
 * does not have it. forbidden: it is not in the caller's lines of /etc/subuid or /etc/subgid, and not the
 * caller's own; 0 also if subordinate ids come from elsewhere (nsswitch.conf(5), subid).
 */
struct host_user {
	char name[64]; /* or number */
};
int host_find_unmapped_id(bool is_gid, const struct host_range *range, uint32_t *ret_id,
			  struct err *err) MUST_CHECK;
int host_find_forbidden_id(bool is_gid, const struct host_range *range, uint32_t *ret_id,
			   struct host_user *ret_user, struct err *err) MUST_CHECK;

/* Whether execvp(3) would find an executable file of that name in the caller's PATH. ret_path: its path, or
 * NULL. */
bool host_find_program(const char *name, char *ret_path, size_t size);

#endif
