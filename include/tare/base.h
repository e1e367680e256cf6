/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base: what every room stands on. Nothing in it is specific to containers.
 *
 * Parts marked [free] are also linked into the programs without a C library (src/freestanding); the others need
 * the C library. Unless a comment names a process, a function can run in any.
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
	ERR_CONFIG,      /* the configuration is wrong; json_pointer names the place in it */
	ERR_STATE,       /* the container does not exist, or its state does not allow the command */
	ERR_UNSUPPORTED, /* valid, but not on this kernel, this host, or in this version */
	ERR_SYSTEM,      /* a system call failed */
	ERR_PEER,        /* the process at the other end of a socket died or violated the protocol */
};

/*
 * An error as a value: it lives on the caller's stack, is never allocated, and is sent over sockets without a
 * conversion. errnum is positive or 0; json_pointer, msg and hint are NUL-terminated and may be empty. The
 * command line prints "json_pointer: msg: strerror(errnum) (hint)". Texts that do not fit are truncated.
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
 * "return err_set(...)". errnum may be positive or negative; it is stored positive. json_pointer may be NULL.
 * The message usually has the form "cannot <verb> <object>"; it never contains the text of errno. Removes an
 * earlier hint.
 */
int err_set(struct err *err, enum err_kind kind, int errnum, const char *json_pointer, const char *fmt, ...)
	FORMAT(5, 6);

/* The most frequent case: kind ERR_SYSTEM and no JSON pointer. */
#define err_system(err, errnum, ...) err_set((err), ERR_SYSTEM, (errnum), NULL, __VA_ARGS__)

/* Sets the hint: what the user can do about the error. Replaces an earlier hint. */
void err_hint(struct err *err, const char *fmt, ...) FORMAT(2, 3);

/* Sets the JSON pointer if *err has none. NULL or "" changes nothing. */
void err_pointer(struct err *err, const char *json_pointer);

/* Prepends "<text>: " to the message. A text that does not fit changes nothing. */
void err_prefix(struct err *err, const char *fmt, ...) FORMAT(2, 3);

/*
 * The text of an errno as in all messages of tare: it begins with a lower-case letter, because engines search
 * for texts such as "no such file or directory". errnum may be negative; 0: "". Returns text.
 */
#define ERRNO_TEXT_MAX 64
const char *err_errno(int errnum, char text[static ERRNO_TEXT_MAX]);
#define ERRNO_TEXT(errnum) err_errno((errnum), (char[ERRNO_TEXT_MAX]){0})

/* The name of an err_kind, as in JSON: "usage", "config"; ERR_NONE is "note". */
const char *err_kind_name(int32_t kind);

/* Appends "POINTER: MESSAGE: TEXT OF ERRNO (HINT)", without those parts that *err does not have. */
struct buf;
void err_print(const struct err *err, struct buf *out);

/* --- fd [free] -------------------------------------------------------------------------------------- */

void fd_close(int *fd); /* closes *fd if it is not negative and sets it to -1 */
#define _cleanup_fd_ __attribute__((cleanup(fd_close)))

/* Moves the ownership of the descriptor to the caller: returns *fd and sets *fd to -1. */
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

/*
 * Called in a process that was forked from the process with the pid parent: the kernel kills the calling
 * process when its parent exits or is killed (prctl(2), PR_SET_PDEATHSIG). Exits with status 1 if the parent no
 * longer exists.
 */
void child_die_with(int parent);

/* --- clone [free] ----------------------------------------------------------------------------------- */

/* clone3(2) with its two arguments, or clone(2) with flags, stack, parent_tid and child_tid. */
struct clone_call {
	long number, arguments[4];
};
/*
 * Calls it with a separate stack for the child: with CLONE_VM both processes would otherwise return on the same
 * stack. The child calls function(arg) and exits with its result.
 */
long clone_onto_stack(const struct clone_call *call, int (*function)(void *), void *arg) MUST_CHECK;

/* --- io [free] -------------------------------------------------------------------------------------- */

/* Room for one descriptor beside a message. */
union io_rights {
	struct cmsghdr align;
	char data[CMSG_SPACE(sizeof(int))];
};

/*
 * Attaches the descriptor fd to a message that is sent later; rights must stay valid until it is sent. unix(7),
 * SCM_RIGHTS.
 */
void io_attach_fd(struct msghdr *message, union io_rights *rights, int fd);

