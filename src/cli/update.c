/* SPDX-License-Identifier: Apache-2.0 */
/* The command update: turns its flags into a document of linux.resources, or reads one. */
#include <errno.h>
#include <string.h>

#include "cli.h"

#define DOCUMENT_MAX ((size_t)16 << 20)

struct update_flags {
	const char *resources;
	struct option_integer memory, reservation, swap;
	struct option_integer shares, quota, period, burst, idle, rt_period, rt_runtime;
	struct option_integer weight, pids;
	const char *cpus, *mems;
	const char *kernel, *kernel_tcp, *l3_cache, *memory_bandwidth;
};

/* The key is OBJECT/KEY: where the value is in the document. The rows of an object are adjacent. */
#define OPTION(field) offsetof(struct update_flags, field)
static const struct option_row update_rows[] = {
	{"resources", 'r', OPTION_TEXT, OPTION(resources), "FILE",
	 "a JSON document as at /linux/resources; - is standard input"},
	{"memory", 0, OPTION_BYTES, OPTION(memory), "BYTES", "memory limit", "memory/limit"},
	{"memory-reservation", 0, OPTION_BYTES, OPTION(reservation), "BYTES",
	 "memory that is protected from reclaim", "memory/reservation"},
	{"memory-swap", 0, OPTION_BYTES, OPTION(swap), "BYTES", "limit of memory and swap together",
	 "memory/swap"},
	{"cpu-share", 0, OPTION_INTEGER, OPTION(shares), "N",
	 "CPU weight relative to other containers, 2 to 262144", "cpu/shares"},
	{"cpu-quota", 0, OPTION_INTEGER, OPTION(quota), "US", "CPU time in each period", "cpu/quota"},
	{"cpu-period", 0, OPTION_INTEGER, OPTION(period), "US", "the period of the quota", "cpu/period"},
	{"cpu-burst", 0, OPTION_INTEGER, OPTION(burst), "US", "unused CPU time that may be used later",
	 "cpu/burst"},
	{"cpu-idle", 0, OPTION_INTEGER, OPTION(idle), "0|1", "1: runs only on CPUs that are idle otherwise",
	 "cpu/idle"},
	{"cpu-rt-period", 0, OPTION_INTEGER, OPTION(rt_period), "US", "refused: cgroup v2 has no such limit",
	 "cpu/realtimePeriod"},
	{"cpu-rt-runtime", 0, OPTION_INTEGER, OPTION(rt_runtime), "US", "refused: cgroup v2 has no such limit",
	 "cpu/realtimeRuntime"},
	{"cpuset-cpus", 0, OPTION_TEXT, OPTION(cpus), "LIST", "CPUs that it may use, such as 0-3,7",
	 "cpu/cpus"},
	{"cpuset-mems", 0, OPTION_TEXT, OPTION(mems), "LIST", "memory nodes that it may use", "cpu/mems"},
	{"blkio-weight", 0, OPTION_INTEGER, OPTION(weight), "N", "weight of block I/O, 10 to 1000",
	 "blockIO/weight"},
	{"pids-limit", 0, OPTION_INTEGER, OPTION(pids), "N", "limit of processes and threads", "pids/limit"},
	{"kernel-memory", 0, OPTION_TEXT, OPTION(kernel), "BYTES", "ignored: --memory includes kernel memory"},
	{"kernel-memory-tcp", 0, OPTION_TEXT, OPTION(kernel_tcp), "BYTES",
	 "ignored: --memory includes kernel memory"},
	{"l3-cache-schema", 0, OPTION_TEXT, OPTION(l3_cache), "SCHEMA", "refused: can only be set by create"},
	{"mem-bw-schema", 0, OPTION_TEXT, OPTION(memory_bandwidth), "SCHEMA",
	 "refused: can only be set by create"},
	{.name = NULL},
};

/* --- the flags as a document --- */

struct value {
	const char *text; /* or NULL: a number */
	int64_t number;
};

static bool is_given(const struct update_flags *o, const struct option_row *row, struct value *ret)
{
	const void *member = (const char *)o + row->offset;
	const struct option_integer *integer = member;

	if (row->key == NULL)
		return false;
	*ret = row->kind == OPTION_TEXT ? (struct value){*(const char *const *)member, 0}
					: (struct value){NULL, integer->value};
	return row->kind == OPTION_TEXT ? ret->text != NULL : integer->is_set;
}

/* Ends the object of the key before, "" at the beginning, unless it is also the object of this key. */
static void change_object(struct json *json, const char *before, const char *key)
{
	_cleanup_free_ char *object = mem_dup(key);
	size_t len = strcspn(object, "/");

	if (strncmp(before, object, len + 1) == 0)
		return;
	object[len] = '\0';
	if (before[0] != '\0')
		json_object_end(json);
	json_key(json, object);
	json_object(json);
}

static void add_flags(const struct update_flags *o, struct buf *document)
{
	const char *key = "";
	struct json json;
	struct value value;

	json_begin(&json, document, 0);
	json_object(&json);
	for (const struct option_row *row = update_rows; row->name != NULL; row++) {
		if (!is_given(o, row, &value))
			continue;
		change_object(&json, key, row->key);
		key = row->key;
		json_key(&json, strchr(key, '/') + 1);
		if (value.text != NULL)
			json_string(&json, value.text);
		else
			json_int(&json, value.number);
	}
	if (key[0] != '\0')
		json_object_end(&json);
	json_object_end(&json);
}

/* --- the document itself --- */

static int read_document(const struct update_flags *o, struct buf *document, struct err *err)
{
	struct value value;
	int r;

	for (const struct option_row *row = update_rows; row->name != NULL; row++)
		if (is_given(o, row, &value))
			return err_set(err, ERR_USAGE, 0, NULL,
				       "--%s cannot be used with --resources: set the value in the document",
				       row->name);
	buf_add(document, "", 0);
	r = io_read_input(o->resources, DOCUMENT_MAX, document);
	if (r < 0)
		return err_system(err, r, "cannot read resources from '%s'", IO_INPUT_NAME(o->resources));
	return 0;
}

static int check_unsupported(const struct update_flags *o, struct err *err)
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

static int update(struct cli_call *call, void *options, struct err *err)
{
	const struct update_flags *o = options;
	_cleanup_buf_ struct buf document = {0};
	int r = check_unsupported(o, err);

	if (r >= 0 && o->resources != NULL)
		r = read_document(o, &document, err);
	else if (r >= 0)
		add_flags(o, &document);
	if (r < 0)
		return r;
	return command_update(&(struct update_options){.state_root = call->globals.root,
						       .id = call->id,
						       .document = &document,
						       .name = o->resources == NULL
								       ? "the flags"
								       : IO_INPUT_NAME(o->resources)},
			      err);
}

const struct cli_command cli_update = {
	.name = "update",
	.operands = "ID",
	.help = "Change the limits of a container",
	.options = update_rows,
	.options_size = sizeof(struct update_flags),
	.min = 1,
	.max = 1,
	.has_id = true,
	.run = update,
};
