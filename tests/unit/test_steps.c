/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of steps: names, printers and processes of all kinds. The processes that a row states are compared
 * with the plans of tests/golden (the argument), as text and as the library builds them, and with the plans of
 * an exec in these containers.
 */
#include <ctype.h>
#include <fcntl.h>
#include <glob.h>

#include <tare/host.h>
#include <tare/plan.h>

#include "spec_text.h"
#include "unit.h"

struct row {
	const char *kind, *name, *printed;
	const char *processes[4]; /* letters for parent, bridge, init of a creation, init of an exec */
	const char *detail;
};
#define ROW(kind, name, printed, parent, bridge, create, exec, detail, ...)                                    \
	[PLAN_##kind] = {#kind, #name, printed, {#parent, #bridge, #create, #exec}, #detail},
static const struct row rows[] = {PLAN_STEPS(ROW)};

static void check_names(void)
{
	for (int i = 0; i < PLAN_KINDS; i++) {
		size_t len = strlen(rows[i].printed);

		CHECK(len > 0 && strspn(rows[i].printed, "abcdefghijklmnopqrstuvwxyz-") == len);
		CHECK_INT(strlen(rows[i].name), strlen(rows[i].kind));
		for (size_t c = 0; rows[i].kind[c] != '\0'; c++)
			CHECK_INT(rows[i].name[c], tolower(rows[i].kind[c]));
		for (int other = 0; other < i; other++)
			CHECK(strcmp(rows[i].printed, rows[other].printed) != 0);
	}
}

/* letters: all that a process can have, each with a blank after it. */
static bool is_process(const char *letter, const char *letters)
{
	const char *at = strstr(letters, letter);

	return at != NULL && (at == letters || at[-1] == ' ') && at[strlen(letter)] == ' ';
}

static void check_processes(void)
{
	for (int i = 0; i < PLAN_KINDS; i++) {
		const char *const *letters = rows[i].processes;

		CHECK(is_process(letters[0], "_ P C E CE PCE S "));
		CHECK(is_process(letters[1], "_ B I S "));
		CHECK(is_process(letters[2], "_ I M S "));
		CHECK(is_process(letters[3], "_ I S "));
		CHECK(strspn(letters[0], "_") + strspn(letters[1], "_") + strspn(letters[2], "_") +
			      strspn(letters[3], "_") <
		      4);
	}
}

/* Kinds of which only descriptors, or what other steps print as well, is not printed. */
static bool has_hidden_data(uint32_t kind)
{
	static const enum plan_kind kinds[] = {
		PLAN_OPEN_PROC, PLAN_OPEN_ENVIRONMENT, PLAN_OPEN_CONTAINER, PLAN_COPY_NODES,
		PLAN_CONSOLE,   PLAN_READONLY_MOUNT,   PLAN_AFFINITY,       PLAN_GATE,
		PLAN_HANDOVER,  PLAN_OPEN_END,         PLAN_REPORT_MOUNT,   PLAN_UNMOUNT,
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i] == kind)
			return true;
	return false;
}

static void check_printed(const struct plan *plan, const struct plan_step *step)
{
	static const struct plan_step nothing;
	bool has_data = memcmp(&step->u, &nothing.u, sizeof step->u) != 0;
	_cleanup_buf_ struct buf text = {0};

	plan_print_step(plan, step, &text);
	CHECK(strstr(text.data, rows[step->kind].printed) != NULL);
	if (strcmp(rows[step->kind].detail, "none") == 0 && has_data && !has_hidden_data(step->kind)) {
		CHECK(!"a step with data has no printer");
		fprintf(stderr, "\t%s\n", text.data);
	}
}

static bool has_process(const struct row *row, uint32_t actor, bool is_exec)
{
	const char *letter = row->processes[actor == PLAN_INIT && is_exec ? 3 : actor];

	if (strcmp(letter, "_") == 0)
		return false;
	return actor != PLAN_PARENT || strcmp(letter, is_exec ? "C" : "E") != 0;
}

