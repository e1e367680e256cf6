/* SPDX-License-Identifier: Apache-2.0 */
/* The command sandbox: runs a program in a container that flags describe. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>

#include <tare/check.h>
#include <tare/host.h>
#include <tare/sandbox.h>

#include "cli.h"
#include "user.h"

/* The exit status if there is none of the program; that of env(1) and timeout(1). */
#define SETUP_FAILED 125
#define NOT_EXECUTABLE 126
#define NOT_FOUND 127

struct sandbox_flags {
	struct create_options create;
	struct sandbox_options sandbox;
	struct option_integer memory, swap, pids, nofile, fsize, stack;
	struct report_limit limits_reported[8];
	struct spec_pair annotations[8];
	const char *limits;
	bool is_print_config;
};

/* --- values; target is the struct sandbox_options --- */

static int wrong(const char *flag, const char *text, const char *wanted, struct err *err)
{
	return err_set(err, ERR_USAGE, 0, NULL, "invalid value '%.100s' for flag --%s: must be %s", text, flag,
		       wanted);
}

static struct sandbox_mount *add_mount(struct sandbox_options *o, struct arena *arena)
{
	struct sandbox_mount *mounts = options_grow(arena, o->mounts, o->mount_count, sizeof *mounts);

	o->mounts = mounts;
	return &mounts[o->mount_count++];
}

static int parse_overlay(const char *text, void *target, struct arena *arena, struct err *err)
{
	struct sandbox_options *o = target;

	(void)arena;
	o->overlay = SANDBOX_TMPFS_SIZE;
	if (text != NULL && (!value_size(text, &o->overlay) || o->overlay < 1))
		return wrong("overlay", text, "a size such as 64m", err);
	return 0;
}

/* SRC or SRC:DST. */
static int parse_bind(const char *flag, const char *text, enum sandbox_mount_kind kind,
		      struct sandbox_options *o, struct arena *arena, struct err *err)
{
	size_t len = strcspn(text, ":");
	const char *target = text[len] == ':' ? text + len + 1 : NULL;

	if (len == 0 || (target != NULL && target[0] != '/'))
		return wrong(flag, text, "SRC or SRC:DST, with an absolute path DST", err);
	*add_mount(o, arena) = (struct sandbox_mount){
		.kind = kind,
		.source = arena_dup(arena, text, len),
		.target = target == NULL && text[0] == '/' ? text : target,
	};
	return 0;
}

static int parse_ro(const char *text, void *target, struct arena *arena, struct err *err)
{
	return parse_bind("ro", text, SANDBOX_READONLY, target, arena, err);
}

static int parse_rw(const char *text, void *target, struct arena *arena, struct err *err)
{
	return parse_bind("rw", text, SANDBOX_WRITABLE, target, arena, err);
}

static int parse_tmpfs(const char *text, void *target, struct arena *arena, struct err *err)
{
	const char *colon = strrchr(text, ':');
	struct sandbox_mount mount = {.kind = SANDBOX_TMPFS};

	if (text[0] != '/' || (colon != NULL && (!value_size(colon + 1, &mount.size) || mount.size < 1)))
		return wrong("tmpfs", text, "DST or DST:SIZE, with an absolute path DST and a size such as 64m",
			     err);
	mount.target = colon == NULL ? text : arena_dup(arena, text, (size_t)(colon - text));
	*add_mount(target, arena) = mount;
	return 0;
}

static int parse_file(const char *text, void *target, struct arena *arena, struct err *err)
{
	const char *equals = strchr(text, '=');

	if (text[0] != '/' || equals == NULL)
		return wrong("file", text, "DST=CONTENT or DST=@FD, with an absolute path DST", err);
	*add_mount(target, arena) = (struct sandbox_mount){
		.kind = SANDBOX_FILE,
		.source = equals + 1,
		.target = arena_dup(arena, text, (size_t)(equals - text)),
	};
	return 0;
}

