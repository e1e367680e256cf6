/* SPDX-License-Identifier: Apache-2.0 */
/* Parses flags and operands by tables. */
#include "options.h"

#include <errno.h>
#include <string.h>

#define NUMBER_MAX 65536 /* every number is a count of descriptors */

struct match {
	const struct option_row *row;
	void *values;
	const char *value; /* after "=", or NULL */
};

static bool is_name(const struct option_row *row, const char *text, size_t len)
{
	return (strlen(row->name) == len && strncmp(row->name, text, len) == 0) ||
	       (len == 1 && row->letter == text[0]);
}

static bool find_in(const struct option_row *rows, void *values, const char *text, struct match *ret)
{
	size_t len = strcspn(text, "=");

	for (; rows != NULL && rows->name != NULL; rows++) {
		if (rows->kind == OPTION_DASHED || !is_name(rows, text, len))
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

static int store_flag(const struct match *match, struct err *err)
{
	bool *flag = (bool *)((char *)match->values + match->row->offset);

	if (match->value == NULL || str_equal(match->value, "true") || str_equal(match->value, "1"))
		*flag = true;
	else if (str_equal(match->value, "false") || str_equal(match->value, "0"))
		*flag = false;
	else
		return err_set(err, ERR_USAGE, 0, NULL,
			       "invalid value '%s' for flag --%s: must be true or false", match->value,
			       match->row->name);
	return 0;
}

static void append(struct option_list *list, const char *value, struct arena *arena)
{
	char **v = arena_alloc(arena, (list->count + 2) * sizeof *v);

	for (size_t i = 0; i < list->count; i++)
		v[i] = list->v[i];
	v[list->count++] = (char *)(uintptr_t)value;
	list->v = v;
}

static int store(const struct option_tables *tables, const struct match *match, const char *value,
		 struct err *err)
{
	char *target = (char *)match->values + match->row->offset;
	uint64_t number;

	if (match->row->kind == OPTION_TEXT || match->row->kind == OPTION_DASHED) {
		*(const char **)(void *)target = value;
		return 0;
	}
	if (match->row->kind == OPTION_LIST) {
		append((struct option_list *)(void *)target, value, tables->arena);
		return 0;
	}
	if (!str_to_u64(value, NUMBER_MAX, &number))
		return err_set(err, ERR_USAGE, 0, NULL,
			       "invalid value '%s' for flag --%s: must be a number from 0 to %d", value,
			       match->row->name, NUMBER_MAX);
	*(uint32_t *)(void *)target = (uint32_t)number;
	return 0;
}

/* Parses one option at argv[0]. Returns the number of arguments that it consists of, 1 or 2, or -errno. */
static int parse_option(const struct option_tables *tables, char **argv, struct err *err)
{
	const char *text = argv[0] + 1;
	struct match match;
	int r;

	text += *text == '-';
	if (!find_in(tables->own, tables->own_values, text, &match) &&
	    !find_in(tables->global, tables->global_values, text, &match) &&
	    !find_dashed(tables, argv[0], &match))
		return err_set(err, ERR_USAGE, 0, NULL, "unknown flag '%s' (see --help)", argv[0]);
	if (match.row->kind == OPTION_FLAG) {
		r = store_flag(&match, err);
		return r < 0 ? r : 1;
	}
	if (match.value != NULL) {
		r = store(tables, &match, match.value, err);
		return r < 0 ? r : 1;
	}
	if (argv[1] == NULL)
		return err_set(err, ERR_USAGE, 0, NULL, "flag needs an argument: --%s", match.row->name);
	r = store(tables, &match, argv[1], err);
	return r < 0 ? r : 2;
}

int options_parse(const struct option_tables *tables, char **argv, const char **operands, size_t max,
		  size_t *ret_count, struct err *err)
{
	bool is_ended = false;
	size_t count = 0;

	while (*argv != NULL) {
		int taken = 1;

		if (!is_ended && str_equal(*argv, "--")) {
			is_ended = true;
		} else if (!is_ended && (*argv)[0] == '-' && (*argv)[1] != '\0') {
			taken = parse_option(tables, argv, err);
			if (taken < 0)
				return taken;
		} else if (count == max) {
			return err_set(err, ERR_USAGE, 0, NULL, "too many arguments: '%s'", *argv);
		} else {
			operands[count++] = *argv;
			is_ended = is_ended || tables->is_stopping;
			if (tables->ret_rest != NULL) {
				*tables->ret_rest = argv + 1;
				break;
			}
		}
		argv += taken;
	}
	*ret_count = count;
	return 0;
}

void options_help(const struct option_row *rows, struct buf *out)
{
	for (; rows != NULL && rows->name != NULL; rows++) {
		char left[64];
		int len;

		len = str_format(left, sizeof left, "      --%s %s", rows->name,
				 rows->argument == NULL ? "" : rows->argument);
		if (rows->kind == OPTION_DASHED)
			len = str_format(left, sizeof left, "  -%s", rows->name);
		if (rows->letter != 0)
			len = str_format(left, sizeof left, "  -%c, --%s %s", rows->letter, rows->name,
					 rows->argument == NULL ? "" : rows->argument);
		buf_add_str(out, left);
		for (; len < 34; len++)
			buf_add(out, " ", 1);
		buf_format(out, " %s\n", rows->help);
	}
}
