/* SPDX-License-Identifier: Apache-2.0 */
/* Translates limits of a cgroup, and annotations, to properties of a systemd unit. Process: the parent. */
#include <string.h>

#include "builder.h"
#include "unit.h"

#define BLANKS " \t\n\v\f\r"

#define INFINITE "18446744073709551615"

struct sink {
	struct plan_cpu *cpu;
	plan_property on_property;
	void *context;
};

/* --- limits --- */

static void add_number(const struct sink *sink, const char *name, uint64_t number)
{
	char text[24];

	str_format(text, sizeof text, "%llu", (unsigned long long)number);
	sink->on_property(sink->context, name, "?t", text);
}

/* Whether value is "max", perhaps with blanks around it. */
static bool is_max(const char *value)
{
	value += strspn(value, BLANKS);
	if (strcspn(value, BLANKS) != 3 || !str_has_prefix(value, "max"))
		return false;
	value += strcspn(value, BLANKS);
	return value[strspn(value, BLANKS)] == '\0';
}

static bool add_limit(const struct sink *sink, const char *name, const char *value)
{
	uint64_t number;

	if (is_max(value)) {
		sink->on_property(sink->context, name, "?t", INFINITE);
		return true;
	}
	if (!number_parse(value, &number))
		return false;
	add_number(sink, name, number);
	return true;
}

/* The minimum of TasksMax is 1. */
static bool add_tasks(const struct sink *sink, const char *name, const char *value)
{
	uint64_t number;

	return add_limit(sink, name, number_parse(value, &number) && number == 0 ? "1" : value);
}

/*
 * Copies the next word, ended by a blank, and advances *at past it; false if there is none or it does not fit.
 */
static bool copy_word(const char **at, char *ret, size_t size)
{
	size_t len;

	*at += strspn(*at, " \t\n");
	len = strcspn(*at, " \t\n");
	str_format(ret, size, "%.*s", (int)len, *at);
	*at += len;
	return len > 0 && len < size;
}

/*
 * "QUOTA PERIOD" or "max PERIOD" in microseconds; without a period the kernel keeps the current one. systemd
 * stores the quota per second, in steps of 10 ms: it is rounded up, so that a reload of systemd never reduces
 * the limit.
 */
static bool add_bandwidth(const struct sink *sink, const char *name, const char *value)
{
	char quota_text[24], period_text[24];
	uint64_t quota = 0, period = sink->cpu->period;
	bool is_limited;

	if (!copy_word(&value, quota_text, sizeof quota_text))
		return false;
	is_limited = !str_equal(quota_text, "max");
	if (is_limited && !str_to_u64(quota_text, UINT64_MAX / 1000000, &quota))
		return false;
	if (copy_word(&value, period_text, sizeof period_text) &&
	    (!str_to_u64(period_text, UINT32_MAX, &period) || period == 0))
		return false;
	if (value[strspn(value, BLANKS)] != '\0')
		return false;
	sink->cpu->period = period;
	if (is_limited)
		add_number(sink, name, (quota * 1000000 / period + 9999) / 10000 * 10000);
	else
		sink->on_property(sink->context, name, "?t", INFINITE);
	add_number(sink, "CPUQuotaPeriodUSec", period);
	return true;
}

static bool is_one(const char *value)
{
	uint64_t number;

	return number_parse(value, &number) && number == 1;
}

static bool add_idle(const struct sink *sink, const char *name, const char *value)
{
	/*
	 * The kernel resets the weight of a cgroup that was idle; a weight in the configuration is a later
	 * write.
	 */
	add_number(sink, name, is_one(value) ? 0 : sink->cpu->weight);
	return true;
}

/* The kernel's weights for nice -20 to 19, with 1024 for nice 0; cpu.weight has 100 for it. */
static bool add_nice(const struct sink *sink, const char *name, const char *value)
{
	static const uint32_t weights[] = {
		88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904,
		3906,  3121,  2501,  1991,  1586,  1277,  1024,  820,   655,   526,   423,  335,  272,  215,
		172,   137,   110,   87,    70,    56,    45,    36,    29,    23,    18,   15,
	};
	bool is_negative;
	uint64_t nice;

	value += strspn(value, BLANKS);
	is_negative = value[0] == '-';
	if (!number_parse(value + is_negative, &nice) || nice > (is_negative ? 20 : 19))
		return false;
	add_number(sink, name, (weights[is_negative ? 20 - nice : 20 + nice] * 100ULL + 512) / 1024);
	return true;
}

