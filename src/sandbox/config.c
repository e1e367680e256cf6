/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of a sandbox, from the options of the command line. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tare/spec.h>

#include "private.h"

/* --- process --- */

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Variables of the caller that describe its terminal and language. Others may be secrets. */
static bool is_harmless(const char *variable)
{
	static const char *const prefixes[] = {"TERM=", "LANG=",    "LANGUAGE=", "LC_",
					       "TZ=",   "COLUMNS=", "LINES="};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (str_has_prefix(variable, prefixes[i]))
			return true;
	return false;
}

/* A NAME that the caller does not have is omitted, so it replaces nothing. */
static bool has_variable(const struct sandbox_options *options, const char *variable)
{
	size_t len = strcspn(variable, "=");

	for (size_t i = 0; i < options->env_count; i++) {
		const char *given = options->env[i];

		if (strncmp(given, variable, len) == 0 &&
		    (given[len] == '=' || (given[len] == '\0' && getenv(given) != NULL)))
			return true;
	}
	return false;
}

static void add_default(struct json *json, const struct sandbox_options *options, const char *variable)
{
	if (!has_variable(options, variable))
		json_string(json, variable);
}

static void add_environment(struct json *json, const struct sandbox_options *options)
{
	json_key(json, "env");
	json_array(json);
	add_default(json, options, DEFAULT_PATH);
	if (!options->is_env_cleared) {
		add_default(json, options, "HOME=/tmp");
		for (char **variable = environ; *variable != NULL; variable++)
			if (is_harmless(*variable) && content_is_text(*variable, strlen(*variable)))
				add_default(json, options, *variable);
	}
	for (size_t i = 0; i < options->env_count; i++) {
		const char *variable = options->env[i], *value = strchr(variable, '=');
		_cleanup_free_ char *pair = NULL;

		if (value == NULL) {
			value = getenv(variable);
			pair = value == NULL ? NULL : mem_format("%s=%s", variable, value);
			variable = pair;
		}
		if (variable != NULL)
			json_string(json, variable);
	}
	json_array_end(json);
}

static void add_rlimit(struct json *json, const char *type, const struct spec_int *limit)
{
	if (!limit->is_set)
		return;
	json_object(json);
	json_pair(json, "type", type);
	json_pair_int(json, "soft", limit->value);
	json_pair_int(json, "hard", limit->value);
	json_object_end(json);
}

static void add_process(struct json *json, const struct sandbox_options *options, const struct sandbox_ids *ids)
{
	json_key(json, "process");
	json_object(json);
	json_pair_bool(json, "terminal", options->is_terminal);
	json_key(json, "user");
	json_object(json);
	json_pair_int(json, "uid", ids->uid);
	json_pair_int(json, "gid", ids->gid);
	json_object_end(json);
	json_key(json, "args");
	json_array(json);
	for (char *const *arg = options->args; *arg != NULL; arg++)
		json_string(json, *arg);
	json_array_end(json);
	add_environment(json, options);
	json_pair(json, "cwd", options->cwd == NULL ? "/" : options->cwd);
	json_key(json, "rlimits");
	json_array(json);
	add_rlimit(json, "RLIMIT_CORE", &(struct spec_int){true, 0});
	add_rlimit(json, "RLIMIT_NOFILE", &options->nofile);
	add_rlimit(json, "RLIMIT_FSIZE", &options->fsize);
	add_rlimit(json, "RLIMIT_STACK", &options->stack);
	json_array_end(json);
	json_pair_bool(json, "noNewPrivileges", true);
	json_object_end(json);
}

/* --- linux --- */

static void add_map(struct json *json, const char *key, uint32_t id, uint32_t host_id)
{
	json_key(json, key);
	json_array(json);
	json_object(json);
	json_pair_int(json, "containerID", id);
	json_pair_int(json, "hostID", host_id);
	json_pair_int(json, "size", 1);
	json_object_end(json);
	json_array_end(json);
}

static void add_namespaces(struct json *json, const char *net)
{
	static const char *const types[] = {"user", "mount", "pid", "ipc", "uts", "cgroup"};

	json_key(json, "namespaces");
	json_array(json);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		json_object(json);
		json_pair(json, "type", types[i]);
		json_object_end(json);
	}
	if (!str_equal(net, "host")) {
		json_object(json);
		json_pair(json, "type", "network");
		if (net != NULL && !str_equal(net, "none"))
			json_pair(json, "path", net);
		json_object_end(json);
	}
	json_array_end(json);
}

/* linux.resources counts swap together with memory. Without --swap there is none. */
static void add_memory(struct json *json, const struct sandbox_options *options)
{
	int64_t total;

	if (!options->memory.is_set)
		return;
	json_key(json, "memory");
	json_object(json);
	json_pair_int(json, "limit", options->memory.value);
	if (__builtin_add_overflow(options->memory.value, options->swap.value, &total) ||
	    options->swap.value < 0)
		total = -1;
	json_pair_int(json, "swap", total);
	json_object_end(json);
}

