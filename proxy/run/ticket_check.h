/* SPDX-License-Identifier: ISC
 *
 * Whether those who must agree to a ticket (settings ticket_checker, ticket_url) agree to a request that is
 * handed in at the console. Nobody else waits for them.
 */
#ifndef SEKISHO_TICKET_CHECK_H
#define SEKISHO_TICKET_CHECK_H

#include "settings.h"
#include "statement.h"
#include "ticket.h"

#define TICKET_CHECKS_MOST 8 /* at once */

enum ticket_outcome {
    TICKET_PENDING,
    TICKET_AGREED,      /* by everybody who must */
    TICKET_UNCONFIRMED, /* refused, or not answered */
    TICKET_BUSY         /* nobody was asked: too many are */
};

struct ticket_check;

/* Says what is wrong with the settings, once. */
void ticket_check_settings(const struct settings *s);
bool ticket_check_wanted(const struct settings *s);
/* The settings and the request must live as long. wake is called when the outcome is there, but for an
 * outcome that is there at once. */
struct ticket_check *ticket_check_begin(const struct settings *s, const struct statement *request,
                                        void (*wake)(void *arg), void *arg);
/* why: a part of a sentence, of those that are no agreement; lives as long as c. */
enum ticket_outcome ticket_check_outcome(const struct ticket_check *c, const char **why);
/* Gives it up when it is still pending. */
void ticket_check_end(struct ticket_check **c);
/* When the process leaves. */
void ticket_checks_end(void);

#endif
