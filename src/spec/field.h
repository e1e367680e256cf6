/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables that describe JSON objects: which parser converts which key into which member of a struct.
 *
 * No function here returns an error. A wrong value is reported with reader_refuse, its target is not changed,
 * and reading continues, so that one pass finds all errors. Keys without a row are ignored, as runtime-spec
 * requires, and only reported as notes; an explicit null is the same as an absent key.
 */
#ifndef TARE_SPEC_FIELD_H
#define TARE_SPEC_FIELD_H

#include <tare/spec.h>

#include "dom.h"

struct table;

struct reader { /* one conversion of a document */
	struct spec *spec;
	struct arena *arena;   /* of data in the spec */
	struct arena *scratch; /* of data that is freed after the conversion */
	spec_finding on_finding;
	void *context;
	int findings, max_findings; /* findings above the maximum are counted and not reported */
	int notes_left;             /* how many more unknown keys may be reported */
	bool is_warning;            /* reports them as warnings, not as findings of kind ERR_NONE */
	size_t warning_cap;
	bool has_bad_namespaces; /* skip the rules about namespaces, which would repeat that */
};

/* Reports a finding about node to on_finding. hint may be NULL. */
void reader_refuse(struct reader *reader, const struct dom_node *node, const char *fmt, ...) FORMAT(3, 4);
void reader_refuse_hint(struct reader *reader, const struct dom_node *node, const char *hint, const char *fmt,
			...) FORMAT(4, 5);
/* Reports a finding about the member key of object, which need not exist. */
void reader_refuse_key(struct reader *reader, const struct dom_node *object, const char *key, const char *fmt,
		       ...) FORMAT(4, 5);
/* nearest.c: the key of table with the smallest distance, which is at most a third of the letters; or NULL. */
const char *nearest_key(const char *key, const struct table *table);

/* Adds "POINTER: TEXT" to spec->warnings, and reports it as a note. */
void reader_warn(struct reader *reader, const struct dom_node *node, const char *fmt, ...) FORMAT(3, 4);

/* text in quotes for a message: shortened, control characters replaced by "?". Lives in reader->scratch. */
const char *reader_quote(struct reader *reader, const char *text);

/* Returns false and reports a finding if node has another type. */
bool reader_expect(struct reader *reader, const struct dom_node *node, enum dom_type type);

/* reader_int and reader_uint return false and report a finding unless node is an integer in the range. */
struct range {
	int64_t min;
	uint64_t max;
};
bool reader_int(struct reader *reader, const struct dom_node *node, struct range range, int64_t *ret);
bool reader_uint(struct reader *reader, const struct dom_node *node, struct range range, uint64_t *ret);

struct name {
	const char *name;
	uint64_t value;
};
struct name_table {
	const char *what; /* "unknown <what> 'x'" */
	const struct name *v;
	size_t count;
};
/* Converts a name to its value. Returns false and reports a finding if node is not a name of the table. */
bool reader_name(struct reader *reader, const struct dom_node *node, const struct name_table *names,
		 uint64_t *ret);

/*
 * Converts an array of strings to *ret. Each must pass check, unless check is NULL. Returns false, with *ret
 * unchanged, if one was refused.
 */
typedef bool (*string_check)(struct reader *reader, const struct dom_node *node, const void *detail);
bool reader_strings(struct reader *reader, const struct dom_node *node, string_check check, const void *detail,
		    struct spec_list *ret);

/* As spec_list_mask for a string. Adds a finding for -EINVAL; for -ERANGE the caller does what is needed. */
int reader_list(struct reader *reader, const struct dom_node *node, uint64_t *words, size_t count) MUST_CHECK;

/* For finding duplicates by sorting, because comparing all pairs is quadratic: by name, then by index. */
struct named {
	const char *name;
	size_t len, index;
	const struct dom_node *node;
};
void reader_named_sort(struct named *v, size_t count);
bool reader_named_equal(const struct named *a, const struct named *b);
/* Refuses each v[i].node with the name of an earlier one; sorts v. Messages: "<what> 'NAME' given twice". */
void reader_refuse_duplicates(struct reader *reader, struct named *v, size_t count, const char *what);

