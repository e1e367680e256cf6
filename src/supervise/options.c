/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of the supervision of a container: the settings, by the names of their flags and annotations.
 */
#include <string.h>

#include <tare/supervise.h>

#define NS_PER_US 1000
#define PREFIX "org.tare."

bool supervise_has_report(const struct supervise_options *options)
{
	return options->report != NULL || options->report_fd > 0;
}

bool supervise_needs_process(const struct supervise_options *options)
{
	return options->time_limit_us > 0 || options->cpu_time_limit_us > 0 || options->output_limit > 0 ||
	       options->is_dying_with_parent || supervise_has_report(options);
}

bool supervise_is_asked(const struct supervise_options *options)
{
	return supervise_needs_process(options) || options->denied != NULL || options->learn != NULL;
}

/* --- one function for each kind of value: false for a wrong one --- */

/* A limit below 1 us must not become "no limit". */
static bool read_us(const char *text, int64_t *ret_us)
{
	int64_t ns;

	if (!value_seconds(text, &ns))
		return false;
	*ret_us = ns > 0 && ns < NS_PER_US ? 1 : ns / NS_PER_US;
	return true;
}

static bool set_time_limit(struct supervise_options *o, const char *text)
{
	return read_us(text, &o->time_limit_us);
}

static bool set_cpu_time_limit(struct supervise_options *o, const char *text)
{
	return read_us(text, &o->cpu_time_limit_us);
}

static bool set_grace(struct supervise_options *o, const char *text)
{
	return o->grace.is_set = read_us(text, &o->grace.us);
}

static bool set_output_limit(struct supervise_options *o, const char *text)
{
	int64_t bytes;

	if (!value_size(text, &bytes) || bytes < 1)
		return false;
	o->output_limit = (uint64_t)bytes;
	return true;
}

static bool set_stop_signal(struct supervise_options *o, const char *text)
{
	int number = signal_number(text);

	if (number < 1)
		return false;
	o->stop_signal = number;
	return true;
}

static bool set_report(struct supervise_options *o, const char *text)
{
	o->report = text;
	return text[0] != '\0';
}

static bool set_report_fd(struct supervise_options *o, const char *text)
{
	uint64_t number;

	if (!str_to_u64(text, INT32_MAX, &number) || number == 0)
		return false;
	o->report_fd = (uint32_t)number;
	return true;
}

static bool set_report_format(struct supervise_options *o, const char *text)
{
	o->report_format = str_equal(text, "isolate") ? REPORT_ISOLATE : REPORT_JSON;
	return o->report_format == REPORT_ISOLATE || str_equal(text, "json");
}

static bool set_denied(struct supervise_options *o, const char *text)
{
	o->denied = text;
	return text[0] != '\0';
}

static bool set_learn(struct supervise_options *o, const char *text)
{
	o->learn = text;
	return text[0] != '\0';
}

/* --- the table --- */

#define DURATION "a duration such as 500ms, 1.5s or 2m"
#define FILE_NAME "the name of a file"

static const struct setting {
	const char *annotation; /* the name of the flag follows PREFIX */
	bool (*set)(struct supervise_options *options, const char *text);
	const char *wanted;
	bool is_flag_only;
} settings[] = {
	{PREFIX "time-limit", set_time_limit, DURATION},
	{PREFIX "cpu-time-limit", set_cpu_time_limit, DURATION},
	{PREFIX "grace", set_grace, DURATION},
	{PREFIX "stop-signal", set_stop_signal, "a number from 1 to 64, or a name such as TERM"},
	{PREFIX "output-limit", set_output_limit, "a size of at least 1 byte, such as 64k", true},
	{PREFIX "report", set_report, FILE_NAME},
	{PREFIX "report-fd", set_report_fd, "the number of a descriptor other than 0", true},
	{PREFIX "report-format", set_report_format, "json or isolate"},
	{PREFIX "denied", set_denied, FILE_NAME ", or -"},
	{PREFIX "learn", set_learn, FILE_NAME, true},
};

static size_t find(const char *name)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(settings) && !str_equal(settings[i].annotation + strlen(PREFIX), name))
		i++;
	return i;
}

const char *supervise_set(struct supervise_options *options, const char *name, const char *text)
{
	struct supervise_options changed = *options;
	size_t i = find(name);

	if (i == ARRAY_SIZE(settings) || !settings[i].set(&changed, text))
		return i == ARRAY_SIZE(settings) ? "a setting of tare" : settings[i].wanted;
	changed.given |= 1u << i;
	*options = changed;
	return NULL;
}

int supervise_set_annotation(struct supervise_options *options, const char *key, const char *value,
			     struct err *err)
{
	const char *name = str_has_prefix(key, PREFIX) ? key + strlen(PREFIX) : "";
	size_t i = find(name);
	const char *wanted;
	char pointer[64];

	if (i == ARRAY_SIZE(settings) || (!settings[i].is_flag_only && (options->given & 1u << i) != 0))
		return 0;
	str_format(pointer, sizeof pointer, "/annotations/%s", key);
	if (settings[i].is_flag_only)
		return err_set(err, ERR_UNSUPPORTED, 0, pointer, "has no effect: only the flag --%s has", name);
	wanted = supervise_set(options, name, value);
	if (wanted == NULL)
		return 0;
	return err_set(err, ERR_CONFIG, 0, pointer, "invalid value '%.100s': must be %s", value, wanted);
}

const char *supervise_annotation_name(size_t index)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (!settings[i].is_flag_only && index-- == 0)
			return settings[i].annotation;
	return NULL;
}
