/* SPDX-License-Identifier: ISC
 *
 * See console_facts.h.
 */
#include "console_facts.h"
#include "clock_guard.h"
#include "log.h"
#include "secret.h"
#include "statement_log.h"
#include "text.h"
#include "ticket.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TRUST_LOOK_US 1000000
#define NAMES_MAX 100000

struct names { /* of the directory */
    char (*name)[TENANT_ID_MAX + 1];
    size_t count, cap;
};

static struct {
    const struct settings *settings;
    struct store *store;
    struct stat store_file; /* the one that is open */
    bool read;              /* all of it, at `version` */
    uint64_t version;
    struct names tenants, operators;
    struct trust *trust;
    uint64_t trust_mark;
    int64_t trust_looked_us;
    struct grants *grants;
    struct statement_head folded; /* the last row that is in `grants` */
    struct clock_guard clock;
    int64_t now; /* of the last refresh */
} facts;

/* --- time and trust --- */

static int64_t seconds_now(void) {
    int64_t jump_us;
    return clock_guard_wall(&facts.clock, clock_now(), &jump_us) / 1000000;
}

static void on_problem(void *arg, const char *file, const char *why) {
    log_warning("trust file %s does not count: %s", file, why);
}

static struct trust *load_trust(void) {
    char why[256];
    struct trust *t = trust_load(facts.settings->trust_dir, on_problem, NULL, why);
    if (t)
        return t;
    log_error("%s: no signature counts", why);
    t = trust_new();
    if (!t)
        abort();
    return t;
}

static void look_at_trust(void) {
    int64_t now_us = clock_now().mono_us;
    if (facts.trust && now_us - facts.trust_looked_us < TRUST_LOOK_US)
        return;
    facts.trust_looked_us = now_us;
    uint64_t mark = trust_mark(facts.settings->trust_dir);
    if (facts.trust && mark == facts.trust_mark)
        return;
    facts.trust_mark = mark;
    struct trust *old = facts.trust;
    facts.trust = load_trust();
    if (facts.grants)
        grants_trust(facts.grants, facts.trust, seconds_now(), NULL, NULL);
    trust_free(&old);
}

/* --- the store --- */

static bool away(struct failure *f, const char *cause) {
    log_warning("the control store cannot be read: %s", cause);
    if (facts.store)
        facts.store->driver->close(&facts.store);
    facts.read = false;
    failure_set(f, "57P03", "try again in a moment", "the control store is not available");
    return false;
}

static bool open_store(struct failure *f) {
    char path[300], why[256] = "it is not there";
    uint8_t key[SEAL_KEY];
    snprintf(path, sizeof path, "%s/seal.key", facts.settings->state_dir);
    bool good = seal_key_read(path, key, why);
    snprintf(path, sizeof path, "%s/store.sqlite", facts.settings->state_dir);
    if (good && stat(path, &facts.store_file) == 0)
        facts.store = store_sqlite.open(path, false, key, why);
    secret_wipe(key, sizeof key);
    facts.read = false;
    return facts.store || away(f, why);
}

/* A store that was put back is another file under the same name. */
static bool store_replaced(void) {
    char path[300];
    struct stat now;
    snprintf(path, sizeof path, "%s/store.sqlite", facts.settings->state_dir);
    return stat(path, &now) < 0 || now.st_ino != facts.store_file.st_ino ||
           now.st_dev != facts.store_file.st_dev;
}

static bool add_name(struct names *n, const char *name) {
    if (n->count == n->cap) {
        n->cap = n->cap ? 2 * n->cap : 64;
        void *bigger = realloc(n->name, n->cap * sizeof *n->name);
        if (!bigger)
            abort();
        n->name = bigger;
    }
    snprintf(n->name[n->count++], sizeof *n->name, "%s", name);
    return n->count < NAMES_MAX;
}

/* Only its name: what else a tenant has is none of the console's business, and freed at once. */
static bool add_tenant(void *arg, struct tenant *t) {
    return add_name(&facts.tenants, t->id);
}

static bool add_operator(void *arg, const struct operator* o) {
    return add_name(&facts.operators, o->id);
}

