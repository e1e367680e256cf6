/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp: the configuration's filter as a program for the kernel (seccomp(2), SECCOMP_SET_MODE_FILTER).
 *
 * The only room that knows libseccomp. It computes: files are the state room's, installing is init's.
 * Everything here runs in the parent.
 */
#ifndef TARE_SECCOMP_H
#define TARE_SECCOMP_H

#include <linux/filter.h>

#include <tare/base.h>
#include <tare/spec.h>

struct seccomp_program {
	struct sock_filter *filter; /* owned */
	uint32_t count;             /* 1 to BPF_MAXINSNS */
};
void seccomp_program_done(struct seccomp_program *program);
#define _cleanup_seccomp_ __attribute__((cleanup(seccomp_program_done)))

/*
 * Compiles the filter for the native architecture and those that the configuration lists. Names that libseccomp
 * does not know are left out. Where the default action is ERRNO with EPERM, system calls with a higher number
 * than any that the filter names answer ENOSYS: programs take that as "not there", and use what the filter's
 * author knew. ERR_UNSUPPORTED for what libseccomp or the running kernel cannot do, ERR_CONFIG for a filter
 * that is too large. *ret need not be initialised and is empty on failure.
 */
int seccomp_compile(const struct spec_seccomp *spec, struct seccomp_program *ret, struct err *err) MUST_CHECK;

/* SECCOMP_FILTER_FLAG_* for the install: the configuration's, by default SPEC_ALLOW; NEW_LISTENER if it
 * notifies.
 */
uint32_t seccomp_flags(const struct spec_seccomp *spec);
/*
 * Whether a program kills, or sends SIGSYS, for some system call of the native architecture (on x86-64 without
 * x32). May say so of one that does not, never the other way around.
 */
bool seccomp_can_kill(const struct sock_filter *filter, uint32_t count);
/* Whether a call may be handed to a listener: an action is SCMP_ACT_NOTIFY. */
bool seccomp_is_notify(const struct spec_seccomp *spec);
/* ERR_UNSUPPORTED for an action or a flag that the running kernel does not have. */
int seccomp_check_kernel(const struct spec_seccomp *spec, struct err *err) MUST_CHECK;

/*
 * A compiled program as bytes that can be kept. The key holds everything that the program depends on: the
 * configuration's section, libseccomp's version, the native architecture, and the revision of this room.
 * seccomp_seal appends an entry, which contains the key, to out; seccomp_unseal fails with -EBADMSG for bytes
 * that are not a whole entry of that key.
 */
struct seccomp_key {
	struct buf bytes;
	char name[17]; /* a sum of the bytes in hexadecimal; other keys may have the same */
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

/* For "features": entry index of those that this program can use, NULL past the end. */
const char *seccomp_architecture_name(int index);
const char *seccomp_supported_flag_name(int index); /* asks the running kernel */
/* "2.5.4" of the libseccomp that was linked in. The caller frees. */
char *seccomp_library_version(void);

#endif
