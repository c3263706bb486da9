/* SPDX-License-Identifier: ISC
 *
 * Private to the grants (grants*.c): the statements as folded, and one grant judged at one time.
 *
 *   grants.c           rows in; what time and trust change
 *   grants_entry.c     one row's form, signature and key
 *   grants_tell.c      events
 *   grants_fold.c      one verified statement's place; the rules that its order decides
 *   grants_consent.c   policy, standing consent, and who has to agree
 *   grants_erase.c     the end of a tenant: two sign, and time passes
 *   grants_judge.c     a grant's state at a time
 *   grants_check.c     what is refused when a person hands it in, in words for them
 *   grants_decide.c    may this operator in; locks
 *   grants_describe.c  for those who look
 */
#ifndef SEKISHO_GRANTS_PARTS_H
#define SEKISHO_GRANTS_PARTS_H

#include "grants.h"

#include <uthash.h>

#define ENTRY_MAGIC 0xE27A5D11u
#define GRANT_MAGIC 0x6A47B10Eu
#define GRANTS_MAGIC 0x64A27520u
#define APPROVALS_MAX 24
#define NEVER INT64_MAX

/* One statement of the log, whether it has an effect or not. */
struct entry {
    uint32_t magic;
    uint64_t n;
    struct statement st;
    uint8_t digest[STATEMENT_DIGEST];
    uint8_t signature[STATEMENT_SIGNATURE];
    uint8_t public[STATEMENT_PUBLIC]; /* the key that verified it */
    bool verified;                    /* `public` is filled in */
    unsigned roles;                   /* of the key about that tenant, among those that may sign this kind */
    int64_t when;                     /* `at`, but never before the statement in front of it */
    const struct entry *undone;       /* a standing consent revoked, a lock unlocked */
    struct entry *next;               /* in the log */
    struct entry *next_of_kind;       /* policies, standing consents, locks */
    size_t len;
    UT_hash_handle hh; /* by digest; verified ones only */
    uint8_t text[];    /* as it was signed */
};

struct grant {
    uint32_t magic;
    char id[GRANT_ID + 1];
    const struct entry *request;
    size_t approvals;
    const struct entry *approval[APPROVALS_MAX];
    const struct entry *deny, *withdraw, *end, *revoke, *review;
    enum grant_state told; /* the state that events have told */
    struct grant *next;
    UT_hash_handle hh; /* by the request's digest */
};

struct closure { /* a tenant whose statements somebody made unverifiable */
    char tenant[TENANT_ID_MAX + 1];
    char why[STATEMENT_WHY];
    struct closure *next;
};

struct list {
    struct entry *first, *last;
};

struct grants {
    uint32_t magic;
    char environment[64];
    struct grants_limits limits;
    const struct trust *trust;
    struct entry *by_digest;
    struct entry *first, *last; /* the log */
    size_t count;
    bool overfull; /* a row found no place: what it forbade is not known */
    int64_t when;  /* of the last statement that had an effect */
    struct grant *by_request;
    struct grant *first_grant, *last_grant;
    struct list policies, standings, locks, erasures;
    struct closure *closures;
    int64_t ahead; /* of rows signed in the future, the first one's time; NEVER */
    char closed[STATEMENT_WHY];
};

/* A place in the log and in time: several statements may be of one second. */
struct point {
    int64_t when;
    uint64_t n;
};

/* What the tenant demands, at one time. */
struct demand {
    enum consent consent;
    unsigned provider_approvals;
    enum scope emergency_scope;
    const struct entry *policy; /* NULL: the default */
};

/* One grant at one time. */
struct judgement {
    enum grant_state state;
    enum grant_state ended; /* how, when the state is about the review */
    int64_t approved;       /* when the last one needed agreed; NEVER */
    uint64_t approved_n;    /* with which statement */
    int64_t begins, ends;   /* as approved so far */
    int64_t over;           /* when it ended; NEVER */
    int64_t next;           /* when time alone may change the state next; NEVER */
    enum scope scope;
    char databases[STATEMENT_DATABASES_TEXT];
    unsigned needs_provider;
    bool needs_tenant;
    const struct entry *by; /* the statement that ended it, or NULL */
    const char *cause; /* "key withdrawn", "policy", "consent ended": what ended it, when it is no statement
                          about it */
};

/* --- grants_fold.c --- */

