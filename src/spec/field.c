/* SPDX-License-Identifier: Apache-2.0 */
/* The parsers that rows of tables name: each converts one JSON value to one member of a struct. */
#include <errno.h>
#include <string.h>

#include "field.h"

static void *member(const struct field *field, void *target)
{
	return (char *)target + field->offset;
}

/* Members are pointers to many types; a copy of the bytes is right for each of them. */
static void store_pointer(void *member_, const void *ptr)
{
	memcpy(member_, &ptr, sizeof ptr);
}

static void store_u32(void *member_, uint64_t value)
{
	uint32_t narrow = (uint32_t)value;

	memcpy(member_, &narrow, sizeof narrow);
}

/* --- booleans and numbers -------------------------------------------------------------------------------- */

void field_bool(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	if (reader_expect(reader, node, DOM_BOOL))
		*(bool *)member(field, target) = node->is_true;
}

void field_opt_bool(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	if (reader_expect(reader, node, DOM_BOOL))
		*(struct spec_bool *)member(field, target) = (struct spec_bool){true, node->is_true};
}

static struct range range_or(const struct field *field, int64_t min, uint64_t max)
{
	return field->range.min == 0 && field->range.max == 0 ? (struct range){min, max} : field->range;
}

void field_u16(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	uint64_t value;

	if (reader_uint(reader, node, range_or(field, 0, UINT16_MAX), &value))
		*(uint16_t *)member(field, target) = (uint16_t)value;
}

void field_u32(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	uint64_t value;

	if (reader_uint(reader, node, range_or(field, 0, UINT32_MAX), &value))
		*(uint32_t *)member(field, target) = (uint32_t)value;
}

void field_u64(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	reader_uint(reader, node, range_or(field, 0, UINT64_MAX), member(field, target));
}

void field_i32(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	int64_t value;

	if (reader_int(reader, node, range_or(field, INT32_MIN, INT32_MAX), &value))
		*(int32_t *)member(field, target) = (int32_t)value;
}

void field_i64(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	reader_int(reader, node, range_or(field, INT64_MIN, INT64_MAX), member(field, target));
}

void field_opt_int(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	struct spec_int *value = member(field, target);

	value->is_set = reader_int(reader, node, range_or(field, INT64_MIN, INT64_MAX), &value->value);
}

void field_opt_uint(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	struct spec_uint *value = member(field, target);

	value->is_set = reader_uint(reader, node, range_or(field, 0, UINT64_MAX), &value->value);
}

void field_u32_array(struct reader *reader, const struct dom_node *node, const struct field *field,
		     void *target)
{
	size_t count = 0;
	uint32_t *v;

	if (!reader_expect(reader, node, DOM_ARRAY))
		return;
	v = arena_alloc(reader->arena, node->count * sizeof *v);
	for (const struct dom_node *item = node->first; item != NULL; item = item->next) {
		uint64_t value;

		if (reader_uint(reader, item, range_or(field, 0, UINT32_MAX), &value))
			v[count++] = (uint32_t)value;
	}
	store_pointer(member(field, target), v);
	*(size_t *)((char *)target + field->count_offset) = count;
}

/* --- text ------------------------------------------------------------------------------------------------ */

static bool check_not_empty(struct reader *reader, const struct dom_node *node, const void *detail)
{
	(void)detail;
	if (node->text[0] == '\0')
		reader_refuse(reader, node, "must not be empty");
	return node->text[0] != '\0';
}

static bool check_absolute(struct reader *reader, const struct dom_node *node, const void *detail)
{
	(void)detail;
	if (node->text[0] != '/')
		reader_refuse(reader, node, "must be an absolute path, not %s",
			      reader_quote(reader, node->text));
	return node->text[0] == '/';
}

static bool check_name(struct reader *reader, const struct dom_node *node, const void *detail)
{
	uint64_t value;

	return reader_name(reader, node, detail, &value);
}

