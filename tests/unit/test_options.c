/* SPDX-License-Identifier: Apache-2.0 */
/* The table of mount options against the one of libmount, which mount(8) uses. */
#include <libmount.h>
#include <stdlib.h>
#include <sys/mount.h>

#include <tare/plan.h>

#include "../../src/plan/options.h"
#include "unit.h"

/* Names that have another meaning in the specification, or none in libmount. */
static const struct {
	const char *name, *reason;
} exceptions[] = {
	{"copy-symlink", "an extension of crun"},
	{"defaults", "it stands for no option; libmount has it in the map of fstab"},
	{"dest-nofollow", "an extension of crun"},
	{"idmap", "an extension of the specification"},
	{"iversion", "left to the file system"},
	{"loud", "mount_setattr(2) and fsconfig(2) print nothing that could be silenced"},
	{"mand", "mandatory locks, which Linux 5.15 has removed"},
	{"noiversion", "as iversion"},
	{"nomand", "as mand"},
	{"ridmap", "an extension of the specification"},
	{"silent", "as loud"},
	{"src-nofollow", "an extension of crun"},
	{"tmpcopyup", "an extension of the specification"},
};

/* Flags of a mount: their bit in mount(2), and in mount_setattr(2). */
static const struct {
	unsigned long flag;
	uint64_t attr, field; /* field: 0, or all bits of the field of which attr is one value */
} attributes[] = {
	{MS_RDONLY, MOUNT_ATTR_RDONLY, 0},
	{MS_NOSUID, MOUNT_ATTR_NOSUID, 0},
	{MS_NODEV, MOUNT_ATTR_NODEV, 0},
	{MS_NOEXEC, MOUNT_ATTR_NOEXEC, 0},
	{MS_NODIRATIME, MOUNT_ATTR_NODIRATIME, 0},
	{MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW, 0},
	{MS_NOATIME, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
	{MS_RELATIME, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{MS_STRICTATIME, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
};

/* The effect of options, separated by commas, as one line of text. */
static void describe(const char *options, struct buf *out)
{
	char text[64], *names[4], *rest = NULL;
	struct spec_list list = {.v = names};
	struct plan_options o;

	str_format(text, sizeof text, "%s", options);
	for (char *name = strtok_r(text, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest))
		names[list.count++] = name;
	plan_options_parse(&list, &o);
	buf_format(out, "set=%llx/%llx clear=%llx/%llx", (unsigned long long)o.attr_set,
		   (unsigned long long)o.recursive_attr_set, (unsigned long long)o.attr_clear,
		   (unsigned long long)o.recursive_attr_clear);
	for (int i = 0; i < o.propagation_count; i++)
		buf_format(out, " propagation=%llx/%d", (unsigned long long)o.propagation[i].type,
			   o.propagation[i].is_recursive);
	buf_format(out, " bind=%d/%d remount=%d", o.is_bind, o.is_recursive, o.is_remount);
	for (size_t i = 0; i < o.data.count; i++)
		buf_format(out, " data=%s", o.data.v[i]);
	free(o.data.v);
}

/* The same line for an option with libmount's flag, or with the flag removed. */
static void expect(unsigned long flags, bool is_inverse, const char *name, struct buf *out)
{
	unsigned long type = flags & (MS_SHARED | MS_SLAVE | MS_PRIVATE | MS_UNBINDABLE);
	bool is_recursive = (flags & MS_REC) != 0, is_bind = (flags & MS_BIND) != 0;
	uint64_t set = 0, clear = 0;

	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		if (attributes[i].flag != flags)
			continue;
		set = is_inverse ? 0 : attributes[i].attr;
		clear = attributes[i].field != 0 ? attributes[i].field : is_inverse ? attributes[i].attr : 0;
	}
	buf_format(out, "set=%llx/0 clear=%llx/0", (unsigned long long)set, (unsigned long long)clear);
	if (type != 0)
		buf_format(out, " propagation=%lx/%d", type, is_recursive);
	buf_format(out, " bind=%d/%d remount=%d", is_bind, is_bind && is_recursive, (flags & MS_REMOUNT) != 0);
	/* A flag of the superblock: the kernel takes it by its name (fsconfig(2), FSCONFIG_SET_FLAG). */
	if ((flags & (MS_SYNCHRONOUS | MS_DIRSYNC | MS_LAZYTIME)) != 0)
		buf_format(out, " data=%s", name);
}

/* libmount 2.39 and newer write "ro[=]" for an option with an optional value. */
static bool is_same_name(const struct libmnt_optmap *row, const char *name)
{
	size_t len = strcspn(row->name, "[=");

	return strlen(name) == len && strncmp(row->name, name, len) == 0;
}

static const struct libmnt_optmap *find(const char *name)
{
	const struct libmnt_optmap *row = mnt_get_builtin_optmap(MNT_LINUX_MAP);

	while (row->name != NULL && !is_same_name(row, name))
		row++;
	return row->name != NULL ? row : NULL;
}

static bool is_exception(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(exceptions); i++)
		if (strcmp(exceptions[i].name, name) == 0)
			return true;
	return false;
}

/* The option that sets what the row's option removes. */
static void find_counterpart(const struct libmnt_optmap *row, char *ret_name, size_t size)
{
	for (const struct libmnt_optmap *r = mnt_get_builtin_optmap(MNT_LINUX_MAP); r->name != NULL; r++)
		if (r->id == row->id && (r->mask & MNT_INVERT) == 0)
			str_format(ret_name, size, "%.*s", (int)strcspn(r->name, "[="), r->name);
}

static void compare(const struct libmnt_optmap *row, const char *name)
{
	bool is_inverse = (row->mask & MNT_INVERT) != 0;
	_cleanup_buf_ struct buf actual = {0}, expected = {0}, both = {0};
	char options[64] = "", counterpart[32] = "";

	describe(name, &actual);
	expect((unsigned long)row->id, is_inverse, name, &expected);
	if (!CHECK_STR(actual.data, expected.data))
		fprintf(stderr, "\tfor %s\n", name);
	if (!is_inverse || (row->id & (MS_SYNCHRONOUS | MS_DIRSYNC | MS_LAZYTIME)) != 0)
		return;
	find_counterpart(row, counterpart, sizeof counterpart);
	str_format(options, sizeof options, "%s,%s", counterpart, name);
	describe(options, &both);
	if (!CHECK_STR(both.data, expected.data))
		fprintf(stderr, "\tfor %s\n", options);
}

/* Every option of libmount's map is an option of the specification, with the same meaning. */
static void test_map(void)
{
	int compared = 0;

	for (int i = 0; plan_mount_option_name(i) != NULL; i++) {
		const char *name = plan_mount_option_name(i);
		const struct libmnt_optmap *row = find(name);

		if (row == NULL || is_exception(name))
			continue;
		compare(row, name);
		compared++;
	}
	CHECK(compared >= 34);
	for (const struct libmnt_optmap *row = mnt_get_builtin_optmap(MNT_LINUX_MAP); row->name != NULL;
	     row++) {
		/* mount(8) has this operation as an option since util-linux 2.40. */
		bool is_known = (row->id & MS_MOVE) != 0;

		for (int i = 0; plan_mount_option_name(i) != NULL; i++)
			is_known |= is_same_name(row, plan_mount_option_name(i));
		if (!CHECK(is_known))
			fprintf(stderr, "\tfor %s\n", row->name);
	}
}

/* What libmount lacks is an exception, or the recursive form of an option that it has. */
static void test_recursive(void)
{
	for (int i = 0; plan_mount_option_name(i) != NULL; i++) {
		const char *name = plan_mount_option_name(i);
		_cleanup_buf_ struct buf actual = {0}, expected = {0};
		struct plan_options o;

		if (find(name) != NULL || is_exception(name))
			continue;
		if (!CHECK(name[0] == 'r' && find(name + 1) != NULL)) {
			fprintf(stderr, "\tfor %s\n", name);
			continue;
		}
		plan_options_parse(&(struct spec_list){.v = (char *[]){(char *)name + 1}, .count = 1}, &o);
		free(o.data.v);
		buf_format(&expected, "set=0/%llx clear=0/%llx bind=0/0 remount=0",
			   (unsigned long long)o.attr_set, (unsigned long long)o.attr_clear);
		describe(name, &actual);
		if (!CHECK_STR(actual.data, expected.data))
			fprintf(stderr, "\tfor %s\n", name);
	}
}

/* An exception is one of the options, and a silent one has no effect at all. */
static void test_exceptions(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(exceptions); i++) {
		_cleanup_buf_ struct buf actual = {0};
		bool is_known = false;

		for (int k = 0; plan_mount_option_name(k) != NULL; k++)
			is_known |= strcmp(plan_mount_option_name(k), exceptions[i].name) == 0;
		describe(exceptions[i].name, &actual);
		if (!CHECK(is_known && exceptions[i].reason[0] != '\0') ||
		    !CHECK_STR(actual.data, "set=0/0 clear=0/0 bind=0/0 remount=0"))
			fprintf(stderr, "\tfor %s\n", exceptions[i].name);
	}
}

int main(void)
{
	test_map();
	test_recursive();
	test_exceptions();
	UNIT_MAIN_END;
}
