/* SPDX-License-Identifier: ISC
 *
 * Whether the kernel says that the system clock is synchronised: what the log's times are worth. Told in the
 * provider's log when it is not, at start, and at every change; new sessions are refused meanwhile when the
 * setting clock_unsynchronised says so.
 */
#ifndef SEKISHO_LEDGER_CLOCK_H
#define SEKISHO_LEDGER_CLOCK_H

#include "book.h"

struct ledger_clock {
    bool refuse;  /* the setting */
    bool refuses; /* now */
    bool told;    /* it has been looked at */
    bool unsynchronised;
    int64_t again_us; /* not before */
};

/* Cheap: asks the kernel once in ten seconds. */
void ledger_clock_look(struct ledger_clock *c, struct book *b, struct moment now);

#endif
