/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dom: parses JSON text into a tree of nodes, which the tables of field.h read.
 *
 * Stricter than RFC 8259 requires: UTF-8 must be valid, strings must not contain NUL or a lone surrogate,
 * duplicate keys are recorded, nesting and the number of values are limited. Numbers are kept as text.
 */
#ifndef TARE_SPEC_DOM_H
#define TARE_SPEC_DOM_H

#include <tare/base.h>

/* Limits the memory of the tree, 48 bytes a node: a node can need as little as two bytes of SPEC_SIZE_MAX. */
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

struct dom_duplicate { /* a key that an earlier member of the same object has */
	struct dom_duplicate *next;
	const struct dom_node *node;
};

struct dom {
	struct arena nodes;  /* the tree, and the reader's temporary data, freed together */
	struct arena *texts; /* keys and strings, which outlive the tree */
	const struct dom_node *root;
	struct dom_duplicate *duplicates;
};

/*
 * Parses len bytes. Allocates keys and strings in texts, everything else in dom->nodes; the caller frees the
 * tree with dom_done, also after a failure. Fails with -EINVAL, kind ERR_CONFIG and "line L, column C" (counted
 * in characters, from 1) if the text is malformed or exceeds a limit. Duplicate keys are not a failure here:
 * they are listed in dom->duplicates.
 */
int dom_parse(struct dom *dom, struct arena *texts, const char *json, size_t len, struct err *err) MUST_CHECK;
void dom_done(struct dom *dom);
#define _cleanup_dom_ __attribute__((cleanup(dom_done)))

/* The member of an object. NULL if there is none, if its value is null, or if node is NULL or not an object. */
const struct dom_node *dom_member(const struct dom_node *node, const char *key);

/*
 * Writes the JSON pointer (RFC 6901) of node into ret; with a key, the pointer of that member of node, which
 * need not exist. Control characters become "?", because pointers are printed. Truncated to size bytes.
 */
void dom_pointer(const struct dom_node *node, const char *key, char *ret, size_t size);

const char *dom_type_name(enum dom_type type); /* "null", "a number", "an object", ... */

#endif
