/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base: what every room stands on. Knows no container word.
 *
 * Parts marked [free] also exist in the freestanding init; the others need the C library.
 */
#ifndef TARE_BASE_H
#define TARE_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <tare/kernel.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MUST_CHECK __attribute__((warn_unused_result))
#define FORMAT(fmt, first) __attribute__((format(printf, fmt, first)))

/* --- err [free] ------------------------------------------------------------------------------------- */

enum err_kind {
	ERR_NONE,
	ERR_USAGE,       /* the command line is wrong */
	ERR_CONFIG,      /* the configuration is wrong; where is a JSON pointer into it */
	ERR_STATE,       /* the container is not in a state for this, or does not exist */
	ERR_UNSUPPORTED, /* valid, but not on this kernel, this host, or in this version */
	ERR_SYSTEM,      /* a system call failed */
	ERR_PEER,        /* another process of the conversation died or broke the protocol */
};

/*
 * What went wrong, by value: lives on the caller's stack, is never allocated, and crosses sockets as it
 * is. errnum is positive or 0; where, msg and hint are NUL-terminated and may be empty. The user sees
 * "where: msg: strerror(errnum) (hint)". Texts that do not fit are cut.
 */
struct err {
	int32_t kind;
	int32_t errnum;
	char json_pointer[128];
	char msg[320];
	char hint[192];
};

/*
 * Fills *err and returns -errnum, or -EINVAL where errnum is 0, so that callers write
 * "return err_set(...)". errnum may be given positive or negative; it is stored positive. where may be NULL.
 * The wording is "cannot <verb> <object>", without errno's text.
 */
int err_set(struct err *err, enum err_kind kind, int errnum, const char *json_pointer, const char *fmt, ...)
	FORMAT(5, 6);

/* The commonest case: kind ERR_SYSTEM and no pointer. */
#define err_system(err, errnum, ...) err_set((err), ERR_SYSTEM, (errnum), NULL, __VA_ARGS__)

/* Says what to do about it. Replaces an earlier hint. */
void err_hint(struct err *err, const char *fmt, ...) FORMAT(2, 3);

/* Names the place in the configuration, unless one is named already. NULL or "" changes nothing. */
void err_pointer(struct err *err, const char *json_pointer);

/* Puts "<text>: " before the message. */
void err_prefix(struct err *err, const char *fmt, ...) FORMAT(2, 3);

/* --- fd [free] -------------------------------------------------------------------------------------- */

void fd_close(int *fd); /* closes *fd if it is not negative and sets it to -1 */
#define _cleanup_fd_ __attribute__((cleanup(fd_close)))

/* Hands the descriptor over: returns *fd and sets it to -1. */
static inline int take_fd(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}

#define take_ptr(p)                                                                                            \
	({                                                                                                     \
		__typeof__(p) taken_ = (p);                                                                    \
		(p) = NULL;                                                                                    \
		taken_;                                                                                        \
	})

/* --- child [free] ----------------------------------------------------------------------------------- */

/* In a process that was forked from parent: it is killed when that ends, for whatever reason. */
void child_die_with(int parent);

/* --- io [free] -------------------------------------------------------------------------------------- */

/* Room for one descriptor beside a message. */
union io_rights {
	struct cmsghdr align;
	char data[CMSG_SPACE(sizeof(int))];
};

/* Let `message` carry the descriptor `fd` when it is sent; `rights` has to live until then. unix(7),
 * SCM_RIGHTS. */
void io_attach_fd(struct msghdr *message, union io_rights *rights, int fd);

/* Write all of it, retrying EINTR and short writes. 0 or -errno. */
int io_write_all(int fd, const void *data, size_t size) MUST_CHECK;

/*
 * Reads up to size - 1 bytes from dir_fd/path into buf and ends them with a NUL. Returns the length, or
 * -errno; -EFBIG if the file is longer. flags are added to O_RDONLY|O_CLOEXEC.
 */
int io_read_small(int dir_fd, const char *path, int flags, char *buf, size_t size) MUST_CHECK;

/* Opens dir_fd/path for writing (never creates), writes text in one write(2), closes. 0 or -errno. */
int io_write_file(int dir_fd, const char *path, const char *text, size_t len) MUST_CHECK;

/* --- path [free]: names inside a tree that may be hostile -------------------------------------------- */

/* Whether path is dir or below it, by their words alone; both without "." and "..". */
bool path_is_below(const char *path, const char *dir);

/*
 * Opens path below root_fd as if root_fd were "/": absolute paths, "..", and symbolic links resolve inside
 * the tree, /proc-style magic links do not resolve at all. flags and mode as for openat(2), O_CLOEXEC is
 * added. Retries EAGAIN, which openat2(2) returns while the tree is being renamed. A descriptor or -errno.
 */
int path_open_in_root(int root_fd, const char *path, uint64_t flags, unsigned int mode) MUST_CHECK;

