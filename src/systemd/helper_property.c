/* SPDX-License-Identifier: Apache-2.0 */
/* The properties of a unit as arguments of tare-systemd, in D-Bus messages, and as output. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helper.h"

static int append_strings(sd_bus_message *message, const char *lines)
{
	int r = sd_bus_message_open_container(message, 'a', "s");

	while (r >= 0 && *lines != '\0') {
		size_t len = strcspn(lines, "\n");
		char *line = strndup(lines, len);

		r = line == NULL ? -ENOMEM : sd_bus_message_append(message, "s", line);
		free(line);
		lines += len + (lines[len] == '\n');
	}
	return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_bytes(sd_bus_message *message, const char *hex)
{
	uint8_t bytes[1024];
	size_t count = 0;

	for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
		char pair[3] = {hex[0], hex[1], '\0'};

		if (count == sizeof bytes)
			return -E2BIG;
		bytes[count++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return sd_bus_message_append_array(message, 'y', bytes, count);
}

static int append_value(sd_bus_message *message, const char *type, const char *value)
{
	switch (type[0]) {
	case 'b':
		return sd_bus_message_append(message, "b", value[0] == 't');
	case 's':
		return sd_bus_message_append(message, "s", value);
	case 't':
		return sd_bus_message_append(message, "t", (uint64_t)strtoull(value, NULL, 10));
	case 'u':
		return sd_bus_message_append(message, "u", (uint32_t)strtoul(value, NULL, 10));
	case 'x':
		return sd_bus_message_append(message, "x", (int64_t)strtoll(value, NULL, 10));
	case 'i':
		return sd_bus_message_append(message, "i", (int32_t)strtol(value, NULL, 10));
	case 'a':
		return type[1] == 'y' ? append_bytes(message, value) : append_strings(message, value);
	default:
		return -EINVAL;
	}
}

static int append_property(sd_bus_message *message, char **triple)
{
	const char *type = triple[1] + (triple[1][0] == '?');
	int r = sd_bus_message_open_container(message, 'r', "sv");

	if (r >= 0)
		r = sd_bus_message_append(message, "s", triple[0]);
	if (r >= 0)
		r = sd_bus_message_open_container(message, 'v', type);
	if (r >= 0)
		r = append_value(message, type, triple[2]);
	if (r >= 0)
		r = sd_bus_message_close_container(message);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

int helper_append_properties(sd_bus_message *message, const char *pid, char **triples)
{
	int r = sd_bus_message_open_container(message, 'a', "(sv)");

	if (r >= 0 && pid != NULL)
		r = sd_bus_message_append(message, "(sv)", "PIDs", "au", 1, (uint32_t)strtoul(pid, NULL, 10));
	for (; r >= 0 && triples[0] != NULL && triples[1] != NULL && triples[2] != NULL; triples += 3)
		r = append_property(message, triples);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

/* Only the text of the error has the property's name: "Cannot set property NAME, or unknown property." */
bool helper_drop_unknown(char **triples, const sd_bus_error *error)
{
	size_t count = 0, at;

	if (!sd_bus_error_has_name(error, SD_BUS_ERROR_PROPERTY_READ_ONLY) || error->message == NULL)
		return false;
	while (triples[count] != NULL)
		count++;
	for (at = 0; at + 2 < count; at += 3) {
		const char *found = strstr(error->message, triples[at]);

		if (triples[at + 1][0] == '?' && found != NULL && found[strlen(triples[at])] == ',')
			break;
	}
	if (at + 2 >= count)
		return false;
	memmove(triples + at, triples + at + 3, (count - at - 2) * sizeof *triples);
	return true;
}

/* --- output --- */

static int print_bytes(sd_bus_message *message)
{
	const void *bytes;
	size_t count;
	int r = sd_bus_message_read_array(message, 'y', &bytes, &count);

	for (size_t i = 0; r >= 0 && i < count; i++)
		printf("%02x", ((const uint8_t *)bytes)[i]);
	return r;
}

static int print_value(sd_bus_message *message, const char *type)
{
	const char *text;
	uint64_t number;
	int r, is_true;

	if (type[0] == 'a')
		return print_bytes(message);
	if (type[0] == 's') {
		r = sd_bus_message_read(message, "s", &text);
		return r < 0 ? r : printf("%s", text);
	}
	if (type[0] == 'b') {
		r = sd_bus_message_read(message, "b", &is_true);
		return r < 0 ? r : printf("%s", is_true ? "true" : "false");
	}
	r = sd_bus_message_read(message, "t", &number);
	return r < 0 ? r : printf("%llu", (unsigned long long)number);
}

void helper_print_properties(const struct helper *helper, char **triples)
{
	for (; triples[0] != NULL && triples[1] != NULL && triples[2] != NULL; triples += 3) {
		_cleanup_error_ sd_bus_error ignored = SD_BUS_ERROR_NULL;
		_cleanup_message_ sd_bus_message *message = NULL;
		const char *type = triples[1] + (triples[1][0] == '?');

		if (helper_get_property(helper,
					&(struct helper_property){HELPER_SERVICE ".Scope", triples[0], type},
					&ignored, &message) < 0)
			continue;
		printf("%s\n%s\n", triples[0], triples[1]);
		if (print_value(message, type) < 0)
			break;
		printf("\n");
	}
	fflush(stdout);
}
