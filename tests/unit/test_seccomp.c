/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decisions of compiled filters, evaluated by a small interpreter of classic BPF; keys and cache entries.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdlib.h>

#include <tare/seccomp.h>

#include "spec_text.h"
#include "unit.h"

#define UNKNOWN 0xdeadbeefu /* no filter here has this result */
#define X32 0x40000000u
#define ALLOW SECCOMP_RET_ALLOW
#define ERR(e) (SECCOMP_RET_ERRNO | (e))

/* --- an interpreter: the part of classic BPF that seccomp(2) permits and libseccomp uses --- */

static uint32_t load(const struct seccomp_data *data, uint32_t at)
{
	uint32_t value = UNKNOWN;

	if (at % 4 == 0 && at + sizeof value <= sizeof *data)
		memcpy(&value, (const char *)data + at, sizeof value);
	else
		CHECK(!"a load outside of struct seccomp_data");
	return value;
}

static bool jump(uint16_t code, uint32_t a, uint32_t k)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	case BPF_JSET:
		return (a & k) != 0;
	default:
		CHECK(!"a jump that is not known here");
		return false;
	}
}

static uint32_t run(const struct seccomp_program *program, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (uint32_t pc = 0; pc < program->count; pc++) {
		const struct sock_filter *f = &program->filter[pc];

		if (BPF_CLASS(f->code) == BPF_RET)
			return f->k;
		if (f->code == (BPF_LD | BPF_W | BPF_ABS))
			a = load(data, f->k);
		else if (f->code == (BPF_ALU | BPF_AND | BPF_K))
			a &= f->k;
		else if (f->code == (BPF_JMP | BPF_JA))
			pc += f->k;
		else if (BPF_CLASS(f->code) == BPF_JMP && BPF_SRC(f->code) == BPF_K)
			pc += jump(f->code, a, f->k) ? f->jt : f->jf;
		else
			CHECK(!"an instruction that is not known here");
	}
	CHECK(!"the end of the program without a result");
	return UNKNOWN;
}

/* --- filters --- */

struct filter {
	struct spec *spec;
	struct seccomp_program program;
	struct err err;
	int r;
};

/* The section in JSON, with ' instead of ". */
static struct filter make(const char *section)
{
	static const char head[] = "{'ociVersion':'1.3.0','root':{'path':'r'},'linux':{'seccomp':",
			  tail[] = "}}";
	struct filter f = {.spec = NULL};
	_cleanup_free_ char *text = mem_format("%s%s%s", head, section, tail), *json = json_text(text);

	if (!CHECK(spec_parse(json, strlen(json), &f.spec, &f.err) == 0)) {
		fprintf(stderr, "%s: %s\n", f.err.json_pointer, f.err.msg);
		exit(1);
	}
	f.r = seccomp_compile(&f.spec->seccomp, &f.program, &f.err);
	return f;
}

static void done(struct filter *f)
{
	seccomp_program_done(&f->program);
	spec_free(f->spec);
}

static uint32_t decide(const struct filter *f, uint32_t arch, uint32_t nr, uint64_t first_arg,
		       uint64_t second_arg)
{
	struct seccomp_data data = {.nr = (int)nr, .arch = arch, .args = {first_arg, second_arg}};

	return run(&f->program, &data);
}

static uint32_t decide_native(const struct filter *f, uint32_t nr)
{
	return decide(f, AUDIT_ARCH_X86_64, nr, 0, 0);
}

