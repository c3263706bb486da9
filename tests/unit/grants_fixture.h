/* SPDX-License-Identifier: ISC
 *
 * The people of the operators' plane, for tests: alice (operator), bob and carol (provider approvers), dora
 * (acme's approver), gina (globex's), mallory (an operator who wants more), each with a key; a store that
 * anybody may write; and what the broker makes of it.
 */
#ifndef SEKISHO_GRANTS_FIXTURE_H
#define SEKISHO_GRANTS_FIXTURE_H

#include "grants.h"
#include "text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define MINUTE 60
#define HOUR 3600
#define DAY (24 * HOUR)
#define TUESDAY 1795555800 /* 2026-11-24T21:30:00Z */
#define YEAR_BEFORE (TUESDAY - 365 * DAY)
#define YEAR_AFTER (TUESDAY + 365 * DAY)
#define ROWS_MAX 128

struct person {
    const char *name;
    struct signing_key *key;
};

/* What one signed. */
struct said {
    size_t len;
    char text[STATEMENT_MAX];
    uint8_t signature[STATEMENT_SIGNATURE];
    uint8_t digest[STATEMENT_DIGEST];
    char id[GRANT_ID + 1];
};

struct scene {
    struct grants_limits limits;
    struct trust *trust;
    struct grants *g;
    int64_t now;
    uint64_t n;
    struct said row[ROWS_MAX]; /* the store */
    struct failure failure;    /* of the last hand_in */
    char why[STATEMENT_WHY];   /* of the last put */
    char told[16384];          /* events: "action/state by actor;" */
    unsigned tampering;
};

static struct person alice, bob, carol, dora, gina, mallory, erin;
static struct scene s;

/* --- keys and trust --- */

static inline struct trust_key key_file(const struct person *p, enum trust_role role, const char *tenant) {
    struct trust_key k = {
        .role = role, .not_before = YEAR_BEFORE, .not_after = YEAR_AFTER, .withdrawn = TRUST_NEVER};
    snprintf(k.name, sizeof k.name, "%s", p->name);
    snprintf(k.tenant, sizeof k.tenant, "%s", tenant);
    signing_key_public(p->key, k.public);
    return k;
}

static inline bool trust_put(struct trust *t, struct trust_key k) {
    char text[TRUST_FILE_MAX], why[STATEMENT_WHY];
    struct writer w = writer_of(text, sizeof text);
    cr_assert(trust_compose(&k, &w));
    return trust_add(t, writer_view(&w), why);
}

/* Everybody's files but one person's. */
static inline struct trust *trust_without(const char *name) {
    const struct {
        const struct person *who;
        enum trust_role role;
        const char *tenant;
    } files[] = {{&alice, TRUST_OPERATOR, ""},           {&mallory, TRUST_OPERATOR, ""},
                 {&bob, TRUST_PROVIDER_APPROVER, ""},    {&carol, TRUST_PROVIDER_APPROVER, ""},
                 {&dora, TRUST_TENANT_APPROVER, "acme"}, {&gina, TRUST_TENANT_APPROVER, "globex"}};
    struct trust *t = trust_new();
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (strcmp(files[i].who->name, name) != 0)
            cr_assert(trust_put(t, key_file(files[i].who, files[i].role, files[i].tenant)));
    return t;
}

static inline struct person person(const char *name) {
    struct person p = {name, signing_key_make()};
    cr_assert(p.key);
    return p;
}

static inline void note(void *arg, const struct grants_event *e) {
    size_t len = strlen(s.told);
    s.tampering += e->tampering;
    cr_assert(e->tenant && e->grant && e->actor && e->action && e->state &&
              e->operator&& e->scope && e->class && e->ticket && e->detail);
    snprintf(s.told + len, sizeof s.told - len, "%s/%s by %s;", e->action, e->state, e->actor);
}

