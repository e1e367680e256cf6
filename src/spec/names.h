/* SPDX-License-Identifier: Apache-2.0 */
/* names: the tables of names in the specification, for the functions of spec.h and for the parser. */
#ifndef TARE_SPEC_NAMES_H
#define TARE_SPEC_NAMES_H

#include "field.h"

#define NAMES(what_, v_)                                                                                       \
	{                                                                                                      \
		.what = (what_), .v = (v_), .count = ARRAY_SIZE(v_)                                            \
	}
/* Name number index of the table, or NULL past the last. */
const char *names_at(const struct name_table *names, int index);

extern const struct name_table spec_names_namespace;      /* value: enum spec_ns */
extern const struct name_table spec_names_rlimit;         /* RLIMIT_* */
extern const struct name_table spec_names_seccomp_action; /* enum spec_seccomp_action */
extern const struct name_table spec_names_seccomp_op;     /* enum spec_seccomp_arg_op */
extern const struct name_table spec_names_seccomp_arch;   /* no values */
extern const struct name_table spec_names_seccomp_flag;   /* no values */

#endif
