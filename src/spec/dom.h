/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON text as a tree of nodes, for the row tables to walk.
 *
 * Stricter than RFC 8259 asks: UTF-8 must be valid, strings hold no NUL and no lone surrogate, no object has
 * a key twice, nesting and the number of values are limited. Numbers stay as they were written.
 */
#ifndef TARE_SPEC_DOM_H
#define TARE_SPEC_DOM_H

#include <tare/base.h>

/* 48 bytes a node: what the largest document may cost is bounded by this, not by SPEC_SIZE_MAX alone. */
#define DOM_VALUES_MAX (1u << 20)

enum dom_type {
	DOM_NULL,
	DOM_BOOL,
	DOM_NUMBER,
	DOM_STRING,
	DOM_ARRAY,
	DOM_OBJECT,
};

struct dom_node {
	const struct dom_node *parent; /* NULL: the whole document */
	const struct dom_node *next;   /* sibling, in the document's order */
	const char *key;               /* NULL unless the parent is an object */
	union {
		const char *text;             /* DOM_STRING, DOM_NUMBER */
		const struct dom_node *first; /* DOM_ARRAY, DOM_OBJECT */
		bool is_true;                 /* DOM_BOOL */
	};
	uint32_t index; /* among its siblings */
	uint32_t count; /* of children */
	enum dom_type type;
};

struct dom_duplicate { /* a key that its object had before */
	struct dom_duplicate *next;
	const struct dom_node *node;
};

struct dom {
	struct arena nodes;  /* the tree; also free for what lives as long as the tree */
	struct arena *texts; /* keys and strings, which outlive the tree */
	const struct dom_node *root;
	struct dom_duplicate *duplicates;
};

/*
 * Parses len bytes. Keys and strings are put into texts, everything else into dom->nodes; the caller ends
 * the tree with dom_done, after a failure too. -EINVAL with kind ERR_CONFIG and "line L, column C" (counted
 * in characters, from 1) if the text is malformed or passes a limit. Duplicate keys are no failure here:
 * they are listed in dom->duplicates.
 */
int dom_parse(struct dom *dom, struct arena *texts, const char *json, size_t len, struct err *err) MUST_CHECK;
void dom_done(struct dom *dom);
#define _cleanup_dom_ __attribute__((cleanup(dom_done)))

/* The member of an object, or NULL; also NULL if node is NULL or no object, or the member is null. */
const struct dom_node *dom_member(const struct dom_node *node, const char *key);

/*
 * Writes the JSON pointer (RFC 6901) of node into ret; with a key, the pointer of the member that node has
 * or lacks. Control characters become "?", since pointers are printed. Cut if size is too small.
 */
void dom_pointer(const struct dom_node *node, const char *key, char *ret, size_t size);

const char *dom_type_name(enum dom_type type); /* "null", "a number", "an object", ... */

#endif
