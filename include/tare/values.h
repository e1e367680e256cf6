/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values: parts of the configuration that the plan contains unchanged.
 *
 * Plain data without pointers, because a plan is a relocatable block of memory, and because init reads it
 * without a C library. is_set is false if the configuration does not have the property.
 */
#ifndef TARE_VALUES_H
#define TARE_VALUES_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A number that no system call has. The process that has installed a filter for the recorder of system calls
 * calls it: the filter always notifies of it, so the process waits until the recorder has the listener.
 */
#define SECCOMP_HANDOVER_NUMBER 0x2ade0001

struct spec_int {
	bool is_set;
	int64_t value;
};
struct spec_uint {
	bool is_set;
	uint64_t value;
};

struct spec_id_range {
	uint32_t container_id, host_id, size; /* size > 0; the highest id of a range is at most 2^32 - 2 */
};
struct spec_time_offset {
	bool is_set;
	int64_t secs;
	uint32_t nanosecs; /* < 10^9 */
};
struct spec_console_size {
	bool is_set;
	uint16_t height, width;
};

/* --- attributes of a process --- */

struct spec_capabilities { /* bit n: capability number n */
	uint64_t bounding, effective, inheritable, permitted, ambient;
};
struct spec_rlimit {
	uint32_t resource;   /* RLIMIT_* */
	uint64_t soft, hard; /* soft <= hard; 2^64-1 is infinity */
};
struct spec_scheduler {
	bool is_set;
	uint32_t policy; /* SCHED_* of <linux/sched.h> */
	int32_t nice;
	uint32_t priority;
	uint64_t flags;                     /* SCHED_FLAG_* of <linux/sched.h> */
	uint64_t runtime, deadline, period; /* ns */
};
#define SPEC_NODE_WORDS 16 /* 1024 nodes, the maximum of any kernel configuration */
struct spec_memory_policy {
	bool is_set;
	int32_t mode;                    /* MPOL_* of <linux/mempolicy.h> */
	uint32_t flags;                  /* MPOL_F_* */
	uint64_t nodes[SPEC_NODE_WORDS]; /* bit n: node number n */
};
struct spec_io_priority {
	bool is_set;
	int32_t class_;   /* IOPRIO_CLASS_* of <linux/ioprio.h> */
	int32_t priority; /* 0..7 */
};
struct spec_personality {
	bool is_set;
	uint32_t domain; /* PER_LINUX, PER_LINUX32 of <linux/personality.h> */
};
struct spec_attributes { /* those of /process and /linux that a process has once */
	bool no_new_privileges;
	struct spec_uint umask;        /* <= 0777 */
	struct spec_int oom_score_adj; /* -1000..1000 */
	struct spec_scheduler scheduler;
	struct spec_io_priority io_priority;
	struct spec_memory_policy memory_policy;
	struct spec_personality personality;
};

#define SPEC_ACCESS_MKNOD 1u
#define SPEC_ACCESS_READ 2u
#define SPEC_ACCESS_WRITE 4u
struct spec_device_rule {
	int64_t major, minor; /* -1: any */
	char type;            /* 'a', 'b', 'c' */
	uint8_t access;       /* SPEC_ACCESS_* */
	bool allow;
};

#endif
