/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The owner attribute: an extended attribute (xattr(7)) of a cgroup's directory that names the container the
 * cgroup belongs to. The path is no proof of that: once the cgroup is empty, another container, of this or of
 * another state root, or a program that is no container may use it. The attribute is in the "trusted"
 * namespace, which no process in a user namespace can write; a caller in a user namespace uses "user".
 *
 * The value is the owner's text, a line feed, and the number of path components to remove with the cgroup.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"

/* The first one that the kernel lets the caller write is used. */
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

int cgroup_owner_write(int cgroup_fd, const struct cgroup_owner_value *value)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		r = k_fsetxattr(cgroup_fd, names[i], value->text, value->len, 0);
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
	struct cgroup_owner_value value;
	int len = str_format(value.text, sizeof value.text, "%s\n%u", owner, created);
	int r;

	if (len < 0 || (size_t)len >= sizeof value.text)
		return err_system(err, ENAMETOOLONG,
				  "cannot set the owner attribute of the container's cgroup");
	value.len = (size_t)len;
	r = cgroup_owner_write(cgroup_fd, &value);
	return r < 0 ? err_system(err, r, "cannot set the owner attribute of the container's cgroup") : 0;
}

/* Parses the number after the line feed; 0 if it is not valid. */
static unsigned int parse_created(const struct cgroup_owner_value *value)
{
	const char *at = memchr(value->text, '\n', value->len);
	unsigned int created = 0;

	for (at = at == NULL ? value->text + value->len : at + 1; at < value->text + value->len; at++) {
		if (*at < '0' || *at > '9' || created > 1000)
			return 0;
		created = created * 10 + (unsigned int)(*at - '0');
	}
	return created;
}

int cgroup_leftover_depth(int cgroup_fd)
{
	struct cgroup_owner_value value;
	int has_owner = cgroup_owner_read(cgroup_fd, &value);

	return has_owner <= 0 ? has_owner : (int)parse_created(&value);
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
	struct cgroup_owner_value value;
	size_t len = strlen(owner);
	int has_owner = cgroup_owner_read(cgroup_fd, &value);

	if (has_owner < 0)
		return has_owner;
	if (ret_created != NULL)
		*ret_created = has_owner ? parse_created(&value) : 0;
	if (!has_owner)
		return CGROUP_OWNER_NONE;
	return value.len > len && memcmp(value.text, owner, len) == 0 && value.text[len] == '\n'
		       ? CGROUP_OWNER_MATCHES
		       : CGROUP_OWNER_DIFFERS;
}