/* "N" or "default N"; systemd does not change the weight of a single device ("8:0 200"). */
static bool add_io_weight(const struct sink *sink, const char *name, const char *value)
{
	if (strchr(value, ':') != NULL)
		return true;
	value += str_has_prefix(value, "default ") ? strlen("default ") : 0;
	/*
	 * The kernel parses this file as decimal, unlike the others (block/blk-iocost.c, ioc_weight_write):
	 * skip leading zeros, which number_parse reads as octal.
	 */
	while (value[0] == '0' && value[1] >= '0' && value[1] <= '9')
		value++;
	return add_limit(sink, name, value);
}

#define SET_BYTES 1024 /* 8192 cpus, the maximum of Linux */

/* A list of numbers and ranges as a bit array, the lowest bit first (systemd: CPUSet). */
static bool add_set(const struct sink *sink, const char *name, const char *value)
{
	char text[2 * SET_BYTES + 1];
	uint64_t words[SET_BYTES / 8] = {0};
	size_t count = 0;

	/* An empty list means those of the parent cgroup. */
	if (value[strspn(value, BLANKS)] != '\0' && spec_list_mask(value, words, ARRAY_SIZE(words)) < 0)
		return false;
	for (size_t i = 0; i < SET_BYTES; i++)
		if (words[i / 8] >> (i % 8 * 8) & 0xff)
			count = i + 1;
	for (size_t i = 0; i < count; i++) {
		unsigned int byte = words[i / 8] >> (i % 8 * 8) & 0xff;

		text[2 * i] = "0123456789abcdef"[byte >> 4];
		text[2 * i + 1] = "0123456789abcdef"[byte & 15];
	}
	text[2 * count] = '\0';
	sink->on_property(sink->context, name, "?ay", text);
	return true;
}

/* systemd 253 and newer; it can only be set when the unit is created. */
static bool add_oom_policy(const struct sink *sink, const char *name, const char *value)
{
	sink->on_property(sink->context, name, "?s", is_one(value) ? "kill" : "continue");
	return true;
}

/* systemd 256 and newer. The kernel only accepts 0 and 1. */
static bool add_bool(const struct sink *sink, const char *name, const char *value)
{
	uint64_t number;

	if (!number_parse(value, &number) || number > 1)
		return false;
	sink->on_property(sink->context, name, "?b", number == 1 ? "true" : "false");
	return true;
}

bool property_limit(const struct unit_write *write, struct plan_cpu *cpu, plan_property on_property,
		    void *context)
{
	static const struct {
		const char *file, *name;
		bool (*add)(const struct sink *sink, const char *name, const char *value);
	} rows[] = {
		{"memory.max", "MemoryMax", add_limit},
		{"memory.high", "MemoryHigh", add_limit},
		{"memory.low", "MemoryLow", add_limit},
		{"memory.min", "MemoryMin", add_limit},
		{"memory.swap.max", "MemorySwapMax", add_limit},
		{"memory.zswap.max", "MemoryZSwapMax", add_limit},
		{"memory.zswap.writeback", "MemoryZSwapWriteback", add_bool},
		{"memory.oom.group", "OOMPolicy", add_oom_policy},
		{"pids.max", "TasksMax", add_tasks},
		{"cpu.weight", "CPUWeight", add_limit},
		{"cpu.weight.nice", "CPUWeight", add_nice},
		{"cpu.idle", "CPUWeight", add_idle},
		{"cpu.max", "CPUQuotaPerSecUSec", add_bandwidth},
		{"cpuset.cpus", "AllowedCPUs", add_set},
		{"cpuset.mems", "AllowedMemoryNodes", add_set},
		{"io.weight", "IOWeight", add_io_weight},
	};
	const struct sink sink = {cpu, on_property, context};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (str_equal(write->file, rows[i].file))
			return rows[i].add(&sink, rows[i].name, write->value);
	return true;
}

/* --- annotations --- */

/* Parses 'text' or "text", in which \ escapes the next character; advances *at past it. */
static bool parse_string(const char **at, struct buf *out)
{
	const char *c = *at, quote = *c;

	if (quote != '\'' && quote != '"')
		return false;
	for (c++; *c != quote; c++) {
		if (*c == '\\')
			c++;
		if (*c == '\0' || *c == '\n')
			return false;
		buf_add(out, c, 1);
	}
	*at = c + 1;
	return true;
}

/*
 * Whether value has an escape of GVariant other than of a quote or backslash, such as \n or \u0041: those stand
 * for another character than the one after the backslash.
 */
