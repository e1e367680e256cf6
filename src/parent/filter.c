/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program of the configuration's seccomp filter, from the cache in the state root or compiled. Process: the
 * parent, as in parent.c.
 */
#include <tare/parent.h>

#define CACHE "seccomp"

static int compile(const struct spec_seccomp *spec, int root_fd, struct seccomp_program *ret, struct err *err)
{
	_cleanup_buf_ struct buf entry = {0};
	_cleanup_seccomp_key_ struct seccomp_key key = {.bytes = {0}};
	int r;

	if (root_fd < 0)
		return seccomp_compile(spec, ret, err);
	seccomp_key_make(spec, &key);
	if (state_cache_read(root_fd, CACHE, key.name, seccomp_entry_max(&key), &entry) >= 0 &&
	    seccomp_unseal(entry.data, entry.len, &key, ret) >= 0)
		return 0;
	r = seccomp_compile(spec, ret, err);
	if (r < 0)
		return r;
	buf_done(&entry);
	seccomp_seal(ret, &key, &entry);
	state_cache_write(root_fd, CACHE, key.name, entry.data, entry.len);
	return 0;
}

int filter_load(const struct spec_seccomp *spec, int root_fd, struct seccomp_program *ret,
		struct plan_filter_program *ret_filter, struct err *err)
{
	int r = seccomp_check_kernel(spec, err);

	*ret = (struct seccomp_program){0};
	if (r >= 0)
		r = compile(spec, root_fd, ret, err);
	if (r < 0)
		return r;
	*ret_filter = (struct plan_filter_program){
		.filter = ret->filter,
		.count = ret->count,
		.flags = seccomp_flags(spec),
		.is_notify = seccomp_is_notify(spec),
	};
	return 0;
}
