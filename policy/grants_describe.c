/* SPDX-License-Identifier: ISC
 *
 * For those who look: grants, who has to do something about them, who can get in right now, locks, policies.
 * Pure.
 */
#include "grants.h"
#include "grants_parts.h"
#include "magic.h"
#include "text.h"
#include "ticket.h"

#include <stdio.h>
#include <string.h>

static void describe_approvers(const struct grant *t, struct grant_view *out) {
    struct writer w = writer_of(out->approvers, sizeof out->approvers - 1);
    for (size_t i = 0; i < t->approvals; i++)
        writer_format(&w, "%s%s", i ? ", " : "", t->approval[i]->st.signer);
    out->approvers[w.len] = 0;
}

static void describe_end(const struct judgement *j, struct grant_view *out) {
    out->words = "";
    if (!j->by)
        return;
    snprintf(out->by, sizeof out->by, "%s", j->by->st.signer);
    out->words = j->by->st.kind == STATEMENT_REVIEW ? j->by->st.comment : j->by->st.reason;
}

void describe(const struct grants *g, const struct grant *t, int64_t now, struct grant_view *out) {
    struct judgement j;
    const struct statement *r = &t->request->st;
    judge(g, t, now, &j);
    memset(out, 0, sizeof *out);
    memcpy(out->id, t->id, sizeof out->id);
    statement_digest_text(t->request->digest, out->digest);
    out->request = r;
    out->state = j.state;
    out->ended = j.ended;
    out->scope = j.scope;
    memcpy(out->databases, j.databases, sizeof out->databases);
    out->begins = j.begins;
    out->ends = j.ends;
    if (j.state == GRANT_REQUESTED) {
        out->needs_provider = j.needs_provider;
        out->needs_tenant = j.needs_tenant;
    }
    describe_approvers(t, out);
    describe_end(&j, out);
    out->locked = lock_on(g, r->signer, r->tenant, t->id, now) != NULL;
    out->ticket_unchecked =
        r->class == CLASS_EMERGENCY && !ticket_matches(g->limits.ticket_pattern, r->ticket);
}

void grants_each(const struct grants *g, const char *tenant, const char *operator, int64_t now,
                 grants_view_fn *each, void *arg) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    struct grant_view v;
    for (const struct grant *t = g->first_grant; t; t = t->next) {
        if ((tenant && strcmp(t->request->st.tenant, tenant) != 0) ||
            (operator&& strcmp(t->request->st.signer, operator) != 0))
            continue;
        describe(g, t, time_of(g, now), &v);
        if (!each(arg, &v))
            return;
    }
}

bool grants_find(const struct grants *g, const char *id, int64_t now, struct grant_view *out) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    uint8_t digest[STATEMENT_DIGEST];
    const struct grant *t =
        text_unhex(view_text(id), digest, sizeof digest) ? grant_of(g, digest) : grant_by_id(g, id);
    if (t)
        describe(g, t, time_of(g, now), out);
    return t != NULL;
}

const char *grants_awaits(const struct grants *g, const struct grant_view *v, const char *person,
                          int64_t now) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    const struct grant *t = grant_by_id(g, v->id);
    unsigned roles = trust_person(g->trust, person, v->request->tenant, now);
    if (!t || strcmp(person, v->request->signer) == 0)
        return "";
    if (v->state == GRANT_REVIEW_DUE)
        return roles & TRUST_TENANT_APPROVER ? "review" : "";
    if (v->state != GRANT_REQUESTED || grant_has_approved(t, person))
        return "";
    if (v->needs_tenant && (roles & TRUST_TENANT_APPROVER))
        return "consent";
    return v->needs_provider && (roles & TRUST_PROVIDER_APPROVER) ? "approve" : "";
}

void grants_access(const struct grants *g, const char *tenant, int64_t now, grants_view_fn *each, void *arg) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    struct grant_view v;
    if (closed_for(g, tenant))
        return;
    for (const struct grant *t = g->first_grant; t; t = t->next) {
        if (strcmp(t->request->st.tenant, tenant) != 0)
            continue;
        describe(g, t, time_of(g, now), &v);
        if (v.state == GRANT_ACTIVE && !v.locked && ticket_counts(g, t) && !each(arg, &v))
            return;
    }
}

static bool lock_concerns(const struct statement *l, const char *tenant) {
    return !tenant || !l->tenant[0] || strcmp(l->tenant, tenant) == 0;
}

void grants_locks(const struct grants *g, const char *tenant, int64_t now,
                  bool (*each)(void *arg, const struct lock_view *v), void *arg) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    for (const struct entry *e = g->locks.first; e; e = e->next_of_kind) {
        struct lock_view v = {.lock = &e->st, .by_tenant = (e->roles & TRUST_TENANT_APPROVER) != 0};
        statement_digest_text(e->digest, v.digest);
        if (lock_concerns(&e->st, tenant) && lock_holds(g, e, time_of(g, now)) && !each(arg, &v))
            return;
    }
}

void grants_policy(const struct grants *g, const char *tenant, int64_t now, struct policy_view *out) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    struct demand d = demand_at(g, tenant, at_time(time_of(g, now)));
    *out = (struct policy_view){.consent = d.consent,
                                .provider_approvals = d.provider_approvals,
                                .emergency_scope = d.emergency_scope,
                                .statement = d.policy ? &d.policy->st : NULL};
}

void grants_standing(const struct grants *g, const char *tenant, int64_t now,
                     bool (*each)(void *arg, const struct standing_view *v), void *arg) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    int64_t closes, then = time_of(g, now);
    for (const struct entry *e = g->standings.first; e; e = e->next_of_kind) {
        if (strcmp(e->st.tenant, tenant) != 0 || standing_over(g, e) <= then || e->st.not_after <= then)
            continue;
        struct standing_view v = {.standing = &e->st, .open = standing_open(&e->st, then, &closes)};
        statement_digest_text(e->digest, v.digest);
        if (!each(arg, &v))
            return;
    }
}
