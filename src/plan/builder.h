/* SPDX-License-Identifier: Apache-2.0 */
/* The builder: a plan while its parts add texts, tables and steps. Private to the room. Process: the parent. */
#ifndef TARE_PLAN_BUILDER_H
#define TARE_PLAN_BUILDER_H

#include <tare/host.h>
#include <tare/plan.h>
#include <tare/spec.h>

typedef void (*plan_finding)(void *context, const struct err *finding);

struct builder {
	const struct spec *spec;            /* NULL: of an exec */
	const struct spec_process *process; /* that of spec, or the new one of an exec */
	struct plan_process stored;         /* for later execs; the parts fill it in */
	struct plan_filter filter;          /* that init installs: the stored one, or one that observes it */
	const struct host *host;
	const struct plan_request *request;
	const char *mounts_pointer; /* JSON pointer of the array of mounts */
	struct plan_note *notes;    /* of builder_note */
	size_t note_count;
	struct buf pool; /* begins with space for struct plan: an offset in it is an offset in the image */
	struct plan_step *steps;
	uint32_t step_count, step_cap;
	int32_t slot_count;
	struct err *first;       /* plan_build: receives the first finding */
	plan_finding on_finding; /* plan_check: receives every finding */
	void *context;
	int finding_count;

	/* Facts that several parts need. */
	bool has_new_user, has_user, has_mount_ns, has_bridge, has_cgroup;
	bool has_listener;               /* the filter has a listener, which needs a descriptor */
	bool has_bridge_rlimits;         /* of exec: the bridge sets them, before it changes its user */
	bool is_user_early;              /* the bridge creates the user namespace, before the time namespace */
	int32_t ns_slots[SPEC_NS_COUNT]; /* of joined namespaces; PLAN_NO_SLOT: not joined */
	bool is_placeholder_released;    /* PLAN_RELEASE_PLACEHOLDER is in the plan */
	bool has_unit;                   /* systemd makes the cgroup, by the step with index scope_step */
	uint32_t scope_step;
	int32_t proc_slot, idmap_slot, root_slot, gate_slot, environment_slot;
	int32_t output_slots[PLAN_OUTPUTS];  /* of the output of hooks in init */
	int32_t *source_slots, *idmap_slots; /* one for each mount; PLAN_NO_SLOT: none */
	struct arena arena;
	struct plan_device *devices;
	plan_text *device_pointers; /* JSON pointer of each of devices */
	size_t device_count;
	bool is_root_empty;    /* the root file system is a new tmpfs */
	uint64_t overlay_size; /* bytes of the tmpfs above it; 0: none */
	int32_t nodes_slot;    /* of the tmpfs with the devices that the parent makes; PLAN_NO_SLOT: none */
	int32_t notify_slot;   /* of the directory of the notify socket; PLAN_NO_SLOT: none */
	int32_t recorder_slot; /* of the recorder's socket; PLAN_NO_SLOT: none */
	bool has_reaper;       /* the first process is not the program */
	int32_t end_slot;      /* of the pipe for the end of the program; PLAN_NO_SLOT: none */
	bool is_dev_bound;     /* /dev is a mount from the host: nothing is created in it */
	uint32_t setup_uid, setup_gid; /* ids that create directories and devices */
};

/* Reports an error. Building continues, so that "check" reports all errors; plan_build fails at its end. */
void builder_finding(struct builder *b, enum err_kind kind, const char *json_pointer, const char *fmt, ...)
	FORMAT(4, 5);
/* The same for a failed system call, with its positive errno. */
void builder_finding_errno(struct builder *b, int errnum, const char *json_pointer, const char *fmt, ...)
	FORMAT(4, 5);
/*
 * Notes a deviation from the configuration that does not weaken it, or that no caller can avoid here: the plan
 * has it in its notes, for the log and the state of the container.
 */
void builder_note(struct builder *b, const char *json_pointer, const char *fmt, ...) FORMAT(3, 4);
/*
 * Each appends to the image. A pointer from builder_get is valid until the next of them. builder_pointer
 * formats a JSON pointer, builder_slot numbers a new slot.
 */
