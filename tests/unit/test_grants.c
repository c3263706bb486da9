/* SPDX-License-Identifier: ISC
 *
 * Getting a grant, and not getting one.
 */
#include "grants_fixture.h"

TestSuite(grants, .init = scene_begin, .fini = scene_end);

Test(grants, alice_asks_bob_approves_dora_consents_and_alice_gets_in) {
    cr_expect(!alice_gets_in());
    struct said x = alice_asks();
    cr_expect_eq(state(&x), GRANT_REQUESTED);
    cr_expect(!alice_gets_in());
    cr_expect(approves(&bob, &x));
    cr_expect_eq(state(&x), GRANT_REQUESTED, "acme has to consent");
    cr_expect(!alice_gets_in());
    cr_expect(approves(&dora, &x));
    cr_expect_eq(state(&x), GRANT_ACTIVE);
    struct grant_verdict v = decide("alice", "acme", "shop");
    cr_expect(v.allowed);
    cr_expect_str_eq(v.grant, x.id);
    cr_expect_str_eq(v.ticket, "OPS-1");
    cr_expect_eq(v.scope, SCOPE_READ);
    cr_expect_eq(v.not_after, TUESDAY + HOUR);
    passes(HOUR - 1);
    cr_expect(alice_gets_in());
    passes(1);
    cr_expect(!alice_gets_in());
    cr_expect_eq(state(&x), GRANT_EXPIRED);
    cr_expect_str_eq(s.told, "request/requested by alice;approve/requested by bob;approve/approved by dora;"
                             "begin/active by time;expire/expired by time;");
}

Test(grants, no_grant_says_the_command_to_ask_with) {
    struct grant_verdict v = decide("alice", "acme", "shop");
    cr_expect(!v.allowed);
    cr_expect_str_eq(v.failure.sentence,
                     "operator \"alice\" has no active break-glass grant for tenant \"acme\"");
    cr_expect_str_eq(v.failure.hint,
                     "sekishoctl grant request --tenant acme --database shop --scope diagnose "
                     "--ticket TICKET --reason 'why' --for 1h");
}

Test(grants, a_database_named_like_a_command_is_not_in_the_hint) {
    struct grant_verdict v = decide("alice", "acme", "x; rm -rf ~");
    cr_expect(strstr(v.failure.hint, "--database DATABASE "));
    cr_expect(!strstr(v.failure.hint, "rm"));
}

Test(grants, a_grant_is_of_one_operator_tenant_and_database) {
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    cr_expect(alice_gets_in());
    cr_expect(!gets_in("mallory", "acme", "shop"));
    cr_expect(!gets_in("alice", "globex", "shop"));
    cr_expect(!gets_in("alice", "acme", "payroll"));
    cr_expect(!gets_in("alice", "acme", "SHOP"));
    cr_expect(!gets_in("alice", "acme", ""));
    cr_expect(!gets_in("alice", "", "shop"));
    cr_expect(!gets_in("", "acme", "shop"));
    cr_expect(!gets_in("alice", "acme", "shop,payroll"));
    cr_expect(strstr(decide("alice", "acme", "payroll").failure.sentence, "is for other databases"));
}

Test(grants, requested_denied_lapsed_and_not_yet_valid_let_nobody_in) {
    struct said x = alice_asks();
    cr_expect(strstr(decide("alice", "acme", "shop").failure.sentence, "is awaiting approval"));
    cr_expect(says(&bob, STATEMENT_DENY, &x));
    cr_expect_eq(state(&x), GRANT_DENIED);
    cr_expect(!alice_gets_in());
    struct statement later = asks("acme", SCOPE_READ, 3 * HOUR);
    later.not_before = s.now + 2 * HOUR;
    struct said y = sign(&alice, later);
    cr_assert(hand_in(y) && approves(&bob, &y) && approves(&dora, &y));
    cr_expect_eq(state(&y), GRANT_SCHEDULED);
    cr_expect(strstr(decide("alice", "acme", "shop").failure.sentence, "begins at 2026-11-24T23:30:00Z"));
    passes(2 * HOUR - 1);
    cr_expect(!alice_gets_in());
    passes(1);
    cr_expect(alice_gets_in());
}

