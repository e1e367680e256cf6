/* SPDX-License-Identifier: Apache-2.0 */
/* Filters that notify where others deny: their results for whole ranges of calls, and the names of calls. */
#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>

#include <tare/seccomp.h>

#include "spec_text.h"
#include "unit.h"

#define ALLOW SECCOMP_RET_ALLOW
#define NOTIFY SECCOMP_RET_USER_NOTIF
#define KILL SECCOMP_RET_KILL_PROCESS
#define KILL_THREAD SECCOMP_RET_KILL_THREAD
#define ERR(e) (SECCOMP_RET_ERRNO | (e))
#define MKDIR 83
#define RMDIR 84
#define FCNTL 72
#define SECCOMP 317

static const struct seccomp_mark mark = {.first = 0xf1f2f3f4, .second = 0xa1a2a3a4};

struct filter {
	struct spec *spec;
	struct seccomp_program program;
};

/* The section in JSON, with ' instead of ". */
static struct filter make(const char *section)
{
	static const char head[] = "{'ociVersion':'1.3.0','root':{'path':'r'},'linux':{'seccomp':";
	_cleanup_free_ char *text = mem_format("%s%s}}", head, section), *json = json_text(text);
	struct filter f = {.spec = NULL};
	struct err err;

	if (!CHECK(spec_parse(json, strlen(json), &f.spec, &err) == 0) ||
	    !CHECK(seccomp_compile(&f.spec->seccomp, &f.program, &err) == 0)) {
		fprintf(stderr, "%s: %s\n", err.json_pointer, err.msg);
		exit(1);
	}
	return f;
}

static void done(struct filter *f)
{
	seccomp_program_done(&f->program);
	spec_free(f->spec);
}

static uint32_t decide(const struct seccomp_program *program, int nr, uint64_t arg4, uint64_t arg5)
{
	const struct seccomp_data call = {
		.nr = nr, .arch = AUDIT_ARCH_X86_64, .args = {[4] = arg4, [5] = arg5}};

	return seccomp_evaluate(program->filter, program->count, &call);
}

static const char *const sections[] = {
	"{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['read','statx'],'action':'SCMP_ACT_ALLOW'},"
	"{'names':['mkdir'],'action':'SCMP_ACT_KILL_PROCESS'},{'names':['rmdir'],'action':'SCMP_ACT_KILL'}]}",
	"{'defaultAction':'SCMP_ACT_KILL_PROCESS','architectures':['SCMP_ARCH_X86'],'syscalls':[{'names':"
	"['read','write'],'action':'SCMP_ACT_ALLOW'},{'names':['close'],'action':'SCMP_ACT_LOG'},{'names':"
	"['rmdir'],'action':'SCMP_ACT_KILL_THREAD'},{'names':['fcntl'],'action':'SCMP_ACT_ERRNO',"
	"'errnoRet':0,'args':[{'index':1,'value':3,'op':'SCMP_CMP_EQ'}]}]}",
	"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['mkdir'],'action':'SCMP_ACT_ERRNO'}]}",
};

static uint32_t expected(uint32_t original, enum seccomp_observation kind)
{
	uint32_t action = seccomp_action(original);

	if (action == KILL || action == KILL_THREAD || kind == SECCOMP_OBSERVE_ALL)
		return NOTIFY;
	return action == SECCOMP_RET_ERRNO && kind == SECCOMP_OBSERVE_DENIALS ? NOTIFY : original;
}

static void check_range(const struct seccomp_program *original, const struct seccomp_program *observing,
			enum seccomp_observation kind, uint32_t arch)
{
	for (int nr = -2; nr < 700; nr++) {
		const struct seccomp_data call = {.nr = nr, .arch = arch, .args = {1, 3, 5, 7, 9, 11}};
		uint32_t result = seccomp_evaluate(original->filter, original->count, &call);

		if (!CHECK_INT(seccomp_evaluate(observing->filter, observing->count, &call),
			       expected(result, kind)))
			fprintf(stderr, "for call %d of %x\n", nr, arch);
	}
}

