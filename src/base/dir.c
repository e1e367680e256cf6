/* SPDX-License-Identifier: Apache-2.0 */
/* Lists a directory without the C library. */
#include <tare/base.h>

int dir_next(struct dir_reader *reader, const struct dir_entry **ret)
{
	for (;;) {
		const struct dir_entry *entry;

		if (reader->at >= reader->len) {
			reader->at = 0;
			reader->len = k_getdents64(reader->fd, reader->block, reader->size);
			if (reader->len <= 0)
				return reader->len;
		}
		entry = (const struct dir_entry *)(const void *)(reader->block + reader->at);
		reader->at += entry->size;
		if (str_equal(entry->name, ".") || str_equal(entry->name, ".."))
			continue;
		*ret = entry;
		return 1;
	}
}
