/* SPDX-License-Identifier: ISC
 *
 * What is told: every move of a grant over the table of legal moves, one event each, by whoever caused it;
 * policies, locks and keys; and what should not be there. Pure.
 */
#include "grants_parts.h"
#include "magic.h"

#include <stdio.h>
#include <string.h>

static void tell(const struct teller *to, const struct grants_event *e) {
    if (to->each)
        to->each(to->arg, e);
}

void tell_tampering(const struct teller *to, const char *tenant, const char *actor, const char *detail) {
    struct grants_event e = {.tampering = true,
                             .tenant = tenant,
                             .grant = "",
                             .actor = actor,
                             .action = "tampering",
                             .state = "",
                             .operator= "",
                             .scope = "",
                             .class = "",
                             .ticket = "",
                             .detail = detail};
    tell(to, &e);
}

/* What time does, by the state that it leads to. */
static const char *action_of(enum grant_state s) {
    static const char *const actions[GRANT_STATES] = {
        [GRANT_REQUESTED] = "request",    [GRANT_APPROVED] = "approve", [GRANT_SCHEDULED] = "schedule",
        [GRANT_ACTIVE] = "begin",         [GRANT_EXPIRED] = "expire",   [GRANT_LAPSED] = "lapse",
        [GRANT_REVIEW_DUE] = "review due"};
    return actions[s] ? actions[s] : grant_state_name(s);
}

static void grant_event(const struct teller *to, const struct grant *t, const struct judgement *j,
                        const char *actor, const char *action, enum grant_state state, const char *detail) {
    const struct statement *r = &t->request->st;
    struct grants_event e = {.tenant = r->tenant,
                             .grant = t->id,
                             .actor = actor,
                             .action = action,
                             .state = grant_state_name(state),
                             .operator= r->signer,
                             .scope = scope_name(j->scope),
                             .class = class_name(r->class),
                             .ticket = r->ticket,
                             .detail = detail};
    tell(to, &e);
}

/* In a sentence: what the statement said. */
static const char *said(const struct entry *e, char room[STATEMENT_WHY * 4]) {
    const struct statement *s = &e->st;
    switch (s->kind) {
    case STATEMENT_REQUEST:
        snprintf(room, STATEMENT_WHY * 4, "%s: %s", reason_code_name(s->reason_code), s->reason);
        return room;
    case STATEMENT_REVIEW:
        snprintf(room, STATEMENT_WHY * 4, "%s: %s", verdict_name(s->verdict), s->comment);
        return room;
    case STATEMENT_POLICY:
        snprintf(room, STATEMENT_WHY * 4, "consent %s, provider approvals %u, emergency scope %s",
                 consent_name(s->consent), s->provider_approvals, scope_name(s->emergency_scope));
        return room;
    case STATEMENT_LOCK:
        snprintf(room, STATEMENT_WHY * 4, "%s %s: %s", lock_object_name(s->object), s->name, s->reason);
        return room;
    default:
        return s->reason;
    }
}

/* The next state on the shortest way between two; `to` when there is none. */
static enum grant_state next_on_way(enum grant_state from, enum grant_state to) {
    enum grant_state before[GRANT_STATES] = {0}, queue[GRANT_STATES];
    size_t head = 0, tail = 0;
    bool seen[GRANT_STATES] = {false};
    seen[from] = true;
    queue[tail++] = from;
    while (head < tail && !seen[to]) {
        enum grant_state at = queue[head++];
        for (int s = 0; s < GRANT_STATES; s++)
            if (!seen[s] && grant_move_legal(at, (enum grant_state)s)) {
                seen[s] = true;
                before[s] = at;
                queue[tail++] = (enum grant_state)s;
            }
    }
    if (!seen[to])
        return to;
    enum grant_state at = to;
    while (before[at] != from)
        at = before[at];
    return at;
}

/* Who brought the grant to its end, when it was neither time nor the statement just read. */
static const char *end_action(const struct judgement *j, enum grant_state state, const char **actor) {
    if (j->cause) {
        *actor = j->by ? j->by->st.signer : "trust";
        return j->cause;
    }
    if (j->by && state == (j->ended ? j->ended : j->state)) {
        *actor = j->by->st.signer;
        return statement_kind_name(j->by->st.kind);
    }
    *actor = "time";
    return action_of(state);
}

/* Walks from the state that was told to the one that is, over legal moves only: one event each. */
static void walk(const struct teller *to, struct grant *t, const struct judgement *j) {
    const struct entry *cause = to->cause;
    char room[STATEMENT_WHY * 4];
    while (t->told != j->state) {
        enum grant_state goal = t->told < GRANT_COMPLETED && j->ended ? j->ended : j->state;
        enum grant_state next = next_on_way(t->told, goal);
        const char *actor = "time", *detail = "", *action = action_of(next);
        if (!grant_move_legal(t->told, next)) {
            tell_tampering(to, t->request->st.tenant, "trust",
                           "a grant is no longer what it was: keys were changed under it");
            t->told = j->state;
            return;
        }
        if (cause) {
            actor = cause->st.signer;
            action = statement_kind_name(cause->st.kind);
            detail = said(cause, room);
        } else if (state_over(next)) {
            action = end_action(j, next, &actor);
        }
        grant_event(to, t, j, actor, action, next, detail);
        cause = NULL; /* what follows, time does */
        t->told = next;
    }
}