static void test_ranges(void)
{
	static const uint32_t archs[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64};
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		struct filter f = make(sections[i]);

		for (int kind = SECCOMP_OBSERVE_KILLS; kind <= SECCOMP_OBSERVE_ALL; kind++) {
			_cleanup_seccomp_ struct seccomp_program observing = {0};

			CHECK_INT(seccomp_observe(&f.program, (enum seccomp_observation)kind, &mark, &observing,
						  &err),
				  0);
			CHECK_INT(decide(&observing, SECCOMP_HANDOVER_NUMBER, 0, 0), NOTIFY);
			for (size_t k = 0; k < ARRAY_SIZE(archs); k++)
				check_range(&f.program, &observing, (enum seccomp_observation)kind, archs[k]);
		}
		done(&f);
	}
}

/* A call with the mark is killed if the filter kills for it, and only then. */
static void test_mark(void)
{
	struct filter f = make(sections[0]);
	_cleanup_seccomp_ struct seccomp_program observing = {0};
	struct err err;

	CHECK_INT(decide(&f.program, MKDIR, 0, 0), KILL);
	CHECK_INT(decide(&f.program, RMDIR, 0, 0), KILL_THREAD);
	CHECK_INT(decide(&f.program, FCNTL, 0, 0), ERR(EPERM));
	CHECK_INT(seccomp_observe(&f.program, SECCOMP_OBSERVE_DENIALS, &mark, &observing, &err), 0);
	CHECK_INT(decide(&observing, MKDIR, mark.first, mark.second), KILL);
	CHECK_INT(decide(&observing, MKDIR, mark.first + 1, mark.second), KILL_THREAD);
	CHECK_INT(decide(&observing, RMDIR, mark.first, mark.second), KILL);
	CHECK_INT(decide(&observing, MKDIR, mark.first + 2, mark.second), NOTIFY);
	CHECK_INT(decide(&observing, MKDIR, mark.first, mark.second + 1), NOTIFY);
	CHECK_INT(decide(&observing, FCNTL, mark.first, mark.second), NOTIFY);
	CHECK_INT(decide(&observing, 0, mark.first, mark.second), ALLOW);
	done(&f);
}

/* The kernel's own interpreter must accept the filter: all jumps lead forward to a row of it. */
static void test_jumps(void)
{
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		struct filter f = make(sections[i]);
		_cleanup_seccomp_ struct seccomp_program observing = {0};

		CHECK_INT(seccomp_observe(&f.program, SECCOMP_OBSERVE_DENIALS, &mark, &observing, &err), 0);
		for (uint32_t at = 0; at < observing.count; at++) {
			const struct sock_filter *row = &observing.filter[at];
			uint32_t jump = row->jt > row->jf ? row->jt : row->jf;

			if (row->code == (BPF_JMP | BPF_JA))
				jump = row->k;
			if (BPF_CLASS(row->code) == BPF_JMP)
				CHECK(jump < observing.count - at - 1);
		}
		CHECK_INT(observing.filter[observing.count - 1].code, BPF_RET | BPF_K);
		done(&f);
	}
}

