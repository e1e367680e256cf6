/* SPDX-License-Identifier: Apache-2.0 */
/* The command spec: writes a template of config.json. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tare/host.h>
#include <tare/spec.h>

#include "cli.h"

enum rootless { ROOTLESS_NO, ROOTLESS_SINGLE, ROOTLESS_AUTO };

struct spec_options {
	const char *bundle, *file;
	enum rootless rootless;
};

static int parse_rootless(const char *text, void *target, struct arena *arena, struct err *err)
{
	enum rootless *rootless = target;

	(void)arena;
	if (text == NULL || str_equal(text, "true") || str_equal(text, "1"))
		*rootless = ROOTLESS_AUTO;
	else if (str_equal(text, "single"))
		*rootless = ROOTLESS_SINGLE;
	else if (str_equal(text, "false") || str_equal(text, "0"))
		*rootless = ROOTLESS_NO;
	else
		return err_set(err, ERR_USAGE, 0, NULL,
			       "invalid value '%.100s' for flag --rootless: must be single, true or false",
			       text);
	return 0;
}

static const struct option_row spec_rows[] = {
	{"bundle", 'b', OPTION_TEXT, offsetof(struct spec_options, bundle), "DIR",
	 "write config.json to this directory"},
	{"file", 'f', OPTION_TEXT, offsetof(struct spec_options, file), "FILE",
	 "write this file instead; - is standard output"},
	{"rootless", 0, OPTION_PARSED, offsetof(struct spec_options, rootless), NULL,
	 "for a container of an unprivileged user; --rootless=single: without subordinate ids",
	 .parse = parse_rootless},
	{.name = NULL},
};

/* --- the ids --- */

/* What the template depends on. */
struct form {
	bool is_rootless;
	bool has_network; /* a network namespace of its own, and so a sysfs of its own */
	bool has_tty;     /* group 5 (tty) exists in the container */
	struct host_subids subids;
};

#define TTY_GID 5

static uint32_t total(const struct host_range *ranges, uint32_t count)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += ranges[i].size;
	return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

/*
 * Without subordinate ids of both kinds, or a program or right to map them, the container has the caller's ids
 * alone and the host's network.
 */
static int choose_form(enum rootless rootless, struct form *ret, struct err *err)
{
	struct host_subids subids;
	struct host host;
	bool is_mapping;
	int r;

	*ret = (struct form){.is_rootless = rootless != ROOTLESS_NO};
	ret->has_network = ret->has_tty = !ret->is_rootless;
	if (rootless != ROOTLESS_AUTO)
		return 0;
	r = host_probe_subids(&subids, err);
	if (r >= 0)
		r = host_probe_caller(&host, err);
	if (r < 0)
		return r;
	is_mapping = ((host.capabilities >> CAP_SETUID & 1) || host_find_program("newuidmap", NULL, 0)) &&
		     ((host.capabilities >> CAP_SETGID & 1) || host_find_program("newgidmap", NULL, 0));
	if (subids.uid_count == 0 || subids.gid_count == 0 || !is_mapping)
		return 0;
	ret->subids = subids;
	ret->has_network = true;
	ret->has_tty = total(subids.gids, subids.gid_count) >= TTY_GID;
	return 0;
}

static void add_range(struct json *json, uint64_t container_id, uint32_t host_id, uint32_t size)
{
	json_object(json);
	json_pair_int(json, "containerID", (int64_t)container_id);
	json_pair_int(json, "hostID", host_id);
	json_pair_int(json, "size", size);
	json_object_end(json);
}

/* The caller's id is 0 in the container; its subordinate ids follow. */
static void add_mappings(struct json *json, const char *key, uint32_t own, const struct host_range *ranges,
			 uint32_t count)
{
	uint64_t next = 1;

	json_key(json, key);
	json_array(json);
	add_range(json, 0, own, 1);
	for (uint32_t i = 0; i < count && next + ranges[i].size <= UINT32_MAX; i++) {
		add_range(json, next, ranges[i].first, ranges[i].size);
		next += ranges[i].size;
	}
	json_array_end(json);
}

/* --- the template --- */

