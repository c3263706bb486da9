/* SPDX-License-Identifier: ISC
 *
 * See stats.h.
 */
#include "stats.h"

static uint64_t unread[STATS_WORDS];
uint64_t *stats_words = unread;

void stats_begin(uint64_t *words) {
    assert(words);
    stats_words = words;
}

void stats_time(enum statistic histogram, int64_t us) {
    static const uint32_t bounds[] = STATS_BOUNDS;
    _Static_assert(sizeof bounds / sizeof bounds[0] == STATS_BUCKETS - 1, "one bucket has no bound");
    uint64_t spent = us > 0 ? (uint64_t)us : 0;
    size_t i = 0;
    while (i < STATS_BUCKETS - 1 && spent > bounds[i])
        i++;
    stats_add(histogram + i, 1);
    stats_add(histogram + STATS_BUCKETS, spent);
}
