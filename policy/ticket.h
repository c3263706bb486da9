/* SPDX-License-Identifier: ISC
 *
 * What a ticket looks like: a POSIX extended regular expression that must match all of it; and what is said
 * to and by those who must agree to it (settings ticket_checker, ticket_url), wherever a request is handed
 * in. Pure.
 */
#ifndef SEKISHO_TICKET_H
#define SEKISHO_TICKET_H

#include "bytes.h"

bool ticket_pattern_valid(const char *pattern, char why[256]);
/* False too when the pattern is not valid. */
bool ticket_matches(const char *pattern, const char *ticket);

/* --- whoever must agree --- */

#define TICKET_WHY 96
#define TICKET_URL_MAX 2048
/* The whole environment of ticket_checker. */
#define TICKET_ENVIRONMENT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/* The same words in sekishoctl and at the console: (ticket, why); (why) in the log. */
#define TICKET_REFUSED "the ticket %s was not confirmed: %s"
#define TICKET_GOES_ON "ticket unchecked: %s could not be confirmed (%s); as an emergency the request goes on"
#define TICKET_LOGGED "ticket unchecked: %s"

/* The address that is asked: url with ticket, tenant and operator as parameters. False: it is too long. */
bool ticket_question(const char *url, const char *ticket, const char *tenant, const char *operator,
                     char out[TICKET_URL_MAX]);
/* The first line of what a checker said, as it may be shown: control characters and what is not UTF-8 are
 * "?". */
void ticket_line(struct view said, char out[TICKET_WHY]);
/* Why ticket_checker's end (a wait status) is no agreement; said: as above. False when it is one. */
bool ticket_denied(bool late, int status, struct view said, uint32_t timeout_ms, char why[TICKET_WHY]);

#endif
