/* SPDX-License-Identifier: Apache-2.0 */
/* The command update: turns its flags into a document of linux.resources, or reads one. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cli.h"
#include "value.h"

#define DOCUMENT_MAX ((size_t)16 << 20)

struct update_options {
	const char *resources;
	const char *memory, *reservation, *swap, *kernel, *kernel_tcp;
	const char *shares, *quota, *period, *burst, *idle, *rt_period, *rt_runtime, *cpus, *mems;
	const char *weight, *pids;
	const char *l3_cache, *memory_bandwidth;
};

#define OPTION(field) offsetof(struct update_options, field)
static const struct option_row update_rows[] = {
	{"resources", 'r', OPTION_TEXT, OPTION(resources), "FILE",
	 "a JSON document as at /linux/resources; - is standard input"},
	{"memory", 0, OPTION_TEXT, OPTION(memory), "BYTES", "memory limit"},
	{"memory-reservation", 0, OPTION_TEXT, OPTION(reservation), "BYTES",
	 "memory that is protected from reclaim"},
	{"memory-swap", 0, OPTION_TEXT, OPTION(swap), "BYTES", "limit of memory and swap together"},
	{"cpu-share", 0, OPTION_TEXT, OPTION(shares), "N",
	 "CPU weight relative to other containers, 2 to 262144"},
	{"cpu-quota", 0, OPTION_TEXT, OPTION(quota), "US", "CPU time in each period"},
	{"cpu-period", 0, OPTION_TEXT, OPTION(period), "US", "the period of the quota"},
	{"cpu-burst", 0, OPTION_TEXT, OPTION(burst), "US", "unused CPU time that may be used later"},
	{"cpu-idle", 0, OPTION_TEXT, OPTION(idle), "0|1", "1: runs only on CPUs that are idle otherwise"},
	{"cpuset-cpus", 0, OPTION_TEXT, OPTION(cpus), "LIST", "CPUs that it may use, such as 0-3,7"},
	{"cpuset-mems", 0, OPTION_TEXT, OPTION(mems), "LIST", "memory nodes that it may use"},
	{"blkio-weight", 0, OPTION_TEXT, OPTION(weight), "N", "weight of block I/O, 10 to 1000"},
	{"pids-limit", 0, OPTION_TEXT, OPTION(pids), "N", "limit of processes and threads"},
	{"cpu-rt-period", 0, OPTION_TEXT, OPTION(rt_period), "US", "refused: cgroup v2 has no such limit"},
	{"cpu-rt-runtime", 0, OPTION_TEXT, OPTION(rt_runtime), "US", "refused: cgroup v2 has no such limit"},
	{"kernel-memory", 0, OPTION_TEXT, OPTION(kernel), "BYTES", "ignored: --memory includes kernel memory"},
	{"kernel-memory-tcp", 0, OPTION_TEXT, OPTION(kernel_tcp), "BYTES",
	 "ignored: --memory includes kernel memory"},
	{"l3-cache-schema", 0, OPTION_TEXT, OPTION(l3_cache), "SCHEMA", "refused: can only be set by create"},
	{"mem-bw-schema", 0, OPTION_TEXT, OPTION(memory_bandwidth), "SCHEMA",
	 "refused: can only be set by create"},
	{NULL, 0, OPTION_FLAG, 0, NULL, NULL},
};

/* --- the flags as a document --- */

enum value_kind { VALUE_BYTES, VALUE_NUMBER, VALUE_TEXT };

/* In the order of the document: the rows of an object are adjacent. */
static const struct flag {
	const char *object, *key;
	size_t offset;
	enum value_kind kind;
	const char *name;
} flags[] = {
	{"memory", "limit", OPTION(memory), VALUE_BYTES, "memory"},
	{"memory", "reservation", OPTION(reservation), VALUE_BYTES, "memory-reservation"},
	{"memory", "swap", OPTION(swap), VALUE_BYTES, "memory-swap"},
	{"cpu", "shares", OPTION(shares), VALUE_NUMBER, "cpu-share"},
	{"cpu", "quota", OPTION(quota), VALUE_NUMBER, "cpu-quota"},
	{"cpu", "period", OPTION(period), VALUE_NUMBER, "cpu-period"},
	{"cpu", "burst", OPTION(burst), VALUE_NUMBER, "cpu-burst"},
	{"cpu", "idle", OPTION(idle), VALUE_NUMBER, "cpu-idle"},
	{"cpu", "realtimePeriod", OPTION(rt_period), VALUE_NUMBER, "cpu-rt-period"},
	{"cpu", "realtimeRuntime", OPTION(rt_runtime), VALUE_NUMBER, "cpu-rt-runtime"},
	{"cpu", "cpus", OPTION(cpus), VALUE_TEXT, "cpuset-cpus"},
	{"cpu", "mems", OPTION(mems), VALUE_TEXT, "cpuset-mems"},
	{"blockIO", "weight", OPTION(weight), VALUE_NUMBER, "blkio-weight"},
	{"pids", "limit", OPTION(pids), VALUE_NUMBER, "pids-limit"},
};