/* Why the statement has no effect, given those before it; NULL when it has. `at`: its place in time. */
const char *fold_rule(const struct grants *g, const struct entry *e);
/* Gives it its place: fold_rule found no fault. False without memory. */
bool fold_apply(struct grants *g, struct entry *e);
void fold_forget(struct grants *g); /* everything but the log */
struct entry *entry_find(const struct grants *g, const uint8_t digest[STATEMENT_DIGEST]);
struct grant *grant_of(const struct grants *g, const uint8_t request[STATEMENT_DIGEST]);
struct grant *grant_by_id(const struct grants *g, const char *id);
bool grant_has_approved(const struct grant *t, const char *person);

/* --- grants_consent.c --- */

/* When the key of a statement was or will be withdrawn; NEVER. */
int64_t entry_withdrawn(const struct grants *g, const struct entry *e);
bool said_by(const struct entry *e, struct point p);
/* Behind everything that was said up to that time. */
static inline struct point at_time(int64_t when) {
    return (struct point){when, UINT64_MAX};
}
struct demand demand_at(const struct grants *g, const char *tenant, struct point p);
/* Fills in approved, scope, databases, begins, ends and needs_*: of what was said up to `now`. *standing: the
 * consent that was given in advance and was used. */
void consent_judge(const struct grants *g, const struct grant *t, int64_t now, struct judgement *out,
                   const struct entry **standing);
/* When the tenant's policy took away what it had allowed; NEVER. *by: the policy. */
int64_t consent_tightened(const struct grants *g, const struct grant *t, const struct judgement *j,
                          const struct entry **by);
/* Is the moment within the hours of a standing consent; *closes: when those end. */
bool standing_open(const struct statement *s, int64_t when, int64_t *closes);
/* When it ends before its time: revoked, or its key withdrawn; NEVER. */
int64_t standing_over(const struct grants *g, const struct entry *standing);

/* --- grants_erase.c --- */

const char *erase_rule(const struct grants *g, const struct entry *e);
void erase_keep(struct grants *g, const struct entry *keep);

/* --- grants_judge.c --- */

void judge(const struct grants *g, const struct grant *t, int64_t now, struct judgement *out);
/* It lets nobody in, now or later. */
bool state_over(enum grant_state s);

/* --- grants_decide.c --- */

bool ticket_counts(const struct grants *g, const struct grant *t);
bool lock_holds(const struct grants *g, const struct entry *lock, int64_t now);
/* The lock that keeps this operator out of this tenant, or this grant shut; NULL. */
const struct entry *lock_on(const struct grants *g, const char *operator, const char * tenant,
                            const char *grant, int64_t now);

/* --- grants_entry.c --- */

/* Time as the statements have it: a signer's clock may be a little ahead of ours, and what they said holds at
 * once. */
int64_t time_of(const struct grants *g, int64_t now);
/* What a tenant, or everybody, is closed for; NULL. */
const char *closed_for(const struct grants *g, const char *tenant);

enum verification {
    VERIFIED,
    VERIFY_ENVIRONMENT,
    VERIFY_UNKNOWN_KEY,
    VERIFY_SIGNATURE,
    VERIFY_ROLE,
    VERIFY_FUTURE
};
/* Fills in digest, public and roles of an entry whose st and text are there. */
enum verification entry_verify(const struct grants *g, struct entry *e, int64_t now);
const char *verification_text(enum verification v);
/* A new entry of these bytes, its st parsed. NULL, with why, when they do not parse or without memory. */
struct entry *entry_new(struct view body, struct view signature, uint64_t n, char why[STATEMENT_WHY]);

/* --- grants_tell.c --- */

/* Where events go to, and what caused them. */
struct teller {
    grants_event_fn *each;
    void *arg;
    const struct entry *cause; /* the statement just folded, or NULL */
    bool trust;                /* the trust folder was read again */
};

void tell_tampering(const struct teller *to, const char *tenant, const char *actor, const char *detail);
/* The statement to->cause was folded in. */
void tell_folded(struct grants *g, const struct entry *e, int64_t now, const struct teller *to);
void tell_refused(const struct teller *to, const struct entry *e, const char *why);
void tell_keys(const struct trust *before, const struct trust *after, const struct teller *to);
/* Every grant (of the tenant, when it is not NULL) whose state is another than was told. */
void notice_all(struct grants *g, const char *tenant, int64_t now, const struct teller *to);

/* --- grants_describe.c --- */

void describe(const struct grants *g, const struct grant *t, int64_t now, struct grant_view *out);

#endif
