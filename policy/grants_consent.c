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

static unsigned at_least(unsigned n, unsigned least) {
    return n > least ? n : least;
}

/* What a withdrawn key relaxed is strict again; what it demanded stays. */
struct demand demand_at(const struct grants *g, const char *tenant, int64_t when) {
    struct demand d = {.consent = CONSENT_REQUIRED,
                       .provider_approvals = at_least(g->limits.provider_approvals, 1),
                       .emergency_scope = SCOPE_DIAGNOSE};
    for (const struct entry *e = g->policies.first; e && e->when <= when; e = e->next_of_kind)
        if (strcmp(e->st.tenant, tenant) == 0)
            d.policy = e;
    if (!d.policy)
        return d;
    d.provider_approvals = at_least(d.provider_approvals, d.policy->st.provider_approvals);
    if (entry_withdrawn(g, d.policy) <= when)
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

/* The whole of [begins, ends) must lie in one window of a consent that held at `when`. */
static const struct entry *standing_for(const struct grants *g, const char *tenant, const struct judgement *j,
                                        int64_t when) {
    for (const struct entry *e = g->standings.first; e && e->when <= when; e = e->next_of_kind) {
        int64_t closes;
        if (strcmp(e->st.tenant, tenant) == 0 && standing_over(g, e) > when && j->scope <= e->st.scope &&
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

/* The least of what was asked for and what each approved up to `when`. */
static void narrow(const struct grants *g, const struct grant *t, int64_t when, struct judgement *j) {
    const struct statement *r = &t->request->st;
    j->scope = r->scope;
    j->ends = r->not_after;
    memcpy(j->databases, r->databases, sizeof j->databases);
    for (size_t i = 0; i < t->approvals && t->approval[i]->when <= when; i++) {
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

/* Had all agreed at `when`? Fills in who is missing. One person counts once: who may speak for both sides
 * speaks for the tenant when nobody else does. */
static bool agreed(const struct grants *g, const struct grant *t, int64_t when, struct judgement *j,
                   const struct entry **standing) {
    const struct statement *r = &t->request->st;
    struct demand d = demand_at(g, r->tenant, when);
    unsigned provider = 0, tenant = 0, either = 0, needed = provider_needs(r, &d);
    *standing = NULL;
    for (size_t i = 0; i < t->approvals && t->approval[i]->when <= when; i++) {
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
        *standing = standing_for(g, r->tenant, j, when);
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

static bool try_at(const struct grants *g, const struct grant *t, int64_t when, struct judgement *j,
                   const struct entry **standing) {
    struct judgement then = *j;
    const struct entry *used;
    narrow(g, t, when, &then);
    if (when >= j->approved || !agreed(g, t, when, &then, &used))
        return false;
    then.approved = when;
    *j = then;
    *standing = used;
    return true;
}

/* The first moment, up to `now`, at which all had agreed: one at which somebody signed something. */
static void first_agreed(const struct grants *g, const struct grant *t, int64_t now, struct judgement *j,
                         const struct entry **standing) {
    const struct entry *lists[] = {g->policies.first, g->standings.first};
    int64_t asked = t->request->when;
    for (size_t i = 0; i < t->approvals && t->approval[i]->when <= now; i++)
        if (try_at(g, t, t->approval[i]->when, j, standing))
            break;
    for (size_t l = 0; l < 2; l++)
        for (const struct entry *e = lists[l]; e && e->when <= now && e->when < j->approved;
             e = e->next_of_kind)
            if (e->when > asked && strcmp(e->st.tenant, t->request->st.tenant) == 0)
                try_at(g, t, e->when, j, standing);
}

void consent_judge(const struct grants *g, const struct grant *t, int64_t now, struct judgement *out,
                   const struct entry **standing) {
    out->approved = NEVER;
    *standing = NULL;
    first_agreed(g, t, now, out, standing);
    if (out->approved != NEVER) {
        if (out->begins < out->approved)
            out->begins = out->approved;
        return;
    }
    const struct entry *unused;
    narrow(g, t, now, out);
    agreed(g, t, now, out, &unused);
}

static int64_t earlier_change(const struct grants *g, const struct grant *t, const struct judgement *j,
                              const struct entry *policy, int64_t when) {
    struct judgement then;
    const struct entry *unused;
    if (when <= j->approved || when >= j->ends)
        return NEVER;
    narrow(g, t, j->approved, &then);
    /* A standing window is judged by when the grant begins, not by when the policy changed. */
    return agreed(g, t, when, &then, &unused) ? NEVER : when;
}

int64_t consent_tightened(const struct grants *g, const struct grant *t, const struct judgement *j,
                          const struct entry **by) {
    int64_t first = NEVER;
    *by = NULL;
    for (const struct entry *e = g->policies.first; e; e = e->next_of_kind) {
        if (strcmp(e->st.tenant, t->request->st.tenant) != 0)
            continue;
        const int64_t times[] = {e->when, entry_withdrawn(g, e)};
        for (size_t i = 0; i < 2; i++) {
            int64_t changed = earlier_change(g, t, j, e, times[i]);
            if (changed < first) {
                first = changed;
                *by = e;
            }
        }
    }
    return first;
}
