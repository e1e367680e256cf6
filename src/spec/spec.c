/* SPDX-License-Identifier: Apache-2.0 */
/* Parses the four documents of spec.h: a configuration, a process, resources, mounts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

#define FINDINGS_MAX 1000
#define NOTES_MAX 1000

/* --- tables ---------------------------------------------------------------------------------------------- */

static void parse_version(struct reader *reader, const struct dom_node *node, const struct field *field,
			  void *target)
{
	struct spec *spec = target;
	uint64_t major;

	(void)field;
	if (!reader_expect(reader, node, DOM_STRING))
		return;
	if (!spec_is_semver(node->text, &major))
		reader_refuse(reader, node, "must be a version like '1.2.0', not %s",
			      reader_quote(reader, node->text));
	else if (major > 1)
		reader_refuse(reader, node, "version %s is not supported (%s to %s are)",
			      reader_quote(reader, node->text), SPEC_VERSION_MIN, SPEC_VERSION_MAX);
	else if (major == 0)
		reader_warn(reader, node, "version %s is a draft of %s", reader_quote(reader, node->text),
			    SPEC_VERSION_MIN);
	spec->oci_version = node->text;
}

/* __NEW_UTS_LEN of the kernel. */
#define UTS_NAME_MAX 64

static void parse_uts_name(struct reader *reader, const struct dom_node *node, const struct field *field,
			   void *target)
{
	if (node->type == DOM_STRING && strlen(node->text) > UTS_NAME_MAX)
		reader_refuse(reader, node, "must be at most %d bytes long, not %zu", UTS_NAME_MAX,
			      strlen(node->text));
	else
		field_text(reader, node, field, target);
}

static const struct field root_fields[] = {
	FIELD("path", field_string, struct spec, root.path, REQUIRED),
	FIELD("readonly", field_bool, struct spec, root.is_readonly),
};
static const struct table root_table = TABLE(root_fields);

static void check_mount(struct reader *reader, const struct dom_node *node, void *target)
{
	const struct spec_mount *mount = target;

	if (mount->uid_mappings.count > 0 && mount->gid_mappings.count == 0)
		reader_refuse_key(reader, node, "gidMappings", "is required together with uidMappings");
	if (mount->gid_mappings.count > 0 && mount->uid_mappings.count == 0)
		reader_refuse_key(reader, node, "uidMappings", "is required together with gidMappings");
}

static const struct field mount_fields[] = {
	FIELD("destination", field_string, struct spec_mount, destination, REQUIRED),
	FIELD("type", field_text, struct spec_mount, type),
	FIELD("source", field_text, struct spec_mount, source),
	FIELD("options", field_list, struct spec_mount, options),
	ARRAY("uidMappings", struct spec_mount, uid_mappings.v, uid_mappings.count, spec_table_id_map),
	ARRAY("gidMappings", struct spec_mount, gid_mappings.v, gid_mappings.count, spec_table_id_map),
};
static const struct table mount_table =
	TABLE(mount_fields, .size = sizeof(struct spec_mount), .check = check_mount);

static const struct field config_fields[] = {
	FIELD("ociVersion", parse_version, struct spec, oci_version, REQUIRED),
	INLINE_OBJECT("root", root_table, REQUIRED),
	ARRAY("mounts", struct spec, mounts, mount_count, mount_table),
	FIELD("hostname", parse_uts_name, struct spec, hostname),
	FIELD("domainname", parse_uts_name, struct spec, domainname),
	OBJECT("process", struct spec, process, spec_table_process, SET(struct spec, has_process)),
	INLINE_OBJECT("hooks", spec_table_hooks),
	FIELD("annotations", field_map, struct spec, annotations),
	INLINE_OBJECT("linux", spec_table_linux),
};
static const struct table config_table = TABLE(config_fields);

/* --- documents ------------------------------------------------------------------------------------------- */

struct document {
	const struct table *table;
	size_t offset;                                                        /* of the target in struct spec */
	void (*validate)(struct reader *reader, const struct dom_node *root); /* may be NULL */
	bool has_key_warnings;                                                /* for unknown keys */
	const struct field *array; /* the document is an array, and this its field of struct spec; or NULL */
};

struct finding_target {
	spec_finding on_finding;
	void *context;
	int max, max_notes;
};

static void require_id(struct reader *reader, const struct dom_node *user, const char *key)
{
	if (dom_member(user, key) == NULL)
		reader_refuse_key(reader, user, key, "is required");
}

