/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids, groups, capabilities and the working directory of the container's program. Process: init, or the bridge
 * of an exec.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <tare/sys.h>

#define CAPABILITIES 64
#define KNOWN_CAPABILITIES (CAP_CHECKPOINT_RESTORE + 1) /* in the oldest kernel that tare supports */
#define READABLE_GROUPS 1024

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
	/* A value that no process has: it shows if a seccomp filter makes the call return without an effect. */
	struct __user_cap_data_struct data[2] = {{~0u, ~0u, ~0u}, {~0u, ~0u, ~0u}};
	int r = k_capget(&header, data);

	*effective = data[0].effective | (uint64_t)data[1].effective << 32;
	*permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	*inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return r;
}

bool user_lacks_capability(int capability)
{
	uint64_t effective, permitted, inheritable;

	return get_capabilities(&effective, &permitted, &inheritable) >= 0 &&
	       (effective >> capability & 1) == 0;
}

/* capset(2) drops from the ambient set what is not inheritable. */
int user_keep_only(int capability)
{
	uint64_t effective, permitted, inheritable, kept = UINT64_C(1) << capability;
	int r = get_capabilities(&effective, &permitted, &inheritable);

	return r < 0 ? r : set_capabilities(permitted & kept, permitted & kept, 0);
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
		/* fchown(2): on a read-only file system, or with ids that are not mapped, the owner stays. */
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
		if (r == -EINVAL && cap >= KNOWN_CAPABILITIES) /* after the kernel's last capability */
			return 0;
		if (r < 0)
			return err_system(err, r, "cannot drop capability %lu from the bounding set", cap);
	}
	return 0;
}

static bool has_capability(int capability)
{
	uint64_t effective, permitted, inheritable;

	return get_capabilities(&effective, &permitted, &inheritable) >= 0 &&
	       (effective >> capability & 1) != 0;
}

/*
 * setgroups(2), user_namespaces(7). The plan has no such call where setgroups is denied. So what remains for a
 * process with CAP_SETGID is a namespace without mapped groups, or a filter around tare. The container's own
 * filter, which is the cause if it is in force, is named by the caller.
 */
static int explain_groups(int r, const struct plan_user *user, bool has_filter, struct err *err)
{
	err_system(err, r, "cannot set %u additional groups", user->groups.count);
	if (r == -EINVAL)
		err_hint(err, "every group has to be mapped in the container's user namespace");
	else if (r == -EPERM && !has_capability(CAP_SETGID))
		err_hint(err, "it needs CAP_SETGID");
	else if (r == -EPERM && k_setresgid(user->gid, user->gid, user->gid) == -EINVAL)
		err_hint(err, "gid %u is not mapped in the container's user namespace", user->gid);
	else if (!has_filter && r != -ENOMEM && k_prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0)
		err_hint(err, "a seccomp filter around tare refuses setgroups(2): its profile has to allow it");
	return r;
}

/* setresuid(2), setresgid(2): EINVAL means that the id is not mapped. */
static int explain_id(int r, const char *what, uint32_t id, struct err *err)
{
	bool is_uid = what[0] == 'u';

	err_system(err, r, "cannot become %s %u", what, id);
	if (r == -EINVAL)
		err_hint(err, "%s %u is not mapped in the container's user namespace", what, id);
	else if (r == -EPERM && !has_capability(is_uid ? CAP_SETUID : CAP_SETGID))
		err_hint(err, "it needs CAP_SET%cID", is_uid ? 'U' : 'G');
	return r;
}

static int set_ids(const struct plan *plan, const struct plan_user *user, bool has_filter, struct err *err)
{
	int r = 0;

	if (!user_keeps_groups(user))
		r = k_setgroups(user->groups.count, plan_rows(plan, user->groups));
	if (r < 0)
		return explain_groups(r, user, has_filter, err);
	r = k_setresgid(user->gid, user->gid, user->gid);
	if (r < 0)
		return explain_id(r, "gid", user->gid, err);
	r = k_setresuid(user->uid, user->uid, user->uid);
	return r < 0 ? explain_id(r, "uid", user->uid, err) : 0;
}

