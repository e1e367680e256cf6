/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <tare/sys.h>

#define CAPABILITIES 64

static int set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(effective >> (32 * i));
		data[i].permitted = (uint32_t)(permitted >> (32 * i));
		data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
	}
	return k_capset(&header, data);
}

static int get_capabilities(uint64_t *effective, uint64_t *permitted, uint64_t *inheritable)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	int r = k_capget(&header, data);

	*effective = data[0].effective | (uint64_t)data[1].effective << 32;
	*permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	*inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return r;
}

int user_keep_capabilities(void)
{
	uint64_t effective, permitted, inheritable;
	int r = get_capabilities(&effective, &permitted, &inheritable);

	if (r >= 0)
		r = set_capabilities(permitted, permitted, permitted);
	for (unsigned long cap = 0; r >= 0 && cap < CAPABILITIES; cap++)
		if (permitted >> cap & 1)
			r = (int)k_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
	return r;
}

int user_own_stdio(uint32_t uid, struct err *err)
{
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;
		int r = k_fstat(fd, &st);

		if (r < 0 || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) || st.st_uid == uid)
			continue;
		r = k_fchownat(fd, "", uid, (gid_t)-1, AT_EMPTY_PATH);
		/* A caller's file on a read-only or foreign file system stays as it is: fchown(2). */
		if (r < 0 && r != -EPERM && r != -EINVAL && r != -EROFS && r != -EOVERFLOW)
			return err_system(err, r, "cannot give descriptor %d to uid %u", fd, uid);
	}
	return 0;
}

static int drop_bounding(uint64_t keep, struct err *err)
{
	for (unsigned long cap = 0; cap < CAPABILITIES; cap++) {
		int r;

		if (keep >> cap & 1)
			continue;
		r = (int)k_prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
		if (r == -EINVAL) /* past the kernel's last capability */
			return 0;
		if (r < 0)
			return err_system(err, r, "cannot drop capability %lu from the bounding set", cap);
	}
	return 0;
}

static int set_ids(const struct plan *plan, const struct plan_user *user, struct err *err)
{
	int r = 0;

	if (!user->keep_groups)
		r = k_setgroups(user->groups.count, plan_rows(plan, user->groups));
	if (r < 0) {
		r = err_system(err, r, "cannot set %u additional groups", user->groups.count);
		err_hint(err, "every group has to be mapped in the container's user namespace");
		return r;
	}
	r = k_setresgid(user->gid, user->gid, user->gid);
	if (r < 0)
		return err_system(err, r, "cannot become gid %u", user->gid);
	r = k_setresuid(user->uid, user->uid, user->uid);
	if (r < 0)
		return err_system(err, r, "cannot become uid %u", user->uid);
	return 0;
}

static int raise_ambient(const struct plan_user *user)
{
	int r = (int)k_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);

	/* capabilities(7): only what is permitted and inheritable can be ambient; the rest is best effort. */
	for (unsigned long cap = 0; r >= 0 && cap < CAPABILITIES; cap++)
		if ((user->ambient & user->permitted & user->inheritable) >> cap & 1)
			r = (int)k_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
	return r;
}

/* What the kernel says afterwards counts, not what was asked of it. */
static int verify(const struct plan_user *user, struct err *err)
{
	uint64_t effective, permitted, inheritable;
	int r = get_capabilities(&effective, &permitted, &inheritable);

	if (r < 0)
		return err_system(err, r, "cannot read the capabilities back");
	if (effective != user->effective || permitted != user->permitted || inheritable != user->inheritable)
		return err_system(err, EPERM, "cannot set the capabilities as asked");
	return 0;
}

static int enter_cwd(const char *cwd, struct err *err)
{
	char seen[4096];
	int r = k_chdir(cwd);

	if (r < 0)
		return err_set(err, ERR_SYSTEM, r, "/process/cwd", "cannot change to directory '%s'", cwd);
	/* getcwd(3): a directory outside of the root is told by "(unreachable)" in front. */
	r = k_getcwd(seen, sizeof seen);
	if (r < 0 || seen[0] != '/')
		return err_set(err, ERR_SYSTEM, r < 0 ? r : EPERM, "/process/cwd",
			       "directory '%s' is outside of the container", cwd);
	return 0;
}

int user_become(const struct plan *plan, const struct plan_user *user, struct err *err)
{
	const char *cwd = plan_get(plan, user->cwd);
	uint64_t effective, permitted, inheritable;
	int r, entered;

	r = drop_bounding(user->bounding, err);
	if (r < 0)
		return r;
	r = (int)k_prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (r < 0)
		return err_system(err, r, "cannot keep capabilities over the change of ids");
	/* As root first: the user may have no right to walk there, or be the only one who has (NFS). */
	entered = enter_cwd(cwd, err);
	if (entered < 0 && entered != -EACCES && entered != -EPERM)
		return entered;
	r = set_ids(plan, user, err);
	if (r < 0)
		return r;
	if (entered < 0 && enter_cwd(cwd, err) < 0)
		return entered;
	r = get_capabilities(&effective, &permitted, &inheritable);
	/* Ambient capabilities go with the permitted and inheritable ones, so those come first. */
	if (r >= 0)
		r = set_capabilities(user->effective & permitted, user->permitted & permitted,
				     user->inheritable);
	if (r >= 0)
		r = raise_ambient(user);
	if (r >= 0)
		r = (int)k_prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	if (r < 0)
		return err_system(err, r, "cannot set the capabilities");
	return verify(user, err);
}
