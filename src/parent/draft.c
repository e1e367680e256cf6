/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, the bundle and the host become a plan. Process: the parent, as in child.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>

#include <tare/notify.h>

#include "steps.h"

void draft_init(struct draft *draft, const struct create_options *options)
{
	*draft = (struct draft){.options = options,
				.request = options->plan,
				.supervise = options->supervise,
				.root_fd = -1,
				.first_fd = 3};
}

void draft_done(struct draft *draft)
{
	fd_close(&draft->root_fd);
	spec_free(draft->spec);
	mem_free(&draft->plan);
	mem_free(&draft->restore);
	buf_done(&draft->config);
	mem_free(&draft->bundle);
	mem_free(&draft->keyring);
	mem_free(&draft->notify_dir);
}

static int load_bundle(struct draft *draft, struct err *err)
{
	const char *asked = draft->options->bundle == NULL ? "." : draft->options->bundle;
	_cleanup_free_ char *bundle = realpath(asked, NULL);

	if (bundle == NULL)
		return err_system(err, errno, "cannot open bundle '%s'", asked);
	draft->bundle = take_ptr(bundle);
	return 0;
}

/* A file that the caller names may be a pipe, such as <(...) of a shell. */
static int read_named(const char *path, struct buf *text, struct err *err)
{
	int r = io_read_input(path, SPEC_SIZE_MAX, text);

	return r < 0 ? err_system(err, r, "cannot read '%s'", IO_INPUT_NAME(path)) : 0;
}

int draft_load_text(const struct draft *draft, struct buf *text, struct err *err)
{
	const struct buf *given = draft->options->config_text;
	const char *named = draft->options->config;
	_cleanup_free_ char *path = named != NULL ? mem_dup(named)
						  : mem_format("%s/config.json", draft->bundle);
	int r;

	if (given != NULL) {
		buf_add(text, given->data, given->len);
		return 0;
	}
	r = named != NULL ? read_named(path, text, err) : io_read_regular(path, SPEC_SIZE_MAX, text, err);
	if (r == -ENOENT) {
		err_set(err, ERR_USAGE, 0, NULL, "JSON specification file %s not found", path);
		err_hint(err, "tare spec writes one to start from");
		return -EINVAL;
	}
	if (r == -ENOTDIR && named == NULL)
		err_hint(err, "a bundle is the directory that contains config.json");
	return r;
}

/* sd_listen_fds(3): the variables are for this process only if LISTEN_PID is its pid. */
static void load_listen_fds(struct parent_descriptors *ret)
{
	const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	uint64_t count, for_pid;

	if (fds == NULL || !str_to_u64(fds, 4096, &count) || count == 0)
		return;
	if (pid == NULL || !str_to_u64(pid, INT32_MAX, &for_pid) || (int)for_pid != k_getpid())
		return;
	ret->listen_fds = (uint32_t)count;
	ret->listen_fdnames = getenv("LISTEN_FDNAMES");
}

/*
 * Whether the caller passed the descriptor open to this process. The number may also belong to a file that this
 * process has opened since: those are close-on-exec, and an inherited descriptor never is.
 */
static bool is_inherited(uint32_t fd)
{
	return k_fcntl((int)fd, F_GETFD, 0) == 0;
}

/* Numbers that are not open are skipped: engines give the largest number of those that they pass. */
static int count_preserved(uint32_t first, uint32_t asked, uint32_t *ret, struct err *err)
{
	*ret = 0;
	for (uint32_t i = 0; i < asked; i++)
		if (is_inherited(first + i))
			*ret = i + 1;
	if (asked == 0 || *ret > 0)
		return 0;
	if (asked == 1)
		return err_set(err, ERR_USAGE, EBADF, NULL, "cannot preserve descriptor %u: it is not open",
			       first);
	return err_set(err, ERR_USAGE, EBADF, NULL,
		       "cannot preserve descriptors %u to %u: none of them is open", first, first + asked - 1);
}

