/* SPDX-License-Identifier: Apache-2.0 */
/* The image while it grows. Private to the room. */
#ifndef TARE_PLAN_BUILDER_H
#define TARE_PLAN_BUILDER_H

#include <tare/host.h>
#include <tare/plan.h>
#include <tare/spec.h>

typedef void (*plan_finding)(void *context, const struct err *finding);

struct builder {
	const struct spec *spec;
	const struct host *host;
	const struct plan_request *request;
	struct buf pool; /* begins with room for struct plan, so that an offset in it is one in the image */
	struct plan_step *steps;
	uint32_t step_count, step_cap;
	int32_t slot_count;
	struct err *first;       /* of build: where the first finding goes */
	plan_finding on_finding; /* of check: gets them all */
	void *context;
	int finding_count;

	/* What several parts need to know. */
	bool has_new_user, has_user, has_mount_ns, has_bridge, has_cgroup;
	bool is_watched;                 /* the filter that comes has a listener, which is a descriptor */
	bool has_bridge_rlimits;         /* of exec: set by the bridge, before it is the user */
	bool is_user_early;              /* the bridge makes the user namespace, before the time namespace */
	int32_t ns_slots[SPEC_NS_COUNT]; /* of namespaces that are joined */
	bool is_settled;
	bool has_unit; /* the cgroup is systemd's, and scope_step the index of the step that has it made */
	uint32_t scope_step;
	int32_t proc_slot, idmap_slot, root_slot, gate_slot, environment_slot;
	int32_t *source_slots, *idmap_slots; /* a mount each, PLAN_NO_SLOT: none */
	struct arena arena;
	struct plan_device *devices;
	plan_text *device_wheres;
	size_t device_count;
	int32_t nodes_slot;            /* of the tmpfs that the parent makes devices in; PLAN_NO_SLOT: none */
	int32_t notify_slot;           /* of the notify socket's directory; PLAN_NO_SLOT: none is shown */
	bool is_dev_bound;             /* /dev comes from the host: nothing is made in it */
	uint32_t setup_uid, setup_gid; /* who makes directories and devices */
};

/* A finding: building goes on, so that "check" sees all of them; plan_build fails at its end. */
void builder_finding(struct builder *b, enum err_kind kind, const char *json_pointer, const char *fmt, ...)
	FORMAT(4, 5);
/* The same for what a system call said while the host was looked at; words without errno's. */
void builder_finding_errno(struct builder *b, int errnum, const char *json_pointer, const char *fmt, ...)
	FORMAT(4, 5);
/* The same with a JSON pointer made by builder_pointer. */
plan_text builder_text(struct builder *b, const char *text); /* NULL gives 0 */
plan_text builder_pointer(struct builder *b, const char *fmt, ...) FORMAT(2, 3);
const char *builder_get(const struct builder *b, plan_text text);
struct plan_texts builder_texts(struct builder *b, char *const *v, size_t count);
struct plan_table builder_table(struct builder *b, const void *rows, size_t count, size_t row_size);
int32_t builder_slot(struct builder *b);

/* A new step at the end, zeroed but for who, kind and where. Valid until the next call. */
struct plan_step *builder_step(struct builder *b, enum plan_actor actor, enum plan_kind kind,
			       plan_text json_pointer);

/* An empty image, with the id if there is a request, and no slot taken. */
void builder_begin(struct builder *b);
/* Puts the image together; the caller frees it. */
struct plan *builder_finish(struct builder *b);
void builder_done(struct builder *b);

/* A node list as a mask; -ERANGE for a node that does not fit. */
int plan_node_mask(const char *list, uint64_t *words, size_t count);

bool plan_is_new(const struct spec *spec, enum spec_ns ns);
bool plan_is_joined(const struct spec *spec, enum spec_ns ns);
uint64_t plan_namespaces(const struct spec *spec); /* CLONE_NEW* of all that it names */
struct plan_maps builder_maps(struct builder *b, const struct spec_id_maps *uid,
			      const struct spec_id_maps *gid);

