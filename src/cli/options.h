/* SPDX-License-Identifier: Apache-2.0 */
/* options: parses flags and operands by tables. Private to the room. */
#ifndef TARE_CLI_OPTIONS_H
#define TARE_CLI_OPTIONS_H

#include <tare/base.h>

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_NUMBER, OPTION_LIST, OPTION_DASHED };

/* The values of a flag that may be repeated, in order; v lives in the arena of the tables. */
struct option_list {
	char **v;
	size_t count;
};

struct option_row {
	const char
		*name; /* without dashes; NULL ends a table; OPTION_DASHED: the name of the value in --help */
	char letter;   /* or 0 */
	enum option_kind kind;
	size_t offset; /* into the struct of values: bool, const char *, uint32_t or struct option_list */
	const char *argument, *help; /* argument: the name of the value in --help */
};

/* A command's own options take precedence over the global ones, which may stand anywhere. */
struct option_tables {
	const struct option_row *own;
	void *own_values;
	const struct option_row *global;
	void *global_values;
	bool is_stopping;    /* the first operand ends the options */
	char ***ret_rest;    /* or NULL */
	struct arena *arena; /* for OPTION_LIST */
};
/*
 * Parses argv, which ends with NULL. Options: "--name VALUE", "--name=VALUE", "-name VALUE" (some engines pass
 * long options with one dash), "-x VALUE", "--flag=false". OPTION_DASHED accepts any other text after a single
 * dash, such as "-9" of kill(1). "--" ends the options, and with is_stopping so does the first operand. With
 * ret_rest, parsing stops after the first operand, and *ret_rest points to the arguments after it.
 *
 * Stores at most max operands, and their number in *ret_count. Strings are not copied: they belong to argv.
 * Fails with ERR_USAGE for an unknown option, a wrong or missing value, or too many operands.
 */
int options_parse(const struct option_tables *tables, char **argv, const char **operands, size_t max,
		  size_t *ret_count, struct err *err) MUST_CHECK;

/* Appends a line of help for each row. rows may be NULL. */
void options_help(const struct option_row *rows, struct buf *out);

#endif
