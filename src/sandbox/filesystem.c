/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file system of a sandbox. By default it is a new, empty root with the host's programs, and without all
 * else that the host has: what is not listed here does not exist in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"

/* A mount of the sandbox itself is omitted if the caller mounts something at its target. */
static bool is_replaced(const struct sandbox_options *options, const char *target)
{
	for (size_t i = 0; i < options->mount_count; i++)
		if (str_equal(options->mounts[i].target, target))
			return true;
	return false;
}

static void add_own(struct json *json, const struct sandbox_options *options, const char *target,
		    const char *type, const char *const *list)
{
	if (!is_replaced(options, target))
		mount_add(json, target, type, type, list);
}

static void add_tmpfs(struct json *json, const char *target, const char *mode, int64_t size)
{
	char option[40];

	str_format(option, sizeof option, "size=%lld", (long long)size);
	mount_add(json, target, "tmpfs", "tmpfs", LIST("nosuid", "nodev", mode, option));
}

/* --- the view of the host --- */

#define READONLY LIST("rbind", "rro", "rnosuid", "rnodev")

/* Shows a path of the host as it is there: a link, or the file or directory itself. */
static int add_shown(struct json *json, const struct sandbox_options *options, const char *path,
		     struct err *err)
{
	char link[PATH_MAX];
	ssize_t len;

	if (is_replaced(options, path))
		return 0;
	len = k_readlinkat(AT_FDCWD, path, link, sizeof link - 1);
	if (len >= 0) {
		link[len] = '\0';
		mount_add(json, path, "symlink", link, NULL);
	} else if (len == -EINVAL) {
		mount_add(json, path, "bind", path, READONLY);
	} else if (len != -ENOENT && len != -EACCES) {
		return err_system(err, (int)len, "cannot examine '%s'", path);
	}
	return 0;
}

/* The program's own account, and those of ids without a mapping. */
static void add_accounts(struct json *json, const struct sandbox_ids *ids)
{
	_cleanup_buf_ struct buf users = {0}, groups = {0};

	if (ids->uid != 0)
		buf_add_str(&users, "root:x:0:0:root:/root:/usr/sbin/nologin\n");
	if (ids->uid != SANDBOX_ID)
		buf_format(&users, "%s:x:%u:%u::/tmp:/bin/sh\n", ids->uid == 0 ? "root" : "sandbox", ids->uid,
			   ids->gid);
	buf_format(&users, "nobody:x:%d:%u::/tmp:/bin/sh\n", SANDBOX_ID,
		   ids->uid == SANDBOX_ID ? ids->gid : SANDBOX_ID);
	if (ids->gid != 0)
		buf_add_str(&groups, "root:x:0:\n");
	if (ids->gid != SANDBOX_ID)
		buf_format(&groups, "%s:x:%u:\n", ids->gid == 0 ? "root" : "sandbox", ids->gid);
	buf_format(&groups, "nogroup:x:%d:\n", SANDBOX_ID);
	content_add(json, "/etc/passwd", users.data, users.len, 0644);
	content_add(json, "/etc/group", groups.data, groups.len, 0644);
}

/* A minimal /etc. What a network needs is there only if there is one. */
static int add_etc(struct json *json, const struct sandbox_options *options, const struct sandbox_ids *ids,
		   struct err *err)
{
	static const char hosts[] = "127.0.0.1 localhost\n::1 localhost\n",
			  names[] = "passwd: files\ngroup: files\nhosts: files dns\n";
	static const char *const shown[] = {"/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime"};
	static const char *const for_network[] = {"/etc/hosts", "/etc/resolv.conf", "/etc/services",
						  "/etc/ssl/certs", "/etc/pki/tls/certs"};
	bool has_network = options->net != NULL && !str_equal(options->net, "none");
	int r = 0;

	if (is_replaced(options, "/etc"))
		return 0;
	if (!is_replaced(options, "/etc/passwd") && !is_replaced(options, "/etc/group"))
		add_accounts(json, ids);
	if (!is_replaced(options, "/etc/nsswitch.conf"))
		content_add(json, "/etc/nsswitch.conf", names, sizeof names - 1, 0644);
	if (!has_network && !is_replaced(options, "/etc/hosts"))
		content_add(json, "/etc/hosts", hosts, sizeof hosts - 1, 0644);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(shown); i++)
		r = add_shown(json, options, shown[i], err);
	for (size_t i = 0; r >= 0 && has_network && i < ARRAY_SIZE(for_network); i++)
		r = k_faccessat2(AT_FDCWD, for_network[i], F_OK, 0) >= 0 &&
				    !is_replaced(options, for_network[i])
			    ? (mount_add(json, for_network[i], "bind", for_network[i], READONLY), 0)
			    : 0;
	return r;
}

static int add_host_view(struct json *json, const struct sandbox_options *options,
			 const struct sandbox_ids *ids, struct err *err)
{
	static const char *const shown[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(shown); i++)
		r = add_shown(json, options, shown[i], err);
	return r < 0 ? r : add_etc(json, options, ids, err);
}

/* --- the caller's mounts --- */

