/* SPDX-License-Identifier: Apache-2.0 */
/*
 * criu: the program criu(8), which writes the processes of a container to files, and makes them again from
 * these.
 *
 * The program is executed with arguments, and not used through libcriu: Debian 12 has no package of that
 * library, it would be a shared library, and it executes the same program. All functions run in the process
 * that was called. A directory of images is one that a checkpoint has written; like the images in it, what it
 * contains is trusted.
 */
#ifndef TARE_CRIU_H
#define TARE_CRIU_H

#include <tare/base.h>

/* What checkpoint and restore ask of the program. Strings are the caller's; NULL: not asked for. */
struct criu_options {
	const char *image_path;  /* directory of the images; "checkpoint" if NULL */
	const char *work_path;   /* directory of logs; image_path if NULL */
	const char *parent_path; /* images of an earlier pre-dump, relative to image_path */
	const char *manage_cgroups;
	const char *network_lock;
	const char *empty_ns;
	const char *page_server; /* ADDRESS:PORT */
	const char *lsm_profile, *lsm_mount_context;
	const char *config; /* a configuration file of criu(8); not an option of the command line */
	int64_t status_fd;
	bool has_status_fd;
	bool is_leave_running, is_pre_dump;
	bool is_tcp_established, is_tcp_skip_in_flight, is_tcp_close;
	bool is_ext_unix_sk, is_file_locks, is_shell_job, is_link_remap;
	bool is_lazy_pages, is_auto_dedup;
};

/* The arguments of one call. */
struct criu_args {
	struct arena arena;
	char **v; /* ends with NULL */
	size_t count, room;
};
void criu_args_add(struct criu_args *args, const char *format, ...) FORMAT(2, 3);
void criu_args_done(struct criu_args *args);
#define _cleanup_criu_args_ __attribute__((cleanup(criu_args_done)))

/* The directories of one call, as absolute paths. */
struct criu_dirs {
	char *images, *work;
};
/*
 * Finds the directories; a checkpoint creates those that are missing (mode 0711). ERR_USAGE if one does not
 * exist. The caller frees *ret by criu_dirs_done, also after a failure.
 */
int criu_dirs_open(const struct criu_options *options, bool is_creating, struct criu_dirs *ret,
		   struct err *err) MUST_CHECK;
void criu_dirs_done(struct criu_dirs *dirs);
#define _cleanup_criu_dirs_ __attribute__((cleanup(criu_dirs_done)))

/* Begins the arguments: the action (criu(8), "Commands") and all options that dump and restore have in common.
 */
void criu_args_begin(struct criu_args *args, const char *action, const struct criu_options *options,
		     const struct criu_dirs *dirs);

/*
 * ERR_UNSUPPORTED unless the program is installed in a version that has all that tare asks of it, and the
 * caller has CAP_SYS_ADMIN.
 */
int criu_check(struct err *err) MUST_CHECK;

/*
 * Executes the program in a mount namespace of its own, and waits for it. prepare runs in its process before,
 * with this process's standard descriptors; a negative errno of it ends the process. A failure quotes the cause
 * from the program's log, and names the log.
 */
struct criu_call {
	struct criu_args *args;
	const struct criu_dirs *dirs;
	const char *action, *goal; /* goal: what could not be done, for the error: "write the checkpoint" */
	int cgroup_fd;             /* of the cgroup to run it in; -1: this process's */
	bool has_cgroup_ns; /* in a new cgroup namespace, which restored processes share: criu makes none */
	int (*prepare)(const void *context);
	const void *context;
};
int criu_run(const struct criu_call *call, struct err *err) MUST_CHECK;

/*
 * What a checkpoint refers to and does not contain: mounts of a source that is not in the container,
 * descriptors that lead out of it, and namespaces of others. A checkpoint stores the list with the images; a
 * restore provides each of them again.
 */
enum criu_external_kind {
	CRIU_MOUNT,      /* text: the mount point */
	CRIU_DESCRIPTOR, /* number: 0 to 2 of the container's init; text: its name for criu(8), "--inherit-fd"
			  */
	CRIU_NAMESPACE,  /* text: its name in /proc/PID/ns */
};
struct criu_external {
	enum criu_external_kind kind;
	int number;
	char *text;
};
struct criu_externals {
	struct arena arena;
	struct criu_external *v;
	size_t count, room;
};
void criu_externals_done(struct criu_externals *externals);
#define _cleanup_criu_externals_ __attribute__((cleanup(criu_externals_done)))

/* A container that is to be written. */
struct criu_source {
	pid_t pid;             /* of its init */
	const char *joined;    /* names of namespaces that belong to others, separated by spaces */
	const uint64_t *added; /* the ids of mounts that its configuration does not have */
	size_t added_count;
};

/*
 * Finds the mounts and descriptors of a container by its init. ERR_UNSUPPORTED for what criu(8) cannot treat as
 * external, and for an added mount, which a restore could not provide.
 */
int criu_externals_find(const struct criu_source *source, struct criu_externals *ret,
			struct err *err) MUST_CHECK;
/* Adds them to the arguments of a dump. pid as above. */
int criu_externals_add(const struct criu_externals *externals, pid_t pid, struct criu_args *args,
		       struct err *err) MUST_CHECK;
int criu_externals_write(const struct criu_externals *externals, const char *images,
			 struct err *err) MUST_CHECK;
/* ERR_USAGE if the directory has none, because no tare has written it. */
int criu_externals_read(const char *images, struct criu_externals *ret, struct err *err) MUST_CHECK;

/* The name of external number i of a list, under which a restore provides it: of a mount or a namespace. */
void criu_external_name(size_t i, char *ret, size_t size);

#endif