static void check_steps(const struct plan *plan, bool is_exec)
{
	const struct plan_step *steps = plan_steps(plan);

	CHECK(plan->step_count > 0);
	for (uint32_t i = 0; i < plan->step_count; i++) {
		if (!CHECK(steps[i].kind < PLAN_KINDS && steps[i].actor <= PLAN_INIT))
			return;
		if (!CHECK(has_process(&rows[steps[i].kind], steps[i].actor, is_exec)))
			fprintf(stderr, "\t%s of process %u%s\n", rows[steps[i].kind].kind, steps[i].actor,
				is_exec ? " of an exec" : "");
		check_printed(plan, &steps[i]);
	}
}

static void check_exec(const struct plan *container, const struct host *host)
{
	static char *const args[] = {"true"};
	const struct plan_exec_request requests[] = {
		{.args = args, .arg_count = 1},
		{.args = args, .arg_count = 1, .is_terminal = true, .is_announced = true, .cgroup = "a"},
		{.args = args, .arg_count = 1, .apparmor_profile = "a", .selinux_label = "b", .has_uid = true},
		{.args = args, .arg_count = 1, .is_no_new_privs = true, .preserve_fds = 1 << 20},
	};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		_cleanup_free_ struct plan *plan = NULL;
		struct err err = {0};

		if (CHECK(plan_build_exec(container, host, &requests[i], &plan, &err) == 0))
			check_steps(plan, true);
		else
			fprintf(stderr, "\t%s: %s\n", err.json_pointer, err.msg);
	}
}

/* The parent carries out steps of an exec, and init has the program with all steps. */
static void check_change_steps(const struct plan *plan)
{
	const struct plan_step *steps = plan_steps(plan);

	for (uint32_t i = 0; i < plan->step_count; i++) {
		CHECK(has_process(&rows[steps[i].kind], steps[i].actor, steps[i].actor == PLAN_PARENT));
		check_printed(plan, &steps[i]);
	}
	CHECK_INT(steps[plan->step_count - 1].kind, PLAN_QUIT);
}

/* No way to make a mount leads to one of the caller, and each mount is reported. */
static void check_added(const struct plan *plan)
{
	const struct plan_step *steps = plan_steps(plan);

	for (uint32_t i = 0; i < plan->step_count; i++) {
		const struct plan_mount *mount = &steps[i].u.mount;

		if (steps[i].kind != PLAN_MOUNT)
			continue;
		CHECK_INT(mount->ways, PLAN_WAY_NEW);
		CHECK(mount->cgroup_path == 0 && !mount->is_cgroup_shared && !mount->copies_link);
		CHECK_INT(steps[i + 1].kind, PLAN_REPORT_MOUNT);
		CHECK_INT(steps[i + 1].u.added.mount_slot,
			  mount->is_bind ? mount->source_slot : mount->keep_slot);
	}
}

static void check_changes(const struct spec *spec, const struct plan *container, const struct host *host)
{
	static char *bind[] = {"bind", NULL};
	const struct spec_mount mounts[] = {
		{.destination = "/a", .source = "/b", .options = {bind, 1}},
		{.destination = "/b", .type = "tmpfs", .source = "x"},
		{.destination = "/b/c", .type = "sysfs", .source = "x"},
	};
	const uint64_t ids[] = {7, 8};
	const struct plan_mounts_request request = {"/bundle", mounts, ARRAY_SIZE(mounts), ids, 2};
	_cleanup_free_ struct plan *add = NULL, *remove = NULL;
	bool has_mounts = spec->namespaces[SPEC_NS_MOUNT].is_set;
	struct err err = {0};

	CHECK_INT(plan_build_mounts(spec, container, host, &request, &add, &err), has_mounts ? 0 : -EINVAL);
	CHECK_INT(plan_build_unmounts(container, host, &request, &remove, &err), has_mounts ? 0 : -EINVAL);
	if (add == NULL || remove == NULL)
		return;
	check_change_steps(add);
	check_added(add);
	check_change_steps(remove);
}