static int add_bind(struct json *json, const struct sandbox_mount *mount, struct err *err)
{
	_cleanup_free_ char *absolute = NULL;
	char cwd[PATH_MAX];
	const char *source = mount->source;
	ssize_t len = 0;
	int r;

	/* The configuration must mean the same in another directory. */
	if (source[0] != '/') {
		len = k_getcwd(cwd, sizeof cwd);
		if (len < 0)
			return err_system(err, (int)len, "cannot find the working directory");
		absolute = str_equal(source, ".") ? mem_dup(cwd) : mem_format("%s/%s", cwd, source);
		source = absolute;
	}
	r = content_check_text(source, "the path of --ro or --rw", err);
	if (r < 0)
		return r;
	mount_add(json, mount->target == NULL ? source : mount->target, "bind", source,
		  mount->kind == SANDBOX_READONLY ? READONLY : LIST("rbind", "rnosuid", "rnodev"));
	return 0;
}

static int add_asked(struct json *json, const struct sandbox_options *options, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < options->mount_count; i++) {
		const struct sandbox_mount *mount = &options->mounts[i];

		if (mount->kind == SANDBOX_TMPFS)
			add_tmpfs(json, mount->target, "mode=1777",
				  mount->size == 0 ? SANDBOX_TMPFS_SIZE : mount->size);
		else if (mount->kind == SANDBOX_FILE)
			r = content_add_option(json, mount, err);
		else
			r = add_bind(json, mount, err);
	}
	return r;
}

/*
 * The program owns what is made in the sandbox, so its /dev is read-only. No tmpfs is larger than a fixed size:
 * by default each of them could take half of the memory of the host.
 */
static void add_own_mounts(struct json *json, const struct sandbox_options *options)
{
	if (!str_equal(options->proc, "none"))
		add_own(json, options, "/proc", "proc", NULL);
	add_own(json, options, "/dev", "tmpfs", LIST("nosuid", "noexec", "ro", "mode=755", "size=64k"));
	add_own(json, options, "/dev/pts", "devpts",
		LIST("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"));
	if (!is_replaced(options, "/dev/shm"))
		add_tmpfs(json, "/dev/shm", "mode=1777", SANDBOX_TMPFS_SIZE / 4);
	if (!is_replaced(options, "/run"))
		add_tmpfs(json, "/run", "mode=755", SANDBOX_TMPFS_SIZE / 16);
	if (!is_replaced(options, "/tmp"))
		add_tmpfs(json, "/tmp", "mode=1777", SANDBOX_TMPFS_SIZE);
}

/* --- the root --- */

/*
 * The program may write to what it owns. If the caller may map ids, the owner of DIR becomes the program in the
 * overlay, and so does that of most files in it.
 */
static int add_overlay(struct json *json, const char *rootfs, int64_t size, const struct sandbox_ids *ids,
		       struct err *err)
{
	char text[128];
	struct stat st;
	int r = k_fstatat(AT_FDCWD, rootfs, &st, 0), len;

	if (r < 0)
		return err_system(err, r, "cannot examine '%s'", rootfs);
	len = str_format(text, sizeof text, "overlay,size=%lld", (long long)size);
	if (ids->is_chosen && (st.st_uid != ids->host_uid || st.st_gid != ids->host_gid))
		str_format(text + len, sizeof text - (size_t)len, ",idmap=uids=%u-%u-1;gids=%u-%u-1", st.st_uid,
			   ids->host_uid, st.st_gid, ids->host_gid);
	json_pair(json, "org.tare.root", text);
	return 0;
}

static int add_root(struct json *json, const struct sandbox_options *options, const struct sandbox_ids *ids,
		    struct err *err)
{
	_cleanup_free_ char *rootfs = options->rootfs == NULL ? NULL : realpath(options->rootfs, NULL);
	int r = content_check_text(rootfs, "the path of --rootfs", err);

	if (options->rootfs != NULL && rootfs == NULL)
		return err_system(err, errno, "cannot open the root file system '%s'", options->rootfs);
	if (r < 0)
		return r;
	json_key(json, "root");
	json_object(json);
	/* No such directory is needed, and a runtime that does not know the annotation finds none. */
	json_pair(json, "path", rootfs == NULL ? "none" : rootfs);
	json_pair_bool(json, "readonly", options->overlay == 0);
	json_object_end(json);
	json_key(json, "annotations");
	json_object(json);
	if (rootfs == NULL)
		json_pair(json, "org.tare.root", "tmpfs");
	else if (options->overlay > 0)
		r = add_overlay(json, rootfs, options->overlay, ids, err);
	for (size_t i = 0; i < options->annotation_count; i++)
		json_pair(json, options->annotations[i].key, options->annotations[i].value);
	/* Signals and abort(3) act as outside of a container. */
	json_pair(json, "org.tare.init", "true");
	if (options->proc != NULL && !str_equal(options->proc, "none"))
		json_pair(json, "org.tare.proc", options->proc);
	json_object_end(json);
	return r;
}

int filesystem_add(struct json *json, const struct sandbox_options *options, const struct sandbox_ids *ids,
		   struct err *err)
{
	int r = add_root(json, options, ids, err);

	json_key(json, "mounts");
	json_array(json);
	if (r >= 0 && options->rootfs == NULL)
		r = add_host_view(json, options, ids, err);
	if (r >= 0)
		add_own_mounts(json, options);
	if (r >= 0)
		r = add_asked(json, options, err);
	json_array_end(json);
	return r;
}