Test(grants, who_is_not_answered_in_time_has_to_ask_anew) {
    struct statement st = asks("acme", SCOPE_READ, HOUR);
    st.not_before = s.now + 3 * DAY;
    st.not_after = st.not_before + HOUR;
    struct said x = sign(&alice, st);
    cr_assert(hand_in(x) && approves(&bob, &x));
    passes(DAY - 1);
    cr_expect_eq(state(&x), GRANT_REQUESTED);
    cr_expect_eq(grants_next_change(s.g, s.now), s.now + 1);
    passes(1);
    cr_expect_eq(state(&x), GRANT_LAPSED);
    cr_expect(!approves(&dora, &x));
    cr_expect(failed_with("over"));
    cr_expect_eq(put(sign(&dora, about(STATEMENT_APPROVE, &x))), GRANTS_REFUSED);
    passes(2 * DAY);
    cr_expect(!alice_gets_in());
}

/* --- who may say yes --- */

Test(grants, alice_does_not_approve_her_own) {
    struct said x = alice_asks();
    cr_expect(!approves(&alice, &x), "an operator approves nothing");
    /* She is an approver too, with another key. */
    struct trust *t = trust_without("");
    struct person other = person("alice");
    cr_assert(trust_put(t, key_file(&other, TRUST_PROVIDER_APPROVER, "")));
    cr_assert(trust_put(t, key_file(&alice, TRUST_TENANT_APPROVER, "acme")));
    grants_trust(s.g, t, s.now, NULL, NULL);
    cr_expect(!approves(&other, &x));
    cr_expect(failed_with("their own"));
    cr_expect(!approves(&alice, &x));
    cr_expect(failed_with("their own"));
    cr_expect_eq(put(sign(&other, about(STATEMENT_APPROVE, &x))), GRANTS_REFUSED, "nor past the broker");
    cr_expect_eq(put(sign(&alice, about(STATEMENT_APPROVE, &x))), GRANTS_REFUSED);
    cr_expect_eq(look(&x).needs_provider, 1);
    struct grant_view v = look(&x);
    cr_expect_str_eq(grants_awaits(s.g, &v, "alice", s.now), "");
    trust_free(&s.trust);
    s.trust = t;
    signing_key_free(&other.key);
}

Test(grants, bob_counts_once_whatever_hat_he_wears) {
    struct trust *t = trust_without("");
    struct person hat = person("bob");
    cr_assert(trust_put(t, key_file(&hat, TRUST_TENANT_APPROVER, "acme")));
    grants_trust(s.g, t, s.now, NULL, NULL);
    trust_free(&s.trust);
    s.trust = t;
    struct said x = alice_asks();
    cr_expect(approves(&bob, &x));
    cr_expect(!approves(&hat, &x));
    cr_expect(failed_with("counts twice"));
    cr_expect_eq(put(sign(&hat, about(STATEMENT_APPROVE, &x))), GRANTS_REFUSED);
    cr_expect_eq(state(&x), GRANT_REQUESTED);
    cr_expect(approves(&dora, &x));
    cr_expect_eq(state(&x), GRANT_ACTIVE);
    signing_key_free(&hat.key);
}

Test(grants, one_key_in_two_roles_is_one_person) {
    struct trust *t = trust_without("");
    cr_assert(trust_put(t, key_file(&bob, TRUST_TENANT_APPROVER, "acme")));
    grants_trust(s.g, t, s.now, NULL, NULL);
    trust_free(&s.trust);
    s.trust = t;
    struct said x = alice_asks();
    cr_expect(approves(&bob, &x));
    struct grant_view v = look(&x);
    cr_expect_eq(v.state, GRANT_REQUESTED);
    cr_expect(!v.needs_tenant && v.needs_provider == 1,
              "he speaks for acme, then somebody else for the provider");
    cr_expect(approves(&carol, &x));
    cr_expect_eq(state(&x), GRANT_ACTIVE);
}

