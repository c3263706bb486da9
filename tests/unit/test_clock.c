/* SPDX-License-Identifier: ISC
 *
 * clock.c: moments for records and for deadlines.
 */
#include "clock.h"

#include <criterion/criterion.h>

static void expect_time(int64_t wall_us, int offset, const char *wanted) {
    uint8_t room[64];
    struct writer w = writer_of(room, sizeof room);
    clock_rfc3339(&w, wall_us, offset);
    cr_assert(!w.bad && view_equal_text(writer_view(&w), wanted), "%.*s", (int)w.len, (const char *)room);
}

Test(clock, times_carry_milliseconds_and_offset) {
    expect_time(0, 0, "1970-01-01T00:00:00.000Z");
    expect_time(1795523400123456, 540, "2026-11-24T21:30:00.123+09:00");
    expect_time(1795523400123456, 0, "2026-11-24T12:30:00.123Z");
    expect_time(1795523400999999, -210, "2026-11-24T09:00:00.999-03:30");
    expect_time(1709164799000000, 1, "2024-02-29T00:00:59.000+00:01"); /* over midnight into a leap day */
}

Test(clock, a_time_that_does_not_fit_is_bad) {
    uint8_t room[20];
    struct writer w = writer_of(room, sizeof room);
    clock_rfc3339(&w, 0, 0);
    cr_assert(w.bad);
}

static int offset_of(const char *text) {
    int minutes = -1000;
    return clock_parse_offset(view_text(text), &minutes) ? minutes : -9999;
}

Test(clock, offsets_are_read) {
    cr_assert_eq(offset_of("Z"), 0);
    cr_assert_eq(offset_of("UTC"), 0);
    cr_assert_eq(offset_of("+09:00"), 540);
    cr_assert_eq(offset_of("-03:30"), -210);
    cr_assert_eq(offset_of("+14:59"), 14 * 60 + 59);
    cr_assert_eq(offset_of("-00:00"), 0);
}

Test(clock, other_offsets_are_refused) {
    static const char *const wrong[] = {"",       "z",      "JST",    "09:00",   "+9:00",  "+0900",
                                        "+15:00", "+09:60", "+0a:00", "+09:000", "*09:00", "+09-00"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_eq(offset_of(wrong[i]), -9999, "%s", wrong[i]);
}

Test(clock, now_is_after_this_was_written_and_never_runs_backwards) {
    struct moment a = clock_now(), b = clock_now();
    cr_assert(a.wall_us > INT64_C(1700000000000000));
    cr_assert(a.mono_us > 0 && b.mono_us >= a.mono_us);
}

Test(clock, what_was_written_is_read_back) {
    static const int64_t times[] = {0, 1795523400123000, 1709164799000000};
    static const int offsets[] = {0, 540, -210, 1};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        for (size_t k = 0; k < sizeof offsets / sizeof offsets[0]; k++) {
            uint8_t room[64];
            int64_t us = 7;
            struct writer w = writer_of(room, sizeof room);
            clock_rfc3339(&w, times[i], offsets[k]);
            cr_expect(clock_parse_rfc3339(writer_view(&w), &us) && us == times[i], "%.*s: %ld", (int)w.len,
                      (const char *)room, us);
        }
    static const char *const bad[] = {"",
                                      "2026-11-24",
                                      "2026-11-24T21:30:00Z",
                                      "2026-11-24T21:30:00.123",
                                      "2026-11-24T21:30:00.123+9",
                                      "2026-13-24T21:30:00.123Z"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t us;
        cr_expect_not(clock_parse_rfc3339(view_text(bad[i]), &us), "%s", bad[i]);
    }
}