/* Writes all size bytes; repeats write(2) after EINTR and short writes. 0 or -errno. */
int io_write_all(int fd, const void *data, size_t size) MUST_CHECK;

/*
 * Reads up to size - 1 bytes from dir_fd/path into buf and adds a NUL. Returns the length, or -errno; -EFBIG if
 * the file is longer. flags are added to O_RDONLY|O_CLOEXEC.
 */
int io_read_small(int dir_fd, const char *path, int flags, char *buf, size_t size) MUST_CHECK;

/* Opens dir_fd/path for writing (never creates), writes text in one write(2), closes. 0 or -errno. */
int io_write_file(int dir_fd, const char *path, const char *text, size_t len) MUST_CHECK;

/* --- path [free]: names inside a tree that may be hostile -------------------------------------------- */

/* Whether path is dir or below it, by comparison of the texts; neither contains "." or "..". */
bool path_is_below(const char *path, const char *dir);

/*
 * Opens path below root_fd as if root_fd were "/": absolute paths, "..", and symbolic links resolve inside
 * the tree; the magic links of procfs do not resolve (-ELOOP). flags and mode as for openat(2), O_CLOEXEC is
 * added. Repeats openat2(2) a limited number of times after EAGAIN, which it returns while directories are
 * renamed. A descriptor or -errno.
 */
int path_open_in_root(int root_fd, const char *path, uint64_t flags, unsigned int mode) MUST_CHECK;

/*
 * Like path_open_in_root, but refuses to follow any symbolic link (-ELOOP), and any mount point (-EXDEV).
 * For trees with a fixed layout: procfs, sysfs, cgroup2, the state directory.
 */
int path_open_beneath(int dir_fd, const char *path, uint64_t flags, unsigned int mode) MUST_CHECK;

/*
 * A path in a tree, and the mount in that tree that the path leads into. The part of the path below that
 * mount's root is looked up from the mount's descriptor, so that a process which renames directories of the
 * tree cannot redirect the lookup. A symbolic link in the mount that leads out of it is resolved from the
 * tree's root.
 */
struct path_place {
	int root_fd;
	const char *path;
	int base_fd;       /* root of the mount that the first "below" bytes of path lead to; -1: none */
	size_t below;      /* bytes */
	bool has_no_links; /* a symbolic link in the path is an error: -ELOOP */
};

/* How missing directories are created. */
struct path_making {
	unsigned int mode; /* the umask applies */
	/* NULL, or called before a directory is created in dir_fd; a negative result forbids that. */
	int (*check)(void *context, int dir_fd);
	void *context;
};

/* As path_open_in_root, without the creation of files. */
int path_open(const struct path_place *place, uint64_t flags) MUST_CHECK;

/*
 * mkdir -p: resolves existing components inside the tree (links included) and creates missing ones one by one
 * with O_NOFOLLOW steps. If a link leads to a missing directory, that directory is created. Returns an
 * O_PATH|O_DIRECTORY descriptor of the last component, or -errno (-ENOTDIR if a component is not a directory).
 */
int path_mkdir(const struct path_place *place, const struct path_making *making) MUST_CHECK;

/*
 * Opens the parent directory of the place, creates missing directories, and points *ret_name at the last
 * component inside its path. -EINVAL if that component is "", "." or "..". Returns an O_PATH descriptor of the
 * parent or -errno.
 */
int path_open_parent(const struct path_place *place, const struct path_making *making,
		     const char **ret_name) MUST_CHECK;

/*
 * Creates the missing file, empty, and its parents (mode 0755). If the path is a link to a missing file, that
 * file is created. Returns an O_PATH descriptor of the file, also if another process created it first.
 */
int path_make_file(const struct path_place *place, unsigned int mode) MUST_CHECK;

/*
 * Searches as execvp(3) does: writes the file "name" in the first directory of *list, which are separated by
 * colons, to buf, and sets *list to the rest, or to NULL after the last one. An empty directory is the working
 * directory. False if the path does not fit.
 */
bool path_next_candidate(const char **list, const char *name, char *buf, size_t size);

/* --- dir [free] ------------------------------------------------------------------------------------- */

struct dir_entry { /* struct linux_dirent64 of getdents64(2) */
	uint64_t inode;
	int64_t next; /* the position of the descriptor after this entry, for lseek(2) */
	uint16_t size;
	uint8_t type; /* DT_* */
	char name[];
};

