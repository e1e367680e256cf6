/* SPDX-License-Identifier: Apache-2.0 */
/* What the sources of the room share. */
#ifndef TARE_SECCOMP_PRIVATE_H
#define TARE_SECCOMP_PRIVATE_H

#include <tare/seccomp.h>

/* libseccomp's number of an architecture ("SCMP_ARCH_..."), 0 if it knows none. */
uint32_t seccomp_arch_token(const char *name);

#endif