/* The parts, in the order of the plan. */
void plan_add_cgroup(struct builder *b); /* cgroup.c */
void plan_add_limits(struct builder *b); /* resources.c: what is in force before init is born */
bool plan_begin_unit(struct builder *b); /* unit.c: false if it has no valid name */
void plan_end_unit(struct builder *b);   /* once all limits are there */
/* Whoever keeps the unit's place goes, unless he has gone already; nothing without a unit. */
void plan_add_release_placeholder(struct builder *b);
void plan_add_unit_set(struct builder *b, uint32_t from); /* limits that stand from step number from on */
void plan_add_watch(struct builder *b);                   /* unit.c, behind all limits */
bool plan_asks_limits(const struct builder *b);           /* resources.c: any that needs a cgroup */
void plan_add_late_limits(struct builder *b);             /* resources.c: what init could not be born under */
void plan_add_resctrl(struct builder *b);                 /* resctrl.c */
void plan_copy_resctrl(struct builder *b, const struct plan *container); /* of exec */
void plan_add_namespaces(struct builder *b);     /* namespaces.c: from opening to the birth of init */
void plan_add_sources(struct builder *b);        /* mounts.c: numbers the slots of bind sources */
void plan_add_root(struct builder *b);           /* rootfs.c */
void plan_add_mounts(struct builder *b);         /* mounts.c */
void plan_add_device_sources(struct builder *b); /* rootfs.c */
void plan_add_devices(struct builder *b);        /* rootfs.c */
void plan_add_hooks(struct builder *b, enum plan_actor actor, enum spec_hook_kind kind); /* process.c */
void plan_add_hooks_status(struct builder *b, enum plan_actor actor, enum spec_hook_kind kind,
			   const char *status);
/* The caller's environment for createContainer hooks, before the birth; nothing if each states its own. */
void plan_add_environment(struct builder *b); /* process.c */
void plan_add_late_rootfs(struct builder *b); /* rootfs.c: from pivot to the read-only root */
void plan_keep_bases(struct builder *b);      /* bases.c: once all steps are there */
void plan_add_process(struct builder *b);     /* process.c */

/* Parts of the process that exec has, too; process.c. who is not PLAN_PARENT: the process itself. */
struct plan_program plan_program_of(struct builder *b);
struct plan_user plan_user_of(struct builder *b);
/* HOME, by the rights that the process has before it becomes the user; nothing if the environment has it. */
void plan_add_home(struct builder *b, enum plan_actor actor);
void plan_add_rlimits(struct builder *b, enum plan_actor actor);
void plan_add_parent_attributes(struct builder *b);

/* Where the process hides from its neighbours: at once, or once the ids are mapped; namespaces.c. */
void plan_add_undumpable(struct builder *b, enum plan_actor actor, bool is_late);
/* The namespaces that init makes once it is the container's root; namespaces.c. */
void plan_add_own_namespaces(struct builder *b);
/* Labels of AppArmor and SELinux; labels.c. */
bool plan_has_labels(const struct builder *b);
void plan_add_key_label(struct builder *b, enum plan_actor actor);
void plan_add_labels(struct builder *b, enum plan_actor actor);
/* "context=LABEL" of /linux/mountLabel, or NULL; lives as long as the builder. */
char *plan_mount_context(struct builder *b);
/* Adds it to the options of a file system that takes it. Sets mount->options or mount->label, or nothing. */
void plan_label_mount(struct builder *b, struct plan_mount *mount, const struct spec_list *options);

/* Where in a process's life its seccomp filter is installed; seccomp.c. */
enum plan_filter_time {
	PLAN_FILTER_NEVER,
	PLAN_FILTER_PRIVILEGED, /* without no_new_privs: while CAP_SYS_ADMIN is there */
	PLAN_FILTER_WATCHED,    /* with a listener: while the parent is there to hand it on */
	PLAN_FILTER_LAST,       /* execve alone comes after it */
};
/* The configuration's filter into the image; nothing if there is none. */
void plan_add_filter(struct builder *b, struct plan_filter *ret);
enum plan_filter_time plan_filter_time(const struct plan_filter *filter, bool is_no_new_privs);
/* The end of a process's preparation: startContainer hooks, the handover, execve. process.c. */
void plan_add_exec(struct builder *b, const struct plan_program *program, const struct plan_filter *filter);
/* The step, and the parent's that hands a listener on. */
void plan_add_seccomp(struct builder *b, enum plan_actor actor, const struct plan_filter *filter);

/*
 * The path without ".", "..", "//" and a trailing "/", always beginning with "/", in ret; "" if that is too
 * small for it.
 */
const char *plan_clean_path(const char *path, char *ret, size_t size);
/* An absolute host path of one that is relative to the bundle. */
plan_text plan_host_path(struct builder *b, const char *path);

#endif
