/* SPDX-License-Identifier: Apache-2.0 */
/* Declarations that the sources of this room share. */
#ifndef TARE_SECCOMP_PRIVATE_H
#define TARE_SECCOMP_PRIVATE_H

#include <tare/seccomp.h>

/* libseccomp's number of an architecture ("SCMP_ARCH_..."), 0 if libseccomp does not know it. */
uint32_t seccomp_arch_token(const char *name);

#endif
