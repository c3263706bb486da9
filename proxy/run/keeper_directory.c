/* SPDX-License-Identifier: ISC
 *
 * See keeper_directory.h.
 */
#include "keeper_directory.h"
#include "keeper_names.h"
#include "magic.h"
#include "secret.h"

#include <stdlib.h>
#include <string.h>

#define DIRECTORY_MAGIC 0xD13EC70Bu

struct entry {
    struct tenant tenant;
    char role[64], password[129]; /* of the auth query; "" for none */
};

struct list {
    size_t count, cap;
    struct entry *entry;
};

struct directory {
    uint32_t magic;
    bool known;
    bool stale; /* the DNS gave other addresses */
    struct list list;
    struct names *names;
};

static void on_names_changed(void *arg) {
    struct directory *d = arg;
    d->stale = true;
}

struct directory *directory_new(struct event_base *base) {
    struct directory *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    d->magic = DIRECTORY_MAGIC;
    d->names = names_new(base, on_names_changed, d);
    return d;
}

static void list_end(struct list *l) {
    for (size_t i = 0; i < l->count; i++) {
        tenant_end(&l->entry[i].tenant);
        secret_wipe(l->entry[i].password, sizeof l->entry[i].password);
    }
    free(l->entry);
    *l = (struct list){0};
}

static bool take(void *arg, struct tenant *t) {
    struct list *l = arg;
    if (l->count == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        struct entry *more = calloc(cap, sizeof *more);
        if (!more)
            abort();
        if (l->count) {
            memcpy(more, l->entry, l->count * sizeof *more);
            secret_wipe(l->entry, l->count * sizeof *more);
        }
        free(l->entry);
        l->entry = more;
        l->cap = cap;
    }
    l->entry[l->count++].tenant = *t;
    t->instance_ca = t->client_certificate = t->client_key = NULL; /* ours now */
    return true;
}

static enum store_result take_credentials(struct store *s, struct list *l) {
    for (size_t i = 0; i < l->count; i++) {
        struct entry *e = &l->entry[i];
        enum store_result r = s->driver->auth_get(s, e->tenant.id, e->role, e->password);
        if (r == STORE_NOT_FOUND)
            e->role[0] = e->password[0] = '\0';
        else if (r != STORE_OK)
            return r;
    }
    return STORE_OK;
}

/* True when any tenant's addresses are not what they were. */
static bool resolve(struct directory *d, struct list *l) {
    bool changed = false;
    d->stale = false; /* before: a name that is answered at once, from a file, makes it stale again */
    names_begin(d->names);
    for (size_t i = 0; i < l->count; i++) {
        struct tenant *t = &l->entry[i].tenant;
        struct address found[TENANT_ADDRESSES_MAX];
        size_t n = names_find(d->names, t->instance_host, t->instance_port, found);
        bool same = n == t->address_count;
        for (size_t k = 0; same && k < n; k++)
            same = address_equal(&found[k], &t->address[k]);
        changed = changed || !same;
        t->address_count = n;
        for (size_t k = 0; k < n; k++)
            t->address[k] = found[k];
    }
    names_end(d->names);
    return changed;
}

static void tell(const struct list *l, struct lookups *lookups) {
    lookups_begin(lookups);
    for (size_t i = 0; i < l->count; i++)
        lookups_tenant(lookups, &l->entry[i].tenant, l->entry[i].role, l->entry[i].password);
    lookups_end(lookups);
}

enum store_result directory_read(struct directory *d, struct store *s, bool empty_is_good,
                                 struct lookups *l) {
    MAGIC_CHECK(d, DIRECTORY_MAGIC);
    struct list fresh = {0};
    enum store_result r = s->driver->tenants(s, take, &fresh);
    if (r == STORE_OK)
        r = take_credentials(s, &fresh);
    if (r == STORE_OK && fresh.count == 0 && d->list.count > 0 && !empty_is_good)
        r = STORE_NOT_FOUND;
    if (r != STORE_OK) {
        list_end(&fresh);
        return r;
    }
    resolve(d, &fresh);
    if (d->stale) /* names that a file answers are known at once */
        resolve(d, &fresh);
    tell(&fresh, l);
    list_end(&d->list);
    d->list = fresh;
    d->known = true;
    return STORE_OK;
}

bool directory_resolve(struct directory *d, struct lookups *l) {
    MAGIC_CHECK(d, DIRECTORY_MAGIC);
    if (!d->stale || !resolve(d, &d->list))
        return false;
    tell(&d->list, l);
    return true;
}

bool directory_known(const struct directory *d) {
    MAGIC_CHECK(d, DIRECTORY_MAGIC);
    return d->known;
}

size_t directory_count(const struct directory *d) {
    return d->list.count;
}

const struct tenant *directory_at(const struct directory *d, size_t index) {
    assert(index < d->list.count);
    return &d->list.entry[index].tenant;
}
