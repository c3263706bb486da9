/* SPDX-License-Identifier: ISC
 *
 * A wall clock that never goes back and never stands still: when the system's clock is set back, time goes on
 * from the latest moment seen, as fast as the monotonic clock. Set forward, it follows: a grant may so end
 * early, never late. Pure.
 */
#ifndef SEKISHO_CLOCK_GUARD_H
#define SEKISHO_CLOCK_GUARD_H

#include "clock.h"

#define CLOCK_GUARD_MAGIC 0xC10C6A2Du
#define CLOCK_JUMP_US 2000000 /* a smaller difference is no jump */

struct clock_guard {
    uint32_t magic;
    struct moment seen;   /* the last moment given */
    int64_t effective_us; /* the last time answered */
};

/* floor_us: a wall time that is certainly past (the newest signed statement, the head file's time); 0: none.
 */
void clock_guard_begin(struct clock_guard *g, struct moment now, int64_t floor_us);
/* Raises the time to a moment that is certainly past. */
void clock_guard_floor(struct clock_guard *g, int64_t floor_us);
/* The effective wall time, microseconds. *jump_us: by how much the system's clock was set since the last
 * call, against the monotonic one; 0 when by no more than CLOCK_JUMP_US. */
int64_t clock_guard_wall(struct clock_guard *g, struct moment now, int64_t *jump_us);

#endif