static void test_actions(void)
{
	static const struct {
		const char *action;
		uint32_t result;
	} rows[] = {
		{"'SCMP_ACT_KILL'", SECCOMP_RET_KILL_THREAD},
		{"'SCMP_ACT_KILL_THREAD'", SECCOMP_RET_KILL_THREAD},
		{"'SCMP_ACT_KILL_PROCESS'", SECCOMP_RET_KILL_PROCESS},
		{"'SCMP_ACT_TRAP'", SECCOMP_RET_TRAP},
		{"'SCMP_ACT_ERRNO'", ERR(EPERM)},
		{"'SCMP_ACT_ERRNO','errnoRet':0", ERR(0)},
		{"'SCMP_ACT_ERRNO','errnoRet':4094", ERR(4094)},
		{"'SCMP_ACT_TRACE'", SECCOMP_RET_TRACE | EPERM},
		{"'SCMP_ACT_TRACE','errnoRet':65535", SECCOMP_RET_TRACE | 65535},
		{"'SCMP_ACT_LOG'", SECCOMP_RET_LOG},
		{"'SCMP_ACT_NOTIFY'", SECCOMP_RET_USER_NOTIF},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *section =
			mem_format("{'defaultAction':'SCMP_ACT_ALLOW','listenerPath':'/l','syscalls':"
				   "[{'names':['mkdir','nothing_known'],'action':%s}]}",
				   rows[i].action);
		struct filter f = make(section);

		CHECK_INT(f.r, 0);
		CHECK_INT(decide_native(&f, 83), rows[i].result);
		CHECK_INT(decide_native(&f, 82), ALLOW);
		CHECK_INT(decide_native(&f, 84), ALLOW);
		/* An architecture that is not in the filter. */
		CHECK_INT(decide(&f, AUDIT_ARCH_I386, 39, 0, 0), SECCOMP_RET_KILL_PROCESS);
		done(&f);
	}
}

