/* SPDX-License-Identifier: ISC
 *
 * What a tenant decides: policies, windows agreed to in advance, emergencies, locks.
 */
#include "grants_fixture.h"

TestSuite(grants_tenant, .init = scene_begin, .fini = scene_end);

/* --- policies --- */

Test(grants_tenant, nothing_signed_means_consent_is_required) {
    struct policy_view p;
    grants_policy(s.g, "acme", s.now, &p);
    cr_expect_eq(p.consent, CONSENT_REQUIRED);
    cr_expect_eq(p.provider_approvals, 1);
    cr_expect_eq(p.emergency_scope, SCOPE_DIAGNOSE);
    cr_expect(!p.statement);
}

Test(grants_tenant, the_newest_policy_wins) {
    cr_assert(sets_policy(&dora, "acme", CONSENT_NOTIFY, 3, SCOPE_READ));
    passes(MINUTE);
    cr_assert(sets_policy(&dora, "acme", CONSENT_STANDING, 0, SCOPE_DIAGNOSE));
    struct policy_view p;
    grants_policy(s.g, "acme", s.now, &p);
    cr_expect_eq(p.consent, CONSENT_STANDING);
    cr_expect_eq(p.provider_approvals, 1, "never fewer than the provider's own rule");
    grants_policy(s.g, "globex", s.now, &p);
    cr_expect_eq(p.consent, CONSENT_REQUIRED);
}

Test(grants_tenant, a_stricter_policy_ends_what_no_longer_suffices) {
    cr_assert(sets_policy(&dora, "acme", CONSENT_NOTIFY, 0, SCOPE_DIAGNOSE));
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&carol, &x));
    cr_assert(alice_gets_in());
    passes(MINUTE);
    cr_assert(sets_policy(&dora, "acme", CONSENT_REQUIRED, 0, SCOPE_DIAGNOSE));
    cr_expect_eq(state(&x), GRANT_REVOKED);
    cr_expect(!alice_gets_in());
    cr_expect(strstr(s.told, "policy/revoked by dora;"), "%s", s.told);
    cr_assert(sets_policy(&dora, "acme", CONSENT_NOTIFY, 1, SCOPE_DIAGNOSE));
    cr_expect_eq(state(&x), GRANT_REVOKED, "what is over stays over");
}

Test(grants_tenant, a_laxer_policy_completes_what_waits_but_wakes_nothing) {
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&carol, &x));
    passes(MINUTE);
    cr_assert(sets_policy(&dora, "acme", CONSENT_NOTIFY, 0, SCOPE_DIAGNOSE));
    cr_expect_eq(state(&x), GRANT_ACTIVE);
    cr_expect_eq(look(&x).begins, s.now);
    cr_assert(sets_policy(&dora, "acme", CONSENT_REQUIRED, 0, SCOPE_DIAGNOSE));
    struct statement st = asks("acme", SCOPE_READ, HOUR);
    st.not_before = s.now + 3 * DAY;
    st.not_after = st.not_before + HOUR;
    struct said y = sign(&alice, st);
    cr_assert(hand_in(y) && approves(&bob, &y) && approves(&carol, &y));
    passes(DAY + 1);
    cr_assert_eq(state(&y), GRANT_LAPSED);
    cr_assert(sets_policy(&dora, "acme", CONSENT_NOTIFY, 1, SCOPE_DIAGNOSE));
    cr_expect_eq(state(&y), GRANT_LAPSED);
}

static void trust_is(struct trust *t) {
    grants_trust(s.g, t, s.now, note, NULL);
    trust_free(&s.trust);
    s.trust = t;
}