/* Lists a directory from the current position of its descriptor. Set fd, block and size; the rest is 0. */
struct dir_reader {
	int fd;      /* stays the caller's */
	char *block; /* of the caller, aligned as a struct dir_entry */
	size_t size;
	int len, at;
};
/* The next entry but "." and "..": 1 with *ret, which points into the block; 0 at the end, or -errno. */
int dir_next(struct dir_reader *reader, const struct dir_entry **ret) MUST_CHECK;

/* --- str [free] ------------------------------------------------------------------------------------- */

static inline bool str_is_empty(const char *s)
{
	return s == NULL || s[0] == '\0';
}
bool str_equal(const char *a, const char *b); /* NULL equals NULL only */
bool str_has_prefix(const char *s, const char *prefix);
/* Whether a list of words, separated by single blanks or newlines, contains word, which is not empty. */
bool str_has_word(const char *list, const char *word);

/*
 * The length of the UTF-8 sequence (RFC 3629) at the beginning of a text of left bytes, at least one; 0 if it
 * is not valid.
 */
size_t str_utf8_sequence(const char *text, size_t left); /* of a byte from 0x80 on */
static inline size_t str_utf8_length(const char *text, size_t left)
{
	return (unsigned char)text[0] < 0x80 ? 1 : str_utf8_sequence(text, left);
}

/*
 * Reads a number of decimal digits (no sign, blank, or leading "0x"; leading zeros are allowed), at most max.
 * False, and *ret unchanged, otherwise.
 */
bool str_to_u64(const char *s, uint64_t max, uint64_t *ret);

/*
 * Reads the number of the line "key number" in a text of such lines ("flat keyed", cgroup-v2.rst). False, and
 * *ret unchanged, if no line has the key or its value is not a number.
 */
bool str_keyed_u64(const char *text, const char *key, uint64_t *ret);

/*
 * snprintf(3) and vsnprintf(3) with the conversions %s %.*s %d %u %ld %lu %lld %llu %zu %x %lx %llx %o %c %%
 * only.
 */
int str_format(char *buf, size_t size, const char *fmt, ...) FORMAT(3, 4);
int str_vformat(char *buf, size_t size, const char *fmt, va_list args) FORMAT(3, 0);

/* --- value ------------------------------------------------------------------------------------------ */

/*
 * Parses a duration in the syntax of Go: the sum of numbers, with or without a fraction, each with a unit ns,
 * us, ms, s, m or h ("1m30s", "1.5h", "500ms"); "0" needs no unit. *ret_ns is in nanoseconds, 0 to INT64_MAX.
 * Returns false, with *ret_ns unchanged, for anything else.
 */
bool value_duration(const char *text, int64_t *ret_ns) MUST_CHECK;
/* The same, and a number without a unit is seconds, as with timeout(1). */
bool value_seconds(const char *text, int64_t *ret_ns) MUST_CHECK;

/*
 * Parses a size in bytes: a number, with or without a fraction, and optionally a unit k, m, g, t or p (powers
 * of 1024, upper or lower case), which "b" or "ib" may follow; or -1 for no limit. Returns false, with
 * *ret_bytes unchanged, for anything else and for sizes above INT64_MAX.
 */
bool value_size(const char *text, int64_t *ret_bytes) MUST_CHECK;

/* --- signal ----------------------------------------------------------------------------------------- */

/*
 * The number of a signal by number or name ("9", "KILL", "sigterm", "RTMIN+3"), or -1. 0 is valid: kill(2) then
 * only checks the process.
 */
int signal_number(const char *text) MUST_CHECK;
/* The name without SIG, as kill -l prints it; NULL for a number without a name, such as real-time signals. */
const char *signal_name(int number);

/* --- capability ------------------------------------------------------------------------------------- */

/*
 * The names of capabilities(7) in the spelling of runtime-spec config.md, "capabilities": "CAP_CHOWN". They are
 * those of the libcap that tare was built with. NULL and -1: there is no such name. A capability that only the
 * kernel knows has no name, so nothing can request it, and init drops it. One that only libcap knows has a
 * name, and is refused with a warning (host.h, last_capability).
 */
const char *capability_name(int capability);
int capability_number(const char *name);
int capability_last(void); /* the greatest number that has a name */

