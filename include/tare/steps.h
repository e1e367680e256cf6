/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/*
 * steps: all kinds of steps that a plan can have, as one table, and what a step of each kind contains.
 *
 * A row is a kind, the name of its functions, the name that "tare plan" prints, and:
 *
 * parent, bridge, create, exec: the processes that carry it out. create is init in the creation of a container,
 * exec is init in the plan of an exec. The letter is the prefix of the function NAME:
 *	P	parent_step_NAME of src/parent, which needs only the child
 *	C, E	parent_create_NAME and parent_exec_NAME, which need what only a creation or an exec has; several
 *		letters: each has a function of its own
 *	B	bridge_NAME of src/init/bridge.c
 *	I	init_NAME of src/init
 *	S	process_NAME of src/sys/process.c, which needs only the step
 *	M	init_NAME of src/init/mounts.c, only in the program that changes the mounts of an existing container,
 *		which has all steps of a creation, too; the program of a creation refuses it
 *	_	none: this process never has such a step, and refuses it
 *
 * detail: plan_detail_DETAIL of src/plan prints what the step has beside its name.
 *
 * trial: whether "check" carries it out: is_kept_TRIAL of src/plan/trial.c.
 *
 * path: the path in the container's root file system that the step looks up: path_PATH of src/plan/bases.c.
 *
 * The comment before a row begins with the member of struct plan_step that the step uses.
 *
 * All functions are declared by the table. A function that is missing, or not in the table, breaks the build.
 */
#ifndef TARE_STEPS_H
#define TARE_STEPS_H

#include <stdbool.h>
#include <stdint.h>

#include <tare/values.h>

