/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line asks of create, run and exec. */
#ifndef TARE_OPTIONS_H
#define TARE_OPTIONS_H

#include <tare/base.h>

/* The command line of create and run. Strings are the caller's. */
struct create_options {
	const char *id;
	const char *bundle;         /* as given; NULL: the working directory */
	const char *config;         /* a config.json that is not in the bundle, or NULL */
	const char *state_root;     /* --root, or NULL */
	const char *pid_file;       /* or NULL */
	const char *console_socket; /* or NULL */
	const char *pidfd_socket;   /* or NULL */
	uint32_t preserve_fds;
	bool is_no_pivot;
	bool is_no_new_keyring;
	bool is_no_subreaper;
	bool is_detached; /* run -d */
	bool is_keep;     /* run --keep */
	bool is_systemd_cgroup, is_cgroup_disabled;
};

/* The command line of exec. Strings and arrays are the caller's. */
struct exec_options {
	const char *id;
	const char *state_root;                     /* --root, or NULL */
	const char *process;                        /* a file with a process document, or NULL */
	const char *pid_file;                       /* or NULL */
	const char *console_socket;                 /* or NULL */
	const char *pidfd_socket;                   /* or NULL */
	const char *cgroup;                         /* below the container's, as given; or NULL */
	const char *cwd, *apparmor, *process_label; /* or NULL */
	char *const *args;
	size_t arg_count;
	char *const *env; /* NAME=VALUE */
	size_t env_count;
	bool has_uid, has_gid;
	uint32_t uid, gid;
	const uint32_t *groups;
	size_t group_count;
	uint64_t capabilities; /* bit n: capability number n, added to the container's */
	uint32_t preserve_fds;
	bool is_terminal, is_no_new_privs, is_detached, is_ignoring_paused;
};

#endif
