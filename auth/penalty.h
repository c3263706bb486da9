/* SPDX-License-Identifier: ISC
 *
 * The cost of guessing passwords. Each failed guess doubles a delay, kept per (tenant, user, network) and,
 * with more patience, as many people may share one, per (tenant, network). Outcomes are told one after the
 * other: each waits for its delay behind the one before, so that guessing in parallel gains nothing. Guesses
 * at one user from many networks cost a smaller delay at networks where that user never logged in. Nobody is
 * ever locked out: a login from another network, or where the user logged in lately, does not stand in the
 * guesser's line, nor does another tenant's. Tables of fixed size; a full one forgets who failed least. Pure:
 * time is a parameter.
 */
#ifndef SEKISHO_PENALTY_H
#define SEKISHO_PENALTY_H

#include "address.h"

#define PENALTY_FIRST_MS 250    /* after the first failure that is not free; doubled by each further one */
#define PENALTY_USER_FREE 1     /* failures of one user from one network that cost nothing */
#define PENALTY_NETWORK_FREE 20 /* of all users from one network */
#define PENALTY_MOST_MS 8000
#define PENALTY_SPREAD_FREE 100 /* failures of one user from all networks together */
#define PENALTY_SPREAD_MOST_MS 2000
#define PENALTY_FORGET_S 300   /* after this long without a failure an entry counts as new */
#define PENALTY_KNOWN_S 604800 /* for this long a network counts as one where the user logs in */

struct penalty;

/* slots: how many entries each of the tables has. NULL without memory. */
struct penalty *penalty_new(size_t slots);
void penalty_free(struct penalty **p);
/* A proof was given: *wait_ms is how long its outcome, right or wrong, must be held back. False: so many wait
 * before it that it would take more than longest_ms; then it is never told. Ask before penalty_failed or
 * penalty_passed. */
bool penalty_turn(struct penalty *p, const char *tenant, struct view user, const struct address *from,
                  uint32_t longest_ms, int64_t mono_us, uint32_t *wait_ms);
/* Would penalty_turn say false? Changes nothing. */
bool penalty_crowded(const struct penalty *p, const char *tenant, struct view user,
                     const struct address *from, uint32_t longest_ms, int64_t mono_us);
void penalty_failed(struct penalty *p, const char *tenant, struct view user, const struct address *from,
                    int64_t mono_us);
/* A right password forgives (tenant, user, network), which is known from now on; the other counts stay. */
void penalty_passed(struct penalty *p, const char *tenant, struct view user, const struct address *from,
                    int64_t mono_us);

#endif
