/* SPDX-License-Identifier: ISC
 *
 * Points in time as people write them for the console, and as the session log has them. Pure.
 */
#ifndef SEKISHO_CONSOLE_TIME_H
#define SEKISHO_CONSOLE_TIME_H

#include "bytes.h"

/* RFC 3339 with or without a fraction, a space or T between date and time, Z or an offset; or a date alone,
 * which is its midnight in UTC. Microseconds since 1970-01-01 UTC. */
bool console_time_parse(struct view text, int64_t *us);

#endif
