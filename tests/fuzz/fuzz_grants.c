/* SPDX-License-Identifier: ISC
 *
 * Fuzzes the fold of signed statements. The input is a play, a byte a move: time passes; somebody signs a
 * statement of some kind about some tenant or an earlier statement, with their own key, somebody else's name
 * or another's key, now, late, or twice. Signatures are made here, so they stop nobody at the door.
 *
 * Whoever gets in must have asked for it with their own key, for that tenant and database and no less, and
 * another person must have said yes (or an emergency or a standing window be there). No grant ever becomes
 * longer or wider. The same rows, read again, give the same.
 */
#include "grants.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PEOPLE = 6, ROWS = 24, GRANTS = 24, START = 1795555800, DAY = 86400, YEAR = 365 * DAY };

struct row {
    uint8_t text[STATEMENT_MAX];
    size_t len;
    uint8_t signature[STATEMENT_SIGNATURE], digest[STATEMENT_DIGEST];
    struct statement st;
    int by; /* whose key */
    bool taken;
};

static const struct {
    const char *name, *tenant;
    enum trust_role role;
} people[PEOPLE] = {{"alice", "", TRUST_OPERATOR},           {"mallory", "", TRUST_OPERATOR},
                    {"bob", "", TRUST_PROVIDER_APPROVER},    {"carol", "", TRUST_PROVIDER_APPROVER},
                    {"dora", "acme", TRUST_TENANT_APPROVER}, {"gus", "globex", TRUST_TENANT_APPROVER}};
static const char *const tenants[] = {"acme", "globex"};
static const char *const databases[] = {"shop", "stock", "shop,stock", "*"};
static struct signing_key *keys[PEOPLE];
static const struct grants_limits limits = {.provider_approvals = 1,
                                            .approval_window = DAY,
                                            .max = {28800, 14400, 7200, 3600},
                                            .emergencies_per_week = 2,
                                            .ticket_pattern = "[A-Z]+-[0-9]+"};
static struct row rows[ROWS];
static size_t count;
static struct known {
    char id[GRANT_ID + 1];
    enum scope scope;
    int64_t ends;
} known[GRANTS];
static size_t knowns;

static struct trust *make_trust(void) {
    struct trust *t = trust_new();
    for (int i = 0; i < PEOPLE; i++) {
        struct trust_key k = {.role = people[i].role,
                              .not_before = START - YEAR,
                              .not_after = START + YEAR,
                              .withdrawn = TRUST_NEVER};
        uint8_t room[TRUST_FILE_MAX];
        char why[STATEMENT_WHY];
        struct writer w = writer_of(room, sizeof room);
        if (!keys[i])
            keys[i] = signing_key_make();
        snprintf(k.name, sizeof k.name, "%s", people[i].name);
        snprintf(k.tenant, sizeof k.tenant, "%s", people[i].tenant);
        signing_key_public(keys[i], k.public);
        assert(trust_compose(&k, &w) && trust_add(t, writer_view(&w), why));
    }
    return t;
}

/* --- statements --- */

static void fill_request(struct statement *st, struct reader *r) {
    st->reason_code = reader_u8(r) % 5 + 1;
    st->class = reader_u8(r) % 3 + 1;
    st->scope = reader_u8(r) % SCOPE_COUNT;
    snprintf(st->ticket, sizeof st->ticket, reader_u8(r) % 8 ? "OPS-%zu" : "none %zu", count);
    snprintf(st->databases, sizeof st->databases, "%s", databases[reader_u8(r) % 3]);
    st->not_before = st->at + (int64_t)reader_u8(r) * 60;
    st->not_after = st->not_before + (int64_t)reader_u16(r);
}

static void fill_about(struct statement *st, struct reader *r) {
    if (count == 0)
        return;
    const struct row *about = &rows[reader_u8(r) % count];
    memcpy(st->about, about->digest, sizeof st->about);
    memcpy(st->tenant, about->st.tenant, sizeof st->tenant);
    memcpy(st->databases, about->st.databases, sizeof st->databases);
    st->scope = about->st.scope;
    st->not_after = about->st.not_after;
    uint8_t change = reader_u8(r);
    if (change & 1)
        st->scope = reader_u8(r) % SCOPE_COUNT;
    if (change & 2)
        st->not_after += (int16_t)reader_u16(r);
    if (change & 4)
        snprintf(st->databases, sizeof st->databases, "%s", databases[reader_u8(r) % 3]);
    if (change & 8)
        snprintf(st->tenant, sizeof st->tenant, "%s", tenants[reader_u8(r) % 2]);
    st->verdict = change % 2 + 1;
    snprintf(st->comment, sizeof st->comment, "seen");
}