Test(grants_tenant, what_a_withdrawn_key_relaxed_is_strict_again) {
    cr_assert(sets_policy(&dora, "acme", CONSENT_NOTIFY, 2, SCOPE_ADMIN));
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&carol, &x));
    cr_assert(alice_gets_in());
    passes(MINUTE);
    struct trust *t = trust_without("dora");
    struct trust_key k = key_file(&dora, TRUST_TENANT_APPROVER, "acme");
    k.withdrawn = s.now;
    cr_assert(trust_put(t, k));
    trust_is(t);
    struct policy_view p;
    grants_policy(s.g, "acme", s.now, &p);
    cr_expect_eq(p.consent, CONSENT_REQUIRED);
    cr_expect_eq(p.provider_approvals, 2, "what it demanded stays");
    cr_expect_eq(p.emergency_scope, SCOPE_DIAGNOSE);
    cr_expect(!alice_gets_in());
}

/* --- standing consent --- */

static struct statement window(const char *days, const char *from, const char *to, int zone_minutes) {
    struct statement st = words(STATEMENT_STANDING, "acme");
    cr_assert(days_parse(view_text(days), &st.days) && minute_parse(view_text(from), &st.from) &&
              minute_parse(view_text(to), &st.to));
    st.zone = zone_minutes;
    st.scope = SCOPE_READ;
    st.max_duration = 2 * HOUR;
    st.not_before = s.now - DAY;
    st.not_after = s.now + 60 * DAY;
    return st;
}

/* 0: it has to wait for acme. */
static bool bob_suffices(int64_t begins, int64_t seconds, enum scope scope) {
    struct statement st = asks("acme", scope, seconds);
    st.not_before = begins;
    st.not_after = begins + seconds;
    struct said x = sign(&alice, st);
    cr_assert(hand_in(x), "%s", s.failure.sentence);
    cr_assert(approves(&bob, &x));
    enum grant_state now = state(&x);
    return now == GRANT_ACTIVE || now == GRANT_SCHEDULED;
}

static int64_t at(const char *time) {
    int64_t t;
    cr_assert(instant_parse(view_text(time), &t), "%s", time);
    return t;
}

Test(grants_tenant, a_window_over_midnight_in_acmes_own_zone) {
    cr_assert(sets_policy(&dora, "acme", CONSENT_STANDING, 0, SCOPE_DIAGNOSE));
    /* Wednesday 22:00 to Thursday 04:00 in Tokyo: Wednesday 13:00 to 19:00 UTC. */
    cr_assert(hand_in(sign(&dora, window("wed", "22:00", "04:00", 540))));
    cr_expect(bob_suffices(at("2026-11-25T13:00:00Z"), HOUR, SCOPE_READ));
    cr_expect(bob_suffices(at("2026-11-25T15:30:00Z"), HOUR, SCOPE_READ), "already Thursday there");
    cr_expect(bob_suffices(at("2026-11-25T18:00:00Z"), HOUR, SCOPE_DIAGNOSE));
    cr_expect(!bob_suffices(at("2026-11-25T12:59:59Z"), HOUR, SCOPE_READ), "a second early");
    cr_expect(!bob_suffices(at("2026-11-25T18:00:01Z"), HOUR, SCOPE_READ), "a second longer");
    cr_expect(!bob_suffices(at("2026-11-25T22:00:00Z"), HOUR, SCOPE_READ), "22:00 elsewhere");
    cr_expect(!bob_suffices(at("2026-11-25T14:00:00Z"), 2 * HOUR + 1, SCOPE_READ), "longer than agreed");
    cr_expect(!bob_suffices(at("2026-11-25T14:00:00Z"), HOUR, SCOPE_WRITE), "wider than agreed");
}

Test(grants_tenant, the_night_of_another_weekday_is_no_window) {
    cr_assert(sets_policy(&dora, "acme", CONSENT_STANDING, 0, SCOPE_DIAGNOSE));
    cr_assert(hand_in(sign(&dora, window("tue", "22:00", "04:00", 0))));
    cr_expect(bob_suffices(at("2026-11-25T03:00:00Z"), HOUR, SCOPE_READ),
              "Tuesday's night ends on Wednesday");
    cr_expect(!bob_suffices(at("2026-11-25T22:00:00Z"), HOUR, SCOPE_READ), "Wednesday's");
    cr_expect(!bob_suffices(at("2026-11-25T04:00:00Z"), HOUR, SCOPE_READ));
}

