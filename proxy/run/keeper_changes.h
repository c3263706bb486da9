/* SPDX-License-Identifier: ISC
 *
 * Brings administrative changes from the store's outbox into the session log: in order, one batch at a time,
 * each settled in the store when the ledger has it on disk. After a crash in between a change may be logged
 * twice, never not at all.
 */
#ifndef SEKISHO_KEEPER_CHANGES_H
#define SEKISHO_KEEPER_CHANGES_H

#include "channel.h"
#include "store.h"

#define CHANGES_BATCH 32

struct changes {
    uint32_t magic;
    struct channel *ledger; /* or NULL */
    size_t count;           /* of the batch on its way; 0: none is */
    struct {
        uint64_t id;
        bool answered, durable;
    } item[CHANGES_BATCH];
    bool look;        /* there may be changes that are not settled */
    int64_t again_us; /* after a refusal: not before */
};

void changes_begin(struct changes *c);
/* A new channel, or NULL: the batch on its way is lost and will be sent again. */
void changes_ledger(struct changes *c, struct channel *ledger);
/* Sends a batch if there is anything to send. Called after the store changed, and again and again. */
void changes_step(struct changes *c, struct store *s, int64_t now_us);
/* The ledger's answer. False when it answers what was not asked. s may be NULL: away. */
bool changes_durable(struct changes *c, struct store *s, uint64_t request, bool durable, int64_t now_us);

#endif
