/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the content of a file of a sandbox, which the plan has to contain unchanged, and any text as the
 * source of a mount of type file.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tare/host.h>
#include <tare/plan.h>

#include "../../src/sandbox/private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void begin(struct json *json, struct buf *config)
{
	json_begin(json, config, 0);
	json_object(json);
	json_pair(json, "ociVersion", SPEC_VERSION_MAX);
	json_key(json, "root");
	json_object(json);
	json_pair(json, "path", "none");
	json_object_end(json);
	json_key(json, "annotations");
	json_object(json);
	json_pair(json, "org.tare.root", "tmpfs");
	json_object_end(json);
	json_key(json, "mounts");
	json_array(json);
}

/* The plan of a container with these mounts, or NULL. The caller frees it. */
static struct plan *end(struct json *json, const struct buf *config)
{
	static const char linux_section[] = "{\"namespaces\":[{\"type\":\"mount\"}]}";
	const struct plan_request request = {.id = "a", .bundle = "/b", .is_cgroup_disabled = true};
	const struct host host = {.is_privileged = true, .is_mounting = true, .page_size = 4096};
	_cleanup_spec_ struct spec *spec = NULL;
	struct plan *plan = NULL;
	struct err err = {0};

	json_array_end(json);
	json_key(json, "linux");
	json_number(json, linux_section, sizeof linux_section - 1);
	json_object_end(json);
	if (spec_parse(config->data, config->len, &spec, &err) >= 0)
		(void)!plan_build(spec, &host, &request, &plan, &err);
	if (plan == NULL && err.msg[0] == '\0')
		abort();
	return plan;
}

static int make_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("content", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

static void check_content(const uint8_t *data, size_t size)
{
	_cleanup_fd_ int fd = make_file(data, size);
	_cleanup_free_ char *source = mem_format("@%d", fd);
	const struct sandbox_mount mount = {.kind = SANDBOX_FILE, .source = source, .target = "/f"};
	_cleanup_free_ struct plan *plan = NULL;
	_cleanup_buf_ struct buf config = {0};
	const struct plan_step *step;
	struct json json;
	struct err err;

	begin(&json, &config);
	if (content_add_option(&json, &mount, &err) < 0)
		abort();
	plan = end(&json, &config);
	step = plan == NULL ? NULL : plan_find(plan, PLAN_FILE);
	if (step == NULL || step->u.file.content.count != size ||
	    memcmp(plan_rows(plan, step->u.file.content), data, size) != 0)
		abort();
}

/* How many bytes an accepted source stands for. */
static size_t content_length(const char *source)
{
	const char *content = strchr(source, ',') + 1;
	size_t len = strlen(content);

	if (content - source == (ptrdiff_t)strlen("data:,")) {
		for (const char *at = content; (at = strchr(at, '%')) != NULL; at++)
			len -= 2;
		return len;
	}
	len = len / 4 * 3;
	for (const char *at = content; (at = strchr(at, '=')) != NULL; at++)
		len--;
	return len;
}

static void check_source(const char *source)
{
	_cleanup_free_ struct plan *plan = NULL;
	_cleanup_buf_ struct buf config = {0};
	const struct plan_step *step;
	struct json json;

	/* The writer of JSON would replace bytes. */
	if (!content_is_text(source, strlen(source)))
		return;
	begin(&json, &config);
	mount_add(&json, "/f", "file", source, NULL);
	plan = end(&json, &config);
	if (plan == NULL)
		return;
	step = plan_find(plan, PLAN_FILE);
	if (step == NULL || step->u.file.content.count != content_length(source))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = mem_alloc(size + 1);

	memcpy(text, data, size);
	check_content(data, size);
	check_source(text);
	return 0;
}