Test(grants, who_may_speak_for_both_sides_is_still_one) {
    struct trust *t = trust_without("");
    cr_assert(trust_put(t, key_file(&bob, TRUST_TENANT_APPROVER, "acme")));
    grants_trust(s.g, t, s.now, NULL, NULL);
    trust_free(&s.trust);
    s.trust = t;
    cr_assert(sets_policy(&dora, "acme", CONSENT_REQUIRED, 2, SCOPE_DIAGNOSE));
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    cr_expect_eq(look(&x).needs_provider, 1);
    cr_expect(!alice_gets_in());
}

Test(grants, one_key_under_two_names_counts_for_neither) {
    struct trust *t = trust_without("bob");
    struct person machine = {"robot", alice.key};
    cr_assert(!trust_put(t, key_file(&machine, TRUST_PROVIDER_APPROVER, "")));
    grants_trust(s.g, t, s.now, NULL, NULL);
    trust_free(&s.trust);
    s.trust = t;
    cr_expect(!hand_in(sign(&alice, asks("acme", SCOPE_READ, HOUR))), "a machine's key asks for nobody");
    struct said x = sign(&mallory, asks("acme", SCOPE_READ, HOUR));
    cr_assert(hand_in(x));
    cr_expect(!approves(&machine, &x));
}

Test(grants, when_only_the_requester_could_approve_nobody_does) {
    struct trust *t = trust_new();
    cr_assert(trust_put(t, key_file(&alice, TRUST_OPERATOR, "")));
    cr_assert(trust_put(t, key_file(&alice, TRUST_PROVIDER_APPROVER, "")));
    cr_assert(trust_put(t, key_file(&dora, TRUST_TENANT_APPROVER, "acme")));
    grants_trust(s.g, t, s.now, NULL, NULL);
    trust_free(&s.trust);
    s.trust = t;
    struct said x = alice_asks();
    cr_expect(!approves(&alice, &x));
    cr_expect(approves(&dora, &x));
    cr_expect_eq(state(&x), GRANT_REQUESTED);
    cr_expect(!alice_gets_in());
}

Test(grants, another_tenants_approver_has_no_say) {
    struct said x = alice_asks();
    cr_expect(approves(&bob, &x));
    cr_expect(!approves(&gina, &x));
    cr_expect(failed_with("may not sign"));
    cr_expect_eq(put(sign(&gina, about(STATEMENT_APPROVE, &x))), GRANTS_TAMPERING);
    cr_expect(!says(&gina, STATEMENT_DENY, &x));
    cr_expect(!says(&gina, STATEMENT_REVOKE, &x));
    cr_expect_eq(state(&x), GRANT_REQUESTED);
    cr_expect(!sets_policy(&gina, "acme", CONSENT_NOTIFY, 1, SCOPE_ADMIN));
}

Test(grants, the_provider_does_not_consent_for_acme) {
    struct said x = alice_asks();
    cr_expect(approves(&bob, &x) && approves(&carol, &x));
    cr_expect_eq(state(&x), GRANT_REQUESTED);
    cr_expect(!sets_policy(&bob, "acme", CONSENT_NOTIFY, 1, SCOPE_ADMIN));
    cr_expect(!alice_gets_in());
}

Test(grants, acme_alone_is_not_enough_either) {
    struct said x = alice_asks();
    cr_expect(approves(&dora, &x));
    cr_expect_eq(state(&x), GRANT_REQUESTED);
    cr_expect(!alice_gets_in());
}

Test(grants, two_provider_approvers_when_the_policy_says_so) {
    cr_assert(sets_policy(&dora, "acme", CONSENT_REQUIRED, 2, SCOPE_DIAGNOSE));
    struct said x = alice_asks();
    cr_expect(approves(&bob, &x) && approves(&dora, &x));
    cr_expect_eq(state(&x), GRANT_REQUESTED);
    cr_expect(approves(&carol, &x));
    cr_expect_eq(state(&x), GRANT_ACTIVE);
}

Test(grants, notify_wants_two_of_the_provider_and_no_consent) {
    cr_assert(sets_policy(&dora, "acme", CONSENT_NOTIFY, 0, SCOPE_DIAGNOSE));
    struct said x = alice_asks();
    cr_expect(approves(&bob, &x));
    cr_expect_eq(state(&x), GRANT_REQUESTED);
    cr_expect(approves(&carol, &x));
    cr_expect_eq(state(&x), GRANT_ACTIVE);
}

