/* SPDX-License-Identifier: ISC
 *
 * Who can write the store writes into it. Nothing follows from it that nobody signed.
 */
#include "grants_fixture.h"

TestSuite(grants_log, .init = scene_begin, .fini = scene_end);

/* The same text with one part replaced by another of the same length, under the old signature. */
static struct said edited(struct said x, const char *from, const char *to) {
    char *at = strstr(x.text, from);
    cr_assert(at && strlen(from) == strlen(to), "%s", from);
    memcpy(at, to, strlen(to));
    statement_digest(said_text(&x), x.digest);
    statement_short(x.digest, x.id);
    return x;
}

static struct said terminated(struct said x) {
    x.text[x.len] = 0;
    return x;
}

Test(grants_log, an_edited_request_is_nobodys) {
    struct said x = terminated(alice_asks()), wider = edited(x, "scope: read\n", "scope: diag\n");
    cr_expect_eq(put(wider), GRANTS_TAMPERING, "it does not even parse");
    wider = edited(x, "OPS-1", "OPS-2");
    cr_expect_eq(put(wider), GRANTS_TAMPERING);
    cr_expect(strstr(s.why, "signature is wrong"), "%s", s.why);
    cr_expect_eq(state(&wider), GRANT_NONE);
    cr_expect_eq(s.tampering, 2);
}

Test(grants_log, an_approval_moved_to_another_request_is_nobodys) {
    struct said x = alice_asks(), y = alice_asks();
    struct said yes = terminated(sign(&bob, about(STATEMENT_APPROVE, &x)));
    char from[65], to[65];
    statement_digest_text(x.digest, from);
    statement_digest_text(y.digest, to);
    cr_expect_eq(put(edited(yes, from, to)), GRANTS_TAMPERING);
    cr_expect_eq(look(&y).needs_provider, 1);
    /* A whole row of another request stays one of that request. */
    cr_expect_eq(put(yes), GRANTS_TAKEN);
    cr_expect_eq(look(&x).needs_provider, 0);
    cr_expect_eq(look(&y).needs_provider, 1);
}

Test(grants_log, an_approval_is_of_its_tenant) {
    struct said x = alice_asks(), yes = terminated(sign(&bob, about(STATEMENT_APPROVE, &x)));
    cr_expect_eq(put(edited(yes, "tenant: acme", "tenant: ecma")), GRANTS_TAMPERING);
    struct statement other = about(STATEMENT_APPROVE, &x);
    snprintf(other.tenant, sizeof other.tenant, "globex");
    cr_expect_eq(put(sign(&bob, other)), GRANTS_REFUSED, "bob signed for globex what is acme's");
    cr_expect(strstr(s.why, "another tenant"));
    /* gina may speak for globex; the request is acme's. */
    cr_expect_eq(put(sign(&gina, other)), GRANTS_REFUSED);
    cr_expect_eq(look(&x).needs_provider, 1);
}

Test(grants_log, a_statement_is_of_its_environment) {
    struct said x = alice_asks();
    struct statement test = about(STATEMENT_APPROVE, &x);
    snprintf(test.environment, sizeof test.environment, "test");
    cr_expect_eq(put(sign(&bob, test)), GRANTS_TAMPERING);
    cr_expect(strstr(s.why, "another environment"));
    cr_expect_eq(look(&x).needs_provider, 1);
    cr_expect(!hand_in(sign(&bob, test)));
}

Test(grants_log, a_request_changed_after_its_approval_has_none) {
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    struct said anew = sign(&alice, asks("acme", SCOPE_ADMIN, HOUR));
    cr_expect_eq(put(anew), GRANTS_TAKEN);
    cr_expect_eq(state(&anew), GRANT_REQUESTED);
    cr_expect_eq(decide("alice", "acme", "shop").scope, SCOPE_READ);
}

Test(grants_log, mallory_signs_in_bobs_name) {
    struct said x = alice_asks(), yes = sign_as(mallory.key, "bob", about(STATEMENT_APPROVE, &x));
    cr_expect(!hand_in(yes));
    cr_expect_eq(put(yes), GRANTS_TAMPERING);
    cr_expect_eq(look(&x).needs_provider, 1);
}

