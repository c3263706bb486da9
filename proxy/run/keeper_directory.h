/* SPDX-License-Identifier: ISC
 *
 * The tenants as the keeper last read them from the store, with the addresses of their instances and the
 * credentials of the auth query. Replaced as a whole, or not at all.
 */
#ifndef SEKISHO_KEEPER_DIRECTORY_H
#define SEKISHO_KEEPER_DIRECTORY_H

#include "lookup.h"
#include "store.h"

struct directory;

/* Ends the process without memory. */
struct directory *directory_new(struct event_base *base);
/* Reads everything; on anything but STORE_OK the directory stays as it was. Tells the look-ups.
 * empty_is_good: otherwise no tenant at all, where there were some, is STORE_NOT_FOUND. */
enum store_result directory_read(struct directory *d, struct store *s, bool empty_is_good, struct lookups *l);
/* Takes over what the DNS answered since. True when an address changed; tells the look-ups then. */
bool directory_resolve(struct directory *d, struct lookups *l);
/* False until it was read once. */
bool directory_known(const struct directory *d);
size_t directory_count(const struct directory *d);
const struct tenant *directory_at(const struct directory *d, size_t index);

#endif