struct field;
/* target is the struct that the table describes, not the member. */
typedef void (*field_parser)(struct reader *reader, const struct dom_node *node, const struct field *field,
			     void *target);
struct field {
	const char *key;
	field_parser parse;
	size_t offset;
	size_t count_offset; /* of the number of elements, where offset is a pointer to the first */
	size_t set_offset;   /* of a bool that is set if the key exists; 0: none */
	bool is_required;
	struct range range; /* of numbers; both 0: the range of the target's type */
	const void *detail; /* struct table, struct name_table or text, depending on the parser */
};
struct table {
	const struct field *fields;
	size_t count;
	size_t size;       /* of an element, where the table describes the elements of an array */
	size_t key_offset; /* field_keyed: of the const char * for the element's key */
	/* Checks rules that concern several members. Called only if no member was refused. */
	void (*check)(struct reader *reader, const struct dom_node *node, void *target);
};
#define TABLE(fields_, ...)                                                                                    \
	{                                                                                                      \
		.fields = (fields_), .count = ARRAY_SIZE(fields_), __VA_ARGS__                                 \
	}
#define FIELD(key_, parser_, type_, member_, ...)                                                              \
	{                                                                                                      \
		.key = (key_), .parse = (parser_), .offset = offsetof(type_, member_), __VA_ARGS__             \
	}

/* Converts an object to target as the table describes. False if a value was refused. */
bool reader_object(struct reader *reader, const struct dom_node *node, const struct table *table, void *target);

/* --- parsers, with the type of the member that they set --- */
void field_bool(struct reader *, const struct dom_node *, const struct field *, void *);     /* bool */
void field_opt_bool(struct reader *, const struct dom_node *, const struct field *, void *); /* spec_bool */
void field_u16(struct reader *, const struct dom_node *, const struct field *, void *);
void field_u32(struct reader *, const struct dom_node *, const struct field *, void *);
void field_u64(struct reader *, const struct dom_node *, const struct field *, void *);
void field_i32(struct reader *, const struct dom_node *, const struct field *, void *);
void field_i64(struct reader *, const struct dom_node *, const struct field *, void *);
void field_opt_int(struct reader *, const struct dom_node *, const struct field *, void *);  /* spec_int */
void field_opt_uint(struct reader *, const struct dom_node *, const struct field *, void *); /* spec_uint */
void field_u32_array(struct reader *, const struct dom_node *, const struct field *, void *);
/* const char *; "" is refused by field_string, and means absent to field_text. */
void field_string(struct reader *, const struct dom_node *, const struct field *, void *);
void field_text(struct reader *, const struct dom_node *, const struct field *, void *);
void field_absolute(struct reader *, const struct dom_node *, const struct field *, void *); /* a path */
void field_cpu_list(struct reader *, const struct dom_node *, const struct field *,
		    void *);                                                             /* spec_list_mask */
void field_list(struct reader *, const struct dom_node *, const struct field *, void *); /* spec_list */
void field_absolute_list(struct reader *, const struct dom_node *, const struct field *, void *);
void field_name_list(struct reader *, const struct dom_node *, const struct field *, void *);
void field_map(struct reader *, const struct dom_node *, const struct field *, void *); /* spec_map */
void field_enum(struct reader *, const struct dom_node *, const struct field *,
		void *); /* any enum, int, u32 */
void field_flags32(struct reader *, const struct dom_node *, const struct field *, void *);
void field_flags64(struct reader *, const struct dom_node *, const struct field *, void *);
void field_object(struct reader *, const struct dom_node *, const struct field *, void *); /* a struct */
void field_array(struct reader *, const struct dom_node *, const struct field *, void *);  /* T *, count */
void field_keyed(struct reader *, const struct dom_node *, const struct field *, void *);  /* T *, count */

#endif