static bool has_other_escape(const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value != '\\')
			continue;
		value++;
		if (*value == '\0' || strchr("\\'\"", *value) == NULL)
			return true;
	}
	return false;
}

static void skip_blanks(const char **at)
{
	*at += strspn(*at, " \t");
}

/* Parses "['a', 'b']"; appends each string and a line feed to out. */
static bool parse_strings(const char *at, struct buf *out)
{
	at++;
	skip_blanks(&at);
	while (*at != ']') {
		if (!parse_string(&at, out))
			return false;
		buf_add_str(out, "\n");
		skip_blanks(&at);
		if (*at == ',')
			at++;
		else if (*at != ']')
			return false;
		skip_blanks(&at);
	}
	return at[1] == '\0';
}

static bool is_digits(const char *text)
{
	text += text[0] == '-';
	return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/*
 * Type of "TYPE NUMBER", or of a number without a type, which is an int32 (GVariant text format); advances
 * *value to the number. NULL if it is neither.
 */
static const char *number_type(const char **value)
{
	static const struct {
		const char *word, *type;
	} rows[] = {{"uint64 ", "t"}, {"uint32 ", "u"}, {"int64 ", "x"}, {"int32 ", "i"}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!str_has_prefix(*value, rows[i].word))
			continue;
		*value += strlen(rows[i].word);
		skip_blanks(value);
		return is_digits(*value) ? rows[i].type : NULL;
	}
	return is_digits(*value) ? "i" : NULL;
}

/* Whether the number fits its type: a larger one would wrap around. */
static bool is_in_range(const char *type, const char *value)
{
	bool is_negative = value[0] == '-';
	uint64_t max, number;

	switch (type[0]) {
	case 't':
		max = UINT64_MAX;
		break;
	case 'u':
		max = UINT32_MAX;
		break;
	case 'x':
		max = (uint64_t)INT64_MAX + is_negative;
		break;
	default:
		max = (uint64_t)INT32_MAX + is_negative;
	}
	if (is_negative && (type[0] == 't' || type[0] == 'u'))
		return false;
	return str_to_u64(value + is_negative, max, &number);
}

/*
 * systemd's bus properties have microseconds: NAMESec becomes NAMEUSec, if a lower-case letter precedes "Sec",
 * as in TimeoutStopSec.
 */
static bool is_seconds(const char *name)
{
	size_t len = strlen(name);

	return len > 3 && str_equal(name + len - 3, "Sec") && name[len - 4] >= 'a' && name[len - 4] <= 'z';
}

static const char *add_seconds(const struct sink *sink, const char *name, const char *value)
{
	_cleanup_free_ char *micro = mem_format("%.*sUSec", (int)strlen(name) - 3, name);
	const char *number = value, *type = number_type(&number);
	char text[24];
	uint64_t seconds;

	if (type == NULL || !str_to_u64(number, UINT64_MAX / 1000000, &seconds))
		return "the value is not a number of seconds";
	str_format(text, sizeof text, "%llu", (unsigned long long)(seconds * 1000000));
	sink->on_property(sink->context, micro, "t", text);
	return NULL;
}

static bool is_name(const char *name)
{
	size_t len = 0;

	for (; *name != '\0'; name++, len++)
		if (!((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z')))
			return false;
	return len >= 3;
}

const char *property_annotation(const char *name, const char *value, plan_property on_property, void *context)
{
	static const char syntax[] = "the value is not GVariant text: true, 'text', uint64 5, ['a', 'b']";
	const struct sink sink = {NULL, on_property, context};
	_cleanup_buf_ struct buf text = {0};
	const char *at = value, *type;

	if (!is_name(name))
		return "its name must be three or more letters";
	if (is_seconds(name))
		return add_seconds(&sink, name, value);
	if (str_equal(value, "true") || str_equal(value, "false")) {
		on_property(context, name, "b", value);
		return NULL;
	}
	if (has_other_escape(value))
		return "the value has a backslash before a character other than a quote or backslash";
	buf_add_str(&text, "");
	if (value[0] == '[') {
		if (!parse_strings(value, &text))
			return syntax;
		on_property(context, name, "as", text.data);
		return NULL;
	}
	if (parse_string(&at, &text)) {
		if (*at != '\0')
			return syntax;
		on_property(context, name, "s", text.data);
		return NULL;
	}
	type = number_type(&at);
	if (type == NULL)
		return syntax;
	if (!is_in_range(type, at))
		return "the number is out of its type's range";
	on_property(context, name, type, at);
	return NULL;
}
