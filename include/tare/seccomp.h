/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp: the configuration's filter as a program for the kernel (seccomp(2), SECCOMP_SET_MODE_FILTER).
 *
 * The only room that includes libseccomp. It only computes: the state room stores the programs in files, and
 * init or the bridge installs them. All functions run in the parent.
 */
#ifndef TARE_SECCOMP_H
#define TARE_SECCOMP_H

#include <linux/filter.h>

#include <tare/base.h>
#include <tare/spec.h>

struct seccomp_program {
	struct sock_filter *filter; /* owned by this struct */
	uint32_t count;             /* 1 to BPF_MAXINSNS */
};
void seccomp_program_done(struct seccomp_program *program);
#define _cleanup_seccomp_ __attribute__((cleanup(seccomp_program_done)))

/*
 * Compiles the filter for the native architecture and those that the configuration lists. Names of system calls
 * that libseccomp does not know are omitted. If the default action is ERRNO with EPERM, system calls with a
 * higher number than any that the filter names fail with ENOSYS instead: programs then fall back to an older
 * call, which the author of the filter considered. Fails with ERR_UNSUPPORTED for what libseccomp cannot do,
 * with ERR_CONFIG for a filter that is too large or contradicts itself. *ret need not be initialised; it is
 * empty on failure.
 */
int seccomp_compile(const struct spec_seccomp *spec, struct seccomp_program *ret, struct err *err) MUST_CHECK;

/*
 * SECCOMP_FILTER_FLAG_* for seccomp(2): those that the configuration lists, SPEC_ALLOW if it has no list, and
 * NEW_LISTENER if an action is SCMP_ACT_NOTIFY.
 */
uint32_t seccomp_flags(const struct spec_seccomp *spec);
/*
 * Whether the filter kills the caller, or sends it SIGSYS, for some system call of the native architecture (on
 * x86-64 without x32). May return true for a filter that never does, but not false for one that does.
 */
bool seccomp_can_kill(const struct sock_filter *filter, uint32_t count);
/* Whether the filter needs a listener: an action is SCMP_ACT_NOTIFY. */
bool seccomp_is_notify(const struct spec_seccomp *spec);
/* Fails with ERR_UNSUPPORTED if the running kernel lacks an action or a flag of the filter. */
int seccomp_check_kernel(const struct spec_seccomp *spec, struct err *err) MUST_CHECK;

/*
 * A compiled program as bytes that can be stored ("entry"). The key holds everything that the program depends
 * on: the configuration's section, libseccomp's version, the native architecture, and the revision of this
 * room. seccomp_seal appends an entry, which contains the key, to out; seccomp_unseal fails with -EBADMSG for
 * bytes that are not a complete entry of that key.
 */
struct seccomp_key {
	struct buf bytes;
	char name[17]; /* sum of the bytes in hexadecimal, as file name; not unique */
};
void seccomp_key_make(const struct spec_seccomp *spec, struct seccomp_key *ret);
void seccomp_key_done(struct seccomp_key *key);
#define _cleanup_seccomp_key_ __attribute__((cleanup(seccomp_key_done)))
/* The size in bytes that no entry of the key exceeds. */
size_t seccomp_entry_max(const struct seccomp_key *key);
void seccomp_seal(const struct seccomp_program *program, const struct seccomp_key *key, struct buf *out);
int seccomp_unseal(const void *data, size_t size, const struct seccomp_key *key,
		   struct seccomp_program *ret) MUST_CHECK;

/* Calls on_name for each name that libseccomp does not know, with its JSON pointer. Returns their number. */
int seccomp_unknown_names(const struct spec_seccomp *spec,
			  void (*on_name)(void *context, const char *json_pointer, const char *name),
			  void *context);

/* For "features": name number index of those that this program and libseccomp support, NULL past the last. */
const char *seccomp_architecture_name(int index);
const char *seccomp_supported_flag_name(int index); /* those that the running kernel has */
/* Version of the libseccomp that is linked in, "2.5.4" for example. The caller frees it. */
char *seccomp_library_version(void);

#endif
