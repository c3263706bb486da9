/* SPDX-License-Identifier: ISC
 *
 * The cost of guessing passwords: a delay that doubles with each failed guess, kept per (tenant, user,
 * network) and, with more patience, as many people may share one, per (tenant, network); in tables of fixed
 * size. Nobody is ever locked out: a login from another network has no delay, nor has another tenant's from
 * the same one. The same wrong answer repeated (a misconfigured application) does not grow the delay. Pure:
 * time is a parameter.
 */
#ifndef SEKISHO_PENALTY_H
#define SEKISHO_PENALTY_H

#include "address.h"

#define PENALTY_FIRST_MS 250    /* after the first failure that is not free; doubled by each further one */
#define PENALTY_USER_FREE 1     /* failures of one user from one network that cost nothing */
#define PENALTY_NETWORK_FREE 20 /* of all users from one network */
#define PENALTY_MOST_MS 8000
#define PENALTY_FORGET_S 300 /* after this long without a failure an entry counts as new */

struct penalty;

/* slots: how many (tenant, user, network) entries are remembered at most; the oldest make room. NULL without
 * memory. */
struct penalty *penalty_new(size_t slots);
void penalty_free(struct penalty **p);
/* How long, in ms, the answer to this login must be held back; 0 for none. */
uint32_t penalty_delay(struct penalty *p, const char *tenant, struct view user, const struct address *from,
                       int64_t mono_us);
/* proof: a fingerprint of what was tried (any stable 64-bit value), so that the same mistake is not punished
 * twice; 0 when it cannot be told apart from another guess (a SCRAM proof looks different each time): always
 * counted. */
void penalty_failed(struct penalty *p, const char *tenant, struct view user, const struct address *from,
                    uint64_t proof, int64_t mono_us);
/* A right password forgives (tenant, user, network); the network's own count stays. */
void penalty_passed(struct penalty *p, const char *tenant, struct view user, const struct address *from);

#endif
