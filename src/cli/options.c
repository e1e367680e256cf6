/* SPDX-License-Identifier: Apache-2.0 */
/* Parses flags and operands by tables. */
#include "options.h"

#include <string.h>

#define COUNT_MAX 65536
#define COUNT_RANGE "a number from 0 to 65536"

struct match {
	const struct option_row *row;
	void *values;
	const char *value; /* NULL: none, of a row without an argument */
};

/* --- finding the row --- */

static bool is_name(const struct option_row *row, const char *text, size_t len)
{
	return (strlen(row->name) == len && strncmp(row->name, text, len) == 0) ||
	       (len == 1 && row->letter == text[0]);
}

static void *member(const struct option_row *row, void *values)
{
	return (char *)values + row->offset;
}

static bool find_in(const struct option_row *rows, void *values, const char *text, struct match *ret)
{
	size_t len = strcspn(text, "=");

	for (; rows != NULL && rows->name != NULL; rows++) {
		if (rows->kind == OPTION_TABLE && find_in(rows->rows, member(rows, values), text, ret))
			return true;
		if (rows->kind == OPTION_TABLE || rows->kind == OPTION_DASHED || !is_name(rows, text, len))
			continue;
		*ret = (struct match){rows, values, text[len] == '=' ? text + len + 1 : NULL};
		return true;
	}
	return false;
}

/* The row of kind OPTION_DASHED for an argument with a single dash that no other row matches. */
static bool find_dashed(const struct option_tables *tables, const char *argument, struct match *ret)
{
	const struct option_row *row = tables->own;

	while (row != NULL && row->name != NULL && row->kind != OPTION_DASHED)
		row++;
	if (row == NULL || row->name == NULL || argument[1] == '-')
		return false;
	*ret = (struct match){row, tables->own_values, argument + 1};
	return true;
}

/* Finds the option at argv[0]. Returns the number of arguments that it consists of, 1 or 2, or -errno. */
static int find(const struct option_tables *tables, char **argv, struct match *ret, struct err *err)
{
	const char *text = argv[0] + 1;

	text += *text == '-';
	if (!find_in(tables->own, tables->own_values, text, ret) &&
	    !find_in(tables->global, tables->global_values, text, ret) && !find_dashed(tables, argv[0], ret))
		return err_set(err, ERR_USAGE, 0, NULL, "unknown flag '%s' (see --help)", argv[0]);
	if (ret->row->argument == NULL || ret->value != NULL)
		return 1;
	if (argv[1] == NULL)
		return err_set(err, ERR_USAGE, 0, NULL, "flag needs an argument: --%s", ret->row->name);
	ret->value = argv[1];
	return 2;
}

/* --- storing the value --- */

static int wrong_value(const struct match *match, const char *wanted, struct err *err)
{
	return err_set(err, ERR_USAGE, 0, NULL, "invalid value '%.100s' for flag --%s: must be %s",
		       match->value, match->row->name, wanted);
}

static int store_flag(const struct match *match, bool *flag, struct err *err)
{
	if (match->value == NULL || str_equal(match->value, "true") || str_equal(match->value, "1"))
		*flag = true;
	else if (str_equal(match->value, "false") || str_equal(match->value, "0"))
		*flag = false;
	else
		return wrong_value(match, "true or false", err);
	return 0;
}

static int store_count(const struct match *match, uint32_t *count, struct err *err)
{
	uint64_t number;

	if (!str_to_u64(match->value, COUNT_MAX, &number))
		return wrong_value(match, COUNT_RANGE, err);
	*count = (uint32_t)number;
	return 0;
}

static int store_integer(const struct match *match, struct option_integer *integer, struct err *err)
{
	bool is_negative = match->value[0] == '-';
	uint64_t number;

	if (!str_to_u64(match->value + is_negative, INT64_MAX, &number))
		return wrong_value(match, "a number", err);
	*integer = (struct option_integer){true, is_negative ? -(int64_t)number : (int64_t)number};
	return 0;
}

