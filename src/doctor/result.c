/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of the report, as the probes add them. */
#include "doctor.h"

void doctor_add(struct doctor *doctor, const struct doctor_result *result)
{
	doctor->results = mem_resize(doctor->results, (doctor->count + 1) * sizeof *doctor->results);
	doctor->results[doctor->count] = *result;
	doctor->results[doctor->count++].subject = doctor->subject;
}

void doctor_ok(struct doctor *doctor, const char *item, const char *finding)
{
	doctor_add(doctor, &(struct doctor_result){.verdict = DOCTOR_OK, .item = item, .finding = finding});
}

void doctor_limited(struct doctor *doctor, const char *item, const char *finding, const char *lost,
		    const char *change)
{
	doctor_add(doctor, &(struct doctor_result){.verdict = DOCTOR_LIMITED,
						   .item = item,
						   .finding = finding,
						   .lost = lost,
						   .change = change});
}

void doctor_broken(struct doctor *doctor, const char *item, const char *finding, const char *change)
{
	doctor_add(doctor, &(struct doctor_result){
				   .verdict = DOCTOR_BROKEN,
				   .item = item,
				   .finding = finding,
				   .change = change == NULL ? "see tare check, which tries a start of a bundle"
							    : change});
}

const char *doctor_hint(struct doctor *doctor, const struct err *err)
{
	return str_is_empty(err->hint) ? NULL : doctor_text(doctor, "%s", err->hint);
}

const char *doctor_error(struct doctor *doctor, const struct err *err)
{
	return err->errnum == 0 ? doctor_text(doctor, "%s", err->msg)
				: doctor_text(doctor, "%s: %s", err->msg, ERRNO_TEXT(err->errnum));
}

void doctor_add_unknown(struct doctor *doctor, const char *item, const struct err *err)
{
	doctor_add(doctor, &(struct doctor_result){
				   .verdict = DOCTOR_UNKNOWN,
				   .item = item,
				   .finding = doctor_error(doctor, err),
				   .lost = "this report knows nothing about it",
				   .change = doctor_hint(doctor, err),
			   });
}

bool doctor_is_root(const struct doctor *doctor)
{
	return doctor->host.is_privileged && !doctor->host.is_in_user_ns;
}
