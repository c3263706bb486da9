/* SPDX-License-Identifier: ISC
 *
 * A certificate that was found good is good again: this very one, for this name, for a while, and no longer
 * than it lasts.
 */
#include "vouched.h"

#include <criterion/criterion.h>

#define NOW 1795000000000000 /* some day of 2026 */
#define SECOND 1000000
#define YEAR (365ll * 86400 * SECOND)

static const uint8_t ours[VOUCHED_DIGEST] = {1}, theirs[VOUCHED_DIGEST] = {2};
static struct vouched *v;

static void setup(void) {
    v = vouched_new();
}

static void teardown(void) {
    vouched_free(&v);
    cr_assert_null(v);
}

TestSuite(vouched, .init = setup, .fini = teardown);

Test(vouched, nothing_is_known_at_first) {
    const uint8_t zero[VOUCHED_DIGEST] = {0};
    cr_expect_not(vouched_knows(v, ours, "db.internal", NOW));
    cr_expect_not(vouched_knows(v, zero, "", 0));
}

Test(vouched, what_was_found_good_is_known) {
    vouched_keep(v, ours, "db.internal", NOW, NOW + YEAR);
    cr_expect(vouched_knows(v, ours, "db.internal", NOW));
    cr_expect(vouched_knows(v, ours, "db.internal", NOW + VOUCHED_US - 1));
}

Test(vouched, another_certificate_is_not) {
    vouched_keep(v, ours, "db.internal", NOW, NOW + YEAR);
    cr_expect_not(vouched_knows(v, theirs, "db.internal", NOW));
}

Test(vouched, it_is_not_for_another_name) {
    vouched_keep(v, ours, "db.internal", NOW, NOW + YEAR);
    cr_expect_not(vouched_knows(v, ours, "db.intern", NOW));
    cr_expect_not(vouched_knows(v, ours, "db.internal.", NOW));
    cr_expect_not(vouched_knows(v, ours, "", NOW));
}

Test(vouched, after_a_while_it_is_looked_at_again) {
    vouched_keep(v, ours, "db.internal", NOW, NOW + YEAR);
    cr_expect_not(vouched_knows(v, ours, "db.internal", NOW + VOUCHED_US));
}

Test(vouched, not_past_its_end) {
    vouched_keep(v, ours, "db.internal", NOW, NOW + SECOND);
    cr_expect(vouched_knows(v, ours, "db.internal", NOW + SECOND - 1));
    cr_expect_not(vouched_knows(v, ours, "db.internal", NOW + SECOND));
}

Test(vouched, not_on_a_clock_that_was_set_back) {
    vouched_keep(v, ours, "db.internal", NOW, NOW + YEAR);
    cr_expect_not(vouched_knows(v, ours, "db.internal", NOW - 1));
}

Test(vouched, a_name_too_long_is_not_kept_and_the_one_before_is_forgotten) {
    char name[300];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    vouched_keep(v, ours, "db.internal", NOW, NOW + YEAR);
    vouched_keep(v, ours, name, NOW, NOW + YEAR);
    cr_expect_not(vouched_knows(v, ours, name, NOW));
    cr_expect_not(vouched_knows(v, ours, "db.internal", NOW));
}
