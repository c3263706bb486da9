/* SPDX-License-Identifier: ISC
 *
 * Who has to agree to a grant, and when they had. The policy in force decides: one that is signed later may
 * complete what was asked before, within its time; one that demands more than was given ends a grant that
 * runs. Pure.
 */
#include "grants_parts.h"
#include "magic.h"
#include "text.h"

#include <string.h>

#define NOTIFY_APPROVALS 2
#define EMERGENCY_APPROVALS 2
#define DAY 86400
#define MONDAY_OFFSET 3 /* 1970-01-01 was a Thursday */

int64_t entry_withdrawn(const struct grants *g, const struct entry *e) {
    return trust_withdrawn(g->trust, e->st.signer, e->public);
}

bool said_by(const struct entry *e, struct point p) {
    return e->when <= p.when && e->n <= p.n;
}

static unsigned at_least(unsigned n, unsigned least) {
    return n > least ? n : least;
}

/* What a withdrawn key relaxed is strict again; what it demanded stays. */
struct demand demand_at(const struct grants *g, const char *tenant, struct point p) {
    struct demand d = {.consent = CONSENT_REQUIRED,
                       .provider_approvals = at_least(g->limits.provider_approvals, 1),
                       .emergency_scope = SCOPE_DIAGNOSE};
    for (const struct entry *e = g->policies.first; e && said_by(e, p); e = e->next_of_kind)
        if (strcmp(e->st.tenant, tenant) == 0)
            d.policy = e;
    if (!d.policy)
        return d;
    d.provider_approvals = at_least(d.provider_approvals, d.policy->st.provider_approvals);
    if (entry_withdrawn(g, d.policy) <= p.when)
        return d;
    d.consent = d.policy->st.consent;
    d.emergency_scope = d.policy->st.emergency_scope;
    return d;
}

/* --- standing consent --- */

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

bool standing_open(const struct statement *s, int64_t when, int64_t *closes) {
    int64_t local = when + (int64_t)s->zone * 60, today = floor_div(local, DAY);
    int64_t length = (int64_t)(s->to - s->from) * 60;
    if (length <= 0)
        length += DAY;
    /* A window that passed midnight began yesterday, on yesterday's weekday. */
    for (int64_t day = today - 1; day <= today; day++) {
        int64_t from = day * DAY + (int64_t)s->from * 60;
        unsigned weekday = (unsigned)(((day + MONDAY_OFFSET) % 7 + 7) % 7);
        if ((s->days & 1u << weekday) && local >= from && local < from + length) {
            *closes = from + length - (int64_t)s->zone * 60;
            if (*closes > s->not_after)
                *closes = s->not_after;
            return when >= s->not_before && when < s->not_after;
        }
    }
    return false;
}

int64_t standing_over(const struct grants *g, const struct entry *standing) {
    int64_t withdrawn = entry_withdrawn(g, standing);
    return standing->undone && standing->undone->when < withdrawn ? standing->undone->when : withdrawn;
}

static bool standing_holds(const struct grants *g, const struct entry *e, struct point p) {
    return said_by(e, p) && !(e->undone && said_by(e->undone, p)) && entry_withdrawn(g, e) > p.when;
}

/* The whole of [begins, ends) must lie in one window of a consent that held then. */
static const struct entry *standing_for(const struct grants *g, const char *tenant, const struct judgement *j,
                                        struct point p) {
    for (const struct entry *e = g->standings.first; e; e = e->next_of_kind) {
        int64_t closes;
        if (strcmp(e->st.tenant, tenant) == 0 && standing_holds(g, e, p) && j->scope <= e->st.scope &&
            j->ends - j->begins <= (int64_t)e->st.max_duration && standing_open(&e->st, j->begins, &closes) &&
            j->ends <= closes)
            return e;
    }
    return NULL;
}

/* --- approvals --- */

static void narrow_databases(char *list, const char *approved) {
    char kept[STATEMENT_DATABASES_TEXT];
    struct writer w = writer_of(kept, sizeof kept);
    struct view rest = view_text(list), item;
    while (text_next_item(&rest, &item))
        if (databases_contain(approved, item)) {
            writer_text(&w, w.len ? "," : "");
            writer_bytes(&w, item);
        }
    view_copy_text(writer_view(&w), list, STATEMENT_DATABASES_TEXT);
}

/* The least of what was asked for and what each had approved by then. */
static void narrow(const struct grants *g, const struct grant *t, struct point p, struct judgement *j) {
    const struct statement *r = &t->request->st;
    j->scope = r->scope;
    j->ends = r->not_after;
    memcpy(j->databases, r->databases, sizeof j->databases);
    for (size_t i = 0; i < t->approvals && said_by(t->approval[i], p); i++) {
        const struct statement *a = &t->approval[i]->st;
        if (a->scope < j->scope)
            j->scope = a->scope;
        if (a->not_after < j->ends)
            j->ends = a->not_after;
        narrow_databases(j->databases, a->databases);
    }
    j->begins = r->not_before > t->request->when ? r->not_before : t->request->when;
    /* Also when the limits were other ones when it was asked for. */
    if (j->ends - j->begins > g->limits.max[r->scope])
        j->ends = j->begins + g->limits.max[r->scope];
}

