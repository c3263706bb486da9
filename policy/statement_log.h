/* SPDX-License-Identifier: ISC
 *
 * The chain over the store's statements, and the host's own memory of it: H_0 = 32 zero bytes, H_n =
 * SHA-256(H_{n-1} || SHA-256(body) || signature). The highest (n, H_n) accepted is kept in a file beside the
 * store's, which who can write the store cannot: rows taken away, changed, swapped, or an old store put back
 * do not fit it.
 *
 *   statement_log_begin(&log, &accepted)           accepted: from statement_head_read
 *   statement_log_push(&log, n, body, signature)   each row, in order
 *   statement_log_end(&log)                        whole? then grants may count, and statement_head_write
 */
#ifndef SEKISHO_STATEMENT_LOG_H
#define SEKISHO_STATEMENT_LOG_H

#include "statement.h"

#define STATEMENT_LOG_MAGIC 0x57A71063u

struct statement_head {
    uint64_t n; /* 0: nothing yet */
    uint8_t hash[32];
};

struct statement_log {
    uint32_t magic;
    struct statement_head head;     /* of what was pushed */
    struct statement_head accepted; /* what must be met on the way */
    bool tampered;
    char why[STATEMENT_WHY]; /* tampered: a sentence for the log */
};

void statement_log_begin(struct statement_log *l, const struct statement_head *accepted);
/* False, with l->why, from the first row on that does not fit. */
bool statement_log_push(struct statement_log *l, uint64_t n, struct view body, struct view signature);
/* All rows were pushed. False, with l->why, when fewer than were accepted before. */
bool statement_log_end(struct statement_log *l);
/* What was pushed is the accepted one from now on: before more rows are pushed. */
void statement_log_accept(struct statement_log *l);

/* No file: n 0 and true. False, with why, for a file that cannot be read or is not `n hex` and a newline:
 * tampering. */
bool statement_head_read(const char *path, struct statement_head *out, char why[256]);
/* Through a new file beside it, flushed and renamed, then the folder flushed. False, with why. */
bool statement_head_write(const char *path, const struct statement_head *head, char why[256]);

#endif