/*        kind              name              printed name       parent, bridge, create, exec; detail, trial, path */
#define PLAN_STEPS(X)												\
	/* text = path of a new cgroup, below the cgroup2 mount */						\
	X(CGROUP_CREATE,    cgroup_create,    "cgroup",           C,   _, _, _, text,          skip,      none)	\
	/* unit; makes the cgroup as a transient scope of systemd */						\
	X(UNIT_START,       unit_start,       "unit-start",       C,   _, _, _, unit,          skip,      none)	\
	/* ends the process that kept the unit's cgroup populated */						\
	X(RELEASE_PLACEHOLDER, release_placeholder, "release-placeholder", C, _, _, _, none, skip, none)	\
	/* unit; sets properties that must not be in force while init starts */					\
	X(UNIT_SET,         unit_set,         "unit-set",         P,   _, _, _, unit,          skip,      none)	\
	/* starts the watcher, which reads the counters of the unit's cgroup */					\
	X(UNIT_WATCH,       unit_watch,       "unit-watch",       C,   _, _, _, none,          skip,      none)	\
	/* controllers that the cgroup needs, enabled in the cgroups above it */				\
	X(CGROUP_ENABLE,    cgroup_enable,    "controllers",      C,   _, _, _, controllers,   skip,      none)	\
	/* number = uid on the host that may create cgroups below it */						\
	X(CGROUP_OWNER,     cgroup_owner,     "cgroup-owner",     P,   _, _, _, owner,         skip,      none)	\
	/* devices; the rules of the device program (BPF) */							\
	X(CGROUP_DEVICES,   cgroup_devices,   "device-rules",     P,   _, _, _, device_rules,  skip,      none)	\
	/* usage; fails if the current use exceeds a limit */							\
	X(CGROUP_USAGE,     cgroup_usage,     "check-usage",      P,   _, _, _, usage,         skip,      none)	\
	/* write; a value into a file of the cgroup */								\
	X(CGROUP_WRITE,     cgroup_write,     "limit",            P,   _, _, _, write,         skip,      none)	\
	/* delegate; makes a cgroup in that of the container, and moves init to it */				\
	X(CGROUP_DELEGATE,  cgroup_delegate,  "cgroup-delegate",  P,   _, _, _, delegate,      skip,      none)	\
	/* a private procfs, into slot */									\
	X(OPEN_PROC,        open_proc,        "open-procfs",      P,   _, _, _, none,          keep,      none)	\
	/* ns, into its slot */											\
	X(OPEN_NAMESPACE,   open_namespace,   "open-namespace",   P,   _, _, _, namespace,     keep,      none)	\
	/* idmap; a user namespace with these maps for idmapped mounts */					\
	X(OPEN_IDMAP,       open_idmap,       "open-idmap",       P,   _, _, _, idmap,         omittable, none)	\
	/* source; a detached copy of a mount tree, into its slot */						\
	X(OPEN_SOURCE,      open_source,      "open-source",      P,   _, I, _, source,        omittable, source)	\
	/* starts the recorder of system calls; its socket into slot */						\
	X(RECORDER,         recorder,         "recorder",         C,   _, _, _, none,          skip,      none)	\
	/* a pipe for the end of the program, its writing end into slot */					\
	X(OPEN_END,         open_end,         "open-end",         P,   _, _, _, none,          skip,      none)	\
	/* the caller's environment as a file, into slot, for hooks in init */					\
	X(OPEN_ENVIRONMENT, open_environment, "open-environment", P,   _, _, _, none,          skip,      none)	\
	/* output; a file for the output of hooks in init, into its slot */					\
	X(OPEN_OUTPUT,      open_output,      "open-output",      P,   _, _, _, output,        skip,      none)	\
	/* container; the pidfd of its init (and its root) into slots */					\
	X(OPEN_CONTAINER,   open_container,   "open-container",   E,   _, _, _, none,          skip,      none)	\
	/* text = path of an existing cgroup, below the cgroup2 mount */					\
	X(OPEN_CGROUP,      open_cgroup,      "open-cgroup",      E,   _, _, _, text,          skip,      none)	\
	/* spawn; starts the next process */									\
	X(SPAWN,            spawn,            "spawn",            PCE, B, _, _, spawn,         keep,      none)	\
	/* makes the processes of a checkpoint again, in place of "spawn" */					\
	X(RESTORE,          restore,          "restore",          C,   _, _, _, none,          skip,      none)	\
	/* maps, of the process just started */									\
	X(ID_MAPS,          id_maps,          "id-maps",          P,   _, _, _, maps,          keep,      none)	\
	/* net_device, moved into the container's network namespace */						\
	X(NET_DEVICE,       net_device,       "network-device",   C,   _, _, _, net_device,    skip,      none)	\
	/* resctrl; class of service of the process just started */						\
	X(RESCTRL,          resctrl,          "resctrl",          CE,  _, _, _, resctrl,       skip,      none)	\
	/* number; parent: of init, bridge: of itself, inherited by its child */				\
	X(OOM_SCORE,        oom_score,        "oom-score-adj",    P,   B, _, _, number,        skip,      none)	\
	/* PR_SET_DUMPABLE 0; access needs CAP_SYS_PTRACE */							\
	X(SET_UNDUMPABLE,   set_undumpable,   "set-undumpable",   _,   S, S, _, none,          keep,      none)	\
	/* ns; setns(2) of its slot */										\
	X(JOIN,             join,             "join",             _,   I, I, _, join,          keep,      none)	\
	/* container; all its namespaces by one setns(2), and its root */					\
	X(ENTER,            enter,            "enter",            _,   B, M, _, enter,         skip,      none)	\
	/* number = CLONE_NEW* */										\
	X(UNSHARE,          unshare,          "unshare",          _,   B, I, _, unshare,       keep,      none)	\
	/* times; slot is a procfs */										\
	X(TIME_OFFSETS,     time_offsets,     "time-offsets",     _,   B, _, _, times,         keep,      none)	\
	/* step; a message to the peer: all steps above are done */						\
	X(SEND,             send,             "send",             PCE, B, I, _, message,       send,      none)	\
	/* step; waits for that message of the peer */								\
	X(EXPECT,           expect,           "expect",           PCE, I, I, I, message,       keep,      none)	\
	/* ids; become the owner of the files that init makes */						\
	X(SETUP_IDS,        setup_ids,        "setup-ids",        _,   I, I, _, ids,           keep,      none)	\
	/* text = name of a new session keyring */								\
	X(KEYRING,          keyring,          "keyring",          _,   S, S, _, text,          keep,      none)	\
	/* set the interface "lo" up */										\
	X(LOOPBACK,         loopback,         "loopback",         _,   _, S, _, none,          keep,      none)	\
	/* root; attach the root file system */									\
	X(ROOT,             root,             "root",             _,   _, I, _, root,          keep,      none)	\
	/* overlay; an overlay of a tmpfs covers the root file system */					\
	X(OVERLAY,          overlay,          "overlay",          _,   _, I, _, overlay,       keep,      none)	\
	/* mount */												\
	X(MOUNT,            mount,            "mount",            _,   _, I, _, mount,         mount,     mount)	\
	/* added; reports the id of the mount in mount_slot, and keeps it open for a failure of a later step */	\
	X(REPORT_MOUNT,     report_mount,     "report-mount",     _,   _, M, _, none,          skip,      none)	\
	/* removed; finds a mount that "mounts add" has made, into its slot */					\
	X(FIND_MOUNT,       find_mount,       "find-mount",       _,   _, M, _, found,         skip,      none)	\
	/* slot of a mount, which is unmounted with all mounts below it; reports its id */			\
	X(UNMOUNT,          unmount,          "unmount",          _,   _, M, _, none,          skip,      none)	\
	/* the process exits, and its work remains */								\
	X(QUIT,             quit,             "quit",             _,   _, M, _, none,          skip,      none)	\
	/* node; a device in the tmpfs of slot; the first such step mounts it */				\
	X(MAKE_NODE,        make_node,        "make-node",        P,   _, _, _, node,          omittable, none)	\
	/* file; with the content that the configuration states */						\
	X(FILE,             file,             "file",             _,   _, I, _, file,          keep,      file)	\
	/* slot of that tmpfs; each device in it into its source_slot */					\
	X(COPY_NODES,       copy_nodes,       "copy-nodes",       _,   _, I, _, none,          keep,      none)	\
	/* device */												\
	X(DEVICE,           device,           "device",           _,   _, I, _, device,        omittable, device)	\
	/* link; a symbolic link */										\
	X(LINK,             link,             "link",             _,   _, I, _, link,          keep,      link)	\
	/* hooks */												\
	X(HOOKS,            hooks,            "hooks",            C,   _, I, _, hooks,         skip,      none)	\
	/* root; make it "/" */											\
	X(PIVOT,            pivot,            "pivot",            _,   _, I, _, pivot,         keep,      none)	\
	/* text = directory to create if it is missing */							\
	X(MAKE_CWD,         make_cwd,         "make-cwd",         _,   _, I, _, text,          cwd,       text)	\
	/* console */												\
	X(CONSOLE,          console,          "console",          _,   I, I, _, none,          omittable, tty)	\
	/* standard input becomes the controlling terminal */							\
	X(CONTROLLING,      controlling,      "controlling-tty",  _,   _, S, S, none,          skip,      none)	\
	/* the mount in slot becomes read-only */								\
	X(READONLY_MOUNT,   readonly_mount,   "readonly-mount",   _,   _, I, _, none,          omittable, none)	\
	/* text */												\
	X(HOSTNAME,         hostname,         "hostname",         _,   _, S, _, text,          uts,       none)	\
	/* text */												\
	X(DOMAINNAME,       domainname,       "domainname",       _,   _, S, _, text,          uts,       none)	\
	/* sysctl */												\
	X(SYSCTL,           sysctl,           "sysctl",           _,   _, I, _, sysctl,        sysctl,    none)	\
	/* label, of the program that the process executes or of its keys */					\
	X(LABEL,            label,            "label",            _,   I, I, _, label,         omittable, none)	\
	/* text = path that becomes read-only with everything below it */					\
	X(READONLY_PATH,    readonly_path,    "readonly-path",    _,   _, I, _, text,          omittable, text)	\
	/* text = path that is hidden */									\
	X(MASK_PATH,        mask_path,        "mask-path",        _,   _, I, _, text,          omittable, text)	\
	/* propagation, of the root mount */									\
	X(PROPAGATION,      propagation,      "propagation",      _,   _, I, _, propagation,   omittable, none)	\
	/* the root mount becomes read-only */									\
	X(READONLY_ROOT,    readonly_root,    "readonly-root",    _,   _, I, _, none,          keep,      none)	\
	/* number */												\
	X(UMASK,            umask,            "umask",            _,   S, S, _, umask,         keep,      none)	\
	/* scheduler */												\
	X(SCHEDULER,        scheduler,        "scheduler",        P,   _, _, _, scheduler,     omittable, none)	\
	/* number = ioprio value */										\
	X(IO_PRIORITY,      io_priority,      "io-priority",      P,   _, _, _, number,        omittable, none)	\
	/* rlimit; parent: of init */										\
	X(RLIMIT,           rlimit,           "rlimit",           P,   S, S, S, rlimit,        omittable, none)	\
	/* affinity, of this process */										\
	X(AFFINITY,         affinity,         "affinity",         S,   S, S, _, none,          skip,      none)	\
	/* memory_policy */											\
	X(MEMORY_POLICY,    memory_policy,    "memory-policy",    _,   S, S, _, memory_policy, skip,      none)	\
	/* number */												\
	X(PERSONALITY,      personality,      "personality",      _,   S, S, _, number,        omittable, none)	\
	X(NO_NEW_PRIVS,     no_new_privs,     "no-new-privs",     _,   S, S, _, none,          keep,      none)	\
	/* number = uid that becomes the owner of descriptors 0 to 2 */						\
	X(STDIO_OWNER,      stdio_owner,      "stdio-owner",      _,   I, I, _, number,        skip,      none)	\
	/* user; bounding set, groups, ids, capabilities, working directory */					\
	X(USER,             user,             "user",             _,   I, I, _, user,          keep,      none)	\
	/* number = uid; HOME from the container's passwd */							\
	X(HOME,             home,             "home",             _,   I, I, _, number,        skip,      none)	\
	/* program; finds the executable file */								\
	X(LOOKUP,           lookup,           "lookup",           _,   I, I, _, program,       program,   none)	\
	/* waits for "start" at the listening socket in slot; none: no wait */					\
	X(GATE,             gate,             "gate",             _,   _, I, _, none,          skip,      none)	\
	/* SIGKILL when the parent dies, from now on */								\
	X(DEATH_SIGNAL,     death_signal,     "death-signal",     _,   _, I, _, none,          skip,      none)	\
	/* reaper; starts a process for the steps below, and remains as the first process of the container */	\
	X(REAPER,           reaper,           "reaper",           _,   _, I, _, reaper,        skip,      none)	\
	/* program; last message to the parent, only the steps below remain */					\
	X(HANDOVER,         handover,         "hand-over",        _,   _, I, I, none,          skip,      none)	\
	/* filter; installs it */										\
	X(SECCOMP,          seccomp,          "seccomp",          _,   I, I, I, filter,        filter,    none)	\
	/* filter; takes the listener from that process and passes it on */					\
	X(LISTENER,         listener,         "listener",         CE,  _, _, _, listener,      skip,      none)	\
	/* program */												\
	X(EXEC,             exec,             "exec",             _,   _, I, I, program,       skip,      none)
