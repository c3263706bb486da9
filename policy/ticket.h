/* SPDX-License-Identifier: ISC
 *
 * What a ticket looks like: a POSIX extended regular expression that must match all of it. Pure.
 */
#ifndef SEKISHO_TICKET_H
#define SEKISHO_TICKET_H

#include "bytes.h"

bool ticket_pattern_valid(const char *pattern, char why[256]);
/* False too when the pattern is not valid. */
bool ticket_matches(const char *pattern, const char *ticket);

#endif
