/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes, compares and removes classes of service and monitoring groups in /sys/fs/resctrl (resctrl.rst of the
 * kernel's documentation). Runs in the parent, or in a later command, as root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>

#include <tare/resctrl.h>

#define MOUNT "/sys/fs/resctrl"
#define SCHEMATA_MAX ((size_t)1 << 20) /* bytes */

int resctrl_open(struct err *err)
{
	_cleanup_fd_ int fd = k_openat(AT_FDCWD, MOUNT, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	struct statfs statfs;

	if (fd >= 0 && k_fstatfs(fd, &statfs) == 0 && statfs.f_type == RDTGROUP_SUPER_MAGIC)
		return take_fd(&fd);
	err_set(err, ERR_UNSUPPORTED, ENODEV, NULL, "cannot use " MOUNT ": resctrl is not mounted there");
	err_hint(err, "mount -t resctrl resctrl " MOUNT ", if the processor has classes of service");
	return -ENODEV;
}

/* info/last_cmd_status has one line with the reason for the kernel's last refusal: it becomes the hint. */
static int fail(struct err *err, int r, int root_fd, const char *verb, const char *what)
{
	char status[160];

	r = err_system(err, r, "cannot %s '%s' in resctrl", verb, what);
	if (io_read_small(root_fd, "info/last_cmd_status", 0, status, sizeof status) <= 0 || status[0] == '\n')
		return r;
	status[strcspn(status, "\n")] = '\0';
	if (!str_equal(status, "ok"))
		err_hint(err, "%s", status);
	return r;
}

/* --- schemata: lines "L3:0=ff;1=ff" --- */

/* The first character that is one of stops, or end. */
static const char *skip_to(const char *at, const char *end, const char *stops)
{
	while (at < end && strchr(stops, *at) == NULL)
		at++;
	return at;
}

static const char *skip_padding(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '0'))
		at++;
	return at;
}

/* Compares without padding: the kernel aligns its columns with blanks, and masks may begin with zeros. */
static bool is_same(const char *a, const char *a_end, const char *b, const char *b_end)
{
	a = skip_padding(a, a_end);
	b = skip_padding(b, b_end);
	while (a_end > a && a_end[-1] == ' ')
		a_end--;
	while (b_end > b && b_end[-1] == ' ')
		b_end--;
	return a_end - a == b_end - b && strncasecmp(a, b, (size_t)(a_end - a)) == 0;
}

/* Whether item, one "0=ff" of a requested line, is in the actual line. */
static bool has_value(const char *actual, const char *actual_end, const char *item, const char *item_end)
{
	const char *equals = skip_to(item, item_end, "=");

	while (actual < actual_end) {
		const char *end = skip_to(actual, actual_end, ";");
		const char *at = skip_to(actual, end, "=");

		if (at < end && equals < item_end && is_same(actual, at, item, equals) &&
		    is_same(at + 1, end, equals + 1, item_end))
			return true;
		actual = end + (end < actual_end);
	}
	return false;
}

static bool has_line(const char *schemata, const char *line, const char *line_end)
{
	const char *colon = skip_to(line, line_end, ":");

	for (const char *at = schemata, *end; *at != '\0'; at = end + (*end == '\n')) {
		const char *name;
		bool has_all = true;

		end = at + strcspn(at, "\n");
		name = skip_to(at, end, ":");
		if (name == end || colon == line_end || !is_same(at, name, line, colon))
			continue;
		for (const char *item = colon + 1, *next; item < line_end && has_all;
		     item = next + (next < line_end)) {
			next = skip_to(item, line_end, ";");
			has_all = item == next || has_value(name + 1, end, item, next);
		}
		if (has_all)
			return true;
	}
	return false;
}

static int compare(int clos_fd, const struct resctrl_place *place, struct err *err)
{
	_cleanup_buf_ struct buf actual = {0};
	int r = io_read_file(clos_fd, "schemata", SCHEMATA_MAX, &actual);

	if (r < 0)
		return err_system(err, r, "cannot read the schemata of class '%s'", place->clos);
	for (const char *line = place->schemata, *end; *line != '\0'; line = end + (*end == '\n')) {
		end = line + strcspn(line, "\n");
		if (actual.data != NULL && has_line(actual.data, line, end))
			continue;
		err_set(err, ERR_CONFIG, 0, NULL,
			"cannot use class '%s': it exists already, with a schemata other than '%.*s'",
			place->clos, (int)(end - line), line);
		err_hint(err, "remove the schemata to use the class as it is, or set another closID");
		return -EINVAL;
	}
	return 0;
}