/* clang-format on */

enum plan_actor {
	PLAN_PARENT, /* the tare process that the caller started */
	PLAN_BRIDGE, /* a short-lived process; enters the namespaces that only its child can start in */
	PLAN_INIT,   /* the process that becomes the container's program */
};

#define PLAN_KIND(kind, ...) PLAN_##kind,
enum plan_kind { PLAN_STEPS(PLAN_KIND) PLAN_KINDS };
#undef PLAN_KIND

/* --- what a step contains --- */

#define PLAN_NO_SLOT (-1)

typedef uint32_t plan_text; /* offset of a NUL-terminated string; 0: none */
struct plan_texts { /* an argv: offset of count + 1 64-bit cells, each the offset of a string, the last is 0 */
	uint32_t offset, count;
};
struct plan_table { /* offset of count structs; each use names their type */
	uint32_t offset, count;
};

struct plan_maps {
	struct plan_table uid, gid; /* of struct spec_id_range */
	bool deny_setgroups; /* write "deny" to setgroups first: the caller may not map groups otherwise */
	bool is_joined;      /* the namespace exists and has maps, which must equal these */
};

#define PLAN_WRITE_OPTIONAL 1u  /* a missing file is no error: the value is in force without the controller */
#define PLAN_WRITE_TENTATIVE 2u /* EINVAL is no error: a later step writes the value again */
struct plan_cgroup_write {
	plan_text file, value;             /* one write(2) */
	plan_text other_file, other_value; /* written instead if file does not exist; 0: no such file */
	uint32_t flags;                    /* PLAN_WRITE_* */
};
struct plan_cgroup_usage {
	plan_text file; /* contains a number; if it does not exist, nothing is used */
	uint64_t limit;
};

