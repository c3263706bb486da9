/* SPDX-License-Identifier: ISC
 *
 * Token buckets: how often somebody may do something, so many a second and a burst. A table of fixed size,
 * however many somebodies are invented. When it is full, who has rested longest makes room, and whoever takes
 * the place of one who had not rested begins where that one was: thousands of invented keys gain nothing.
 * Pure: time is a parameter.
 */
#ifndef SEKISHO_BUCKET_H
#define SEKISHO_BUCKET_H

#include "bytes.h"

#define BUCKET_RATE_MAX 1000000

struct buckets;

/* slots: rounded up to a multiple of eight. Keys are mixed with a random seed of the table's own: nobody can
 * choose whose place they take. NULL without memory. */
struct buckets *buckets_new(size_t slots);
void buckets_free(struct buckets **b);
/* Takes one token. rate: a second, at most BUCKET_RATE_MAX; 0: no limit. burst: at once, at least 1. False:
 * there is none left; asking costs nothing. */
bool buckets_take(struct buckets *b, struct view key, uint32_t rate, uint32_t burst, int64_t mono_us);

#endif
