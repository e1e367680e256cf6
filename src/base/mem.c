/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <tare/base.h>

static void *mem_check(void *ptr)
{
	if (ptr == NULL) {
		fputs("tare: out of memory\n", stderr);
		_Exit(1);
	}
	return ptr;
}

void *mem_alloc(size_t size)
{
	return mem_check(calloc(1, size == 0 ? 1 : size));
}

void *mem_resize(void *ptr, size_t size)
{
	return mem_check(realloc(ptr, size == 0 ? 1 : size));
}

char *mem_dup(const char *s)
{
	return mem_check(strdup(s));
}

char *mem_format(const char *fmt, ...)
{
	char *text = NULL;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	return mem_check(len < 0 ? NULL : text);
}

void mem_free(void *ptr_to_ptr)
{
	void **ptr = ptr_to_ptr;

	free(*ptr);
	*ptr = NULL;
}

/* --- arena --- */

/*
 * The first chunk is this large, each further one twice as large as the one before: a page that is touched for
 * the first time costs as much as many system calls. Sanitized builds have it so small that every allocation is
 * a chunk, whose end they know.
 */
#ifndef CHUNK_SIZE
#define CHUNK_SIZE ((size_t)1 << 10)
#define CHUNK_SIZE_MAX ((size_t)64 << 10)
#else
#define CHUNK_SIZE_MAX CHUNK_SIZE
#endif

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
	_Alignas(16) char data[];
};

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena->chunk;
	void *ptr;

	size = (size + 15) & ~(size_t)15;
	if (chunk == NULL || chunk->size - chunk->used < size) {
		size_t next = chunk == NULL ? CHUNK_SIZE : chunk->size * 2;
		size_t chunk_size = next > CHUNK_SIZE_MAX ? CHUNK_SIZE_MAX : next;

		if (chunk_size < size)
			chunk_size = size;
		chunk = mem_alloc(sizeof *chunk + chunk_size);
		chunk->size = chunk_size;
		chunk->next = arena->chunk;
		arena->chunk = chunk;
	}
	ptr = chunk->data + chunk->used;
	chunk->used += size;
	return ptr;
}

char *arena_dup(struct arena *arena, const char *data, size_t len)
{
	char *copy = arena_alloc(arena, len + 1);

	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

char *arena_format(struct arena *arena, const char *fmt, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, fmt);
	len = str_vformat(NULL, 0, fmt, args);
	va_end(args);
	text = arena_alloc(arena, (size_t)len + 1);
	va_start(args, fmt);
	str_vformat(text, (size_t)len + 1, fmt, args);
	va_end(args);
	return text;
}

void arena_done(struct arena *arena)
{
	while (arena->chunk != NULL) {
		struct arena_chunk *chunk = arena->chunk;

		arena->chunk = chunk->next;
		free(chunk);
	}
}

/* --- buf --- */

static void buf_reserve(struct buf *buf, size_t more)
{
	if (buf->cap - buf->len > more)
		return;
	buf->cap = (buf->len + more + 1) * 2;
	buf->data = mem_resize(buf->data, buf->cap);
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
	buf_reserve(buf, len);
	if (len > 0)
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_add_str(struct buf *buf, const char *s)
{
	buf_add(buf, s, strlen(s));
}

void buf_add_line(struct buf *buf, const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
		if (*c < ' ' || *c == 0x7f)
			buf_format(buf, "\\x%c%c", "0123456789abcdef"[*c >> 4], "0123456789abcdef"[*c & 15]);
		else
			buf_add(buf, c, 1);
	}
}

void buf_format(struct buf *buf, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = str_vformat(NULL, 0, fmt, args);
	va_end(args);
	buf_reserve(buf, (size_t)len);
	va_start(args, fmt);
	str_vformat(buf->data + buf->len, (size_t)len + 1, fmt, args);
	va_end(args);
	buf->len += (size_t)len;
}

void buf_done(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){0};
}

/* --- whole files --- */

/* Room for what the file says that it has, and for the end of it to be seen. */
static void reserve_file(int fd, size_t max, struct buf *buf)
{
	struct stat stat;
	size_t size;

	if (k_fstat(fd, &stat) < 0 || stat.st_size <= 0 || (uint64_t)stat.st_size > max)
		return;
	size = buf->len + (size_t)stat.st_size + 2;
	if (buf->cap >= size)
		return;
	buf->cap = size;
	buf->data = mem_resize(buf->data, size);
}

int io_read_fd(int fd, size_t max, struct buf *buf)
{
	size_t start = buf->len;

	reserve_file(fd, max, buf);
	for (;;) {
		ssize_t got;

		if (buf->cap - buf->len < 2)
			buf_reserve(buf, 4096);
		got = k_read(fd, buf->data + buf->len, buf->cap - buf->len - 1);
		if (got == -EINTR)
			continue;
		if (got < 0)
			return (int)got;
		buf->len += (size_t)got;
		buf->data[buf->len] = '\0';
		if (buf->len - start > max)
			return -EFBIG;
		if (got == 0)
			return 0;
	}
}

int io_read_file(int dir_fd, const char *path, size_t max, struct buf *buf)
{
	_cleanup_fd_ int fd = k_openat(dir_fd, path, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	return io_read_fd(fd, max, buf);
}

int io_read_input(const char *path, size_t max, struct buf *buf)
{
	return str_equal(path, "-") ? io_read_fd(0, max, buf) : io_read_file(AT_FDCWD, path, max, buf);
}

int io_replace_file(int dir_fd, const char *name, const void *data, size_t size, unsigned int mode)
{
	const char *slash = strrchr(name, '/');
	size_t dir_len = slash == NULL ? 0 : (size_t)(slash - name) + 1;
	_cleanup_free_ char *temporary = NULL;
	_cleanup_fd_ int fd = -1;
	int r;

	/* The same directory, since rename(2) does not cross file systems; the pid, since callers race. */
	temporary = mem_format("%.*s.%s.%d", (int)dir_len, name, name + dir_len, k_getpid());
	fd = k_openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd == -EEXIST) {
		k_unlinkat(dir_fd, temporary, 0);
		fd = k_openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	}
	if (fd < 0)
		return fd;
	r = io_write_all(fd, data, size);
	if (r == 0)
		r = k_renameat2(dir_fd, temporary, dir_fd, name, 0);
	if (r < 0)
		k_unlinkat(dir_fd, temporary, 0);
	return r;
}
