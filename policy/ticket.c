/* SPDX-License-Identifier: ISC
 *
 * What a ticket looks like. POSIX regular expressions are leftmost-longest: when any match is all of the
 * text, the match that is found is. Pure.
 */
#include "ticket.h"

#include <regex.h>

bool ticket_pattern_valid(const char *pattern, char why[256]) {
    regex_t re;
    int code = regcomp(&re, pattern, REG_EXTENDED);
    why[0] = 0;
    if (code == 0)
        regfree(&re);
    else
        regerror(code, &re, why, 256);
    return code == 0;
}

bool ticket_matches(const char *pattern, const char *ticket) {
    regex_t re;
    regmatch_t whole;
    if (regcomp(&re, pattern, REG_EXTENDED) != 0)
        return false;
    bool fits = regexec(&re, ticket, 1, &whole, 0) == 0 && whole.rm_so == 0 && ticket[whole.rm_eo] == 0;
    regfree(&re);
    return fits;
}
