/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox: the configuration of a container that is described by flags instead of a bundle. It is an ordinary
 * config.json: run carries it out in the same way as any other. All functions run in the process that was
 * called, and only read files of the host.
 */
#ifndef TARE_SANDBOX_H
#define TARE_SANDBOX_H

#include <tare/base.h>
#include <tare/spec.h>

/* A part of the file system. Later parts cover earlier ones. */
struct sandbox_mount {
	enum sandbox_mount_kind { SANDBOX_READONLY, SANDBOX_WRITABLE, SANDBOX_TMPFS, SANDBOX_FILE } kind;
	const char *source; /* a path of the host; of a file: its content, or "@" and a descriptor */
	const char *target; /* absolute; NULL: that of source */
	int64_t size;       /* of a tmpfs, in bytes; 0: SANDBOX_TMPFS_SIZE */
};
#define SANDBOX_TMPFS_SIZE (INT64_C(256) << 20)

/* Strings and arrays are the caller's. Zeroed: the defaults. */
struct sandbox_options {
	char *const *args;  /* ends with NULL; not empty */
	const char *rootfs; /* a directory; NULL: the programs of the host */
	int64_t overlay;    /* bytes of what may be written in rootfs; 0: it is read-only */
	const struct sandbox_mount *mounts;
	size_t mount_count;
	const char *cwd, *hostname;
	const char *const *env; /* NAME=VALUE, or NAME for the caller's value */
	size_t env_count;
	const struct spec_pair *annotations; /* beside those of the sandbox itself */
	size_t annotation_count;
	const char *proc;    /* "none", or the value of the annotation org.tare.proc; NULL: its default */
	const char *net;     /* "none" (NULL), "host", or the path of a network namespace */
	const char *seccomp; /* "default" (NULL), "none", or a file with a section linux.seccomp */
	const char *cpuset;
	struct spec_int memory, swap, pids, nofile, fsize, stack; /* bytes and numbers */
	struct spec_int cpu_quota; /* us of CPU time in each SANDBOX_CPU_PERIOD_US */
	struct sandbox_user {
		bool is_set;
		uint32_t uid, gid;
	} user;
	bool is_env_cleared, is_terminal;
};
#define SANDBOX_CPU_PERIOD_US 100000

/* The ids of the program if the caller may choose them: the last ones of 16 bits, which own no files. */
#define SANDBOX_ID 65534

/*
 * Writes the configuration. indent: as for json_begin. ERR_USAGE for options that contradict each other or name
 * what does not exist, ERR_SYSTEM if the host cannot be examined.
 */
int sandbox_write_config(const struct sandbox_options *options, int indent, struct buf *out,
			 struct err *err) MUST_CHECK;

#endif