static void fill_rest(struct statement *st, struct reader *r) {
    if (st->kind == STATEMENT_STANDING) {
        st->scope = reader_u8(r) % SCOPE_COUNT;
        st->days = reader_u8(r) % 127 + 1;
        st->from = reader_u16(r) % 1440;
        st->to = reader_u16(r) % 1440;
        st->zone = (reader_u8(r) % 24 - 12) * 60;
        st->max_duration = reader_u16(r);
        st->not_before = st->at;
        st->not_after = st->at + (int64_t)reader_u32(r) % YEAR;
    } else if (st->kind == STATEMENT_POLICY) {
        st->consent = reader_u8(r) % 3 + 1;
        st->provider_approvals = reader_u8(r) % 3;
        st->emergency_scope = reader_u8(r) % SCOPE_COUNT;
    } else if (st->kind == STATEMENT_LOCK) {
        st->object = reader_u8(r) % 3 + 1;
        snprintf(st->name, sizeof st->name, "%s",
                 st->object == LOCK_TENANT ? st->tenant : people[reader_u8(r) % PEOPLE].name);
        if (st->object == LOCK_GRANT && count > 0)
            statement_short(rows[reader_u8(r) % count].digest, st->name);
    }
}

static bool sign(struct row *x, int by, int in_whose_name) {
    uint8_t public[STATEMENT_PUBLIC];
    char why[STATEMENT_WHY];
    struct writer w = writer_of(x->text, sizeof x->text);
    signing_key_public(keys[by], public);
    statement_key_id(public, x->st.key);
    snprintf(x->st.signer, sizeof x->st.signer, "%s", people[in_whose_name].name);
    if (!statement_compose(&x->st, &w, why))
        return false; /* no such text can be */
    x->len = w.len;
    x->by = by;
    assert(statement_sign(keys[by], writer_view(&w), x->signature));
    statement_digest(writer_view(&w), x->digest);
    return true;
}

static void add(struct grants *g, struct row *x, uint64_t n, int64_t now, bool honest) {
    char why[STATEMENT_WHY];
    struct statement out;
    struct failure f;
    struct view text = view_of(x->text, x->len), signature = view_of(x->signature, sizeof x->signature);
    bool offered = grants_check(g, text, signature, now, &out, &f);
    enum grants_result result = grants_add(g, text, signature, n, now, NULL, NULL, why);
    x->taken = result == GRANTS_TAKEN;
    assert(!offered || x->taken);                 /* what people were told counts, counts */
    assert(honest || result == GRANTS_TAMPERING); /* nobody here made such a row */
}

/* The same text a second time is a row that nobody made. */
static bool is_there(const struct row *x) {
    for (size_t i = 0; &rows[i] != x; i++)
        if (memcmp(rows[i].digest, x->digest, sizeof x->digest) == 0)
            return true;
    return false;
}

/* True when a row came. */
static bool somebody_signs(struct grants *g, struct reader *r, int64_t now) {
    struct row *x = &rows[count];
    uint8_t odd = reader_u8(r);
    int by = reader_u8(r) % PEOPLE, whose = odd == 255 ? reader_u8(r) % PEOPLE : by;
    memset(x, 0, sizeof *x);
    x->st.magic = STATEMENT_MAGIC;
    x->st.kind = reader_u8(r) % (STATEMENT_KINDS - 1) + 1;
    x->st.at = now - (odd == 254 ? reader_u16(r) : 0) + (odd == 253 ? reader_u8(r) : 0);
    snprintf(x->st.environment, sizeof x->st.environment, odd == 252 ? "staging" : "production");
    snprintf(x->st.tenant, sizeof x->st.tenant, "%s", tenants[reader_u8(r) % 2]);
    snprintf(x->st.reason, sizeof x->st.reason, "because");
    if (x->st.kind == STATEMENT_REQUEST)
        fill_request(&x->st, r);
    else if (x->st.kind == STATEMENT_STANDING || x->st.kind == STATEMENT_POLICY ||
             x->st.kind == STATEMENT_LOCK)
        fill_rest(&x->st, r);
    else
        fill_about(&x->st, r);
    if (r->bad || !sign(x, by, whose))
        return false;
    add(g, x, ++count, now, by == whose && odd != 252 && !is_there(x));
    return true;
}

/* --- what must hold --- */

static const struct row *request_of(const struct grant_verdict *v) {
    for (size_t i = 0; i < count; i++) {
        char id[GRANT_ID + 1];
        statement_short(rows[i].digest, id);
        if (strcmp(id, v->grant) == 0)
            return &rows[i];
    }
    return NULL;
}

