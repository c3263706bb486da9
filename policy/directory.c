/* SPDX-License-Identifier: ISC
 *
 * The snapshot: every tenant once, and an index of what may belong to one tenant only (ids, host names,
 * listen addresses). Grows while it is built, never changes after. Memory only; one process, one thread.
 */
#define HASH_NONFATAL_OOM 1 /* an element that could not be added has hh.tbl NULL */
#include "directory.h"
#include "magic.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define SNAPSHOT_MAGIC 0x5A4B5401u
#define ADDRESS_KEY 19 /* bytes of address_write: no padding, unlike the struct */

struct entry { /* one tenant, by id */
    UT_hash_handle hh;
    struct tenant tenant;
};

struct claim { /* one host name or listen address, and whose it is */
    UT_hash_handle hh;
    const struct tenant *owner;
    size_t len;
    uint8_t key[TENANT_NAME_MAX + 1];
};

struct operator_entry { /* one operator, by id */
    UT_hash_handle hh;
    struct operator row;
};

struct snapshot {
    uint32_t magic;
    uint64_t version;
    struct moment taken;
    char domain[TENANT_NAME_MAX + 1]; /* "": not checked */
    struct entry *by_id;
    struct claim *names;
    struct claim *addresses;
    struct operator_entry *operators;
    struct entry **sorted; /* by id; count of cap are used */
    size_t count;
    size_t cap;
};

struct snapshot *snapshot_new(uint64_t version, struct moment taken) {
    struct snapshot *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->magic = SNAPSHOT_MAGIC;
    s->version = version;
    s->taken = taken;
    return s;
}

static void claims_free(struct claim **table) {
    struct claim *c, *next;
    HASH_ITER (hh, *table, c, next) {
        HASH_DEL(*table, c);
        free(c);
    }
}

static void operators_free(struct operator_entry **table) {
    struct operator_entry *o, *next;
    HASH_ITER (hh, *table, o, next) {
        HASH_DEL(*table, o);
        free(o);
    }
}

static void entry_free(struct entry **e) {
    tenant_end(&(*e)->tenant);
    free(*e);
    *e = NULL;
}

void snapshot_free(struct snapshot **s) {
    if (!*s)
        return;
    MAGIC_CHECK(*s, SNAPSHOT_MAGIC);
    claims_free(&(*s)->names);
    claims_free(&(*s)->addresses);
    operators_free(&(*s)->operators);
    HASH_CLEAR(hh, (*s)->by_id);
    for (size_t i = 0; i < (*s)->count; i++)
        entry_free(&(*s)->sorted[i]);
    free((*s)->sorted);
    (*s)->magic = 0;
    free(*s);
    *s = NULL;
}

void snapshot_domain(struct snapshot *s, const char *domain) {
    MAGIC_CHECK(s, SNAPSHOT_MAGIC);
    assert(s->count == 0);
    bool fits = text_lower_into(view_text(domain), s->domain, sizeof s->domain);
    assert(fits);
    (void)fits;
}

static struct claim *claim_find(struct claim *table, struct view key) {
    struct claim *c;
    HASH_FIND(hh, table, key.at, key.len, c);
    return c;
}

/* The key is free: the caller has looked. False without memory. */
static bool claim_add(struct claim **table, struct view key, const struct tenant *owner) {
    struct claim *c = calloc(1, sizeof *c);
    if (!c)
        return false;
    assert(key.len <= sizeof c->key);
    c->owner = owner;
    c->len = key.len;
    memcpy(c->key, key.at, key.len);
    HASH_ADD(hh, *table, key, c->len, c);
    if (c->hh.tbl)
        return true;
    free(c);
    return false;
}

static struct view address_key(const struct address *a, uint8_t key[ADDRESS_KEY]) {
    struct writer w = writer_of(key, ADDRESS_KEY);
    address_write(&w, a);
    assert(!w.bad);
    return writer_view(&w);
}

static struct entry *entry_find(const struct snapshot *s, struct view id) {
    struct entry *e;
    HASH_FIND(hh, s->by_id, id.at, id.len, e);
    return e;
}

/* The label in front of ".<domain>", when the name is exactly that; empty otherwise. */
static struct view label_under_domain(const struct snapshot *s, const char *name) {
    size_t n = strlen(name), d = strlen(s->domain);
    if (d == 0 || n < d + 2 || name[n - d - 1] != '.' || strcmp(name + n - d, s->domain) != 0)
        return view_of(NULL, 0);
    return view_of(name, n - d - 1);
}

static const char *host_taken(const struct snapshot *s, const struct tenant *t, const char *host) {
    if (claim_find(s->names, view_text(host)))
        return "a host name is already another tenant's";
    struct view label = label_under_domain(s, host);
    if (label.len > 0 && !view_equal_text(label, t->id) && entry_find(s, label))
        return "a host name is another tenant's name under the domain";
    return NULL;
}

/* Whether a host name of somebody else is <id>.<domain>. */
static bool own_name_taken(const struct snapshot *s, const char *id) {
    char name[TENANT_ID_MAX + TENANT_NAME_MAX + 2];
    struct writer w = writer_of(name, sizeof name);
    writer_text(&w, id);
    writer_u8(&w, '.');
    writer_text(&w, s->domain);
    return s->domain[0] && claim_find(s->names, writer_view(&w));
}

