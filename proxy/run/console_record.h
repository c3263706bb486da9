/* SPDX-License-Identifier: ISC
 *
 * That somebody reads a tenant's log or grants is itself a record in that tenant's log, and it is on disk
 * before the reader sees a row.
 */
#ifndef SEKISHO_CONSOLE_RECORD_H
#define SEKISHO_CONSOLE_RECORD_H

#include "console_rights.h"

#include <sys/queue.h>

#define READER_MAGIC 0x4EADE205u

struct reader_wait;

/* One command that waits for its records. */
struct reading {
    uint32_t magic;
    size_t pending;             /* records that are not on disk yet */
    bool failed;                /* one could not be written */
    void (*settled)(void *arg); /* pending went to 0 */
    void *arg;
    LIST_HEAD(, reader_wait) waits;
};

void reading_begin(struct reading *r, void (*settled)(void *arg), void *arg);
/* Nothing is called for it any more. */
void reading_end(struct reading *r);
/* Writes log.read into the tenant's chain. what: the command's words. */
void reading_record(struct reading *r, uint64_t session, const struct console_person *p, const char *tenant,
                    const char *what);

/* The channel to the ledger; takes over fd. */
void reading_ledger(int fd);

#endif
