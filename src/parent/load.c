/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, the bundle and the host become a plan. Process: the parent, as in parent.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>

#include <tare/notify.h>

#include "steps.h"

static int load_bundle(struct parent *parent, struct err *err)
{
	const char *asked = parent->options->bundle == NULL ? "." : parent->options->bundle;
	_cleanup_free_ char *bundle = realpath(asked, NULL);

	if (bundle == NULL)
		return err_system(err, errno, "cannot open bundle '%s'", asked);
	parent->bundle = take_ptr(bundle);
	return 0;
}

int parent_load_text(struct parent *parent, struct buf *text, struct err *err)
{
	_cleanup_free_ char *path = NULL;
	int r;

	path = parent->options->config != NULL ? mem_dup(parent->options->config)
					       : mem_format("%s/config.json", parent->bundle);
	r = io_read_input(path, SPEC_SIZE_MAX, text);
	if (r == -ENOENT) {
		err_set(err, ERR_USAGE, 0, NULL, "JSON specification file %s not found", path);
		err_hint(err, "tare spec writes one to start from");
		return -EINVAL;
	}
	if (r < 0) {
		err_system(err, r, "cannot read '%s'", IO_INPUT_NAME(path));
		if (r == -ENOTDIR && parent->options->config == NULL)
			err_hint(err, "a bundle is the directory that contains config.json");
	}
	return r;
}

