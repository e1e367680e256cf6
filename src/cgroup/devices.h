/* SPDX-License-Identifier: Apache-2.0 */
/* The device program, apart from the kernel so that it can be tested. Private to the room. */
#ifndef TARE_CGROUP_DEVICES_H
#define TARE_CGROUP_DEVICES_H

#include <linux/bpf.h>

#include <tare/cgroup.h>

/* Returns the number of instructions in *ret, which the caller frees. */
size_t cgroup_devices_compile(const struct plan_device_rule *rules, size_t count, struct bpf_insn **ret);

#endif
