/* SPDX-License-Identifier: ISC
 *
 * Time as a value: read once per turn of the loop, passed down as a parameter. Deadlines use the monotonic
 * part, which nobody can set back; the wall part is for records only.
 */
#ifndef SEKISHO_CLOCK_H
#define SEKISHO_CLOCK_H

#include "bytes.h"

struct moment {
    int64_t mono_us; /* CLOCK_BOOTTIME, microseconds: goes on while the machine sleeps */
    int64_t wall_us; /* CLOCK_REALTIME, microseconds since 1970-01-01 UTC */
};

struct moment clock_now(void);
/* RFC 3339 with milliseconds and the offset, "2026-11-24T21:30:00.123+09:00" or "...Z" for offset 0. */
void clock_rfc3339(struct writer *w, int64_t wall_us, int offset_minutes);
/* What clock_rfc3339 wrote. */
bool clock_parse_rfc3339(struct view v, int64_t *wall_us);
/* "+09:00", "-03:30", "Z" or "UTC" into minutes. */
bool clock_parse_offset(struct view v, int *offset_minutes);

#endif
