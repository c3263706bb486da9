/* SPDX-License-Identifier: ISC
 *
 * A tenant's session log, read for the console in small slices: rows of SHOW AUDIT, and the head of the
 * chain. Reads only, in bounded memory; does not judge: audit verify does.
 */
#ifndef SEKISHO_CONSOLE_SCROLL_H
#define SEKISHO_CONSOLE_SCROLL_H

#include "console_table.h"

struct scroll_wish {
    int64_t from_us, to_us; /* of the record's time: from .. before */
    char session[17];       /* "": any */
    uint64_t newest;        /* this many of those that fit; 0: all */
};

enum scroll_slice { SCROLL_MORE, SCROLL_END, SCROLL_BROKEN };

struct scroll;

/* tenant: "" for the provider's chain. NULL, with why, when there is no such log. */
struct scroll *scroll_open(const char *ledger_dir, const char *tenant, const struct scroll_wish *wish,
                           char why[256]);
void scroll_close(struct scroll **s);
/* Goes a bounded way on; rows may come, or none. */
enum scroll_slice scroll_slice(struct scroll *s, struct console_table *t, char why[256]);

/* One row: tenant, n, time, sha256 of the last record; none for an empty log. */
bool scroll_head(const char *ledger_dir, const char *tenant, struct console_table *t, char why[256]);

#endif
