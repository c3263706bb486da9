/* SPDX-License-Identifier: ISC
 *
 * Asks the configured program, and the configured address, whether a ticket stands for this request. No
 * shell: the program is executed with three arguments and an environment of its own. The console does the
 * same with what is handed in there.
 */
#ifndef SEKISHO_TICKET_ASK_H
#define SEKISHO_TICKET_ASK_H

#include "settings.h"
#include "ticket.h"

/* True when `ticket_checker ticket tenant operator` ends with 0 within ticket_timeout, and ticket_url answers
 * with 2xx within it; what is not configured need not. False, with why: the first line that the program
 * printed, or what happened. */
bool ticket_ask(const struct settings *s, const char *ticket, const char *tenant, const char *operator,
                char why[TICKET_WHY]);

/* Only the address: ticket_url.c. */
bool ticket_ask_url(const struct settings *s, const char *ticket, const char *tenant, const char *operator,
                    char why[TICKET_WHY]);

#endif
