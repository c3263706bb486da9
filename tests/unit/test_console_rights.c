/* SPDX-License-Identifier: ISC
 *
 * What people see and hand in at the console: dana administers acme and gina's colleague globex; alice, bob
 * and mallory are the provider's; root is on the host.
 */
#include "console_rights.h"
#include "console_show.h"
#include "grants_fixture.h"

TestSuite(console_rights, .init = scene_begin, .fini = scene_end);

static struct console_person who(enum console_who kind, const char *name, const char *tenant) {
    struct console_person p = {.magic = CONSOLE_PERSON_MAGIC, .who = kind};
    snprintf(p.name, sizeof p.name, "%s", name);
    snprintf(p.tenant, sizeof p.tenant, "%s", tenant);
    return p;
}

#define ACME who(WHO_ADMIN, "dana", "acme")
#define GLOBEX who(WHO_ADMIN, "dba", "globex")
#define ALICE who(WHO_OPERATOR, "alice", "")
#define BOB who(WHO_OPERATOR, "bob", "")
#define MALLORY who(WHO_OPERATOR, "mallory", "")
#define ROOT who(WHO_LOCAL, "root", "")

static bool sees(struct console_person p, const struct said *x) {
    struct grant_view v = look(x);
    struct statement st;
    char why[STATEMENT_WHY];
    cr_assert(statement_parse(said_text(x), &st, why));
    bool grant = rights_grant(&p, s.trust, s.now, &v);
    cr_expect_eq(grant, rights_statement(&p, s.g, s.trust, s.now, &st), "%s", p.name);
    return grant;
}

Test(console_rights, a_grant_is_shown_to_those_it_concerns) {
    struct said x = alice_asks();
    cr_expect(sees(ACME, &x) && sees(ALICE, &x) && sees(BOB, &x) && sees(ROOT, &x));
    cr_expect(!sees(GLOBEX, &x) && !sees(MALLORY, &x));
    cr_expect(!sees(who(WHO_OPERATOR, "dora", ""), &x),
              "a tenant's approver is nobody on the operators' plane");
    /* What others say about it is hers to see too. */
    struct said denial = sign(&bob, about(STATEMENT_DENY, &x));
    struct statement st;
    char why[STATEMENT_WHY];
    cr_assert(statement_parse(said_text(&denial), &st, why));
    struct console_person a = ALICE, m = MALLORY;
    cr_expect(rights_statement(&a, s.g, s.trust, s.now, &st));
    cr_expect(!rights_statement(&m, s.g, s.trust, s.now, &st));
}

Test(console_rights, an_approver_is_one_as_long_as_the_key_is_good) {
    struct said x = alice_asks();
    cr_expect(sees(BOB, &x));
    s.now += 366 * DAY;
    struct grant_view v = look(&x);
    struct console_person bob_then = BOB;
    cr_expect(!rights_grant(&bob_then, s.trust, s.now, &v));
}

Test(console_rights, what_awaits_whom) {
    struct said x = alice_asks();
    struct grant_view v = look(&x);
    struct console_person a = ALICE, b = BOB, d = ACME, r = ROOT;
    cr_expect_str_eq(rights_awaits(&a, s.g, &v, s.now), "");
    cr_expect_str_eq(rights_awaits(&b, s.g, &v, s.now), "approve");
    cr_expect_str_eq(rights_awaits(&d, s.g, &v, s.now), "consent");
    cr_assert(approves(&dora, &x));
    v = look(&x);
    cr_expect_str_eq(rights_awaits(&d, s.g, &v, s.now), "");
    cr_expect_str_eq(rights_awaits(&r, s.g, &v, s.now), "approve");
}

Test(console_rights, a_log_is_its_tenants_and_the_hosts) {
    struct failure f;
    const char *tenant;
    struct console_person d = ACME, a = ALICE, r = ROOT;
    cr_expect(rights_log(&d, NULL, &tenant, &f) && strcmp(tenant, "acme") == 0);
    cr_expect(rights_log(&d, "acme", &tenant, &f));
    cr_expect(!rights_log(&d, "globex", &tenant, &f) && strcmp(f.sqlstate, "42501") == 0);
    cr_expect(!rights_log(&d, "", &tenant, &f), "the provider's own is not a tenant's");
    cr_expect(!rights_log(&a, "acme", &tenant, &f));
    cr_expect(rights_log(&r, NULL, &tenant, &f) && tenant[0] == 0);
    cr_expect(!rights_command(&a, VERB_AUDIT, &f) && !rights_command(&a, VERB_REVIEW, &f));
    cr_expect(!rights_command(&d, VERB_REQUEST, &f) && rights_command(&d, VERB_AUDIT, &f));
}

Test(console_rights, sessions_of_a_tenant_are_not_the_operators) {
    struct console_person d = ACME, a = ALICE, b = BOB;
    cr_expect(rights_session(&d, s.trust, s.now, "acme", "app", ""));
    cr_expect(!rights_session(&d, s.trust, s.now, "globex", "app", ""));
    cr_expect(!rights_session(&a, s.trust, s.now, "acme", "alice", ""),
              "a role of acme's that is called alice");
    cr_expect(rights_session(&a, s.trust, s.now, "acme", "alice", "0123456789abcdef"));
    cr_expect(!rights_session(&a, s.trust, s.now, "acme", "amy", "0123456789abcdef"));
    cr_expect(rights_session(&b, s.trust, s.now, "acme", "amy", "0123456789abcdef"));
    cr_expect(!rights_session(&b, s.trust, s.now, "acme", "app", ""));
}

static struct failure refusal;