Test(grants_log, mallory_claims_bobs_key_too) {
    struct said x = alice_asks();
    struct statement st = about(STATEMENT_APPROVE, &x), bobs;
    char why[STATEMENT_WHY];
    struct said theirs = sign(&bob, st), forged = sign_as(mallory.key, "bob", st);
    cr_assert(statement_parse(said_text(&theirs), &bobs, why));
    /* bob's text, mallory's signature */
    memcpy(theirs.signature, forged.signature, sizeof theirs.signature);
    cr_expect_eq(put(theirs), GRANTS_TAMPERING);
    cr_expect_str_eq(grants_closed(s.g, "acme"), "", "a bad signature concerns its own row alone");
    cr_assert(statement_sign(mallory.key, said_text(&theirs), theirs.signature));
    cr_expect_eq(put(theirs), GRANTS_TAMPERING);
    /* And bob's own word still counts, though its bytes were there already. */
    cr_expect(approves(&bob, &x));
    cr_expect_eq(look(&x).needs_provider, 0);
}

Test(grants_log, a_row_twice_counts_once) {
    struct said x = alice_asks(), yes = sign(&bob, about(STATEMENT_APPROVE, &x));
    cr_expect_eq(put(yes), GRANTS_TAKEN);
    cr_expect_eq(put(yes), GRANTS_TAMPERING);
    cr_expect(strstr(s.why, "twice"));
    cr_expect_eq(put(x), GRANTS_TAMPERING);
    cr_expect_eq(state(&x), GRANT_REQUESTED);
}

Test(grants_log, an_approval_before_its_request_has_no_effect) {
    struct said x = sign(&alice, asks("acme", SCOPE_READ, HOUR));
    cr_expect_eq(put(sign(&bob, about(STATEMENT_APPROVE, &x))), GRANTS_REFUSED);
    cr_expect_eq(put(sign(&dora, about(STATEMENT_APPROVE, &x))), GRANTS_REFUSED);
    cr_expect_eq(put(x), GRANTS_TAKEN);
    cr_expect_eq(state(&x), GRANT_REQUESTED);
}

Test(grants_log, rubbish_is_tampering_and_no_more) {
    char why[STATEMENT_WHY];
    uint8_t bytes[STATEMENT_MAX + 1];
    memset(bytes, 'x', sizeof bytes);
    const size_t lengths[] = {0, 1, 63, 64, STATEMENT_MAX, STATEMENT_MAX + 1};
    for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < 6; k++)
            cr_expect_eq(grants_add(s.g, view_of(bytes, lengths[i]), view_of(bytes, lengths[k]), i + 1, s.now,
                                    note, NULL, why),
                         GRANTS_TAMPERING);
    struct said x = sign(&alice, asks("acme", SCOPE_READ, HOUR));
    cr_expect_eq(grants_add(s.g, said_text(&x), view_of(x.signature, 63), 50, s.now, note, NULL, why),
                 GRANTS_TAMPERING);
    cr_expect_eq(s.tampering, 37);
    x = alice_asks();
    cr_expect(approves(&bob, &x) && approves(&dora, &x));
    cr_expect(alice_gets_in());
}

Test(grants_log, a_store_that_is_not_the_accepted_one_lets_nobody_in) {
    struct failure f;
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    grants_close(s.g, "the store has only 2 statements");
    cr_expect(!alice_gets_in());
    cr_expect(strstr(decide("alice", "acme", "shop").failure.cause, "only 2"));
    cr_expect(!grants_still(s.g, x.id, "alice", s.now, &f));
    cr_expect_str_eq(f.sqlstate, "57P01");
    cr_expect_str_eq(grants_closed(s.g, "globex"), "the store has only 2 statements");
    grants_close(s.g, NULL);
    cr_expect(alice_gets_in());
}

/* --- keys --- */