static void check_config(const char *json)
{
	const uint64_t all = (1ull << 41) - 1;
	const struct host hosts[] = {
		{.is_privileged = true,
		 .capabilities = all,
		 .last_capability = 40,
		 .page_size = 4096,
		 .cgroup_mount = "/sys/fs/cgroup"},
		{.euid = 1000,
		 .egid = 1000,
		 .last_capability = 40,
		 .page_size = 4096,
		 .cgroup_mount = "/sys/fs/cgroup",
		 .cgroup_own = "/own"},
	};
	const uint64_t filter[2] = {0};
	const struct plan_filter_program program = {
		.filter = filter, .count = 2, .is_notify = strstr(json, "SCMP_ACT_NOTIFY") != NULL};
	_cleanup_spec_ struct spec *spec = NULL;
	struct err err = {0};

	if (!CHECK(spec_parse(json, strlen(json), &spec, &err) >= 0))
		return;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(hosts); i++) {
		const struct plan_request request = {.id = "id",
						     .bundle = "/b",
						     .is_systemd_cgroup = i >= ARRAY_SIZE(hosts),
						     .notify_dir = i == 0 ? "/n" : NULL,
						     .is_init = i % 2 == 1,
						     .is_waited = i > 1,
						     .is_dying_with_parent = i > 1,
						     .filter = &program};
		const struct host *host = &hosts[i % ARRAY_SIZE(hosts)];
		_cleanup_free_ struct plan *plan = plan_sketch(spec, host, &request);

		check_steps(plan, false);
		check_exec(plan, host);
		check_changes(spec, plan, host);
	}
}

/* A line of a printed plan: "parent  NAME ...", "bridge  NAME ..." or "init    NAME ...". */
static void check_line(const char *line)
{
	static const char *const actors[] = {"parent", "bridge", "init"};
	const char *name = line + strcspn(line, " ");
	uint32_t actor = 0;
	size_t len;

	if (strncmp(line, "tare: ", 6) == 0) /* the error of a configuration that has no plan */
		return;
	while (actor < 3 && strncmp(line, actors[actor], strlen(actors[actor])) != 0)
		actor++;
	name += strspn(name, " ");
	len = strcspn(name, " \n");
	for (size_t i = 0; actor < 3 && i < ARRAY_SIZE(rows); i++)
		if (strlen(rows[i].printed) == len && strncmp(rows[i].printed, name, len) == 0) {
			CHECK(has_process(&rows[i], actor, false));
			return;
		}
	CHECK(!"a line of a printed plan names a process and a kind");
	fprintf(stderr, "\t%.*s\n", (int)strcspn(line, "\n"), line);
}

static void check_file(const char *path)
{
	size_t len = strlen(path);
	_cleanup_buf_ struct buf text = {0};

	if (!CHECK(io_read_file(AT_FDCWD, path, 1 << 20, &text) >= 0))
		return;
	if (strcmp(path + len - 5, ".json") == 0) {
		check_config(text.data);
		return;
	}
	for (const char *line = text.data; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n')
		check_line(line);
}

int main(int argc, char **argv)
{
	_cleanup_free_ char *json = json_text(full_config);
	glob_t files = {0};

	check_names();
	check_processes();
	check_config(json);
	for (int i = 1; i < argc; i++) {
		_cleanup_buf_ struct buf pattern = {0};

		buf_format(&pattern, "%s/*.*", argv[i]);
		CHECK_INT(glob(pattern.data, i > 1 ? GLOB_APPEND : 0, NULL, &files), 0);
	}
	CHECK(files.gl_pathc > 10);
	for (size_t i = 0; i < files.gl_pathc; i++)
		check_file(files.gl_pathv[i]);
	globfree(&files);
	UNIT_MAIN_END;
}
