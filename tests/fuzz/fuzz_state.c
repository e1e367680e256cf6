/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a container's record. An accepted record is written and read again without a change. */
#include <stdlib.h>
#include <string.h>

#include <tare/state.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_record_ struct state_record record = {0}, again = {0};
	_cleanup_buf_ struct buf text = {0}, second = {0};
	struct err err = {0};

	if (state_parse((const char *)data, size, &record, &err) < 0) {
		if (err.kind != ERR_STATE || err.msg[0] == '\0' || record.id != NULL ||
		    record.config_inside != 0)
			abort();
		return 0;
	}
	if (state_check_id(record.id, &err) < 0 || record.bundle[0] != '/')
		abort();
	state_format(&record, &text);
	if (state_parse(text.data, text.len, &again, &err) < 0)
		abort();
	state_format(&again, &second);
	if (text.len != second.len || memcmp(text.data, second.data, text.len) != 0)
		abort();
	return 0;
}
