/* SPDX-License-Identifier: ISC
 *
 * Everybody's statistics pages as the console sees them: the supervisor says whose they are and who lives,
 * the pages say the numbers. Read-only: nothing that is in a page is believed beyond its own tenant's
 * numbers.
 */
#ifndef SEKISHO_CONSOLE_STATS_H
#define SEKISHO_CONSOLE_STATS_H

#include "channel.h"
#include "stats_series.h"

/* STATS_PLACE, STATS_OWNER or STATS_GONE; takes over fd. False: it does not parse. */
bool console_stats_message(enum message_code m, struct reader *body, int fd);
/* All numbers now: single processes, then tenants in the order in which they came. Those beyond `tenants` on
 * a plane are summed up as the tenant "_others". The caller frees. */
struct stats_series *console_stats_collect(size_t tenants, size_t *count);
/* "": every process of the node runs. Else which does not. */
const char *console_stats_dead(void);
/* "": a new session would be served. Else why not. directory_ms: how old the directory may be. */
const char *console_stats_unready(uint32_t directory_ms, int64_t mono_us);

#endif
