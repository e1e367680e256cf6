/* SPDX-License-Identifier: Apache-2.0 */
/* A fast checksum against damage. */
#include <string.h>

#include <tare/base.h>

/* For a given word this is a bijection of the sum, so a change of a single word always changes the result. */
static uint64_t add_word(uint64_t sum, uint64_t word)
{
	sum = (sum ^ word) * UINT64_C(0x100000001b3);
	return sum ^ sum >> 29;
}

uint64_t sum_add(uint64_t sum, const void *data, size_t size)
{
	const unsigned char *at = data;
	uint64_t word;

	for (; size >= sizeof word; at += sizeof word, size -= sizeof word) {
		memcpy(&word, at, sizeof word);
		sum = add_word(sum, word);
	}
	if (size == 0)
		return sum;
	word = 0;
	memcpy(&word, at, size);
	return add_word(sum, word);
}