static int store_bytes(const struct match *match, struct option_integer *bytes, struct err *err)
{
	if (!value_size(match->value, &bytes->value))
		return wrong_value(match, "a size such as 512m, or -1", err);
	bytes->is_set = true;
	return 0;
}

static int store(const struct match *match, struct arena *arena, struct err *err)
{
	void *target = member(match->row, match->values);

	switch (match->row->kind) {
	case OPTION_FLAG:
		return store_flag(match, target, err);
	case OPTION_TEXT:
	case OPTION_DASHED:
		*(const char **)target = match->value;
		return 0;
	case OPTION_COUNT:
		return store_count(match, target, err);
	case OPTION_INTEGER:
		return store_integer(match, target, err);
	case OPTION_BYTES:
		return store_bytes(match, target, err);
	case OPTION_PARSED:
		return match->row->parse(match->value, target, arena, err);
	case OPTION_TABLE: /* find_in returns no such row */
		break;
	}
	return 0;
}

/* Parses the option at argv[0], and keeps the first error. Returns as find. */
static int parse_option(const struct option_tables *tables, char **argv, int *ret_first, struct err *err)
{
	struct match match;
	struct err ignored;
	int taken = find(tables, argv, &match, *ret_first < 0 ? &ignored : err), r = taken;

	if (taken >= 0)
		r = store(&match, tables->arena, *ret_first < 0 ? &ignored : err);
	if (*ret_first == 0 && r < 0)
		*ret_first = r;
	return taken;
}

int options_parse(const struct option_tables *tables, char **argv, const char **operands, size_t max,
		  size_t *ret_count, struct err *err)
{
	bool is_ended = false, is_unknown = false;
	int first = 0; /* the first error */

	*ret_count = 0;
	while (*argv != NULL) {
		int taken = 1;

		if (!is_ended && str_equal(*argv, "--")) {
			is_ended = true;
		} else if (!is_ended && (*argv)[0] == '-' && (*argv)[1] != '\0') {
			taken = parse_option(tables, argv, &first, err);
			is_unknown |= taken < 0;
		} else if (is_unknown) {
			/* It may be the value of that flag, or of the other program. */
			if (tables->ret_rest != NULL)
				break;
		} else if (*ret_count < max) {
			operands[(*ret_count)++] = *argv;
			if (tables->ret_rest != NULL) {
				*tables->ret_rest = argv + 1;
				break;
			}
		} else if (first == 0) {
			first = err_set(err, ERR_USAGE, 0, NULL, "too many arguments: '%s'", *argv);
		}
		argv += taken < 0 ? 1 : taken;
	}
	return first;
}

/* The array doubles, so it is full whenever count is a power of two. */
void *options_grow(struct arena *arena, const void *v, size_t count, size_t element_size)
{
	void *grown;

	if (count > 0 && (count & (count - 1)) != 0)
		return (void *)(uintptr_t)v;
	grown = arena_alloc(arena, (count == 0 ? 1 : 2 * count) * element_size);
	if (count > 0)
		memcpy(grown, v, count * element_size);
	return grown;
}

/* --- help --- */

static void help_row(const struct option_row *row, struct buf *out)
{
	const char *argument = row->argument == NULL ? "" : row->argument;
	char left[64];
	int len;

	if (row->kind == OPTION_DASHED)
		len = str_format(left, sizeof left, "  -%s", row->name);
	else if (row->letter != 0)
		len = str_format(left, sizeof left, "  -%c, --%s %s", row->letter, row->name, argument);
	else
		len = str_format(left, sizeof left, "      --%s %s", row->name, argument);
	buf_add_str(out, left);
	for (; len < 34; len++)
		buf_add(out, " ", 1);
	buf_format(out, " %s\n", row->help);
}

void options_help(const struct option_row *rows, struct buf *out)
{
	for (; rows != NULL && rows->name != NULL; rows++) {
		if (rows->kind == OPTION_TABLE)
			options_help(rows->rows, out);
		else
			help_row(rows, out);
	}
}
