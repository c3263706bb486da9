/* SPDX-License-Identifier: ISC
 *
 * See console_numbers.h.
 */
#include "console_numbers.h"

#include <stdio.h>

/* Which series a row is about. False for a single process's. */
static bool begin_row(struct console_table *t, const struct stats_series *s) {
    if (!(s->writer & STATS_CELLS))
        return false;
    rows_text(t, s->tenant);
    rows_text(t, s->writer == STATS_OPERATOR ? "operators" : "tenants");
    return true;
}

static void numbers(struct console_table *t, const struct stats_series *s, const enum statistic *which,
                    size_t count) {
    for (size_t i = 0; i < count; i++)
        rows_number(t, stats_series_sum(s, which[i]));
}

/* "12.345", of a histogram's times; NULL while there is none. */
static void mean_ms(struct console_table *t, const struct stats_series *s, enum statistic histogram) {
    uint64_t count = stats_series_sum(s, histogram);
    char text[32];
    if (count == 0) {
        rows_null(t);
        return;
    }
    uint64_t us = s->word[histogram + STATS_BUCKETS] / count;
    snprintf(text, sizeof text, "%llu.%03llu", (unsigned long long)us / 1000, (unsigned long long)us % 1000);
    rows_text(t, text);
}

void show_stats(struct console_table *t, const struct stats_series *all, size_t count) {
    static const enum statistic which[] = {STATS_CONNECTIONS, STATS_LOGINS, STATS_REFUSED,
                                           STATS_RECEIVED,    STATS_SENT,   STATS_TRANSACTIONS};
    static const enum statistic cells[] = {STATS_CELL_STARTS, STATS_CELL_CRASHES};
    for (size_t i = 0; i < count; i++) {
        if (!begin_row(t, &all[i]))
            continue;
        numbers(t, &all[i], which, sizeof which / sizeof which[0]);
        mean_ms(t, &all[i], STATS_LOGIN_TIME);
        mean_ms(t, &all[i], STATS_CONNECT_TIME);
        numbers(t, &all[i], cells, sizeof cells / sizeof cells[0]);
    }
}

void show_pools(struct console_table *t, const struct stats_series *all, size_t count) {
    static const enum statistic which[] = {STATS_CELLS_ALIVE, STATS_CONNECTIONS_OPEN, STATS_SESSIONS_OPEN,
                                           STATS_QUEUED};
    for (size_t i = 0; i < count; i++)
        if (begin_row(t, &all[i]))
            numbers(t, &all[i], which, sizeof which / sizeof which[0]);
}
