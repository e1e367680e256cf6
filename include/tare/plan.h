/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan: everything that is done for a container, as one ordered list of steps.
 *
 * The list is computed from a spec and a host without a system call, and deterministically: the same spec, host
 * and request give the same bytes. "tare plan" prints it. The parent, the bridge and init each walk the list
 * from its beginning and carry out their own steps in this order.
 *
 * A plan is one block of memory without pointers (the "image"): texts and tables are offsets into it, so that
 * it can be passed to another program as a file. plan_build writes it once; after that it is read-only.
 *
 * A slot is a number that stands for a descriptor: one step opens it, later steps use it, also in a child that
 * inherits it. All functions run in the parent; those marked [free] also exist in init and the bridge, which
 * have no C library.
 */
#ifndef TARE_PLAN_H
#define TARE_PLAN_H

#include <tare/base.h>
#include <tare/steps.h>

struct spec;
struct spec_resources;
struct host;

#define PLAN_MAGIC 0x3130524154455241ull

struct plan_note { /* element: a deviation from the configuration that is no error */
	plan_text json_pointer, text;
};

/* What "create" stores for a later exec: the template of its process, and how the container is entered. */
struct plan_process {
	struct spec_attributes attributes;
	struct plan_user user;     /* as granted; without a cwd if the configuration has no process */
	struct plan_texts env;     /* without the entries of the runtime itself */
	struct plan_table rlimits; /* of struct spec_rlimit */
	plan_text apparmor_profile, selinux_label;
	plan_text affinity_initial, affinity_final; /* cpu lists */
	struct plan_filter filter;                  /* an empty program: none */
	struct plan_resctrl resctrl;                /* clos 0: none */
	struct plan_ids ids;                        /* with has_ids: of PLAN_SETUP_IDS */
	bool has_ids;
	plan_text keyring; /* name of the session keyring; 0: the caller's */
	plan_text root;    /* without a mount namespace: path of the root file system on the host */
};

struct plan {
	uint64_t magic;
	uint32_t size; /* of the whole image in bytes */
	uint32_t slot_count;
	uint32_t steps; /* offset of step_count struct plan_step */
	uint32_t step_count;
	plan_text id;
	uint32_t has_bridge;
	uint64_t namespaces;     /* CLONE_NEW* of namespaces that are new or joined, not the caller's */
	uint32_t process;        /* of a container: offset of struct plan_process */
	struct plan_table notes; /* of struct plan_note */
	plan_text mount_context; /* "context=LABEL", for mounts without a PLAN_MOUNT step of their own */
	int64_t created_secs;    /* of a stored plan: copy from the record, used if the record is damaged */
	uint64_t created_nanosecs;
	uint64_t layout; /* of a stored plan: version of the layout of these bytes */
	uint64_t sum;    /* of a stored plan: sum of all other bytes */
};

/* A compiled seccomp filter. The caller owns it. */
struct plan_filter_program {
	const void *filter; /* of struct sock_filter */
	uint32_t count, flags;
	bool is_notify;
	bool may_fake_success; /* a call can return success without an effect */
};

/* What the command line adds to the configuration. Strings are the caller's. */
struct plan_request {
	const char *id;
	const char *bundle;    /* absolute, no "." or ".." */
	bool is_run;           /* no gate: the program starts without a "start" command */
	bool is_waited;        /* the parent or a supervisor waits until the container exits */
	const char *keyring;   /* name of the session keyring; NULL: "_ses." and the id */
	uint32_t preserve_fds; /* of --preserve-fds: number of descriptors after the listen_fds */
	uint32_t listen_fds;   /* socket activation: number of descriptors from 3 on (LISTEN_FDS) */
	const char *listen_fdnames;
	const char *notify_dir;                     /* directory of the host to bind on /run/notify, or NULL */
	const struct plan_filter_program *filter;   /* compiled from its seccomp section, or NULL */
	const struct plan_filter_program *observer; /* what init installs instead, for a recorder; or NULL */
	const char *proc;                           /* how to mount /proc: value of --proc, or NULL */
	bool is_no_pivot;
	bool is_no_new_keyring;
	bool is_systemd_cgroup;
	bool is_cgroup_disabled;
	bool is_init;              /* a first process that reaps orphans, forwards signals, and is no program */
	bool is_dying_with_parent; /* of run: the death of the parent kills the container */
};

/*
 * Computes the plan. Fails with ERR_CONFIG for an error in the configuration that only shows together with
 * facts of the host, with ERR_UNSUPPORTED for what this host or this version cannot do, and with ERR_SYSTEM if
 * a namespace that the configuration names cannot be opened. Never silently ignores a property. The caller
 * frees *ret_plan with free(3) (_cleanup_free_).
 */
int plan_build(const struct spec *spec, const struct host *host, const struct plan_request *request,
	       struct plan **ret_plan, struct err *err) MUST_CHECK;