Test(grants_tenant, a_window_west_of_greenwich) {
    cr_assert(sets_policy(&dora, "acme", CONSENT_STANDING, 0, SCOPE_DIAGNOSE));
    cr_assert(hand_in(sign(&dora, window("tue", "17:30", "20:00", -210))));
    cr_expect(bob_suffices(at("2026-11-24T21:30:00Z"), HOUR, SCOPE_READ), "18:00 there");
    cr_expect(!bob_suffices(at("2026-11-24T22:30:00Z"), HOUR + 1, SCOPE_READ));
}

Test(grants_tenant, a_window_counts_only_under_that_policy) {
    cr_assert(hand_in(sign(&dora, window("tue", "00:00", "00:00", 0))));
    cr_expect(!bob_suffices(s.now, HOUR, SCOPE_READ));
    cr_assert(sets_policy(&dora, "acme", CONSENT_STANDING, 0, SCOPE_DIAGNOSE));
    cr_expect(bob_suffices(s.now, HOUR, SCOPE_READ));
}

Test(grants_tenant, a_window_outside_its_dates_is_none) {
    cr_assert(sets_policy(&dora, "acme", CONSENT_STANDING, 0, SCOPE_DIAGNOSE));
    struct statement st = window("mon,tue,wed,thu,fri,sat,sun", "00:00", "00:00", 0);
    st.not_before = s.now + HOUR;
    st.not_after = s.now + 2 * HOUR;
    cr_assert(hand_in(sign(&dora, st)));
    cr_expect(!bob_suffices(s.now, HOUR, SCOPE_READ));
    cr_expect(bob_suffices(s.now + HOUR, HOUR, SCOPE_READ));
    cr_expect(!bob_suffices(s.now + HOUR, HOUR + 1, SCOPE_READ));
}

static bool first_standing(void *arg, const struct standing_view *v) {
    *(struct standing_view *)arg = *v;
    return false;
}

Test(grants_tenant, a_window_taken_back_ends_what_it_let_in) {
    cr_assert(sets_policy(&dora, "acme", CONSENT_STANDING, 0, SCOPE_DIAGNOSE));
    struct said w = sign(&dora, window("tue", "00:00", "00:00", 0));
    cr_assert(hand_in(w));
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x));
    cr_assert(alice_gets_in());
    struct standing_view v = {.standing = NULL};
    grants_standing(s.g, "acme", s.now, first_standing, &v);
    cr_assert(v.standing);
    cr_expect(v.open);
    passes(MINUTE);
    struct statement back = words(STATEMENT_REVOKE_STANDING, "acme");
    cr_assert(text_unhex(view_text(v.digest), back.about, sizeof back.about));
    cr_expect(!hand_in(sign(&gina, back)));
    cr_expect(!hand_in(sign(&bob, back)));
    cr_assert(hand_in(sign(&dora, back)));
    cr_expect(!alice_gets_in());
    cr_expect_eq(state(&x), GRANT_REVOKED);
    passes(MINUTE);
    cr_expect(!bob_suffices(s.now, HOUR, SCOPE_READ));
}

/* --- emergencies --- */

static struct said emergency(enum scope scope) {
    struct statement st = asks("acme", scope, HOUR);
    st.class = CLASS_EMERGENCY;
    st.reason_code = REASON_SECURITY_INCIDENT;
    return sign(&alice, st);
}

