/* SPDX-License-Identifier: Apache-2.0 */
/* Parses JSON text into a tree with yajl, after checks that yajl does not make. */
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include <tare/spec.h>

#include "dom.h"

struct builder {
	struct dom *dom;
	struct dom_node *open[SPEC_DEPTH_MAX];
	struct dom_node *last[SPEC_DEPTH_MAX]; /* the newest child of each open node */
	int depth;
	struct dom_duplicate **duplicates_end;
	const char *key;
	uint32_t value_count;
	const char *problem;
};

/* --- strict text ----------------------------------------------------------------------------------------- */

/* The value of "\uXXXX" at text, or -1. */
static int escape_value(const unsigned char *text, size_t left)
{
	int value = 0;

	if (left < 6 || text[0] != '\\' || text[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		const char *digits = "0123456789abcdef";
		const char *digit = strchr(digits, text[i] | 0x20);

		if (digit == NULL || text[i] < '0')
			return -1;
		value = value * 16 + (int)(digit - digits);
	}
	return value;
}

/* The length of the escape at text, or 0 with *problem set. */
static size_t escape_length(const unsigned char *text, size_t left, const char **problem)
{
	int value, low;

	if (left < 2 || text[1] != 'u')
		return left < 2 ? 1 : 2;
	value = escape_value(text, left);
	*problem = value < 0                            ? "malformed \\u escape"
		   : value == 0                         ? "a string must not contain NUL"
		   : value >= 0xdc00 && value <= 0xdfff ? "lone surrogate in a \\u escape"
							: NULL;
	if (*problem != NULL)
		return 0;
	if (value < 0xd800 || value > 0xdfff)
		return 6;
	low = escape_value(text + 6, left - 6);
	if (low >= 0xdc00 && low <= 0xdfff)
		return 12;
	*problem = "lone surrogate in a \\u escape";
	return 0;
}

/*
 * Checks UTF-8 and escapes, because yajl accepts overlong UTF-8 and silently replaces broken surrogate pairs:
 * two different texts in the file would become the same string. Returns the offset of the first wrong byte,
 * with *problem set, or len.
 */
static size_t check_text(const unsigned char *text, size_t len, const char **problem)
{
	size_t at = 0;

	while (at < len) {
		size_t step;

		if (text[at] == '\\') {
			step = escape_length(text + at, len - at, problem);
		} else {
			step = str_utf8_length((const char *)text + at, len - at);
			if (step == 0)
				*problem = "invalid UTF-8";
		}
		if (step == 0)
			return at;
		at += step;
	}
	return len;
}

/* --- building the tree ----------------------------------------------------------------------------------- */

static bool is_container(enum dom_type type)
{
	return type == DOM_ARRAY || type == DOM_OBJECT;
}

/* Appends a node to the innermost open array or object. NULL, with builder->problem set, at a limit. */
static struct dom_node *builder_add(struct builder *builder, enum dom_type type)
{
	struct dom_node *parent = builder->depth > 0 ? builder->open[builder->depth - 1] : NULL;
	struct dom_node *node;

	if (is_container(type) && builder->depth == SPEC_DEPTH_MAX)
		builder->problem = "nested too deeply (64 levels at most)";
	else if (builder->value_count == DOM_VALUES_MAX)
		builder->problem = "too many values (1048576 at most)";
	if (builder->problem != NULL)
		return NULL;
	builder->value_count++;
	node = arena_alloc(&builder->dom->nodes, sizeof *node);
	node->type = type;
	node->parent = parent;
	if (parent == NULL) {
		builder->dom->root = node;
	} else {
		struct dom_node *last = builder->last[builder->depth - 1];

		node->key = take_ptr(builder->key);
		node->index = parent->count++;
		if (last == NULL)
			parent->first = node;
		else
			last->next = node;
		builder->last[builder->depth - 1] = node;
	}
	if (is_container(type)) {
		builder->last[builder->depth] = NULL;
		builder->open[builder->depth++] = node;
	}
	return node;
}

static int on_null(void *context)
{
	return builder_add(context, DOM_NULL) != NULL;
}

static int on_bool(void *context, int value)
{
	struct dom_node *node = builder_add(context, DOM_BOOL);

	if (node != NULL)
		node->is_true = value != 0;
	return node != NULL;
}

static int on_number(void *context, const char *text, size_t len)
{
	struct builder *builder = context;
	struct dom_node *node = builder_add(builder, DOM_NUMBER);

	if (node != NULL)
		node->text = arena_dup(&builder->dom->nodes, text, len);
	return node != NULL;
}

static int on_string(void *context, const unsigned char *text, size_t len)
{
	struct builder *builder = context;
	struct dom_node *node = builder_add(builder, DOM_STRING);

	if (node != NULL)
		node->text = arena_dup(builder->dom->texts, (const char *)text, len);
	return node != NULL;
}

static int on_key(void *context, const unsigned char *text, size_t len)
{
	struct builder *builder = context;

	builder->key = arena_dup(builder->dom->texts, (const char *)text, len);
	return 1;
}

static int on_object(void *context)
{
	return builder_add(context, DOM_OBJECT) != NULL;
}

static int on_array(void *context)
{
	return builder_add(context, DOM_ARRAY) != NULL;
}

static int on_array_end(void *context)
{
	struct builder *builder = context;

	builder->depth--;
	return 1;
}

static int compare_keys(const void *a, const void *b)
{
	const struct dom_node *left = *(const struct dom_node *const *)a;
	const struct dom_node *right = *(const struct dom_node *const *)b;
	int order = strcmp(left->key, right->key);

	return order != 0 ? order : left->index < right->index ? -1 : 1;
}

static void find_duplicates(struct builder *builder, const struct dom_node *object)
{
	_cleanup_free_ const struct dom_node **sorted = mem_alloc(object->count * sizeof *sorted);
	size_t count = 0;

	for (const struct dom_node *node = object->first; node != NULL; node = node->next)
		sorted[count++] = node;
	qsort(sorted, count, sizeof *sorted, compare_keys);
	for (size_t i = 1; i < count; i++) {
		struct dom_duplicate *duplicate;

		if (strcmp(sorted[i - 1]->key, sorted[i]->key) != 0)
			continue;
		duplicate = arena_alloc(&builder->dom->nodes, sizeof *duplicate);
		duplicate->node = sorted[i];
		*builder->duplicates_end = duplicate;
		builder->duplicates_end = &duplicate->next;
	}
}

static int on_object_end(void *context)
{
	struct builder *builder = context;
	const struct dom_node *object = builder->open[--builder->depth];

	if (object->count > 1)
		find_duplicates(builder, object);
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_object_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_array_end,
};

/* --- parsing --------------------------------------------------------------------------------------------- */

static void *yajl_mem_alloc(void *context, size_t size)
{
	(void)context;
	return mem_alloc(size);
}

static void *yajl_mem_resize(void *context, void *ptr, size_t size)
{
	(void)context;
	return mem_resize(ptr, size);
}

static void yajl_mem_free(void *context, void *ptr)
{
	(void)context;
	free(ptr);
}

static void yajl_freep(yajl_handle *handle)
{
	yajl_free(*handle);
}

static int refuse_at(const char *json, size_t offset, const char *problem, struct err *err)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < offset; i++) {
		if (json[i] == '\n') {
			line++;
			column = 1;
		} else if ((json[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	return err_set(err, ERR_CONFIG, 0, NULL, "line %zu, column %zu: %s", line, column, problem);
}

/*
 * The offset of the wrong character, or of the end of the wrong token. yajl has consumed a token or a character
 * outside of tokens that it refuses; it has not consumed a character that it refuses within a token, nor a
 * token in the place of a comma in an object.
 */
static size_t yajl_offset(const char *problem, size_t consumed)
{
	bool is_consumed = str_has_prefix(problem, "parse error") ||
			   strstr(problem, "invalid char in json") != NULL;

	if (strstr(problem, "after key and value") != NULL)
		is_consumed = false;
	return consumed - (is_consumed && consumed > 0);
}

static bool is_blank(const char *json, size_t len)
{
	while (len > 0 && strchr(" \t\r\n", json[len - 1]) != NULL && json[len - 1] != '\0')
		len--;
	return len == 0;
}

/* Reports yajl's message without its prefix "parse error: " and its full stop. */
static int refuse_yajl(yajl_handle handle, const char *json, size_t len, struct err *err)
{
	unsigned char *text = yajl_get_error(handle, 0, NULL, 0);
	const char *problem = (const char *)text;
	size_t offset = yajl_offset(problem, yajl_get_bytes_consumed(handle)), message_len;
	char message[128];

	if (strstr(problem, "error: ") != NULL)
		problem = strstr(problem, "error: ") + strlen("error: ");
	if (strstr(problem, "premature EOF") != NULL) {
		offset = len;
		problem = is_blank(json, len) ? "the text has no JSON value" : "the text ends too early";
	}
	str_format(message, sizeof message, "%s", problem);
	message_len = strlen(message);
	while (message_len > 0 && (message[message_len - 1] == '\n' || message[message_len - 1] == '.'))
		message[--message_len] = '\0';
	yajl_free_error(handle, text);
	return refuse_at(json, offset, message, err);
}

int dom_parse(struct dom *dom, struct arena *texts, const char *json, size_t len, struct err *err)
{
	yajl_alloc_funcs functions = {yajl_mem_alloc, yajl_mem_resize, yajl_mem_free, NULL};
	struct builder builder = {.dom = dom, .duplicates_end = &dom->duplicates};
	__attribute__((cleanup(yajl_freep))) yajl_handle handle = yajl_alloc(&callbacks, &functions, &builder);
	const char *problem = NULL;
	yajl_status status;
	size_t offset;

	dom->texts = texts;
	if (len > SPEC_SIZE_MAX)
		return err_set(err, ERR_CONFIG, 0, NULL, "the text has %zu bytes, %u at most are allowed", len,
			       SPEC_SIZE_MAX);
	offset = check_text((const unsigned char *)json, len, &problem);
	if (problem != NULL)
		return refuse_at(json, offset, problem, err);
	status = yajl_parse(handle, (const unsigned char *)json, len);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(handle);
	if (builder.problem != NULL)
		return refuse_at(json, yajl_get_bytes_consumed(handle) - 1, builder.problem, err);
	if (status != yajl_status_ok)
		return refuse_yajl(handle, json, len, err);
	return 0;
}

void dom_done(struct dom *dom)
{
	arena_done(&dom->nodes);
	dom->root = NULL;
	dom->duplicates = NULL;
}

/* --- reading the tree --------------------------------------------------------------------------------- */

const struct dom_node *dom_member(const struct dom_node *node, const char *key)
{
	if (node == NULL || node->type != DOM_OBJECT)
		return NULL;
	for (node = node->first; node != NULL; node = node->next)
		if (str_equal(node->key, key))
			return node->type == DOM_NULL ? NULL : node;
	return NULL;
}

static size_t pointer_add(char *ret, size_t size, size_t at, const char *key)
{
	if (at + 1 < size)
		ret[at++] = '/';
	for (; *key != '\0'; key++) {
		const char *text = (char[]){*key, '\0'};

		if (*key == '~')
			text = "~0";
		else if (*key == '/')
			text = "~1";
		else if ((unsigned char)*key < 0x20 || *key == 0x7f)
			text = "?";
		if (at + strlen(text) >= size)
			break;
		memcpy(ret + at, text, strlen(text));
		at += strlen(text);
	}
	return at;
}

void dom_pointer(const struct dom_node *node, const char *key, char *ret, size_t size)
{
	const struct dom_node *steps[SPEC_DEPTH_MAX + 1];
	size_t count = 0, at = 0;

	for (; node != NULL && node->parent != NULL; node = node->parent)
		steps[count++] = node;
	while (count-- > 0) {
		char index[16];

		str_format(index, sizeof index, "%u", steps[count]->index);
		at = pointer_add(ret, size, at, steps[count]->key != NULL ? steps[count]->key : index);
	}
	if (key != NULL)
		at = pointer_add(ret, size, at, key);
	ret[at] = '\0';
}

const char *dom_type_name(enum dom_type type)
{
	static const char *const names[] = {
		[DOM_NULL] = "null",       [DOM_BOOL] = "a boolean", [DOM_NUMBER] = "a number",
		[DOM_STRING] = "a string", [DOM_ARRAY] = "an array", [DOM_OBJECT] = "an object",
	};

	return names[type];
}
