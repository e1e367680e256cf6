/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a cgroup is. Its path says nothing of that: one that is empty may become another container's, who may
 * be in another state root, or somebody's who is none. So it says it itself, in an extended attribute (cgroup2
 * keeps those, xattr(7)): of the kind that nobody in a user namespace can write, unless the caller is there,
 * too.
 *
 * A mark is OWNER, a line feed, and the number of components of the path that go with the cgroup.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"

static const char *const names[] = {"trusted.tare", "user.tare"};

int cgroup_owner_read(int cgroup_fd, struct cgroup_owner_value *ret)
{
	ret->len = 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ssize_t got = k_fgetxattr(cgroup_fd, names[i], ret->text, sizeof ret->text);

		if (got == -ERANGE || got >= 0) {
			ret->len = got < 0 ? 0 : (size_t)got;
			return 1;
		}
		if (got != -ENODATA && got != -EOPNOTSUPP)
			return (int)got;
	}
	return 0;
}

int cgroup_owner_write(int cgroup_fd, const struct cgroup_owner_value *mark)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		r = k_fsetxattr(cgroup_fd, names[i], mark->text, mark->len, 0);
		if (r >= 0)
			return 0;
	}
	return r;
}

void cgroup_owner_clear(int cgroup_fd)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)!k_fremovexattr(cgroup_fd, names[i]);
}

int cgroup_owner_set(int cgroup_fd, const char *owner, unsigned int created, struct err *err)
{
	struct cgroup_owner_value mark;
	int len = str_format(mark.text, sizeof mark.text, "%s\n%u", owner, created);
	int r;

	if (len < 0 || (size_t)len >= sizeof mark.text)
		return err_system(err, ENAMETOOLONG, "cannot mark the container's cgroup");
	mark.len = (size_t)len;
	r = cgroup_owner_write(cgroup_fd, &mark);
	return r < 0 ? err_system(err, r, "cannot mark the container's cgroup") : 0;
}

/* The number behind the line feed. */
static unsigned int created_of(const struct cgroup_owner_value *mark)
{
	const char *at = memchr(mark->text, '\n', mark->len);
	unsigned int created = 0;

	for (at = at == NULL ? mark->text + mark->len : at + 1; at < mark->text + mark->len; at++) {
		if (*at < '0' || *at > '9' || created > 1000)
			return 0;
		created = created * 10 + (unsigned int)(*at - '0');
	}
	return created;
}

int cgroup_leftover_depth(int cgroup_fd)
{
	struct cgroup_owner_value mark;
	int is_marked = cgroup_owner_read(cgroup_fd, &mark);

	return is_marked <= 0 ? is_marked : (int)created_of(&mark);
}

int cgroup_inode(int cgroup_fd, uint64_t *ret_inode)
{
	struct stat stat;
	int r = k_fstatat(cgroup_fd, "", &stat, AT_EMPTY_PATH);

	if (r >= 0)
		*ret_inode = stat.st_ino;
	return r;
}

int cgroup_owner_compare(int cgroup_fd, const char *owner, unsigned int *ret_created)
{
	struct cgroup_owner_value mark;
	size_t len = strlen(owner);
	int is_marked = cgroup_owner_read(cgroup_fd, &mark);

	if (is_marked < 0)
		return is_marked;
	if (ret_created != NULL)
		*ret_created = is_marked ? created_of(&mark) : 0;
	if (!is_marked)
		return CGROUP_OWNER_NONE;
	return mark.len > len && memcmp(mark.text, owner, len) == 0 && mark.text[len] == '\n'
		       ? CGROUP_OWNER_MATCHES
		       : CGROUP_OWNER_DIFFERS;
}
