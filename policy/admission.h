/* SPDX-License-Identifier: ISC
 *
 * The one decision function: may this connection have a session, now? Pure: snapshot, counts and request in,
 * verdict out. The absence of a rule never means *allowed* for anything but the tenant's own traffic to its
 * own instance.
 */
#ifndef SEKISHO_ADMISSION_H
#define SEKISHO_ADMISSION_H

#include "directory.h"
#include "failure.h"

/* Why a connection was turned away: the closed list that `reason` in session.refused uses. */
enum refusal {
#define REFUSAL(code, name) REFUSAL_##code,
#include "refusals.def"
#undef REFUSAL
    REFUSAL_COUNT
};
const char *refusal_name(enum refusal r);

struct admission_request {
    const char *tenant; /* from the channel, never from the message */
    struct view user, database, application, replication;
    struct address client;
};

struct admission_counts {
    uint32_t all;    /* sessions admitted now */
    uint32_t tenant; /* of this tenant */
};

struct admission_limits {
    uint32_t max_connections;
    uint32_t tenant_max_connections;
};

struct verdict {
    bool admitted;
    enum refusal refusal;   /* when not admitted */
    struct failure failure; /* when not admitted: SQLSTATE, sentence, hint, private cause */
    const struct tenant *tenant;
};

/* Order: snapshot present and tenant known and active (57P03/08004), address in range (28000), reserved role
 * (28000), limits (53300), instance address known (08001). */
void admission_decide(const struct snapshot *s, const struct admission_limits *limits,
                      const struct admission_counts *counts, const struct admission_request *request,
                      struct verdict *out);

/* The part that can change while a session runs: tenant active, address in range. Used on every new snapshot.
 */
bool admission_still(const struct snapshot *s, const char *tenant, const struct address *client,
                     struct failure *why);

/* Roles that no tenant may use: names starting with "sekisho_" or "pg_". */
bool role_reserved(struct view user);

#endif