static unsigned provider_needs(const struct statement *request, const struct demand *d) {
    if (request->class == CLASS_EMERGENCY)
        return at_least(d->provider_approvals, EMERGENCY_APPROVALS);
    return d->consent == CONSENT_NOTIFY ? at_least(d->provider_approvals, NOTIFY_APPROVALS)
                                        : d->provider_approvals;
}

/* Had all agreed by then? Fills in who is missing. One person counts once: who may speak for both sides
 * speaks for the tenant when nobody else does. */
static bool agreed(const struct grants *g, const struct grant *t, struct point p, struct judgement *j,
                   const struct entry **standing) {
    const struct statement *r = &t->request->st;
    struct demand d = demand_at(g, r->tenant, p);
    unsigned provider = 0, tenant = 0, either = 0, needed = provider_needs(r, &d);
    *standing = NULL;
    for (size_t i = 0; i < t->approvals && said_by(t->approval[i], p); i++) {
        unsigned roles = t->approval[i]->roles;
        if (roles == TRUST_PROVIDER_APPROVER)
            provider++;
        else if (roles == TRUST_TENANT_APPROVER)
            tenant++;
        else
            either++;
    }
    bool emergency = r->class == CLASS_EMERGENCY;
    j->needs_tenant = !emergency && d.consent != CONSENT_NOTIFY && tenant == 0;
    if (j->needs_tenant && d.consent == CONSENT_STANDING) {
        *standing = standing_for(g, r->tenant, j, p);
        j->needs_tenant = !*standing;
    }
    if (j->needs_tenant && either > 0) {
        j->needs_tenant = false;
        either--;
    }
    provider += either;
    j->needs_provider = needed > provider ? needed - provider : 0;
    return !j->needs_tenant && j->needs_provider == 0 && (!emergency || r->scope <= d.emergency_scope);
}

static bool try_at(const struct grants *g, const struct grant *t, const struct entry *step,
                   struct judgement *j, const struct entry **standing) {
    struct judgement then = *j;
    struct point p = {step->when, step->n};
    const struct entry *used;
    narrow(g, t, p, &then);
    if (step->n >= j->approved_n || !agreed(g, t, p, &then, &used))
        return false;
    then.approved = step->when;
    then.approved_n = step->n;
    *j = then;
    *standing = used;
    return true;
}

/* The first step, up to `now`, by which all had agreed: somebody signed something. */
static void first_agreed(const struct grants *g, const struct grant *t, int64_t now, struct judgement *j,
                         const struct entry **standing) {
    const struct entry *lists[] = {g->policies.first, g->standings.first};
    uint64_t asked = t->request->n;
    for (size_t i = 0; i < t->approvals && t->approval[i]->when <= now; i++)
        if (try_at(g, t, t->approval[i], j, standing))
            break;
    for (size_t l = 0; l < 2; l++)
        for (const struct entry *e = lists[l]; e && e->when <= now && e->n < j->approved_n;
             e = e->next_of_kind)
            if (e->n > asked && strcmp(e->st.tenant, t->request->st.tenant) == 0)
                try_at(g, t, e, j, standing);
}

void consent_judge(const struct grants *g, const struct grant *t, int64_t now, struct judgement *out,
                   const struct entry **standing) {
    out->approved = NEVER;
    out->approved_n = UINT64_MAX;
    *standing = NULL;
    first_agreed(g, t, now, out, standing);
    if (out->approved != NEVER) {
        if (out->begins < out->approved)
            out->begins = out->approved;
        return;
    }
    const struct entry *unused;
    narrow(g, t, at_time(now), out);
    agreed(g, t, at_time(now), out, &unused);
}

/* Does what was approved still suffice then? */
static bool suffices(const struct grants *g, const struct grant *t, const struct judgement *j,
                     struct point p) {
    struct judgement then;
    const struct entry *unused;
    narrow(g, t, (struct point){j->approved, j->approved_n}, &then);
    return agreed(g, t, p, &then, &unused);
}

int64_t consent_tightened(const struct grants *g, const struct grant *t, const struct judgement *j,
                          const struct entry **by) {
    int64_t first = NEVER;
    *by = NULL;
    for (const struct entry *e = g->policies.first; e; e = e->next_of_kind) {
        int64_t withdrawn = entry_withdrawn(g, e);
        if (strcmp(e->st.tenant, t->request->st.tenant) != 0)
            continue;
        if (e->n > j->approved_n && e->when < first && !suffices(g, t, j, (struct point){e->when, e->n})) {
            first = e->when;
            *by = e;
        }
        if (withdrawn > j->approved && withdrawn < first && withdrawn != NEVER &&
            !suffices(g, t, j, at_time(withdrawn))) {
            first = withdrawn;
            *by = e;
        }
    }
    return first;
}
