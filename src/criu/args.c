/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments and directories of a call of criu(8). Process: the one that was called. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tare/criu.h>

#define LOG_LEVEL "-v3" /* errors with their time */

/* --- arguments --- */

void criu_args_add(struct criu_args *args, const char *format, ...)
{
	char text[8192];
	va_list list;
	int len;

	va_start(list, format);
	len = vsnprintf(text, sizeof text, format, list);
	va_end(list);
	if (args->count + 2 > args->room) {
		args->room = args->room == 0 ? 64 : 2 * args->room;
		args->v = mem_resize(args->v, args->room * sizeof *args->v);
	}
	args->v[args->count++] =
		arena_dup(&args->arena, text, len < (int)sizeof text ? (size_t)len : sizeof text - 1);
	args->v[args->count] = NULL;
}

void criu_args_done(struct criu_args *args)
{
	mem_free(&args->v);
	arena_done(&args->arena);
}

static void add_pair(struct criu_args *args, const char *flag, const char *value)
{
	if (value == NULL)
		return;
	criu_args_add(args, "%s", flag);
	criu_args_add(args, "%s", value);
}

static void add_flag(struct criu_args *args, const char *flag, bool is_set)
{
	if (is_set)
		criu_args_add(args, "%s", flag);
}

static void add_page_server(struct criu_args *args, const char *server)
{
	const char *port = server == NULL ? NULL : strrchr(server, ':');

	if (port == NULL)
		return;
	criu_args_add(args, "--page-server");
	criu_args_add(args, "--address");
	criu_args_add(args, "%.*s", (int)(port - server), server);
	add_pair(args, "--port", port + 1);
}

void criu_args_begin(struct criu_args *args, const char *action, const struct criu_options *o,
		     const struct criu_dirs *dirs)
{
	criu_args_add(args, "criu");
	criu_args_add(args, "%s", action);
	add_pair(args, "--images-dir", dirs->images);
	add_pair(args, "--work-dir", dirs->work);
	criu_args_add(args, "--log-file");
	criu_args_add(args, "%s.log", action);
	criu_args_add(args, LOG_LEVEL);
	add_pair(args, "--config", o->config);
	/* The limits of a cgroup are the configuration's, and criu(8) runs in the cgroup of a restore. */
	criu_args_add(args, "--manage-cgroups=%s", o->manage_cgroups == NULL ? "ignore" : o->manage_cgroups);
	add_pair(args, "--network-lock", o->network_lock);
	add_pair(args, "--empty-ns", o->empty_ns);
	add_page_server(args, o->page_server);
	if (o->has_status_fd)
		criu_args_add(args, "--status-fd=%d", (int)o->status_fd);
	add_flag(args, "--tcp-established", o->is_tcp_established);
	add_flag(args, "--skip-in-flight", o->is_tcp_skip_in_flight);
	add_flag(args, "--tcp-close", o->is_tcp_close);
	add_flag(args, "--ext-unix-sk", o->is_ext_unix_sk);
	add_flag(args, "--file-locks", o->is_file_locks);
	add_flag(args, "--shell-job", o->is_shell_job);
	add_flag(args, "--link-remap", o->is_link_remap);
	add_flag(args, "--lazy-pages", o->is_lazy_pages);
	add_flag(args, "--auto-dedup", o->is_auto_dedup);
	add_flag(args, "--unprivileged", geteuid() != 0);
}

/* --- directories --- */

/*
 * Creates only the last directory of the path. Its mode permits access to known names: criu(8) opens images
 * also as root of a container's user namespace. Only the owner can read the images.
 */
static int open_dir(const char *asked, bool is_creating, char **ret, struct err *err)
{
	if (is_creating && mkdir(asked, 0711) < 0 && errno != EEXIST)
		return err_system(err, errno, "cannot make directory '%s'", asked);
	*ret = realpath(asked, NULL);
	if (*ret == NULL)
		return err_set(err, ERR_USAGE, errno, NULL, "cannot open directory '%s'", asked);
	return 0;
}

int criu_dirs_open(const struct criu_options *o, bool is_creating, struct criu_dirs *ret, struct err *err)
{
	const char *images = o->image_path == NULL ? "checkpoint" : o->image_path;
	int r;

	*ret = (struct criu_dirs){NULL};
	if (o->page_server != NULL && strrchr(o->page_server, ':') == NULL)
		return err_set(err, ERR_USAGE, 0, NULL,
			       "invalid value '%.100s' for flag --page-server: must be "
			       "ADDRESS:PORT",
			       o->page_server);
	r = open_dir(images, is_creating, &ret->images, err);
	return r < 0 ? r : open_dir(o->work_path == NULL ? images : o->work_path, is_creating, &ret->work, err);
}

void criu_dirs_done(struct criu_dirs *dirs)
{
	mem_free(&dirs->images);
	mem_free(&dirs->work);
}