static void trust_is(struct trust *t) {
    grants_trust(s.g, t, s.now, note, NULL);
    trust_free(&s.trust);
    s.trust = t;
}

static struct trust *trust_with_withdrawn(const struct person *p, enum trust_role role, const char *tenant,
                                          int64_t when) {
    struct trust *t = trust_without(p->name);
    struct trust_key k = key_file(p, role, tenant);
    k.withdrawn = when;
    cr_assert(trust_put(t, k));
    return t;
}

Test(grants_log, a_withdrawn_approvers_key_stops_the_grant) {
    struct failure f;
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    passes(MINUTE);
    trust_is(trust_with_withdrawn(&bob, TRUST_PROVIDER_APPROVER, "", s.now));
    cr_expect_eq(state(&x), GRANT_REVOKED);
    cr_expect(!alice_gets_in());
    cr_expect(!grants_still(s.g, x.id, "alice", s.now, &f));
    cr_expect(strstr(f.sentence, "key withdrawn"));
    cr_expect(strstr(s.told, "key withdrawn/trust by trust;key withdrawn/revoked by trust;"), "%s", s.told);
    struct said y = alice_asks();
    cr_expect(!approves(&bob, &y));
    cr_expect(failed_with("withdrawn"));
    cr_expect(approves(&carol, &y));
}

Test(grants_log, a_withdrawal_known_in_advance_stops_it_by_itself) {
    trust_is(trust_with_withdrawn(&dora, TRUST_TENANT_APPROVER, "acme", s.now + 10 * MINUTE));
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    cr_expect_eq(grants_next_change(s.g, s.now), s.now + 10 * MINUTE);
    passes(10 * MINUTE - 1);
    cr_expect(alice_gets_in());
    passes(1);
    cr_expect(!alice_gets_in());
}

Test(grants_log, a_key_withdrawn_yesterday_stops_it_too) {
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    trust_is(trust_with_withdrawn(&bob, TRUST_PROVIDER_APPROVER, "", s.now - DAY));
    cr_expect_eq(state(&x), GRANT_REVOKED);
    cr_expect(!alice_gets_in());
}

Test(grants_log, a_withdrawn_requesters_key_stops_the_grant) {
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    trust_is(trust_with_withdrawn(&alice, TRUST_OPERATOR, "", s.now));
    cr_expect(!alice_gets_in());
}

Test(grants_log, a_key_withdrawn_later_leaves_history_as_it_was) {
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    passes(2 * HOUR);
    trust_is(trust_with_withdrawn(&bob, TRUST_PROVIDER_APPROVER, "", s.now));
    cr_expect_eq(state(&x), GRANT_EXPIRED);
    cr_expect_eq(s.tampering, 0);
}

Test(grants_log, a_key_too_young_or_too_old_signs_nothing) {
    struct said x = alice_asks();
    struct trust *t = trust_without("bob");
    struct trust_key k = key_file(&bob, TRUST_PROVIDER_APPROVER, "");
    k.not_before = s.now + 1;
    cr_assert(trust_put(t, k));
    trust_is(t);
    cr_expect(!approves(&bob, &x));
    cr_expect_eq(put(sign(&bob, about(STATEMENT_APPROVE, &x))), GRANTS_TAMPERING);
    t = trust_without("bob");
    k.not_before = YEAR_BEFORE;
    k.not_after = s.now;
    cr_assert(trust_put(t, k));
    trust_is(t);
    struct statement again = about(STATEMENT_APPROVE, &x);
    again.not_after--;
    cr_expect(!hand_in(sign(&bob, again)));
    cr_expect_eq(look(&x).needs_provider, 1);
}

