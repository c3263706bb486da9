/* SPDX-License-Identifier: ISC
 *
 * Break-glass: everything that follows from signed statements. A pure fold: the same statements, trust,
 * limits and time give the same state; nothing else can give access, and the absence of anything never means
 * allowed. Held in memory by the broker. No file, no clock: `now` is wall seconds that never go back
 * (clock_guard.h).
 *
 * The order at start: grants_new, grants_add for every row of the store (without a callback: its events were
 * logged long ago), grants_resume with the time at which we last ran, then grants_tick with one.
 */
#ifndef SEKISHO_GRANTS_H
#define SEKISHO_GRANTS_H

#include "failure.h"
#include "settings.h"
#include "trust.h"

#define GRANTS_STATEMENTS_MAX 200000 /* with more, nobody gets in anywhere */
#define GRANTS_FUTURE 60             /* seconds a signer's clock may be ahead */
#define GRANTS_STALE                                                                                         \
    900 /* a statement older than this is not taken in any more (but read from the log it counts) */

struct grants_limits {
    uint32_t provider_approvals;
    int64_t approval_window;  /* seconds */
    int64_t max[SCOPE_COUNT]; /* seconds a grant of the scope may last */
    uint32_t emergencies_per_week;
    int64_t erase_after; /* seconds from the first signature to the erasure of a tenant */
    char ticket_pattern[256];
};
void grants_limits_from(const struct settings *s, struct grants_limits *out);

enum grant_state {
    GRANT_NONE,
    GRANT_REQUESTED,
    GRANT_APPROVED,  /* by all; only passed through, on the way to scheduled or active */
    GRANT_SCHEDULED, /* not yet begun */
    GRANT_ACTIVE,
    GRANT_COMPLETED, /* ended by the operator */
    GRANT_EXPIRED,
    GRANT_REVOKED,
    GRANT_DENIED,
    GRANT_WITHDRAWN,
    GRANT_LAPSED,
    GRANT_REVIEW_DUE, /* an emergency that is over */
    GRANT_REVIEWED,
    GRANT_DISPUTED,
    GRANT_STATES
};
const char *grant_state_name(enum grant_state s); /* "review due" */
/* The table of legal moves. */
bool grant_move_legal(enum grant_state from, enum grant_state to);

/* Something to be logged: a grant.change, or tampering. Views of memory that is valid during the call; "" for
 * nothing. */
struct grants_event {
    bool tampering;
    const char *tenant; /* whose log; "": the provider's */
    const char *grant;  /* its id */
    const char *actor;  /* who signed; "time" or "trust" */
    const char
        *action; /* the statement's kind, or "begin", "expire", "lapse", "review due", "key withdrawn", ... */
    const char *state; /* the grant's after it; "locked", "unlocked", "policy" ... for what is no grant */
    const char *operator;
    const char *scope;
    const char *class;
    const char *ticket;
    const char *detail; /* a sentence */
};
typedef void grants_event_fn(void *arg, const struct grants_event *e);

struct grants;

/* Both limits and trust: the limits are copied, trust must live until grants_trust gives another or
 * grants_free. NULL without memory. */
struct grants *grants_new(const char *environment, const struct grants_limits *limits,
                          const struct trust *trust);
void grants_free(struct grants **g);

enum grants_result {
    GRANTS_TAKEN,
    GRANTS_REFUSED,  /* well signed, but against a rule: it has no effect */
    GRANTS_TAMPERING /* not well formed, not well signed, there twice, or of another environment: nobody here
                        made such a row */
};
/* A row of the store: verifies and folds it in. n grows. why: unless TAKEN. each may be NULL. A tampering row
 * is also told to `each`. A row whose key the trust folder does not know closes its tenant: somebody took the
 * key away. So does one that was signed in the future, until its time comes (grants_tick): this host's clock
 * is behind, and what it forbids would not count. */
enum grants_result grants_add(struct grants *g, struct view body, struct view signature, uint64_t n,
                              int64_t now, grants_event_fn *each, void *arg, char why[STATEMENT_WHY]);
/* Would this statement, just handed in, be taken? For people: why not, and what to do instead. On true *out
 * is it. Nothing changes. */
bool grants_check(const struct grants *g, struct view body, struct view signature, int64_t now,
                  struct statement *out, struct failure *failure);
/* What time alone changed since the last call. */
void grants_tick(struct grants *g, int64_t now, grants_event_fn *each, void *arg);
/* As if events had been told up to `then`: after a restart, so that grants_tick tells what time did in
 * between. */
void grants_resume(struct grants *g, int64_t then);
/* When time alone will next change something: after `now`; INT64_MAX: never. */
int64_t grants_next_change(const struct grants *g, int64_t now);
/* Other trust files: every statement is judged anew. Says which keys came, went, or were withdrawn. */
void grants_trust(struct grants *g, const struct trust *trust, int64_t now, grants_event_fn *each, void *arg);
/* Other limits: every statement is judged anew. */
void grants_limits_set(struct grants *g, const struct grants_limits *limits, int64_t now,
                       grants_event_fn *each, void *arg);