int parent_load_descriptors(uint32_t asked, struct parent_descriptors *ret, struct err *err)
{
	uint32_t first = 3;
	int r;

	*ret = (struct parent_descriptors){.first_fd = 3};
	load_listen_fds(ret);
	/* The program expects all of these to be open: sd_listen_fds(3). */
	for (; first < 3 + ret->listen_fds; first++)
		if (!is_inherited(first))
			return err_set(err, ERR_USAGE, EBADF, NULL,
				       "cannot preserve descriptor %u: it is not open", first);
	r = count_preserved(first, asked, &ret->preserve_fds, err);
	ret->first_fd = (int)(first + ret->preserve_fds);
	return r;
}

void draft_load_namespaces(struct draft *draft)
{
	for (int ns = 0; ns < SPEC_NS_COUNT; ns++)
		if (draft->spec->namespaces[ns].path != NULL)
			host_probe_namespace(&draft->host, ns, draft->spec->namespaces[ns].path);
}

static int load_spec(struct draft *draft, struct err *err)
{
	const struct buf *text = &draft->config;
	int r = draft_load_text(draft, &draft->config, err);

	if (r < 0)
		return r;
	r = spec_parse(text->data == NULL ? "" : text->data, text->len, &draft->spec, err);
	/* An error with a JSON pointer needs no file name; one with a line number does. */
	if (r < 0 && err->json_pointer[0] == '\0' && draft->options->config != NULL)
		err_prefix(err, "%s", IO_INPUT_NAME(draft->options->config));
	else if (r < 0 && err->json_pointer[0] == '\0')
		err_prefix(err, "%s/config.json", draft->bundle);
	return r;
}

static int load_annotations(struct draft *draft, struct err *err)
{
	const struct spec_map *annotations = &draft->spec->annotations;
	int r = 0;

	for (size_t i = 0; i < annotations->count && r >= 0; i++)
		r = supervise_set_annotation(&draft->supervise, annotations->v[i].key, annotations->v[i].value,
					     err);
	draft->request.is_waited |= supervise_needs_process(&draft->supervise);
	return r;
}

static int load_notify(struct draft *draft, struct err *err)
{
	_cleanup_free_ char *root = NULL;
	int r;

	if (!notify_is_wanted())
		return 0;
	r = state_root_path(draft->options->common.state_root, &root, err);
	if (r < 0)
		return r;
	draft->notify_dir = mem_format("%s/%s/notify", root, draft->request.id);
	draft->request.notify_dir = draft->notify_dir;
	return 0;
}

/*
 * The name has a random part: a process with the same user id that knows the name of a keyring can create it
 * first, or join it. Such processes are in another container without a user namespace, or in a container of the
 * same id under another root directory.
 */
static int load_keyring(struct draft *draft, struct err *err)
{
	uint64_t random;
	ssize_t r;

	if (!draft->is_changing || draft->request.is_no_new_keyring)
		return 0;
	r = getrandom(&random, sizeof random, 0);
	if (r != sizeof random)
		return err_system(err, r < 0 ? errno : EIO, "cannot get a random name for the session keyring");
	draft->keyring = mem_format("_ses.%s.%016llx", draft->request.id, (unsigned long long)random);
	draft->request.keyring = draft->keyring;
	return 0;
}

int draft_load_request(struct draft *draft, struct err *err)
{
	const struct create_options *o = draft->options;
	struct parent_descriptors kept;
	int r = load_bundle(draft, err);

	if (r >= 0)
		r = parent_load_descriptors(o->common.preserve_fds, &kept, err);
	if (r < 0)
		return r;
	draft->first_fd = kept.first_fd;
	draft->request.preserve_fds = kept.preserve_fds;
	draft->request.listen_fds = kept.listen_fds;
	draft->request.listen_fdnames = kept.listen_fdnames;
	draft->request.id = o->common.id == NULL ? "container" : o->common.id;
	draft->request.bundle = draft->bundle;
	draft->request.is_waited = draft->request.is_run && !o->common.is_detached;
	draft->request.is_dying_with_parent |= o->supervise.is_dying_with_parent;
	draft->request.is_dying_with_parent &= draft->request.is_waited;
	r = load_keyring(draft, err);
	return r < 0 ? r : load_notify(draft, err);
}