/* Whether value OP operand (and two) is true was determined by hand. */
static void test_operators(void)
{
	static const struct {
		const char *op;
		uint64_t operand, two, value;
		bool holds;
	} rows[] = {
		{"NE", 5, 0, 5, false},
		{"NE", 5, 0, 6, true},
		{"NE", 5, 0, 0x100000005, true},
		{"LT", 5, 0, 4, true},
		{"LT", 5, 0, 5, false},
		{"LT", 0x100000000, 0, 0xffffffff, true},
		{"LT", 0x100000000, 0, 0x100000000, false},
		{"LE", 5, 0, 5, true},
		{"LE", 5, 0, 6, false},
		{"LE", 0x2000000ff, 0, 0x1ffffffff, true},
		{"EQ", 5, 0, 5, true},
		{"EQ", 5, 0, 0x100000005, false},
		{"EQ", 0xffffffffffffffff, 0, 0xffffffffffffffff, true},
		{"GE", 5, 0, 4, false},
		{"GE", 5, 0, 5, true},
		{"GE", 5, 0, 0x100000000, true},
		{"GT", 5, 0, 5, false},
		{"GT", 5, 0, 6, true},
		{"GT", 0x1ffffffff, 0, 0x200000000, true},
		{"GT", 0x1ffffffff, 0, 0x1ffffffff, false},
		{"MASKED_EQ", 0x7e020000, 0, 0x11, true},
		{"MASKED_EQ", 0x7e020000, 0, 0x10000000, false},
		{"MASKED_EQ", 12, 4, 0xfffffffffffffff7, true},
		{"MASKED_EQ", 12, 4, 8, false},
		{"MASKED_EQ", 0xf00000000, 0x300000000, 0x3ffffffff, true},
		{"MASKED_EQ", 0xf00000000, 0x300000000, 0x13ffffffff, true},
		{"MASKED_EQ", 0xf00000000, 0x300000000, 0x7ffffffff, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *section = mem_format(
			"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['fcntl'],"
			"'action':'SCMP_ACT_ERRNO','errnoRet':7,'args':[{'index':1,'op':'SCMP_CMP_%s',"
			"'value':%llu,'valueTwo':%llu}]}]}",
			rows[i].op, (unsigned long long)rows[i].operand, (unsigned long long)rows[i].two);
		struct filter f = make(section);

		CHECK_INT(decide(&f, AUDIT_ARCH_X86_64, 72, 0, rows[i].value), rows[i].holds ? ERR(7) : ALLOW);
		done(&f);
	}
}

static void test_conditions(void)
{
	struct filter f;

	/* On two arguments: both must be true. */
	f = make("{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':2,'syscalls':[{'names':['fcntl'],"
		 "'action':'SCMP_ACT_ALLOW','args':[{'index':0,'op':'SCMP_CMP_EQ','value':1},"
		 "{'index':1,'op':'SCMP_CMP_EQ','value':2}]}]}");
	CHECK_INT(decide(&f, AUDIT_ARCH_X86_64, 72, 1, 2), ALLOW);
	CHECK_INT(decide(&f, AUDIT_ARCH_X86_64, 72, 1, 3), ERR(2));
	CHECK_INT(decide(&f, AUDIT_ARCH_X86_64, 72, 0, 2), ERR(2));
	done(&f);
	/* Several conditions on one argument are alternatives, as in other runtimes. */
	f = make("{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':2,'syscalls':[{'names':['fcntl'],"
		 "'action':'SCMP_ACT_ALLOW','args':[{'index':1,'op':'SCMP_CMP_EQ','value':1},"
		 "{'index':1,'op':'SCMP_CMP_EQ','value':2}]}]}");
	CHECK_INT(decide(&f, AUDIT_ARCH_X86_64, 72, 0, 1), ALLOW);
	CHECK_INT(decide(&f, AUDIT_ARCH_X86_64, 72, 0, 2), ALLOW);
	CHECK_INT(decide(&f, AUDIT_ARCH_X86_64, 72, 0, 3), ERR(2));
	done(&f);
	/* A rule with the default action changes nothing. */
	f = make("{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['fcntl'],'action':'SCMP_ACT_ALLOW'}]"
		 "}");
	CHECK_INT(f.r, 0);
	CHECK_INT(decide_native(&f, 72), ALLOW);
	done(&f);
}

/* 332 is statx, 334 rseq, 424 pidfd_send_signal; i386: 383 statx, 386 rseq. */
static void test_newer(void)
{
	struct filter f;

	f = make("{'defaultAction':'SCMP_ACT_ERRNO','architectures':['SCMP_ARCH_X86','SCMP_ARCH_X32'],"
		 "'syscalls':[{'names':['read','statx','no_such_call'],'action':'SCMP_ACT_ALLOW'},"
		 "{'names':['mkdir'],'action':'SCMP_ACT_KILL'}]}");
	CHECK_INT(f.r, 0);
	CHECK_INT(decide_native(&f, 0), ALLOW);
	CHECK_INT(decide_native(&f, 332), ALLOW);
	CHECK_INT(decide_native(&f, 331), ERR(EPERM));
	CHECK_INT(decide_native(&f, 333), ERR(ENOSYS));
	CHECK_INT(decide_native(&f, 424), ERR(ENOSYS));
	CHECK_INT(decide_native(&f, 83), SECCOMP_RET_KILL_THREAD);
	CHECK_INT(decide(&f, AUDIT_ARCH_I386, 3, 0, 0), ALLOW);
	CHECK_INT(decide(&f, AUDIT_ARCH_I386, 383, 0, 0), ALLOW);
	CHECK_INT(decide(&f, AUDIT_ARCH_I386, 382, 0, 0), ERR(EPERM));
	CHECK_INT(decide(&f, AUDIT_ARCH_I386, 386, 0, 0), ERR(ENOSYS));
	CHECK_INT(decide(&f, AUDIT_ARCH_X86_64, X32 | 0, 0, 0), ALLOW);
	CHECK_INT(decide(&f, AUDIT_ARCH_X86_64, X32 | 331, 0, 0), ERR(EPERM));
	CHECK_INT(decide(&f, AUDIT_ARCH_X86_64, X32 | 333, 0, 0), ERR(ENOSYS));
	/*
	 * -1, which a tracer sets to skip a call, is no newer call. Neither is a call of an architecture that
	 * is not in the filter.
	 */
	CHECK(decide_native(&f, UINT32_MAX) != ERR(ENOSYS));
	CHECK_INT(decide(&f, AUDIT_ARCH_AARCH64, 900, 0, 0), SECCOMP_RET_KILL_PROCESS);
	done(&f);
	/* Without x32 in the filter, its calls are those of another architecture. */
	f = make(
		"{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'names':['read'],'action':'SCMP_ACT_ALLOW'}]}");
	CHECK_INT(decide(&f, AUDIT_ARCH_X86_64, X32 | 333, 0, 0), SECCOMP_RET_KILL_PROCESS);
	CHECK_INT(decide_native(&f, 1), ERR(ENOSYS));
	done(&f);
	/* A default other than EPERM is not replaced by ENOSYS. */
	f = make("{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':13,'syscalls':[{'names':['read'],"
		 "'action':'SCMP_ACT_ALLOW'}]}");
	CHECK_INT(decide_native(&f, 424), ERR(13));
	done(&f);
	f = make("{'defaultAction':'SCMP_ACT_KILL_PROCESS','syscalls':[{'names':['read'],"
		 "'action':'SCMP_ACT_ALLOW'}]}");
	CHECK_INT(decide_native(&f, 424), SECCOMP_RET_KILL_PROCESS);
	done(&f);
	/* A filter that names no call has no newest one. */
	f = make("{'defaultAction':'SCMP_ACT_ERRNO'}");
	CHECK_INT(decide_native(&f, 0), ERR(EPERM));
	CHECK_INT(decide_native(&f, 424), ERR(EPERM));
	done(&f);
}

/* A foreign architecture's calls have its own numbers: on aarch64 read is 63, openat 56, statx 291. */
static void test_foreign(void)
{
	struct filter f = make("{'defaultAction':'SCMP_ACT_ERRNO','architectures':['SCMP_ARCH_AARCH64',"
			       "'SCMP_ARCH_ARM','SCMP_ARCH_X86_64'],'syscalls':[{'names':['read','openat',"
			       "'cacheflush'],'action':'SCMP_ACT_ALLOW'}]}");

	CHECK_INT(f.r, 0);
	CHECK_INT(decide(&f, AUDIT_ARCH_AARCH64, 63, 0, 0), ALLOW);
	CHECK_INT(decide(&f, AUDIT_ARCH_AARCH64, 62, 0, 0), ERR(EPERM));
	CHECK_INT(decide(&f, AUDIT_ARCH_AARCH64, 64, 0, 0), ERR(ENOSYS));
	/* arm: read is 3, openat 322, and cacheflush is one of the private calls. */
	CHECK_INT(decide(&f, AUDIT_ARCH_ARM, 3, 0, 0), ALLOW);
	CHECK_INT(decide(&f, AUDIT_ARCH_ARM, 321, 0, 0), ERR(EPERM));
	CHECK_INT(decide(&f, AUDIT_ARCH_ARM, 323, 0, 0), ERR(ENOSYS));
	CHECK_INT(decide(&f, AUDIT_ARCH_ARM, 0xf0002, 0, 0), ALLOW);
	CHECK_INT(decide(&f, AUDIT_ARCH_ARM, 0xf0005, 0, 0), ERR(EPERM));
	done(&f);
}

static void test_refused(void)
{
	struct filter f =
		make("{'defaultAction':'SCMP_ACT_ALLOW','architectures':['SCMP_ARCH_X86','SCMP_ARCH_PPC']}");

	CHECK(f.r < 0 && f.err.kind == ERR_UNSUPPORTED);
	CHECK_STR(f.err.json_pointer, "/linux/seccomp/architectures/1");
	CHECK(f.program.filter == NULL);
	done(&f);
	/* libseccomp supports one errno less than the kernel. */
	f = make("{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['read','write'],"
		 "'action':'SCMP_ACT_ERRNO','errnoRet':4095}]}");
	CHECK(f.r < 0 && f.err.kind == ERR_UNSUPPORTED);
	CHECK_STR(f.err.json_pointer, "/linux/seccomp/syscalls/0/names/0");
	done(&f);
	f = make("{'defaultAction':'SCMP_ACT_ALLOW','architectures':['SCMP_ARCH_SHEB']}");
	CHECK(f.r < 0 && f.err.kind == ERR_UNSUPPORTED);
	CHECK_STR(f.err.json_pointer, "/linux/seccomp/architectures/0");
	done(&f);
}

/* 4,200 compared values need more than 4,096 instructions. */
static void test_too_large(void)
{
	_cleanup_buf_ struct buf text = {0};
	struct filter f;

	buf_add_str(&text, "{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[");
	for (int i = 0; i < 4200; i++)
		buf_format(&text,
			   "%s{'names':['fcntl'],'action':'SCMP_ACT_ERRNO','args':[{'index':0,'value':%d,"
			   "'op':'SCMP_CMP_EQ'}]}",
			   i > 0 ? "," : "", i * 3);
	buf_add_str(&text, "]}");
	f = make(text.data);
	CHECK(f.r < 0 && f.err.kind == ERR_CONFIG && f.err.errnum == E2BIG);
	done(&f);
}

/* Numbers and flags from the kernel's headers; AF_VSOCK is 40, CLONE_NEWUSER 0x10000000, CLONE_VM 0x100. */
static const struct {
	uint32_t arch, nr;
	uint64_t first_arg;
	uint32_t result;
} profile_rows[] = {
	{AUDIT_ARCH_X86_64, 0, 0, ALLOW},                      /* read */
	{AUDIT_ARCH_X86_64, 90, 0, ALLOW},                     /* chmod */
	{AUDIT_ARCH_X86_64, 439, 0, ALLOW},                    /* faccessat2, the newest one */
	{AUDIT_ARCH_X86_64, 440, 0, ERR(ENOSYS)},              /* process_madvise */
	{AUDIT_ARCH_X86_64, 165, 0, ERR(EPERM)},               /* mount */
	{AUDIT_ARCH_X86_64, 101, 0, ERR(EPERM)},               /* ptrace */
	{AUDIT_ARCH_X86_64, 272, 0, ERR(EPERM)},               /* unshare */
	{AUDIT_ARCH_X86_64, 435, 0, ERR(ENOSYS)},              /* clone3 */
	{AUDIT_ARCH_X86_64, 56, 0x11, ALLOW},                  /* clone: SIGCHLD */
	{AUDIT_ARCH_X86_64, 56, 0x100, ALLOW},                 /* clone */
	{AUDIT_ARCH_X86_64, 56, 0x10000011, ERR(EPERM)},       /* clone */
	{AUDIT_ARCH_X86_64, 56, 0x20000, ERR(EPERM)},          /* clone: CLONE_NEWNS */
	{AUDIT_ARCH_X86_64, 41, 2, ALLOW},                     /* socket */
	{AUDIT_ARCH_X86_64, 41, 40, ERR(EPERM)},               /* socket */
	{AUDIT_ARCH_X86_64, 135, 0, ALLOW},                    /* personality */
	{AUDIT_ARCH_X86_64, 135, 0xffffffff, ALLOW},           /* personality */
	{AUDIT_ARCH_X86_64, 135, 0x40000, ERR(EPERM)},         /* personality: ADDR_NO_RANDOMIZE */
	{AUDIT_ARCH_X86_64, X32 | 90, 0, ALLOW},               /* chmod */
	{AUDIT_ARCH_X86_64, X32 | 165, 0, ERR(EPERM)},         /* mount */
	{AUDIT_ARCH_X86_64, X32 | 56, 0x10000011, ERR(EPERM)}, /* clone */
	{AUDIT_ARCH_I386, 3, 0, ALLOW},                        /* read */
	{AUDIT_ARCH_I386, 15, 0, ALLOW},                       /* chmod */
	{AUDIT_ARCH_I386, 21, 0, ERR(EPERM)},                  /* mount */
	{AUDIT_ARCH_I386, 26, 0, ERR(EPERM)},                  /* ptrace */
	{AUDIT_ARCH_I386, 120, 0x11, ALLOW},                   /* clone */
	{AUDIT_ARCH_I386, 120, 0x10000011, ERR(EPERM)},        /* clone */
	{AUDIT_ARCH_I386, 359, 2, ALLOW},                      /* socket */
	{AUDIT_ARCH_I386, 359, 40, ERR(EPERM)},                /* socket */
	{AUDIT_ARCH_I386, 435, 0, ERR(ENOSYS)},                /* clone3 */
	{AUDIT_ARCH_I386, 441, 0, ERR(ENOSYS)},                /* epoll_pwait2 */
	{AUDIT_ARCH_AARCH64, 63, 0, SECCOMP_RET_KILL_PROCESS}, /* read, where the filter does not know it */
};

static void test_profile(const char *path)
{
	_cleanup_buf_ struct buf text = {0};
	struct filter f;

	if (!CHECK_INT(io_read_file(AT_FDCWD, path, 1 << 20, &text), 0))
		return;
	f = make(text.data);
	CHECK_INT(f.r, 0);
	CHECK(!seccomp_can_kill(f.program.filter, f.program.count));
	for (size_t i = 0; i < ARRAY_SIZE(profile_rows); i++)
		if (!CHECK_INT(
			    decide(&f, profile_rows[i].arch, profile_rows[i].nr, profile_rows[i].first_arg, 0),
			    profile_rows[i].result))
			fprintf(stderr, "in row %zu\n", i);
	done(&f);
}

/* Every program kills calls of unknown architectures, which are not evaluated here. */
static void test_foreign_kill(void)
{
	static const struct {
		const char *section;
		bool can_kill;
	} rows[] = {
		{"{'defaultAction':'SCMP_ACT_ERRNO','architectures':['SCMP_ARCH_X86','SCMP_ARCH_X32'],"
		 "'syscalls':[{'names':['read','write','futex'],'action':'SCMP_ACT_ALLOW'}]}",
		 false},
		{"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['fcntl'],'action':'SCMP_ACT_ERRNO',"
		 "'args':[{'index':1,'op':'SCMP_CMP_MASKED_EQ','value':255,'valueTwo':3}]}]}",
		 false},
		{"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['fcntl'],'action':'SCMP_ACT_TRAP',"
		 "'args':[{'index':1,'op':'SCMP_CMP_MASKED_EQ','value':255,'valueTwo':3}]}]}",
		 true},
		{"{'defaultAction':'SCMP_ACT_KILL_PROCESS','syscalls':[{'names':['execve'],"
		 "'action':'SCMP_ACT_ALLOW'}]}",
		 true},
		{"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['execve'],"
		 "'action':'SCMP_ACT_KILL_THREAD'}]}",
		 true},
		{"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['execve'],"
		 "'action':'SCMP_ACT_KILL_PROCESS'}]}",
		 true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct filter f = make(rows[i].section);

		CHECK_INT(f.r, 0);
		if (!CHECK(seccomp_can_kill(f.program.filter, f.program.count) == rows[i].can_kill))
			fprintf(stderr, "in row %zu\n", i);
		done(&f);
	}
}

/* --- flags, names --- */

static void test_flags(void)
{
	static const struct {
		const char *section;
		uint32_t flags;
	} rows[] = {
		{"{'defaultAction':'SCMP_ACT_ALLOW'}", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
		{"{'defaultAction':'SCMP_ACT_ALLOW','flags':[]}", 0},
		{"{'defaultAction':'SCMP_ACT_ALLOW','flags':['SECCOMP_FILTER_FLAG_TSYNC',"
		 "'SECCOMP_FILTER_FLAG_LOG']}",
		 1 | 2},
		{"{'defaultAction':'SCMP_ACT_ALLOW','flags':['SECCOMP_FILTER_FLAG_SPEC_ALLOW',"
		 "'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV']}",
		 4},
		{"{'defaultAction':'SCMP_ACT_NOTIFY','listenerPath':'/l','flags':['SECCOMP_FILTER_FLAG_TSYNC',"
		 "'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV']}",
		 8 | 32},
		{"{'defaultAction':'SCMP_ACT_NOTIFY','listenerPath':'/l'}", 4 | 8},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct filter f = make(rows[i].section);

		CHECK_INT(seccomp_flags(&f.spec->seccomp), rows[i].flags);
		CHECK_INT(seccomp_is_notify(&f.spec->seccomp), (rows[i].flags & 8) != 0);
		done(&f);
	}
}

static void on_name(void *context, const char *json_pointer, const char *name)
{
	buf_format(context, "%s %s;", json_pointer, name);
}

static void test_unknown_names(void)
{
	_cleanup_buf_ struct buf out = {0};
	struct filter f = make("{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['read','reed'],"
			       "'action':'SCMP_ACT_LOG'},{'names':['s390_runtime_instr','Write'],"
			       "'action':'SCMP_ACT_LOG'}]}");

	/* A name that only another architecture has is known. */
	CHECK_INT(seccomp_unknown_names(&f.spec->seccomp, on_name, &out), 2);
	CHECK_STR(out.data, "/linux/seccomp/syscalls/0/names/1 reed;/linux/seccomp/syscalls/1/names/1 Write;");
	done(&f);
}

static void test_architectures(void)
{
	bool has_x86 = false, has_big_endian = false;
	const char *name;

	for (int i = 0; (name = seccomp_architecture_name(i)) != NULL; i++) {
		has_x86 = has_x86 || str_equal(name, "SCMP_ARCH_X86");
		has_big_endian = has_big_endian || str_equal(name, "SCMP_ARCH_S390X");
	}
	CHECK(has_x86 && !has_big_endian);
}

/* --- keys and entries --- */

/* Sections that differ in one thing each, and the first one with other white space. */
static const char *const different[] = {
	"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['read','ab'],'action':'SCMP_ACT_ERRNO'}]}",
	"{'defaultAction':'SCMP_ACT_LOG','syscalls':[{'names':['read','ab'],'action':'SCMP_ACT_ERRNO'}]}",
	"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['read'],'action':'SCMP_ACT_ERRNO'},"
	"{'names':['ab'],'action':'SCMP_ACT_ERRNO'}]}",
	"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['reada','b'],'action':'SCMP_ACT_ERRNO'}]}",
	"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['read','ab'],'action':'SCMP_ACT_TRACE'}]}",
	"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['read','ab'],'action':'SCMP_ACT_ERRNO',"
	"'errnoRet':0}]}",
	"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['read','ab'],'action':'SCMP_ACT_ERRNO',"
	"'args':[{'index':0,'value':1,'op':'SCMP_CMP_EQ'}]}]}",
	"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['read','ab'],'action':'SCMP_ACT_ERRNO',"
	"'args':[{'index':1,'value':1,'op':'SCMP_CMP_EQ'}]}]}",
	"{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['read','ab'],'action':'SCMP_ACT_ERRNO',"
	"'args':[{'index':0,'value':1,'valueTwo':1,'op':'SCMP_CMP_EQ'}]}]}",
	"{'defaultAction':'SCMP_ACT_ALLOW','architectures':['SCMP_ARCH_X86'],'syscalls':[{'names':['read','ab']"
	","
	"'action':'SCMP_ACT_ERRNO'}]}",
};

static bool is_same(const struct seccomp_key *a, const struct seccomp_key *b)
{
	return a->bytes.len == b->bytes.len && memcmp(a->bytes.data, b->bytes.data, a->bytes.len) == 0;
}

static void test_keys(void)
{
	struct seccomp_key keys[ARRAY_SIZE(different)], again;
	struct filter f;

	for (size_t i = 0; i < ARRAY_SIZE(different); i++) {
		f = make(different[i]);
		seccomp_key_make(&f.spec->seccomp, &keys[i]);
		CHECK_INT(strlen(keys[i].name), 16);
		CHECK_INT(strspn(keys[i].name, "0123456789abcdef"), 16);
		done(&f);
		for (size_t k = 0; k < i; k++)
			CHECK(!is_same(&keys[i], &keys[k]) && strcmp(keys[i].name, keys[k].name) != 0);
	}
	f = make("{ 'syscalls':[{'action':'SCMP_ACT_ERRNO','names':['read', 'ab']}],\n'defaultAction':"
		 "'SCMP_ACT_ALLOW'}");
	seccomp_key_make(&f.spec->seccomp, &again);
	CHECK(is_same(&again, &keys[0]));
	CHECK_STR(again.name, keys[0].name);
	done(&f);
	seccomp_key_done(&again);
	for (size_t i = 0; i < ARRAY_SIZE(different); i++)
		seccomp_key_done(&keys[i]);
}

/* The sums of two filters can be equal. A cache entry is that of the filter with the key that it contains. */
static void test_same_name(const struct buf *entry, const struct seccomp_key *key)
{
	struct filter f = make(different[1]);
	struct seccomp_program back;
	struct seccomp_key other;

	seccomp_key_make(&f.spec->seccomp, &other);
	memcpy(other.name, key->name, sizeof other.name);
	CHECK_INT(other.bytes.len, key->bytes.len);
	CHECK_INT(seccomp_unseal(entry->data, entry->len, &other, &back), -EBADMSG);
	seccomp_key_done(&other);
	done(&f);
}

static void test_entries(void)
{
	struct filter f = make(different[0]);
	struct seccomp_program back;
	struct buf entry = {0};
	struct seccomp_key key;

	seccomp_key_make(&f.spec->seccomp, &key);
	seccomp_seal(&f.program, &key, &entry);
	CHECK(entry.len <= seccomp_entry_max(&key));
	CHECK_INT(seccomp_unseal(entry.data, entry.len, &key, &back), 0);
	CHECK(back.count == f.program.count &&
	      memcmp(back.filter, f.program.filter, back.count * sizeof *back.filter) == 0);
	seccomp_program_done(&back);
	test_same_name(&entry, &key);
	for (size_t len = 0; len < entry.len; len += 5)
		CHECK_INT(seccomp_unseal(entry.data, len, &key, &back), -EBADMSG);
	/* A change of any single bit is detected. */
	for (size_t bit = 0; bit < entry.len * 8; bit++) {
		entry.data[bit / 8] ^= (char)(1 << bit % 8);
		if (seccomp_unseal(entry.data, entry.len, &key, &back) != -EBADMSG)
			CHECK_INT(bit, -1);
		entry.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	buf_add(&entry, "x", 1);
	CHECK_INT(seccomp_unseal(entry.data, entry.len, &key, &back), -EBADMSG);
	buf_done(&entry);
	seccomp_key_done(&key);
	done(&f);
}

int main(int argc, char **argv)
{
#ifndef __x86_64__
	fprintf(stderr, "the numbers here are those of x86-64\n");
	return UNIT_SKIP;
#endif
	test_actions();
	test_operators();
	test_conditions();
	test_newer();
	test_foreign();
	test_refused();
	test_too_large();
	if (CHECK_INT(argc, 2))
		test_profile(argv[1]);
	test_foreign_kill();
	test_flags();
	test_unknown_names();
	test_architectures();
	test_keys();
	test_entries();
	UNIT_MAIN_END;
}
