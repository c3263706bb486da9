/* SPDX-License-Identifier: ISC
 *
 * See gate_guess.h. Four neighbouring slots may hold one network; the oldest of them makes room. The place is
 * drawn with a random seed, so that nobody can choose addresses that push out his own.
 */
#include "gate_guess.h"
#include "magic.h"
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUESSES_MAGIC 0x9e1f7a42u
#define WAYS 4
#define SECOND_US 1000000

struct slot {
    struct address network; /* family 0: free */
    char scope[41];
    uint32_t wrong;
    int64_t since_us, logged_us;
};

struct guesses {
    uint32_t magic;
    uint64_t seed;
    struct slot slot[GUESS_SLOTS];
};

struct guesses *guesses_new(void) {
    struct guesses *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->magic = GUESSES_MAGIC;
    secret_random(&g->seed, sizeof g->seed);
    return g;
}

void guesses_free(struct guesses **g) {
    if (!*g)
        return;
    MAGIC_CHECK(*g, GUESSES_MAGIC);
    free(*g);
    *g = NULL;
}

/* FNV-1a from a random start. */
static uint64_t mix(uint64_t hash, const void *at, size_t len) {
    const uint8_t *bytes = at;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

static size_t first_way(const struct guesses *g, const char *scope, const struct address *network) {
    uint64_t hash = mix(mix(g->seed, network->bytes, sizeof network->bytes), scope, strlen(scope));
    return (size_t)((hash ^ hash >> 32) % (GUESS_SLOTS / WAYS)) * WAYS;
}

static bool is_fresh(const struct slot *s, int64_t mono_us) {
    return s->network.family != 0 && mono_us - s->since_us < (int64_t)GUESS_WINDOW_S * SECOND_US;
}

static const struct slot *find(const struct guesses *g, const char *scope, const struct address *network,
                               int64_t mono_us) {
    size_t first = first_way(g, scope, network);
    for (size_t i = first; i < first + WAYS; i++) {
        const struct slot *s = &g->slot[i];
        if (is_fresh(s, mono_us) && address_equal(&s->network, network) && strcmp(s->scope, scope) == 0)
            return s;
    }
    return NULL;
}

bool guesses_blocked(const struct guesses *g, const char *scope, const struct address *from,
                     int64_t mono_us) {
    MAGIC_CHECK(g, GUESSES_MAGIC);
    struct address network = address_network(from);
    const struct slot *s = find(g, scope, &network, mono_us);
    return s && s->wrong >= GUESS_MOST;
}

static struct slot *take_oldest(struct guesses *g, const char *scope, const struct address *network,
                                int64_t mono_us) {
    size_t first = first_way(g, scope, network);
    struct slot *oldest = &g->slot[first];
    for (size_t i = first; i < first + WAYS; i++) {
        struct slot *s = &g->slot[i];
        if (!is_fresh(s, mono_us)) {
            oldest = s;
            break;
        }
        if (s->since_us < oldest->since_us)
            oldest = s;
    }
    *oldest = (struct slot){.network = *network, .since_us = mono_us, .logged_us = mono_us - SECOND_US};
    snprintf(oldest->scope, sizeof oldest->scope, "%s", scope);
    return oldest;
}

bool guesses_wrong(struct guesses *g, const char *scope, const struct address *from, int64_t mono_us) {
    MAGIC_CHECK(g, GUESSES_MAGIC);
    struct address network = address_network(from);
    const struct slot *found = find(g, scope, &network, mono_us);
    struct slot *s = found ? &g->slot[found - g->slot] : take_oldest(g, scope, &network, mono_us);
    if (s->wrong < UINT32_MAX)
        s->wrong++;
    if (mono_us - s->logged_us < SECOND_US)
        return false;
    s->logged_us = mono_us;
    return true;
}
