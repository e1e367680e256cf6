/* SPDX-License-Identifier: Apache-2.0 */
/* The report as text and as JSON. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "doctor.h"

#define VERDICT_WIDTH 9 /* columns, with the blanks after it */
#define INDENT 2
#define WIDTH_MIN 60

static const struct {
	const char *name, *colour;
} verdicts[] = {
	[DOCTOR_OK] = {"ok", "\033[32m"},
	[DOCTOR_UNKNOWN] = {"unknown", "\033[33m"},
	[DOCTOR_LIMITED] = {"limited", "\033[33m"},
	[DOCTOR_BROKEN] = {"broken", "\033[31m"},
};

struct table {
	struct buf *out;
	size_t item_width;
	size_t width; /* of the terminal; 0: lines are not broken */
	bool is_coloured;
};

static void add_blanks(struct buf *out, size_t count)
{
	while (count-- > 0)
		buf_add(out, " ", 1);
}

/* Adds the text; a terminal gets it in lines that are indented like the first one. */
static void add_wrapped(const struct table *table, const char *text, size_t indent)
{
	size_t room = table->width > indent ? table->width - indent : 0;
	_cleanup_buf_ struct buf line = {0};
	const char *at;

	buf_add_line(&line, text);
	at = line.len == 0 ? "" : line.data;
	while (table->width > 0 && strlen(at) > room) {
		size_t len = room;

		while (len > 0 && at[len] != ' ')
			len--;
		if (len == 0)
			len = strcspn(at, " ");
		if (at[len] == '\0')
			break;
		buf_add(table->out, at, len);
		buf_add(table->out, "\n", 1);
		add_blanks(table->out, indent);
		at += len + 1;
	}
	buf_format(table->out, "%s\n", at);
}

static void add_advice(const struct table *table, const char *label, const char *text)
{
	size_t indent = INDENT + VERDICT_WIDTH + table->item_width;

	if (text == NULL)
		return;
	add_blanks(table->out, indent);
	buf_format(table->out, "%s: ", label);
	add_wrapped(table, text, indent + strlen(label) + 2);
}

static void add_result(const struct table *table, const struct doctor_result *result)
{
	const char *name = verdicts[result->verdict].name;

	add_blanks(table->out, INDENT);
	buf_format(table->out, "%s%s%s", table->is_coloured ? verdicts[result->verdict].colour : "", name,
		   table->is_coloured ? "\033[0m" : "");
	add_blanks(table->out, VERDICT_WIDTH - strlen(name));
	buf_add_str(table->out, result->item);
	add_blanks(table->out, table->item_width - strlen(result->item));
	add_wrapped(table, result->finding, INDENT + VERDICT_WIDTH + table->item_width);
	add_advice(table, "lost", result->lost);
	add_advice(table, "change", result->change);
}

static size_t terminal_width(void)
{
	struct winsize size = {0};

	if (!isatty(1) || k_ioctl(1, TIOCGWINSZ, &size) < 0 || size.ws_col < WIDTH_MIN)
		return 0;
	return size.ws_col;
}

void doctor_print_text(const struct doctor *doctor, struct buf *out)
{
	struct table table = {
		.out = out, .width = terminal_width(), .is_coloured = isatty(1) && getenv("NO_COLOR") == NULL};
	size_t counts[ARRAY_SIZE(verdicts)] = {0};
	const char *subject = NULL;

	for (size_t i = 0; i < doctor->count; i++)
		if (strlen(doctor->results[i].item) + 2 > table.item_width)
			table.item_width = strlen(doctor->results[i].item) + 2;
	for (size_t i = 0; i < doctor->count; i++) {
		const struct doctor_result *result = &doctor->results[i];

		if (!str_equal(result->subject, subject))
			buf_format(out, "%s%s%s\n", table.is_coloured ? "\033[1m" : "", result->subject,
				   table.is_coloured ? "\033[0m" : "");
		subject = result->subject;
		add_result(&table, result);
		counts[result->verdict]++;
	}
	buf_format(out, "%zu ok, %zu unknown, %zu limited, %zu broken\n", counts[DOCTOR_OK],
		   counts[DOCTOR_UNKNOWN], counts[DOCTOR_LIMITED], counts[DOCTOR_BROKEN]);
}

void doctor_print_json(const struct doctor *doctor, struct buf *out)
{
	bool is_broken = false;
	struct json json;

	json_begin(&json, out, 2);
	json_object(&json);
	json_key(&json, "results");
	json_array(&json);
	for (size_t i = 0; i < doctor->count; i++) {
		const struct doctor_result *result = &doctor->results[i];

		json_object(&json);
		json_pair(&json, "subject", result->subject);
		json_pair(&json, "item", result->item);
		json_pair(&json, "verdict", verdicts[result->verdict].name);
		json_pair(&json, "finding", result->finding);
		json_pair(&json, "lost", result->lost);
		json_pair(&json, "change", result->change);
		json_object_end(&json);
		is_broken = is_broken || result->verdict == DOCTOR_BROKEN;
	}
	json_array_end(&json);
	json_pair_bool(&json, "ok", !is_broken);
	json_object_end(&json);
	buf_add(out, "\n", 1);
}
