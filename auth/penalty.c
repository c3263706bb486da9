/* SPDX-License-Identifier: ISC
 *
 * See penalty.h. A table for each kind of key, with slots of its own, so that a flood of invented user names
 * cannot push a network's count out. Strangers choose user names: keys are hashed with a secret of the
 * table's own, so nobody can aim at one bucket, and no name is kept.
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
#define SECOND_US INT64_C(1000000)
#define CANDIDATES 8 /* of the oldest entries: the one of them that failed least makes room */

struct entry {
    uint8_t key[DIGEST_LEN];
    uint32_t failures;   /* those that count */
    int64_t last_us;     /* when the last one was; of a known network: the last login */
    int64_t turn_us;     /* outcomes are promised up to here: the next one comes later */
    struct entry *spare; /* the next unused one */
    UT_hash_handle hh;   /* insertion order is the order of last_us: the head is the oldest */
};

struct table {
    struct entry *all; /* the memory of every entry */
    struct entry *spare;
    struct entry *used; /* uthash's head */
};

struct penalty {
    uint32_t magic;
    uint8_t secret[DIGEST_LEN];
    struct table users;    /* (tenant, user, network) */
    struct table networks; /* (tenant, network) */
    struct table spread;   /* (tenant, user) */
    struct table known;    /* (tenant, user, network) with a right password: strangers cannot fill it */
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

/* Not simply the oldest: a guesser with many networks must not push out what is held against him. */
static void table_make_room(struct table *t) {
    struct entry *least = t->used, *e = t->used;
    for (int i = 0; e && i < CANDIDATES; i++, e = e->hh.next)
        if (e->failures < least->failures)
            least = e;
    table_remove(t, least);
}

/* Puts a spare entry at the young end. NULL without memory for the hash itself. */
static struct entry *table_add(struct table *t, const uint8_t key[DIGEST_LEN]) {
    if (!t->spare)
        table_make_room(t);
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
    if (!table_init(&p->users, slots) || !table_init(&p->networks, slots) || !table_init(&p->spread, slots) ||
        !table_init(&p->known, slots))
        penalty_free(&p);
    return p;
}

void penalty_free(struct penalty **p) {
    if (!*p)
        return;
    MAGIC_CHECK(*p, PENALTY_MAGIC);
    struct table *const tables[] = {&(*p)->users, &(*p)->networks, &(*p)->spread, &(*p)->known};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        table_clear(tables[i]);
    secret_wipe(*p, sizeof **p);
    free(*p);
    *p = NULL;
}

/* The network first, of fixed length (zeros for all networks), then the tenant with its NUL, then the user,
 * who may be nobody in particular: no two triples make the same bytes within a table. */
static void make_key(const struct penalty *p, const char *tenant, struct view user,
                     const struct address *from, uint8_t key[DIGEST_LEN]) {
    static const struct address anywhere;
    struct address network = from ? address_network(from) : anywhere;
    const struct view parts[] = {view_of(&network.family, 1), view_of(network.bytes, sizeof network.bytes),
                                 view_of(tenant, strlen(tenant) + 1), user};
    digest_hmac(p->secret, parts, sizeof parts / sizeof parts[0], key);
}

static const struct view nobody = {NULL, 0};

static bool is_forgotten(const struct entry *e, int64_t mono_us) {
    return mono_us - e->last_us >= SECOND_US * PENALTY_FORGET_S;
}

/* free: how many failures cost nothing yet. */
static uint32_t delay_of(const struct entry *e, uint32_t free_failures, uint32_t most_ms, int64_t mono_us) {
    if (!e || is_forgotten(e, mono_us) || e->failures <= free_failures)
        return 0;
    uint32_t delay = PENALTY_FIRST_MS;
    for (uint32_t i = free_failures + 1; i < e->failures && delay < most_ms; i++)
        delay *= 2;
    return delay < most_ms ? delay : most_ms;
}

/* When the next outcome of a line may be told. */
static int64_t next_turn(const struct entry *e, uint32_t free_failures, int64_t mono_us) {
    uint32_t delay_ms = delay_of(e, free_failures, PENALTY_MOST_MS, mono_us);
    if (delay_ms == 0)
        return mono_us;
    return (e->turn_us > mono_us ? e->turn_us : mono_us) + (int64_t)delay_ms * 1000;
}

struct turns {                    /* the two lines a login stands in, and the moment it may be told at */
    struct entry *user, *network; /* NULL: none */
    int64_t user_us, network_us, at_us;
};

static void look(const struct penalty *p, const char *tenant, struct view user, const struct address *from,
                 int64_t mono_us, struct turns *out) {
    uint8_t key[DIGEST_LEN];
    make_key(p, tenant, user, from, key);
    const struct entry *known = table_find(&p->known, key);
    bool at_home = known && mono_us - known->last_us < SECOND_US * PENALTY_KNOWN_S;
    *out = (struct turns){.user = table_find(&p->users, key)};
    out->user_us = out->network_us = out->at_us = next_turn(out->user, PENALTY_USER_FREE, mono_us);
    if (at_home)
        return;
    make_key(p, tenant, nobody, from, key);
    out->network = table_find(&p->networks, key);
    out->network_us = next_turn(out->network, PENALTY_NETWORK_FREE, mono_us);
    make_key(p, tenant, user, NULL, key);
    uint32_t spread_ms =
        delay_of(table_find(&p->spread, key), PENALTY_SPREAD_FREE, PENALTY_SPREAD_MOST_MS, mono_us);
    int64_t spread_us = mono_us + (int64_t)spread_ms * 1000;
    if (out->network_us > out->at_us)
        out->at_us = out->network_us;
    if (spread_us > out->at_us)
        out->at_us = spread_us;
}

bool penalty_turn(struct penalty *p, const char *tenant, struct view user, const struct address *from,
                  uint32_t longest_ms, int64_t mono_us, uint32_t *wait_ms) {
    MAGIC_CHECK(p, PENALTY_MAGIC);
    struct turns t;
    look(p, tenant, user, from, mono_us, &t);
    int64_t wait = (t.at_us - mono_us + 999) / 1000;
    *wait_ms = 0;
    if (wait > longest_ms)
        return false;
    *wait_ms = (uint32_t)wait;
    if (t.user && t.user_us > mono_us)
        t.user->turn_us = t.user_us;
    if (t.network && t.network_us > mono_us)
        t.network->turn_us = t.network_us;
    return true;
}

bool penalty_crowded(const struct penalty *p, const char *tenant, struct view user,
                     const struct address *from, uint32_t longest_ms, int64_t mono_us) {
    MAGIC_CHECK(p, PENALTY_MAGIC);
    struct turns t;
    look(p, tenant, user, from, mono_us, &t);
    return (t.at_us - mono_us + 999) / 1000 > longest_ms;
}

/* Counts one more for key and makes its entry the youngest. */
static void count(struct table *t, const uint8_t key[DIGEST_LEN], int64_t mono_us) {
    struct entry *e = table_find(t, key);
    uint32_t before = e && !is_forgotten(e, mono_us) ? e->failures : 0;
    int64_t turn_us = e ? e->turn_us : 0;
    if (e)
        table_remove(t, e);
    e = table_add(t, key);
    if (!e)
        return;
    e->failures = before < UINT32_MAX ? before + 1 : before;
    e->last_us = mono_us;
    e->turn_us = turn_us;
}

void penalty_failed(struct penalty *p, const char *tenant, struct view user, const struct address *from,
                    int64_t mono_us) {
    MAGIC_CHECK(p, PENALTY_MAGIC);
    uint8_t key[DIGEST_LEN];
    make_key(p, tenant, user, from, key);
    count(&p->users, key, mono_us);
    make_key(p, tenant, nobody, from, key);
    count(&p->networks, key, mono_us);
    make_key(p, tenant, user, NULL, key);
    count(&p->spread, key, mono_us);
}

void penalty_passed(struct penalty *p, const char *tenant, struct view user, const struct address *from,
                    int64_t mono_us) {
    MAGIC_CHECK(p, PENALTY_MAGIC);
    uint8_t key[DIGEST_LEN];
    make_key(p, tenant, user, from, key);
    struct entry *e = table_find(&p->users, key);
    if (e)
        table_remove(&p->users, e);
    e = table_find(&p->known, key);
    if (e)
        table_remove(&p->known, e);
    e = table_add(&p->known, key);
    if (e)
        e->last_us = mono_us;
}
