/* SPDX-License-Identifier: Apache-2.0 */
/* The known key that is most similar to an unknown one. */
#include <string.h>

#include "field.h"

#define KEY_MAX 40 /* no known key is as long; a longer one is not compared */

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

const char *nearest_key(const char *key, const struct table *table)
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
