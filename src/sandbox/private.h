/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the configuration. Each adds members to the object that json is in. Private to the room. */
#ifndef TARE_SANDBOX_PRIVATE_H
#define TARE_SANDBOX_PRIVATE_H

#include <tare/sandbox.h>

/* The program's ids in the sandbox and on the host; ids.c. */
struct sandbox_ids {
	uint32_t uid, gid, host_uid, host_gid;
	bool is_chosen; /* by the caller, which may map any id */
};
int ids_choose(const struct sandbox_options *options, struct sandbox_ids *ret, struct err *err) MUST_CHECK;

/* "root", "annotations" and "mounts"; filesystem.c. */
int filesystem_add(struct json *json, const struct sandbox_options *options, const struct sandbox_ids *ids,
		   struct err *err) MUST_CHECK;

/* A mount; options end with NULL; mount.c. */
void mount_add(struct json *json, const char *target, const char *type, const char *source,
	       const char *const *options);
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
/* Whether a string of JSON can contain the bytes as they are. */
bool content_is_text(const char *data, size_t len);
/* ERR_USAGE if it cannot: the text must not be changed silently. name: what it is, for the error. */
int content_check_text(const char *text, const char *name, struct err *err) MUST_CHECK;
/* A mount of type file: len bytes of content, mode in octal digits; content.c. */
void content_add(struct json *json, const char *target, const void *data, size_t len, unsigned int mode);
/* The same for a content of the command line: TEXT or @FD. */
int content_add_option(struct json *json, const struct sandbox_mount *mount, struct err *err) MUST_CHECK;

/* "seccomp" of linux; profile.c. */
int profile_add(struct json *json, const char *seccomp, struct err *err) MUST_CHECK;

#endif