struct plan_resctrl {
	plan_text clos;     /* name of the directory of the class, "" for the default class */
	plan_text monitor;  /* name of a monitoring group in it; 0: none */
	plan_text schemata; /* lines, each with a line feed; 0: none */
	bool is_own;        /* named after the container and used by it alone */
	bool is_made;       /* of exec: the class already exists */
};

struct plan_net_device {
	plan_text name, new_name; /* new_name may contain "%d", for the lowest free number */
	int32_t slot;             /* of the network namespace; PLAN_NO_SLOT: that of init */
};

struct plan_unit {
	plan_text name, slice;
	struct plan_texts properties; /* name, type, value of each, without Description */
	bool is_user;                 /* of the systemd instance of the user, not of the system */
};

struct plan_source {
	plan_text path;
	bool is_recursive;
	bool is_bind_of_device; /* must be the character device major:minor */
	uint32_t major, minor;
	uint64_t propagation; /* MS_SLAVE or MS_PRIVATE of the copy; 0: it remains a peer of the original */
	int32_t idmap_slot;   /* or PLAN_NO_SLOT */
	bool is_idmap_recursive;
	bool is_readonly; /* make the copy and all mounts in it read-only */
	bool is_empty;    /* a new tmpfs instead */
	bool is_locked;   /* the container cannot clear the copy's flags, or unmount the mounts in it */
	bool is_inside;   /* path is in the container, below the target of an earlier mount of the plan */
	bool is_link;     /* if path is a symbolic link, the link itself is the source */
};

