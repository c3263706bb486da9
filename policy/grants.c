/* SPDX-License-Identifier: ISC
 *
 * The fold over the statement log: rows in, events out. What a grant's state is, grants_judge.c says; here it
 * is noticed when it is another than was told. Owns every entry and grant. Memory only.
 */
#include "grants.h"
#include "grants_parts.h"
#include "magic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void grants_limits_from(const struct settings *s, struct grants_limits *out) {
    *out = (struct grants_limits){
        .provider_approvals = s->provider_approvals,
        .approval_window = s->approval_window / 1000,
        .max = {s->max_diagnose / 1000, s->max_read / 1000, s->max_write / 1000, s->max_admin / 1000},
        .emergencies_per_week = s->emergencies_per_week,
        .erase_after = s->erase_after / 1000};
    snprintf(out->ticket_pattern, sizeof out->ticket_pattern, "%s", s->ticket_pattern);
}

struct grants *grants_new(const char *environment, const struct grants_limits *limits,
                          const struct trust *trust) {
    struct grants *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->magic = GRANTS_MAGIC;
    snprintf(g->environment, sizeof g->environment, "%s", environment);
    g->limits = *limits;
    g->trust = trust;
    g->ahead = NEVER;
    return g;
}

static void closures_free(struct grants *g) {
    for (struct closure *c = g->closures, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    g->closures = NULL;
}

void grants_free(struct grants **g) {
    if (!*g)
        return;
    MAGIC_CHECK(*g, GRANTS_MAGIC);
    fold_forget(*g);
    closures_free(*g);
    for (struct entry *e = (*g)->first, *next; e; e = next) {
        next = e->next;
        e->magic = 0;
        free(e);
    }
    (*g)->magic = 0;
    free(*g);
    *g = NULL;
}

/* --- rows --- */

static enum grants_result refuse(enum grants_result r, char why[STATEMENT_WHY], uint64_t n,
                                 const char *signer, const char *text) {
    snprintf(why, STATEMENT_WHY, "statement %llu%s%.40s: %.90s", (unsigned long long)n,
             signer[0] ? " of " : "", signer, text);
    return r;
}

/* Somebody took away, or replaced, the key that this tenant's statements rest on, or this host's clock is
 * behind theirs: what they forbade cannot be known, or does not count yet. */
static void close_tenant(struct grants *g, const char *tenant, const char *why) {
    struct closure *c = calloc(1, sizeof *c);
    if (!c)
        abort(); /* without memory to keep somebody out, nobody may get in */
    snprintf(c->tenant, sizeof c->tenant, "%s", tenant);
    snprintf(c->why, sizeof c->why, "%s", why);
    c->next = g->closures;
    g->closures = c;
}

static enum grants_result fold(struct grants *g, struct entry *e, int64_t now, char why[STATEMENT_WHY]) {
    enum verification v = entry_verify(g, e, now);
    if (v != VERIFIED) {
        refuse(GRANTS_TAMPERING, why, e->n, e->st.signer, verification_text(v));
        if (v == VERIFY_UNKNOWN_KEY || v == VERIFY_FUTURE)
            close_tenant(g, e->st.tenant, why);
        if (v == VERIFY_FUTURE && e->st.at < g->ahead)
            g->ahead = e->st.at;
        return GRANTS_TAMPERING;
    }
    if (entry_find(g, e->digest))
        return refuse(GRANTS_TAMPERING, why, e->n, e->st.signer, "it is there twice");
    HASH_ADD(hh, g->by_digest, digest, STATEMENT_DIGEST, e);
    const char *bad = fold_rule(g, e);
    if (bad)
        return refuse(GRANTS_REFUSED, why, e->n, e->st.signer, bad);
    if (!fold_apply(g, e))
        abort(); /* a revocation that finds no room must not be lost */
    return GRANTS_TAKEN;
}

static void append(struct grants *g, struct entry *e) {
    if (g->last)
        g->last->next = e;
    else
        g->first = e;
    g->last = e;
    g->count++;
}

enum grants_result grants_add(struct grants *g, struct view body, struct view signature, uint64_t n,
                              int64_t now, grants_event_fn *each, void *arg, char why[STATEMENT_WHY]) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    struct teller to = {.each = each, .arg = arg};
    char bad[STATEMENT_WHY];
    why[0] = 0;
    struct entry *e = g->count < GRANTS_STATEMENTS_MAX ? entry_new(body, signature, n, bad) : NULL;
    if (!e) {
        g->overfull |= g->count >= GRANTS_STATEMENTS_MAX;
        refuse(GRANTS_TAMPERING, why, n, "", g->count < GRANTS_STATEMENTS_MAX ? bad : "there are too many");
        tell_tampering(&to, "", "", why);
        return GRANTS_TAMPERING;
    }
    append(g, e);
    enum grants_result r = fold(g, e, now, why);
    if (r == GRANTS_TAMPERING)
        tell_tampering(&to, strcmp(e->st.environment, g->environment) == 0 ? e->st.tenant : "", e->st.signer,
                       why);
    else if (r == GRANTS_REFUSED)
        tell_refused(&to, e, why);
    to.cause = e;
    if (r == GRANTS_TAKEN)
        tell_folded(g, e, time_of(g, now), &to);
    return r;
}