Test(grants_tenant, an_emergency_goes_on_with_two_and_is_to_be_reviewed) {
    struct said x = emergency(SCOPE_DIAGNOSE);
    cr_assert(hand_in(x));
    cr_expect(approves(&bob, &x));
    cr_expect(!alice_gets_in(), "one is not enough");
    cr_expect(approves(&carol, &x));
    cr_expect(alice_gets_in());
    passes(HOUR);
    cr_expect_eq(state(&x), GRANT_REVIEW_DUE);
    struct grant_view v = look(&x);
    cr_expect_eq(v.ended, GRANT_EXPIRED);
    cr_expect_str_eq(grants_awaits(s.g, &v, "dora", s.now), "review");
    cr_expect_str_eq(grants_awaits(s.g, &v, "bob", s.now), "");
    struct statement review = about(STATEMENT_REVIEW, &x);
    review.verdict = REVIEW_DISPUTED;
    snprintf(review.comment, sizeof review.comment, "there was no incident");
    cr_expect(!hand_in(sign(&bob, review)));
    cr_expect(hand_in(sign(&dora, review)));
    cr_expect_eq(state(&x), GRANT_DISPUTED);
    review.verdict = REVIEW_REVIEWED;
    review.at++;
    cr_expect(hand_in(sign(&dora, review)));
    cr_expect_eq(state(&x), GRANT_REVIEWED);
    cr_expect(!hand_in(sign(&dora, review)));
    cr_expect(strstr(s.told, "expire/expired by time;review due/review due by time;review/disputed by dora;"
                             "review/reviewed by dora;"),
              "%s", s.told);
}

Test(grants_tenant, nobody_reviews_what_has_not_been) {
    struct said x = emergency(SCOPE_DIAGNOSE), y = alice_asks();
    cr_assert(hand_in(x));
    struct statement review = about(STATEMENT_REVIEW, &x);
    review.verdict = REVIEW_REVIEWED;
    snprintf(review.comment, sizeof review.comment, "fine");
    cr_expect(!hand_in(sign(&dora, review)));
    cr_assert(says(&dora, STATEMENT_DENY, &x));
    cr_expect_eq(state(&x), GRANT_DENIED, "it had not begun");
    memcpy(review.about, y.digest, sizeof y.digest);
    cr_assert(says(&bob, STATEMENT_DENY, &y));
    cr_expect(!hand_in(sign(&dora, review)));
}

Test(grants_tenant, a_denied_emergency_that_ran_is_to_be_reviewed) {
    struct said x = emergency(SCOPE_DIAGNOSE);
    cr_assert(hand_in(x) && approves(&bob, &x) && approves(&carol, &x));
    passes(MINUTE);
    cr_assert(says(&dora, STATEMENT_DENY, &x));
    cr_expect_eq(state(&x), GRANT_REVIEW_DUE);
    cr_expect_eq(look(&x).ended, GRANT_DENIED);
    cr_expect(!alice_gets_in());
}

Test(grants_tenant, an_emergency_only_diagnoses_unless_acme_says_more) {
    cr_expect(!hand_in(emergency(SCOPE_READ)));
    cr_expect(failed_with("narrower scope"));
    cr_expect_eq(put(emergency(SCOPE_READ)), GRANTS_REFUSED);
    cr_assert(sets_policy(&dora, "acme", CONSENT_REQUIRED, 0, SCOPE_READ));
    cr_expect(hand_in(emergency(SCOPE_READ)));
    cr_expect(!hand_in(emergency(SCOPE_WRITE)));
}

Test(grants_tenant, acme_takes_an_emergencys_scope_back) {
    cr_assert(sets_policy(&dora, "acme", CONSENT_REQUIRED, 0, SCOPE_READ));
    struct said x = emergency(SCOPE_READ);
    cr_assert(hand_in(x) && approves(&bob, &x) && approves(&carol, &x));
    cr_assert(alice_gets_in());
    passes(MINUTE);
    cr_assert(sets_policy(&dora, "acme", CONSENT_REQUIRED, 0, SCOPE_DIAGNOSE));
    cr_expect(!alice_gets_in());
}

