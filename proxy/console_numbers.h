/* SPDX-License-Identifier: ISC
 *
 * Statistics as rows of the console: SHOW STATS (since the node started) and SHOW POOLS (now), a row a tenant
 * and plane. Pure.
 */
#ifndef SEKISHO_CONSOLE_NUMBERS_H
#define SEKISHO_CONSOLE_NUMBERS_H

#include "console_table.h"
#include "stats_series.h"

void show_stats(struct console_table *t, const struct stats_series *all, size_t count);
void show_pools(struct console_table *t, const struct stats_series *all, size_t count);

#endif
