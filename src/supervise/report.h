/* SPDX-License-Identifier: Apache-2.0 */
/* report: the form of a report that report_print writes for REPORT_ISOLATE. Private to the room. */
#ifndef TARE_SUPERVISE_REPORT_H
#define TARE_SUPERVISE_REPORT_H

#include <tare/supervise.h>

void report_print_isolate(const struct report *report, struct buf *out);

#endif
