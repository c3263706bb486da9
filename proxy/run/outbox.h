/* SPDX-License-Identifier: ISC
 *
 * Records on their way to the ledger, for processes that do not wait for it: kept, up to a bound, while the
 * ledger is away or does not keep up, and sent in order when it takes them again. What does not fit is
 * counted and said aloud.
 */
#ifndef SEKISHO_OUTBOX_H
#define SEKISHO_OUTBOX_H

#include "channel.h"
#include "record.h"

struct outbox;

/* most: records kept at most. Ends the process when there is no memory: it runs once, at the start. */
struct outbox *outbox_new(size_t most);
void outbox_free(struct outbox **o);
/* The channel that leads to the ledger now, or NULL: it is away. The channel stays the caller's. */
void outbox_ledger(struct outbox *o, struct channel *ledger);
/* request: 0, or what DURABLE shall name. tenant: whose chain; "" for the provider's own. */
void outbox_record(struct outbox *o, uint64_t request, const char *tenant, const struct record *r);

#endif
