/* SPDX-License-Identifier: Apache-2.0 */
/* The command features: what this program supports, regardless of the host (runtime-spec features.md). */
#include <tare/plan.h>
#include <tare/seccomp.h>
#include <tare/spec.h>

#include "cli.h"
#include "version.h"

typedef const char *(*name_function)(int index);

static const char *hook_name(int index)
{
	return index < SPEC_HOOK_KINDS ? spec_hook_name((enum spec_hook_kind)index) : NULL;
}

/* Annotations that change what tare does. A name that ends with a dot is a prefix. */
static const char *unsafe_annotation(int index)
{
	static const char *const names[] = {"org.systemd.property.",
					    "run.oci.delegate-cgroup",
					    "run.oci.hooks.stderr",
					    "run.oci.hooks.stdout",
					    "run.oci.keep_original_groups",
					    "org.criu.config",
					    "run.oci.mount_context_type",
					    "run.oci.seccomp.receiver",
					    "run.oci.seccomp_fail_unknown_syscall",
					    "run.oci.systemd.subgroup",
					    "org.tare.proc",
					    "org.tare.root",
					    "org.tare.init"};
	size_t i = (size_t)index;

	return i < ARRAY_SIZE(names) ? names[i] : supervise_annotation_name(i - ARRAY_SIZE(names));
}

static void add_names(struct json *json, const char *key, name_function name)
{
	json_key(json, key);
	json_array(json);
	for (int i = 0; name(i) != NULL; i++)
		json_string(json, name(i));
	json_array_end(json);
}

static void add_enabled(struct json *json, const char *key, bool is_enabled)
{
	json_key(json, key);
	json_object(json);
	json_pair_bool(json, "enabled", is_enabled);
	json_object_end(json);
}

static void add_cgroup(struct json *json)
{
	json_key(json, "cgroup");
	json_object(json);
	json_pair_bool(json, "v1", false);
	json_pair_bool(json, "v2", true);
	json_pair_bool(json, "systemd", TARE_HAS_SYSTEMD);
	json_pair_bool(json, "systemdUser", TARE_HAS_SYSTEMD);
	json_pair_bool(json, "rdma", true);
	json_object_end(json);
}

/* features.md: supportedFlags are those that the running kernel has, too. */
static void add_seccomp(struct json *json)
{
	json_key(json, "seccomp");
	json_object(json);
	json_pair_bool(json, "enabled", true);
	add_names(json, "actions", spec_seccomp_action_name);
	add_names(json, "operators", spec_seccomp_operator_name);
	add_names(json, "archs", seccomp_architecture_name);
	add_names(json, "knownFlags", spec_seccomp_flag_name);
	add_names(json, "supportedFlags", seccomp_supported_flag_name);
	json_object_end(json);
}

static void add_rdt(struct json *json)
{
	json_key(json, "intelRdt");
	json_object(json);
	json_pair_bool(json, "enabled", true);
	json_pair_bool(json, "schemata", true);
	json_pair_bool(json, "monitoring", true);
	json_object_end(json);
}

static void add_spec_features(struct json *json)
{
	for (const struct spec_feature *f = spec_features(); f->object != NULL; f++) {
		bool is_first = f == spec_features() || !str_equal(f->object, f[-1].object);

		if (is_first) {
			json_key(json, f->object);
			json_object(json);
		}
		add_names(json, f->key, f->name);
		if (!str_equal(f->object, f[1].object))
			json_object_end(json);
	}
}

static void add_linux(struct json *json)
{
	json_key(json, "linux");
	json_object(json);
	add_names(json, "namespaces", spec_namespace_list);
	add_names(json, "capabilities", capability_name);
	add_cgroup(json);
	add_seccomp(json);
	add_enabled(json, "apparmor", true);
	add_enabled(json, "selinux", true);
	add_rdt(json);
	add_spec_features(json);
	json_key(json, "mountExtensions");
	json_object(json);
	add_enabled(json, "idmap", true);
	json_object_end(json);
	add_enabled(json, "netDevices", true);
	json_object_end(json);
}

static int features(struct cli_call *call, void *options, struct err *err)
{
	_cleanup_free_ char *libseccomp = seccomp_library_version();
	struct json json;

	(void)options;
	(void)err;
	json_begin(&json, &call->out, 4);
	json_object(&json);
	json_pair(&json, "ociVersionMin", SPEC_VERSION_MIN);
	json_pair(&json, "ociVersionMax", SPEC_VERSION_MAX);
	add_names(&json, "hooks", hook_name);
	add_names(&json, "mountOptions", plan_mount_option_name);
	add_linux(&json);
	json_key(&json, "annotations");
	json_object(&json);
	json_pair(&json, "org.tare.version", TARE_VERSION);
	json_pair(&json, "org.tare.commit", TARE_COMMIT);
	json_pair(&json, "io.github.seccomp.libseccomp.version", libseccomp);
	json_object_end(&json);
	add_names(&json, "potentiallyUnsafeConfigAnnotations", unsafe_annotation);
	json_object_end(&json);
	buf_add(&call->out, "\n", 1);
	return 0;
}

const struct cli_command cli_features = {
	.name = "features",
	.operands = "",
	.help = "Print the supported features as JSON",
	.run = features,
};
