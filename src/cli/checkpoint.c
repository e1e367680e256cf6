/* SPDX-License-Identifier: Apache-2.0 */
/* The commands checkpoint and restore. */
#include <tare/criu.h>

#include "cli.h"

#define OPTION(field) offsetof(struct criu_options, field)

static int parse_status_fd(const char *text, void *target, struct arena *arena, struct err *err)
{
	struct criu_options *o = (struct criu_options *)(void *)((char *)target - OPTION(status_fd));
	uint64_t fd;

	(void)arena;
	if (!str_to_u64(text, INT32_MAX, &fd))
		return err_set(
			err, ERR_USAGE, 0, NULL,
			"invalid value '%.100s' for flag --status-fd: must be the number of a descriptor",
			text);
	o->status_fd = (int64_t)fd;
	o->has_status_fd = true;
	return 0;
}

/* What both commands have. */
static const struct option_row common_rows[] = {
	{"image-path", 0, OPTION_TEXT, OPTION(image_path), "DIR",
	 "directory of the images (default: checkpoint)"},
	{"work-path", 0, OPTION_TEXT, OPTION(work_path), "DIR",
	 "directory of logs (default: that of the images)"},
	{"tcp-established", 0, OPTION_FLAG, OPTION(is_tcp_established), NULL, "permit open TCP connections"},
	{"tcp-close", 0, OPTION_FLAG, OPTION(is_tcp_close), NULL, "close open TCP connections"},
	{"ext-unix-sk", 0, OPTION_FLAG, OPTION(is_ext_unix_sk), NULL,
	 "permit Unix sockets that lead out of the container"},
	{"shell-job", 0, OPTION_FLAG, OPTION(is_shell_job), NULL,
	 "permit a session or terminal of the caller's"},
	{"file-locks", 0, OPTION_FLAG, OPTION(is_file_locks), NULL, "permit locks of files"},
	{"link-remap", 0, OPTION_FLAG, OPTION(is_link_remap), NULL,
	 "permit open files that were deleted, by links beside them"},
	{"lazy-pages", 0, OPTION_FLAG, OPTION(is_lazy_pages), NULL,
	 "transfer memory pages when they are needed"},
	{"auto-dedup", 0, OPTION_FLAG, OPTION(is_auto_dedup), NULL, "remove pages that a later image replaces"},
	{"manage-cgroups-mode", 0, OPTION_TEXT, OPTION(manage_cgroups), "soft|full|strict|ignore",
	 "what criu does with cgroups (default: ignore)"},
	{"network-lock", 0, OPTION_TEXT, OPTION(network_lock), "iptables|nftables|skip",
	 "how criu locks TCP connections"},
	{"empty-ns", 0, OPTION_TEXT, OPTION(empty_ns), "net", "leave the network namespace empty"},
	{.name = NULL},
};
static const struct option_row checkpoint_rows[] = {
	{"", .kind = OPTION_TABLE, .rows = common_rows},
	{"leave-running", 0, OPTION_FLAG, OPTION(is_leave_running), NULL, "let the container continue"},
	{"pre-dump", 0, OPTION_FLAG, OPTION(is_pre_dump), NULL,
	 "write only the memory, and let the container continue"},
	{"parent-path", 0, OPTION_TEXT, OPTION(parent_path), "DIR",
	 "images of an earlier pre-dump, relative to the images"},
	{"tcp-skip-in-flight", 0, OPTION_FLAG, OPTION(is_tcp_skip_in_flight), NULL,
	 "omit TCP connections that are not established yet"},
	{"page-server", 0, OPTION_TEXT, OPTION(page_server), "ADDRESS:PORT", "send memory pages there"},
	{"status-fd", 0, OPTION_PARSED, OPTION(status_fd), "FD",
	 "write a byte to FD when pages can be requested", .parse = parse_status_fd},
	{.name = NULL},
};

static int checkpoint(struct cli_call *call, void *options, struct err *err)
{
	return command_checkpoint(call->globals.root, call->id, options, err);
}

struct restore_options {
	struct create_options create;
	struct criu_options criu;
};

#define RESTORE(field) offsetof(struct restore_options, field)
static const struct option_row restore_rows[] = {
	{"bundle", 'b', OPTION_TEXT, RESTORE(create.bundle), "DIR",
	 "directory of the bundle (default: the working directory)"},
	{"", .kind = OPTION_TABLE, .offset = RESTORE(create.common), .rows = cli_announce_rows},
	{"", .kind = OPTION_TABLE, .offset = RESTORE(create.common), .rows = cli_detach_rows},
	{"no-subreaper", 0, OPTION_FLAG, RESTORE(create.is_no_subreaper), NULL,
	 "do not become a child subreaper"},
	{"no-pivot", 0, OPTION_FLAG, RESTORE(create.plan.is_no_pivot), NULL, "no effect: criu makes the root"},
	{"no-new-keyring", 0, OPTION_FLAG, RESTORE(create.plan.is_no_new_keyring), NULL,
	 "as for create, for later processes"},
	{"keep", 0, OPTION_FLAG, RESTORE(create.is_keep), NULL,
	 "do not delete the container after its program exits"},
	{"", .kind = OPTION_TABLE, .offset = RESTORE(criu), .rows = common_rows},
	{"lsm-profile", 0, OPTION_TEXT, RESTORE(criu.lsm_profile), "TYPE:NAME",
	 "the apparmor or selinux label of the processes"},
	{"lsm-mount-context", 0, OPTION_TEXT, RESTORE(criu.lsm_mount_context), "CONTEXT",
	 "the SELinux context of mounts that have one"},
	{.name = NULL},
};

static int restore(struct cli_call *call, void *options, struct err *err)
{
	struct restore_options *o = options;
	int r = cli_add_globals(call, &o->create, err);

	o->create.restore = &o->criu;
	if (r >= 0)
		r = command_run(&o->create, &call->status, err);
	call->failure_status = call->status;
	return r;
}

const struct cli_command cli_checkpoint = {
	.name = "checkpoint",
	.operands = "ID",
	.help = "Write the processes of a running container to files, by criu(8)",
	.options = checkpoint_rows,
	.options_size = sizeof(struct criu_options),
	.min = 1,
	.max = 1,
	.has_id = true,
	.run = checkpoint,
};
const struct cli_command cli_restore = {
	.name = "restore",
	.operands = "ID",
	.help = "Create a container with the processes of a checkpoint, which continue",
	.options = restore_rows,
	.options_size = sizeof(struct restore_options),
	.min = 1,
	.max = 1,
	.has_id = true,
	.run = restore,
};
