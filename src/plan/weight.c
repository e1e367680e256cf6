/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Converts weights of cgroup v1 to those of v2, in integers: the results are the same on every machine, and no
 * math library is needed. Runs in the parent.
 */
#include <tare/plan.h>

#define BITS 48 /* bits of the fraction */
#define ONE ((__int128)1 << BITS)

/*
 * log2(x) for x > 0, by squaring the mantissa: each square yields one bit of the result, 1 if it is 2 or more.
 */
static __int128 log2_fixed(uint64_t x)
{
	int shift = __builtin_clzll(x);
	uint64_t mantissa = x << shift; /* in [1, 2), 63 bits of fraction */
	__int128 log = (__int128)(63 - shift);

	for (int i = 0; i < BITS; i++) {
		unsigned __int128 square = (unsigned __int128)mantissa * mantissa; /* [1, 4), 126 bits */
		bool is_two = square >> 127 != 0;

		log = log * 2 + is_two;
		mantissa = (uint64_t)(square >> (is_two ? 64 : 63));
	}
	return log;
}

/* 612 * (e + 7/34) for weight = 10^e. */
static __int128 of_weight(uint32_t weight)
{
	return log2_fixed(weight) * 612 * ONE / log2_fixed(10) + 126 * ONE;
}

/* An upper bound of the rounding errors of the logarithms; 1, 1024 and 262144 shares have exact results. */
#define TOLERANCE (ONE >> 30)

uint32_t plan_cpu_weight(uint64_t shares)
{
	uint32_t low = 1, high = 10000;
	__int128 log, wanted;

	if (shares <= 2)
		return shares == 0 ? 0 : 1;
	if (shares >= 262144)
		return 10000;
	/* weight = ceil(10^((l^2 + 125 l) / 612 - 7/34)), l = log2(shares) */
	log = log2_fixed(shares);
	wanted = log * log / ONE + 125 * log;
	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (of_weight(middle) + TOLERANCE >= wanted)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

uint32_t plan_io_weight(uint64_t weight)
{
	return (uint32_t)(1 + (weight - 10) * 9999 / 990);
}
