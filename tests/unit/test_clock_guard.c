/* SPDX-License-Identifier: ISC
 *
 * The clock is set, the machine sleeps, and no grant grows longer.
 */
#include "clock_guard.h"

#include <criterion/criterion.h>

#define SECOND 1000000ll
#define START (1795555800 * SECOND)

static struct clock_guard g;
static struct moment m;
static int64_t jump;

static void begin(void) {
    m = (struct moment){.mono_us = 50 * SECOND, .wall_us = START};
    clock_guard_begin(&g, m, 0);
}
static int64_t after(int64_t mono, int64_t wall) {
    m.mono_us += mono;
    m.wall_us += wall;
    return clock_guard_wall(&g, m, &jump) - START;
}

TestSuite(clock_guard, .init = begin);

Test(clock_guard, time_goes_by) {
    cr_expect_eq(after(SECOND, SECOND), SECOND);
    cr_expect_eq(jump, 0);
    cr_expect_eq(after(0, 0), SECOND);
}

Test(clock_guard, set_back_it_goes_on) {
    cr_expect_eq(after(SECOND, SECOND - 3600 * SECOND), SECOND);
    cr_expect_eq(jump, -3600 * SECOND);
    cr_expect_eq(after(10 * SECOND, 10 * SECOND), 11 * SECOND,
                 "it does not stand still until the clock caught up");
    cr_expect_eq(jump, 0);
    cr_expect_eq(after(SECOND, SECOND + 3600 * SECOND), 12 * SECOND, "set right again");
    cr_expect_eq(jump, 3600 * SECOND);
}

Test(clock_guard, set_forward_it_follows_and_does_not_return) {
    cr_expect_eq(after(SECOND, 3601 * SECOND), 3601 * SECOND);
    cr_expect_eq(jump, 3600 * SECOND);
    cr_expect_eq(after(SECOND, SECOND - 3600 * SECOND), 3602 * SECOND);
    cr_expect_eq(jump, -3600 * SECOND);
}

Test(clock_guard, a_sleeping_machine_is_no_jump) {
    cr_expect_eq(after(8 * 3600 * SECOND, 8 * 3600 * SECOND), 8 * 3600 * SECOND);
    cr_expect_eq(jump, 0);
}

Test(clock_guard, a_small_correction_is_no_jump_and_not_believed_backwards) {
    cr_expect_eq(after(10 * SECOND, 9 * SECOND), 10 * SECOND);
    cr_expect_eq(jump, 0);
    cr_expect_eq(after(10 * SECOND, 8 * SECOND), 20 * SECOND);
    cr_expect_eq(jump, 0);
    cr_expect_eq(after(10 * SECOND, 8 * SECOND - 1), 30 * SECOND);
    cr_expect_eq(jump, -2 * SECOND - 1);
}

Test(clock_guard, moments_out_of_order_change_nothing) {
    after(10 * SECOND, 10 * SECOND);
    m.mono_us -= 5 * SECOND;
    m.wall_us -= 1;
    cr_expect_eq(clock_guard_wall(&g, m, &jump) - START, 10 * SECOND);
}

Test(clock_guard, a_restart_behind_what_was_signed_starts_there) {
    clock_guard_begin(&g, m, START + 60 * SECOND);
    cr_expect_eq(after(0, 0), 60 * SECOND);
    cr_expect_eq(after(SECOND, SECOND), 61 * SECOND);
    clock_guard_floor(&g, START + 30 * SECOND);
    cr_expect_eq(after(0, 0), 61 * SECOND);
}