static const char *flag_text(const struct update_options *o, size_t offset)
{
	return *(const char *const *)(const void *)((const char *)o + offset);
}

static int add_value(struct json *json, const struct flag *flag, const char *text, struct err *err)
{
	bool is_negative = text[0] == '-' && flag->kind == VALUE_NUMBER;
	uint64_t number;
	int64_t bytes;

	json_key(json, flag->key);
	if (flag->kind == VALUE_TEXT) {
		json_string(json, text);
		return 0;
	}
	if (flag->kind == VALUE_BYTES) {
		if (!value_size(text, &bytes))
			return err_set(
				err, ERR_USAGE, 0, NULL,
				"invalid value '%.100s' for flag --%s: must be a size such as 512m, or -1",
				text, flag->name);
		json_int(json, bytes);
		return 0;
	}
	if (!str_to_u64(text + is_negative, INT64_MAX, &number))
		return err_set(err, ERR_USAGE, 0, NULL,
			       "invalid value '%.100s' for flag --%s: must be a number", text, flag->name);
	json_int(json, is_negative ? -(int64_t)number : (int64_t)number);
	return 0;
}

static int add_flags(const struct update_options *o, struct buf *document, struct err *err)
{
	const char *object = NULL;
	struct json json;
	int r = 0;

	json_begin(&json, document, 0);
	json_object(&json);
	for (size_t i = 0; i < ARRAY_SIZE(flags) && r >= 0; i++) {
		const char *text = flag_text(o, flags[i].offset);

		if (text == NULL)
			continue;
		if (object != NULL && !str_equal(object, flags[i].object))
			json_object_end(&json);
		if (!str_equal(object, flags[i].object)) {
			json_key(&json, flags[i].object);
			json_object(&json);
		}
		object = flags[i].object;
		r = add_value(&json, &flags[i], text, err);
	}
	if (object != NULL)
		json_object_end(&json);
	json_object_end(&json);
	return r;
}

/* --- the document itself --- */

static int read_document(const struct update_options *o, struct buf *document, struct err *err)
{
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flag_text(o, flags[i].offset) != NULL)
			return err_set(err, ERR_USAGE, 0, NULL,
				       "--%s cannot be used with --resources: set the value in the document",
				       flags[i].name);
	buf_add(document, "", 0);
	r = io_read_input(o->resources, DOCUMENT_MAX, document);
	if (r < 0)
		return err_system(err, r, "cannot read resources from '%s'", IO_INPUT_NAME(o->resources));
	return 0;
}

static int check_unsupported(const struct update_options *o, struct err *err)
{
	if (o->l3_cache != NULL || o->memory_bandwidth != NULL) {
		err_set(err, ERR_UNSUPPORTED, 0, NULL,
			"cannot use --%s: schemata are set when a container is created, and cannot be changed",
			o->l3_cache != NULL ? "l3-cache-schema" : "mem-bw-schema");
		err_hint(err, "set /linux/intelRdt in the configuration, and create the container again");
		return -EINVAL;
	}
	if (o->kernel != NULL || o->kernel_tcp != NULL)
		log_line(LOG_WARNING, "--kernel-memory%s is ignored: the limit of memory includes it",
			 o->kernel != NULL ? "" : "-tcp");
	return 0;
}

static int update(struct cli_call *call, const void *options, struct err *err)
{
	const struct update_options *o = options;
	_cleanup_buf_ struct buf document = {0};
	int r = check_unsupported(o, err);

	if (r >= 0)
		r = o->resources != NULL ? read_document(o, &document, err) : add_flags(o, &document, err);
	return r < 0 ? r : command_update(call->globals.root, call->id, &document, err);
}

const struct cli_command cli_update = {"update",
				       "ID",
				       "Change the limits of a container",
				       update_rows,
				       sizeof(struct update_options),
				       1,
				       1,
				       false,
				       true,
				       update};
