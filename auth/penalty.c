/* SPDX-License-Identifier: ISC
 *
 * See penalty.h. Two tables, of guesses per (tenant, user, network) and per (tenant, network), each with its
 * own slots, so that a flood of invented user names cannot push a network's count out. Strangers choose user
 * names: keys are hashed with a secret of the table's own, so nobody can aim at one bucket, and no name is
 * kept.
 */
#include "penalty.h"
#include "digest.h"
#include "magic.h"
#include "secret.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define PENALTY_MAGIC 0x9e4a17e5u

struct entry {
    uint8_t key[DIGEST_LEN];
    uint32_t failures;   /* those that count; at least 1 */
    uint64_t proof;      /* of the last one */
    int64_t last_us;     /* when it was */
    struct entry *spare; /* the next unused one */
    UT_hash_handle hh;   /* insertion order is the order of the last failure: the head is the oldest */
};

struct table {
    struct entry *all; /* the memory of every entry */
    struct entry *spare;
    struct entry *used; /* uthash's head */
};

struct penalty {
    uint32_t magic;
    uint8_t secret[DIGEST_LEN];
    struct table users;
    struct table networks;
};

static bool table_init(struct table *t, size_t slots) {
    t->all = calloc(slots, sizeof *t->all);
    for (size_t i = 0; t->all && i < slots; i++) {
        t->all[i].spare = t->spare;
        t->spare = &t->all[i];
    }
    return t->all != NULL;
}

static void table_clear(struct table *t) {
    HASH_CLEAR(hh, t->used);
    free(t->all);
}

static struct entry *table_find(const struct table *t, const uint8_t key[DIGEST_LEN]) {
    struct entry *e;
    HASH_FIND(hh, t->used, key, DIGEST_LEN, e);
    return e;
}

static void table_remove(struct table *t, struct entry *e) {
    HASH_DELETE(hh, t->used, e);
    e->spare = t->spare;
    t->spare = e;
}

/* Puts a spare entry at the young end; the oldest makes room. NULL without memory for the hash itself. */
static struct entry *table_add(struct table *t, const uint8_t key[DIGEST_LEN]) {
    if (!t->spare)
        table_remove(t, t->used);
    struct entry *e = t->spare;
    struct entry *next = e->spare;
    memset(e, 0, sizeof *e);
    memcpy(e->key, key, DIGEST_LEN);
    HASH_ADD(hh, t->used, key, DIGEST_LEN, e);
    if (!e->hh.tbl) {
        e->spare = next;
        return NULL;
    }
    t->spare = next;
    return e;
}

struct penalty *penalty_new(size_t slots) {
    assert(slots > 0);
    struct penalty *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->magic = PENALTY_MAGIC;
    secret_random(p->secret, sizeof p->secret);
    if (!table_init(&p->users, slots) || !table_init(&p->networks, slots))
        penalty_free(&p);
    return p;
}

void penalty_free(struct penalty **p) {
    if (!*p)
        return;
    MAGIC_CHECK(*p, PENALTY_MAGIC);
    table_clear(&(*p)->users);
    table_clear(&(*p)->networks);
    secret_wipe(*p, sizeof **p);
    free(*p);
    *p = NULL;
}

static void network_key(const struct penalty *p, const char *tenant, const struct address *from,
                        uint8_t key[DIGEST_LEN]) {
    struct address network = address_network(from);
    const struct view parts[] = {view_of(&network.family, 1), view_of(network.bytes, sizeof network.bytes),
                                 view_of(tenant, strlen(tenant) + 1)};
    digest_hmac(p->secret, parts, sizeof parts / sizeof parts[0], key);
}

/* The network first, of fixed length, then the tenant with its NUL: no two triples make the same bytes. A
 * user's key has its user behind that, which is never empty, and the two kinds are in tables of their own. */
static void user_key(const struct penalty *p, const char *tenant, struct view user,
                     const struct address *from, uint8_t key[DIGEST_LEN]) {
    struct address network = address_network(from);
    const struct view parts[] = {view_of(&network.family, 1), view_of(network.bytes, sizeof network.bytes),
                                 view_of(tenant, strlen(tenant) + 1), user};
    digest_hmac(p->secret, parts, sizeof parts / sizeof parts[0], key);
}

static bool is_forgotten(const struct entry *e, int64_t mono_us) {
    return mono_us - e->last_us >= INT64_C(1000000) * PENALTY_FORGET_S;
}

/* free: how many failures cost nothing yet. */
static uint32_t delay_of(const struct entry *e, uint32_t free_failures, int64_t mono_us) {
    if (!e || is_forgotten(e, mono_us) || e->failures <= free_failures)
        return 0;
    uint32_t delay = PENALTY_FIRST_MS;
    for (uint32_t i = free_failures + 1; i < e->failures && delay < PENALTY_MOST_MS; i++)
        delay *= 2;
    return delay < PENALTY_MOST_MS ? delay : PENALTY_MOST_MS;
}

uint32_t penalty_delay(struct penalty *p, const char *tenant, struct view user, const struct address *from,
                       int64_t mono_us) {
    MAGIC_CHECK(p, PENALTY_MAGIC);
    uint8_t key[DIGEST_LEN];
    user_key(p, tenant, user, from, key);
    uint32_t by_user = delay_of(table_find(&p->users, key), PENALTY_USER_FREE, mono_us);
    network_key(p, tenant, from, key);
    uint32_t by_network = delay_of(table_find(&p->networks, key), PENALTY_NETWORK_FREE, mono_us);
    return by_user > by_network ? by_user : by_network;
}

/* Counts one more for key and makes its entry the youngest. */
static void count(struct table *t, const uint8_t key[DIGEST_LEN], uint64_t proof, int64_t mono_us) {
    struct entry *e = table_find(t, key);
    uint32_t before = e && !is_forgotten(e, mono_us) ? e->failures : 0;
    if (e)
        table_remove(t, e);
    e = table_add(t, key);
    if (!e)
        return;
    e->failures = before < UINT32_MAX ? before + 1 : before;
    e->proof = proof;
    e->last_us = mono_us;
}

void penalty_failed(struct penalty *p, const char *tenant, struct view user, const struct address *from,
                    uint64_t proof, int64_t mono_us) {
    MAGIC_CHECK(p, PENALTY_MAGIC);
    uint8_t key[DIGEST_LEN];
    user_key(p, tenant, user, from, key);
    const struct entry *e = table_find(&p->users, key);
    if (e && proof != 0 && e->proof == proof && !is_forgotten(e, mono_us))
        return;
    count(&p->users, key, proof, mono_us);
    network_key(p, tenant, from, key);
    count(&p->networks, key, proof, mono_us);
}

void penalty_passed(struct penalty *p, const char *tenant, struct view user, const struct address *from) {
    MAGIC_CHECK(p, PENALTY_MAGIC);
    uint8_t key[DIGEST_LEN];
    user_key(p, tenant, user, from, key);
    struct entry *e = table_find(&p->users, key);
    if (e)
        table_remove(&p->users, e);
}