Test(grants_tenant, a_malformed_ticket_stops_all_but_emergencies_which_say_so) {
    struct statement st = asks("acme", SCOPE_DIAGNOSE, HOUR);
    snprintf(st.ticket, sizeof st.ticket, "the ticket system is down");
    cr_expect(!hand_in(sign(&alice, st)));
    st.class = CLASS_EMERGENCY;
    struct said x = sign(&alice, st);
    cr_expect(hand_in(x));
    cr_expect(look(&x).ticket_unchecked);
    struct said y = alice_asks();
    cr_expect(!look(&y).ticket_unchecked);
}

Test(grants_tenant, emergencies_do_not_chain_into_standing_access) {
    for (int i = 0; i < 3; i++) {
        struct said x = emergency(SCOPE_DIAGNOSE);
        cr_assert(hand_in(x) && approves(&bob, &x) && approves(&carol, &x));
        passes(HOUR);
    }
    cr_expect(!hand_in(emergency(SCOPE_DIAGNOSE)));
    cr_expect(failed_with("seven days"));
    cr_expect_eq(put(emergency(SCOPE_DIAGNOSE)), GRANTS_REFUSED);
    passes(6 * DAY);
    cr_expect(!hand_in(emergency(SCOPE_DIAGNOSE)));
    passes(DAY - 3 * HOUR);
    cr_expect(hand_in(emergency(SCOPE_DIAGNOSE)), "the first one is seven days old");
    cr_expect(!hand_in(emergency(SCOPE_DIAGNOSE)), "the second is not: and one that waits counts");
}

Test(grants_tenant, a_denied_emergency_does_not_count) {
    for (int i = 0; i < 5; i++) {
        struct said x = emergency(SCOPE_DIAGNOSE);
        cr_assert(hand_in(x), "%s", s.failure.sentence);
        cr_assert(says(&carol, STATEMENT_DENY, &x));
        passes(MINUTE);
    }
}

/* --- locks --- */

static struct statement unlocks(const struct said *lock, const char *tenant) {
    struct statement st = words(STATEMENT_UNLOCK, tenant);
    memcpy(st.about, lock->digest, sizeof st.about);
    return st;
}

Test(grants_tenant, a_lock_beats_every_grant) {
    struct failure f;
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    const struct statement all[] = {locks(LOCK_OPERATOR, "", "alice"), locks(LOCK_OPERATOR, "acme", "alice"),
                                    locks(LOCK_TENANT, "acme", "acme"), locks(LOCK_GRANT, "acme", x.id)};
    for (size_t i = 0; i < 4; i++) {
        struct said lock = sign(&bob, all[i]);
        cr_assert(hand_in(lock), "%s", s.failure.sentence);
        cr_expect(!alice_gets_in(), "%zu", i);
        cr_expect(strstr(decide("alice", "acme", "shop").failure.sentence, "is locked: ask the duty manager"),
                  "%zu", i);
        cr_expect(!grants_still(s.g, x.id, "alice", s.now, &f), "%zu", i);
        cr_expect(strstr(f.sentence, "is locked"));
        cr_expect_eq(state(&x), GRANT_ACTIVE, "the grant itself is as it was");
        struct grants *again = replayed();
        struct grant_verdict v;
        grants_decide(again, "alice", "acme", "shop", s.now, &v);
        cr_expect(!v.allowed, "a restart unlocks nothing");
        grants_free(&again);
        cr_expect(hand_in(sign(&carol, unlocks(&lock, all[i].tenant))), "%s", s.failure.sentence);
        cr_expect(alice_gets_in(), "%zu", i);
    }
}

Test(grants_tenant, a_locked_operator_is_told_so_without_any_grant) {
    cr_assert(hand_in(sign(&bob, locks(LOCK_OPERATOR, "", "alice"))));
    cr_expect_str_eq(decide("alice", "acme", "shop").failure.sentence,
                     "operator \"alice\" is locked: ask the duty manager");
    cr_expect(strstr(decide("mallory", "acme", "shop").failure.sentence, "no active"));
}

