/* SPDX-License-Identifier: ISC
 *
 * sample.c: a flood of failed logins becomes a few records and a few counts.
 */
#include "sample.h"

#include <criterion/criterion.h>

#define SECOND INT64_C(1000000)
#define NOON (1000 * SECOND)

static unsigned refuse(struct sample *s, const char *reason, unsigned times, int64_t now) {
    unsigned taken = 0;
    for (unsigned i = 0; i < times; i++)
        taken += sample_takes(s, 10, view_text(reason), 1, now);
    return taken;
}

Test(sample, so_many_a_second_and_the_rest_is_counted) {
    struct sample s = {0};
    cr_assert_eq(refuse(&s, "wrong password", 1000, NOON), 10);
    cr_assert_eq(refuse(&s, "wrong password", 5, NOON + SECOND - 1), 0);
    cr_assert_eq(refuse(&s, "wrong password", 5, NOON + SECOND), 5);
    cr_assert_eq(s.kinds, 1);
    cr_assert_eq(s.kind[0].count, 995);
    cr_assert_str_eq(s.kind[0].reason, "wrong password");
}

Test(sample, it_is_told_after_its_time_and_begins_anew) {
    struct sample s = {0};
    int64_t over = NOON + INT64_C(1000) * SAMPLE_PERIOD_MS;
    cr_assert_not(sample_due(&s, NOON));
    refuse(&s, "TLS failed", 11, NOON);
    cr_assert_not(sample_due(&s, over - 1));
    cr_assert(sample_due(&s, over));
    sample_told(&s);
    cr_assert_not(sample_due(&s, over));
    refuse(&s, "TLS failed", 12, over);
    cr_assert_eq(s.kind[0].count, 2);
    cr_assert_not(sample_due(&s, over + SECOND));
}

Test(sample, reasons_are_counted_apart_and_never_too_many) {
    struct sample s = {0};
    char reason[] = "reason A";
    refuse(&s, "x", 10, NOON);
    for (unsigned round = 0; round < 2; round++)
        for (char c = 'A'; c <= 'Z'; c++) {
            reason[7] = c;
            refuse(&s, reason, 1, NOON);
        }
    cr_assert_eq(s.kinds, SAMPLE_REASONS + 1);
    cr_assert_eq(s.kind[0].count, 2);
    cr_assert_str_eq(s.kind[1].reason, "reason B");
    cr_assert_str_eq(s.kind[SAMPLE_REASONS].reason, "other reasons");
    cr_assert_eq(s.kind[SAMPLE_REASONS].count, 2 * (26 - SAMPLE_REASONS));
}

Test(sample, a_reason_that_is_too_long_is_another_one) {
    struct sample s = {0};
    char reason[100];
    for (size_t i = 0; i < sizeof reason; i++)
        reason[i] = 'x';
    refuse(&s, "y", 10, NOON);
    sample_takes(&s, 10, view_of(reason, sizeof reason), 1, NOON);
    cr_assert_str_eq(s.kind[0].reason, "other reasons");
}

Test(sample, a_record_that_stands_for_many_is_counted_as_many) {
    struct sample s = {0};
    refuse(&s, "y", 10, NOON);
    cr_assert_not(sample_takes(&s, 10, view_text("too many unfinished logins"), 700, NOON));
    cr_assert_eq(s.kind[0].count, 700);
}
