/* SPDX-License-Identifier: Apache-2.0 */
/* names: the tables of names in the specification, for the functions of spec.h and for the parser. */
#ifndef TARE_SPEC_NAMES_H
#define TARE_SPEC_NAMES_H

#include "field.h"

extern const struct name_table spec_names_namespace; /* value: enum spec_ns */
extern const struct name_table spec_names_rlimit;    /* RLIMIT_* */
extern const struct name_table spec_names_sched_policy;
extern const struct name_table spec_names_sched_flag;
extern const struct name_table spec_names_io_class;
extern const struct name_table spec_names_memory_mode;
extern const struct name_table spec_names_memory_flag;
extern const struct name_table spec_names_seccomp_action; /* enum spec_seccomp_action */
extern const struct name_table spec_names_seccomp_op;     /* enum spec_seccomp_arg_op */
extern const struct name_table spec_names_seccomp_arch;   /* no values */
extern const struct name_table spec_names_seccomp_flag;   /* no values */
extern const struct name_table spec_names_propagation;    /* enum spec_propagation */
extern const struct name_table spec_names_personality;    /* PER_* */

/* The number of a capability, or -1. */
int spec_capability_number(const char *name);

#endif
