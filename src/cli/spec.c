/* SPDX-License-Identifier: Apache-2.0 */
/* The command spec: writes a template of config.json. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tare/spec.h>

#include "cli.h"

struct spec_options {
	const char *bundle, *file;
	bool is_rootless;
};

static const struct option_row spec_options[] = {
	{"bundle", 'b', OPTION_TEXT, offsetof(struct spec_options, bundle), "DIR",
	 "write config.json to this directory"},
	{"file", 'f', OPTION_TEXT, offsetof(struct spec_options, file), "FILE",
	 "write this file instead; - is standard output"},
	{"rootless", 0, OPTION_FLAG, offsetof(struct spec_options, is_rootless), NULL,
	 "for a container of an unprivileged user"},
	{NULL, 0, OPTION_FLAG, 0, NULL, NULL},
};

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

static void add_mounts(struct json *json, bool is_rootless)
{
	json_key(json, "mounts");
	json_array(json);
	add_mount(json, "/proc", "proc", "proc", NULL);
	add_mount(json, "/dev", "tmpfs", "tmpfs", LIST("nosuid", "strictatime", "mode=755", "size=65536k"));
	/* gid 5 (tty) is not mapped: the user namespace has only the caller's ids. */
	add_mount(json, "/dev/pts", "devpts", "devpts",
		  is_rootless ? LIST("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620")
			      : LIST("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"));
	add_mount(json, "/dev/shm", "tmpfs", "shm",
		  LIST("nosuid", "noexec", "nodev", "mode=1777", "size=65536k"));
	add_mount(json, "/dev/mqueue", "mqueue", "mqueue", LIST("nosuid", "noexec", "nodev"));
	if (is_rootless)
		add_mount(json, "/sys", "none", "/sys", LIST("rbind", "nosuid", "noexec", "nodev", "ro"));
	else
		add_mount(json, "/sys", "sysfs", "sysfs", LIST("nosuid", "noexec", "nodev", "ro"));
	add_mount(json, "/sys/fs/cgroup", "cgroup", "cgroup",
		  LIST("nosuid", "noexec", "nodev", "relatime", "ro"));
	json_array_end(json);
}

static void add_mapping(struct json *json, const char *key, uint32_t id)
{
	json_key(json, key);
	json_array(json);
	json_object(json);
	json_pair_int(json, "containerID", 0);
	json_pair_int(json, "hostID", id);
	json_pair_int(json, "size", 1);
	json_object_end(json);
	json_array_end(json);
}

static void add_namespaces(struct json *json, bool is_rootless)
{
	const char *const *names = is_rootless ? LIST("pid", "ipc", "uts", "mount", "cgroup", "user")
					       : LIST("pid", "network", "ipc", "uts", "mount", "cgroup");

	json_key(json, "namespaces");
	json_array(json);
	for (; *names != NULL; names++) {
		json_object(json);
		json_pair(json, "type", *names);
		json_object_end(json);
	}
	json_array_end(json);
}

static void add_linux(struct json *json, bool is_rootless)
{
	json_key(json, "linux");
	json_object(json);
	if (is_rootless) {
		add_mapping(json, "uidMappings", geteuid());
		add_mapping(json, "gidMappings", getegid());
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
	add_namespaces(json, is_rootless);
	add_list(json, "maskedPaths",
		 LIST("/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		      "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware",
		      "/proc/scsi"));
	add_list(json, "readonlyPaths",
		 LIST("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"));
	json_object_end(json);
}

static void write_config(struct buf *out, bool is_rootless)
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
	add_mounts(&json, is_rootless);
	add_linux(&json, is_rootless);
	json_object_end(&json);
	buf_add(out, "\n", 1);
}

/* Writes to an existing file. A regular file is refused, unless standard output already writes to it. */
static int write_existing(const char *path, const struct buf *text, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	struct stat existing, output;
	int r = k_fstatat(AT_FDCWD, path, &existing, 0);
	bool is_output = r >= 0 && k_fstat(1, &output) >= 0 && existing.st_dev == output.st_dev &&
			 existing.st_ino == output.st_ino;

	if (r < 0)
		return err_system(err, r, "cannot make '%s'", path);
	if (!is_output && (S_ISREG(existing.st_mode) || S_ISDIR(existing.st_mode)))
		return err_set(err, ERR_USAGE, 0, NULL, "File %s exists. Remove it first", path);
	if (!is_output)
		fd = k_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC | O_NOCTTY, 0);
	r = is_output || fd >= 0 ? io_write_all(is_output ? 1 : fd, text->data, text->len) : fd;
	return r < 0 ? err_system(err, r, "cannot write '%s'", path) : 0;
}

static int write_new(const char *path, const struct buf *text, struct err *err)
{
	_cleanup_fd_ int fd = k_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	int r;

	if (fd == -EEXIST)
		return write_existing(path, text, err);
	if (fd < 0)
		return err_system(err, fd, "cannot make '%s'", path);
	r = io_write_all(fd, text->data, text->len);
	if (r < 0) {
		k_unlinkat(AT_FDCWD, path, 0);
		return err_system(err, r, "cannot write '%s'", path);
	}
	return 0;
}

static int spec(struct cli_call *call, const void *options, struct err *err)
{
	const struct spec_options *o = options;
	_cleanup_free_ char *path = NULL;
	_cleanup_buf_ struct buf text = {0};

	if (str_equal(o->file, "-")) {
		write_config(&call->out, o->is_rootless);
		return 0;
	}
	if (o->file != NULL)
		path = mem_dup(o->file);
	else
		path = o->bundle == NULL ? mem_dup("config.json") : mem_format("%s/config.json", o->bundle);
	write_config(&text, o->is_rootless);
	return write_new(path, &text, err);
}

const struct cli_command cli_spec = {
	"spec", "",  "Write a template of config.json", spec_options, sizeof(struct spec_options), 0, 0, false,
	false,  spec};