/*
 * Computes the plan of "update": only the steps PLAN_CGROUP_ENABLE, PLAN_CGROUP_USAGE and PLAN_CGROUP_WRITE
 * that put these limits in force, by the rules of plan_build; device rules are ignored. A property that is not
 * set remains as it is, so that a quota without a period gets the default period, and swap without a memory
 * limit is refused: the caller completes such pairs from the values in force. The resources are a document of
 * their own: JSON pointers begin at its root, not at /linux/resources. Fails as plan_build. The caller frees
 * *ret_plan.
 */
int plan_build_update(const struct spec_resources *resources, const struct host *host, struct plan **ret_plan,
		      struct err *err) MUST_CHECK;

/*
 * plan_cpu_weight: cpu.weight (1 to 10000) for cpu.shares, 0 for 0 ("not set"): the curve through 2 -> 1, 1024
 * -> 100 and 262144 -> 10000 that runc and crun use, rounded up. plan_io_weight: io.weight (1 to 10000) for
 * blockIO.weight (10 to 1000), linear, rounded down.
 */
uint32_t plan_cpu_weight(uint64_t shares);
uint32_t plan_io_weight(uint64_t weight);

/*
 * Like plan_build, but reports each finding to on_finding and continues, and builds no plan; for "check".
 * Returns the number of findings. The finding is valid during the call of on_finding.
 */
int plan_check(const struct spec *spec, const struct host *host, const struct plan_request *request,
	       void (*on_finding)(void *context, const struct err *finding), void *context);

/*
 * The plan as far as it can be computed, despite findings: for "check" to read, never to be carried out. The
 * caller frees it.
 */
struct plan *plan_sketch(const struct spec *spec, const struct host *host, const struct plan_request *request);

/*
 * The part of a plan that "check" carries out: namespaces, id maps, mounts and the steps after them, without
 * those that change the host. The root file system and all bind mounts are read-only copies, so that a missing
 * mount point fails with EROFS instead of being created. If has_empty_root is set, the root is a new tmpfs, in
 * which mount points can be created. The plan stops before COMMITTED. The caller frees it.
 */
struct plan_trial {
	bool has_empty_root;
	bool has_program;           /* look up the program, unless the root is empty */
	const char *const *without; /* JSON pointers: omit steps of these and of objects that contain them */
	size_t without_count;
};
struct plan *plan_build_trial(const struct plan *plan, const struct plan_trial *request);

/*
 * The plan of "restore", from the plan of a container: the parent's steps for cgroup, mount sources, namespaces
 * and hooks, and PLAN_RESTORE in place of PLAN_SPAWN. The caller frees it.
 */
struct plan *plan_build_restore(const struct plan *plan);

/*
 * The mount options that tare itself interprets, for "features": name number index, NULL past the last. Every
 * other option is passed to the file system.
 */
const char *plan_mount_option_name(int index);

/* What "exec" requests. Strings and arrays are the caller's. */
struct plan_exec_request {
	const struct spec_process *process; /* of --process; NULL: the container's process */
	char *const *args;
	size_t arg_count;
	char *const *env; /* NAME=VALUE, replaces an entry with the same NAME */
	size_t env_count;
	const char *cwd; /* or NULL */
	const char *apparmor_profile, *selinux_label;
	bool has_uid, has_gid;
	uint32_t uid, gid;
	const uint32_t *groups; /* instead of the process's additional groups, unless group_count is 0 */
	size_t group_count;
	uint64_t capabilities; /* bit n: add capability number n */
	bool is_no_new_privs, is_terminal;
	bool is_announced; /* a pid file or socket announces the process before its program starts */
	uint32_t preserve_fds, listen_fds;
	const char *listen_fdnames;
	const char *cgroup; /* cgroup to start in, below the cgroup2 mount; "" or NULL: the caller's */
};

/*
 * Computes the plan of another process in a container, from the container's plan; the configuration is not read
 * again. The bridge enters the container, takes on the identity of the process there (ids, capabilities,
 * limits), and only then starts its child: the container's processes never see a process with more rights than
 * the new one. Fails as plan_build, and with ERR_USAGE if there is no program. The caller frees *ret_plan.
 */
int plan_build_exec(const struct plan *container, const struct host *host,
		    const struct plan_exec_request *request, struct plan **ret_plan,
		    struct err *err) MUST_CHECK;

/* What "mounts" requests. Strings and arrays are the caller's. */
struct plan_mounts_request {
	const char *bundle;              /* absolute: sources of binds may be relative to it */
	const struct spec_mount *mounts; /* the document */
	size_t count;
	const uint64_t *ids; /* mounts that may be removed: those that an earlier "mounts add" has reported */
	size_t id_count;
};