static int raise_ambient(const struct plan_user *user)
{
	int r = (int)k_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);

	/* capabilities(7): only permitted and inheritable capabilities can be ambient; others are omitted. */
	for (unsigned long cap = 0; r >= 0 && cap < CAPABILITIES; cap++)
		if ((user->capabilities.ambient & user->capabilities.permitted &
		     user->capabilities.inheritable) >>
			    cap &
		    1)
			r = (int)k_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
	return r;
}

static void hint_faked_success(struct err *err)
{
	err_hint(err,
		 "the seccomp filter in force fakes its success (errnoRet 0, or its agent's answer): allow it "
		 "in the filter, or set noNewPrivileges, so that the filter comes later");
}

int user_faked_success(const char *json_pointer, const char *call, struct err *err)
{
	err_set(err, ERR_SYSTEM, 0, json_pointer, "%s succeeded without an effect", call);
	hint_faked_success(err);
	return -EINVAL;
}

/* Reads the capabilities back: the kernel or a filter may have changed less than was requested. */
static int verify(const struct plan_user *user, bool may_fake_success, struct err *err)
{
	uint64_t effective, permitted, inheritable;
	int r = get_capabilities(&effective, &permitted, &inheritable);

	if (r < 0)
		return err_system(err, r, "cannot read the capabilities back");
	if (effective == user->capabilities.effective && permitted == user->capabilities.permitted &&
	    inheritable == user->capabilities.inheritable)
		return 0;
	err_system(err, EPERM, "cannot set the requested capabilities");
	if (may_fake_success)
		hint_faked_success(err);
	return -EPERM;
}

/*
 * Compares the real, effective and saved id. They are initialized with another value than wanted, for the case
 * that the filter makes the reading call return without an effect.
 */
static int verify_ids(uint32_t wanted, bool is_group, struct err *err)
{
	uint32_t ids[3] = {~wanted, ~wanted, ~wanted};
	int r = is_group ? k_getresgid(&ids[0], &ids[1], &ids[2]) : k_getresuid(&ids[0], &ids[1], &ids[2]);

	if (r < 0)
		return err_system(err, r, "cannot read the %s ids back", is_group ? "group" : "user");
	if (ids[0] == wanted && ids[1] == wanted && ids[2] == wanted)
		return 0;
	return is_group ? user_faked_success("/process/user/gid", "setresgid(2)", err)
			: user_faked_success("/process/user/uid", "setresuid(2)", err);
}

static bool contains(const gid_t *groups, uint32_t count, gid_t group)
{
	for (uint32_t i = 0; i < count; i++)
		if (groups[i] == group)
			return true;
	return false;
}

/* Compares the groups as sets, because the kernel sorts them. */
static int verify_groups(const gid_t *wanted, uint32_t count, struct err *err)
{
	const char *json_pointer = "/process/user/additionalGids";
	gid_t seen[READABLE_GROUPS];
	int r = k_getgroups(-1, NULL);

	/* getgroups(2) refuses a negative size: if the call succeeds, the filter has faked that. */
	if (r >= 0)
		return user_faked_success(json_pointer, "getgroups(2)", err);
	for (uint32_t i = 0; i < READABLE_GROUPS; i++)
		seen[i] = (gid_t)-1;
	if (r == -EINVAL)
		r = k_getgroups(READABLE_GROUPS, seen);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, r, json_pointer, "cannot read the additional groups back");
	if ((uint32_t)r != count)
		return user_faked_success(json_pointer, "setgroups(2)", err);
	for (uint32_t i = 0; i < count; i++)
		if (!contains(wanted, count, seen[i]) || !contains(seen, count, wanted[i]))
			return user_faked_success(json_pointer, "setgroups(2)", err);
	return 0;
}

/*
 * Compares a capability set with wanted, for the capabilities in asked. The prctl(2) option reads one
 * capability, and returns EINVAL for a number that is no capability: if it does not, a filter has faked the
 * call.
 */
static int read_set(int option, int sub, uint64_t wanted, uint64_t asked, struct err *err)
{
	for (unsigned long cap = 0; cap <= CAPABILITIES; cap++) {
		bool is_none = cap == CAPABILITIES;
		int r;

		if (!is_none && (asked >> cap & 1) == 0)
			continue;
		r = option == PR_CAP_AMBIENT ? (int)k_prctl(option, (unsigned long)sub, cap, 0, 0)
					     : (int)k_prctl(option, cap, 0, 0, 0);
		if (r == -EINVAL && (is_none || cap >= KNOWN_CAPABILITIES))
			continue;
		if (r < 0)
			return err_system(err, r, "cannot read the capabilities back");
		if (is_none || r != (int)(wanted >> cap & 1))
			return user_faked_success("/process/capabilities", "prctl(2)", err);
	}
	return 0;
}

