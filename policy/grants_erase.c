/* SPDX-License-Identifier: ISC
 *
 * The end of a tenant: its log, secrets and rows are erased when two people of the provider have signed for
 * the same time, and that time has come. One alone can't, and nobody can at once: the first signature names a
 * time that is erase_after away; one person's `keep` takes everything back. Pure.
 */
#include "grants.h"
#include "grants_parts.h"
#include "magic.h"

#include <stdio.h>
#include <string.h>

static bool in_force(const struct grants *g, const struct entry *e, const char *tenant, int64_t now) {
    return strcmp(e->st.tenant, tenant) == 0 && !e->undone && entry_withdrawn(g, e) > now;
}

static bool same_time(const struct entry *a, const struct entry *b) {
    return a->st.not_before == b->st.not_before && a->st.not_after == b->st.not_after;
}

/* Two names of one key, or two keys of one name, are one person. */
static bool same_person(const struct entry *a, const struct entry *b) {
    return strcmp(a->st.signer, b->st.signer) == 0 || memcmp(a->public, b->public, sizeof a->public) == 0;
}

const char *erase_rule(const struct grants *g, const struct entry *e) {
    bool agrees = false;
    for (const struct entry *i = g->erasures.first; i; i = i->next_of_kind) {
        if (!in_force(g, i, e->st.tenant, e->when) || i->st.not_after <= e->when)
            continue;
        if (same_person(i, e))
            return "this person has signed it already: nobody counts twice";
        if (!same_time(i, e))
            return "another time was signed already: agree to that one, or take it back";
        agrees = true;
    }
    if (e->st.not_after <= e->when)
        return "its time is past";
    if (!agrees && e->st.not_before < e->when + g->limits.erase_after - GRANTS_FUTURE)
        return "nobody erases at once: the first to sign names a time that is erase_after away";
    return NULL;
}

void erase_keep(struct grants *g, const struct entry *keep) {
    for (struct entry *i = g->erasures.first; i; i = i->next_of_kind)
        if (strcmp(i->st.tenant, keep->st.tenant) == 0 && !i->undone)
            i->undone = keep;
}

/* The newest that is in force; NULL. */
static const struct entry *newest(const struct grants *g, const char *tenant, int64_t now) {
    const struct entry *found = NULL;
    for (const struct entry *i = g->erasures.first; i; i = i->next_of_kind)
        if (in_force(g, i, tenant, now) && i->st.not_after > now)
            found = i;
    return found;
}

bool grants_erasure(const struct grants *g, const char *tenant, int64_t now, struct erasure_view *out) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    const struct entry *by[ERASURE_SIGNERS], *one = newest(g, tenant, now);
    memset(out, 0, sizeof *out);
    if (!one)
        return false;
    out->not_before = one->st.not_before;
    out->not_after = one->st.not_after;
    for (const struct entry *i = g->erasures.first; i && out->signers < ERASURE_SIGNERS;
         i = i->next_of_kind) {
        bool counts = in_force(g, i, tenant, now) && same_time(i, one);
        for (unsigned k = 0; counts && k < out->signers; k++)
            counts = !same_person(i, by[k]);
        if (counts)
            by[out->signers++] = i;
    }
    snprintf(out->by, sizeof out->by, "%s%s%s", by[0]->st.signer, out->signers > 1 ? ", " : "",
             out->signers > 1 ? by[1]->st.signer : "");
    return out->signers == ERASURE_SIGNERS && now >= out->not_before && !closed_for(g, tenant);
}