static inline void scene_begin(void) {
    memset(&s, 0, sizeof s);
    alice = person("alice");
    bob = person("bob");
    carol = person("carol");
    dora = person("dora");
    gina = person("gina");
    mallory = person("mallory");
    erin = person("erin");
    s.limits = (struct grants_limits){.provider_approvals = 1,
                                      .approval_window = DAY,
                                      .max = {8 * HOUR, 4 * HOUR, 2 * HOUR, HOUR},
                                      .emergencies_per_week = 3,
                                      .ticket_pattern = "[A-Z][A-Z0-9]*-[0-9]+"};
    s.trust = trust_without("");
    s.g = grants_new("production", &s.limits, s.trust);
    s.now = TUESDAY;
    cr_assert(s.g);
}

struct summary {
    size_t grants;
    char text[8192];
};

static inline bool summarize(void *arg, const struct grant_view *v) {
    struct summary *sum = arg;
    size_t len = strlen(sum->text);
    sum->grants++;
    snprintf(sum->text + len, sizeof sum->text - len, "%s %s %s %s %lld-%lld %u%d;", v->id,
             grant_state_name(v->state), scope_name(v->scope), v->databases, (long long)v->begins,
             (long long)v->ends, v->needs_provider, v->needs_tenant);
    return true;
}

static inline struct summary summary(const struct grants *g) {
    struct summary sum = {.grants = 0};
    grants_each(g, NULL, NULL, s.now, summarize, &sum);
    return sum;
}

static inline struct view said_text(const struct said *x) {
    return view_of(x->text, x->len);
}
static inline struct view said_signature(const struct said *x) {
    return view_of(x->signature, sizeof x->signature);
}

/* The same rows, read again after a restart, give the same state. */
static inline struct grants *replayed(void) {
    char why[STATEMENT_WHY];
    struct grants *again = grants_new("production", &s.limits, s.trust);
    for (uint64_t i = 0; i < s.n; i++)
        grants_add(again, said_text(&s.row[i]), said_signature(&s.row[i]), i + 1, s.now, NULL, NULL, why);
    return again;
}

static inline void scene_end(void) {
    struct person *people[] = {&alice, &bob, &carol, &dora, &gina, &mallory, &erin};
    struct grants *again = replayed();
    struct summary here = summary(s.g), there = summary(again);
    cr_expect_str_eq(here.text, there.text, "a restart changes nothing");
    grants_free(&again);
    grants_free(&s.g);
    trust_free(&s.trust);
    for (size_t i = 0; i < 7; i++)
        signing_key_free(&people[i]->key);
}

/* --- saying things --- */

static inline struct statement words(enum statement_kind kind, const char *tenant) {
    struct statement st = {.kind = kind, .at = s.now};
    snprintf(st.environment, sizeof st.environment, "production");
    snprintf(st.tenant, sizeof st.tenant, "%s", tenant);
    return st;
}

/* Signs with the key, in the name. */
static inline struct said sign_as(const struct signing_key *key, const char *name, struct statement st) {
    struct said x;
    uint8_t public[STATEMENT_PUBLIC];
    char why[STATEMENT_WHY];
    struct writer w = writer_of(x.text, sizeof x.text);
    signing_key_public(key, public);
    statement_key_id(public, st.key);
    snprintf(st.signer, sizeof st.signer, "%s", name);
    cr_assert(statement_compose(&st, &w, why), "%s", why);
    x.len = w.len;
    cr_assert(statement_sign(key, said_text(&x), x.signature));
    statement_digest(said_text(&x), x.digest);
    statement_short(x.digest, x.id);
    return x;
}

static inline struct said sign(const struct person *p, struct statement st) {
    return sign_as(p->key, p->name, st);
}

/* Writes a row into the store, as who can write it may. */
static inline enum grants_result put(struct said x) {
    cr_assert(s.n < ROWS_MAX);
    s.row[s.n++] = x;
    return grants_add(s.g, said_text(&x), said_signature(&x), s.n, s.now, note, NULL, s.why);
}

