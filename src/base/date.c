/* SPDX-License-Identifier: Apache-2.0 */
/* Dates of the Gregorian calendar, in UTC. The C library's gmtime_r(3) reads files for time zones. */
#include <tare/base.h>

#define SECS_OF_DAY 86400

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_of_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month] + (month == 1 && is_leap(year));
}

char *date_text(int64_t secs)
{
	int64_t clamped = secs < 0 ? 0 : secs > DATE_SECS_MAX ? DATE_SECS_MAX : secs;
	int days = (int)(clamped / SECS_OF_DAY), second = (int)(clamped % SECS_OF_DAY);
	int year = 1970, month = 0;

	for (; days >= 365 + is_leap(year); year++)
		days -= 365 + is_leap(year);
	for (; days >= days_of_month(year, month); month++)
		days -= days_of_month(year, month);
	return mem_format("%04d-%02d-%02dT%02d:%02d:%02d", year, month + 1, days + 1, second / 3600,
			  second / 60 % 60, second % 60);
}