/* A user needs both ids: an omitted id must not silently become that of root. */
static void validate_process(struct reader *reader, const struct dom_node *root)
{
	if (reader->spec->process.has_user) {
		require_id(reader, dom_member(root, "user"), "uid");
		require_id(reader, dom_member(root, "user"), "gid");
	}
	if (dom_member(root, "args") == NULL)
		reader_refuse_key(reader, root, "args", "is required");
	reader->spec->has_process = true;
}

static void validate_resources(struct reader *reader, const struct dom_node *root)
{
	const struct table *table = &spec_table_resources;
	const struct dom_node *whole = dom_member(root, "linux");
	bool has_known = false;

	for (size_t i = 0; i < table->count && !has_known; i++)
		has_known = dom_member(root, table->fields[i].key) != NULL;
	if (whole != NULL && !has_known)
		reader_refuse_hint(reader, whole, "to extract it: jq .linux.resources config.json",
				   "is not a resource: expected is the value of /linux/resources, not a whole "
				   "configuration");
}

static const struct field mounts_field = ARRAY("", struct spec, mounts, mount_count, mount_table);

static const struct document config_document = {&config_table, 0, spec_validate};
static const struct document process_document = {&spec_table_process, offsetof(struct spec, process),
						 validate_process};
static const struct document resources_document = {&spec_table_resources, offsetof(struct spec, resources),
						   validate_resources, true};
static const struct document mounts_document = {.has_key_warnings = true, .array = &mounts_field};

static void read_document(struct reader *reader, const struct dom *dom, const struct document *document)
{
	for (const struct dom_duplicate *d = dom->duplicates; d != NULL; d = d->next)
		reader_refuse(reader, d->node, "key given twice");
	if (document->array != NULL) {
		if (dom_member(dom->root, "mounts") != NULL)
			reader_refuse_hint(reader, dom->root, "to extract it: jq .mounts config.json",
					   "must be an array of mounts, not a whole configuration");
		else
			document->array->parse(reader, dom->root, document->array, reader->spec);
		return;
	}
	reader_object(reader, dom->root, document->table, (char *)reader->spec + document->offset);
	if (dom->root->type == DOM_OBJECT && document->validate != NULL)
		document->validate(reader, dom->root);
}

/* Returns the number of findings. */
static int read_json(const char *json, size_t len, const struct document *document,
		     const struct finding_target *finding_target, struct spec **ret_spec)
{
	_cleanup_spec_ struct spec *spec = mem_alloc(sizeof *spec);
	_cleanup_dom_ struct dom dom = {0};
	struct reader reader = {
		.spec = spec,
		.arena = &spec->arena,
		.scratch = &dom.nodes,
		.on_finding = finding_target->on_finding,
		.context = finding_target->context,
		.max_findings = finding_target->max,
		.notes_left = document->has_key_warnings ? NOTES_MAX : finding_target->max_notes,
		.is_warning = document->has_key_warnings,
	};
	struct err err;

	if (dom_parse(&dom, &spec->arena, json, len, &err) < 0) {
		finding_target->on_finding(finding_target->context, &err);
		return 1;
	}
	read_document(&reader, &dom, document);
	if (reader.findings > 0)
		return reader.findings < finding_target->max ? reader.findings : finding_target->max;
	*ret_spec = take_ptr(spec);
	return 0;
}

static void copy_finding(void *context, const struct err *finding)
{
	if (finding->kind != ERR_NONE)
		*(struct err *)context = *finding;
}

static int parse_document(const char *json, size_t len, const struct document *document, struct spec **ret_spec,
			  struct err *err)
{
	struct finding_target finding_target = {copy_finding, err, 1, 0};

	return read_json(json, len, document, &finding_target, ret_spec) > 0 ? -EINVAL : 0;
}

int spec_parse(const char *json, size_t len, struct spec **ret_spec, struct err *err)
{
	return parse_document(json, len, &config_document, ret_spec, err);
}

int spec_parse_process(const char *json, size_t len, struct spec **ret_spec, struct err *err)
{
	return parse_document(json, len, &process_document, ret_spec, err);
}

int spec_parse_resources(const char *json, size_t len, struct spec **ret_spec, struct err *err)
{
	return parse_document(json, len, &resources_document, ret_spec, err);
}

int spec_parse_mounts(const char *json, size_t len, struct spec **ret_spec, struct err *err)
{
	return parse_document(json, len, &mounts_document, ret_spec, err);
}

int spec_parse_all(const char *json, size_t len, spec_finding on_finding, void *context, struct spec **ret_spec)
{
	struct finding_target finding_target = {on_finding, context, FINDINGS_MAX, NOTES_MAX};

	*ret_spec = NULL;
	return read_json(json, len, &config_document, &finding_target, ret_spec);
}

void spec_free(struct spec *spec)
{
	if (spec == NULL)
		return;
	arena_done(&spec->arena);
	free(spec);
}