static int parse_env(const char *text, void *target, struct arena *arena, struct err *err)
{
	struct sandbox_options *o = target;
	const char **env = options_grow(arena, o->env, o->env_count, sizeof *env);

	if (text[0] == '=' || text[0] == '\0')
		return wrong("env", text, "NAME=VALUE, or NAME for the caller's value", err);
	env[o->env_count++] = text;
	o->env = env;
	return 0;
}

static int parse_user(const char *text, void *target, struct arena *arena, struct err *err)
{
	struct sandbox_options *o = target;
	struct user_numbers user;
	int r = user_parse(text, &user, err);

	(void)arena;
	if (r < 0)
		return r;
	o->user = (struct sandbox_user){true, user.uid, user.has_gid ? user.gid : user.uid};
	return 0;
}

static int parse_cwd(const char *text, void *target, struct arena *arena, struct err *err)
{
	struct sandbox_options *o = target;

	(void)arena;
	if (text[0] != '/')
		return wrong("cwd", text, "an absolute path", err);
	o->cwd = text;
	return 0;
}

/* CPUs in decimal as a quota of a period of 100 ms: value_seconds reads such numbers in units of 10^-9. */
static int parse_cpus(const char *text, void *target, struct arena *arena, struct err *err)
{
	struct sandbox_options *o = target;
	int64_t billionths;

	(void)arena;
	if (text[0] == '\0' || text[strspn(text, "0123456789.")] != '\0' || !value_seconds(text, &billionths) ||
	    billionths < 10000000)
		return wrong("cpus", text, "a number of CPUs such as 0.5 or 2, at least 0.01", err);
	o->cpu_quota = (struct spec_int){true, billionths / (1000000000 / SANDBOX_CPU_PERIOD_US)};
	return 0;
}

#define OPTION(field) offsetof(struct sandbox_flags, field)
#define SANDBOX OPTION_PARSED, OPTION(sandbox)
static const struct option_row sandbox_rows[] = {
	{"rootfs", 0, OPTION_TEXT, OPTION(sandbox.rootfs), "DIR",
	 "the root file system, read-only (default: the programs of the host)"},
	{"overlay", 0, SANDBOX, NULL,
	 "let the program write to --rootfs, and keep nothing; --overlay=SIZE: 256m", .parse = parse_overlay},
	{"ro", 0, SANDBOX, "SRC[:DST]", "show a file or directory of the host, read-only; may be repeated",
	 .parse = parse_ro},
	{"rw", 0, SANDBOX, "SRC[:DST]", "the same, writable", .parse = parse_rw},
	{"tmpfs", 0, SANDBOX, "DST[:SIZE]", "an empty directory in memory (default: 256m)",
	 .parse = parse_tmpfs},
	{"file", 0, SANDBOX, "DST=CONTENT", "a file with this content, or with that of a descriptor: @FD",
	 .parse = parse_file},
	{"cwd", 0, SANDBOX, "DIR", "the working directory (default: /)", .parse = parse_cwd},
	{"env", 'e', SANDBOX, "NAME[=VALUE]", "add to the environment; may be repeated", .parse = parse_env},
	{"clear-env", 0, OPTION_FLAG, OPTION(sandbox.is_env_cleared), NULL,
	 "no variable but PATH and those of --env"},
	{"hostname", 0, OPTION_TEXT, OPTION(sandbox.hostname), "NAME", "the host name (default: sandbox)"},
	{"user", 'u', SANDBOX, "UID[:GID]", "numeric ids of the program in the sandbox", .parse = parse_user},
	{"tty", 't', OPTION_FLAG, OPTION(sandbox.is_terminal), NULL, "give the program a terminal of its own"},
	{"net", 0, OPTION_TEXT, OPTION(sandbox.net), "none|host|PATH",
	 "none (default): only a loopback; host; or the path of a network namespace"},
	{"seccomp", 0, OPTION_TEXT, OPTION(sandbox.seccomp), "default|none|FILE",
	 "default, none, or a file with a linux.seccomp section"},
	{"memory", 0, OPTION_BYTES, OPTION(memory), "BYTES", "memory limit"},
	{"swap", 0, OPTION_BYTES, OPTION(swap), "BYTES", "swap beside --memory (default: 0)"},
	{"pids", 0, OPTION_INTEGER, OPTION(pids), "N", "limit of processes and threads"},
	{"cpus", 0, SANDBOX, "N", "limit of CPU time, in CPUs, such as 0.5", .parse = parse_cpus},
	{"cpuset", 0, OPTION_TEXT, OPTION(sandbox.cpuset), "LIST", "CPUs that it may use, such as 0-3,7"},
	{"nofile", 0, OPTION_INTEGER, OPTION(nofile), "N", "RLIMIT_NOFILE"},
	{"fsize", 0, OPTION_BYTES, OPTION(fsize), "BYTES", "RLIMIT_FSIZE"},
	{"stack", 0, OPTION_BYTES, OPTION(stack), "BYTES", "RLIMIT_STACK"},
	{"", .kind = OPTION_TABLE, .offset = OPTION(create.supervise), .rows = cli_supervise_rows},
	{"", .kind = OPTION_TABLE, .offset = OPTION(create.supervise), .rows = cli_syscalls_rows},
	{"limits", 0, OPTION_TEXT, OPTION(limits), "strict|best-effort",
	 "best-effort: omit limits that cannot be enforced here"},
	{"proc", 0, OPTION_TEXT, OPTION(sandbox.proc), "fresh|subset|bind|none|auto",
	 "how to mount /proc (default: auto)"},
	{"print-config", 0, OPTION_FLAG, OPTION(is_print_config), NULL,
	 "print the configuration instead of running it"},
	{.name = NULL},
};