/* How a new file system can be made: each way is tried if the kernel refuses the one before it with EPERM. */
#define PLAN_WAY_NEW 1u
#define PLAN_WAY_SUBSET 2u /* proc: with subset=pid, which omits all files but those of processes */
#define PLAN_WAY_COPY 4u   /* a bind of the caller's /proc, /sys or /dev/mqueue */
#define PLAN_WAY_PARENT 8u /* proc: made by the parent, in its mount namespace; after PLAN_WAY_NEW */

/* What init has mounted in another way than PLAN_WAY_NEW: the value of READY. */
#define PLAN_TOOK_PROC_SUBSET 1u
#define PLAN_TOOK_PROC_COPY 2u
#define PLAN_TOOK_SYSFS_COPY 4u
#define PLAN_TOOK_MQUEUE_COPY 8u
#define PLAN_TOOK_CGROUP_COPY 16u

#define PLAN_PROPAGATIONS 4
struct plan_mount {
	plan_text target;
	plan_text type;            /* 0 for binds and remounts */
	plan_text source;          /* option "source" of the file system; in binds only for messages */
	struct plan_texts options; /* of the file system: "key" or "key=value" */
	int32_t source_slot;       /* binds: of the detached tree */
	int32_t keep_slot;  /* new file systems: where the mount's descriptor stays open for later steps */
	int32_t idmap_slot; /* new file systems only */
	uint64_t attr_set, attr_clear; /* MOUNT_ATTR_* */
	uint64_t attr_implied_clear;   /* binds: flags of the source to clear unless the kernel locks them */
	uint64_t recursive_attr_set, recursive_attr_clear; /* applied with AT_RECURSIVE */
	struct {
		uint64_t type; /* MS_SHARED ... */
		bool is_recursive;
	} propagation[PLAN_PROPAGATIONS]; /* applied in this order until type is 0 */
	bool is_bind;
	bool is_remount; /* changes the attributes of the existing mount at the target */
	bool is_superblock_readonly;
	bool is_copy_up;        /* tmpfs: first copy the content of the target into it */
	bool is_mode_of_target; /* tmpfs: use the mode of the directory that it covers */
	bool is_real_directory; /* the target must not be a symbolic link or below one */
	bool is_link_target;    /* if the target is a symbolic link, the link itself is covered */
	bool copies_link;       /* if the source is a symbolic link, the same link is made instead of a mount */
	bool is_readonly_later; /* a later step makes the mount in keep_slot read-only */
	bool is_base;           /* later steps look up paths below the target from the mount's descriptor */
	bool is_inside_proc;    /* the target is one of the few files below /proc that a mount may cover */
	bool is_cgroup;         /* falls back to a bind of cgroup_path if a new mount is not permitted */
	bool is_cgroup_shared;  /* binds it without trying: the container is in the caller's cgroup namespace */
	bool is_fallback_readonly;        /* a bind in place of a new file system is read-only */
	uint32_t ways;                    /* of a new file system: PLAN_WAY_* */
	struct plan_texts subset_options; /* in place of options, for PLAN_WAY_SUBSET */
	plan_text cgroup_path;            /* host path for that fallback; 0: there is no fallback */
	plan_text label;                  /* SELinux label for its root directory, if no mount option sets it */
};