/* sd_listen_fds(3): the variables are for this process only if LISTEN_PID is its pid. */
static void load_listen_fds(struct parent *parent)
{
	const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	uint64_t count, for_pid;

	if (fds == NULL || !str_to_u64(fds, 4096, &count) || count == 0)
		return;
	if (pid == NULL || !str_to_u64(pid, INT32_MAX, &for_pid) || (int)for_pid != k_getpid())
		return;
	parent->request.listen_fds = (uint32_t)count;
	parent->request.listen_fdnames = getenv("LISTEN_FDNAMES");
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

int parent_load_descriptors(struct parent *parent, uint32_t preserve_fds, struct err *err)
{
	uint32_t first = 3;
	int r;

	load_listen_fds(parent);
	/* The program expects all of these to be open: sd_listen_fds(3). */
	for (; first < 3 + parent->request.listen_fds; first++)
		if (!is_inherited(first))
			return err_set(err, ERR_USAGE, EBADF, NULL,
				       "cannot preserve descriptor %u: it is not open", first);
	r = count_preserved(first, preserve_fds, &parent->request.preserve_fds, err);
	parent->first_fd = (int)(first + parent->request.preserve_fds);
	return r;
}

void parent_load_namespaces(struct parent *parent)
{
	for (int ns = 0; ns < SPEC_NS_COUNT; ns++)
		if (parent->spec->namespaces[ns].path != NULL)
			host_probe_namespace(&parent->host, ns, parent->spec->namespaces[ns].path);
}

static int load_spec(struct parent *parent, struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	int r = parent_load_text(parent, &text, err);

	if (r < 0)
		return r;
	r = spec_parse(text.data == NULL ? "" : text.data, text.len, &parent->spec, err);
	/* An error with a JSON pointer needs no file name; one with a line number does. */
	if (r < 0 && err->json_pointer[0] == '\0' && parent->options->config != NULL)
		err_prefix(err, "%s", IO_INPUT_NAME(parent->options->config));
	else if (r < 0 && err->json_pointer[0] == '\0')
		err_prefix(err, "%s/config.json", parent->bundle);
	if (r < 0)
		return r;
	parent->record.config_len = text.len;
	parent->record.config = take_ptr(text.data);
	text = (struct buf){0};
	return 0;
}

static int load_notify(struct parent *parent, struct err *err)
{
	_cleanup_free_ char *root = NULL;
	int r;

	if (!notify_is_wanted())
		return 0;
	r = state_root_path(parent->options->state_root, &root, err);
	if (r < 0)
		return r;
	parent->notify_dir = mem_format("%s/%s/notify", root, parent->request.id);
	parent->request.notify_dir = parent->notify_dir;
	return 0;
}

/*
 * The name has a random part: a process with the same user id that knows the name of a keyring can create it
 * first, or join it. Such processes are in another container without a user namespace, or in a container of the
 * same id under another root directory.
 */
static int load_keyring(struct parent *parent, struct err *err)
{
	uint64_t random;
	ssize_t r;

	if (!parent->is_changing || parent->request.is_no_new_keyring)
		return 0;
	r = getrandom(&random, sizeof random, 0);
	if (r != sizeof random)
		return err_system(err, r < 0 ? errno : EIO, "cannot get a random name for the session keyring");
	parent->keyring = mem_format("_ses.%s.%016llx", parent->request.id, (unsigned long long)random);
	parent->request.keyring = parent->keyring;
	return 0;
}

int parent_load_request(struct parent *parent, struct err *err)
{
	const struct create_options *o = parent->options;
	int r = load_bundle(parent, err);

	if (r >= 0)
		r = parent_load_descriptors(parent, o->preserve_fds, err);
	if (r < 0)
		return r;
	parent->request.id = o->id == NULL ? "container" : o->id;
	parent->request.bundle = parent->bundle;
	parent->request.is_no_pivot = o->is_no_pivot;
	parent->request.is_no_new_keyring = o->is_no_new_keyring;
	parent->request.is_waited = parent->request.is_run && !o->is_detached;
	parent->request.is_systemd_cgroup = o->is_systemd_cgroup;
	parent->request.is_cgroup_disabled = o->is_cgroup_disabled;
	r = load_keyring(parent, err);
	return r < 0 ? r : load_notify(parent, err);
}

/* The first reason that applies. A set that depends on another set lacks what that one lacks. NULL: granted. */
static const char *refusal_reason(const struct plan_user *user, const uint64_t *asked, uint64_t bit)
{
	if ((asked[SPEC_CAP_BOUNDING] & ~user->bounding & bit) != 0 ||
	    (asked[SPEC_CAP_PERMITTED] & ~user->permitted & bit) != 0)
		return "cannot be granted here";
	if ((asked[SPEC_CAP_EFFECTIVE] & ~user->effective & bit) != 0)
		return "cannot be effective: it is not in the permitted set";
	if ((asked[SPEC_CAP_INHERITABLE] & ~user->inheritable & bit) != 0)
		return "cannot be inheritable: it is not in the bounding set";
	if ((asked[SPEC_CAP_AMBIENT] & ~user->ambient & bit) != 0)
		return "cannot be ambient: it is not in the permitted and the inheritable set";
	return NULL;
}

void parent_load_refused(const struct plan *plan, const uint64_t *asked, parent_refused on_refused,
			 void *context)
{
	const struct plan_step *user = plan_find(plan, PLAN_USER);

	for (int cap = 0; user != NULL && cap < 64; cap++) {
		const char *reason = refusal_reason(&user->u.user, asked, UINT64_C(1) << cap);

		if (reason != NULL)
			on_refused(context, spec_capability_name(cap), reason);
	}
}

static void warn_of_refused(void *context, const char *capability, const char *reason)
{
	(void)context;
	log_line(LOG_SHOWN_WARNING, "capability %s %s", capability, reason);
}

void parent_load_warnings(const struct plan *plan, const struct spec *spec, const uint64_t *asked)
{
	for (size_t i = 0; spec != NULL && i < spec->warnings.count; i++)
		log_line(LOG_SHOWN_WARNING, "%s", spec->warnings.v[i]);
	parent_load_refused(plan, asked, warn_of_refused, NULL);
}

static int build(struct parent *parent, struct err *err)
{
	_cleanup_seccomp_ struct seccomp_program program = {0};
	struct plan_filter_program filter;
	int r = 0;

	if (parent->spec->seccomp.is_set && parent->is_changing) {
		parent->root_fd = state_open_root(parent->options->state_root, true, err);
		r = parent->root_fd < 0 ? parent->root_fd : 0;
	}
	if (r >= 0 && parent->spec->seccomp.is_set) {
		parent->request.filter = &filter;
		r = filter_load(&parent->spec->seccomp, parent->root_fd, &program, &filter, err);
	}
	if (r >= 0)
		r = plan_build(parent->spec, &parent->host, &parent->request, &parent->plan, err);
	parent->request.filter = NULL;
	return r;
}

int parent_load(struct parent *parent, struct err *err)
{
	int r = parent_load_request(parent, err);

	if (r >= 0)
		r = load_spec(parent, err);
	if (r >= 0)
		r = host_probe(&parent->host, err);
	if (r < 0)
		return r;
	parent_load_namespaces(parent);
	r = build(parent, err);
	if (r >= 0)
		parent_load_warnings(parent->plan, parent->spec, parent->spec->process.capabilities);
	return r;
}
