/* SPDX-License-Identifier: ISC
 *
 * A verified statement's place among those before it. Each kind has a rule (why not) and a place; the order
 * of the log and nothing else decides. What these rules refuse has no effect, now or later. Pure.
 */
#include "grants_parts.h"
#include "magic.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define WEEK (7 * 86400)

struct entry *entry_find(const struct grants *g, const uint8_t digest[STATEMENT_DIGEST]) {
    struct entry *e;
    HASH_FIND(hh, g->by_digest, digest, STATEMENT_DIGEST, e);
    return e;
}

struct grant *grant_of(const struct grants *g, const uint8_t request[STATEMENT_DIGEST]) {
    struct grant *t;
    HASH_FIND(hh, g->by_request, request, STATEMENT_DIGEST, t);
    return t;
}

struct grant *grant_by_id(const struct grants *g, const char *id) {
    for (struct grant *t = g->first_grant; t; t = t->next)
        if (strcmp(t->id, id) == 0)
            return t;
    return NULL;
}

/* --- requests --- */

static bool counts_as_emergency(const struct grants *g, const struct grant *t, const struct entry *e) {
    struct judgement j;
    if (t->request->st.class != CLASS_EMERGENCY || strcmp(t->request->st.tenant, e->st.tenant) != 0 ||
        t->request->when <= e->when - WEEK)
        return false;
    judge(g, t, e->when, &j);
    return j.approved != NEVER || !state_over(j.state); /* given, or still open */
}

static const char *request_rule(const struct grants *g, const struct entry *e) {
    char id[GRANT_ID + 1];
    statement_short(e->digest, id);
    if (grant_by_id(g, id))
        return "another request has the same id: sign it again";
    if (e->st.class != CLASS_EMERGENCY)
        return NULL;
    struct demand d = demand_at(g, e->st.tenant, at_time(e->when));
    if (e->st.scope > d.emergency_scope)
        return "the tenant allows emergencies a narrower scope only";
    unsigned seen = 0;
    for (const struct grant *t = g->first_grant; t; t = t->next)
        seen += counts_as_emergency(g, t, e);
    return seen >= g->limits.emergencies_per_week
               ? "the tenant has seen as many emergencies in seven days as it may"
               : NULL;
}

static bool request_place(struct grants *g, struct entry *e) {
    struct grant *t = calloc(1, sizeof *t);
    if (!t)
        return false;
    t->magic = GRANT_MAGIC;
    t->request = e;
    statement_short(e->digest, t->id);
    HASH_ADD_KEYPTR(hh, g->by_request, e->digest, STATEMENT_DIGEST, t);
    if (g->last_grant)
        g->last_grant->next = t;
    else
        g->first_grant = t;
    g->last_grant = t;
    return true;
}

/* --- what is said about a request --- */

/* The grant that e is about and its state just then; NULL with *why. */
static struct grant *about(const struct grants *g, const struct entry *e, struct judgement *j,
                           const char **why) {
    struct grant *t = grant_of(g, e->st.about);
    *why = NULL;
    if (!t)
        *why = "there is no such request";
    else if (strcmp(t->request->st.tenant, e->st.tenant) != 0)
        *why = "the request is about another tenant";
    if (*why)
        return NULL;
    judge(g, t, e->when, j);
    return t;
}

static bool own(const struct grant *t, const struct entry *e) {
    return strcmp(t->request->st.signer, e->st.signer) == 0;
}

bool grant_has_approved(const struct grant *t, const char *person) {
    for (size_t i = 0; i < t->approvals; i++)
        if (strcmp(t->approval[i]->st.signer, person) == 0)
            return true;
    return false;
}

/* Something must be left of the databases when this approval narrows them. */
static bool shares_database(const char *a, const char *b) {
    struct view rest = view_text(a), item;
    while (text_next_item(&rest, &item))
        if (databases_contain(b, item))
            return true;
    return false;
}

