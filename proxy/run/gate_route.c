/* SPDX-License-Identifier: ISC
 *
 * Whose visitor is it? The broker tells the routes in whole sets; a set is built aside and swapped in. A name
 * or an address that is no active tenant's leads to the lobby, which can explain itself inside TLS; no cell
 * is started for it.
 */
#include "gate.h"
#include "log.h"
#include "magic.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

static void routing_end(struct routing *r) {
    routes_free(&r->table);
    struct route_tenant *t, *next;
    HASH_ITER (hh, r->tenants, t, next) {
        HASH_DEL(r->tenants, t);
        free(t);
    }
    r->last = NULL;
}

void gate_routes_forget_fresh(struct gate *g) {
    routing_end(&g->fresh);
}

static void begin(struct gate *g) {
    routing_end(&g->fresh);
    g->fresh.table = routes_new();
    if (!g->fresh.table)
        abort();
}

/* Named again, it is the one the next routes belong to. */
static bool take_tenant(struct routing *r, struct reader *body) {
    char tenant[TENANT_ID_MAX + 1];
    reader_text16_into(body, tenant, sizeof tenant);
    uint32_t cells = reader_u32(body);
    if (!reader_done(body))
        return false;
    HASH_FIND_STR(r->tenants, tenant, r->last);
    if (r->last)
        return true;
    struct route_tenant *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    memcpy(t->tenant, tenant, sizeof t->tenant);
    t->cells = cells;
    HASH_ADD_STR(r->tenants, tenant, t);
    r->last = t;
    return true;
}

static bool take_name(struct routing *r, struct reader *body) {
    char name[TENANT_NAME_MAX + 1];
    reader_text16_into(body, name, sizeof name);
    if (!reader_done(body) || !r->last)
        return false;
    if (!routes_add_name(r->table, name, r->last->tenant))
        log_error("the name %s is claimed by tenant %s and by another: left to the other", name,
                  r->last->tenant);
    return true;
}

static bool take_address(struct routing *r, struct reader *body) {
    struct address address;
    if (!address_read(body, &address) || !reader_done(body) || !r->last)
        return false;
    char text[ADDRESS_TEXT];
    address_text_port(&address, text);
    if (!routes_add_address(r->table, &address, r->last->tenant))
        log_error("the address %s is claimed by tenant %s and by another: left to the other", text,
                  r->last->tenant);
    return true;
}

static void commit(struct gate *g) {
    routing_end(&g->routing);
    g->routing = g->fresh;
    memset(&g->fresh, 0, sizeof g->fresh);
    visitors_place(&g->held);
    wards_place_again(g);
}

void gate_routes_message(struct gate *g, struct channel *c, enum message_code m, struct reader *body) {
    MAGIC_CHECK(g, GATE_MAGIC);
    bool good = m == M_ROUTES_BEGIN || g->fresh.table;
    if (m == M_ROUTES_BEGIN)
        begin(g);
    else if (good && m == M_ROUTE_TENANT)
        good = take_tenant(&g->fresh, body);
    else if (good && m == M_ROUTE_NAME)
        good = take_name(&g->fresh, body);
    else if (good && m == M_ROUTE_ADDRESS)
        good = take_address(&g->fresh, body);
    else if (good)
        commit(g);
    if (!good)
        channel_offend(c, "told routes wrongly");
}

const char *gate_dedicated(const struct gate *g, const struct address *local) {
    const char *tenant = NULL;
    if (!g->routing.table || routes_find(g->routing.table, "", local, &tenant) != ROUTE_FOUND)
        return NULL;
    return tenant;
}

uint32_t gate_cells_wanted(const struct gate *g, const char *tenant) {
    struct route_tenant *t;
    HASH_FIND_STR(g->routing.tenants, tenant, t);
    return t && t->cells > 0 ? t->cells : g->settings->cells_per_tenant;
}

static enum refusal refusal_of(enum route_result result) {
    return result == ROUTE_NO_SIGNAL  ? REFUSAL_NO_TENANT
           : result == ROUTE_DISAGREE ? REFUSAL_DISAGREE
                                      : REFUSAL_UNKNOWN_TENANT;
}

/* On the operators' plane a tenant has one name: <id>.<operator_domain>. */
static enum route_result find_for_operator(const struct gate *g, const char *name, const char **tenant) {
    const char *dot = strchr(name, '.');
    char id[TENANT_ID_MAX + 1];
    struct route_tenant *t = NULL;
    if (name[0] == 0)
        return ROUTE_NO_SIGNAL;
    if (!dot || !text_equal_nocase(view_text(dot + 1), view_text(g->settings->operator_domain)) ||
        !view_copy_text(view_of(name, (size_t)(dot - name)), id, sizeof id))
        return ROUTE_UNKNOWN;
    HASH_FIND_STR(g->routing.tenants, id, t);
    if (!t)
        return ROUTE_UNKNOWN;
    *tenant = t->tenant;
    return ROUTE_FOUND;
}

void visitor_place(struct visitor *v) {
    MAGIC_CHECK(v, VISITOR_MAGIC);
    struct gate *g = v->gate;
    if (!g->routing.table) {
        visitor_wait(v, &g->held);
        return;
    }
    const char *tenant = NULL;
    enum route_result result = v->operators
                                   ? find_for_operator(g, v->server_name, &tenant)
                                   : routes_find(g->routing.table, v->server_name, &v->local, &tenant);
    const char *whose = result == ROUTE_FOUND ? tenant : "";
    enum refusal limit = crowd_goes_to(v, whose);
    if (limit != REFUSAL_NONE)
        visitor_limited(v, whose, limit);
    else if (result == ROUTE_FOUND && v->operators)
        ward_place_operator(g, tenant, v);
    else if (result == ROUTE_FOUND)
        ward_place(g, tenant, v);
    else if (g->lobby)
        visitor_handover(&v, g->lobby, refusal_of(result));
    else
        visitor_wait(v, &g->held);
}

void visitors_place(struct visitors *line) {
    struct visitor *last = TAILQ_LAST(line, visitors), *v;
    bool done = !last;
    while (!done && (v = TAILQ_FIRST(line))) { /* who must wait on goes to the end: stop behind the last */
        done = v == last;
        visitor_place(v);
    }
}