static enum store_result read_directory(struct store *s) {
    _Static_assert(PERSON_MAX == TENANT_ID_MAX, "names of persons and tenants have the same room");
    facts.tenants.count = facts.operators.count = 0;
    enum store_result r = s->driver->tenants(s, add_tenant, NULL);
    return r == STORE_OK ? s->driver->operators(s, add_operator, NULL) : r;
}

/* --- the statement log --- */

struct pass {
    struct statement_log seen;   /* as the store has it */
    struct statement_log judged; /* against what this host accepted */
    bool changed;                /* rows that were folded are not what they were */
};

static bool fold_row(void *arg, const struct statement_row *row) {
    struct pass *p = arg;
    char why[STATEMENT_WHY];
    statement_log_push(&p->judged, row->n, row->body, row->signature);
    if (!statement_log_push(&p->seen, row->n, row->body, row->signature))
        return true; /* named when the pass ends */
    if (row->n < facts.folded.n)
        return true;
    if (row->n == facts.folded.n) {
        p->changed = memcmp(p->seen.head.hash, facts.folded.hash, sizeof facts.folded.hash) != 0;
        return !p->changed;
    }
    grants_add(facts.grants, row->body, row->signature, row->n, facts.now, NULL, NULL, why);
    facts.folded = p->seen.head;
    return true;
}

static void begin_grants(void) {
    struct grants_limits limits;
    grants_free(&facts.grants);
    grants_limits_from(facts.settings, &limits);
    facts.grants = grants_new(facts.settings->environment, &limits, facts.trust);
    if (!facts.grants)
        abort();
    facts.folded = (struct statement_head){0};
}

static enum store_result fold_all(struct pass *p, const struct statement_head *accepted) {
    static const struct statement_head nothing;
    statement_log_begin(&p->seen, &nothing);
    statement_log_begin(&p->judged, accepted);
    p->changed = false;
    enum store_result r = facts.store->driver->statements(facts.store, 0, fold_row, p);
    p->changed |= p->seen.head.n < facts.folded.n;
    return r;
}

static enum store_result read_statements(void) {
    struct statement_head accepted;
    struct pass p;
    char path[300], why[256] = "";
    snprintf(path, sizeof path, "%s/statements.head", facts.settings->state_dir);
    /* The head first: the broker writes it after the rows, so none of its rows can be missing then. */
    bool known = statement_head_read(path, &accepted, why);
    if (!known)
        accepted = (struct statement_head){0};
    enum store_result r = fold_all(&p, &accepted);
    if (r == STORE_OK && p.changed) {
        begin_grants();
        r = fold_all(&p, &accepted);
    }
    if (r != STORE_OK)
        return r;
    bool whole = statement_log_end(&p.judged);
    grants_close(facts.grants, !known ? why : whole ? "" : p.judged.why);
    clock_guard_floor(&facts.clock, grants_newest(facts.grants) * 1000000);
    return STORE_OK;
}

static bool read_store(struct failure *f) {
    uint64_t version;
    if (facts.store && store_replaced())
        facts.store->driver->close(&facts.store);
    if (!facts.store && !open_store(f))
        return false;
    struct store *s = facts.store;
    enum store_result r = s->driver->version(s, &version);
    if (r == STORE_OK && facts.read && version == facts.version)
        return true;
    if (r == STORE_OK)
        r = read_directory(s);
    if (r == STORE_OK)
        r = read_statements();
    facts.read = r == STORE_OK;
    facts.version = version;
    return facts.read || away(f, s->driver->why(s));
}

/* --- for others --- */

void facts_settings(const struct settings *s) {
    bool first = !facts.settings;
    facts.settings = s;
    if (first)
        clock_guard_begin(&facts.clock, clock_now(), 0);
    /* Other folders, other limits: everything anew. */
    if (facts.store)
        facts.store->driver->close(&facts.store);
    facts.read = false;
    facts.trust_looked_us = 0;
    facts.trust_mark = 0;
    if (!facts.trust)
        facts.trust = load_trust();
    begin_grants();
}

bool facts_refresh(struct failure *f) {
    facts.now = seconds_now();
    look_at_trust();
    if (!read_store(f))
        return false;
    facts.now = seconds_now();
    grants_tick(facts.grants, facts.now, NULL, NULL);
    return true;
}

