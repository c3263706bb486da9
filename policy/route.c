/* SPDX-License-Identifier: ISC
 *
 * The gate's table of names and addresses. Strangers choose what is looked up, never what is stored: ten
 * thousand invented names cost no memory. A wildcard listen address ("0.0.0.0:5433") stands for every local
 * address of that port, after an exact one, as the kernel chooses between listening sockets.
 */
#define HASH_NONFATAL_OOM 1 /* an element that could not be added has hh.tbl NULL */
#include "route.h"
#include "magic.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define ROUTES_MAGIC 0x70A7E501u
#define ADDRESS_KEY 19 /* bytes of address_write */

struct route {
    UT_hash_handle hh;
    char tenant[TENANT_ID_MAX + 1];
    uint8_t len;
    uint8_t key[TENANT_NAME_MAX];
};

struct routes {
    uint32_t magic;
    struct route *names;
    struct route *addresses;
};

struct routes *routes_new(void) {
    struct routes *r = calloc(1, sizeof *r);
    if (r)
        r->magic = ROUTES_MAGIC;
    return r;
}

static void table_free(struct route **table) {
    struct route *e, *next;
    HASH_ITER (hh, *table, e, next) {
        HASH_DEL(*table, e);
        free(e);
    }
}

void routes_free(struct routes **r) {
    if (!*r)
        return;
    MAGIC_CHECK(*r, ROUTES_MAGIC);
    table_free(&(*r)->names);
    table_free(&(*r)->addresses);
    (*r)->magic = 0;
    free(*r);
    *r = NULL;
}

static const char *table_find(struct route *table, struct view key) {
    struct route *e;
    HASH_FIND(hh, table, key.at, key.len, e);
    return e ? e->tenant : NULL;
}

static bool table_add(struct route **table, struct view key, const char *tenant) {
    const char *owner = table_find(*table, key);
    if (owner)
        return strcmp(owner, tenant) == 0;
    struct route *e = tenant_id_valid(view_text(tenant)) ? calloc(1, sizeof *e) : NULL;
    if (!e)
        return false;
    view_copy_text(view_text(tenant), e->tenant, sizeof e->tenant);
    e->len = (uint8_t)key.len;
    memcpy(e->key, key.at, key.len);
    HASH_ADD(hh, *table, key, e->len, e);
    if (e->hh.tbl)
        return true;
    free(e);
    return false;
}

static struct view address_key(const struct address *a, uint8_t key[ADDRESS_KEY]) {
    struct writer w = writer_of(key, ADDRESS_KEY);
    address_write(&w, a);
    assert(!w.bad);
    return writer_view(&w);
}

bool routes_add_name(struct routes *r, const char *name, const char *tenant) {
    MAGIC_CHECK(r, ROUTES_MAGIC);
    return host_name_valid(view_text(name)) && table_add(&r->names, view_text(name), tenant);
}

bool routes_add_address(struct routes *r, const struct address *local, const char *tenant) {
    MAGIC_CHECK(r, ROUTES_MAGIC);
    uint8_t key[ADDRESS_KEY];
    return local->family != 0 && local->port != 0 &&
           table_add(&r->addresses, address_key(local, key), tenant);
}

/* The tenant that owns the address it came in at: exactly that, or every address of its family, or (an IPv6
 * socket also takes IPv4) of any family. */
static const char *find_address(const struct routes *r, const struct address *local) {
    struct address tries[] = {
        *local, {.family = local->family, .port = local->port}, {.family = 6, .port = local->port}};
    const char *tenant = NULL;
    for (size_t i = 0; i < sizeof tries / sizeof tries[0] && !tenant && local->family != 0; i++) {
        uint8_t key[ADDRESS_KEY];
        tenant = table_find(r->addresses, address_key(&tries[i], key));
    }
    return tenant;
}

enum route_result routes_find(const struct routes *r, const char *server_name, const struct address *local,
                              const char **tenant) {
    MAGIC_CHECK(r, ROUTES_MAGIC);
    const char *by_address = find_address(r, local);
    *tenant = NULL;
    if (!server_name[0]) {
        *tenant = by_address;
        return by_address ? ROUTE_FOUND : ROUTE_NO_SIGNAL;
    }
    const char *by_name = table_find(r->names, view_text(server_name));
    if (by_address && by_name && strcmp(by_address, by_name) != 0)
        return ROUTE_DISAGREE;
    if (!by_name)
        return ROUTE_UNKNOWN;
    *tenant = by_name;
    return ROUTE_FOUND;
}