void grants_resume(struct grants *g, int64_t then) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    struct judgement j;
    for (struct grant *t = g->first_grant; t; t = t->next) {
        judge(g, t, time_of(g, then), &j);
        t->told = j.state;
    }
}

int64_t grants_next_change(const struct grants *g, int64_t now) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    int64_t next = g->ahead == NEVER ? NEVER : g->ahead - GRANTS_FUTURE;
    struct judgement j;
    for (const struct grant *t = g->first_grant; t; t = t->next) {
        if (state_over(t->told))
            continue;
        judge(g, t, time_of(g, now), &j);
        if (j.state != t->told)
            return now; /* grants_tick has not been told yet */
        if (j.next < next)
            next = j.next;
    }
    return next;
}

/* --- judged anew --- */

struct told { /* what was told of a grant, over a refold */
    uint8_t request[STATEMENT_DIGEST];
    char tenant[TENANT_ID_MAX + 1];
    enum grant_state state;
};

static struct told *remember(const struct grants *g, size_t *count) {
    struct told *list = calloc(HASH_COUNT(g->by_request) + 1, sizeof *list);
    if (!list)
        abort(); /* as above */
    *count = 0;
    for (const struct grant *t = g->first_grant; t; t = t->next) {
        struct told *one = &list[(*count)++];
        memcpy(one->request, t->request->digest, STATEMENT_DIGEST);
        snprintf(one->tenant, sizeof one->tenant, "%s", t->request->st.tenant);
        one->state = t->told;
    }
    return list;
}

static void recall(struct grants *g, const struct told *list, size_t count, const struct teller *to) {
    for (size_t i = 0; i < count; i++) {
        struct grant *t = grant_of(g, list[i].request);
        if (t)
            t->told = list[i].state;
        else
            tell_tampering(to, list[i].tenant, "trust", "a grant is no longer there: its key was taken away");
    }
}

static void refold(struct grants *g, int64_t now, const struct teller *to) {
    size_t count;
    char why[STATEMENT_WHY];
    struct told *list = remember(g, &count);
    fold_forget(g);
    closures_free(g);
    g->ahead = NEVER;
    for (struct entry *e = g->first; e; e = e->next)
        if (fold(g, e, now, why) == GRANTS_TAMPERING)
            tell_tampering(to, e->st.tenant, e->st.signer, why);
    recall(g, list, count, to);
    free(list);
    notice_all(g, NULL, time_of(g, now), to);
}

void grants_tick(struct grants *g, int64_t now, grants_event_fn *each, void *arg) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    struct teller to = {.each = each, .arg = arg};
    if (g->ahead != NEVER && g->ahead - GRANTS_FUTURE <= now)
        refold(g, now, &to);
    else
        notice_all(g, NULL, time_of(g, now), &to);
}

void grants_trust(struct grants *g, const struct trust *trust, int64_t now, grants_event_fn *each,
                  void *arg) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    struct teller to = {.each = each, .arg = arg, .trust = true};
    tell_keys(g->trust, trust, &to);
    g->trust = trust;
    refold(g, now, &to);
}

void grants_limits_set(struct grants *g, const struct grants_limits *limits, int64_t now,
                       grants_event_fn *each, void *arg) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    struct teller to = {.each = each, .arg = arg, .trust = true};
    g->limits = *limits;
    refold(g, now, &to);
}

void grants_close(struct grants *g, const char *why) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    snprintf(g->closed, sizeof g->closed, "%s", why ? why : "");
}

const char *grants_closed(const struct grants *g, const char *tenant) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    const char *why = closed_for(g, tenant);
    return why ? why : "";
}

int64_t grants_newest(const struct grants *g) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    return g->when;
}

size_t grants_count(const struct grants *g) {
    MAGIC_CHECK(g, GRANTS_MAGIC);
    return g->count;
}
