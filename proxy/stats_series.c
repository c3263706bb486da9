/* SPDX-License-Identifier: ISC
 *
 * See stats_series.h.
 */
#include "stats_series.h"
#include "magic.h"

#include <stdio.h>
#include <string.h>

static const struct stats_number numbers[] = {
#define GATE STATS_GATE
#define LOBBY STATS_LOBBY
#define BROKER STATS_BROKER
#define LEDGER STATS_LEDGER
#define CONSOLE STATS_CONSOLE
#define CELLS STATS_CELLS
#define SINGLES STATS_SINGLES
#define TOLD STATS_TOLD
#define STAT(code, shape, writers, name, unit, help)                                                         \
    {name, unit, help, STATS_IS_##shape, writers, STATS_##code, STATS_OF_##shape},
#include "stats.def"
};

size_t stats_count(void) {
    return sizeof numbers / sizeof numbers[0];
}

const struct stats_number *stats_number(size_t i) {
    assert(i < stats_count());
    return &numbers[i];
}

void stats_series_begin(struct stats_series *s, enum stats_writer writer, const char *tenant) {
    *s = (struct stats_series){.magic = STATS_SERIES_MAGIC, .writer = writer};
    snprintf(s->tenant, sizeof s->tenant, "%s", tenant);
}

static uint64_t sum(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void add_told(struct stats_series *s, const struct stats_told *told) {
    s->word[STATS_CELLS_ALIVE] += told->alive;
    s->word[STATS_PROCESS_ALIVE] += told->alive;
    s->word[STATS_CELL_STARTS] += told->starts;
    s->word[STATS_CELL_CRASHES] += told->crashes;
    s->word[STATS_PROCESS_RESTARTS] += told->starts > 0 ? told->starts - 1 : 0;
}

void stats_series_add(struct stats_series *s, const uint64_t *words, const struct stats_told *told) {
    MAGIC_CHECK(s, STATS_SERIES_MAGIC);
    for (size_t i = 0; i < stats_count(); i++) {
        const struct stats_number *n = &numbers[i];
        if (n->writers & STATS_TOLD || !(n->writers & s->writer))
            continue;
        for (size_t w = n->at; w < n->at + n->words; w++) {
            uint64_t value = __atomic_load_n(&words[w], __ATOMIC_RELAXED);
            s->word[w] = sum(s->word[w], value < STATS_MOST ? value : STATS_MOST);
        }
    }
    add_told(s, told);
}

static const struct stats_number *number_at(enum statistic at) {
    size_t i = 0;
    while (numbers[i].at != at)
        i++;
    return &numbers[i];
}

static uint64_t sum_of(const struct stats_series *s, const struct stats_number *n) {
    uint64_t total = 0;
    size_t words = n->shape == STATS_IS_HISTOGRAM ? STATS_BUCKETS : n->words;
    for (size_t w = 0; w < words; w++)
        total = sum(total, s->word[n->at + w]);
    return total;
}

uint64_t stats_series_sum(const struct stats_series *s, enum statistic number) {
    MAGIC_CHECK(s, STATS_SERIES_MAGIC);
    return sum_of(s, number_at(number));
}
