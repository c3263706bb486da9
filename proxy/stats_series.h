/* SPDX-License-Identifier: ISC
 *
 * Statistics pages, read: one series sums the pages of one tenant on one plane, or is one single process's.
 * What is in a cell's page may be a hostile cell's: every word is cut to what a reader can hold, sums do not
 * wrap, and what a page says counts only for the numbers its writer has, under the tenant that the page
 * belongs to. Pure.
 */
#ifndef SEKISHO_STATS_SERIES_H
#define SEKISHO_STATS_SERIES_H

#include "bytes.h"
#include "stats.h"

#define STATS_SERIES_MAGIC 0x57A75E41u
#define STATS_MOST (1ull << 53) /* of one word: what a double still counts exactly */
#define STATS_TENANT 41

/* Whose page it is; a bit each, the same as the roles of processes. */
enum stats_writer {
    STATS_GATE = 2,
    STATS_CELL = 4,
    STATS_LOBBY = 8,
    STATS_BROKER = 16,
    STATS_KEEPER = 32,
    STATS_LEDGER = 64,
    STATS_OPERATOR = 128,
    STATS_CONSOLE = 256,
    STATS_NOTIFIER = 512,
    STATS_CELLS = STATS_CELL | STATS_OPERATOR,
    STATS_SINGLES = STATS_GATE | STATS_LOBBY | STATS_BROKER | STATS_KEEPER | STATS_LEDGER | STATS_CONSOLE |
                    STATS_NOTIFIER,
    STATS_TOLD = 1 << 16 /* not in the page */
};

struct stats_number {
    const char *name, *unit, *help;
    enum stats_shape shape;
    unsigned writers; /* enum stats_writer */
    enum statistic at;
    size_t words;
};
size_t stats_count(void);
const struct stats_number *stats_number(size_t i);

struct stats_told { /* by the supervisor, of one page */
    uint32_t alive, starts, crashes;
};

struct stats_series {
    uint32_t magic;
    enum stats_writer writer;
    char tenant[STATS_TENANT]; /* of cells; else "" */
    uint64_t word[STATS_WORDS];
};

void stats_series_begin(struct stats_series *s, enum stats_writer writer, const char *tenant);
/* Adds a page: read once, word by word, while its owner goes on. */
void stats_series_add(struct stats_series *s, const uint64_t *words, const struct stats_told *told);
/* The sum of a number's words: of a histogram, how many there were. */
uint64_t stats_series_sum(const struct stats_series *s, enum statistic number);

/* Prometheus's text format 0.0.4, number by number; `line` gets each line with its newline. */
typedef void stats_line_fn(void *arg, struct view line);
void stats_write(const struct stats_series *all, size_t count, int64_t mono_us, stats_line_fn *line,
                 void *arg);

#endif
