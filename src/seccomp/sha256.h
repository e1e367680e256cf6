/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4, section 6.2). Private to the room. */
#ifndef TARE_SECCOMP_SHA256_H
#define TARE_SECCOMP_SHA256_H

#include <tare/base.h>

struct sha256 {
	uint32_t state[8];
	uint64_t size; /* bytes so far */
	unsigned char block[64];
};
void sha256_begin(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *data, size_t size);
void sha256_end(struct sha256 *hash, unsigned char ret[32]);

#endif
