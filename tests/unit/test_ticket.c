/* SPDX-License-Identifier: ISC
 *
 * What a ticket looks like, and what is said to and by those who must agree to it.
 */
#include "ticket.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

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

static void expect_question(const char *url, const char *ticket, const char *expected) {
    char out[TICKET_URL_MAX];
    cr_assert(ticket_question(url, ticket, "acme", "alice", out));
    cr_expect_str_eq(out, expected);
}

Test(ticket, a_question_is_an_address) {
    expect_question("https://t.example/x", "OPS-1",
                    "https://t.example/x?ticket=OPS-1&tenant=acme&operator=alice");
    expect_question("https://t.example/x?a=b#c", "a b&tenant=globex#%\xC3\xA9",
                    "https://t.example/x?a=b&ticket=a%20b%26tenant%3Dglobex%23%25%C3%A9&tenant=acme&operator="
                    "alice");
    char longest[TICKET_URL_MAX], out[TICKET_URL_MAX];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    cr_expect(!ticket_question(longest, "OPS-1", "acme", "alice", out));
}

static void expect_line(const char *said, const char *expected) {
    char out[TICKET_WHY];
    ticket_line(view_text(said), out);
    cr_expect_str_eq(out, expected);
}

Test(ticket, what_a_checker_says_may_be_shown) {
    expect_line("", "");
    expect_line("it is closed\nsince Monday", "it is closed");
    expect_line("\x1b[2Jred\a\x7f", "?[2Jred??");
    expect_line("\xC2\x9B"
                "2J \xC3\xA9 \xE3\x81\xAF \xE9",
                "?2J \xC3\xA9 \xE3\x81\xAF ?");
    char much[200], out[TICKET_WHY];
    memset(much, 'x', 94);
    snprintf(much + 94, sizeof much - 94, "\xC3\xA9\xC3\xA9");
    ticket_line(view_text(much), out);
    cr_expect_eq(strlen(out), 94, "no character is cut in two");
}

Test(ticket, only_an_exit_with_0_in_time_agrees) {
    char why[TICKET_WHY];
    cr_expect(!ticket_denied(false, 0, view_text("fine"), 300, why));
    cr_expect(ticket_denied(true, 0, view_text("fine"), 300, why));
    cr_expect_str_eq(why, "no answer within 300 ms");
    cr_expect(ticket_denied(false, 1 << 8, view_text("closed\n"), 300, why));
    cr_expect_str_eq(why, "closed");
    cr_expect(ticket_denied(false, 9, view_text(""), 300, why));
    cr_expect_str_eq(why, "it said no");
}
