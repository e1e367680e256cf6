/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration, as a process document, and as an update's resources. */
#include <stdlib.h>

#include <tare/spec.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *context, const struct err *finding)
{
	*(int *)context += finding->kind == ERR_CONFIG && finding->msg[0] != '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spec *config = NULL, *all = NULL, *process = NULL, *resources = NULL, *mounts = NULL;
	int r, findings, calls = 0;
	struct err err = {0};

	r = spec_parse((const char *)data, size, &config, &err);
	findings = spec_parse_all((const char *)data, size, count, &calls, &all);
	/* Both functions agree, and each finding was passed to the callback. */
	if ((r == 0) != (findings == 0) || (r == 0) != (config != NULL) || calls != findings)
		abort();
	if (spec_parse_process((const char *)data, size, &process, &err) == 0 &&
	    process->process.args.count == 0)
		abort();
	if (spec_parse_resources((const char *)data, size, &resources, &err) < 0 && err.msg[0] == '\0')
		abort();
	if (spec_parse_mounts((const char *)data, size, &mounts, &err) < 0 && err.msg[0] == '\0')
		abort();
	spec_free(config);
	spec_free(all);
	spec_free(process);
	spec_free(resources);
	spec_free(mounts);
	return 0;
}
