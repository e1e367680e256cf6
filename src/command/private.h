/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands share. Private to the room. */
#ifndef TARE_COMMAND_PRIVATE_H
#define TARE_COMMAND_PRIVATE_H

#include <tare/notify.h>
#include <tare/parent.h>

int foreground_wait(struct parent *parent, struct notify *notify, struct state_end *ret_end,
		    struct err *err) MUST_CHECK;

/*
 * starter.c: the starter's part of the conversation, over the parent's socket or the gate's. Behind a filter it
 * looks whether the program has begun, too.
 */
int starter_start(int socket_fd, int pidfd, bool has_filter, struct err *err) MUST_CHECK;

/* The same once START, or COMMITTED of an exec, was said: whether the program was executed. */
int starter_wait_executed(int socket_fd, int pidfd, struct err *err) MUST_CHECK;

/*
 * Behind starter_wait_executed, of a child that was born by fork and not by execve: ERR_PEER if it was killed
 * before its program began, which looks like an execve(2) that closed its descriptors.
 */
int starter_check_executed(int pidfd, pid_t pid, struct err *err) MUST_CHECK;

#endif
