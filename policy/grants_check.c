/* SPDX-License-Identifier: ISC
 *
 * A statement just handed in by a person: refused here, with words that help, so that the log holds only what
 * counts. What reads the log (grants_fold.c) does not rely on it. Pure.
 */
#include "grants.h"
#include "grants_parts.h"
#include "magic.h"
#include "ticket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool refuse(struct failure *f, const char *sqlstate, const char *hint, const char *what,
                   const char *why) {
    failure_set(f, sqlstate, hint, "%.60s: %.180s", what, why);
    return false;
}

static bool check_signature(const struct grants *g, struct entry *e, int64_t now, struct failure *f) {
    enum verification v = entry_verify(g, e, now);
    const char *kind = statement_kind_name(e->st.kind), *hint = NULL;
    if (v == VERIFY_UNKNOWN_KEY)
        hint = "the public key has to be in the proxy's trust folder: give the file that \"sekishoctl key "
               "show\" prints to "
               "its administrator";
    if (v == VERIFY_FUTURE)
        hint = "set this computer's clock";
    return v == VERIFIED ||
           refuse(f, v == VERIFY_SIGNATURE ? "28000" : "42501", hint, kind, verification_text(v));
}

static bool check_time(const struct grants *g, const struct entry *e, int64_t now, struct failure *f) {
    const char *kind = statement_kind_name(e->st.kind);
    if (entry_withdrawn(g, e) <= now)
        return refuse(f, "42501", NULL, kind, "the key was withdrawn");
    if (trust_roles(g->trust, e->st.signer, e->public, e->st.tenant, now) == 0)
        return refuse(f, "42501", NULL, kind, "the key is no longer valid");
    if (e->st.at < now - GRANTS_STALE)
        return refuse(f, "22023", "sign it again, and set this computer's clock", kind,
                      "it was signed too long ago");
    if (entry_find(g, e->digest))
        return refuse(f, "23505", NULL, kind, "it was handed in already");
    return true;
}

static bool check_request(const struct grants *g, const struct entry *e, int64_t now, struct failure *f) {
    const struct statement *r = &e->st;
    char text[STATEMENT_WHY];
    int64_t begins = r->not_before > r->at ? r->not_before : r->at, most = g->limits.max[r->scope];
    if (r->class != CLASS_EMERGENCY && !ticket_matches(g->limits.ticket_pattern, r->ticket)) {
        snprintf(text, sizeof text, "the ticket does not look like one (%.100s)", g->limits.ticket_pattern);
        return refuse(f, "22023", "only the class emergency may go on without one", "request", text);
    }
    if (r->not_after <= now)
        return refuse(f, "22023", NULL, "request", "its end is past");
    if (r->not_after - begins > most) {
        snprintf(text, sizeof text, "a grant of scope %s may last %lld minutes", scope_name(r->scope),
                 (long long)(most / 60));
        return refuse(f, "22023", "ask for less; what is needed longer is a new grant", "request", text);
    }
    return true;
}

static bool check(const struct grants *g, struct entry *e, int64_t now, struct failure *f) {
    if (!check_signature(g, e, now, f) || !check_time(g, e, now, f))
        return false;
    e->when = time_of(g, now > e->st.at ? now : e->st.at); /* judged by when it arrives */
    if (e->st.kind == STATEMENT_REQUEST && !check_request(g, e, now, f))
        return false;
    const char *bad = fold_rule(g, e);
    return !bad || refuse(f, "42501", NULL, statement_kind_name(e->st.kind), bad);
}

bool grants_check(const struct grants *g, struct view body, struct view signature, int64_t now,
                  struct statement *out, struct failure *failure) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    char why[STATEMENT_WHY];
    struct entry *e = entry_new(body, signature, 0, why);
    memset(out, 0, sizeof *out);
    if (!e)
        return refuse(failure, "22023", NULL, "statement", why);
    bool good = check(g, e, now, failure);
    if (good)
        *out = e->st;
    e->magic = 0;
    free(e);
    return good;
}
