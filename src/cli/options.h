/* SPDX-License-Identifier: Apache-2.0 */
/* The command line as tables. Private to the room. */
#ifndef TARE_CLI_OPTIONS_H
#define TARE_CLI_OPTIONS_H

#include <tare/base.h>

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_NUMBER, OPTION_LIST, OPTION_DASHED };

/* What a flag that may be repeated was given, in order; v lives in the arena of the tables. */
struct option_list {
	char **v;
	size_t count;
};

struct option_row {
	const char *name; /* without dashes; NULL ends a table; of OPTION_DASHED what --help calls the value */
	char letter;      /* or 0 */
	enum option_kind kind;
	size_t offset; /* into the struct that is filled: bool, const char *, uint32_t, struct option_list */
	const char *argument, *help; /* argument: what --help calls the value */
};

/*
 * An option of kind OPTION_DASHED is the text behind a single dash that is no other option's, as "-9" of
 * kill(1).
 *
 * Takes the options out of argv[*at] and on: "--name VALUE", "--name=VALUE", "-name VALUE" (long options with
 * one dash, as some engines send them), "-x VALUE", "--flag=false". "--" ends them. Operands are collected in
 * operands (at most max, else ERR_USAGE); if is_stopping, the first operand ends the options, too. Two tables:
 * the command's own and the global one, which may be given anywhere. *ret_count operands; argv's strings stay
 * argv's. With ret_rest, parsing ends behind the first operand and *ret_rest is what follows it.
 */
struct option_tables {
	const struct option_row *own;
	void *own_values;
	const struct option_row *global;
	void *global_values;
	bool is_stopping;
	char ***ret_rest;    /* or NULL */
	struct arena *arena; /* for OPTION_LIST */
};
int options_parse(const struct option_tables *tables, char **argv, const char **operands, size_t max,
		  size_t *ret_count, struct err *err) MUST_CHECK;

void options_help(const struct option_row *rows, struct buf *out);

#endif
