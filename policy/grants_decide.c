/* SPDX-License-Identifier: ISC
 *
 * May this operator in, and may they stay? Everything has to say yes: a missing grant, a lock, or doubt about
 * the log says no. Pure.
 */
#include "grants.h"
#include "grants_parts.h"
#include "magic.h"
#include "ticket.h"

#include <stdio.h>
#include <string.h>

/* A lock does not go when its signer does; an unlock does. */
bool lock_holds(const struct grants *g, const struct entry *lock, int64_t now) {
    return !lock->undone || entry_withdrawn(g, lock->undone) <= now;
}

const struct entry *lock_on(const struct grants *g, const char *operator, const char * tenant,
                            const char *grant, int64_t now) {
    for (const struct entry *e = g->locks.first; e; e = e->next_of_kind) {
        const struct statement *l = &e->st;
        const char *named = l->object == LOCK_OPERATOR ? operator: l->object == LOCK_TENANT ? tenant : grant;
        bool here = !l->tenant[0] || strcmp(l->tenant, tenant) == 0;
        if (here && strcmp(l->name, named) == 0 && lock_holds(g, e, now))
            return e;
    }
    return NULL;
}

static bool plain_word(const char *text) {
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
    return len > 0 && text[len] == 0;
}

/* The hint is to be pasted into a shell: a database's name that means something there is left for the reader
 * to write. */
static void refuse(struct grant_verdict *v, const char *tenant, const char *database, const char *operator,
                   const char * because) {
    char hint[256];
    snprintf(hint, sizeof hint,
             "sekishoctl grant request --tenant %.40s --database %.63s --scope diagnose --ticket TICKET "
             "--reason 'why' --for 1h",
             tenant, plain_word(database) ? database : "DATABASE");
    failure_set(&v->failure, "42501", hint,
                "operator \"%.40s\" has no active break-glass grant for tenant \"%.40s\"%s%s", operator,
                tenant, because[0] ? ": " : "", because);
}

static void refuse_locked(struct grant_verdict *v, const struct entry *lock) {
    failure_set(&v->failure, "42501", NULL, "%s \"%s\" is locked: %.150s", lock_object_name(lock->st.object),
                lock->st.name, lock->st.reason);
    failure_cause(&v->failure, "locked by %s", lock->st.signer);
}

static void refuse_closed(struct failure *f, const char *sqlstate, const char *tenant, const char *why) {
    failure_set(f, sqlstate, NULL,
                "operators are kept out of tenant \"%.40s\": what was signed cannot be verified", tenant);
    failure_cause(f, "%s", why);
}

/* The best of the grants that fit, and of those that do not, the one whose reason says most. */
struct search {
    const struct grant *best, *near;
    struct judgement best_judged, near_judged;
    bool near_fits; /* its database is the one that was asked for */
};

/* Signed by whomever: a request that names no ticket gives nothing, unless it is an emergency. What the
 * pattern is now counts; that of back then nobody knows. */
bool ticket_counts(const struct grants *g, const struct grant *t) {
    const struct statement *r = &t->request->st;
    return r->class == CLASS_EMERGENCY || ticket_matches(g->limits.ticket_pattern, r->ticket);
}

static int nearness(enum grant_state s, bool fits) {
    int by_state = s == GRANT_ACTIVE ? 3 : s == GRANT_SCHEDULED ? 2 : s == GRANT_REQUESTED ? 1 : 0;
    return by_state == 0 ? 0 : by_state + (fits ? 3 : 0);
}

static bool better(const struct judgement *a, const struct judgement *b) {
    return a->scope != b->scope ? a->scope > b->scope : a->ends > b->ends;
}

static void consider(struct search *s, const struct grants *g, const struct grant *t,
                     const struct judgement *j, const char *database) {
    bool fits = databases_contain(j->databases, view_text(database));
    if (fits && j->state == GRANT_ACTIVE && ticket_counts(g, t)) {
        if (!s->best || better(j, &s->best_judged)) {
            s->best = t;
            s->best_judged = *j;
        }
        return;
    }
    int near = nearness(j->state, fits);
    if (near > 0 && (!s->near || near >= nearness(s->near_judged.state, s->near_fits))) {
        s->near = t;
        s->near_judged = *j;
        s->near_fits = fits;
    }
}

