/* SPDX-License-Identifier: Apache-2.0 */
/* An allocator for objects that are freed together. */
#include <stdlib.h>
#include <string.h>

#include <tare/base.h>

/*
 * Size in bytes of the first chunk; each further chunk is twice as large as the one before, up to the maximum.
 * The first chunks are small because the first access to a page costs as much as many system calls. Sanitized
 * builds define a size so small that every allocation has a chunk of its own, and the sanitizer sees its
 * bounds.
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
