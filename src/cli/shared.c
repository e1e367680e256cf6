/* SPDX-License-Identifier: Apache-2.0 */
/* Functions for the output of several commands. */
#include <ctype.h>
#include <string.h>

#include "cli.h"

/* Engines search for texts such as "no such file or directory", in lower case. */
void cli_add_errno(struct buf *out, int errnum)
{
	const char *text = strerror(errnum);
	bool is_word = text[0] != '\0' && islower((unsigned char)text[1]);

	buf_add_str(out, ": ");
	buf_format(out, "%c%s", is_word ? tolower((unsigned char)text[0]) : text[0],
		   text[0] == '\0' ? "" : text + 1);
}

int cli_is_json(const char *text, bool *ret_is_json, struct err *err)
{
	*ret_is_json = str_equal(text, "json");
	if (text == NULL || *ret_is_json || str_equal(text, "text") || str_equal(text, "table"))
		return 0;
	return err_set(err, ERR_USAGE, 0, NULL, "invalid format '%s'", text);
}
