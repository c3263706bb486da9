/* SPDX-License-Identifier: ISC
 *
 * The end of a tenant: Bob and Carol, approvers of the provider, sign that acme is erased; who else tries,
 * and when it may happen.
 */
#include "grants_fixture.h"

#define MONTH (30 * DAY)

static void begin(void) {
    scene_begin();
    s.limits.erase_after = MONTH;
    grants_limits_set(s.g, &s.limits, s.now, note, NULL);
}

TestSuite(grants_erase, .init = begin, .fini = scene_end);

static struct statement erases(const char *tenant, int64_t not_before) {
    struct statement st = words(STATEMENT_ERASE, tenant);
    snprintf(st.reason, sizeof st.reason, "the contract ended");
    st.not_before = not_before;
    st.not_after = not_before + MONTH;
    return st;
}

static bool signs(const struct person *p, int64_t not_before) {
    return hand_in(sign(p, erases("acme", not_before)));
}

static bool keeps(const struct person *p) {
    struct statement st = words(STATEMENT_KEEP, "acme");
    snprintf(st.reason, sizeof st.reason, "they stay");
    return hand_in(sign(p, st));
}

static bool due(void) {
    struct erasure_view v;
    return grants_erasure(s.g, "acme", s.now, &v);
}

static unsigned signers(void) {
    struct erasure_view v;
    grants_erasure(s.g, "acme", s.now, &v);
    return v.signers;
}

static void refused(bool taken, const char *why) {
    cr_expect_not(taken);
    cr_expect(strstr(s.failure.sentence, why), "\"%s\" says \"%s\"", s.failure.sentence, why);
}

Test(grants_erase, two_sign_and_a_month_passes) {
    int64_t then = s.now + MONTH;
    cr_assert(signs(&bob, then), "%s", s.failure.sentence);
    cr_expect_eq(signers(), 1);
    s.now += HOUR;
    cr_assert(signs(&carol, then), "%s", s.failure.sentence);
    cr_expect_eq(signers(), 2);
    cr_expect_not(due(), "nor at once");
    s.now = then - 1;
    cr_expect_not(due());
    s.now = then;
    cr_expect(due());
    struct erasure_view v;
    cr_expect_not(grants_erasure(s.g, "globex", s.now, &v), "of another tenant nobody spoke");
    s.now = then + MONTH;
    cr_expect_not(due(), "an old signature is not kept for another day");
}

Test(grants_erase, one_person_alone_cannot) {
    int64_t then = s.now + MONTH;
    cr_assert(signs(&bob, then));
    s.now += MINUTE;
    refused(signs(&bob, then), "nobody counts twice");
    s.now = then + HOUR;
    cr_expect_not(due());
}

Test(grants_erase, nobody_erases_at_once) {
    refused(signs(&bob, s.now + HOUR), "nobody erases at once");
    refused(signs(&bob, s.now + MONTH - HOUR), "nobody erases at once");
    int64_t then = s.now + MONTH;
    cr_assert(signs(&bob, then));
    refused(signs(&carol, s.now + HOUR), "another time was signed already");
    refused(signs(&carol, then + DAY), "another time was signed already");
    cr_expect_eq(signers(), 1);
}

Test(grants_erase, only_approvers_of_the_provider_sign) {
    int64_t then = s.now + MONTH;
    cr_expect_not(signs(&alice, then));
    cr_expect_not(signs(&dora, then), "not even the tenant's own");
    cr_expect_not(signs(&erin, then), "whom nobody knows");
    cr_expect_eq(signers(), 0);
}

Test(grants_erase, anybody_takes_it_back) {
    int64_t then = s.now + MONTH;
    cr_assert(signs(&bob, then));
    cr_assert(signs(&carol, then));
    s.now += DAY;
    cr_assert(keeps(&dora), "%s", s.failure.sentence);
    cr_expect_eq(signers(), 0);
    s.now = then;
    cr_expect_not(due());
    refused(signs(&bob, s.now + HOUR), "nobody erases at once");
    cr_assert(signs(&bob, s.now + MONTH), "from the beginning");
    cr_expect_eq(signers(), 1);
}

Test(grants_erase, another_tenants_approver_takes_nothing_back) {
    cr_assert(signs(&bob, s.now + MONTH));
    cr_expect_not(keeps(&gina));
    cr_expect_eq(signers(), 1);
}

Test(grants_erase, a_withdrawn_key_does_not_count) {
    int64_t then = s.now + MONTH;
    cr_assert(signs(&bob, then));
    cr_assert(signs(&carol, then));
    struct trust *less = trust_without("carol");
    struct trust_key k = key_file(&carol, TRUST_PROVIDER_APPROVER, "");
    k.withdrawn = s.now + DAY;
    cr_assert(trust_put(less, k));
    struct trust *old = s.trust;
    s.trust = less;
    grants_trust(s.g, less, s.now, note, NULL);
    trust_free(&old);
    s.now = then;
    cr_expect_not(due());
    cr_expect_eq(signers(), 1);
}

Test(grants_erase, what_cannot_be_verified_erases_nothing) {
    int64_t then = s.now + MONTH;
    cr_assert(signs(&bob, then));
    cr_assert(signs(&carol, then));
    s.now = then;
    cr_assert(due());
    grants_close(s.g, "rows are missing");
    cr_expect_not(due());
}

Test(grants_erase, it_is_told) {
    cr_assert(signs(&bob, s.now + MONTH));
    cr_expect(strstr(s.told, "erase/erase by bob;"), "%s", s.told);
}
