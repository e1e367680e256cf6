/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's program: its home directory, its path, and why it cannot be executed. Process: init, inside
 * the container, as the container's user.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <tare/sys.h>

#include "passwd.h"

#ifndef AT_EACCESS
#define AT_EACCESS 0x200
#endif

#if defined(__x86_64__)
#define NATIVE_MACHINE EM_X86_64
#define COMPAT_MACHINE EM_386
#else
#define NATIVE_MACHINE EM_AARCH64
#define COMPAT_MACHINE EM_ARM
#endif

#define PASSWD_MAX (1 << 20) /* bytes of a container's passwd that are read */

/* --- HOME --- */

/* Errors that mean: the file does not exist, or this process has no permission to read it. */
static bool is_not_available(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -EACCES || r == -EPERM;
}

/*
 * Returns a descriptor, or -ENOENT. Only a regular file is opened, because open(2) of a device or a FIFO can
 * have effects. The file can be replaced between the check and the open, so the opened file is checked again.
 */
static int open_passwd(const struct rootfs *rootfs)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;
	int r = k_fstatat(AT_FDCWD, "/etc/passwd", &st, 0);

	if (r >= 0 && !S_ISREG(st.st_mode))
		return -ENOENT;
	if (r >= 0)
		r = fd = path_open_in_root(rootfs->fd, "etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (r >= 0)
		r = k_fstat(fd, &st);
	if (r < 0)
		return is_not_available(r) ? -ENOENT : r;
	return S_ISREG(st.st_mode) ? take_fd(&fd) : -ENOENT;
}

int exec_home(const struct rootfs *rootfs, uint32_t uid, struct exec_program *ret, struct err *err)
{
	_cleanup_fd_ int fd = open_passwd(rootfs);
	struct passwd_scan scan = {.uid = uid};
	char block[1024], *home = ret->home + strlen("HOME=");
	size_t size = sizeof ret->home - strlen("HOME=");
	ssize_t len = 0;

	str_format(ret->home, sizeof ret->home, "HOME=/");
	if (fd == -ENOENT)
		return 0;
	for (int total = 0; fd >= 0 && total < PASSWD_MAX && (len = k_read(fd, block, sizeof block)) > 0;
	     total += (int)len)
		if (passwd_scan(&scan, block, (size_t)len, home, size))
			return 0;
	if (fd < 0 || len < 0)
		return err_system(err, fd < 0 ? fd : (int)len,
				  "cannot read the container's /etc/passwd for HOME");
	(void)passwd_scan(&scan, "\n", 1, home, size);
	return 0;
}

/* --- the executable --- */

static const char *env_path(const struct plan *plan, const struct plan_program *program)
{
	for (uint32_t i = 0; i < program->env.count; i++)
		if (str_has_prefix(plan_item(plan, program->env, i), "PATH="))
			return plan_item(plan, program->env, i) + 5;
	return NULL;
}

/*
 * Seccomp filters that are older than faccessat2(2) (Linux 5.8) deny it. faccessat(2) checks the real ids,
 * which are equal to the effective ones at this point.
 */
static int check_executable(const char *path)
{
	int r = k_faccessat2(AT_FDCWD, path, X_OK, AT_EACCESS);

	return r < 0 ? (int)k_call3(__NR_faccessat, AT_FDCWD, path, X_OK) : r;
}

/* 0 if path is a file that this process may execute; -EACCES if it exists and is not. */
static int try_path(const char *path)
{
	struct stat st;
	int r = k_fstatat(AT_FDCWD, path, &st, 0);

	if (r < 0)
		return r;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	return check_executable(path);
}

static void explain_permission(const char *path, struct err *err)
{
	_cleanup_fd_ int fd = k_openat(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0);
	struct statfs fs;

	if (k_fstatfs(fd, &fs) == 0 && (fs.f_flags & ST_NOEXEC) != 0)
		err_hint(err, "it is on a mount with the option noexec");
	else
		err_hint(err,
			 "the file, or a directory of its path, is not executable for the container's user");
}

static int lookup_failed(const char *name, const char *path, int r, struct err *err)
{
	if (r == -EISDIR)
		return err_set(err, ERR_SYSTEM, EACCES, NULL, "exec: \"%.*s\": is a directory", 200, name);
	if (r == -ENOENT && strchr(name, '/') == NULL)
		err_set(err, ERR_SYSTEM, ENOENT, NULL, "exec: \"%.*s\": executable file not found in $PATH",
			200, name);
	else
		r = err_set(err, ERR_SYSTEM, r, NULL, "exec: \"%.*s\"", 200, name);
	if (r == -EACCES)
		explain_permission(path, err);
	else if ((r == -ENOENT || r == -ENOTDIR) && strchr(name, ' ') != NULL)
		err_hint(err, "its name contains a space: each argument is a separate item of args");
	return r;
}

