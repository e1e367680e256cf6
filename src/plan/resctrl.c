/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.intelRdt: the class of service of resctrl that the container's processes are in. Process: the parent.
 */
#include <string.h>

#include "builder.h"
#include "detail.h"

#define NAME_LONGEST 255

/*
 * In the order of runtime-spec config-linux.md "IntelRdt": the L3 line, the MB line, then schemata. An
 * l3CacheSchema of memory bandwidth ("MB:...") is ignored if memBwSchema is set.
 */
static plan_text schemata_of(struct builder *b)
{
	const char *l3 = b->spec->intel_rdt.l3_cache_schema, *mb = b->spec->intel_rdt.mem_bw_schema;
	const struct spec_list *schemata = &b->spec->intel_rdt.schemata;
	_cleanup_buf_ struct buf text = {0};

	if (!str_is_empty(l3) && (str_is_empty(mb) || !str_has_prefix(l3, "MB:")))
		buf_format(&text, "%s\n", l3);
	if (!str_is_empty(mb))
		buf_format(&text, "%s\n", mb);
	for (size_t i = 0; i < schemata->count; i++)
		buf_format(&text, "%s\n", schemata->v[i]);
	return builder_text(b, text.data);
}

void plan_add_resctrl(struct builder *b)
{
	const char *clos = b->spec->intel_rdt.clos_id, *id = b->request->id;
	struct plan_resctrl resctrl = {.is_own = str_is_empty(clos)};
	bool has_id = resctrl.is_own || b->spec->intel_rdt.enable_monitoring;
	plan_text json_pointer;

	if (!b->spec->intel_rdt.is_set)
		return;
	if (!b->host->is_privileged || b->host->is_in_user_ns)
		builder_finding(b, ERR_UNSUPPORTED, "/linux/intelRdt",
				"only root in the initial user namespace can use resctrl");
	if ((has_id && strlen(id) > NAME_LONGEST) || (!resctrl.is_own && strlen(clos) > NAME_LONGEST))
		builder_finding(b, ERR_CONFIG, "/linux/intelRdt",
				"the name of the class is longer than 255 bytes");
	resctrl.clos = builder_text(b, resctrl.is_own ? id : str_equal(clos, "/") ? "" : clos);
	resctrl.schemata = schemata_of(b);
	if (b->spec->intel_rdt.enable_monitoring)
		resctrl.monitor = builder_text(b, id);
	json_pointer = builder_text(b, "/linux/intelRdt");
	builder_step(b, PLAN_PARENT, PLAN_RESCTRL, json_pointer)->u.resctrl = resctrl;
	b->stored.resctrl = resctrl;
}

void plan_copy_resctrl(struct builder *b, const struct plan *container)
{
	const struct plan_resctrl *of_container = &plan_process_of(container)->resctrl;
	struct plan_resctrl resctrl = {.is_made = true};

	if (of_container->clos == 0)
		return;
	resctrl.clos = builder_text(b, plan_get(container, of_container->clos));
	resctrl.monitor = builder_text(b, plan_get(container, of_container->monitor));
	builder_step(b, PLAN_PARENT, PLAN_RESCTRL, 0)->u.resctrl = resctrl;
}

/* --- printers --- */

void plan_detail_resctrl(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	const struct plan_resctrl *resctrl = &step->u.resctrl;
	const char *clos = plan_get(plan, resctrl->clos), *line = plan_get(plan, resctrl->schemata);

	buf_format(out, "%s%s", resctrl->is_own ? "new " : "", clos[0] == '\0' ? "/" : clos);
	for (const char *word = " with "; line != NULL && *line != '\0'; word = ",") {
		size_t len = strcspn(line, "\n");

		buf_format(out, "%s%.*s", word, (int)len, line);
		line += len + (line[len] == '\n');
	}
	if (resctrl->monitor != 0)
		buf_format(out, " monitored as %s", plan_get(plan, resctrl->monitor));
}