static bool others_agree(const struct row *request, int64_t now) {
    for (size_t i = 0; i < count; i++) {
        const struct row *x = &rows[i];
        if (!x->taken || x->by == request->by || strcmp(x->st.tenant, request->st.tenant) != 0)
            continue;
        if (x->st.kind == STATEMENT_APPROVE && memcmp(x->st.about, request->digest, sizeof x->st.about) == 0)
            return true;
        if (x->st.kind == STATEMENT_STANDING && x->st.not_before <= now && now < x->st.not_after)
            return true;
    }
    return request->st.class == CLASS_EMERGENCY;
}

static bool somebody_said_no(const struct row *request) {
    for (size_t i = 0; i < count; i++)
        if (rows[i].taken &&
            (rows[i].st.kind == STATEMENT_DENY || rows[i].st.kind == STATEMENT_REVOKE ||
             rows[i].st.kind == STATEMENT_END || rows[i].st.kind == STATEMENT_WITHDRAW) &&
            memcmp(rows[i].st.about, request->digest, sizeof rows[i].st.about) == 0)
            return true;
    return false;
}

static void never_more(const struct grant_verdict *v) {
    for (size_t i = 0; i < knowns; i++)
        if (strcmp(known[i].id, v->grant) == 0) {
            assert(v->scope <= known[i].scope && v->not_after <= known[i].ends);
            known[i].scope = v->scope;
            known[i].ends = v->not_after;
            return;
        }
    assert(knowns < GRANTS);
    memcpy(known[knowns].id, v->grant, sizeof v->grant);
    known[knowns].scope = v->scope;
    known[knowns++].ends = v->not_after;
}

static void look(const struct grants *g, int who, const char *tenant, const char *database, int64_t now) {
    struct grant_verdict v;
    grants_decide(g, people[who].name, tenant, database, now, &v);
    if (!v.allowed) {
        assert(strcmp(v.failure.sqlstate, "42501") == 0 && v.failure.sentence[0]);
        return;
    }
    const struct row *request = request_of(&v);
    assert(request && request->taken && request->by == who && people[who].role == TRUST_OPERATOR);
    assert(strcmp(request->st.tenant, tenant) == 0 &&
           databases_contain(request->st.databases, view_text(database)));
    assert(v.scope <= request->st.scope && now < v.not_after && v.not_after <= request->st.not_after);
    assert(now >= request->st.not_before &&
           v.not_after - request->st.not_before <= limits.max[request->st.scope]);
    assert(others_agree(request, now) && !somebody_said_no(request));
    never_more(&v);
}

static void look_at_all(const struct grants *g, int64_t now) {
    for (int who = 0; who < PEOPLE; who++)
        for (int t = 0; t < 2; t++)
            for (int d = 0; d < 2; d++)
                look(g, who, tenants[t], databases[d], now);
}

struct summary {
    size_t len;
    char text[16384];
};

static bool summarize(void *arg, const struct grant_view *v) {
    struct summary *s = arg;
    s->len += (size_t)snprintf(s->text + s->len, sizeof s->text - s->len, "%s %d %d %s %lld-%lld %u%d;",
                               v->id, (int)v->state, (int)v->scope, v->databases, (long long)v->begins,
                               (long long)v->ends, v->needs_provider, v->needs_tenant);
    return true;
}

static void same_again(const struct grants *g, const struct trust *trust, int64_t now) {
    static struct summary one, two;
    char why[STATEMENT_WHY];
    struct grants *again = grants_new("production", &limits, trust);
    for (size_t i = 0; i < count; i++)
        grants_add(again, view_of(rows[i].text, rows[i].len), view_of(rows[i].signature, STATEMENT_SIGNATURE),
                   i + 1, now, NULL, NULL, why);
    one.len = two.len = 0;
    one.text[0] = two.text[0] = 0;
    grants_each(g, NULL, NULL, now, summarize, &one);
    grants_each(again, NULL, NULL, now, summarize, &two);
    assert(strcmp(one.text, two.text) == 0);
    grants_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reader r = reader_of(view_of(data, size));
    struct trust *trust = make_trust();
    struct grants *g = grants_new("production", &limits, trust);
    int64_t now = START;
    count = knowns = 0;
    if (!g)
        abort();
    while (reader_left(&r) > 0 && count < ROWS) {
        uint8_t move = reader_u8(&r);
        if (move < 64) {
            now += move < 32 ? (int64_t)move * 60 : (int64_t)move * 3600;
            grants_tick(g, now, NULL, NULL);
        } else if (!somebody_signs(g, &r, now)) {
            continue;
        }
        look_at_all(g, now);
    }
    same_again(g, trust, now);
    grants_free(&g);
    trust_free(&trust);
    return 0;
}