static void test_refused(void)
{
	static const struct {
		const char *rule, *pointer;
		enum seccomp_observation kind;
		bool is_refused;
	} rows[] = {
		{"'SCMP_ACT_NOTIFY'", "/linux/seccomp/syscalls/0/action", SECCOMP_OBSERVE_DENIALS, true},
		{"'SCMP_ACT_NOTIFY'", "/linux/seccomp/syscalls/0/action", SECCOMP_OBSERVE_ALL, true},
		{"'SCMP_ACT_NOTIFY'", "/linux/seccomp/syscalls/0/action", SECCOMP_OBSERVE_KILLS, true},
		{"'SCMP_ACT_TRACE'", "/linux/seccomp/syscalls/0/action", SECCOMP_OBSERVE_DENIALS, true},
		{"'SCMP_ACT_TRAP'", "/linux/seccomp/syscalls/0/action", SECCOMP_OBSERVE_DENIALS, true},
		{"'SCMP_ACT_TRAP'", NULL, SECCOMP_OBSERVE_KILLS, false},
		{"'SCMP_ACT_TRAP'", NULL, SECCOMP_OBSERVE_ALL, false},
		{"'SCMP_ACT_KILL'", NULL, SECCOMP_OBSERVE_DENIALS, false},
		{"'SCMP_ACT_LOG'", NULL, SECCOMP_OBSERVE_DENIALS, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *section =
			mem_format("{'defaultAction':'SCMP_ACT_ALLOW','listenerPath':'/l','syscalls':"
				   "[{'names':['mkdir'],'action':%s}]}",
				   rows[i].rule);
		struct filter f = make(section);
		struct err err = {.kind = ERR_NONE};
		int r = seccomp_check_observable(&f.spec->seccomp, rows[i].kind, &err);

		CHECK_INT(r < 0, rows[i].is_refused);
		if (rows[i].is_refused)
			CHECK_STR(err.json_pointer, rows[i].pointer);
		done(&f);
	}
}

/* A filter that lets its programs install a listener must keep letting them. */
static void test_kill_observable(void)
{
	static const struct {
		const char *section;
		bool is_observable;
	} rows[] = {
		{"{'defaultAction':'SCMP_ACT_KILL_PROCESS','syscalls':[{'names':['read'],"
		 "'action':'SCMP_ACT_ALLOW'}]}",
		 true},
		{"{'defaultAction':'SCMP_ACT_KILL_PROCESS','syscalls':[{'names':['seccomp'],"
		 "'action':'SCMP_ACT_ALLOW'}]}",
		 false},
		{"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['mkdir'],'action':'SCMP_ACT_KILL'}]}",
		 false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct filter f = make(rows[i].section);

		CHECK_INT(seccomp_is_kill_observable(&f.program), rows[i].is_observable);
		done(&f);
	}
}

/* Of one call: 72 is fcntl, which is killed for if its second argument is 3. */
static void test_kills_for(void)
{
	struct filter f = make("{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['mkdir'],'action':"
			       "'SCMP_ACT_KILL_PROCESS'},{'names':['rmdir'],'action':'SCMP_ACT_TRAP'},{'names':"
			       "['fcntl'],'action':'SCMP_ACT_KILL','args':[{'index':1,'value':3,'op':"
			       "'SCMP_CMP_EQ'}]},{'names':['read'],'action':'SCMP_ACT_ALLOW'}]}");
	static const struct {
		int number;
		bool can, must;
	} rows[] = {{MKDIR, true, true}, {RMDIR, true, true}, {FCNTL, true, false},
		    {0, false, false},   {1, false, false},   {400, false, false}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK_INT(seccomp_can_kill_for(f.program.filter, f.program.count, rows[i].number), rows[i].can);
		CHECK_INT(seccomp_must_kill_for(f.program.filter, f.program.count, rows[i].number),
			  rows[i].must);
	}
	done(&f);
}

static void check_name(uint32_t arch, int number, const char *name)
{
	_cleanup_free_ char *found = seccomp_call_name(arch, number);

	CHECK_STR(found == NULL ? "(none)" : found, name);
}

/* Numbers from the kernel's tables. */
static void test_names(void)
{
	check_name(AUDIT_ARCH_X86_64, MKDIR, "mkdir");
	check_name(AUDIT_ARCH_X86_64, SECCOMP, "seccomp");
	check_name(AUDIT_ARCH_X86_64, 0x40000000 | MKDIR, "mkdir");
	check_name(AUDIT_ARCH_I386, 39, "mkdir");
	check_name(AUDIT_ARCH_AARCH64, 34, "mkdirat");
	check_name(AUDIT_ARCH_X86_64, 100000, "(none)");
	check_name(AUDIT_ARCH_X86_64, -1, "(none)");
	CHECK_STR(seccomp_architecture_of(AUDIT_ARCH_X86_64), "SCMP_ARCH_X86_64");
	CHECK_STR(seccomp_architecture_of(AUDIT_ARCH_I386), "SCMP_ARCH_X86");
	CHECK_STR(seccomp_architecture_of(AUDIT_ARCH_AARCH64), "SCMP_ARCH_AARCH64");
	CHECK(seccomp_architecture_of(1) == NULL);
}

int main(void)
{
#ifndef __x86_64__
	fprintf(stderr, "the numbers here are those of x86-64\n");
	return UNIT_SKIP;
#endif
	test_ranges();
	test_mark();
	test_jumps();
	test_refused();
	test_kill_observable();
	test_kills_for();
	test_names();
	UNIT_MAIN_END;
}