/*
 * Like path_open_in_root, but refuses to follow any symbolic link (-ELOOP), and any mount point (-EXDEV).
 * For trees with a fixed layout: procfs, sysfs, cgroup2, the state directory.
 */
int path_open_beneath(int dir_fd, const char *path, uint64_t flags, unsigned int mode) MUST_CHECK;

/*
 * A path in a tree, and the mount in that tree that it leads into: what is below that mount's root is looked up
 * from its descriptor, so that no process which renames directories of the tree has a say in it. What a link in
 * the mount names outside of it is looked up from the root.
 */
struct path_place {
	int root_fd;
	const char *path;
	int base_fd;  /* root of the mount that the first "below" bytes of path lead to; -1: none */
	size_t below; /* bytes */
	bool is_real; /* no symbolic link is followed: -ELOOP */
};

/* How what is missing is made. */
struct path_making {
	unsigned int mode; /* the umask applies */
	/* NULL, or asked before anything is made in dir_fd; a negative errno, which is returned, forbids it. */
	int (*check)(void *context, int dir_fd);
	void *context;
};

/* As path_open_in_root. */
int path_open(const struct path_place *place, uint64_t flags) MUST_CHECK;

/*
 * mkdir -p: existing components are resolved inside the tree (links included), missing ones are created one by
 * one with O_NOFOLLOW steps; where a link leads to a missing directory, that one is created. Returns an
 * O_PATH|O_DIRECTORY descriptor of the last component, or -errno (-ENOTDIR if a component is not a directory).
 */
int path_mkdir(const struct path_place *place, const struct path_making *making) MUST_CHECK;

/*
 * Opens the parent directory of the place, creating what is missing, and points *ret_name at the last component
 * inside its path (never "", "." or "..": -EINVAL). Returns an O_PATH descriptor of the parent or -errno.
 */
int path_open_parent(const struct path_place *place, const struct path_making *making,
		     const char **ret_name) MUST_CHECK;

/*
 * Creates the missing file, empty, and its parents (mode 0755); where the path is a link to a missing file,
 * that one is created. Returns an O_PATH descriptor of the file, or of what another process made there first.
 */
int path_make_file(const struct path_place *place, unsigned int mode) MUST_CHECK;

/* --- str [free] ------------------------------------------------------------------------------------- */

static inline bool str_is_empty(const char *s)
{
	return s == NULL || s[0] == '\0';
}
bool str_equal(const char *a, const char *b); /* NULL equals NULL only */
bool str_has_prefix(const char *s, const char *prefix);
/* Whether a line of words with a blank between them has this one, which is not empty. */
bool str_has_word(const char *list, const char *word);

/*
 * Decimal digits alone (no sign, blank, or leading "0x"; leading zeros are allowed), at most max. False,
 * and *ret untouched, otherwise.
 */
bool str_to_u64(const char *s, uint64_t max, uint64_t *ret);

/*
 * The number of the line "key number" in a text of such lines ("flat keyed", cgroup-v2.rst). False, and *ret
 * untouched, if there is none, or something else stands there.
 */
bool str_keyed_u64(const char *text, const char *key, uint64_t *ret);

/* snprintf(3) that understands %s %.*s %d %u %ld %lu %lld %llu %zu %x %lx %llx %o %c %%; [free]. */
int str_format(char *buf, size_t size, const char *fmt, ...) FORMAT(3, 4);
int str_vformat(char *buf, size_t size, const char *fmt, va_list args) FORMAT(3, 0);

/* --- sum -------------------------------------------------------------------------------------------- */

#define SUM_BEGIN UINT64_C(0xcbf29ce484222325)

/*
 * Continues a sum over size bytes; the first call gets SUM_BEGIN. Two sequences that differ in one word of
 * eight bytes have different sums. It protects against damage, not against an attacker.
 */
uint64_t sum_add(uint64_t sum, const void *data, size_t size);

/* --- time [free] ------------------------------------------------------------------------------------ */

int64_t time_ms(void); /* milliseconds of CLOCK_MONOTONIC, for deadlines */

/* --- mem -------------------------------------------------------------------------------------------- */

/* Allocation failure ends the process with status 1 and one line: nothing that tare allocates is large. */
void *mem_alloc(size_t size);                        /* zeroed */
void *mem_resize(void *ptr, size_t size);            /* realloc(3) */
char *mem_dup(const char *s);                        /* strdup(3) */
char *mem_format(const char *fmt, ...) FORMAT(1, 2); /* asprintf(3); the caller frees */
void mem_free(void *ptr_to_ptr); /* for _cleanup_free_: frees *(void **)p and sets it to NULL */
#define _cleanup_free_ __attribute__((cleanup(mem_free)))

