/* SPDX-License-Identifier: Apache-2.0 */
/* What the sources of the room share. */
#ifndef TARE_STATE_PRIVATE_H
#define TARE_STATE_PRIVATE_H

#include <tare/state.h>

#define STATE_RECORD_NAME "record"
#define STATE_GATE_NAME "gate"
#define STATE_PLAN_NAME "plan"
#define STATE_END_NAME "end"
#define STATE_SECS_MAX 253402300799 /* the end of the year 9999: what RFC 3339 can say */

/* Whether only this user and root may have written what is there: tare acts on it. */
struct stat;
bool state_is_trusted(const struct stat *stat);

/* As state_check_id, without words. */
bool state_is_id(const char *id);

/*
 * The name under which a directory of a container is found now, as the kernel knows it. -ENOENT if that is
 * not a container's name: the directory was removed, or renamed by state_remove.
 */
int state_dir_name(int dir_fd, char *buf, size_t size) MUST_CHECK;

/* The names in a directory. */
struct names {
	char **names;
	size_t count, cap;
};
void names_done(struct names *names);
#define _cleanup_names_ __attribute__((cleanup(names_done)))
int names_read(int dir_fd, struct names *names) MUST_CHECK;

/* For ERR_STATE messages that are whole without the text of an errno. Returns -errnum. */
int state_fail(struct err *err, int errnum, const char *fmt, ...) FORMAT(3, 4);

#endif