/* The provider puts a key of its own in the place of dora's. */
Test(grants_log, a_replaced_key_of_the_tenant_closes_the_tenant) {
    cr_assert(hand_in(sign(&dora, locks(LOCK_OPERATOR, "acme", "alice"))));
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x));
    struct person false_dora = {"dora", erin.key};
    struct trust *t = trust_without("dora");
    cr_assert(trust_put(t, key_file(&false_dora, TRUST_TENANT_APPROVER, "acme")));
    trust_is(t);
    cr_expect(s.tampering > 0);
    cr_expect(strstr(s.told, "key gone/trust by trust;key added/trust by trust;"), "%s", s.told);
    cr_expect(strstr(grants_closed(s.g, "acme"), "not in the trust folder"), "%s",
              grants_closed(s.g, "acme"));
    cr_expect_str_eq(grants_closed(s.g, "globex"), "");
    approves(&false_dora, &x);
    cr_expect(!alice_gets_in());
    /* Also when the proxy starts with it. */
    struct grants *again = replayed();
    struct grant_verdict v;
    grants_decide(again, "alice", "acme", "shop", s.now, &v);
    cr_expect(!v.allowed);
    cr_expect(strstr(v.failure.sentence, "kept out"));
    grants_free(&again);
    /* dora's file comes back, withdrawn as it should have been: the lock she set holds. */
    t = trust_with_withdrawn(&dora, TRUST_TENANT_APPROVER, "acme", s.now);
    cr_assert(trust_put(t, key_file(&false_dora, TRUST_TENANT_APPROVER, "acme")));
    trust_is(t);
    cr_expect_str_eq(grants_closed(s.g, "acme"), "");
    cr_expect(!alice_gets_in());
    cr_expect(strstr(decide("alice", "acme", "shop").failure.sentence, "locked"));
}

Test(grants_log, an_approval_whose_key_is_taken_away_is_noticed) {
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    cr_assert(alice_gets_in());
    trust_is(trust_without("bob"));
    cr_expect(!alice_gets_in());
    cr_expect(s.tampering > 0);
}

Test(grants_log, a_request_whose_key_is_taken_away_is_noticed) {
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    trust_is(trust_without("alice"));
    cr_expect(!alice_gets_in());
    cr_expect_eq(state(&x), GRANT_NONE);
    cr_expect(s.tampering > 0);
}

Test(grants_log, a_restart_tells_what_time_did_meanwhile) {
    char why[STATEMENT_WHY];
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    int64_t last_seen = s.now;
    s.now += 3 * HOUR;
    struct grants *again = grants_new("production", &s.limits, s.trust);
    for (uint64_t i = 0; i < s.n; i++)
        cr_assert_eq(
            grants_add(again, said_text(&s.row[i]), said_signature(&s.row[i]), i + 1, s.now, NULL, NULL, why),
            GRANTS_TAKEN);
    s.told[0] = 0;
    grants_resume(again, last_seen);
    grants_tick(again, s.now, note, NULL);
    cr_expect_str_eq(s.told, "expire/expired by time;");
    grants_tick(again, s.now, note, NULL);
    cr_expect_str_eq(s.told, "expire/expired by time;", "once");
    grants_free(&again);
}

/* In the store, as another proxy with a faster clock took it. */
Test(grants_log, a_revocation_of_the_future_keeps_operators_out_until_it_counts) {
    struct said x = alice_asks();
    cr_assert(approves(&bob, &x) && approves(&dora, &x));
    cr_assert(decide("alice", "acme", "shop").allowed);
    struct statement st = about(STATEMENT_REVOKE, &x);
    st.at = s.now + GRANTS_FUTURE + 100;
    cr_expect_eq(put(sign(&dora, st)), GRANTS_TAMPERING);
    cr_expect(!decide("alice", "acme", "shop").allowed);
    cr_expect(strstr(grants_closed(s.g, "acme"), "future"), "%s", grants_closed(s.g, "acme"));
    cr_expect_str_eq(grants_closed(s.g, "globex"), "");
    cr_expect_eq(grants_next_change(s.g, s.now), s.now + 100);
    passes(99);
    cr_expect(!decide("alice", "acme", "shop").allowed);
    passes(1);
    cr_expect_str_eq(grants_closed(s.g, "acme"), "");
    cr_expect_eq(state(&x), GRANT_REVOKED);
    cr_expect(!decide("alice", "acme", "shop").allowed);
}