/* --- making --- */

static int open_clos(int root_fd, const char *clos)
{
	return path_open_beneath(root_fd, clos[0] == '\0' ? "." : clos, O_RDONLY | O_DIRECTORY, 0);
}

/* Makes the class if it is to be made: 0, -EEXIST if it exists, or another -errno. */
static int make_clos(int root_fd, const struct resctrl_place *place, struct resctrl_made *made)
{
	bool is_made = place->is_own || place->schemata != NULL;
	int r = place->clos[0] == '\0' ? -EEXIST : is_made ? k_mkdirat(root_fd, place->clos, 0755) : 0;

	made->has_clos = r == 0 && is_made && place->clos[0] != '\0';
	return r;
}

static int make_monitor(int root_fd, int clos_fd, const char *name, struct resctrl_made *made, struct err *err)
{
	_cleanup_fd_ int groups_fd = path_open_beneath(clos_fd, "mon_groups", O_RDONLY | O_DIRECTORY, 0);
	int r = groups_fd < 0 ? groups_fd : k_mkdirat(groups_fd, name, 0755);

	if (r < 0)
		return fail(err, r, root_fd, "make monitoring group", name);
	made->has_monitor = true;
	return 0;
}

int resctrl_make(int root_fd, const struct resctrl_place *place, struct resctrl_made *ret_made, struct err *err)
{
	_cleanup_fd_ int clos_fd = -1;
	int r;

	*ret_made = (struct resctrl_made){false, false};
	r = make_clos(root_fd, place, ret_made);
	if (r < 0 && (r != -EEXIST || place->is_own))
		return fail(err, r, root_fd, "make class", place->clos);
	clos_fd = open_clos(root_fd, place->clos);
	if (clos_fd < 0) {
		r = err_system(err, clos_fd, "cannot open class '%s' in resctrl", place->clos);
		err_hint(err, "without schemata, closID has to name an existing class");
		return r;
	}
	if (place->schemata != NULL && r == -EEXIST)
		r = compare(clos_fd, place, err);
	else if (place->schemata != NULL)
		r = io_write_file(clos_fd, "schemata", place->schemata, strlen(place->schemata));
	else
		r = 0;
	if (r < 0)
		return ret_made->has_clos ? fail(err, r, root_fd, "set the schemata of class", place->clos) : r;
	return place->monitor == NULL ? 0 : make_monitor(root_fd, clos_fd, place->monitor, ret_made, err);
}

int resctrl_assign(int root_fd, const struct resctrl_place *place, pid_t pid, struct err *err)
{
	_cleanup_fd_ int clos_fd = open_clos(root_fd, place->clos);
	_cleanup_free_ char *group = NULL;
	char text[16];
	size_t len = (size_t)str_format(text, sizeof text, "%d", pid);
	int r = clos_fd < 0 ? clos_fd : io_write_file(clos_fd, "tasks", text, len);

	if (r >= 0 && place->monitor != NULL) {
		group = mem_format("mon_groups/%s/tasks", place->monitor);
		r = io_write_file(clos_fd, group, text, len);
	}
	return r < 0 ? fail(err, r, root_fd, "put a process into class", place->clos) : 0;
}

int resctrl_remove(int root_fd, const struct resctrl_place *place, const struct resctrl_made *made,
		   struct err *err)
{
	_cleanup_free_ char *group = NULL;
	int r = 0;

	if (made->has_monitor) {
		group = mem_format("%s%smon_groups/%s", place->clos, place->clos[0] == '\0' ? "" : "/",
				   place->monitor);
		r = k_unlinkat(root_fd, group, AT_REMOVEDIR);
	}
	if (made->has_clos && (r >= 0 || r == -ENOENT))
		r = k_unlinkat(root_fd, place->clos, AT_REMOVEDIR);
	return r < 0 && r != -ENOENT ? fail(err, r, root_fd, "remove class", place->clos) : 0;
}

int resctrl_clean(const struct resctrl_place *place, const struct resctrl_made *made, struct err *err)
{
	_cleanup_fd_ int root_fd = -1;

	if (!made->has_clos && !made->has_monitor)
		return 0;
	root_fd = resctrl_open(err);
	if (root_fd == -ENODEV)
		return 0;
	return root_fd < 0 ? root_fd : resctrl_remove(root_fd, place, made, err);
}