plan_text builder_text(struct builder *b, const char *text); /* copies text; NULL gives 0 */
plan_text builder_pointer(struct builder *b, const char *fmt, ...) FORMAT(2, 3);
const char *builder_get(const struct builder *b, plan_text text);
/* The JSON pointer of a mount, or of its member key, unless that is NULL. Valid as long as the builder. */
const char *builder_mount_pointer(struct builder *b, const struct spec_mount *m, const char *key);
struct plan_texts builder_texts(struct builder *b, char *const *v, size_t count);
struct plan_table builder_table(struct builder *b, const void *rows, size_t count, size_t row_size);
int32_t builder_slot(struct builder *b);

/* Appends a step, zeroed except for these three members. Valid until the next call. */
struct plan_step *builder_step(struct builder *b, enum plan_actor actor, enum plan_kind kind,
			       plan_text json_pointer);

/* Adds a step that opens a mount source: the parent's if the caller may mount, otherwise init's. */
struct plan_step *builder_source(struct builder *b, plan_text json_pointer);

/* Starts an empty image, with the id of the request if there is one, and without slots. */
void builder_begin(struct builder *b);
/* Completes the image and transfers it to the caller: free(3) it. */
struct plan *builder_finish(struct builder *b);
void builder_done(struct builder *b);

bool plan_is_new(const struct spec *spec, enum spec_ns ns);
bool plan_is_joined(const struct spec *spec, enum spec_ns ns);
/* Whether the container is in the caller's namespace. */
bool plan_has_callers(const struct builder *b, enum spec_ns ns);
uint64_t plan_namespaces(const struct spec *spec); /* CLONE_NEW* of all that the configuration lists */
/* The range that has an id of the container, or NULL. */
const struct spec_id_range *plan_find_range(const struct spec_id_maps *maps, uint64_t id);
struct plan_maps builder_maps(struct builder *b, const struct spec_id_maps *uid,
			      const struct spec_id_maps *gid);

/* The parts, in the order of the plan. Each adds steps; the comment names its file. */
void plan_add_cgroup(struct builder *b); /* cgroup.c */
void plan_add_limits(struct builder *b); /* resources.c: limits that are in force before init starts */
bool plan_begin_unit(struct builder *b); /* unit.c: false if the unit has no valid name */
void plan_end_unit(struct builder *b);   /* unit.c: after all early limits */
/* Ends the process that keeps the unit's cgroup populated. Adds nothing the second time, or without a unit. */
void plan_add_release_placeholder(struct builder *b);
void plan_add_unit_set(struct builder *b, uint32_t from); /* unit.c: limits of the steps from index from on */
void plan_add_watch(struct builder *b);                   /* unit.c: after all limits */
bool plan_needs_cgroup(const struct builder *b);          /* resources.c: whether a limit needs a cgroup */
void plan_add_late_limits(struct builder *b); /* resources.c: limits that init could not start under */
void plan_add_delegate(struct builder *b);    /* cgroup.c; after READY */
void plan_add_resctrl(struct builder *b);     /* resctrl.c */
void plan_copy_resctrl(struct builder *b, const struct plan *container); /* resctrl.c, for exec */
void plan_add_namespaces(struct builder *b);   /* namespaces.c: from opening joined ones to the start of init */
void plan_add_sources(struct builder *b);      /* mounts.c: opens the root and the sources of binds */
void plan_add_bind_sources(struct builder *b); /* mounts.c: opens the sources of the configured binds */
void plan_add_root(struct builder *b);         /* rootfs.c */
/* Opens the root file system, after which it is known of which kind it is; propagation: of a copy; root.c */
void plan_open_root(struct builder *b, uint64_t propagation);
void plan_add_overlay(struct builder *b); /* root.c; after init has its ids */
/* The mounts of the types that are no file systems, symlink and file: false for all other types; content.c. */
bool plan_add_content(struct builder *b, const struct spec_mount *m);
void plan_add_mounts(struct builder *b);                                                 /* mounts.c */
void plan_add_device_sources(struct builder *b);                                         /* rootfs.c */
void plan_add_devices(struct builder *b);                                                /* rootfs.c */
void plan_add_hooks(struct builder *b, enum plan_actor actor, enum spec_hook_kind kind); /* hooks.c */
void plan_add_hooks_status(struct builder *b, enum plan_actor actor, enum spec_hook_kind kind,
			   const char *status);