/* The store is not what was accepted (statement_log.h): nobody gets in anywhere. NULL or "": it is repaired.
 */
void grants_close(struct grants *g, const char *why);
/* "" when nothing is closed for that tenant ("" : for all), else why. */
const char *grants_closed(const struct grants *g, const char *tenant);
/* The `at` of the newest statement: time cannot be before it. 0: none. */
int64_t grants_newest(const struct grants *g);
size_t grants_count(const struct grants *g);

/* --- decisions --- */

struct grant_verdict {
    bool allowed;
    char grant[GRANT_ID + 1];
    enum scope scope;
    enum grant_class class;
    int64_t not_after; /* seconds: the end, whatever else happens */
    char ticket[STATEMENT_TICKET_MAX + 1];
    struct failure failure; /* when not allowed: 42501, why, and the command to ask with */
};
/* Of several grants that fit: the one with the widest scope, then the latest end. */
void grants_decide(const struct grants *g, const char *operator, const char * tenant, const char *database,
                   int64_t now, struct grant_verdict *out);
/* Does the grant still let the operator in? When not: failure (57P01 with the reason). */
bool grants_still(const struct grants *g, const char *grant, const char *operator, int64_t now,
                  struct failure *failure);

/* --- looking --- */

struct grant_view {
    char id[GRANT_ID + 1];
    char digest[2 * STATEMENT_DIGEST + 1]; /* of the request: what an approval names */
    const struct statement *request;       /* as asked for */
    enum grant_state state;
    enum grant_state ended; /* how it ended, when the state is about the review; else GRANT_NONE */
    enum scope scope;       /* as approved so far: the narrowest */
    char databases[STATEMENT_DATABASES_TEXT];
    int64_t begins, ends;    /* as approved so far */
    unsigned needs_provider; /* approvals still missing */
    bool needs_tenant;       /* the tenant's consent is missing */
    char approvers[256];     /* "bob, dora" */
    char by[PERSON_MAX + 1]; /* who denied, revoked, ended, reviewed it; "" */
    const char *words;       /* the reason or comment of that; "" */
    bool locked;
    bool ticket_unchecked; /* an emergency whose ticket does not look like one */
};
/* tenant, operator: NULL for any. In the order of requests. False from `each` stops. */
typedef bool grants_view_fn(void *arg, const struct grant_view *v);
void grants_each(const struct grants *g, const char *tenant, const char *operator, int64_t now,
                 grants_view_fn *each, void *arg);
/* By id, or by the request's digest in hexadecimal. */
bool grants_find(const struct grants *g, const char *id, int64_t now, struct grant_view *out);
/* What this grant awaits from this person now: "approve", "consent", "review"; "" for nothing. */
const char *grants_awaits(const struct grants *g, const struct grant_view *v, const char *person,
                          int64_t now);
/* Who can get in right now: active, unlocked, nothing closed. */
void grants_access(const struct grants *g, const char *tenant, int64_t now, grants_view_fn *each, void *arg);

struct lock_view {
    char digest[2 * STATEMENT_DIGEST + 1]; /* what an unlock names */
    const struct statement *lock;
    bool by_tenant; /* only the tenant's approvers may unlock */
};
/* Locks that hold. tenant: NULL for all; else those about that tenant, and those on operators everywhere. */
void grants_locks(const struct grants *g, const char *tenant, int64_t now,
                  bool (*each)(void *arg, const struct lock_view *v), void *arg);

struct policy_view {
    enum consent consent;
    unsigned provider_approvals; /* effective */
    enum scope emergency_scope;
    const struct statement *statement; /* NULL: nobody signed one, the default holds */
};
void grants_policy(const struct grants *g, const char *tenant, int64_t now, struct policy_view *out);

/* What was signed about the erasure of a retired tenant, and not taken back. */
struct erasure_view {
    unsigned signers;              /* distinct people with distinct keys who agree on the time */
    char by[2 * PERSON_MAX + 4];   /* the first two: "bob, carol" */
    int64_t not_before, not_after; /* seconds; 0: nobody signed */
};
#define ERASURE_SIGNERS 2
/* True when it is to be erased now: two agree, the time has come, and nothing is closed for that tenant.
 * Whether the tenant is retired is for the caller to know. */
bool grants_erasure(const struct grants *g, const char *tenant, int64_t now, struct erasure_view *out);

struct standing_view {
    char digest[2 * STATEMENT_DIGEST + 1]; /* what revoke-standing names */
    const struct statement *standing;
    bool open; /* now is within its hours */
};
/* Standing consents that hold now or later. */
void grants_standing(const struct grants *g, const char *tenant, int64_t now,
                     bool (*each)(void *arg, const struct standing_view *v), void *arg);

#endif
