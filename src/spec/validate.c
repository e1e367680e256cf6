/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of the configuration that concern several of its sections. */
#include "rows.h"

static bool has_namespace(const struct reader *reader, enum spec_ns ns)
{
	return reader->spec->namespaces[ns].is_set;
}

/* "an" for ipc only: "user" and "uts" begin with the sound of a consonant. */
static const char *article(enum spec_ns ns)
{
	return ns == SPEC_NS_IPC ? "an" : "a";
}

static void require_namespace(struct reader *reader, const struct dom_node *node, enum spec_ns ns)
{
	if (node != NULL && !has_namespace(reader, ns))
		reader_refuse(reader, node, "needs %s %s namespace in /linux/namespaces", article(ns),
			      spec_namespace_name(ns));
}

static void check_names(struct reader *reader, const struct dom_node *root)
{
	if (reader->spec->hostname != NULL)
		require_namespace(reader, dom_member(root, "hostname"), SPEC_NS_UTS);
	if (reader->spec->domainname != NULL)
		require_namespace(reader, dom_member(root, "domainname"), SPEC_NS_UTS);
}

static void check_paths(struct reader *reader, const struct dom_node *linux_node)
{
	if (reader->spec->masked_paths.count > 0)
		require_namespace(reader, dom_member(linux_node, "maskedPaths"), SPEC_NS_MOUNT);
	if (reader->spec->readonly_paths.count > 0)
		require_namespace(reader, dom_member(linux_node, "readonlyPaths"), SPEC_NS_MOUNT);
}

static void check_mappings(struct reader *reader, const struct dom_node *linux_node, const char *key,
			   size_t count)
{
	const struct spec_namespace *user = &reader->spec->namespaces[SPEC_NS_USER];
	const struct dom_node *node = dom_member(linux_node, key);

	if (count > 0)
		require_namespace(reader, node, SPEC_NS_USER);
	/* count is 0 as well if the mappings were refused: those are not reported again. */
	else if (user->is_set && user->path == NULL && (node == NULL || node->count == 0))
		reader_refuse_key(reader, linux_node, key, "a new user namespace needs mappings");
}

static void check_time(struct reader *reader, const struct dom_node *linux_node)
{
	const struct spec *spec = reader->spec;
	const struct spec_namespace *time = &spec->namespaces[SPEC_NS_TIME];
	const struct dom_node *node = dom_member(linux_node, "timeOffsets");

	if (!spec->monotonic_offset.is_set && !spec->boottime_offset.is_set)
		return;
	if (!time->is_set)
		require_namespace(reader, node, SPEC_NS_TIME);
	else if (time->path != NULL)
		reader_refuse(reader, node, "can only be set for a new time namespace, not for %s",
			      reader_quote(reader, time->path));
}

static void check_sysctl(struct reader *reader, const struct dom_node *linux_node)
{
	const struct dom_node *node = dom_member(linux_node, "sysctl");

	if (node == NULL || node->type != DOM_OBJECT)
		return;
	for (node = node->first; node != NULL; node = node->next) {
		int owner = spec_sysctl_owner(node->key);

		if (owner != SPEC_SYSCTL_FORBIDDEN && !has_namespace(reader, (enum spec_ns)owner))
			reader_refuse(reader, node, "sysctl %s needs %s %s namespace in /linux/namespaces",
				      reader_quote(reader, node->key), article((enum spec_ns)owner),
				      spec_namespace_name((enum spec_ns)owner));
	}
}

/* An idmapped mount without mappings uses those of the container's user namespace, which then must exist. */
static void check_idmapped_mounts(struct reader *reader, const struct dom_node *root)
{
	const struct dom_node *mount = dom_member(root, "mounts");

	if (mount == NULL || mount->type != DOM_ARRAY || has_namespace(reader, SPEC_NS_USER))
		return;
	for (mount = mount->first; mount != NULL; mount = mount->next) {
		const struct dom_node *option = dom_member(mount, "options");
		const struct dom_node *mappings = dom_member(mount, "uidMappings");

		if (option == NULL || option->type != DOM_ARRAY || (mappings != NULL && mappings->count > 0))
			continue;
		for (option = option->first; option != NULL; option = option->next)
			if (option->type == DOM_STRING &&
			    (str_equal(option->text, "idmap") || str_equal(option->text, "ridmap")))
				reader_refuse(reader, option,
					      "'%s' needs uidMappings and gidMappings, or a user namespace",
					      option->text);
	}
}

static void check_listener(struct reader *reader, const struct dom_node *node)
{
	const struct spec_seccomp *seccomp = &reader->spec->seccomp;
	bool is_notify = seccomp->default_action == SPEC_SECCOMP_NOTIFY;

	if (!seccomp->is_set)
		return;
	if (seccomp->listener_metadata != NULL && seccomp->listener_path == NULL)
		reader_refuse_key(reader, node, "listenerMetadata", "needs a listenerPath");
	for (size_t i = 0; i < seccomp->rule_count; i++)
		is_notify = is_notify || seccomp->rules[i].action == SPEC_SECCOMP_NOTIFY;
	if (is_notify && seccomp->listener_path == NULL)
		reader_refuse_key(reader, node, "listenerPath", "is required by SCMP_ACT_NOTIFY");
}

void spec_validate(struct reader *reader, const struct dom_node *root)
{
	const struct dom_node *linux_node = dom_member(root, "linux");

	spec_apply_annotations(reader, dom_member(root, "annotations"));
	if (reader->has_bad_namespaces)
		return;
	check_names(reader, root);
	check_idmapped_mounts(reader, root);
	if (linux_node == NULL || linux_node->type != DOM_OBJECT)
		return;
	check_paths(reader, linux_node);
	check_mappings(reader, linux_node, "uidMappings", reader->spec->uid_mappings.count);
	check_mappings(reader, linux_node, "gidMappings", reader->spec->gid_mappings.count);
	check_time(reader, linux_node);
	check_sysctl(reader, linux_node);
	check_listener(reader, dom_member(linux_node, "seccomp"));
}