struct buf;
/* Adds the names of a set (bit n: capability number n) with commas, "none" for an empty one. */
void capability_set_add(struct buf *buf, uint64_t set);

/* --- sum -------------------------------------------------------------------------------------------- */

#define SUM_BEGIN UINT64_C(0xcbf29ce484222325)

/*
 * Continues a checksum over size bytes; the first call passes SUM_BEGIN. Two sequences that differ in one word
 * of eight bytes have different sums. The sum detects damage, not an attacker's changes.
 */
uint64_t sum_add(uint64_t sum, const void *data, size_t size);

/* --- helper ----------------------------------------------------------------------------------------- */

#define HELPER_PATH_MAX 4096
/*
 * The path of a program that belongs to tare: in the directory of the running program (the build tree), or else
 * where it is installed. PATH is never searched. size: at least HELPER_PATH_MAX.
 */
void helper_path(const char *name, char *ret, size_t size);

/* --- id_map ----------------------------------------------------------------------------------------- */

/* The inode number of the initial user namespace: PROC_USER_INIT_INO of <linux/proc_ns.h>, kernel ABI. */
#define USER_NS_INITIAL 0xEFFFFFFDu

/* A line of /proc/PID/uid_map or gid_map (proc_pid_uid_map(5)). */
struct id_map_line {
	uint64_t first;   /* in the user namespace of the process */
	uint64_t outside; /* the same id in the reader's user namespace, or in the parent of the reader's own */
	uint64_t size;
};
/* Reads the next line of the map at *at, NULL if it is empty, and moves *at past it. False at the end. */
bool id_map_next(const char **at, struct id_map_line *ret);
/* Whether the line maps id of the user namespace. */
bool id_map_has(const struct id_map_line *line, uint64_t id);

/* --- time [free] ------------------------------------------------------------------------------------ */

int64_t time_ms(void);           /* milliseconds of CLOCK_MONOTONIC, for deadlines */
int64_t time_monotonic_us(void); /* microseconds of the same clock */
/* Microseconds since 1970, for debugging: no time namespace has an offset of this clock. 0: unknown. */
uint64_t time_us(void);

/* --- date ------------------------------------------------------------------------------------------- */

#define DATE_SECS_MAX 253402300799 /* the end of the year 9999, the last one in RFC 3339 */
/*
 * The time in seconds since 1970 as "YYYY-MM-DDTHH:MM:SS", in UTC; the caller frees it. A time before 1970 or
 * after DATE_SECS_MAX is replaced by the nearest one. Opens no file, unlike gmtime_r(3).
 */
char *date_text(int64_t secs);

/* --- mem -------------------------------------------------------------------------------------------- */

/*
 * If an allocation fails, the process prints one line and exits with status 1: nothing that tare allocates is
 * large. The caller owns the memory.
 */
void *mem_alloc(size_t size);                        /* zeroed */
void *mem_resize(void *ptr, size_t size);            /* realloc(3) */
char *mem_dup(const char *s);                        /* strdup(3) */
char *mem_format(const char *fmt, ...) FORMAT(1, 2); /* asprintf(3); the caller frees */
void mem_free(void *ptr_to_ptr); /* for _cleanup_free_: frees *(void **)p and sets it to NULL */
#define _cleanup_free_ __attribute__((cleanup(mem_free)))

/* A bump allocator: all its memory stays valid until arena_done. A zeroed struct is an empty arena. */
struct arena_chunk;
struct arena {
	struct arena_chunk *chunk;
};
void *arena_alloc(struct arena *arena, size_t size);                /* zeroed, aligned to 16 */
char *arena_dup(struct arena *arena, const char *data, size_t len); /* copies and adds a NUL */
char *arena_format(struct arena *arena, const char *fmt, ...) FORMAT(2, 3);
void arena_done(struct arena *arena);

/*
 * A growing byte buffer. Once something was added, data[len] is a NUL. A zeroed struct is an empty buffer;
 * buf_done frees it.
 */
struct buf {
	char *data;
	size_t len, cap;
};
void buf_reserve(struct buf *buf, size_t more); /* room for that many bytes and a NUL, for the caller to fill */
void buf_add(struct buf *buf, const void *data, size_t len);
void buf_add_str(struct buf *buf, const char *s);
/* Adds the text with its control characters escaped ("\\x0a"), so that it stays one line. */
void buf_add_line(struct buf *buf, const char *text);
void buf_format(struct buf *buf, const char *fmt, ...) FORMAT(2, 3);
void buf_done(struct buf *buf);
#define _cleanup_buf_ __attribute__((cleanup(buf_done)))

