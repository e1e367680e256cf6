/* SPDX-License-Identifier: Apache-2.0 */
/* The process that was called, while it makes a container. Private to the room. */
#ifndef TARE_RUN_PARENT_H
#define TARE_RUN_PARENT_H

#include <tare/cgroup.h>
#include <tare/host.h>
#include <tare/plan.h>
#include <tare/run.h>
#include <tare/spec.h>
#include <tare/state.h>

/* Everything that has to be undone hangs here; a descriptor is -1 and a pid 0 until there is one. */
struct parent {
	const struct run_options *options;
	struct spec *spec;
	struct host host;
	struct plan *plan;
	struct plan_request request;
	char *bundle; /* absolute */
	struct state_record record;
	uint64_t old_signals; /* the caller's mask */

	int root_fd, dir_fd; /* state */
	int mount_fd, cgroup_fd;
	int socket_fd, child_socket_fd;
	int pidfd, bridge_pidfd;
	pid_t pid;
	int console_fd;  /* the master */
	int *slots;      /* of the plan */
	int first_fd;    /* behind the descriptors that the program keeps */
	bool has_hooked; /* hooks ran: poststop has to, if it all comes to nothing */
	bool has_pid_file;
};

/* load.c: what the command line and the bundle come to. Strings of *parent live until parent_done. */
int parent_load(struct parent *parent, struct err *err) MUST_CHECK;

/* parent.c: from the state directory to init at its gate; undone on failure. */
int parent_create(struct parent *parent, struct err *err) MUST_CHECK;
void parent_init(struct parent *parent, const struct run_options *options);
/* Kills init, removes cgroup, state and pid file, and runs poststop hooks if others have run. */
void parent_undo(struct parent *parent);
void parent_done(struct parent *parent);
#define _cleanup_parent_ __attribute__((cleanup(parent_done)))
/* Puts into *err how init ended, if it did: called when the conversation broke off. */
void parent_explain_end(int pidfd, struct err *err);

/* start.c: the starter's part of the conversation, over the parent's socket or the gate's. */
int starter_start(int socket_fd, int pidfd, struct err *err) MUST_CHECK;
/* Hooks of a kind from a stored configuration; the first failure ends it unless is_warning. */
int starter_run_hooks(const struct state_record *record, const struct spec *spec, uint32_t kind,
		      struct err *err) MUST_CHECK;

/* idmap.c */
int idmap_write(int proc_fd, pid_t pid, const struct plan *plan, const struct plan_maps *maps,
		struct err *err) MUST_CHECK;
/* A descriptor of a user namespace that has the maps, for mount_setattr(2). */
int idmap_open(const struct plan *plan, const struct plan_maps *maps, struct err *err) MUST_CHECK;

/* sockets.c: what engines want to be told over sockets of theirs. */
int socket_send_fd(const char *path, const char *payload, int fd, struct err *err) MUST_CHECK;

/* foreground.c: forwards signals and the terminal until the container ends; its status is 0-255. */
int foreground_wait(struct parent *parent, int *ret_status, struct err *err) MUST_CHECK;

#endif
