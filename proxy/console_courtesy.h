/* SPDX-License-Identifier: ISC
 *
 * What psql and drivers say by themselves: settings, transactions, a few questions about the server. The
 * console answers as a read-only database would, and means nothing by it. Pure.
 */
#ifndef SEKISHO_CONSOLE_COURTESY_H
#define SEKISHO_CONSOLE_COURTESY_H

#include "bytes.h"

#define CONSOLE_VERSION "15.0 (Sekisho)"
#define CONSOLE_DATABASE_NAME "sekisho"

enum courtesy_kind {
    COURTESY_NONE, /* none of these: perhaps a command */
    COURTESY_TAG,  /* done, nothing to show */
    COURTESY_BEGIN,
    COURTESY_COMMIT,
    COURTESY_ROLLBACK,
    COURTESY_FORGET, /* DEALLOCATE: `value` is the prepared statement's name, empty for all */
    COURTESY_ROW     /* one row of one column */
};

struct courtesy {
    enum courtesy_kind kind;
    const char *tag;
    const char *column; /* its name */
    bool number;        /* an int4; else text */
    char value[128];
};

/* user: what current_user answers. */
void courtesy_of(struct view sql, const char *user, struct courtesy *out);

#endif