/* ret->path is the program that was found, or the candidate that caused the error if that is not ENOENT. */
static int search_path(const char *list, const char *name, struct exec_program *ret)
{
	const char *worst_at = list, *rest = list;
	int worst = -ENOENT;

	while (rest != NULL) {
		const char *at = rest;
		int r = path_next_candidate(&rest, name, ret->path, sizeof ret->path) ? try_path(ret->path)
										      : -ENOENT;

		if (r == 0)
			return 0;
		if (r != -ENOENT && r != -ENOTDIR && r != -EISDIR) {
			worst = r;
			worst_at = at;
		}
	}
	(void)path_next_candidate(&worst_at, name, ret->path, sizeof ret->path);
	return worst;
}

int exec_lookup(const struct plan *plan, const struct plan_program *program, struct exec_program *ret,
		struct err *err)
{
	const char *name = plan_item(plan, program->args, 0);
	const char *path = env_path(plan, program);
	int r;

	if (str_is_empty(name))
		return lookup_failed("", "", -ENOENT, err);
	if (strlen(name) >= sizeof ret->path)
		return lookup_failed(name, "", -ENAMETOOLONG, err);
	if (strchr(name, '/') != NULL) {
		str_format(ret->path, sizeof ret->path, "%s", name);
		r = try_path(ret->path);
	} else {
		r = path == NULL ? -ENOENT : search_path(path, name, ret);
	}
	return r < 0 ? lookup_failed(name, ret->path, r, err) : 0;
}

/* --- reasons for a failure of execve(2) --- */

static void explain_interpreter(const char *what, const char *interpreter, struct err *err)
{
	struct stat st;
	size_t len = strlen(interpreter);

	if (len > 0 && interpreter[len - 1] == '\r')
		err_hint(err, "the script's first line ends with a carriage return (DOS line endings)");
	else if (k_fstatat(AT_FDCWD, interpreter, &st, 0) < 0)
		err_hint(err, "its %s '%s' does not exist in the container", what, interpreter);
	else if (check_executable(interpreter) < 0)
		err_hint(err, "its %s '%s' is not executable", what, interpreter);
}

static void explain_script(char *text, struct err *err)
{
	char *at = text + 2;

	at += strspn(at, " \t");
	at[strcspn(at, " \t\n")] = '\0';
	explain_interpreter("interpreter", at, err);
}

static void explain_elf(int fd, const char *head, struct err *err)
{
	Elf64_Ehdr elf;
	Elf64_Phdr segment;
	char loader[256];

	memcpy(&elf, head, sizeof elf);
	if (elf.e_machine != NATIVE_MACHINE && elf.e_machine != COMPAT_MACHINE) {
		err_hint(err, "the file is for another architecture (ELF machine %u)", elf.e_machine);
		return;
	}
	if (elf.e_ident[EI_CLASS] != ELFCLASS64)
		return;
	for (int i = 0; i < elf.e_phnum && i < 64; i++) {
		int64_t at = (int64_t)elf.e_phoff + (int64_t)i * (int64_t)sizeof segment;
		ssize_t len;

		if (k_pread(fd, &segment, sizeof segment, at) != (ssize_t)sizeof segment)
			return;
		if (segment.p_type != PT_INTERP)
			continue;
		len = k_pread(fd, loader, sizeof loader - 1, (int64_t)segment.p_offset);
		if (len <= 0)
			return;
		loader[len] = '\0';
		explain_interpreter("loader", loader, err);
		return;
	}
}

int exec_explain(const char *name, const char *path, int errnum, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	_Alignas(8) char head[256];
	ssize_t len;

	err_set(err, ERR_SYSTEM, errnum, NULL, "exec: \"%.*s\"", 200, name);
	/* execve(2) has no other reason for EAGAIN. */
	if (errnum == -EAGAIN) {
		err_hint(err, "the program's user has more processes than RLIMIT_NPROC allows");
		return errnum;
	}
	fd = k_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	if (errnum == -EACCES || errnum == -EPERM) {
		explain_permission(path, err);
		return errnum;
	}
	if (fd < 0)
		return errnum;
	memset(head, 0, sizeof head);
	len = k_pread(fd, head, sizeof head - 1, 0);
	if (len >= 2 && head[0] == '#' && head[1] == '!')
		explain_script(head, err);
	else if (len >= (ssize_t)sizeof(Elf64_Ehdr) && memcmp(head, ELFMAG, SELFMAG) == 0)
		explain_elf(fd, head, err);
	else if (errnum == -ENOEXEC)
		err_hint(err, "the file is neither a program nor a script with '#!'");
	return errnum;
}
