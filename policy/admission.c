/* SPDX-License-Identifier: ISC
 *
 * May this connection have a session? A list of checks in a fixed order; the first that objects decides.
 * Pure. What a client reads names its own tenant only, and says the same for an unknown, a suspended and a
 * retired one.
 */
#include "admission.h"

#include <assert.h>

const char *refusal_name(enum refusal r) {
    static const char *const names[] = {
#define REFUSAL(code, name) name,
#include "refusals.def"
#undef REFUSAL
    };
    assert((size_t)r < REFUSAL_COUNT);
    return names[r];
}

bool role_reserved(struct view user) {
    return view_starts(user, "sekisho_") || view_starts(user, "pg_");
}

struct question {
    const struct snapshot *snapshot;
    const struct admission_limits *limits;
    const struct admission_counts *counts;
    const struct admission_request *request;
    const struct tenant *tenant; /* once known */
};

static enum refusal check_tenant(struct question *q, struct failure *f) {
    const char *id = q->request->tenant;
    if (!q->snapshot) {
        failure_set(f, "57P03", "try again in a moment", "the proxy is not yet ready for connections");
        failure_cause(f, "no snapshot of the directory has arrived");
        return REFUSAL_DIRECTORY;
    }
    const struct tenant *t = snapshot_tenant(q->snapshot, id);
    if (t && t->state == TENANT_ACTIVE) {
        q->tenant = t;
        return REFUSAL_NONE;
    }
    failure_set(f, "08004", "check the host name you connect to, or ask your database provider",
                "tenant \"%s\" does not accept connections", id);
    failure_cause(f, "tenant is %s",
                  !t                             ? "not in the directory"
                  : t->state == TENANT_SUSPENDED ? "suspended"
                                                 : "retired");
    return t ? REFUSAL_TENANT_STATE : REFUSAL_UNKNOWN_TENANT;
}

static bool address_allowed(const struct tenant *t, const struct address *client) {
    return t->allowed.count == 0 || ranges_contain(&t->allowed, client);
}

static enum refusal check_address(struct question *q, struct failure *f) {
    char client[ADDRESS_TEXT];
    if (address_allowed(q->tenant, &q->request->client))
        return REFUSAL_NONE;
    address_text(&q->request->client, client);
    failure_set(f, "28000", "ask the tenant's administrator to add the address range",
                "connections from %s are not allowed for tenant \"%s\"", client, q->tenant->id);
    failure_cause(f, "address in none of %zu allowed ranges", q->tenant->allowed.count);
    return REFUSAL_ADDRESS;
}

static enum refusal check_role(struct question *q, struct failure *f) {
    if (!role_reserved(q->request->user))
        return REFUSAL_NONE;
    failure_set(f, "28000", "log in with a role of your own",
                "roles whose names start with \"sekisho_\" or \"pg_\" cannot log in through the proxy");
    failure_cause(f, "reserved role");
    return REFUSAL_RESERVED_ROLE;
}

static enum refusal check_limits(struct question *q, struct failure *f) {
    const struct tenant *t = q->tenant;
    uint32_t most = t->max_connections ? t->max_connections : q->limits->tenant_max_connections;
    if (q->counts->tenant >= most) {
        failure_set(f, "53300",
                    "close connections that are not needed, or ask your database provider for a higher limit",
                    "too many connections for tenant \"%s\"", t->id);
        failure_cause(f, "%u of the tenant's %u sessions in use", q->counts->tenant, most);
        return REFUSAL_LIMIT;
    }
    if (q->counts->all >= q->limits->max_connections) {
        failure_set(f, "53300", "try again later", "too many connections");
        failure_cause(f, "%u of max_connections %u in use", q->counts->all, q->limits->max_connections);
        return REFUSAL_LIMIT;
    }
    return REFUSAL_NONE;
}

static enum refusal check_instance(struct question *q, struct failure *f) {
    if (q->tenant->address_count > 0)
        return REFUSAL_NONE;
    failure_set(f, "08001", "try again later; your database provider has been told",
                "the database of tenant \"%s\" cannot be reached", q->tenant->id);
    failure_cause(f, "no address is known for %.200s", q->tenant->instance_host);
    return REFUSAL_INSTANCE_UNREACHABLE;
}

void admission_decide(const struct snapshot *s, const struct admission_limits *limits,
                      const struct admission_counts *counts, const struct admission_request *request,
                      struct verdict *out) {
    static enum refusal (*const checks[])(struct question *, struct failure *) = {
        check_tenant, check_address, check_role, check_limits, check_instance,
    };
    struct question q = {s, limits, counts, request, NULL};
    *out = (struct verdict){.refusal = REFUSAL_NONE};
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        out->refusal = checks[i](&q, &out->failure);
        if (out->refusal != REFUSAL_NONE)
            return;
    }
    out->tenant = q.tenant;
    out->admitted = true;
}

bool admission_still(const struct snapshot *s, const char *tenant, const struct address *client,
                     struct failure *why) {
    const struct tenant *t = s ? snapshot_tenant(s, tenant) : NULL;
    if (!t || t->state != TENANT_ACTIVE) {
        failure_set(why, "57P01", "ask your database provider",
                    "terminating connection because tenant \"%s\" no longer accepts connections", tenant);
        failure_cause(why, "tenant is no longer active");
        return false;
    }
    if (!address_allowed(t, client)) {
        char text[ADDRESS_TEXT];
        address_text(client, text);
        failure_set(why, "57P01", "ask the tenant's administrator to add the address range",
                    "terminating connection because %s is no longer allowed for tenant \"%s\"", text, tenant);
        failure_cause(why, "address no longer in the allowed ranges");
        return false;
    }
    return true;
}