/* A bump allocator: everything in it lives until arena_done. */
struct arena_chunk;
struct arena {
	struct arena_chunk *chunk;
};
void *arena_alloc(struct arena *arena, size_t size);                /* zeroed, aligned to 16 */
char *arena_dup(struct arena *arena, const char *data, size_t len); /* copies and adds a NUL */
char *arena_format(struct arena *arena, const char *fmt, ...) FORMAT(2, 3);
void arena_done(struct arena *arena);

/* A growing byte buffer; data is always NUL-terminated behind len once something was added. */
struct buf {
	char *data;
	size_t len, cap;
};
void buf_reserve(struct buf *buf, size_t more); /* room for that many bytes and a NUL, for the caller to fill */
void buf_add(struct buf *buf, const void *data, size_t len);
void buf_add_str(struct buf *buf, const char *s);
/* One line, whatever is in the text: control characters as "\\x0a". */
void buf_add_line(struct buf *buf, const char *text);
void buf_format(struct buf *buf, const char *fmt, ...) FORMAT(2, 3);
void buf_done(struct buf *buf);
#define _cleanup_buf_ __attribute__((cleanup(buf_done)))

/*
 * Reads a whole file of at most max bytes into buf (appending). 0 or -errno; -EFBIG if it is longer, with
 * at most max + 1 bytes read. Regular files and pipes alike.
 */
int io_read_file(int dir_fd, const char *path, size_t max, struct buf *buf) MUST_CHECK;
int io_read_fd(int fd, size_t max, struct buf *buf) MUST_CHECK;
/* A file that a user names on the command line: "-" is standard input. */
int io_read_input(const char *path, size_t max, struct buf *buf) MUST_CHECK;
#define IO_INPUT_NAME(path) (str_equal((path), "-") ? "standard input" : (path))

/*
 * Replaces dir_fd/name atomically: writes to a temporary name in the same directory, then renames. Nothing
 * is left behind on failure. 0 or -errno. No fsync: the callers' files need not survive a power failure.
 */
int io_replace_file(int dir_fd, const char *name, const void *data, size_t size, unsigned int mode) MUST_CHECK;

/* --- json writer ------------------------------------------------------------------------------------ */

/*
 * Writes JSON text into a buf: commas, quotes, escapes (bytes that are not valid UTF-8 become U+FFFD).
 * indent 0 writes one line, n > 0 a pretty form with n blanks a level. Inside objects each value is
 * preceded by json_key. The caller nests correctly; nesting is at most 32 deep.
 */
struct json {
	struct buf *buf;
	int indent;
	int depth;
	uint32_t has_item; /* a bit a level: something was written at it */
	bool is_after_key;
};
void json_begin(struct json *json, struct buf *buf, int indent);
void json_object(struct json *json);
void json_object_end(struct json *json);
void json_array(struct json *json);
void json_array_end(struct json *json);
void json_key(struct json *json, const char *key);
void json_string(struct json *json, const char *value); /* NULL writes null */
void json_int(struct json *json, int64_t value);
void json_uint(struct json *json, uint64_t value);
void json_number(struct json *json, const char *text, size_t len); /* as it stands: digits, maybe ".", digits */
void json_bool(struct json *json, bool value);
void json_null(struct json *json);
/* A key and its value in one call. */
void json_pair(struct json *json, const char *key, const char *value);
void json_pair_uint(struct json *json, const char *key, uint64_t value);
void json_pair_int(struct json *json, const char *key, int64_t value);
void json_pair_bool(struct json *json, const char *key, bool value);

/* --- log: the only mutable state of base, set once by main -------------------------------------------- */

enum log_level {
	LOG_ERROR,
	LOG_WARNING,
	LOG_SHOWN_WARNING, /* one that the specification wants logged: to standard error without a log */
	LOG_DEBUG,
};

/*
 * Where and how log lines go. path NULL: LOG_SHOWN_WARNING and LOG_DEBUG lines to standard error, as lines
 * "tare: LEVEL: MESSAGE" unless is_json, others nowhere (errors go to standard error by main). The file is
 * opened for appending at once, so that a bad path is an error of the command line. is_json selects JSON lines
 * {"level","msg","time"}; is_debug lets LOG_DEBUG through. 0 or -errno with *err set.
 */
int log_open(const char *path, bool is_json, bool is_debug, struct err *err) MUST_CHECK;

/*
 * Warnings are kept back until log_close(true) and dropped by log_close(false): engines parse the log of a
 * failed command as one single JSON object, and callers a failure as one line. LOG_ERROR and LOG_DEBUG lines
 * are written at once.
 */
void log_line(enum log_level level, const char *fmt, ...) FORMAT(2, 3);
/* Writes the warnings that are kept back for standard error: the command has done what it is for. */
void log_show_warnings(void);
void log_close(bool is_success);
int log_fd(void);        /* the log's descriptor or -1 */
bool log_is_debug(void); /* whether LOG_DEBUG lines go anywhere: asked before work is done for them */

#endif
