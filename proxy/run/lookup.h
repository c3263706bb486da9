/* SPDX-License-Identifier: ISC
 *
 * The auth query: asks each tenant's instance for a user's verifier, over one connection a tenant that is
 * kept while it is used. Never blocks: a tenant whose instance is slow or hostile delays nobody but itself.
 * Owned by the keeper.
 */
#ifndef SEKISHO_LOOKUP_H
#define SEKISHO_LOOKUP_H

#include "directory.h"
#include "role.h"

#define LOOKUP_PATIENCE_MS 5000 /* for one look-up, and for one connection's login */
#define LOOKUP_IDLE_MS 60000    /* an unused connection is closed after this long */
#define LOOKUP_PENDING_MAX 1000 /* of one tenant; more are answered LOOKUP_UNAVAILABLE at once */

struct lookups;

/* Exactly one for each lookups_ask, perhaps before that returns. text: the verifier when found; valid in the
 * call. */
typedef void lookup_answer_fn(void *arg, uint64_t request, enum lookup outcome, struct view text);

struct lookups *lookups_new(struct event_base *base, lookup_answer_fn *answer, void *arg);
/* Whoever still waits is answered LOOKUP_UNAVAILABLE. */
void lookups_free(struct lookups **l);

/* A new directory: begin, every tenant once, end; tenants not named are forgotten. *t must live until the
 * next end, and the old one until this end. role "": the instance has no verifier function. A connection
 * whose tenant now differs in what matters to it is made again. */
void lookups_begin(struct lookups *l);
void lookups_tenant(struct lookups *l, const struct tenant *t, const char *role, const char *password);
void lookups_end(struct lookups *l);

/* Answers LOOKUP_NONE for a tenant without the function: whom the store does not know does not exist. */
void lookups_ask(struct lookups *l, uint64_t request, const char *tenant, struct view user);

#endif