/* --- the command --- */

static struct spec_int number(const struct option_integer *integer)
{
	return (struct spec_int){integer->is_set, integer->value};
}

static int check_sign(const char *flag, const struct option_integer *limit, struct err *err)
{
	if (!limit->is_set || limit->value >= 0)
		return 0;
	return err_set(err, ERR_USAGE, 0, NULL, "invalid value '%lld' for flag --%s: must not be negative",
		       (long long)limit->value, flag);
}

static int set_limits(struct sandbox_flags *f, struct err *err)
{
	struct sandbox_options *o = &f->sandbox;
	int r = check_sign("memory", &f->memory, err);

	if (r >= 0)
		r = check_sign("pids", &f->pids, err);
	if (r >= 0)
		r = check_sign("nofile", &f->nofile, err);
	if (r >= 0)
		r = check_sign("fsize", &f->fsize, err);
	if (r >= 0)
		r = check_sign("stack", &f->stack, err);
	o->memory = number(&f->memory);
	o->swap = number(&f->swap);
	o->pids = number(&f->pids);
	o->nofile = number(&f->nofile);
	o->fsize = number(&f->fsize);
	o->stack = number(&f->stack);
	return r;
}

/* --- limits that cannot be enforced --- */

static void note(struct sandbox_flags *f, const struct report_limit *limit)
{
	struct supervise_options *o = &f->create.supervise;

	f->limits_reported[o->other_limit_count++] = *limit;
	o->other_limits = f->limits_reported;
}

/* For the report. An enforced_by of NULL: the limit is omitted. */
static void note_limit(struct sandbox_flags *f, const char *flag, const struct spec_int *value,
		       const char *enforced_by)
{
	if (value->is_set)
		note(f, &(struct report_limit){flag, (uint64_t)value->value, enforced_by});
}

/* The units of these flags are not those of the configuration. */
static void note_cpus(struct sandbox_flags *f, const char *enforced_by)
{
	const struct spec_int *quota = &f->sandbox.cpu_quota;

	if (quota->is_set)
		note(f, &(struct report_limit){"cpus", (uint64_t)quota->value, enforced_by,
					       SANDBOX_CPU_PERIOD_US});
}

static void note_cpuset(struct sandbox_flags *f, const char *enforced_by)
{
	if (f->sandbox.cpuset != NULL)
		note(f, &(struct report_limit){"cpuset", 0, enforced_by, .list = f->sandbox.cpuset});
}

