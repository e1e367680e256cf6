/* SPDX-License-Identifier: Apache-2.0 */
/* Reports unknown keys of a configuration, with the most similar known key as a hint. */
#include <string.h>

#include "field.h"

#define KEY_MAX 40 /* no known key is as long; a longer one is not compared */

/* Keys of config.md for other platforms or for engines: valid, and therefore not reported. */
static const char *const ignored_keys[] = {"solaris", "windows",     "vm",      "zos",
					   "freebsd", "commandLine", "username"};

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * The optimal string alignment distance: how many letters must be inserted, deleted, replaced or swapped with
 * the next one to turn a into b.
 */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][KEY_MAX + 1], a_len = strlen(a), b_len = strlen(b);

	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = smaller(above[j - 1] + (a[i - 1] != b[j - 1]),
					 smaller(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = smaller(row[j], second[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

/* The key of table with the smallest distance, which is at most a third of the letters; or NULL. */
static const char *find_nearest(const char *key, const struct table *table)
{
	size_t least = strlen(key) / 3 + 1;
	const char *nearest = NULL;

	for (size_t i = 0; i < table->count && strlen(key) <= KEY_MAX; i++) {
		size_t current = strlen(table->fields[i].key) <= KEY_MAX ? distance(key, table->fields[i].key)
									 : least;

		if (current >= least)
			continue;
		least = current;
		nearest = table->fields[i].key;
	}
	return nearest;
}

void nearest_report_unknown(struct reader *reader, const struct dom_node *node, const struct table *table)
{
	const char *nearest;
	struct err note;
	char json_pointer[sizeof note.json_pointer];

	for (size_t i = 0; i < ARRAY_SIZE(ignored_keys); i++)
		if (str_equal(node->key, ignored_keys[i]))
			return;
	reader->notes_left--;
	dom_pointer(node, NULL, json_pointer, sizeof json_pointer);
	err_set(&note, ERR_NONE, 0, json_pointer, "is an unknown key and has no effect");
	nearest = find_nearest(node->key, table);
	if (nearest != NULL)
		err_hint(&note, "the nearest known key is '%s'", nearest);
	reader->on_finding(reader->context, &note);
}
