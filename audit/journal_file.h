/* SPDX-License-Identifier: ISC
 *
 * One chain's state and its file: what the journal's files share.
 */
#ifndef SEKISHO_JOURNAL_FILE_H
#define SEKISHO_JOURNAL_FILE_H

#include "journal.h"

#include <uthash.h>

#define JOURNAL_CHAINS_MAX 100000 /* tenants in all; beyond it a record of a new one is refused */
#define JOURNAL_VOIDS_MAX 64      /* files in a row whose ends are void and not yet declared so */

struct chain_end {
    uint64_t n;          /* number of the last record */
    uint64_t size;       /* of the file, behind that record's newline */
    uint8_t head[32];    /* its hash; zeros before the first */
    uint64_t checkpoint; /* number of the last checkpoint; 0: none known */
};

struct chain_void {
    unsigned file;
    uint64_t bytes;
};

struct chain {
    uint32_t magic;
    char tenant[41];          /* "": the provider */
    unsigned first_file;      /* the oldest there is; 0: none */
    unsigned file;            /* number of the file that is appended to; 0: none yet */
    int fd;                   /* -1: not open */
    bool name_synced;         /* the file's name (and its folder's) is on disk */
    bool touched;             /* since the last flush */
    bool failed;              /* a write or flush failed: nothing more until journal_recover */
    bool broken;              /* somebody else wrote in it: nothing more at all */
    bool erasing;             /* the provider's log has said that it goes, or it has gone */
    bool finished;            /* the next record begins another file */
    bool anew;                /* the next record begins this file, which is empty, as if it were another */
    uint64_t refused;         /* records that did not get in, since it failed */
    char why[160];            /* it failed or broke */
    struct chain_end end;     /* as appended */
    struct chain_end durable; /* as last flushed */
    uint64_t begun;           /* bytes of the records that the file began with */
    int64_t day;              /* local day of the last record */
    char key[CHECKPOINT_KEY_ID + 1]; /* id of the key of the last checkpoint; "": not known */
    int64_t uncovered_us;            /* monotonic, of the first record behind the last checkpoint */
    int64_t retention_us;            /* monotonic: not looked at for old files before */
    /* Void ends to be declared by the next file; forgotten when that is durable. */
    struct chain_void voids[JOURNAL_VOIDS_MAX];
    size_t void_count;
    struct chain *next_touched;
    UT_hash_handle hh;
};

struct journal {
    uint32_t magic;
    int folder; /* descriptor */
    struct journal_rules rules;
    journal_carry_fn *carry;
    void *carry_arg;
    struct moment now; /* of the last append */
    size_t open_files;
    struct chain *chains;
    struct chain *touched;
};

/* The tenant's chain, made when there is none. NULL, with errno, when there are too many. */
struct chain *chain_get(struct journal *j, const char *tenant);
void chain_fail(struct chain *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void chain_break(struct chain *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Its folder's descriptor, -1 with errno. */
int chain_folder(struct journal *j, const struct chain *c, bool make);
/* Opens the file for appending. False with errno. */
bool chain_open(struct journal *j, struct chain *c);
/* Makes the next file, with its folder when it is the first. False with errno. */
bool chain_open_next(struct journal *j, struct chain *c);
void chain_close(struct journal *j, struct chain *c);
/* Writes the record's line to the file there is. False, with errno and the chain failed or broken, when it
 * did not get in whole. */
bool chain_write(struct journal *j, struct chain *c, const struct record *r, struct moment now);
/* Makes what was appended durable. False with the chain failed or broken. */
bool chain_sync(struct journal *j, struct chain *c);

/* --- journal_turn.c --- */

/* As chain_write, in a new file when one has to begin. */
bool chain_append(struct journal *j, struct chain *c, const struct record *r, struct moment now);
/* Signs what has no checkpoint yet. True also when there is nothing, or no key. */
bool chain_checkpoint(struct journal *j, struct chain *c, struct moment now);
/* With the checkpoint that is due: what a flush does. */
bool chain_settle(struct journal *j, struct chain *c);

/* --- journal_retention.c --- */

/* Deletes the oldest file when it is old enough. True when it did something. */
bool chain_retain(struct journal *j, struct chain *c, struct moment now);

/* Begins the next file, or this one anew. */
bool chain_begin(struct journal *j, struct chain *c, struct moment now);

/* --- repair.c --- */

/* After a failure or a crash: where to go on, with what follows the last durable line void. may_empty: a file
 * that never held a durable record may be emptied. False when that cannot be told yet. */
bool chain_ready(struct journal *j, struct chain *c, bool may_empty);

#endif
