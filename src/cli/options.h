/* SPDX-License-Identifier: Apache-2.0 */
/* options: parses flags and operands by tables. Private to the room. */
#ifndef TARE_CLI_OPTIONS_H
#define TARE_CLI_OPTIONS_H

#include <tare/base.h>

/* What an option stores in the member at its offset. */
enum option_kind {
	OPTION_FLAG,    /* bool */
	OPTION_TEXT,    /* const char * */
	OPTION_COUNT,   /* uint32_t, a number of descriptors */
	OPTION_INTEGER, /* struct option_integer */
	OPTION_BYTES,   /* struct option_integer, from a size such as 512m or -1 */
	OPTION_PARSED,  /* what parse stores */
	OPTION_DASHED,  /* const char *, for any text after a single dash that no other row matches */
	OPTION_TABLE,   /* the rows of another table, for a struct at the offset */
};

struct option_integer {
	bool is_set;
	int64_t value;
};

/*
 * Parses the value of an option and stores it in *target, at the offset of its row. text is NULL if the option
 * has no value. Memory is from arena. Fails with ERR_USAGE; the error names the flag.
 */
typedef int (*option_parse)(const char *text, void *target, struct arena *arena, struct err *err);

/* An option: its row is the only place that names it. */
struct option_row {
	/* Without dashes; NULL ends a table. OPTION_DASHED: the name of the value in --help. */
	const char *name;
	char letter; /* or 0 */
	enum option_kind kind;
	size_t offset;                 /* into the struct that the command's function takes */
	const char *argument, *help;   /* argument: the name of the value in --help; NULL: only "=" adds one */
	const char *key;               /* for the use of the command, or NULL */
	option_parse parse;            /* OPTION_PARSED */
	const struct option_row *rows; /* OPTION_TABLE */
};

/* A command's own options take precedence over the global ones, which may stand anywhere. */
struct option_tables {
	const struct option_row *own;
	void *own_values;
	const struct option_row *global;
	void *global_values;
	char ***ret_rest; /* or NULL */
	struct arena *arena;
};
/*
 * Parses argv, which ends with NULL. Options: "--name VALUE", "--name=VALUE", "-name VALUE" (some engines pass
 * long options with one dash), "-x VALUE", "--flag=false". OPTION_DASHED accepts text such as "-9" of kill(1).
 * If an option is repeated, the last value counts, unless its parse function collects the values. "--" ends the
 * options. With ret_rest, parsing stops after the first operand, and *ret_rest points to the arguments after
 * it.
 *
 * Stores at most max operands, and their number in *ret_count. Strings are not copied: they belong to argv.
 * Fails with ERR_USAGE for an unknown option, a wrong or missing value, or too many operands. The error is the
 * first one. Parsing continues after it, so that the operands and the other values are stored for the error's
 * report; after an unknown option, which may have a value, no more operands are stored.
 */
int options_parse(const struct option_tables *tables, char **argv, const char **operands, size_t max,
		  size_t *ret_count, struct err *err) MUST_CHECK;

/*
 * For parse functions that collect values: an array with the count elements of v and room for one more. v is
 * NULL or the result of the call before, and is returned if it has room.
 */
void *options_grow(struct arena *arena, const void *v, size_t count, size_t element_size);

/* Appends a line of help for each row. rows may be NULL. */
void options_help(const struct option_row *rows, struct buf *out);

#endif