/* Whether this host would refuse the limit of a flag that was given. */
static bool is_refused(const struct sandbox_flags *f, const struct host *host, const char *flag,
		       const char *controller)
{
	struct err reason;

	if (check_limit(host, &f->create.plan, controller, &reason) >= 0)
		return false;
	log_line(LOG_WARNING, "--%s is not enforced: %s", flag, reason.msg);
	return true;
}

/* Omits the limits of a cgroup that this host would refuse. */
static int omit_limits(struct sandbox_flags *f, struct err *err)
{
	struct sandbox_options *o = &f->sandbox;
	struct host host;
	int r = host_probe(&host, err);

	if (r < 0)
		return r;
	if (o->memory.is_set && is_refused(f, &host, "memory", "memory")) {
		note_limit(f, "memory", &o->memory, NULL);
		note_limit(f, "swap", &o->swap, NULL);
		o->memory.is_set = o->swap.is_set = false;
	}
	if (o->pids.is_set && is_refused(f, &host, "pids", "pids")) {
		note_limit(f, "pids", &o->pids, NULL);
		o->pids.is_set = false;
	}
	if (o->cpu_quota.is_set && is_refused(f, &host, "cpus", "cpu")) {
		note_cpus(f, NULL);
		o->cpu_quota.is_set = false;
	}
	if (o->cpuset != NULL && is_refused(f, &host, "cpuset", "cpuset")) {
		note_cpuset(f, NULL);
		o->cpuset = NULL;
	}
	return 0;
}

static int choose_limits(struct sandbox_flags *f, struct err *err)
{
	struct sandbox_options *o = &f->sandbox;
	int r = 0;

	if (str_equal(f->limits, "best-effort"))
		r = omit_limits(f, err);
	else if (f->limits != NULL && !str_equal(f->limits, "strict"))
		r = wrong("limits", f->limits, "strict or best-effort", err);
	note_limit(f, "swap", &o->swap, "cgroup");
	note_cpus(f, "cgroup");
	note_cpuset(f, "cgroup");
	note_limit(f, "nofile", &o->nofile, "rlimit");
	note_limit(f, "fsize", &o->fsize, "rlimit");
	note_limit(f, "stack", &o->stack, "rlimit");
	return r;
}

/* --- the printed configuration --- */

static void annotate(struct sandbox_flags *f, const char *key, const char *value)
{
	struct sandbox_options *o = &f->sandbox;

	if (value == NULL)
		return;
	f->annotations[o->annotation_count++] = (struct spec_pair){key, value};
	o->annotations = f->annotations;
}

static void annotate_time(struct sandbox_flags *f, struct arena *arena, const char *key, int64_t us)
{
	annotate(f, key, arena_format(arena, "%lldus", (long long)us));
}

/* The configuration must mean the same in another directory. */
static int annotate_path(struct sandbox_flags *f, struct arena *arena, const char *key, const char *path,
			 struct err *err)
{
	char cwd[PATH_MAX];
	ssize_t len;

	if (path != NULL && path[0] != '/') {
		len = k_getcwd(cwd, sizeof cwd);
		if (len < 0)
			return err_system(err, (int)len, "cannot find the working directory");
		path = arena_format(arena, "%s/%s", cwd, path);
	}
	annotate(f, key, path);
	return 0;
}

static void warn_of(const char *flag, bool is_given)
{
	if (is_given)
		log_line(LOG_SHOWN_WARNING,
			 "--%s cannot be part of the configuration: use the same flag of tare run", flag);
}