Test(grants, a_list_marks_what_awaits_whom) {
    struct said x = alice_asks();
    struct grant_view v = look(&x);
    cr_expect_str_eq(grants_awaits(s.g, &v, "bob", s.now), "approve");
    cr_expect_str_eq(grants_awaits(s.g, &v, "dora", s.now), "consent");
    cr_expect_str_eq(grants_awaits(s.g, &v, "gina", s.now), "");
    cr_expect_str_eq(grants_awaits(s.g, &v, "alice", s.now), "");
    cr_expect_str_eq(grants_awaits(s.g, &v, "nobody", s.now), "");
    cr_assert(approves(&bob, &x));
    v = look(&x);
    cr_expect_str_eq(v.approvers, "bob");
    cr_expect_str_eq(grants_awaits(s.g, &v, "bob", s.now), "");
    cr_expect_str_eq(grants_awaits(s.g, &v, "carol", s.now), "");
    cr_expect_str_eq(grants_awaits(s.g, &v, "dora", s.now), "consent");
}

/* --- what an approval may do --- */

Test(grants, an_approval_never_widens) {
    struct said x = alice_asks();
    struct statement wider = about(STATEMENT_APPROVE, &x), longer = wider, others = wider, more = wider;
    wider.scope = SCOPE_WRITE;
    longer.not_after++;
    snprintf(others.databases, sizeof others.databases, "payroll");
    snprintf(more.databases, sizeof more.databases, "shop,payroll");
    const struct statement *bad[] = {&wider, &longer, &others, &more};
    for (size_t i = 0; i < 4; i++) {
        cr_expect(!hand_in(sign(&bob, *bad[i])), "%zu", i);
        cr_expect_eq(put(sign(&bob, *bad[i])), GRANTS_REFUSED, "%zu", i);
    }
    cr_expect_eq(look(&x).needs_provider, 1);
}

Test(grants, approvals_narrow_to_the_least_of_all) {
    struct statement st = asks("acme", SCOPE_WRITE, 2 * HOUR);
    snprintf(st.databases, sizeof st.databases, "shop,payroll,crm");
    struct said x = sign(&alice, st);
    cr_assert(hand_in(x));
    struct statement a = about(STATEMENT_APPROVE, &x), b = a;
    a.scope = SCOPE_READ;
    snprintf(a.databases, sizeof a.databases, "crm,shop");
    b.not_after = s.now + HOUR;
    snprintf(b.databases, sizeof b.databases, "payroll,shop");
    cr_assert(hand_in(sign(&bob, a)) && hand_in(sign(&dora, b)));
    struct grant_view v = look(&x);
    cr_expect_eq(v.state, GRANT_ACTIVE);
    cr_expect_eq(v.scope, SCOPE_READ);
    cr_expect_eq(v.ends, s.now + HOUR);
    cr_expect_str_eq(v.databases, "shop");
    cr_expect(!gets_in("alice", "acme", "payroll") && !gets_in("alice", "acme", "crm"));
}

Test(grants, an_approval_that_leaves_nothing_is_none) {
    struct statement st = asks("acme", SCOPE_READ, HOUR);
    snprintf(st.databases, sizeof st.databases, "shop,crm");
    struct said x = sign(&alice, st);
    cr_assert(hand_in(x));
    struct statement a = about(STATEMENT_APPROVE, &x), b = a;
    snprintf(a.databases, sizeof a.databases, "shop");
    snprintf(b.databases, sizeof b.databases, "crm");
    cr_expect(hand_in(sign(&bob, a)));
    cr_expect(!hand_in(sign(&dora, b)));
    b = a;
    b.not_after = s.now;
    cr_expect(!hand_in(sign(&dora, b)));
    cr_expect(failed_with("nothing would be left"));
}

Test(grants, a_second_approval_moves_no_deadline) {
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    struct grant_view before = look(&x);
    passes(10 * MINUTE);
    struct statement again = about(STATEMENT_APPROVE, &x);
    again.not_after -= MINUTE;
    cr_expect(!hand_in(sign(&carol, again)));
    cr_expect(failed_with("fully approved"));
    cr_expect_eq(put(sign(&carol, again)), GRANTS_REFUSED);
    cr_expect_eq(put(sign(&bob, about(STATEMENT_APPROVE, &x))), GRANTS_REFUSED);
    cr_expect_eq(look(&x).ends, before.ends);
    cr_expect_eq(look(&x).begins, before.begins);
}

