/* SPDX-License-Identifier: ISC
 *
 * One row of the log: its form, its signature, and whether the key may say such a thing. Strangers' bytes
 * arrive here. Pure.
 */
#include "grants_parts.h"
#include "magic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t time_of(const struct grants *g, int64_t now) {
    return now > g->when ? now : g->when;
}

struct entry *entry_new(struct view body, struct view signature, uint64_t n, char why[STATEMENT_WHY]) {
    struct statement st;
    if (!statement_parse(body, &st, why))
        return NULL;
    if (signature.len != STATEMENT_SIGNATURE) {
        snprintf(why, STATEMENT_WHY, "the signature is not 64 bytes long");
        return NULL;
    }
    struct entry *e = calloc(1, sizeof *e + body.len);
    if (!e) {
        snprintf(why, STATEMENT_WHY, "out of memory");
        return NULL;
    }
    e->magic = ENTRY_MAGIC;
    e->n = n;
    e->st = st;
    e->len = body.len;
    memcpy(e->text, body.at, body.len);
    memcpy(e->signature, signature.at, STATEMENT_SIGNATURE);
    statement_digest(body, e->digest);
    return e;
}

/* With the key that verified it before, or any that trust has under that name and id. */
static bool find_key(const struct grants *g, struct entry *e) {
    for (size_t i = 0; i < trust_count(g->trust); i++) {
        const struct trust_key *k = trust_at(g->trust, i);
        if (strcmp(k->name, e->st.signer) != 0 || strcmp(k->id, e->st.key) != 0)
            continue;
        if (e->verified && memcmp(k->public, e->public, STATEMENT_PUBLIC) == 0)
            return true;
        if (statement_verify(k->public, view_of(e->text, e->len),
                             view_of(e->signature, STATEMENT_SIGNATURE))) {
            memcpy(e->public, k->public, STATEMENT_PUBLIC);
            e->verified = true;
            return true;
        }
    }
    return false;
}

enum verification entry_verify(const struct grants *g, struct entry *e, int64_t now) {
    MAGIC_CHECK(e, ENTRY_MAGIC);
    e->when = time_of(g, e->st.at);
    e->roles = 0;
    if (strcmp(e->st.environment, g->environment) != 0)
        return VERIFY_ENVIRONMENT;
    if (!trust_knows(g->trust, e->st.signer, e->st.key))
        return VERIFY_UNKNOWN_KEY;
    if (!find_key(g, e))
        return VERIFY_SIGNATURE;
    e->roles = trust_roles(g->trust, e->st.signer, e->public, e->st.tenant, e->st.at) &
               statement_signers(e->st.kind);
    if (e->roles == 0)
        return VERIFY_ROLE;
    return e->st.at > now + GRANTS_FUTURE ? VERIFY_FUTURE : VERIFIED;
}

const char *verification_text(enum verification v) {
    switch (v) {
    case VERIFIED:
        return "it is good";
    case VERIFY_ENVIRONMENT:
        return "it is signed for another environment";
    case VERIFY_UNKNOWN_KEY:
        return "it is signed with a key that is not in the trust folder";
    case VERIFY_SIGNATURE:
        return "the signature is wrong";
    case VERIFY_ROLE:
        return "the key may not sign this, or could not at that time";
    case VERIFY_FUTURE:
        return "it is dated in the future";
    }
    return "";
}

const char *closed_for(const struct grants *g, const char *tenant) {
    if (g->closed[0])
        return g->closed;
    if (g->overfull)
        return "there are more statements than can be judged";
    for (const struct closure *c = g->closures; c; c = c->next)
        if (!c->tenant[0] || strcmp(c->tenant, tenant) == 0)
            return c->why;
    return NULL;
}
