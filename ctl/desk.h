/* SPDX-License-Identifier: ISC
 *
 * Where signed statements are handed in and looked up. How they travel is a const struct in a file of its
 * own: on the proxy's host straight to and from the control store (desk_store.c); from elsewhere through the
 * console (desk_remote.c). Everything else is the same for each: the same rules as the broker's are applied
 * first, so that a refusal is told at once with its reason. The broker's word is the last one.
 */
#ifndef SEKISHO_DESK_H
#define SEKISHO_DESK_H

#include "grants.h"
#include "person.h"
#include "statement_log.h"

struct desk;

struct desk_driver {
    const char *name;
    /* Hands in one signed statement: CTL_DONE, or the exit code after saying why. s: what it says. */
    int (*submit)(struct desk *d, const struct statement *s, struct view body, struct view signature);
    /* The statements with n > after, in order; false from `each` stops. CTL_DONE, or the exit code after
     * saying why. */
    int (*fetch)(struct desk *d, uint64_t after, bool (*each)(void *arg, const struct statement_row *row),
                 void *arg);
    /* Whose signatures count. NULL, with why, when that cannot be known here: then nothing is checked before
     * it is handed in, and nothing can be shown. */
    struct trust *(*trust)(struct desk *d, char why[256]);
    /* The highest statement that the proxy has accepted; n 0 when that cannot be known here. */
    void (*head)(struct desk *d, struct statement_head *out);
};

struct desk {
    uint32_t magic;
    const struct desk_driver *driver;
    const struct ctl *ctl;
    struct trust *trust;
    struct grants *grants; /* NULL: not known here */
    struct statement_log log;
    uint64_t fetched; /* the number of the last statement folded in */
    char why[256];    /* why grants is NULL */
    /* Of a request: why its ticket could not be confirmed; "" or NULL otherwise. For the log. */
    const char *unchecked;
};

extern const struct desk_driver desk_store;
/* desk_remote.h: when it is connected, ctl->store is NULL. */
extern const struct desk_driver desk_remote;

/* Enters, and reads everything. CTL_DONE, or the exit code after saying why; desk_leave on any
 * outcome. */
int desk_enter(struct desk *d, const struct ctl *ctl);
void desk_leave(struct desk *d);
/* What was handed in meanwhile, and what time did. */
int desk_refresh(struct desk *d);
/* For commands that show something: CTL_DONE when there is something to look at. */
int desk_must_know(const struct desk *d);
/* Seconds; never before the newest statement. */
int64_t desk_now(const struct desk *d);

/* Completes s (environment, signer, key, at), signs it, checks it and hands it in. digest: of what was handed
 * in. */
int desk_sign(struct desk *d, const struct person *p, struct statement *s,
              char digest[2 * STATEMENT_DIGEST + 1]);
/* A statement of this kind about this tenant, the rest zero. */
struct statement desk_statement(enum statement_kind kind, const char *tenant);
/* Finds a grant by its id or its request's digest. CTL_DONE, or the exit code after saying that there is
 * none. */
int desk_grant(const struct desk *d, const char *command, const char *id, struct grant_view *out);
/* 64 hexadecimal digits, as a view prints them, into a digest. */
void desk_digest(const char *text, uint8_t out[STATEMENT_DIGEST]);

#endif
