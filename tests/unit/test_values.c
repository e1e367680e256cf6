/* SPDX-License-Identifier: Apache-2.0 */
/* Durations have the notation of Go's time.ParseDuration, sizes that of the engines' flags. */
#include "unit.h"

#include <tare/base.h>

static void test_durations(void)
{
	static const struct {
		const char *text;
		long long ns; /* -1: refused */
	} cases[] = {
		{"5s", 5000000000},
		{"1m30s", 90000000000},
		{"500ms", 500000000},
		{"1h0m0.5s", 3600500000000},
		{"1.5h", 5400000000000},
		{".5s", 500000000},
		{"5.s", 5000000000},
		{"250us", 250000},
		{"250\xc2\xb5s", 250000},
		{"7ns", 7},
		{"0", 0},
		{"0s", 0},
		{"0.0000000019s", 1},
		{"9223372036854775807ns", INT64_MAX},
		{"9223372036854775808ns", -1},
		{"9223372036s1s", -1},
		{"300000000h", -1},
		{"99999999999999999999s", -1},
		{"", -1},
		{"5", -1},
		{"s", -1},
		{".s", -1},
		{"5 s", -1},
		{"-5s", -1},
		{"5s ", -1},
		{"1..5s", -1},
		{"5d", -1},
		{"5S", -1},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t ns = -7;
		bool is_good = value_duration(cases[i].text, &ns);

		if (!CHECK(is_good == (cases[i].ns >= 0)) || !CHECK_INT(ns, is_good ? cases[i].ns : -7))
			fprintf(stderr, "  of '%s'\n", cases[i].text);
	}
}

static void test_sizes(void)
{
	static const struct {
		const char *text;
		long long bytes; /* -2: refused */
	} cases[] = {
		{"0", 0},
		{"4096", 4096},
		{"-1", -1},
		{"1k", 1024},
		{"1K", 1024},
		{"10kb", 10240},
		{"10KiB", 10240},
		{"512m", 536870912},
		{"1.5g", 1610612736},
		{"2t", 2199023255552},
		{"0.0009076590765651t", 997981708},
		{"1p", 1125899906842624},
		{"7b", 7},
		{"8191p", 9222246136947933184},
		{"8192p", -2},
		{"9223372036854775807", INT64_MAX},
		{"9223372036854775808", -2},
		{"", -2},
		{"-2", -2},
		{"-1k", -2},
		{"k", -2},
		{"1kk", -2},
		{"1i", -2},
		{"1ib", -2},
		{"1 k", -2},
		{"0x10", -2},
		{"max", -2},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t bytes = -7;
		bool is_good = value_size(cases[i].text, &bytes);

		if (!CHECK(is_good == (cases[i].bytes >= -1)) ||
		    !CHECK_INT(bytes, is_good ? cases[i].bytes : -7))
			fprintf(stderr, "  of '%s'\n", cases[i].text);
	}
}

static void test_seconds(void)
{
	int64_t ns = -7;

	CHECK(value_seconds("2", &ns) && ns == 2000000000);
	CHECK(value_seconds("0.25", &ns) && ns == 250000000);
	CHECK(value_seconds("0", &ns) && ns == 0);
	CHECK(value_seconds("1.5s", &ns) && ns == 1500000000);
	CHECK(value_seconds("500ms", &ns) && ns == 500000000);
	CHECK(!value_seconds("", &ns) && !value_seconds("-1", &ns) && !value_seconds("1x", &ns) &&
	      !value_seconds("9223372037", &ns) && !value_seconds("inf", &ns));
	CHECK_INT(ns, 500000000);
}

static void test_signals(void)
{
	CHECK_INT(signal_number("9"), 9);
	CHECK_INT(signal_number("KILL"), 9);
	CHECK_INT(signal_number("sigterm"), 15);
	CHECK_INT(signal_number("IOT"), 6);
	CHECK_INT(signal_number("RTMAX"), 64);
	CHECK_INT(signal_number("0"), 0);
	CHECK_INT(signal_number("65"), -1);
	CHECK_INT(signal_number("TERMINATE"), -1);
	for (int i = 1; i < 32; i++)
		CHECK_INT(signal_number(signal_name(i)), i);
	CHECK(str_equal(signal_name(6), "ABRT") && str_equal(signal_name(17), "CHLD"));
	CHECK(signal_name(0) == NULL && signal_name(40) == NULL);
}

int main(void)
{
	test_durations();
	test_seconds();
	test_signals();
	test_sizes();
	UNIT_MAIN_END;
}
