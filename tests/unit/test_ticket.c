/* SPDX-License-Identifier: ISC
 *
 * What a ticket looks like.
 */
#include "ticket.h"

#include <criterion/criterion.h>

Test(ticket, the_whole_of_it_must_match) {
    const char pattern[] = "[A-Z][A-Z0-9]*-[0-9]+";
    const char *good[] = {"OPS-1", "A1-0", "INC-1234567"};
    const char *bad[] = {"", "OPS", "OPS-", "ops-1", " OPS-1", "OPS-1 ", "OPS-1;", "1-1", "OPS-1\nOPS-2"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_expect(ticket_matches(pattern, good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(!ticket_matches(pattern, bad[i]), "%s", bad[i]);
}

Test(ticket, a_choice_is_tried_to_its_longest) {
    cr_expect(ticket_matches("A|AB|ABC", "ABC"));
    cr_expect(!ticket_matches("A|AB", "ABC"));
    cr_expect(ticket_matches("(CHG|INC)[0-9]{7}", "CHG0000001"));
    cr_expect(!ticket_matches("A)|(.*", "anything"), "parentheses belong together");
}

Test(ticket, a_pattern_that_is_none_matches_nothing) {
    char why[256];
    cr_expect(!ticket_pattern_valid("[A-", why));
    cr_expect(why[0]);
    cr_expect(!ticket_matches("[A-", "[A-"));
    cr_expect(ticket_pattern_valid("[A-Z]+", why));
    cr_expect(!why[0]);
}
