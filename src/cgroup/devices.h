/* SPDX-License-Identifier: Apache-2.0 */
/* Device rules as an eBPF program. Private to the room, and to its tests. */
#ifndef TARE_CGROUP_DEVICES_H
#define TARE_CGROUP_DEVICES_H

#include <linux/bpf.h>

#include <tare/cgroup.h>

/*
 * Translates the rules into a program of type BPF_PROG_TYPE_CGROUP_DEVICE that returns 1 for allowed and 0 for
 * denied. Needs no privilege and makes no system call. The caller frees *ret_program. Returns the number of
 * instructions, 0 (and no program) if the rules allow everything, -EINVAL for a rule of an unknown type or
 * with unknown access bits, or -E2BIG for more rules than any kernel accepts. A kernel may refuse 2,731 rules
 * already if each decides differently from the one before it.
 */
int cgroup_devices_compile(const struct spec_device_rule *rules, size_t count,
			   struct bpf_insn **ret_program) MUST_CHECK;

#endif