Test(grants_tenant, what_acme_locked_only_acme_unlocks) {
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    struct said lock = sign(&dora, locks(LOCK_OPERATOR, "acme", "alice"));
    cr_assert(hand_in(lock));
    cr_expect(!hand_in(sign(&bob, unlocks(&lock, "acme"))));
    cr_expect(failed_with("only the tenant unlocks"));
    cr_expect_eq(put(sign(&bob, unlocks(&lock, "acme"))), GRANTS_REFUSED);
    cr_expect(!hand_in(sign(&gina, unlocks(&lock, "globex"))));
    cr_expect(!hand_in(sign(&alice, unlocks(&lock, "acme"))));
    cr_expect(!alice_gets_in());
    cr_expect(hand_in(sign(&dora, unlocks(&lock, "acme"))));
    cr_expect(alice_gets_in());
}

Test(grants_tenant, what_the_provider_locked_only_the_provider_unlocks) {
    struct said lock = sign(&bob, locks(LOCK_TENANT, "acme", "acme"));
    cr_assert(hand_in(lock));
    cr_expect(!hand_in(sign(&dora, unlocks(&lock, "acme"))));
    cr_expect(failed_with("only the provider unlocks"));
    cr_expect(hand_in(sign(&carol, unlocks(&lock, "acme"))));
    struct statement again = unlocks(&lock, "acme");
    again.at++;
    cr_expect(!hand_in(sign(&carol, again)));
    cr_expect(failed_with("taken back already"));
}

Test(grants_tenant, acme_locks_for_itself_alone) {
    cr_expect(!hand_in(sign(&dora, locks(LOCK_OPERATOR, "", "alice"))));
    cr_expect(!hand_in(sign(&dora, locks(LOCK_TENANT, "globex", "globex"))));
    cr_expect(!hand_in(sign(&alice, locks(LOCK_TENANT, "acme", "acme"))));
    struct statement st = asks("globex", SCOPE_READ, HOUR);
    struct said y = sign(&alice, st);
    cr_assert(hand_in(y) && approves(&bob, &y) && approves(&gina, &y));
    cr_assert(hand_in(sign(&dora, locks(LOCK_OPERATOR, "acme", "alice"))));
    cr_expect(gets_in("alice", "globex", "shop"));
    cr_expect(!hand_in(sign(&dora, locks(LOCK_GRANT, "acme", y.id))), "globex's grant is not acme's to lock");
}

static bool count_lock(void *arg, const struct lock_view *v) {
    ++*(unsigned *)arg;
    return true;
}

static unsigned locks_of(const char *tenant) {
    unsigned n = 0;
    grants_locks(s.g, tenant, s.now, count_lock, &n);
    return n;
}

Test(grants_tenant, locks_outlive_who_set_them_and_not_who_lifted_them) {
    struct said lock = sign(&bob, locks(LOCK_OPERATOR, "", "alice"));
    cr_assert(hand_in(lock));
    cr_expect_eq(locks_of("acme"), 1);
    cr_expect_eq(locks_of(NULL), 1);
    struct trust *t = trust_without("bob");
    struct trust_key k = key_file(&bob, TRUST_PROVIDER_APPROVER, "");
    k.withdrawn = s.now;
    cr_assert(trust_put(t, k));
    trust_is(t);
    cr_expect_eq(locks_of("acme"), 1);
    cr_assert(hand_in(sign(&carol, unlocks(&lock, ""))));
    cr_expect_eq(locks_of("acme"), 0);
    passes(MINUTE);
    t = trust_without("carol");
    struct trust_key c = key_file(&carol, TRUST_PROVIDER_APPROVER, "");
    c.withdrawn = s.now;
    cr_assert(trust_put(t, c));
    trust_is(t);
    cr_expect_eq(locks_of("acme"), 1, "who lifted it could not be trusted");
}
