/* SPDX-License-Identifier: Apache-2.0 */
/* The stored configuration of an existing container. Process: a later command, or the parent. */
#include <tare/container.h>
#include <tare/spec.h>

void container_record_spec(struct state_record *record, const struct spec *spec)
{
	const struct spec_namespace *pid = &spec->namespaces[SPEC_NS_PID];

	record->is_pid_namespace_own = pid->is_set && pid->path == NULL;
	record->has_filter = spec->seccomp.is_set;
	record->has_program = spec->process.args.count > 0;
	record->has_poststart = spec->hooks[SPEC_HOOK_POSTSTART].count > 0;
	record->has_poststop = spec->hooks[SPEC_HOOK_POSTSTOP].count > 0;
}

int container_load_spec(const struct container *container, struct spec **ret, struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	int r = state_read_config(container->dir_fd, &container->record, &text, err);

	return r < 0 ? r : spec_parse(text.data == NULL ? "" : text.data, text.len, ret, err);
}