Test(grants, deny_beats_approve_whichever_came_first) {
    struct said x = alice_asks(), y = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    cr_assert(alice_gets_in());
    cr_expect(says(&dora, STATEMENT_DENY, &x));
    cr_expect_eq(state(&x), GRANT_DENIED);
    cr_expect(!alice_gets_in());
    cr_expect(says(&carol, STATEMENT_DENY, &y));
    cr_expect(!approves(&bob, &y));
    cr_expect_eq(put(sign(&bob, about(STATEMENT_APPROVE, &y))), GRANTS_REFUSED);
    cr_expect_eq(put(sign(&dora, about(STATEMENT_APPROVE, &y))), GRANTS_REFUSED);
    cr_expect_eq(state(&y), GRANT_DENIED);
    cr_expect_str_eq(look(&y).by, "carol");
    cr_expect_str_eq(look(&y).words, "not now");
}

Test(grants, an_approver_who_denied_does_not_approve_after) {
    struct said x = alice_asks();
    cr_assert(says(&bob, STATEMENT_DENY, &x));
    cr_expect(!approves(&bob, &x));
}

/* --- ends --- */

Test(grants, a_revocation_stops_it_at_once) {
    struct failure f;
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    cr_expect(grants_still(s.g, x.id, "alice", s.now, &f));
    cr_expect(!grants_still(s.g, x.id, "mallory", s.now, &f));
    cr_expect(says(&dora, STATEMENT_REVOKE, &x));
    cr_expect(!grants_still(s.g, x.id, "alice", s.now, &f));
    cr_expect_str_eq(f.sqlstate, "57P01");
    cr_expect(strstr(f.sentence, "is revoked by dora: not now"), "%s", f.sentence);
    cr_expect(!says(&bob, STATEMENT_REVOKE, &x), "once is enough");
    cr_expect(!alice_gets_in());
}

Test(grants, alice_ends_and_withdraws_her_own_only) {
    struct said x = alice_asks(), y = alice_asks();
    cr_expect(!says(&mallory, STATEMENT_WITHDRAW, &x));
    cr_expect(says(&alice, STATEMENT_WITHDRAW, &x));
    cr_expect_eq(state(&x), GRANT_WITHDRAWN);
    cr_expect(!approves(&bob, &x));
    cr_expect(!says(&alice, STATEMENT_END, &y));
    cr_expect(failed_with("withdraw it"));
    cr_assert(approves(&bob, &y) && approves(&dora, &y));
    cr_expect(!says(&mallory, STATEMENT_END, &y));
    cr_expect(!says(&alice, STATEMENT_WITHDRAW, &y));
    cr_expect(says(&alice, STATEMENT_END, &y));
    cr_expect_eq(state(&y), GRANT_COMPLETED);
    cr_expect(!alice_gets_in());
    passes(2 * HOUR);
    cr_expect_eq(state(&y), GRANT_COMPLETED, "what is over stays as it ended");
}

Test(grants, expiry_says_so_to_the_session) {
    struct failure f;
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    cr_expect_eq(grants_next_change(s.g, s.now), s.now + HOUR);
    passes(HOUR);
    cr_expect(!grants_still(s.g, x.id, "alice", s.now, &f));
    cr_expect(strstr(f.sentence, "has expired"));
    cr_expect_eq(grants_next_change(s.g, s.now), INT64_MAX);
    cr_expect(!grants_still(s.g, "0123456789abcdef", "alice", s.now, &f));
}

Test(grants, of_two_grants_the_wider_is_used) {
    struct said x = alice_asks(), y = sign(&alice, asks("acme", SCOPE_WRITE, HOUR));
    cr_assert(hand_in(y));
    cr_assert(approves(&bob, &x) && approves(&dora, &x) && approves(&bob, &y) && approves(&dora, &y));
    cr_expect_str_eq(decide("alice", "acme", "shop").grant, y.id);
    cr_assert(says(&alice, STATEMENT_END, &y));
    cr_expect_str_eq(decide("alice", "acme", "shop").grant, x.id);
}

