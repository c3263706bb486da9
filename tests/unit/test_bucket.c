/* SPDX-License-Identifier: ISC
 *
 * bucket.c: Mallory connects again and again; Ann, who comes now and then, does not notice.
 */
#include "bucket.h"

#include <criterion/criterion.h>

#define SECOND INT64_C(1000000)
#define NOON (1000 * SECOND)

static struct buckets *b;

static void begin(void) {
    b = buckets_new(64);
    cr_assert_not_null(b);
}

static void end(void) {
    buckets_free(&b);
    cr_assert_null(b);
    buckets_free(&b);
}

TestSuite(bucket, .init = begin, .fini = end);

static unsigned takes(const char *who, unsigned times, int64_t now) {
    unsigned got = 0;
    for (unsigned i = 0; i < times; i++)
        got += buckets_take(b, view_text(who), 10, 5, now);
    return got;
}

Test(bucket, a_burst_and_then_the_rate) {
    cr_assert_eq(takes("mallory", 100, NOON), 5);
    cr_assert_eq(takes("mallory", 100, NOON + SECOND / 10 - 1), 0);
    cr_assert_eq(takes("mallory", 100, NOON + SECOND / 10), 1);
    cr_assert_eq(takes("mallory", 100, NOON + 10 * SECOND), 5, "no more than a burst is saved up");
}

Test(bucket, asking_in_vain_costs_nothing) {
    takes("mallory", 100000, NOON);
    cr_assert_eq(takes("mallory", 1, NOON + SECOND / 10), 1);
}

Test(bucket, one_does_not_touch_the_other) {
    takes("mallory", 100, NOON);
    cr_assert_eq(takes("ann", 3, NOON), 3);
}

Test(bucket, without_a_rate_there_is_no_limit) {
    for (int i = 0; i < 1000; i++)
        cr_assert(buckets_take(b, view_text("ann"), 0, 1, NOON));
}

Test(bucket, the_highest_rate_works) {
    cr_assert(buckets_take(b, view_text("ann"), BUCKET_RATE_MAX, 1, NOON));
    cr_assert_not(buckets_take(b, view_text("ann"), BUCKET_RATE_MAX, 1, NOON));
    cr_assert(buckets_take(b, view_text("ann"), BUCKET_RATE_MAX, 1, NOON + 1));
}

/* Ten thousand invented names in a table of 64: together they get what 64 would have got, and Mallory, who
 * had used up his burst, is not forgiven by them. */
Test(bucket, invented_keys_gain_nothing) {
    unsigned got = 0;
    takes("mallory", 100, NOON);
    for (unsigned i = 0; i < 10000; i++) {
        uint8_t name[4] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 'x'};
        got += buckets_take(b, view_of(name, sizeof name), 10, 5, NOON);
    }
    cr_assert_leq(got, 64 * 5);
    cr_assert_eq(takes("mallory", 1, NOON), 0);
    cr_assert_eq(takes("mallory", 1, NOON + SECOND), 1, "and all of them are let in again as time goes by");
}

/* Who rests makes room first: someone at the limit is not forgotten for a passer-by. */
Test(bucket, who_is_at_the_limit_is_not_forgotten_for_passers_by) {
    takes("mallory", 100, NOON);
    for (unsigned i = 0; i < 10000; i++) {
        uint8_t name[4] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 'y'};
        buckets_take(b, view_of(name, sizeof name), 1000000, 5, NOON);
    }
    cr_assert_eq(takes("mallory", 1, NOON), 0);
}
