/* SPDX-License-Identifier: ISC
 *
 * What a process counts, in its statistics page: aligned 64-bit words with one writer, stored without lock
 * and without system call, read by the console while they change. A process that was given no page counts all
 * the same, where nobody looks. This half is for who counts; stats_series.h is for who shows.
 */
#ifndef SEKISHO_STATS_H
#define SEKISHO_STATS_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define STATS_PAGE 4096 /* bytes */
#define STATS_WORDS (STATS_PAGE / sizeof(uint64_t))

enum {
#define REFUSAL(code, name) STATS_REFUSAL_##code,
#include "refusals.def"
#undef REFUSAL
    STATS_REFUSALS
};
enum {
#define CLOSE(code, name) STATS_CLOSE_##code,
#include "close_reasons.def"
#undef CLOSE
    STATS_CLOSES
};

/* Upper bounds of a histogram's buckets in microseconds; one more takes what is longer. */
#define STATS_BOUNDS                                                                                         \
    {                                                                                                        \
        100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000,      \
            5000000, 10000000, 30000000                                                                      \
    }
#define STATS_BUCKETS 18
#define STATS_HISTOGRAM (STATS_BUCKETS + 1) /* words: the buckets, not summed up, and the sum */

enum stats_shape { /* what a number is, and how many words it takes */
                   STATS_IS_COUNTER,
                   STATS_IS_GAUGE,
                   STATS_IS_STAMP, /* microseconds of clock_now().mono_us; 0: not yet */
                   STATS_IS_HISTOGRAM,
                   STATS_IS_REFUSALS,
                   STATS_IS_CLOSES
};

struct stats_layout {
#define STATS_OF_COUNTER 1
#define STATS_OF_GAUGE 1
#define STATS_OF_STAMP 1
#define STATS_OF_HISTOGRAM STATS_HISTOGRAM
#define STATS_OF_REFUSALS STATS_REFUSALS
#define STATS_OF_CLOSES STATS_CLOSES
#define STAT(code, shape, writers, name, unit, help) uint64_t code[STATS_OF_##shape];
#include "stats.def"
};
_Static_assert(sizeof(struct stats_layout) <= STATS_PAGE, "every number fits the page");

enum statistic { /* the first word of each */
#define STAT(code, shape, writers, name, unit, help)                                                         \
    STATS_##code = offsetof(struct stats_layout, code) / sizeof(uint64_t),
#include "stats.def"
};

extern uint64_t *stats_words; /* ours, STATS_WORDS of them; never NULL */

static inline void stats_set(size_t at, uint64_t value) {
    __atomic_store_n(&stats_words[at], value, __ATOMIC_RELAXED);
}

static inline void stats_add(size_t at, uint64_t n) {
    stats_set(at, __atomic_load_n(&stats_words[at], __ATOMIC_RELAXED) + n);
}

/* Of a gauge. */
static inline void stats_sub(size_t at, uint64_t n) {
    stats_set(at, __atomic_load_n(&stats_words[at], __ATOMIC_RELAXED) - n);
}

/* One more in a histogram; less than nothing counts as nothing. */
void stats_time(enum statistic histogram, int64_t us);

/* From now on we count in `words` (STATS_WORDS of them, which live as long as the process). */
void stats_begin(uint64_t *words);

#endif
