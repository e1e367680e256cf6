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
#include <linux/seccomp.h>

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
/* The same for one call, and whether it kills for it whatever the arguments are. */
bool seccomp_can_kill_for(const struct sock_filter *filter, uint32_t count, int number);
bool seccomp_must_kill_for(const struct sock_filter *filter, uint32_t count, int number);
/* Whether the filter can make a call return success without an effect: by errno 0, or through its listener. */
bool seccomp_may_fake_success(const struct seccomp_program *program);
/* Whether the filter needs a listener: an action is SCMP_ACT_NOTIFY. */
bool seccomp_is_notify(const struct spec_seccomp *spec);
/* Fails with ERR_UNSUPPORTED if the running kernel lacks an action or a flag of the filter. */
int seccomp_check_kernel(const struct spec_seccomp *spec, struct err *err) MUST_CHECK;

/*
 * Whether the descriptor is the listener of a filter (seccomp_unotify(2)): for one that comes from a process
 * which a container may control. Needs /proc. Runs in any process of tare.
 */
bool seccomp_is_listener(int fd);

/* --- observation: a process other than the filter's answers what the filter denies --- */

/*
 * The result (SECCOMP_RET_*) of a filter for one call. Runs in any process of tare. seccomp_action: the result
 * without its data.
 */
uint32_t seccomp_evaluate(const struct sock_filter *filter, uint32_t count, const struct seccomp_data *call);
uint32_t seccomp_action(uint32_t result);
/* The result of a conditional jump (BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET) of a filter. */
bool seccomp_compare(uint16_t op, uint32_t left, uint32_t right);

enum seccomp_observation {
	SECCOMP_OBSERVE_KILLS,   /* calls that kill a process or thread */
	SECCOMP_OBSERVE_DENIALS, /* these, and calls that get an errno */
	SECCOMP_OBSERVE_ALL,     /* every call */
};
/*
 * The low words of the last two arguments of a call that is to be killed: first, or first + 1 for the thread
 * alone, and second. Random, so that no call has them by accident.
 */
struct seccomp_mark {
	uint32_t first, second;
};
/* ERR_UNSUPPORTED, with the JSON pointer of the action, for one that only another process can answer. */
int seccomp_check_observable(const struct spec_seccomp *spec, enum seccomp_observation kind,
			     struct err *err) MUST_CHECK;
/*
 * Whether SECCOMP_OBSERVE_KILLS makes sense and no difference: the filter kills, and denies its programs a
 * filter with a listener of their own, which the kernel would refuse them now.
 */
bool seccomp_is_kill_observable(const struct seccomp_program *program);
/*
 * The filter that observes from: it returns SECCOMP_RET_USER_NOTIF for the calls of kind and for
 * SECCOMP_HANDOVER_NUMBER, and otherwise what from returns. SECCOMP_OBSERVE_ALL ignores from and mark. Fails
 * with ERR_CONFIG for a filter that becomes too long. *ret is empty on failure.
 */
int seccomp_observe(const struct seccomp_program *from, enum seccomp_observation kind,
		    const struct seccomp_mark *mark, struct seccomp_program *ret, struct err *err) MUST_CHECK;
/* value of seccomp_flags for the filter that observes: with NEW_LISTENER, and what its programs notice least.
 */
uint32_t seccomp_observation_flags(uint32_t value);
#define SECCOMP_WAIT_KILLABLE (1u << 5) /* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: Linux 5.19 */

/* The name of a call of an architecture (AUDIT_ARCH_*), or NULL. The caller frees it. */
char *seccomp_call_name(uint32_t arch, int number);
/* The name of the specification ("SCMP_ARCH_X86_64") for an architecture (AUDIT_ARCH_*), or NULL. */
const char *seccomp_architecture_of(uint32_t arch);

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
