/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor: the program tare-doctor, which reports what this host permits the caller. It is a separate program
 * because it uses libmount and libcap, which are shared libraries. It changes nothing: what can only be found
 * out by a trial is tried in a child, in namespaces of its own.
 *
 * Private to the room. Process: tare-doctor, with the rights and in the namespaces of the caller of tare.
 */
#ifndef TARE_DOCTOR_DOCTOR_H
#define TARE_DOCTOR_DOCTOR_H

#include <tare/host.h>

struct libmnt_table;
struct libmnt_fs;

enum doctor_verdict {
	DOCTOR_OK,
	DOCTOR_UNKNOWN, /* it could not be found out */
	DOCTOR_LIMITED, /* containers run, but something is lost */
	DOCTOR_BROKEN,  /* this caller cannot run the configuration of "tare spec", or this bundle */
};

/* One line of the report. Texts live in the arena of struct doctor, or are constant. */
struct doctor_result {
	enum doctor_verdict verdict;
	const char *item;    /* what was examined */
	const char *finding; /* what is the case */
	const char *lost;    /* what is lost by it: for every verdict but DOCTOR_OK and DOCTOR_BROKEN */
	const char *change;  /* what to change: for DOCTOR_BROKEN always, otherwise or NULL */
	const char *subject; /* of the probe; set by doctor_add */
};

struct doctor {
	struct arena arena;
	struct doctor_result *results;
	size_t count;
	const char *subject;         /* of the probe that runs */
	struct host host;            /* as far as host_probe could fill it */
	struct err host_err;         /* why host_probe failed, or ERR_NONE */
	struct libmnt_table *mounts; /* the mount table of this process; NULL if it cannot be read */
	const char *state_root;      /* of --root, or NULL */
	const char *bundle;          /* or NULL */
};

/* result.c */
/* Adds a line to the report. */
void doctor_add(struct doctor *doctor, const struct doctor_result *result);
/* The same, by verdict. change of doctor_limited may be NULL. */
void doctor_ok(struct doctor *doctor, const char *item, const char *finding);
void doctor_limited(struct doctor *doctor, const char *item, const char *finding, const char *lost,
		    const char *change);
void doctor_broken(struct doctor *doctor, const char *item, const char *finding, const char *change);

/* A text in the arena. */
#define doctor_text(doctor, ...) arena_format(&(doctor)->arena, __VA_ARGS__)
/* The hint in the arena, or NULL if there is none. */
const char *doctor_hint(struct doctor *doctor, const struct err *err);
/* "message: errno text", in the arena. */
const char *doctor_error(struct doctor *doctor, const struct err *err);
/* Adds a line for what could not be found out. */
void doctor_add_unknown(struct doctor *doctor, const char *item, const struct err *err);

/* Whether the caller has the rights of root on the host, so that its containers need no user namespace. */
bool doctor_is_root(const struct doctor *doctor);

/* print.c: the report as text or as JSON. */
void doctor_print_text(const struct doctor *doctor, struct buf *out);
void doctor_print_json(const struct doctor *doctor, struct buf *out);

/* mounts.c: everything about mount tables, by libmount. */
/* Reads the mount table. -errno with *err. */
int doctor_mounts_open(struct doctor *doctor, struct err *err) MUST_CHECK;
void doctor_mounts_close(struct doctor *doctor);
/* The first visible cgroup2 mount point, or NULL. Valid until doctor_mounts_close. */
const char *doctor_mounts_cgroup2(const struct doctor *doctor);
/* The command that remounts what path is on with the option; NULL if its mount point is not in the table. */
const char *doctor_mounts_remount(struct doctor *doctor, const char *path, const char *option);
/* Whether the file system that path is on cannot be written to, however it is mounted. */
bool doctor_mounts_is_readonly_type(const struct doctor *doctor, const char *path);
/* Type and mount point of the file system that path is on. */
const char *doctor_mounts_describe(struct doctor *doctor, const char *path);
/* The propagation of "/", or NULL if it is not in the mount table. */
const char *doctor_mounts_propagation(const struct doctor *doctor);
/* The mounts that hide a part of the one that path is on, or NULL if there are none. */
const char *doctor_mounts_over(struct doctor *doctor, const char *path);

/* The probes, one file for each subject. */
void doctor_kernel(struct doctor *doctor);
void doctor_userns(struct doctor *doctor);
void doctor_ids(struct doctor *doctor);
void doctor_cgroup(struct doctor *doctor);
void doctor_proc(struct doctor *doctor);
void doctor_files(struct doctor *doctor);
void doctor_seccomp(struct doctor *doctor);
void doctor_security(struct doctor *doctor);
void doctor_services(struct doctor *doctor);

#endif
