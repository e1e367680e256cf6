/* SPDX-License-Identifier: Apache-2.0 */
/* The printers of what many kinds of steps have, and what the other printers share. Process: the parent. */
#include <linux/sched.h>
#include <sys/mount.h>

#include <tare/protocol.h>

#include "detail.h"

void detail_add_bits(struct buf *out, uint64_t value, const struct detail_bit *bits, size_t count,
		     const char *between)
{
	bool is_first = true;

	for (size_t i = 0; i < count; i++) {
		if ((value & bits[i].value) == 0)
			continue;
		buf_format(out, "%s%s", is_first ? "" : between, bits[i].name);
		is_first = false;
	}
}

void detail_add_item(struct buf *out, const char *before, const char *item)
{
	buf_add_str(out, before);
	buf_add_str(out, item == NULL ? "" : item);
}

void detail_add_namespaces(struct buf *out, uint64_t flags)
{
	static const struct detail_bit bits[] = {
		{CLONE_NEWUSER, "user"},     {CLONE_NEWNS, "mount"}, {CLONE_NEWPID, "pid"},
		{CLONE_NEWNET, "network"},   {CLONE_NEWIPC, "ipc"},  {CLONE_NEWUTS, "uts"},
		{CLONE_NEWCGROUP, "cgroup"}, {0x80, "time"},
	};

	detail_add_bits(out, flags, bits, ARRAY_SIZE(bits), " ");
}

void detail_add_propagation(struct buf *out, uint64_t type)
{
	static const struct detail_bit bits[] = {{MS_SHARED, "shared"},
						 {MS_SLAVE, "slave"},
						 {MS_PRIVATE, "private"},
						 {MS_UNBINDABLE, "unbindable"}};

	detail_add_bits(out, type, bits, ARRAY_SIZE(bits), ",");
}

void plan_detail_none(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)out;
	(void)plan;
	(void)step;
}

void plan_detail_text(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	detail_add_item(out, "", plan_get(plan, step->u.text));
}

void plan_detail_number(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)plan;
	buf_format(out, "%lld", (long long)step->u.number);
}

void plan_detail_message(struct buf *out, const struct plan *plan, const struct plan_step *step)
{
	(void)plan;
	buf_add_str(out, protocol_step_name((enum protocol_step)step->u.step));
}
