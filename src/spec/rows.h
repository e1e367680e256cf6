/* SPDX-License-Identifier: Apache-2.0 */
/* rows: macros for the rows of tables, and the tables that several files of the room use. */
#ifndef TARE_SPEC_ROWS_H
#define TARE_SPEC_ROWS_H

#include "names.h"

#define ID_MAX (UINT32_MAX - 1) /* to the kernel 2^32-1 means "no id" */

/* An object that becomes a struct within the target; table_ describes that struct. */
#define OBJECT(key_, type_, member_, table_, ...)                                                              \
	FIELD(key_, field_object, type_, member_, .detail = &(table_), __VA_ARGS__)
/* An object of which table_ stores the members in the target itself. */
#define INLINE_OBJECT(key_, table_, ...)                                                                       \
	{                                                                                                      \
		.key = (key_), .parse = field_object, .detail = &(table_), __VA_ARGS__                         \
	}
/* An array (ARRAY) or an object with arbitrary keys (KEYED) that becomes count_ structs at v_. */
#define ARRAY(key_, type_, v_, count_, table_)                                                                 \
	FIELD(key_, field_array, type_, v_, .count_offset = offsetof(type_, count_), .detail = &(table_))
#define KEYED(key_, type_, v_, count_, table_)                                                                 \
	FIELD(key_, field_keyed, type_, v_, .count_offset = offsetof(type_, count_), .detail = &(table_))
#define SET(type_, member_) .set_offset = offsetof(type_, member_)
#define REQUIRED .is_required = true
#define RANGE(min_, max_) .range = {(min_), (max_)}

/* Target: struct spec_process. */
extern const struct table spec_table_process;
/* Target: struct spec. */
extern const struct table spec_table_linux;
extern const struct table spec_table_hooks;
/* Target: struct spec_resources. */
extern const struct table spec_table_resources;
/* Target: struct spec_seccomp. */
extern const struct table spec_table_seccomp;
/* Target: struct spec_id_range. */
extern const struct table spec_table_id_map;

/* Applies annotations that change a property. node is the object of annotations, or NULL. */
void spec_apply_annotations(struct reader *reader, const struct dom_node *node);

/* Checks rules that concern several sections of a configuration. root is the whole document. */
void spec_validate(struct reader *reader, const struct dom_node *root);

/* Whether text is a version of Semantic Versioning 2.0.0; stores its major number in *ret_major. */
bool spec_is_semver(const char *text, uint64_t *ret_major);

#endif