static void add_list(struct json *json, const char *key, const char *const *items)
{
	json_key(json, key);
	json_array(json);
	for (; *items != NULL; items++)
		json_string(json, *items);
	json_array_end(json);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void add_mount(struct json *json, const char *target, const char *type, const char *source,
		      const char *const *options)
{
	json_object(json);
	json_pair(json, "destination", target);
	json_pair(json, "type", type);
	json_pair(json, "source", source);
	if (options != NULL)
		add_list(json, "options", options);
	json_object_end(json);
}

static void add_process(struct json *json)
{
	static const char *const sets[] = {"bounding", "effective", "permitted"};

	json_key(json, "process");
	json_object(json);
	json_pair_bool(json, "terminal", true);
	json_key(json, "user");
	json_object(json);
	json_pair_int(json, "uid", 0);
	json_pair_int(json, "gid", 0);
	json_object_end(json);
	add_list(json, "args", LIST("sh"));
	add_list(json, "env",
		 LIST("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"));
	json_pair(json, "cwd", "/");
	json_key(json, "capabilities");
	json_object(json);
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		add_list(json, sets[i], LIST("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"));
	json_object_end(json);
	json_key(json, "rlimits");
	json_array(json);
	json_object(json);
	json_pair(json, "type", "RLIMIT_NOFILE");
	json_pair_int(json, "hard", 1024);
	json_pair_int(json, "soft", 1024);
	json_object_end(json);
	json_array_end(json);
	json_pair_bool(json, "noNewPrivileges", true);
	json_object_end(json);
}

static void add_mounts(struct json *json, const struct form *form)
{
	json_key(json, "mounts");
	json_array(json);
	add_mount(json, "/proc", "proc", "proc", NULL);
	add_mount(json, "/dev", "tmpfs", "tmpfs", LIST("nosuid", "strictatime", "mode=755", "size=65536k"));
	add_mount(json, "/dev/pts", "devpts", "devpts",
		  form->has_tty ? LIST("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")
				: LIST("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"));
	add_mount(json, "/dev/shm", "tmpfs", "shm",
		  LIST("nosuid", "noexec", "nodev", "mode=1777", "size=65536k"));
	add_mount(json, "/dev/mqueue", "mqueue", "mqueue", LIST("nosuid", "noexec", "nodev"));
	/* A sysfs needs a network namespace that the user namespace owns. */
	if (form->has_network)
		add_mount(json, "/sys", "sysfs", "sysfs", LIST("nosuid", "noexec", "nodev", "ro"));
	else
		add_mount(json, "/sys", "none", "/sys", LIST("rbind", "nosuid", "noexec", "nodev", "ro"));
	add_mount(json, "/sys/fs/cgroup", "cgroup", "cgroup",
		  LIST("nosuid", "noexec", "nodev", "relatime", "ro"));
	json_array_end(json);
}

static void add_namespace(struct json *json, const char *type)
{
	json_object(json);
	json_pair(json, "type", type);
	json_object_end(json);
}

static void add_namespaces(struct json *json, const struct form *form)
{
	static const char *const types[] = {"pid", "ipc", "uts", "mount", "cgroup"};

	json_key(json, "namespaces");
	json_array(json);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		add_namespace(json, types[i]);
		if (i == 0 && form->has_network)
			add_namespace(json, "network");
	}
	if (form->is_rootless)
		add_namespace(json, "user");
	json_array_end(json);
}

static void add_linux(struct json *json, const struct form *form)
{
	json_key(json, "linux");
	json_object(json);
	if (form->is_rootless) {
		add_mappings(json, "uidMappings", geteuid(), form->subids.uids, form->subids.uid_count);
		add_mappings(json, "gidMappings", getegid(), form->subids.gids, form->subids.gid_count);
	} else {
		json_key(json, "resources");
		json_object(json);
		json_key(json, "devices");
		json_array(json);
		json_object(json);
		json_pair_bool(json, "allow", false);
		json_pair(json, "access", "rwm");
		json_object_end(json);
		json_array_end(json);
		json_object_end(json);
	}
	add_namespaces(json, form);
	add_list(json, "maskedPaths",
		 LIST("/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		      "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware",
		      "/proc/scsi"));
	add_list(json, "readonlyPaths",
		 LIST("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"));
	json_object_end(json);
}

static void write_config(struct buf *out, const struct form *form)
{
	struct json json;

	json_begin(&json, out, 4);
	json_object(&json);
	json_pair(&json, "ociVersion", SPEC_VERSION_MAX);
	add_process(&json);
	json_key(&json, "root");
	json_object(&json);
	json_pair(&json, "path", "rootfs");
	json_pair_bool(&json, "readonly", true);
	json_object_end(&json);
	json_pair(&json, "hostname", "tare");
	add_mounts(&json, form);
	add_linux(&json, form);
	json_object_end(&json);
	buf_add(out, "\n", 1);
}

/* Writes to an existing file. A regular file is refused, unless standard output already writes to it. */
static int write_existing(const struct cli_call *call, const char *path, const struct buf *text,
			  struct err *err)
{
	_cleanup_fd_ int fd = -1;
	struct stat existing, output;
	int r = k_fstatat(AT_FDCWD, path, &existing, 0);
	bool is_output = r >= 0 && k_fstat(1, &output) >= 0 && existing.st_dev == output.st_dev &&
			 existing.st_ino == output.st_ino;

	if (r < 0)
		return err_system(err, r, "cannot make '%s'", path);
	if (is_output)
		return cli_write(call, text->data, text->len, err);
	if (S_ISREG(existing.st_mode) || S_ISDIR(existing.st_mode))
		return err_set(err, ERR_USAGE, 0, NULL, "File %s exists. Remove it first", path);
	fd = k_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC | O_NOCTTY, 0);
	r = fd >= 0 ? io_write_all(fd, text->data, text->len) : fd;
	return r < 0 ? err_system(err, r, "cannot write '%s'", path) : 0;
}

static int write_file(const struct cli_call *call, const char *path, const struct buf *text, struct err *err)
{
	_cleanup_fd_ int fd = k_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	int r;

	if (fd == -EEXIST)
		return write_existing(call, path, text, err);
	if (fd < 0)
		return err_system(err, fd, "cannot make '%s'", path);
	r = io_write_all(fd, text->data, text->len);
	if (r < 0) {
		k_unlinkat(AT_FDCWD, path, 0);
		return err_system(err, r, "cannot write '%s'", path);
	}
	return 0;
}

static int spec(struct cli_call *call, void *options, struct err *err)
{
	const struct spec_options *o = options;
	_cleanup_free_ char *path = NULL;
	_cleanup_buf_ struct buf text = {0};
	struct form form;
	int r = choose_form(o->rootless, &form, err);

	if (r < 0)
		return r;
	if (str_equal(o->file, "-")) {
		write_config(&call->out, &form);
		return 0;
	}
	if (o->file != NULL)
		path = mem_dup(o->file);
	else
		path = o->bundle == NULL ? mem_dup("config.json") : mem_format("%s/config.json", o->bundle);
	write_config(&text, &form);
	return write_file(call, path, &text, err);
}

const struct cli_command cli_spec = {
	.name = "spec",
	.operands = "",
	.help = "Write a template of config.json",
	.options = spec_rows,
	.options_size = sizeof(struct spec_options),
	.run = spec,
};