struct plan_removed {
	plan_text target;
	struct plan_table ids; /* of uint64_t: mounts that may be removed, statx(2), STATX_MNT_ID */
	int32_t slot;
	bool is_link_target; /* as of struct plan_mount */
};

enum plan_label_kind {
	PLAN_LABEL_APPARMOR,     /* profile that the next execve(2) changes to */
	PLAN_LABEL_SELINUX,      /* context that the next execve(2) changes to */
	PLAN_LABEL_SELINUX_KEYS, /* context of keys and keyrings that the process creates */
};
struct plan_label {
	uint32_t kind;
	int32_t slot; /* of the private procfs */
	plan_text text;
};
struct plan_device {
	plan_text path;
	char type;     /* 'c', 'b', 'p' */
	bool is_bound; /* in a user namespace: bind mount of a device in source_slot, not mknod(2) */
	bool is_found; /* below a /dev that is the host's: never made, must exist */
	bool is_node;  /* is_bound, and source_slot is a node that the parent makes */
	bool has_mode, has_uid, has_gid; /* configured: the host's node must have the same */
	uint32_t major, minor;
	uint32_t mode, uid, gid;
	uint32_t host_uid, host_gid; /* if is_node */
	int32_t source_slot;
};
struct plan_link {
	plan_text path, target;
	plan_text needs; /* make the link only if this path exists in the container; 0: always */
	bool is_replacing;
};
struct plan_file {
	plan_text path;
	struct plan_table content; /* of bytes */
	uint32_t mode;
	bool is_replacing; /* the root file system is not the host's: an existing file is removed first */
};
struct plan_hook { /* element */
	plan_text path;
	plan_text json_pointer;
	struct plan_texts args;
	struct plan_texts env;
	bool is_env_set;  /* false: use the environment of the process that runs it */
	uint32_t timeout; /* seconds, 0: no limit */
};
#define PLAN_OUTPUTS 2
struct plan_hooks {
	struct plan_table hooks;          /* of struct plan_hook */
	uint32_t kind;                    /* enum spec_hook_kind */
	plan_text state_head, state_tail; /* the state JSON before and after the digits of the pid */
	int32_t environment_slot;         /* of PLAN_OPEN_ENVIRONMENT, for hooks without env; or PLAN_NO_SLOT */
	plan_text outputs[PLAN_OUTPUTS];  /* files for standard output and error; 0: read by the runtime */
	int32_t output_slots[PLAN_OUTPUTS]; /* in init: of PLAN_OPEN_OUTPUT; or PLAN_NO_SLOT */
};
struct plan_root {
	plan_text path; /* path of the root file system on the host, absolute */
	int32_t slot;   /* of the detached tree */
	int32_t proc_slot;
	bool is_readonly;
	bool is_no_pivot;
	bool has_mount_ns;     /* false: only chroot(2) */
	bool may_be_in_chroot; /* the caller may be: only without a new user namespace */
	bool is_slave;         /* remains a slave of the mount on the host that it is a copy of */
	bool is_empty;         /* a new tmpfs: there is no directory of the host */
};
struct plan_overlay {
	uint64_t size; /* of the tmpfs, in bytes */
	bool is_in_user_ns;
};
struct plan_user {
	uint32_t uid, gid;
	struct plan_table groups; /* of uint32_t */
	bool is_setgroups_denied; /* setgroups(2) is denied in the user namespace: keep the caller's groups */
	bool has_callers_groups; /* the configuration requests the caller's groups: ignore the list in groups */
	struct spec_capabilities capabilities;
	plan_text cwd;
};
struct plan_program {
	struct plan_texts args, env;
	bool needs_home;            /* env has no HOME: PLAN_HOME looks it up */
	uint32_t runtime_env_count; /* the last n entries of env come from the runtime itself */
};
struct plan_filter {
	struct plan_table program; /* of struct sock_filter */
	uint32_t flags;            /* SECCOMP_FILTER_FLAG_* */
	bool is_notify;            /* it has a listener, which the parent takes and passes on */
	bool is_parent_limited;    /* the parent lacks CAP_SYS_PTRACE: init must be dumpable meanwhile */
	bool may_fake_success;     /* a call can return success without an effect */
	int32_t recorder_slot;     /* of a socket to the recorder, which takes the listener; or PLAN_NO_SLOT */
	plan_text listener_path, listener_metadata; /* socket to send it to, data to send with it */
	plan_text listener_pointer;                 /* JSON pointer of listener_path */
};
struct plan_reaper {
	int32_t slot;      /* of the pipe for struct init_end (init.h); PLAN_NO_SLOT: none */
	bool is_subreaper; /* the pid namespace is not new: its first process is another one */
	bool is_limited; /* it installs a filter of its own, since only the program gets the filter or label */
};
struct plan_container {
	int32_t slot;      /* of the pidfd */
	int32_t root_slot; /* of the root directory, without a mount namespace; or PLAN_NO_SLOT */
	plan_text root;
	uint64_t namespaces; /* CLONE_NEW* */
	bool drops_groups;   /* before: setgroups(2) is denied in the container's user namespace */
};
struct plan_ids {
	uint32_t uid, gid;
};
struct plan_step {
	uint16_t kind;          /* enum plan_kind */
	uint8_t actor;          /* enum plan_actor */
	plan_text json_pointer; /* JSON pointer of the property, for errors; 0: none */
	union {
		plan_text text;
		int64_t number;
		int32_t slot;
		uint32_t step; /* enum protocol_step */
		struct {
			uint32_t ns;
			int32_t slot;
			plan_text path;
			bool is_tentative; /* EPERM is no error: a later step joins again */
			bool drops_groups; /* before: setgroups(2) is denied in the user namespace */
		} ns;
		struct {
			int32_t slot;
			struct plan_maps maps;
		} idmap;
		struct {
			int32_t slot;
			struct plan_source source;
		} source;
		struct {
			uint64_t flags;
			bool is_bridge;
			bool into_cgroup;
		} spawn; /* CLONE_NEW* */
		struct plan_maps maps;
		struct plan_table devices;     /* of struct spec_device_rule */
		struct plan_texts controllers; /* names of cgroup.controllers */
		struct plan_cgroup_write write;
		struct plan_cgroup_usage usage;
		struct plan_net_device net_device;
		struct plan_resctrl resctrl;
		struct plan_unit unit;
		struct {
			int32_t slot;
			struct spec_time_offset monotonic, boottime;
		} times;
		struct plan_ids ids;
		struct plan_container container;
		struct plan_root root;
		struct plan_overlay overlay;
		struct plan_mount mount;
		struct {
			int32_t mount_slot, slot;
		} added;
		struct plan_removed removed;
		struct plan_device device;
		struct {
			int32_t slot;
			struct plan_device device;
		} node;
		struct plan_link link;
		struct plan_file file;
		struct plan_hooks hooks;
		struct {
			struct spec_console_size size;
			uint32_t uid;
			bool has_console_file;
			bool is_controlling; /* false: PLAN_CONTROLLING does it later, in the program's session
					      */
		} console;
		struct {
			plan_text path, value, key;
			int32_t slot;
		} sysctl;
		struct plan_label label;
		struct {
			plan_text name;
			uint32_t uid; /* of the owner, on the host */
			bool has_owner;
		} delegate;
		struct {
			plan_text path;
			int32_t slot;
		} output;
		struct {
			uint64_t type;
			bool is_recursive;
		} propagation;
		struct spec_scheduler scheduler;
		struct spec_memory_policy memory_policy;
		struct plan_table affinity; /* of uint64_t mask words; empty: all cpus */
		struct spec_rlimit rlimit;
		struct plan_user user;
		struct plan_program program;
		struct plan_filter filter;
		struct plan_reaper reaper;
	} u;
};

#endif
