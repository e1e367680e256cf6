/* SPDX-License-Identifier: Apache-2.0 */
/* The file of --denied, as tare(8) describes it. */
#include <linux/seccomp.h>
#include <string.h>

#include "recorder.h"

static void print_answer(struct json *json, uint32_t answer)
{
	uint32_t action = seccomp_action(answer);
	int errnum = (int)(answer & SECCOMP_RET_DATA);
	const char *name = strerrorname_np(errnum);

	if (action == SECCOMP_RET_ERRNO) {
		json_pair(json, "answer", errnum == 0 ? "success" : name == NULL ? "errno" : name);
		json_pair_int(json, "errno", errnum);
	} else {
		json_pair(json, "answer", action == SECCOMP_RET_KILL_THREAD ? "kill-thread" : "kill-process");
	}
}

static void print_call(struct json *json, const struct call *call)
{
	_cleanup_free_ char *name = seccomp_call_name(call->arch, call->number);
	const char *architecture = seccomp_architecture_of(call->arch);

	json_object(json);
	if (name != NULL)
		json_pair(json, "name", name);
	json_pair_int(json, "number", call->number);
	if (architecture != NULL)
		json_pair(json, "architecture", architecture);
	else
		json_pair_uint(json, "auditArchitecture", call->arch);
	print_answer(json, call->answer);
	json_pair(json, "program", call->program);
	json_pair_int(json, "pid", call->pid);
	json_pair_uint(json, "count", call->count);
	json_object_end(json);
}

void denied_print(const char *id, const struct calls *calls, struct buf *out)
{
	struct json json;

	json_begin(&json, out, 2);
	json_object(&json);
	json_pair(&json, "id", id);
	json_key(&json, "calls");
	json_array(&json);
	for (size_t i = 0; i < calls->count; i++)
		print_call(&json, &calls->rows[i]);
	json_array_end(&json);
	json_pair_uint(&json, "omitted", calls->omitted);
	json_object_end(&json);
	buf_add(out, "\n", 1);
}
