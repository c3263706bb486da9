/* SPDX-License-Identifier: ISC
 *
 * Why something was refused: what a stranger may read (SQLSTATE, sentence, hint) and the private cause, which
 * goes to the log only.
 */
#ifndef SEKISHO_FAILURE_H
#define SEKISHO_FAILURE_H

#include "bytes.h"

struct failure {
    char sqlstate[6];   /* five characters, PostgreSQL's Appendix A */
    char sentence[256]; /* what the client reads; one sentence, no full stop, as PostgreSQL's */
    char hint[256];     /* what to do about it; may be empty */
    char cause[256];    /* for the log; may be empty; never sent to a client */
};

/* Each text may be NULL for empty; longer ones are cut. */
void failure_set(struct failure *f, const char *sqlstate, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void failure_cause(struct failure *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* To and from a channel message; false when what was read is not a failure. */
void failure_write(struct writer *w, const struct failure *f);
bool failure_read(struct reader *r, struct failure *f);

#endif