static bool count_one(void *arg, const struct grant_view *v) {
    ++*(unsigned *)arg;
    return true;
}

static unsigned who_can_get_in(const char *tenant) {
    unsigned n = 0;
    grants_access(s.g, tenant, s.now, count_one, &n);
    return n;
}

Test(grants, who_can_get_in_right_now_is_normally_nobody) {
    cr_expect_eq(who_can_get_in("acme"), 0);
    struct said x = alice_asks();
    cr_expect_eq(who_can_get_in("acme"), 0);
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    cr_expect_eq(who_can_get_in("acme"), 1);
    cr_expect_eq(who_can_get_in("globex"), 0);
    cr_assert(hand_in(sign(&bob, locks(LOCK_OPERATOR, "", "alice"))));
    cr_expect_eq(who_can_get_in("acme"), 0);
}

/* --- asking --- */

Test(grants, a_request_says_ticket_and_reason) {
    struct statement st = asks("acme", SCOPE_READ, HOUR);
    const char *bad[] = {"closed", "ops-1", "OPS-1 OPS-2", "OPS-", "xOPS-1", "OPS-1x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(st.ticket, sizeof st.ticket, "%s", bad[i]);
        cr_expect(!hand_in(sign(&alice, st)), "%s", bad[i]);
        cr_expect(failed_with("ticket"));
    }
    char text[STATEMENT_MAX], why[STATEMENT_WHY];
    const char *blank[] = {"", " ", "   ", "\t", "\xc2\xa0", "\xe3\x80\x80", "\xe2\x80\x8b"};
    st = asks("acme", SCOPE_READ, HOUR);
    snprintf(st.signer, sizeof st.signer, "alice");
    snprintf(st.key, sizeof st.key, "0123456789abcdef");
    for (size_t i = 0; i < sizeof blank / sizeof blank[0]; i++) {
        struct writer w = writer_of(text, sizeof text);
        snprintf(st.reason, sizeof st.reason, "%s", blank[i]);
        cr_expect(!statement_compose(&st, &w, why), "%zu", i);
    }
}

Test(grants, a_request_is_not_longer_than_its_scope_may_be) {
    cr_expect(!hand_in(sign(&alice, asks("acme", SCOPE_ADMIN, HOUR + 1))));
    cr_expect(failed_with("60 minutes"));
    cr_expect(hand_in(sign(&alice, asks("acme", SCOPE_ADMIN, HOUR))));
    struct said x = sign(&alice, asks("acme", SCOPE_READ, DAY));
    cr_assert_eq(put(x), GRANTS_TAKEN);
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    cr_expect_eq(look(&x).ends, s.now + 4 * HOUR, "past the broker it is cut");
}

Test(grants, only_operators_ask) {
    cr_expect(!hand_in(sign(&bob, asks("acme", SCOPE_READ, HOUR))));
    cr_expect(!hand_in(sign(&dora, asks("acme", SCOPE_READ, HOUR))));
    cr_expect_eq(put(sign(&bob, asks("acme", SCOPE_READ, HOUR))), GRANTS_TAMPERING);
}

Test(grants, times_are_now) {
    struct statement st = asks("acme", SCOPE_READ, HOUR);
    st.at = s.now + GRANTS_FUTURE + 1;
    cr_expect(!hand_in(sign(&alice, st)));
    cr_expect(failed_with("future"));
    st.at = s.now - GRANTS_STALE - 1;
    cr_expect(!hand_in(sign(&alice, st)));
    cr_expect(failed_with("too long ago"));
    st.at = s.now + GRANTS_FUTURE;
    cr_expect(hand_in(sign(&alice, st)), "%s", s.failure.sentence);
    st = asks("acme", SCOPE_READ, HOUR);
    st.not_before = s.now - 2 * HOUR;
    st.not_after = s.now;
    cr_expect(!hand_in(sign(&alice, st)));
    cr_expect(failed_with("past"));
}

Test(grants, a_statement_is_handed_in_once) {
    struct said x = alice_asks();
    cr_expect(!hand_in(x));
    cr_expect(failed_with("already"));
}