static void say_near(const struct search *s, char because[160]) {
    because[0] = 0;
    if (!s->near)
        return;
    const struct judgement *j = &s->near_judged;
    char at[INSTANT_TEXT];
    instant_text(j->begins, at);
    if (!s->near_fits)
        snprintf(because, 160, "grant %s is for other databases", s->near->id);
    else if (j->state == GRANT_SCHEDULED)
        snprintf(because, 160, "grant %s begins at %s", s->near->id, at);
    else if (j->state == GRANT_ACTIVE)
        snprintf(because, 160, "grant %s names no ticket", s->near->id);
    else
        snprintf(because, 160, "grant %s is awaiting approval", s->near->id);
}

static void search(const struct grants *g, const char *operator, const char * tenant, const char *database,
                   int64_t now, struct search *s, const struct entry **lock) {
    *lock = NULL;
    for (const struct grant *t = g->first_grant; t; t = t->next) {
        const struct statement *r = &t->request->st;
        if (strcmp(r->signer, operator) != 0 || strcmp(r->tenant, tenant) != 0)
            continue;
        struct judgement j;
        judge(g, t, now, &j);
        const struct entry *shut = state_over(j.state) ? NULL : lock_on(g, operator, tenant, t->id, now);
        if (shut)
            *lock = shut;
        else
            consider(s, g, t, &j, database);
    }
}

void grants_decide(const struct grants *g, const char *operator, const char * tenant, const char *database,
                   int64_t now, struct grant_verdict *out) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    struct search s = {.best = NULL};
    char because[160];
    now = time_of(g, now);
    memset(out, 0, sizeof *out);
    const char *closed = closed_for(g, tenant);
    if (closed) {
        refuse_closed(&out->failure, "42501", tenant, closed);
        return;
    }
    const struct entry *lock = lock_on(g, operator, tenant, "", now), *shut = NULL;
    if (!lock) {
        search(g, operator, tenant, database, now, &s, &shut);
        lock = s.best ? NULL : shut;
    }
    if (lock) {
        refuse_locked(out, lock);
        return;
    }
    if (!s.best) {
        say_near(&s, because);
        refuse(out, tenant, database, operator, because);
        return;
    }
    out->allowed = true;
    out->scope = s.best_judged.scope;
    out->class = s.best->request->st.class;
    out->not_after = s.best_judged.ends;
    snprintf(out->grant, sizeof out->grant, "%s", s.best->id);
    snprintf(out->ticket, sizeof out->ticket, "%s", s.best->request->st.ticket);
}

/* "was revoked by dora: <reason>" */
static void say_over(const struct grant *t, const struct judgement *j, struct failure *f) {
    enum grant_state state = j->ended ? j->ended : j->state;
    const struct entry *by = j->ended && t->review == j->by ? NULL : j->by;
    if (state == GRANT_EXPIRED)
        failure_set(f, "57P01", NULL, "break-glass grant %s has expired", t->id);
    else if (by)
        failure_set(f, "57P01", NULL, "break-glass grant %s is %s by %s%s%.120s", t->id,
                    grant_state_name(state), by->st.signer, by->st.reason[0] ? ": " : "", by->st.reason);
    else
        failure_set(f, "57P01", NULL, "break-glass grant %s is %s%s%s", t->id, grant_state_name(state),
                    j->cause ? ": " : "", j->cause ? j->cause : "");
}

bool grants_still(const struct grants *g, const char *grant, const char *operator, int64_t now,
                  struct failure *failure) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    now = time_of(g, now);
    const struct grant *t = grant_by_id(g, grant);
    if (!t || strcmp(t->request->st.signer, operator) != 0) {
        failure_set(failure, "57P01", NULL, "there is no break-glass grant %.16s any more", grant);
        return false;
    }
    const char *tenant = t->request->st.tenant, *closed = closed_for(g, tenant);
    if (closed) {
        refuse_closed(failure, "57P01", tenant, closed);
        return false;
    }
    const struct entry *lock = lock_on(g, operator, tenant, grant, now);
    if (lock) {
        failure_set(failure, "57P01", NULL, "%s \"%s\" is locked: %.150s", lock_object_name(lock->st.object),
                    lock->st.name, lock->st.reason);
        return false;
    }
    struct judgement j;
    judge(g, t, now, &j);
    if (j.state == GRANT_ACTIVE && ticket_counts(g, t))
        return true;
    if (j.state == GRANT_ACTIVE)
        failure_set(failure, "57P01", NULL, "break-glass grant %s names no ticket", t->id);
    else
        say_over(t, &j, failure);
    return false;
}