static void notice(struct grants *g, struct grant *t, int64_t now, const struct teller *to) {
    struct judgement j;
    if (state_over(t->told) && !to->cause && !to->trust)
        return; /* no time changes it */
    judge(g, t, now, &j);
    walk(to, t, &j);
}

/* The first of two approvals changes no state, and is told nevertheless. */
static void notice_about(struct grants *g, struct grant *t, int64_t now, const struct teller *to) {
    struct judgement j;
    char room[STATEMENT_WHY * 4];
    judge(g, t, now, &j);
    if (t->told == j.state)
        grant_event(to, t, &j, to->cause->st.signer, statement_kind_name(to->cause->st.kind), j.state,
                    said(to->cause, room));
    walk(to, t, &j);
}

void notice_all(struct grants *g, const char *tenant, int64_t now, const struct teller *to) {
    for (struct grant *t = g->first_grant; t; t = t->next)
        if (!tenant || strcmp(t->request->st.tenant, tenant) == 0)
            notice(g, t, now, to);
}

/* What is no statement about one grant: policies, standing consents, locks. */
static void tell_general(const struct teller *to, const struct entry *e) {
    char room[STATEMENT_WHY * 4];
    const struct statement *s = &e->st;
    const char *kind = statement_kind_name(s->kind);
    struct grants_event event = {.tenant = s->tenant,
                                 .grant = s->kind == STATEMENT_LOCK && s->object == LOCK_GRANT ? s->name : "",
                                 .actor = s->signer,
                                 .action = kind,
                                 .state = s->kind == STATEMENT_LOCK     ? "locked"
                                          : s->kind == STATEMENT_UNLOCK ? "unlocked"
                                                                        : kind,
                                 .operator= s->kind == STATEMENT_LOCK && s->object == LOCK_OPERATOR ? s->name
                                                                                                    : "",
                                 .scope = s->kind == STATEMENT_STANDING ? scope_name(s->scope) : "",
                                 .class = "",
                                 .ticket = "",
                                 .detail = said(e, room)};
    tell(to, &event);
}

void tell_folded(struct grants *g, const struct entry *e, int64_t now, const struct teller *to) {
    struct grant *t = grant_of(g, e->st.kind == STATEMENT_REQUEST ? e->digest : e->st.about);
    if (t) {
        notice_about(g, t, now, to);
        return;
    }
    tell_general(to, e);
    struct teller silent = *to;
    silent.cause = NULL;
    notice_all(g, e->st.tenant[0] ? e->st.tenant : NULL, now, &silent);
}

void tell_refused(const struct teller *to, const struct entry *e, const char *why) {
    struct grants_event event = {.tenant = e->st.tenant,
                                 .grant = "",
                                 .actor = e->st.signer,
                                 .action = statement_kind_name(e->st.kind),
                                 .state = "no effect",
                                 .operator= "",
                                 .scope = "",
                                 .class = "",
                                 .ticket = "",
                                 .detail = why};
    tell(to, &event);
}

static const struct trust_key *same_key(const struct trust *t, const struct trust_key *k) {
    for (size_t i = 0; i < trust_count(t); i++) {
        const struct trust_key *other = trust_at(t, i);
        if (strcmp(other->name, k->name) == 0 && other->role == k->role &&
            strcmp(other->tenant, k->tenant) == 0 && memcmp(other->public, k->public, STATEMENT_PUBLIC) == 0)
            return other;
    }
    return NULL;
}

static void tell_key(const struct teller *to, const struct trust_key *k, const char *action) {
    char detail[STATEMENT_WHY];
    snprintf(detail, sizeof detail, "key %s of %s, %s", k->id, k->name, trust_role_name(k->role));
    struct grants_event e = {.tenant = k->tenant,
                             .grant = "",
                             .actor = "trust",
                             .action = action,
                             .state = "trust",
                             .operator= k->role == TRUST_OPERATOR ? k->name : "",
                             .scope = "",
                             .class = "",
                             .ticket = "",
                             .detail = detail};
    tell(to, &e);
}

void tell_keys(const struct trust *before, const struct trust *after, const struct teller *to) {
    for (size_t i = 0; i < trust_count(before); i++)
        if (!same_key(after, trust_at(before, i)))
            tell_key(to, trust_at(before, i), "key gone");
    for (size_t i = 0; i < trust_count(after); i++) {
        const struct trust_key *k = trust_at(after, i), *old = same_key(before, k);
        if (!old)
            tell_key(to, k, "key added");
        else if (old->withdrawn != k->withdrawn)
            tell_key(to, k, k->withdrawn == TRUST_NEVER ? "key restored" : "key withdrawn");
        else if (old->not_before != k->not_before || old->not_after != k->not_after)
            tell_key(to, k, "key dates changed");
    }
}
