/* SPDX-License-Identifier: ISC
 *
 * See ledger_clock.h.
 */
#include "ledger_clock.h"
#include "log.h"

#include <sys/timex.h>

#define LOOK_US 10000000

/* Also when the kernel cannot say. */
static bool unsynchronised(void) {
    struct timex t = {.modes = 0};
    int state = adjtimex(&t);
    return state < 0 || state == TIME_ERROR || (t.status & STA_UNSYNC) != 0;
}

static void tell(struct book *b, bool bad, struct moment now) {
    struct record r;
    record_begin(&r, EVENT_CLOCK_UNSYNCHRONISED, 0);
    record_text(&r, FIELD_STATE, view_text(bad ? "unsynchronised" : "synchronised"));
    book_say(b, "", &r, now);
    if (bad)
        log_warning("the system clock is not synchronised");
    else
        log_info("the system clock is synchronised");
}

void ledger_clock_look(struct ledger_clock *c, struct book *b, struct moment now) {
    if (!c->told || now.mono_us >= c->again_us) {
        bool bad = unsynchronised();
        if (bad != c->unsynchronised)
            tell(b, bad, now);
        c->unsynchronised = bad;
        c->told = true;
        c->again_us = now.mono_us + LOOK_US;
    }
    c->refuses = c->refuse && c->unsynchronised;
    book_refuse_opens(b, c->refuses);
}
