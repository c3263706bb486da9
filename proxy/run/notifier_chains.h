/* SPDX-License-Identifier: ISC
 *
 * The chains there are to tell of, one for each folder of the log, and how far each was told to each target.
 * Kept in state_dir/notify.cursor, so that a restart goes on where this process was.
 */
#ifndef SEKISHO_NOTIFIER_CHAINS_H
#define SEKISHO_NOTIFIER_CHAINS_H

#include "notice_cursor.h"

#include <sys/queue.h>
#include <uthash.h>

#define ERRAND_MAGIC 0xD38A61E4u

/* What one target is still to be told of one chain. One notice at a time, so that order is kept. */
struct errand {
    uint32_t magic;
    struct tale *tale;
    enum target target;
    struct cursor cursor, after; /* after: when what is under way was told */
    bool ready;                  /* there may be something */
    bool busy;                   /* something is under way */
    bool moved;                  /* the cursor was set anew meanwhile */
    bool skipped;                /* files were gone before they were read */
    uint32_t backoff_ms;         /* 0: the last one was told */
    int64_t not_before_us;       /* monotonic */
};

struct tale { /* one chain */
    uint32_t magic;
    char tenant[41];
    uint64_t seen; /* the look at the folder that saw it last */
    struct errand errand[TARGETS];
    TAILQ_ENTRY(tale) next;
    UT_hash_handle hh;
};
TAILQ_HEAD(tales, tale);

struct chains {
    uint32_t magic;
    int ledger; /* descriptor of the log's folder; -1: not there yet */
    char ledger_dir[256], state_dir[256];
    bool known[TARGETS]; /* these are told; the others begin at the end when they are set */
    uint64_t looks;
    struct tale *by_tenant;
    struct tales order; /* whoever was served last is last */
};

/* Reads what a process before us left. */
void chains_begin(struct chains *c, const char *ledger_dir, const char *state_dir);
void chains_end(struct chains *c);
/* Takes in new folders, drops those that are gone. */
void chains_look(struct chains *c);
/* The targets from now on. True when they changed, and should be saved. */
bool chains_targets(struct chains *c, const bool wanted[TARGETS]);
/* Makes the cursors durable. False with errno. */
bool chains_save(const struct chains *c);

#endif