/* Finds calls that a filter has faked; a call that it has denied has failed before. */
static int read_back(const struct plan *plan, const struct plan_user *user, struct err *err)
{
	int r = verify_ids(user->uid, false, err);

	if (r >= 0)
		r = verify_ids(user->gid, true, err);
	if (r >= 0 && !user_keeps_groups(user))
		r = verify_groups(plan_rows(plan, user->groups), user->groups.count, err);
	if (r >= 0)
		r = read_set(PR_CAPBSET_READ, 0, 0, ~user->capabilities.bounding, err);
	if (r >= 0)
		r = read_set(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, user->capabilities.ambient,
			     user->capabilities.permitted & user->capabilities.inheritable, err);
	return r;
}

static int verify_cwd(const char *cwd, struct err *err)
{
	struct stat wanted = {.st_ino = 1}, here = {.st_ino = 2};
	int r = k_fstatat(AT_FDCWD, cwd, &wanted, 0);

	if (r >= 0)
		r = k_fstatat(AT_FDCWD, ".", &here, 0);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, r, "/process/cwd", "cannot stat directory '%s'", cwd);
	return wanted.st_dev == here.st_dev && wanted.st_ino == here.st_ino
		       ? 0
		       : user_faked_success("/process/cwd", "chdir(2)", err);
}

static int enter_cwd(const char *cwd, bool may_fake_success, struct err *err)
{
	char seen[4096];
	int r = k_chdir(cwd);

	if (r < 0) {
		_cleanup_fd_ int root_fd = r == -ENOTDIR ? k_openat(AT_FDCWD, "/", O_PATH | O_CLOEXEC, 0) : -1;

		err_set(err, ERR_SYSTEM, r, "/process/cwd", "cannot change to directory '%s'", cwd);
		mount_hint_file(root_fd, cwd, r, err);
		return r;
	}
	/* getcwd(3): for a directory outside of the root the path begins with "(unreachable)". */
	seen[0] = '\0';
	r = k_getcwd(seen, sizeof seen);
	if (r < 0 || seen[0] != '/')
		return err_set(err, ERR_SYSTEM, r < 0 ? r : EPERM, "/process/cwd",
			       "directory '%s' is outside of the container", cwd);
	return may_fake_success ? verify_cwd(cwd, err) : 0;
}

int user_become(const struct plan *plan, const struct plan_user *user, bool may_fake_success, struct err *err)
{
	const char *cwd = plan_get(plan, user->cwd);
	uint64_t effective, permitted, inheritable;
	int r, entered;

	r = drop_bounding(user->capabilities.bounding, err);
	if (r < 0)
		return r;
	r = (int)k_prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (r < 0)
		return err_system(err, r, "cannot keep capabilities over the change of ids");
	/*
	 * First as root, because the user may have no search permission; then as the user, because on NFS root
	 * may have none.
	 */
	entered = enter_cwd(cwd, may_fake_success, err);
	if (entered < 0 && entered != -EACCES && entered != -EPERM)
		return entered;
	r = set_ids(plan, user, may_fake_success, err);
	if (r < 0)
		return r;
	if (entered < 0 && enter_cwd(cwd, may_fake_success, err) < 0)
		return entered;
	r = get_capabilities(&effective, &permitted, &inheritable);
	/* A capability can be ambient only if it is permitted and inheritable, so those sets come first. */
	if (r >= 0)
		r = set_capabilities(user->capabilities.effective & permitted,
				     user->capabilities.permitted & permitted, user->capabilities.inheritable);
	if (r >= 0)
		r = raise_ambient(user);
	if (r >= 0)
		r = (int)k_prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	if (r < 0)
		return err_system(err, r, "cannot set the capabilities");
	r = verify(user, may_fake_success, err);
	return r < 0 || !may_fake_success ? r : read_back(plan, user, err);
}