static const char *approve_rule(const struct grants *g, const struct entry *e) {
    struct judgement j;
    const char *why;
    const struct grant *t = about(g, e, &j, &why);
    if (!t)
        return why;
    const struct statement *r = &t->request->st, *a = &e->st;
    if (own(t, e))
        return "nobody approves their own request";
    if (grant_has_approved(t, a->signer))
        return "this person has approved it already: nobody counts twice";
    if (j.state == GRANT_SCHEDULED || j.state == GRANT_ACTIVE)
        return "it is fully approved already";
    if (j.state != GRANT_REQUESTED)
        return "it is over: nothing can be approved any more";
    if (a->scope > r->scope)
        return "an approval may narrow the scope, not widen it";
    if (a->not_after > r->not_after)
        return "an approval may shorten a grant, not lengthen it";
    if (!databases_within(a->databases, r->databases))
        return "an approval may name fewer databases, not others";
    if (a->not_after <= e->when || a->not_after <= r->not_before || j.ends <= e->when ||
        !shares_database(j.databases, a->databases))
        return "nothing would be left of the grant";
    return t->approvals == APPROVALS_MAX ? "it has as many approvals as there can be" : NULL;
}

static bool approve_place(struct grants *g, struct entry *e) {
    struct grant *t = grant_of(g, e->st.about);
    t->approval[t->approvals++] = e;
    return true;
}

static bool open_state(enum grant_state s) {
    return s == GRANT_REQUESTED || s == GRANT_SCHEDULED || s == GRANT_ACTIVE;
}

static const char *stop_rule(const struct grants *g, const struct entry *e) {
    struct judgement j;
    const char *why;
    if (!about(g, e, &j, &why))
        return why;
    return open_state(j.state) ? NULL : "it is over already";
}

static bool deny_place(struct grants *g, struct entry *e) {
    grant_of(g, e->st.about)->deny = e;
    return true;
}

static bool revoke_place(struct grants *g, struct entry *e) {
    grant_of(g, e->st.about)->revoke = e;
    return true;
}

static const char *withdraw_rule(const struct grants *g, const struct entry *e) {
    struct judgement j;
    const char *why;
    const struct grant *t = about(g, e, &j, &why);
    if (!t)
        return why;
    if (!own(t, e))
        return "only who made a request withdraws it";
    if (j.state == GRANT_ACTIVE)
        return "it is active: end it";
    return open_state(j.state) ? NULL : "it is over already";
}

static bool withdraw_place(struct grants *g, struct entry *e) {
    grant_of(g, e->st.about)->withdraw = e;
    return true;
}

static const char *end_rule(const struct grants *g, const struct entry *e) {
    struct judgement j;
    const char *why;
    const struct grant *t = about(g, e, &j, &why);
    if (!t)
        return why;
    if (!own(t, e))
        return "only who made a request ends the grant";
    if (j.state == GRANT_REQUESTED || j.state == GRANT_SCHEDULED)
        return "it has not begun: withdraw it";
    return j.state == GRANT_ACTIVE ? NULL : "it is over already";
}

static bool end_place(struct grants *g, struct entry *e) {
    grant_of(g, e->st.about)->end = e;
    return true;
}

static const char *review_rule(const struct grants *g, const struct entry *e) {
    struct judgement j;
    const char *why;
    const struct grant *t = about(g, e, &j, &why);
    if (!t)
        return why;
    if (own(t, e))
        return "nobody reviews their own access";
    if (j.state == GRANT_REVIEWED || (j.state == GRANT_DISPUTED && e->st.verdict == REVIEW_DISPUTED))
        return "it is reviewed already";
    return j.state == GRANT_REVIEW_DUE || j.state == GRANT_DISPUTED ? NULL : "there is nothing to review";
}

static bool review_place(struct grants *g, struct entry *e) {
    grant_of(g, e->st.about)->review = e;
    return true;
}

/* --- what a tenant says in general; locks --- */

static void append(struct list *l, struct entry *e) {
    e->next_of_kind = NULL;
    if (l->last)
        l->last->next_of_kind = e;
    else
        l->first = e;
    l->last = e;
}

static const char *no_rule(const struct grants *g, const struct entry *e) {
    return NULL;
}

static bool standing_place(struct grants *g, struct entry *e) {
    append(&g->standings, e);
    return true;
}

static bool policy_place(struct grants *g, struct entry *e) {
    append(&g->policies, e);
    return true;
}

/* The statement of that kind in force that e takes back; NULL with *why. */
static struct entry *taken_back(const struct grants *g, const struct entry *e, const struct list *list,
                                const char **why) {
    *why = "there is no such statement in force";
    for (struct entry *i = list->first; i; i = i->next_of_kind)
        if (memcmp(i->digest, e->st.about, STATEMENT_DIGEST) == 0) {
            bool undone = i->undone && entry_withdrawn(g, i->undone) > e->when;
            *why = strcmp(i->st.tenant, e->st.tenant) != 0 ? "it is about another tenant"
                   : undone                                ? "it was taken back already"
                                                           : NULL;
            return *why ? NULL : i;
        }
    return NULL;
}

