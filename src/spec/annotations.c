/* SPDX-License-Identifier: Apache-2.0 */
/* Annotations, also those of crun that change a property of the configuration. */
#include "rows.h"

#define RECEIVER "run.oci.seccomp.receiver"
#define FAIL_UNKNOWN "run.oci.seccomp_fail_unknown_syscall"

const char *spec_annotation(const struct spec *spec, const char *key)
{
	for (size_t i = 0; i < spec->annotations.count; i++)
		if (str_equal(spec->annotations.v[i].key, key))
			return spec->annotations.v[i].value;
	return NULL;
}

/* The agent's socket, if the filter names none. */
static void set_receiver(struct reader *reader, const struct dom_node *node)
{
	struct spec_seccomp *seccomp = &reader->spec->seccomp;
	const char *path = spec_annotation(reader->spec, RECEIVER);

	seccomp->listener_pointer = "/linux/seccomp/listenerPath";
	if (path == NULL || seccomp->listener_path != NULL)
		return;
	if (path[0] != '/')
		reader_refuse_key(reader, node, RECEIVER, "must be an absolute path");
	seccomp->listener_path = path;
	seccomp->listener_pointer = "/annotations/" RECEIVER;
}

/* An annotation with the value "1", or "0", which has no effect. */
static bool is_one(struct reader *reader, const struct dom_node *node, const char *key)
{
	const char *value = spec_annotation(reader->spec, key);

	if (value != NULL && !str_equal(value, "0") && !str_equal(value, "1"))
		reader_refuse_key(reader, node, key, "must be \"0\" or \"1\"");
	return str_equal(value, "1");
}

void spec_apply_annotations(struct reader *reader, const struct dom_node *node)
{
	if (!reader->spec->seccomp.is_set)
		return;
	set_receiver(reader, node);
	reader->spec->seccomp.refuses_unknown_names = is_one(reader, node, FAIL_UNKNOWN);
}