static void add_cpu(struct json *json, const struct sandbox_options *options)
{
	if (!options->cpu_quota.is_set && options->cpuset == NULL)
		return;
	json_key(json, "cpu");
	json_object(json);
	if (options->cpu_quota.is_set) {
		json_pair_int(json, "quota", options->cpu_quota.value);
		json_pair_int(json, "period", SANDBOX_CPU_PERIOD_US);
	}
	if (options->cpuset != NULL)
		json_pair(json, "cpus", options->cpuset);
	json_object_end(json);
}

static void add_resources(struct json *json, const struct sandbox_options *options)
{
	json_key(json, "resources");
	json_object(json);
	add_memory(json, options);
	add_cpu(json, options);
	if (options->pids.is_set) {
		json_key(json, "pids");
		json_object(json);
		json_pair_int(json, "limit", options->pids.value);
		json_object_end(json);
	}
	json_object_end(json);
}

static void add_paths(struct json *json, const char *key, const char *const *paths)
{
	json_key(json, key);
	json_array(json);
	for (; *paths != NULL; paths++)
		json_string(json, *paths);
	json_array_end(json);
}

/*
 * Most files that containers hide are accessible only to the host's root, which the program is not, unless the
 * caller is root without the right to choose ids.
 */
static void add_proc_paths(struct json *json, const struct sandbox_ids *ids)
{
	if (ids->host_uid != 0) {
		add_paths(json, "maskedPaths", LIST("/proc/acpi", "/proc/asound", "/proc/keys", "/proc/scsi"));
		add_paths(json, "readonlyPaths", LIST("/proc/sys"));
		return;
	}
	add_paths(json, "maskedPaths",
		  LIST("/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		       "/proc/timer_list", "/proc/sched_debug", "/proc/scsi"));
	add_paths(json, "readonlyPaths",
		  LIST("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"));
}

static int add_linux(struct json *json, const struct sandbox_options *options, const struct sandbox_ids *ids,
		     struct err *err)
{
	int r;

	json_key(json, "linux");
	json_object(json);
	add_map(json, "uidMappings", ids->uid, ids->host_uid);
	add_map(json, "gidMappings", ids->gid, ids->host_gid);
	add_namespaces(json, options->net);
	add_resources(json, options);
	r = profile_add(json, options->seccomp, err);
	add_proc_paths(json, ids);
	json_object_end(json);
	return r;
}

/* --- the whole --- */

static int check_texts(const struct sandbox_options *options, struct err *err)
{
	int r = content_check_text(options->cwd, "the directory of --cwd", err);

	for (size_t i = 0; r >= 0 && options->args[i] != NULL; i++)
		r = content_check_text(options->args[i], "an argument of the program", err);
	for (size_t i = 0; r >= 0 && i < options->env_count; i++) {
		r = content_check_text(options->env[i], "a variable of --env", err);
		if (r >= 0 && strchr(options->env[i], '=') == NULL)
			r = content_check_text(getenv(options->env[i]), "a variable of --env", err);
	}
	for (size_t i = 0; r >= 0 && i < options->mount_count; i++)
		r = content_check_text(options->mounts[i].target, "the path of a file or mount", err);
	if (r >= 0)
		r = content_check_text(options->hostname, "the name of --hostname", err);
	return r < 0 ? r : content_check_text(options->net, "the path of --net", err);
}

static int check(const struct sandbox_options *options, struct err *err)
{
	const char *net = options->net;

	if (net != NULL && net[0] != '/' && !str_equal(net, "none") && !str_equal(net, "host"))
		return err_set(
			err, ERR_USAGE, 0, NULL,
			"invalid value '%.100s' for flag --net: must be none, host, or the absolute path of "
			"a network namespace",
			net);
	if (options->overlay > 0 && options->rootfs == NULL)
		return err_set(err, ERR_USAGE, 0, NULL, "--overlay needs --rootfs");
	if (options->swap.is_set && !options->memory.is_set)
		return err_set(err, ERR_USAGE, 0, NULL, "--swap needs --memory");
	return 0;
}

int sandbox_write_config(const struct sandbox_options *options, int indent, struct buf *out, struct err *err)
{
	struct sandbox_ids ids;
	struct json json;
	int r = check(options, err);

	if (r >= 0)
		r = check_texts(options, err);
	if (r >= 0)
		r = ids_choose(options, &ids, err);
	if (r < 0)
		return r;
	json_begin(&json, out, indent);
	json_object(&json);
	json_pair(&json, "ociVersion", SPEC_VERSION_MAX);
	add_process(&json, options, &ids);
	r = filesystem_add(&json, options, &ids, err);
	if (r < 0)
		return r;
	json_pair(&json, "hostname", options->hostname == NULL ? "sandbox" : options->hostname);
	r = add_linux(&json, options, &ids, err);
	json_object_end(&json);
	buf_add(out, "\n", 1);
	return r;
}