/* The caller's environment for createContainer hooks. Adds nothing if each of them has an env. */
void plan_add_environment(struct builder *b);  /* hooks.c */
void plan_add_hook_outputs(struct builder *b); /* hooks.c */
void plan_begin_reaper(struct builder *b);     /* reaper.c: before init starts */
void plan_add_death_signal(struct builder *b); /* reaper.c */
/* reaper.c; is_limited: the program's filter or label does not apply to the reaper. */
void plan_add_reaper(struct builder *b, bool is_limited);
void plan_add_late_readonly(struct builder *b); /* rootfs.c: read-only tmpfs, after the mounts in them */
void plan_add_late_rootfs(struct builder *b);   /* rootfs.c: from the pivot to the read-only root */
void plan_keep_bases(struct builder *b);        /* bases.c: after all other steps */
void plan_add_process(struct builder *b);       /* process.c */
/* Completes b->stored and appends it to the image, after all other parts. Returns its offset; process.c. */
uint32_t plan_add_stored_process(struct builder *b);

/* Parts of the process that exec shares; process.c. An actor other than PLAN_PARENT is the process itself. */
struct plan_program plan_program_of(struct builder *b);
struct plan_user plan_user_of(struct builder *b);
/* Reports groups that the configuration requests, and notes those of the caller that stay. */
void plan_check_groups(struct builder *b, const struct plan_user *user);
/*
 * Whether setgroups is denied in the user namespace that the container joins, and the caller can drop its
 * groups before.
 */
bool plan_drops_groups_early(const struct builder *b);
/* HOME, read with the rights that the process has before it changes its user. Adds nothing if env has HOME. */
void plan_add_home(struct builder *b, enum plan_actor actor);
void plan_add_rlimits(struct builder *b, enum plan_actor actor);
void plan_add_parent_attributes(struct builder *b);
void plan_add_umask(struct builder *b, enum plan_actor actor);
void plan_add_policies(struct builder *b, enum plan_actor actor);
/* Sets the attributes that have is_set, and have it not set here. no_new_privileges has none. */
void plan_inherit_attributes(struct spec_attributes *attributes, const struct spec_attributes *from);

/*
 * PLAN_SET_UNDUMPABLE; namespaces.c. Each actor has two places for it, one as its first step and one (is_late)
 * after the id maps are written: adds it in the place that fits the caller's privileges.
 */
void plan_add_undumpable(struct builder *b, enum plan_actor actor, bool is_late);
/* The namespaces that init creates after it has become the container's root; namespaces.c. */
void plan_add_own_namespaces(struct builder *b);
/* Labels of AppArmor and SELinux; labels.c. */
bool plan_has_labels(const struct builder *b);
void plan_add_key_label(struct builder *b, enum plan_actor actor);
void plan_add_labels(struct builder *b, enum plan_actor actor);
/* Returns "context=LABEL" for /linux/mountLabel, or NULL; valid as long as the builder. */
char *plan_mount_context(struct builder *b);
/* Adds that option to a file system that supports it: sets mount->options or mount->label, or nothing. */
void plan_label_mount(struct builder *b, struct plan_mount *mount, const struct spec_list *options);

/* When a process installs its seccomp filter; seccomp.c. */
enum plan_filter_time {
	PLAN_FILTER_NEVER,
	PLAN_FILTER_PRIVILEGED, /* without no_new_privs: while it has CAP_SYS_ADMIN */
	PLAN_FILTER_NOTIFY,     /* with a listener: while the parent can take it and pass it on */
	PLAN_FILTER_LAST,       /* as late as possible: before startContainer hooks or execve(2) */
};
/* Starts the recorder, if the request has a filter for it. Before init is started. */
void plan_add_recorder(struct builder *b);
/* Copies the filters of the request into the image: b->filter and the stored one, with empty programs if there
 * are none. */
void plan_add_filter(struct builder *b);
enum plan_filter_time plan_filter_time(const struct plan_filter *filter, bool is_no_new_privs);
/*
 * The last steps of a process: late limits, the handover, execve(2); process.c. filter is installed last; NULL:
 * it was installed before, or there is none.
 */
void plan_add_exec(struct builder *b, const struct plan_program *program, const struct plan_filter *filter);
/* The step that installs the filter, and that of the parent which passes its listener on; seccomp.c. */
void plan_add_seccomp(struct builder *b, enum plan_actor actor, const struct plan_filter *filter);

/*
 * Writes path without ".", "..", "//" and a trailing "/" to ret, always with a leading "/"; "" if ret is too
 * small. Returns ret.
 */
const char *plan_clean_path(const char *path, char *ret, size_t size);
/* The absolute path on the host of a path that may be relative to the bundle. */
plan_text plan_host_path(struct builder *b, const char *path);

#endif