void field_string(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	if (reader_expect(reader, node, DOM_STRING) && check_not_empty(reader, node, NULL))
		store_pointer(member(field, target), node->text);
}

void field_text(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	if (reader_expect(reader, node, DOM_STRING) && node->text[0] != '\0')
		store_pointer(member(field, target), node->text);
}

void field_absolute(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	if (reader_expect(reader, node, DOM_STRING) && check_absolute(reader, node, NULL))
		store_pointer(member(field, target), node->text);
}

void field_cpu_list(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	if (!reader_expect(reader, node, DOM_STRING) || node->text[0] == '\0')
		return;
	if (reader_list(reader, node, NULL, 0) != -EINVAL)
		store_pointer(member(field, target), node->text);
}

void field_list(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	reader_strings(reader, node, NULL, NULL, member(field, target));
}

void field_absolute_list(struct reader *reader, const struct dom_node *node, const struct field *field,
			 void *target)
{
	reader_strings(reader, node, check_absolute, NULL, member(field, target));
}

void field_name_list(struct reader *reader, const struct dom_node *node, const struct field *field,
		     void *target)
{
	reader_strings(reader, node, check_name, field->detail, member(field, target));
}

void field_map(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	struct spec_map map = {0};

	if (!reader_expect(reader, node, DOM_OBJECT))
		return;
	map.v = arena_alloc(reader->arena, node->count * sizeof *map.v);
	for (const struct dom_node *item = node->first; item != NULL; item = item->next) {
		if (item->key[0] == '\0')
			reader_refuse(reader, item, "the key must not be empty");
		if (reader_expect(reader, item, DOM_STRING))
			map.v[map.count++] = (struct spec_pair){item->key, item->text};
	}
	*(struct spec_map *)member(field, target) = map;
}

/* --- names ----------------------------------------------------------------------------------------------- */

void field_enum(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	uint64_t value;

	if (reader_name(reader, node, field->detail, &value))
		store_u32(member(field, target), value);
}

static bool read_flags(struct reader *reader, const struct dom_node *node, const struct field *field,
		       uint64_t *ret)
{
	bool is_valid = true;
	uint64_t bit;

	*ret = 0;
	if (!reader_expect(reader, node, DOM_ARRAY))
		return false;
	for (const struct dom_node *item = node->first; item != NULL; item = item->next) {
		if (reader_name(reader, item, field->detail, &bit))
			*ret |= bit;
		else
			is_valid = false;
	}
	return is_valid;
}

void field_flags32(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	uint64_t flags;

	if (read_flags(reader, node, field, &flags))
		store_u32(member(field, target), flags);
}

void field_flags64(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	uint64_t flags;

	if (read_flags(reader, node, field, &flags))
		*(uint64_t *)member(field, target) = flags;
}

/* --- structs --------------------------------------------------------------------------------------------- */

void field_object(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	reader_object(reader, node, field->detail, member(field, target));
}

static void read_elements(struct reader *reader, const struct dom_node *node, const struct field *field,
			  void *target)
{
	const struct table *table = field->detail;
	char *v = arena_alloc(reader->arena, node->count * table->size);

	for (const struct dom_node *item = node->first; item != NULL; item = item->next) {
		char *element = v + item->index * table->size;

		if (item->key != NULL && item->key[0] == '\0')
			reader_refuse(reader, item, "the key must not be empty");
		if (item->key != NULL)
			store_pointer(element + table->key_offset, item->key);
		reader_object(reader, item, table, element);
	}
	store_pointer(member(field, target), v);
	*(size_t *)((char *)target + field->count_offset) = node->count;
}

void field_array(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	if (reader_expect(reader, node, DOM_ARRAY))
		read_elements(reader, node, field, target);
}

void field_keyed(struct reader *reader, const struct dom_node *node, const struct field *field, void *target)
{
	if (reader_expect(reader, node, DOM_OBJECT))
		read_elements(reader, node, field, target);
}