static const char *revoke_standing_rule(const struct grants *g, const struct entry *e) {
    const char *why;
    taken_back(g, e, &g->standings, &why);
    return why;
}

static bool revoke_standing_place(struct grants *g, struct entry *e) {
    const char *why;
    taken_back(g, e, &g->standings, &why)->undone = e;
    return true;
}

static const char *lock_rule(const struct grants *g, const struct entry *e) {
    if (e->st.object != LOCK_GRANT)
        return NULL;
    const struct grant *t = grant_by_id(g, e->st.name);
    return !t                                                 ? "there is no such grant"
           : strcmp(t->request->st.tenant, e->st.tenant) != 0 ? "the grant is about another tenant"
                                                              : NULL;
}

static bool lock_place(struct grants *g, struct entry *e) {
    append(&g->locks, e);
    return true;
}

/* Who locked for the tenant is unlocked by the tenant. */
static const char *unlock_rule(const struct grants *g, const struct entry *e) {
    const char *why;
    const struct entry *lock = taken_back(g, e, &g->locks, &why);
    if (!lock)
        return why;
    if (lock->roles & TRUST_TENANT_APPROVER)
        return e->roles & TRUST_TENANT_APPROVER ? NULL : "the tenant locked it: only the tenant unlocks it";
    return e->roles & TRUST_PROVIDER_APPROVER ? NULL : "the provider locked it: only the provider unlocks it";
}

static bool unlock_place(struct grants *g, struct entry *e) {
    const char *why;
    taken_back(g, e, &g->locks, &why)->undone = e;
    return true;
}

static bool erase_place(struct grants *g, struct entry *e) {
    append(&g->erasures, e);
    return true;
}

static bool keep_place(struct grants *g, struct entry *e) {
    erase_keep(g, e);
    return true;
}

static const struct {
    const char *(*rule)(const struct grants *g, const struct entry *e);
    bool (*place)(struct grants *g, struct entry *e);
} folds[STATEMENT_KINDS] = {
    [STATEMENT_REQUEST] = {request_rule, request_place},
    [STATEMENT_APPROVE] = {approve_rule, approve_place},
    [STATEMENT_DENY] = {stop_rule, deny_place},
    [STATEMENT_WITHDRAW] = {withdraw_rule, withdraw_place},
    [STATEMENT_END] = {end_rule, end_place},
    [STATEMENT_REVOKE] = {stop_rule, revoke_place},
    [STATEMENT_REVIEW] = {review_rule, review_place},
    [STATEMENT_STANDING] = {no_rule, standing_place},
    [STATEMENT_REVOKE_STANDING] = {revoke_standing_rule, revoke_standing_place},
    [STATEMENT_POLICY] = {no_rule, policy_place},
    [STATEMENT_LOCK] = {lock_rule, lock_place},
    [STATEMENT_UNLOCK] = {unlock_rule, unlock_place},
    [STATEMENT_ERASE] = {erase_rule, erase_place},
    [STATEMENT_KEEP] = {no_rule, keep_place},
};

const char *fold_rule(const struct grants *g, const struct entry *e) {
    MAGIC_CHECK(e, ENTRY_MAGIC);
    return folds[e->st.kind].rule(g, e);
}

bool fold_apply(struct grants *g, struct entry *e) {
    MAGIC_CHECK(e, ENTRY_MAGIC);
    g->when = e->when;
    return folds[e->st.kind].place(g, e);
}

void fold_forget(struct grants *g) {
    struct grant *next;
    HASH_CLEAR(hh, g->by_request);
    HASH_CLEAR(hh, g->by_digest);
    for (struct grant *t = g->first_grant; t; t = next) {
        next = t->next;
        t->magic = 0;
        free(t);
    }
    g->first_grant = g->last_grant = NULL;
    g->policies = g->standings = g->locks = g->erasures = (struct list){NULL, NULL};
    g->when = 0;
    for (struct entry *e = g->first; e; e = e->next) {
        e->undone = NULL;
        e->next_of_kind = NULL;
    }
}
