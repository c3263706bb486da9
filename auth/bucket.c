/* SPDX-License-Identifier: ISC
 *
 * See bucket.h. A bucket is one number, the time at which it will be full again (the "theoretical arrival
 * time" of the generic cell rate algorithm, ITU-T I.371); eight neighbouring slots may hold a key.
 */
#include "bucket.h"
#include "magic.h"
#include "secret.h"

#include <stdlib.h>

#define BUCKETS_MAGIC 0x7bc4e2d9u
#define WAYS 8
#define SECOND_US INT64_C(1000000)

struct slot {
    uint64_t tag;    /* the key's hash; 0: free */
    int64_t full_us; /* when it will be full */
};

struct buckets {
    uint32_t magic;
    uint64_t seed;
    size_t slots;
    struct slot slot[];
};

struct buckets *buckets_new(size_t slots) {
    assert(slots > 0);
    slots = (slots + WAYS - 1) / WAYS * WAYS;
    struct buckets *b = calloc(1, sizeof *b + slots * sizeof b->slot[0]);
    if (!b)
        return NULL;
    b->magic = BUCKETS_MAGIC;
    b->slots = slots;
    secret_random(&b->seed, sizeof b->seed);
    return b;
}

void buckets_free(struct buckets **b) {
    if (!*b)
        return;
    MAGIC_CHECK(*b, BUCKETS_MAGIC);
    free(*b);
    *b = NULL;
}

/* FNV-1a from a random start; never 0. */
static uint64_t tag_of(const struct buckets *b, struct view key) {
    uint64_t hash = b->seed;
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ key.at[i]) * 0x100000001b3u;
    hash ^= hash >> 32;
    return hash ? hash : 1;
}

static struct slot *slot_of(struct buckets *b, uint64_t tag) {
    struct slot *first = &b->slot[tag % (b->slots / WAYS) * WAYS], *rested = first;
    for (size_t i = 0; i < WAYS; i++) {
        if (first[i].tag == tag)
            return &first[i];
        if (first[i].full_us < rested->full_us)
            rested = &first[i];
    }
    rested->tag = tag; /* and goes on from its full_us */
    return rested;
}

bool buckets_take(struct buckets *b, struct view key, uint32_t rate, uint32_t burst, int64_t mono_us) {
    MAGIC_CHECK(b, BUCKETS_MAGIC);
    assert(rate <= BUCKET_RATE_MAX && burst > 0);
    if (rate == 0)
        return true;
    struct slot *s = slot_of(b, tag_of(b, key));
    int64_t full_us = s->full_us > mono_us ? s->full_us : mono_us;
    int64_t each_us = SECOND_US / rate;
    if (full_us - mono_us > (int64_t)(burst - 1) * each_us)
        return false;
    s->full_us = full_us + each_us;
    return true;
}