/*
 * Appends a whole file of at most max bytes to buf. 0 or -errno; -EFBIG if the file is longer. Works for
 * regular files and pipes.
 */
int io_read_file(int dir_fd, const char *path, size_t max, struct buf *buf) MUST_CHECK;
int io_read_fd(int fd, size_t max, struct buf *buf) MUST_CHECK;
/*
 * As io_read_file, for a file in a directory that another user may have made: any other kind of file is an
 * error, and is not waited for, such as the writer of a FIFO.
 */
int io_read_regular(const char *path, size_t max, struct buf *buf, struct err *err) MUST_CHECK;
/* As io_read_file, for a file that the command line names: "-" is standard input. */
int io_read_input(const char *path, size_t max, struct buf *buf) MUST_CHECK;
#define IO_INPUT_NAME(path) (str_equal((path), "-") ? "standard input" : (path))

/*
 * Calls execute in a forked process, which dies with this one. It executes a program with output_fd as standard
 * output; if it cannot, it returns an exit status. At most max bytes of output are appended to *ret. Returns
 * the exit status, or -errno, -EIO if the process was killed.
 */
int child_read_output(int (*execute)(const void *context, int output_fd), const void *context, size_t max,
		      struct buf *ret) MUST_CHECK;

/*
 * Replaces dir_fd/name atomically: writes a temporary file in the same directory and renames it. A failure
 * removes the temporary file. 0 or -errno. No fsync(2): the callers' files need not survive a power failure.
 */
int io_replace_file(int dir_fd, const char *name, const void *data, size_t size, unsigned int mode) MUST_CHECK;

/* --- json writer ------------------------------------------------------------------------------------ */

/*
 * Appends JSON text (RFC 8259) to a buf: commas, quotes, escapes. A byte that is not valid UTF-8 becomes
 * U+FFFD. indent 0 writes one line, n > 0 a pretty form with n blanks for each level. Inside objects the caller
 * writes json_key before each value. The caller nests correctly, at most 31 levels deep.
 */
struct json {
	struct buf *buf;
	int indent;
	int depth;
	uint32_t has_item; /* one bit for each level: it has an item already */
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
void json_number(struct json *json, const char *text, size_t len); /* a JSON number, written unchanged */
/* json_key and the value in one call. */
void json_pair(struct json *json, const char *key, const char *value);
void json_pair_uint(struct json *json, const char *key, uint64_t value);
void json_pair_int(struct json *json, const char *key, int64_t value);
void json_pair_bool(struct json *json, const char *key, bool value);

/* --- log: the only mutable state of base, opened once by main ----------------------------------------- */

enum log_level {
	LOG_ERROR,
	LOG_WARNING,
	LOG_SHOWN_WARNING, /* one that the specification requires; goes to standard error if there is no log */
	LOG_DEBUG,
};

/*
 * Selects the destination and the format of log lines. path NULL: LOG_SHOWN_WARNING and LOG_DEBUG lines go to
 * standard error, as "tare: LEVEL: MESSAGE" unless is_json is set; other lines are dropped (main prints errors
 * to standard error itself). A file is opened for appending at once, so that a bad path is an error of the
 * command line. is_json selects JSON lines {"level","msg","time"}; is_debug enables LOG_DEBUG. 0 or -errno with
 * *err set.
 */
int log_open(const char *path, bool is_json, bool is_debug, struct err *err) MUST_CHECK;

/*
 * Writes one line. Warnings are buffered; log_close(true) writes them and log_close(false) drops them: engines
 * parse the log of a failed command as a single JSON object, and other callers expect a failure as one line.
 * LOG_ERROR and LOG_DEBUG lines are written at once.
 */
void log_line(enum log_level level, const char *fmt, ...) FORMAT(2, 3);
/* Writes the buffered warnings if they go to standard error; called once the command has succeeded. */
void log_show_warnings(void);
void log_close(bool is_success);
int log_fd(void);        /* the log's descriptor or -1 */
bool log_is_debug(void); /* whether LOG_DEBUG lines are written; checked before a line costs work */

#endif