/* Hands it in properly: the broker looks at it first. */
static inline bool hand_in(struct said x) {
    struct statement out;
    if (!grants_check(s.g, said_text(&x), said_signature(&x), s.now, &out, &s.failure))
        return false;
    cr_assert_eq(put(x), GRANTS_TAKEN, "%s", s.why);
    return true;
}

static inline struct statement asks(const char *tenant, enum scope scope, int64_t seconds) {
    struct statement st = words(STATEMENT_REQUEST, tenant);
    snprintf(st.ticket, sizeof st.ticket, "OPS-%llu", (unsigned long long)s.n + 1);
    snprintf(st.reason, sizeof st.reason, "the nightly report fails");
    snprintf(st.databases, sizeof st.databases, "shop");
    st.reason_code = REASON_CUSTOMER_CASE;
    st.class = CLASS_SUPPORT;
    st.scope = scope;
    st.not_before = s.now;
    st.not_after = s.now + seconds;
    return st;
}

/* Alice asks for an hour of reading acme's shop. */
static inline struct said alice_asks(void) {
    struct said x = sign(&alice, asks("acme", SCOPE_READ, HOUR));
    cr_assert(hand_in(x), "%s", s.failure.sentence);
    return x;
}

static inline struct statement about(enum statement_kind kind, const struct said *request) {
    struct statement r, st;
    char why[STATEMENT_WHY];
    cr_assert(statement_parse(said_text(request), &r, why));
    st = words(kind, r.tenant);
    memcpy(st.about, request->digest, sizeof st.about);
    if (kind == STATEMENT_DENY || kind == STATEMENT_REVOKE)
        snprintf(st.reason, sizeof st.reason, "not now");
    if (kind == STATEMENT_APPROVE) {
        st.scope = r.scope;
        st.not_after = r.not_after;
        snprintf(st.databases, sizeof st.databases, "%s", r.databases);
    }
    return st;
}

static inline bool says(const struct person *p, enum statement_kind kind, const struct said *request) {
    return hand_in(sign(p, about(kind, request)));
}
static inline bool approves(const struct person *p, const struct said *request) {
    return says(p, STATEMENT_APPROVE, request);
}

static inline bool sets_policy(const struct person *p, const char *tenant, enum consent consent,
                               unsigned approvals, enum scope emergency) {
    struct statement st = words(STATEMENT_POLICY, tenant);
    st.consent = consent;
    st.provider_approvals = approvals;
    st.emergency_scope = emergency;
    return hand_in(sign(p, st));
}

static inline struct statement locks(enum lock_object object, const char *tenant, const char *name) {
    struct statement st = words(STATEMENT_LOCK, tenant);
    st.object = object;
    snprintf(st.name, sizeof st.name, "%s", name);
    snprintf(st.reason, sizeof st.reason, "ask the duty manager");
    return st;
}

/* --- looking --- */

static inline enum grant_state state(const struct said *request) {
    struct grant_view v;
    return grants_find(s.g, request->id, s.now, &v) ? v.state : GRANT_NONE;
}

static inline struct grant_view look(const struct said *request) {
    struct grant_view v;
    cr_assert(grants_find(s.g, request->id, s.now, &v));
    return v;
}

static inline void passes(int64_t seconds) {
    s.now += seconds;
    grants_tick(s.g, s.now, note, NULL);
}

static inline struct grant_verdict decide(const char *operator, const char * tenant, const char *database) {
    struct grant_verdict v;
    grants_decide(s.g, operator, tenant, database, s.now, &v);
    cr_assert(v.allowed || strcmp(v.failure.sqlstate, "42501") == 0);
    return v;
}
static inline bool gets_in(const char *operator, const char * tenant, const char *database) {
    return decide(operator, tenant, database).allowed;
}
static inline bool alice_gets_in(void) {
    return gets_in("alice", "acme", "shop");
}

static inline bool failed_with(const char *part) {
    bool said_so = strstr(s.failure.sentence, part) != NULL;
    if (!said_so)
        cr_log_error("\"%s\" does not say \"%s\"", s.failure.sentence, part);
    return said_so;
}

#endif
