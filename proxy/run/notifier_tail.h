/* SPDX-License-Identifier: ISC
 *
 * Follows one chain's files from a cursor on, read-only and in bounded memory, to the next line worth
 * telling. Between two calls nothing is kept open.
 */
#ifndef SEKISHO_NOTIFIER_TAIL_H
#define SEKISHO_NOTIFIER_TAIL_H

#include "notice.h"
#include "notice_cursor.h"

enum tail_state {
    TAIL_FOUND, /* *found is set; the cursor stands before its line */
    TAIL_MORE,  /* enough read for this turn: ask again */
    TAIL_END,   /* nothing more at the moment */
    TAIL_FAILED /* errno */
};

struct tail_found {
    struct view line; /* until the next call */
    bool urgent;
    struct cursor after; /* once it was told */
};

/* ledger: the log's folder. Moves *c over what is not worth telling. */
enum tail_state tail_next(int ledger, const char *tenant, struct cursor *c, struct tail_found *found);
struct tail_room {
    uint8_t *at;
    size_t cap; /* RECORD_LINE_MAX at least */
};
struct tail_lines {
    struct view lines;   /* whole ones with their newlines, in the room */
    struct cursor after; /* once they were told; its n is the caller's to set */
    bool skipped;        /* set when files were gone before their lines were read; never cleared */
};
/* As tail_next, but for all lines as they are. */
enum tail_state tail_block(int ledger, const char *tenant, struct cursor *c, const struct tail_room *room,
                           struct tail_lines *found);
/* Whether tail_next may have something: cheap. */
bool tail_grown(int ledger, const char *tenant, const struct cursor *c);
/* Behind the last whole line there is. */
void tail_end(int ledger, const char *tenant, struct cursor *c);

#endif