/* Those flags of supervision that a configuration can have. */
static int annotate_supervision(struct sandbox_flags *f, struct arena *arena, struct err *err)
{
	const struct supervise_options *o = &f->create.supervise;
	int r;

	warn_of("output-limit", o->output_limit > 0);
	warn_of("report-fd", o->report_fd > 0);
	warn_of("learn", o->learn != NULL);
	warn_of("die-with-parent", o->is_dying_with_parent);
	if (o->time_limit_us > 0)
		annotate_time(f, arena, "org.tare.time-limit", o->time_limit_us);
	if (o->cpu_time_limit_us > 0)
		annotate_time(f, arena, "org.tare.cpu-time-limit", o->cpu_time_limit_us);
	if (o->grace.is_set)
		annotate_time(f, arena, "org.tare.grace", o->grace.us);
	if (o->stop_signal > 0)
		annotate(f, "org.tare.stop-signal", arena_format(arena, "%d", o->stop_signal));
	if (o->report_format == REPORT_ISOLATE)
		annotate(f, "org.tare.report-format", "isolate");
	r = annotate_path(f, arena, "org.tare.report", o->report, err);
	if (r < 0 || !str_equal(o->denied, "-"))
		return r < 0 ? r : annotate_path(f, arena, "org.tare.denied", o->denied, err);
	annotate(f, "org.tare.denied", "-");
	return 0;
}

#define ID_PREFIX "sandbox-"

/* The pid lets a later sandbox recognise a container that this process could not remove. */
static int make_id(struct cli_call *call, struct err *err)
{
	uint64_t random;
	ssize_t r = getrandom(&random, sizeof random, 0);

	if (r != sizeof random)
		return err_system(err, r < 0 ? errno : EIO, "cannot make an id");
	call->id = arena_format(&call->arena, ID_PREFIX "%d-%llx", k_getpid(), (unsigned long long)random);
	return 0;
}

/* The error of an execve(2) has its own status, as shells report it. */
static int failure_of(const struct err *err)
{
	if (!str_equal(err->json_pointer, "/process/args"))
		return SETUP_FAILED;
	return err->errnum == ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
}

static int run(struct cli_call *call, struct sandbox_flags *f, const struct buf *config, struct err *err)
{
	int r = make_id(call, err);

	if (r < 0)
		return r;
	command_remove_leftovers(call->globals.root, ID_PREFIX);
	cli_set_common(call, &f->create.common);
	f->create.config_text = config;
	f->create.plan.is_dying_with_parent = true;
	call->is_reported = true;
	r = command_run(&f->create, &call->status, err);
	if (r < 0 && strstr(err->hint, "--proc bind") != NULL)
		err_hint(err, "a masked /proc here forbids a fresh one: --proc bind shows that of the caller, "
			      "--proc none "
			      "makes none");
	call->id = NULL; /* the caller has not chosen it */
	if (r < 0)
		call->failure_status = call->status != 0 ? call->status : failure_of(err);
	return r;
}

static int sandbox(struct cli_call *call, void *options, struct err *err)
{
	_cleanup_buf_ struct buf config = {0};
	struct sandbox_flags *f = options;
	int r = set_limits(f, err);

	f->sandbox.args = call->rest - 1;
	f->create.plan.is_systemd_cgroup = call->globals.is_systemd_cgroup ||
					   str_equal(call->globals.cgroup_manager, "systemd");
	f->create.plan.is_cgroup_disabled = str_equal(call->globals.cgroup_manager, "disabled");
	if (r >= 0)
		r = choose_limits(f, err);
	if (r >= 0 && f->is_print_config)
		r = annotate_supervision(f, &call->arena, err);
	if (r >= 0)
		r = sandbox_write_config(&f->sandbox, f->is_print_config ? 4 : 0,
					 f->is_print_config ? &call->out : &config, err);
	if (r < 0 || f->is_print_config)
		return r;
	return run(call, f, &config, err);
}

/* A configuration that is only printed has no end that could be reported. */
static const struct supervise_options *report_of(const void *options)
{
	static const struct supervise_options none = {.report = NULL};
	const struct sandbox_flags *f = options;

	return f->is_print_config ? &none : &f->create.supervise;
}

const struct cli_command cli_sandbox = {
	.name = "sandbox",
	.operands = "-- PROGRAM [ARGUMENTS]",
	.help = "Run a program in a container made from flags, without a bundle",
	.options = sandbox_rows,
	.options_size = sizeof(struct sandbox_flags),
	.min = 1,
	.max = 1,
	.run = sandbox,
	.has_rest = true,
	.failure_status = SETUP_FAILED,
	.report_of = report_of,
};