/* Why t cannot join those that are here, or NULL. */
static const char *conflict(const struct snapshot *s, const struct tenant *t) {
    if (entry_find(s, view_text(t->id)))
        return "the id is given twice";
    if (own_name_taken(s, t->id))
        return "the name under the domain is already another tenant's host name";
    for (size_t i = 0; i < t->host_count; i++) {
        const char *why = host_taken(s, t, t->host[i]);
        if (why)
            return why;
    }
    for (size_t i = 0; i < t->listen_count; i++) {
        uint8_t key[ADDRESS_KEY];
        if (claim_find(s->addresses, address_key(&t->listen[i], key)))
            return "a listen address is already another tenant's";
    }
    return NULL;
}

static bool make_room(struct snapshot *s) {
    if (s->count < s->cap)
        return true;
    size_t cap = s->cap ? 2 * s->cap : 64;
    struct entry **grown = realloc(s->sorted, cap * sizeof *grown);
    if (!grown)
        return false;
    s->sorted = grown;
    s->cap = cap;
    return true;
}

/* The keeper sends tenants in the order of ids, so the place is almost always the end. */
static void place(struct snapshot *s, struct entry *e) {
    size_t at = s->count;
    for (; at > 0 && strcmp(s->sorted[at - 1]->tenant.id, e->tenant.id) > 0; at--)
        s->sorted[at] = s->sorted[at - 1];
    s->sorted[at] = e;
    s->count++;
}

/* Puts e into every index. A claim that was made stays when a later one fails: the caller gives the whole
 * snapshot up. */
static bool claim_all(struct snapshot *s, struct entry *e) {
    const struct tenant *t = &e->tenant;
    for (size_t i = 0; i < t->host_count; i++)
        if (!claim_add(&s->names, view_text(t->host[i]), t))
            return false;
    for (size_t i = 0; i < t->listen_count; i++) {
        uint8_t key[ADDRESS_KEY];
        if (!claim_add(&s->addresses, address_key(&t->listen[i], key), t))
            return false;
    }
    return true;
}

bool snapshot_add(struct snapshot *s, struct tenant *t, const char **why) {
    MAGIC_CHECK(s, SNAPSHOT_MAGIC);
    struct entry *e = NULL;
    if (tenant_check(t, why))
        *why = conflict(s, t);
    if (!*why && (!make_room(s) || !(e = calloc(1, sizeof *e))))
        *why = "out of memory";
    if (*why) {
        tenant_end(t);
        return false;
    }
    e->tenant = *t;
    memset(t, 0, sizeof *t); /* its texts have moved */
    HASH_ADD_KEYPTR(hh, s->by_id, e->tenant.id, strlen(e->tenant.id), e);
    if (!e->hh.tbl) {
        entry_free(&e);
        *why = "out of memory";
        return false;
    }
    place(s, e);
    if (!claim_all(s, e)) {
        *why = "out of memory";
        return false;
    }
    return true;
}

uint64_t snapshot_version(const struct snapshot *s) {
    MAGIC_CHECK(s, SNAPSHOT_MAGIC);
    return s->version;
}

struct moment snapshot_taken(const struct snapshot *s) {
    MAGIC_CHECK(s, SNAPSHOT_MAGIC);
    return s->taken;
}

size_t snapshot_count(const struct snapshot *s) {
    MAGIC_CHECK(s, SNAPSHOT_MAGIC);
    return s->count;
}

const struct tenant *snapshot_tenant(const struct snapshot *s, const char *id) {
    MAGIC_CHECK(s, SNAPSHOT_MAGIC);
    const struct entry *e = entry_find(s, view_text(id));
    return e ? &e->tenant : NULL;
}

const struct tenant *snapshot_at(const struct snapshot *s, size_t index) {
    MAGIC_CHECK(s, SNAPSHOT_MAGIC);
    assert(index < s->count);
    return &s->sorted[index]->tenant;
}

static struct operator_entry *operator_find(const struct snapshot *s, const char *id) {
    struct operator_entry *e;
    HASH_FIND(hh, s->operators, id, strlen(id), e);
    return e;
}

bool snapshot_add_operator(struct snapshot *s, const struct operator* o, const char **why) {
    MAGIC_CHECK(s, SNAPSHOT_MAGIC);
    struct operator_entry *e = NULL;
    if (operator_check(o, why) && operator_find(s, o->id))
        *why = "the operator is already there";
    if (!*why && !(e = calloc(1, sizeof *e)))
        *why = "out of memory";
    if (*why)
        return false;
    e->row = *o;
    HASH_ADD_KEYPTR(hh, s->operators, e->row.id, strlen(e->row.id), e);
    if (e->hh.tbl)
        return true;
    free(e);
    *why = "out of memory";
    return false;
}

size_t snapshot_operators(const struct snapshot *s) {
    MAGIC_CHECK(s, SNAPSHOT_MAGIC);
    return HASH_COUNT(s->operators);
}

const struct operator* snapshot_operator(const struct snapshot *s, const char *id) {
    MAGIC_CHECK(s, SNAPSHOT_MAGIC);
    const struct operator_entry *e = operator_find(s, id);
    return e ? &e->row : NULL;
}