/*
 * Computes the plan of "mounts add": the steps of a creation that open the sources and attach the mounts, in a
 * process that enters the existing container from outside of its pid namespace and cgroup. spec: the
 * container's configuration, of which the mount label, propagation and id mappings apply; its mounts are
 * ignored. JSON pointers begin at the array of the request. ERR_UNSUPPORTED for what only a new container can
 * have: a procfs, links, files, remounts. Fails otherwise as plan_build. The caller frees *ret_plan.
 */
int plan_build_mounts(const struct spec *spec, const struct plan *container, const struct host *host,
		      const struct plan_mounts_request *request, struct plan **ret_plan,
		      struct err *err) MUST_CHECK;
/*
 * Computes the plan of "mounts remove": finds the mounts at all destinations of the request, and then unmounts
 * them, the last one first. Of each mount only destination and options are used. Errors as plan_build_mounts.
 */
int plan_build_unmounts(const struct plan *container, const struct host *host,
			const struct plan_mounts_request *request, struct plan **ret_plan,
			struct err *err) MUST_CHECK;

/*
 * A plan as a file of the state directory, which a later command reads. plan_store sets layout and sum, after
 * which the bytes of the plan can be written. plan_restore returns data as a plan, or NULL for bytes that are
 * damaged or of another version of tare. data must be aligned to 8 bytes.
 */
void plan_store(struct plan *plan);
const struct plan *plan_restore(const void *data, size_t size);

/*
 * Calls on_property for each property of org.freedesktop.systemd1(5) that states a limit of the plan
 * (PLAN_CGROUP_WRITE): systemd writes its own value of a limit again when it reloads, and would undo a limit
 * that it does not have. type is a D-Bus signature; a leading '?' means that an older systemd may not know the
 * property, and then does not write that limit. cpu has the values in force before the plan. Returns NULL, or
 * the first step with a value that cannot be expressed as a property: the caller then fails with
 * PLAN_NO_PROPERTY, which formats value and file.
 */
#define PLAN_CPU_PERIOD 100000 /* cpu.max of a new cgroup, in microseconds */
#define PLAN_CPU_WEIGHT 100
struct plan_cpu {
	uint64_t period; /* period of cpu.max, in microseconds */
	uint64_t weight; /* cpu.weight that applies while the cgroup is not idle */
};
typedef void (*plan_property)(void *context, const char *name, const char *type, const char *value);
#define PLAN_NO_PROPERTY "cannot express '%.100s' of '%s' as a property of systemd (write it in plain numbers)"
const struct plan_step *plan_unit_limits(const struct plan *plan, struct plan_cpu cpu,
					 plan_property on_property, void *context);

/* Whether the plan gives the container a cgroup of its own; [free]. */
bool plan_has_cgroup(const struct plan *plan);
/*
 * The path of the container's cgroup below the cgroup2 mount; "" if it has none, or if systemd makes it, which
 * then chooses the path. Valid as long as the plan.
 */
const char *plan_cgroup_path(const struct plan *plan);

/*
 * A plan of only the hooks of one kind (enum spec_hook_kind), for commands after the creation. status is the
 * one in the state that the hooks read. The step is plan_find(plan, PLAN_HOOKS), NULL if the configuration has
 * no such hooks. The caller frees the plan.
 */
struct plan *plan_build_hooks(const struct spec *spec, const struct plan_request *request, uint32_t kind,
			      const char *status);

/* Appends the plan as text, one line for each step, or as a JSON array of objects {who, step, what, where}. */
void plan_print(const struct plan *plan, struct buf *out);
void plan_print_json(const struct plan *plan, struct buf *out);
/* Appends who carries out the step and the name of its kind. */
void plan_print_step_name(const struct plan_step *step, struct buf *out);
/* Appends one step as plan_print writes it, without the line feed. */
void plan_print_step(const struct plan *plan, const struct plan_step *step, struct buf *out);

/* --- reading a plan; [free] --- */

static inline const char *plan_get(const struct plan *plan, plan_text text)
{
	return text == 0 ? NULL : (const char *)plan + text;
}
static inline const struct plan_step *plan_steps(const struct plan *plan)
{
	return (const struct plan_step *)((const char *)plan + plan->steps);
}
static inline const void *plan_rows(const struct plan *plan, struct plan_table table)
{
	return (const char *)plan + table.offset;
}
static inline const struct plan_process *plan_process_of(const struct plan *plan)
{
	return (const struct plan_process *)((const char *)plan + plan->process);
}
/* Entry i of a list of texts; NULL past the last. */
static inline const char *plan_item(const struct plan *plan, struct plan_texts texts, uint32_t i)
{
	const uint64_t *cells = (const uint64_t *)((const char *)plan + texts.offset);

	return i < texts.count ? (const char *)plan + cells[i] : NULL;
}
/* The first step of this kind, or NULL. */
const struct plan_step *plan_find(const struct plan *plan, enum plan_kind kind);

#endif
