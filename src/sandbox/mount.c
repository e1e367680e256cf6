/* SPDX-License-Identifier: Apache-2.0 */
/* An element of "mounts". */
#include "private.h"

void mount_add(struct json *json, const char *target, const char *type, const char *source,
	       const char *const *options)
{
	json_object(json);
	json_pair(json, "destination", target);
	json_pair(json, "type", type);
	json_pair(json, "source", source);
	if (options != NULL) {
		json_key(json, "options");
		json_array(json);
		for (; *options != NULL; options++)
			json_string(json, *options);
		json_array_end(json);
	}
	json_object_end(json);
}
