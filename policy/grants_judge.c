/* SPDX-License-Identifier: ISC
 *
 * A grant's state at a time: of everything that could have ended it, what came first. Pure.
 */
#include "grants_parts.h"
#include "magic.h"

#include <string.h>

static const char *const names[GRANT_STATES] = {
    [GRANT_NONE] = "none",           [GRANT_REQUESTED] = "requested", [GRANT_APPROVED] = "approved",
    [GRANT_SCHEDULED] = "scheduled", [GRANT_ACTIVE] = "active",       [GRANT_COMPLETED] = "completed",
    [GRANT_EXPIRED] = "expired",     [GRANT_REVOKED] = "revoked",     [GRANT_DENIED] = "denied",
    [GRANT_WITHDRAWN] = "withdrawn", [GRANT_LAPSED] = "lapsed",       [GRANT_REVIEW_DUE] = "review due",
    [GRANT_REVIEWED] = "reviewed",   [GRANT_DISPUTED] = "disputed",
};

#define TO(state) (1u << GRANT_##state)
static const uint32_t moves[GRANT_STATES] = {
    [GRANT_NONE] = TO(REQUESTED),
    [GRANT_REQUESTED] = TO(APPROVED) | TO(DENIED) | TO(WITHDRAWN) | TO(REVOKED) | TO(LAPSED),
    [GRANT_APPROVED] = TO(SCHEDULED) | TO(ACTIVE) | TO(DENIED) | TO(REVOKED),
    [GRANT_SCHEDULED] = TO(ACTIVE) | TO(DENIED) | TO(WITHDRAWN) | TO(REVOKED),
    [GRANT_ACTIVE] = TO(COMPLETED) | TO(EXPIRED) | TO(REVOKED) | TO(DENIED),
    /* an emergency that had begun */
    [GRANT_COMPLETED] = TO(REVIEW_DUE),
    [GRANT_EXPIRED] = TO(REVIEW_DUE),
    [GRANT_REVOKED] = TO(REVIEW_DUE),
    [GRANT_DENIED] = TO(REVIEW_DUE),
    [GRANT_REVIEW_DUE] = TO(REVIEWED) | TO(DISPUTED),
    [GRANT_DISPUTED] = TO(REVIEWED),
};

const char *grant_state_name(enum grant_state s) {
    assert(s < GRANT_STATES);
    return names[s];
}

bool grant_move_legal(enum grant_state from, enum grant_state to) {
    assert(from < GRANT_STATES && to < GRANT_STATES);
    return (moves[from] & 1u << to) != 0;
}

bool state_over(enum grant_state s) {
    return s >= GRANT_COMPLETED;
}

/* Takes the earliest; of two at the same time, the one that was offered first. */
static void offer(struct judgement *j, int64_t now, int64_t when, enum grant_state state,
                  const struct entry *by, const char *cause) {
    if (when > now) {
        if (when < j->next)
            j->next = when;
        return;
    }
    if (when >= j->over)
        return;
    j->over = when;
    j->state = state;
    j->by = by;
    j->cause = cause;
}

static void offer_said(struct judgement *j, int64_t now, const struct entry *e, enum grant_state state) {
    if (e)
        offer(j, now, e->when, state, e, NULL);
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* A key that anything of the grant was signed with is withdrawn: it ends, whether complete or not. */
static void offer_withdrawn(const struct grants *g, const struct grant *t, int64_t now, struct judgement *j) {
    offer(j, now, later(entry_withdrawn(g, t->request), t->request->when), GRANT_REVOKED, NULL,
          "key withdrawn");
    for (size_t i = 0; i < t->approvals; i++)
        offer(j, now, later(entry_withdrawn(g, t->approval[i]), t->approval[i]->when), GRANT_REVOKED, NULL,
              "key withdrawn");
}

static void offer_approved(const struct grants *g, const struct grant *t, int64_t now, struct judgement *j,
                           const struct entry *standing) {
    const struct entry *policy;
    int64_t tightened = consent_tightened(g, t, j, &policy);
    if (standing)
        offer(j, now, later(standing_over(g, standing), j->approved), GRANT_REVOKED, standing->undone,
              "consent ended");
    offer(j, now, tightened, GRANT_REVOKED, policy, "policy");
    offer(j, now, j->ends, GRANT_EXPIRED, NULL, NULL);
}

/* An emergency that had begun is for the tenant to look at, however it ended. */
static void judge_review(const struct grants *g, const struct grant *t, struct judgement *j) {
    const struct entry *review = t->review;
    if (review && entry_withdrawn(g, review) <= review->when)
        review = NULL;
    if (t->request->st.class != CLASS_EMERGENCY || j->approved == NEVER || j->begins > j->over)
        return;
    j->ended = j->state;
    j->state = !review                                 ? GRANT_REVIEW_DUE
               : review->st.verdict == REVIEW_DISPUTED ? GRANT_DISPUTED
                                                       : GRANT_REVIEWED;
    if (review)
        j->by = review;
}

void judge(const struct grants *g, const struct grant *t, int64_t now, struct judgement *out) {
    MAGIC_CHECK(t, GRANT_MAGIC);
    const struct statement *r = &t->request->st;
    const struct entry *standing;
    memset(out, 0, sizeof *out);
    out->over = out->next = NEVER;
    int64_t lapses = t->request->when + g->limits.approval_window;
    if (lapses > r->not_after)
        lapses = r->not_after;
    consent_judge(g, t, now < lapses ? now : lapses - 1, out, &standing);
    bool approved = out->approved != NEVER;
    offer_said(out, now, t->deny, GRANT_DENIED);
    offer_said(out, now, t->revoke, GRANT_REVOKED);
    offer_withdrawn(g, t, now, out);
    offer_said(out, now, t->withdraw, GRANT_WITHDRAWN);
    offer_said(out, now, t->end, GRANT_COMPLETED);
    if (approved)
        offer_approved(g, t, now, out, standing);
    else
        offer(out, now, lapses, GRANT_LAPSED, NULL, NULL);
    if (out->over != NEVER) {
        out->next = NEVER;
        judge_review(g, t, out);
        return;
    }
    out->state = !approved ? GRANT_REQUESTED : now < out->begins ? GRANT_SCHEDULED : GRANT_ACTIVE;
    if (out->state == GRANT_SCHEDULED && out->begins < out->next)
        out->next = out->begins;
}