static bool may(struct console_person p, enum console_verb verb, const struct said *x) {
    struct statement st;
    char why[STATEMENT_WHY];
    cr_assert(statement_parse(said_text(x), &st, why));
    return rights_submit(&p, s.trust, verb, &st, &refusal);
}

Test(console_rights, a_statement_comes_from_its_person_or_its_tenant) {
    struct said x = alice_asks();
    struct said by_bob = sign(&bob, about(STATEMENT_APPROVE, &x)),
                by_dora = sign(&dora, about(STATEMENT_APPROVE, &x));
    cr_expect(may(BOB, VERB_APPROVE, &by_bob) && may(BOB, VERB_SUBMIT, &by_bob) &&
              may(ROOT, VERB_APPROVE, &by_bob));
    cr_expect(!may(ALICE, VERB_APPROVE, &by_bob) && strcmp(refusal.sqlstate, "42501") == 0);
    cr_expect(!may(BOB, VERB_DENY, &by_bob) && strcmp(refusal.sqlstate, "22023") == 0);
    cr_expect(may(ACME, VERB_APPROVE, &by_dora) && may(ACME, VERB_APPROVE, &by_bob));
    cr_expect(!may(GLOBEX, VERB_APPROVE, &by_dora));
}

Test(console_rights, consent_is_not_taken_from_the_operators_plane) {
    struct said x = alice_asks();
    struct console_person dora_there = who(WHO_OPERATOR, "dora", "");
    struct said consent = sign(&dora, about(STATEMENT_APPROVE, &x)),
                denial = sign(&dora, about(STATEMENT_DENY, &x));
    cr_expect(!may(dora_there, VERB_APPROVE, &consent) && strstr(refusal.sentence, "consent"));
    cr_expect(!may(dora_there, VERB_DENY, &denial));
    /* Nor with a key that is both. */
    cr_assert(trust_put(s.trust, key_file(&bob, TRUST_TENANT_APPROVER, "acme")));
    struct said both = sign(&bob, about(STATEMENT_APPROVE, &x));
    cr_expect(!may(BOB, VERB_APPROVE, &both));
    struct statement st = words(STATEMENT_POLICY, "acme");
    st.consent = CONSENT_NOTIFY;
    st.provider_approvals = 2;
    struct said policy = sign(&carol, st);
    cr_expect(!may(who(WHO_OPERATOR, "carol", ""), VERB_SUBMIT, &policy), "whoever signs it");
}

static size_t rows_of(struct console_table *t, const char *part) {
    struct view cell[CONSOLE_COLUMNS_MAX];
    size_t found = 0;
    cr_assert_eq(t->cells, 0);
    while (rows_take(t, cell))
        for (size_t i = 0; i < t->columns; i++)
            found += cell[i].len > 0 && memmem(cell[i].at, cell[i].len, part, strlen(part)) != NULL;
    rows_end(t);
    return found;
}

static struct console_table table_of(enum console_verb verb) {
    struct console_table t;
    struct view name[CONSOLE_COLUMNS_MAX];
    rows_begin(&t, console_columns(console_declaration(verb)->columns, name));
    return t;
}

Test(console_rights, tables_have_the_columns_that_were_declared_and_nobody_elses_rows) {
    struct said x = alice_asks();
    cr_assert(hand_in(sign(&dora, locks(LOCK_GRANT, "acme", x.id))), "%s", s.failure.sentence);
    struct console_person d = ACME, g = GLOBEX;
    struct settings settings = {.provider_approvals = 1};
    struct console_look acme = {&d, s.g, s.trust, &settings, s.now},
                        globex = {&g, s.g, s.trust, &settings, s.now};
    struct grant_view v = look(&x);

    struct console_table t = table_of(VERB_GRANTS);
    show_grant_row(&t, &acme, &v);
    cr_expect_eq(rows_of(&t, x.id), 2, "its id, and the digest that begins with it");
    t = table_of(VERB_GRANT);
    show_grant(&t, &acme, &v);
    cr_expect_eq(rows_of(&t, "the nightly report fails"), 1);
    t = table_of(VERB_LOCKS);
    show_locks(&t, &acme);
    cr_expect_eq(rows_of(&t, "duty manager"), 1);
    t = table_of(VERB_LOCKS);
    show_locks(&t, &globex);
    cr_expect_eq(rows_of(&t, ""), 0);
    t = table_of(VERB_TRUST);
    show_trust(&t, &globex);
    cr_expect_eq(rows_of(&t, "acme"), 0, "dora is acme's");
    t = table_of(VERB_POLICY);
    show_policy(&t, &acme, "acme");
    cr_expect_eq(rows_of(&t, "required"), 1);
    t = table_of(VERB_RULES);
    show_rules(&t, &settings);
    cr_expect_eq(rows_of(&t, "provider_approvals"), 1);
    t = table_of(VERB_HELP);
    show_help(&t, &d);
    cr_expect_eq(rows_of(&t, "REQUEST"), 0, "what one may not say is not offered");
}

Test(console_rights, a_table_gives_what_it_was_given) {
    struct console_table t;
    struct view cell[CONSOLE_COLUMNS_MAX];
    char long_text[9000];
    memset(long_text, 'x', sizeof long_text);
    rows_begin(&t, 3);
    for (int i = 0; i < 100; i++) {
        rows_number(&t, (uint64_t)i);
        rows_null(&t);
        rows_cell(&t, view_of(long_text, sizeof long_text));
    }
    for (int i = 0; i < 100; i++) {
        cr_assert(rows_take(&t, cell));
        cr_assert(cell[1].at == NULL && cell[2].len == sizeof long_text);
    }
    cr_assert(view_equal_text(cell[0], "99"));
    cr_assert(!rows_take(&t, cell) && t.len == 0);
    rows_end(&t);
}
