/* SPDX-License-Identifier: Apache-2.0 */
/* The file of the mounts that "mounts add" has made: a line with the mount id for each. */
#include <errno.h>
#include <stdlib.h>

#include "private.h"

int state_read_mounts(int dir_fd, struct state_mounts *ret, struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	int r = state_read_optional(dir_fd, STATE_MOUNTS_NAME, "list of mounts", &text, err);
	const char *at = text.data;

	*ret = (struct state_mounts){0};
	while (r >= 0 && at != NULL && *at != '\0') {
		char *end;
		uint64_t id = strtoull(at, &end, 10);

		if (end == at || *end != '\n') {
			state_mounts_done(ret);
			return state_fail(err, EBADMSG, "the list of mounts of the container is damaged");
		}
		state_mounts_add(ret, id);
		at = end + 1;
	}
	return r;
}

int state_write_mounts(int dir_fd, const struct state_mounts *mounts, struct err *err)
{
	_cleanup_buf_ struct buf text = {0};
	int r;

	buf_add(&text, "", 0);
	for (size_t i = 0; i < mounts->count; i++)
		buf_format(&text, "%llu\n", (unsigned long long)mounts->ids[i]);
	r = io_replace_file(dir_fd, STATE_MOUNTS_NAME, text.data, text.len, STATE_FILE_MODE);
	return r < 0 ? err_system(err, r, "cannot write the list of mounts of the container") : 0;
}

void state_mounts_add(struct state_mounts *mounts, uint64_t id)
{
	mounts->ids = mem_resize(mounts->ids, (mounts->count + 1) * sizeof *mounts->ids);
	mounts->ids[mounts->count++] = id;
}

void state_mounts_drop(struct state_mounts *mounts, uint64_t id)
{
	size_t count = 0;

	for (size_t i = 0; i < mounts->count; i++)
		if (mounts->ids[i] != id)
			mounts->ids[count++] = mounts->ids[i];
	mounts->count = count;
}

void state_mounts_done(struct state_mounts *mounts)
{
	mem_free(&mounts->ids);
	mounts->count = 0;
}
