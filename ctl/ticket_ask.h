/* SPDX-License-Identifier: ISC
 *
 * Asks the configured program whether a ticket stands for this request. No shell: the program is executed
 * with three arguments and an environment of its own.
 */
#ifndef SEKISHO_TICKET_ASK_H
#define SEKISHO_TICKET_ASK_H

#include <stdbool.h>
#include <stdint.h>

/* True when `program ticket tenant operator` ends with 0 within the time. False, with why: the first line it
 * printed, or what happened to it. */
bool ticket_ask(const char *program, const char *ticket, const char *tenant, const char *operator,
                uint32_t timeout_ms, char why[256]);

#endif
