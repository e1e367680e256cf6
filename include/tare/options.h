/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line asks of create, run and exec. */
#ifndef TARE_OPTIONS_H
#define TARE_OPTIONS_H

#include <tare/plan.h>
#include <tare/supervise.h>

/* What create, run and exec have in common. Strings are the caller's. */
struct common_options {
	const char *id;
	const char *state_root;     /* --root, or NULL */
	const char *console_socket; /* or NULL */
	const char *pidfd_socket;   /* or NULL */
	const char *pid_file;       /* or NULL */
	uint32_t preserve_fds;
	bool is_detached;
};

struct criu_options;

/* The command line of create and run. Strings are the caller's. */
struct create_options {
	struct common_options common;
	const char *bundle;            /* as given; NULL: the working directory */
	const char *config;            /* a config.json that is not in the bundle, or NULL */
	const struct buf *config_text; /* the configuration itself instead of a file, or NULL */
	/* proc, is_dying_with_parent, and is_no_pivot to is_cgroup_disabled. draft_load_request sets the other
	 * members. */
	struct plan_request plan;
	struct supervise_options supervise;
	const struct criu_options *restore; /* of restore; otherwise NULL */
	bool is_no_subreaper;
	bool is_keep; /* run --keep */
};

/* The command line of exec. Strings and arrays are the caller's. */
struct exec_options {
	struct common_options common;
	const char *process; /* a file with a process document, or NULL */
	const char *cgroup;  /* below the container's, as given; or NULL */
	/* The members from args to is_terminal. command_exec sets the others. */
	struct plan_exec_request plan;
	bool is_ignoring_paused;
};

#endif