/* The first reason that applies. A set that depends on another set lacks what that one lacks. NULL: granted. */
static const char *refusal_reason(const struct spec_capabilities *granted,
				  const struct spec_capabilities *asked, uint64_t bit)
{
	if ((asked->bounding & ~granted->bounding & bit) != 0 ||
	    (asked->permitted & ~granted->permitted & bit) != 0)
		return "cannot be granted here";
	if ((asked->effective & ~granted->effective & bit) != 0)
		return "cannot be effective: it is not in the permitted set";
	if ((asked->inheritable & ~granted->inheritable & bit) != 0)
		return "cannot be inheritable: it is not in the bounding set";
	if ((asked->ambient & ~granted->ambient & bit) != 0)
		return "cannot be ambient: it is not in the permitted and the inheritable set";
	return NULL;
}

void parent_load_refused(const struct plan *plan, const struct spec_capabilities *asked,
			 parent_refused on_refused, void *context)
{
	const struct plan_step *user = plan_find(plan, PLAN_USER);

	for (int cap = 0; user != NULL && cap < 64; cap++) {
		const char *reason = refusal_reason(&user->u.user.capabilities, asked, UINT64_C(1) << cap);

		if (reason != NULL)
			on_refused(context, capability_name(cap), reason);
	}
}

static void warn_of_refused(void *context, const char *capability, const char *reason)
{
	(void)context;
	log_line(LOG_SHOWN_WARNING, "capability %s %s", capability, reason);
}

void parent_load_warnings(const struct plan *plan, const struct spec *spec,
			  const struct spec_capabilities *asked)
{
	for (size_t i = 0; spec != NULL && i < spec->warnings.count; i++)
		log_line(LOG_SHOWN_WARNING, "%s", spec->warnings.v[i]);
	parent_load_refused(plan, asked, warn_of_refused, NULL);
}

static int build(struct draft *draft, struct err *err)
{
	_cleanup_seccomp_ struct seccomp_program program = {0}, observer_program = {0};
	struct plan_filter_program filter, observer;
	int r = 0;

	if (draft->spec->seccomp.is_set && draft->is_changing) {
		draft->root_fd = state_open_root(draft->options->common.state_root, true, err);
		r = draft->root_fd < 0 ? draft->root_fd : 0;
	}
	if (r >= 0 && draft->spec->seccomp.is_set) {
		draft->request.filter = &filter;
		r = filter_load(&draft->spec->seccomp, draft->root_fd, &program, &filter, err);
	}
	if (r >= 0 && draft->is_changing)
		r = recorder_load_filter(draft, draft->request.filter == NULL ? NULL : &program,
					 &observer_program, &observer, err);
	if (draft->observation.is_wanted)
		draft->request.observer = &observer;
	if (r >= 0)
		r = plan_build(draft->spec, &draft->host, &draft->request, &draft->plan, err);
	draft->request.filter = draft->request.observer = NULL;
	return r;
}

int draft_load(struct draft *draft, struct err *err)
{
	int r = draft_load_request(draft, err);

	if (r >= 0)
		r = load_spec(draft, err);
	if (r >= 0)
		r = load_annotations(draft, err);
	if (r >= 0)
		r = host_probe(&draft->host, err);
	if (r < 0)
		return r;
	draft_load_namespaces(draft);
	r = build(draft, err);
	if (r >= 0)
		parent_load_warnings(draft->plan, draft->spec, &draft->spec->process.capabilities);
	return r;
}