struct console_look facts_look(const struct console_person *p) {
    return (struct console_look){p, facts.grants, facts.trust, facts.settings, facts.now};
}

size_t facts_tenants(void) {
    return facts.tenants.count;
}

const char *facts_tenant(size_t index) {
    assert(index < facts.tenants.count);
    return facts.tenants.name[index];
}

bool facts_operator(const char *name) {
    for (size_t i = 0; i < facts.operators.count; i++)
        if (strcmp(facts.operators.name[i], name) == 0)
            return true;
    return false;
}

bool facts_statements(uint64_t after, bool (*each)(void *arg, const struct statement_row *row), void *arg,
                      struct failure *f) {
    if (!facts.store && !open_store(f))
        return false;
    enum store_result r = facts.store->driver->statements(facts.store, after, each, arg);
    return r == STORE_OK || away(f, facts.store->driver->why(facts.store));
}

/* --- handing in --- */

static bool take_signature(struct view text, uint8_t out[STATEMENT_SIGNATURE], struct failure *f) {
    struct writer w = writer_of(out, STATEMENT_SIGNATURE);
    if (text_unbase64(&w, text) && w.len == STATEMENT_SIGNATURE)
        return true;
    failure_set(f, "22023", NULL, "the signature is not the base64 of %d bytes", STATEMENT_SIGNATURE);
    return false;
}

static bool examine(const struct console_person *p, const struct facts_paper *paper,
                    uint8_t signature[STATEMENT_SIGNATURE], struct statement *s, struct failure *f) {
    char why[STATEMENT_WHY];
    if (!take_signature(paper->signature, signature, f))
        return false;
    if (!statement_parse(paper->body, s, why)) {
        failure_set(f, "22023", "sekishoctl makes and signs statements", "not a statement: %s", why);
        return false;
    }
    return rights_submit(p, facts.trust, paper->verb, s, f) &&
           grants_check(facts.grants, paper->body, view_of(signature, STATEMENT_SIGNATURE), facts.now, s, f);
}

bool facts_examine(const struct console_person *p, const struct facts_paper *paper, struct statement *out,
                   struct failure *f) {
    uint8_t signature[STATEMENT_SIGNATURE];
    return examine(p, paper, signature, out, f);
}

static void describe(struct change *c, const struct console_person *p, const struct statement *s,
                     const char *unchecked) {
    char who[96], note[TICKET_WHY + 32] = "";
    console_person_text(p, who);
    if (unchecked[0])
        snprintf(note, sizeof note, "; " TICKET_LOGGED, unchecked);
    snprintf(c->tenant, sizeof c->tenant, "%s", s->tenant);
    snprintf(c->actor, sizeof c->actor, "%s", p->name);
    snprintf(c->action, sizeof c->action, "statement.%s", statement_kind_name(s->kind));
    snprintf(c->detail, sizeof c->detail, "signed by %s, handed in at the console by: %s%s", s->signer, who,
             note);
}

static bool append(const struct change *c, struct view body, struct view signature, uint64_t *n,
                   struct failure *f) {
    enum store_result r = facts.store->driver->statement_add(facts.store, body, signature, c, n);
    if (r == STORE_OK)
        return true;
    if (r == STORE_UNAVAILABLE)
        return away(f, facts.store->driver->why(facts.store));
    failure_set(f, r == STORE_CONFLICT ? "42710" : "22023", NULL, "%s",
                r == STORE_CONFLICT ? "the statement has been handed in already"
                                    : "the store does not take it");
    return false;
}

bool facts_submit(const struct console_person *p, const struct facts_paper *paper, const char *unchecked,
                  struct facts_receipt *out, struct failure *f) {
    uint8_t signature[STATEMENT_SIGNATURE], digest[STATEMENT_DIGEST];
    struct change c = {.wall_us = clock_now().wall_us};
    struct statement s;
    if (!examine(p, paper, signature, &s, f))
        return false;
    describe(&c, p, &s, unchecked);
    if (!append(&c, paper->body, view_of(signature, sizeof signature), &out->n, f))
        return false;
    statement_digest(paper->body, digest);
    statement_digest_text(digest, out->digest);
    statement_short(digest, out->id);
    return true;
}
