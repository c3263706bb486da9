/* SPDX-License-Identifier: ISC
 *
 * The zone that records' times are told in: an offset ("+09:00", "Z"), or a name of the system's time zone
 * database ("Europe/Berlin"), whose offset changes over the year. One zone a process: a name becomes the C
 * library's own.
 */
#ifndef SEKISHO_ZONE_H
#define SEKISHO_ZONE_H

#include "bytes.h"

struct zone {
    bool named;
    int offset_minutes; /* when not named */
};

/* Whether it is an offset, or looks like a name: relative, of [A-Za-z0-9_+-] and '/', never "..". */
bool zone_valid(struct view text);
/* Whether the system knows it. Reads a file. */
bool zone_known(struct view text);
/* A valid one, to be used from now on. False, with *out as it was, when the system does not know it. */
bool zone_take(struct view text, struct zone *out);
/* Minutes east of UTC at that time; a zone's odd seconds are left out. */
int zone_minutes(const struct zone *z, int64_t wall_us);
/* The number of the local day that time is in; grows by one at local midnight. */
int64_t zone_day(const struct zone *z, int64_t wall_us);

#endif
