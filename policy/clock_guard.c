/* SPDX-License-Identifier: ISC
 *
 * A wall clock that never goes back and never stands still. See clock_guard.h. Pure.
 */
#include "clock_guard.h"
#include "magic.h"

void clock_guard_begin(struct clock_guard *g, struct moment now, int64_t floor_us) {
    *g = (struct clock_guard){.magic = CLOCK_GUARD_MAGIC, .seen = now, .effective_us = now.wall_us};
    clock_guard_floor(g, floor_us);
}

void clock_guard_floor(struct clock_guard *g, int64_t floor_us) {
    MAGIC_CHECK(g, CLOCK_GUARD_MAGIC);
    if (floor_us > g->effective_us)
        g->effective_us = floor_us;
}

int64_t clock_guard_wall(struct clock_guard *g, struct moment now, int64_t *jump_us) {
    MAGIC_CHECK(g, CLOCK_GUARD_MAGIC);
    int64_t passed = now.mono_us - g->seen.mono_us;
    if (passed < 0)
        passed = 0; /* moments out of order: no time has passed */
    else
        g->seen.mono_us = now.mono_us;
    int64_t jump = now.wall_us - g->seen.wall_us - passed;
    g->seen.wall_us = now.wall_us;
    g->effective_us += passed;
    if (now.wall_us > g->effective_us)
        g->effective_us = now.wall_us;
    *jump_us = jump > CLOCK_JUMP_US || jump < -CLOCK_JUMP_US ? jump : 0;
    return g->effective_us;
}
