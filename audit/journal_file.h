/* SPDX-License-Identifier: ISC
 *
 * One chain's state and its file: what journal.c and recover.c share.
 */
#ifndef SEKISHO_JOURNAL_FILE_H
#define SEKISHO_JOURNAL_FILE_H

#include "journal.h"

#include <uthash.h>

#define JOURNAL_CHAINS_MAX 100000 /* tenants in all; beyond it a record of a new one is refused */

struct chain_end {
    uint64_t n;       /* number of the last record */
    uint64_t size;    /* of the file, behind that record's newline */
    uint8_t head[32]; /* its hash; zeros before the first */
};

struct chain {
    uint32_t magic;
    char tenant[41];          /* "": the provider */
    unsigned file;            /* number of the file that is appended to; 0: none yet */
    int fd;                   /* -1: not open */
    bool name_synced;         /* the file's name (and its folder's) is on disk */
    bool touched;             /* since the last flush */
    bool failed;              /* a write or flush failed: nothing more until journal_recover */
    bool broken;              /* somebody else wrote in it: nothing more at all */
    bool torn;                /* a torn line behind `durable` has to be set aside first */
    uint64_t refused;         /* records that did not get in, since it failed */
    char why[160];            /* it failed or broke */
    struct chain_end end;     /* as appended */
    struct chain_end durable; /* as last flushed */
    struct chain *next_touched;
    UT_hash_handle hh;
};

struct journal {
    uint32_t magic;
    int folder; /* descriptor */
    int offset_minutes;
    size_t open_files;
    struct chain *chains;
    struct chain *touched;
};

/* The tenant's chain, made when there is none. NULL, with errno, when there are too many. */
struct chain *chain_get(struct journal *j, const char *tenant);
void chain_fail(struct chain *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void chain_break(struct chain *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Opens the file for appending, making it and its folder when the chain has none yet. False with errno. */
bool chain_open(struct journal *j, struct chain *c);
void chain_close(struct journal *j, struct chain *c);
/* Writes the record's line. False, with errno and the chain failed or broken, when it did not get in whole.
 */
bool chain_append(struct journal *j, struct chain *c, const struct record *r, struct moment now);
/* Makes what was appended durable. False with the chain failed or broken. */
bool chain_sync(struct journal *j, struct chain *c);

#endif
