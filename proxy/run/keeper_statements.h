/* SPDX-License-Identifier: ISC
 *
 * The store's operators and its log of signed statements, on their way to the broker: whole, from the first
 * row, whenever anything in the log changed, so that the broker can see that nothing old did. The keeper
 * judges none of it.
 */
#ifndef SEKISHO_KEEPER_STATEMENTS_H
#define SEKISHO_KEEPER_STATEMENTS_H

#include "channel.h"
#include "statement_log.h"
#include "store.h"

struct statements {
    bool due;     /* the broker has not got the log as it is now */
    bool sending; /* rows behind `next` are still to come */
    uint64_t next;
    bool known;
    struct statement_head head; /* of the log when it was last read */
};

/* The store changed: looks whether its statements did. Anything but STORE_OK: the store is not available. */
enum store_result statements_look(struct statements *s, struct store *store);
/* A new broker has nothing. */
void statements_restart(struct statements *s);
/* Sends as much as the channel takes now; call again while s->sending. */
enum store_result statements_send(struct statements *s, struct store *store, struct channel *broker);
/* One snapshot's operators. */
enum store_result operators_send(struct store *store, struct channel *broker);

#endif
