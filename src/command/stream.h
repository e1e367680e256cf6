/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream: copies from one descriptor to another without waiting. Private to the room; runs in the parent while
 * it waits for a process in the foreground.
 */
#ifndef TARE_COMMAND_STREAM_H
#define TARE_COMMAND_STREAM_H

#include <poll.h>

#include <tare/supervise.h>

#define STREAM_SIZE 16384
#define STREAM_FDS 2

/* One direction of a copy. Nothing is read while bytes is not empty. */
struct stream {
	int from, to; /* -1: the stream does not exist */
	char bytes[STREAM_SIZE];
	size_t start, end;
	struct supervise *counter; /* counts the bytes, and limits them; or NULL */
	bool is_from_own;          /* from is closed with the stream, so that the writer gets SIGPIPE */
	bool may_block;            /* writes to to can block */
	bool is_last;              /* nothing is read any more */
	bool is_ended;
};
#define STREAM_NONE                                                                                            \
	{                                                                                                      \
		.from = -1, .to = -1, .is_ended = true                                                         \
	}

/*
 * Opens standard output or error again, for writes that do not block. It may be a pipe that no process reads,
 * or a stopped terminal: a write that blocks would delay signals and limits. O_NONBLOCK on the descriptor
 * itself would also apply to the caller, which shares the open file description. -1 if that is not possible or
 * not needed.
 */
int stream_open_output(int fd);

/* Opens a stream that is STREAM_NONE. */
void stream_begin(struct stream *s, int from, int to);
/* Stops it; closes from if that is its own. */
void stream_end(struct stream *s);

/* Sets both entries for the next poll, and handles what it has returned. */
void stream_watch(const struct stream *s, struct pollfd fds[static STREAM_FDS]);
void stream_serve(struct stream *s, const struct pollfd fds[static STREAM_FDS]);

/*
 * The writer is dead: copies what it has written. Waits at most timeout_ms each time that the reader is slow;
 * negative: without a limit, until signal_fd can be read.
 */
void stream_drain(struct stream *s, int timeout_ms, int signal_fd);

#endif
