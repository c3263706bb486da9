/* SPDX-License-Identifier: ISC
 *
 * gate_guess.c: who guesses cancel keys, and for how long nobody listens to him.
 */
#include "gate_guess.h"

#include <criterion/criterion.h>
#include <string.h>

#define SECOND INT64_C(1000000)
#define NOON (1000 * SECOND)

static struct guesses *g;
static struct address mallory, ann, neighbour;

static struct address address(const char *text) {
    struct address a;
    cr_assert(address_parse(view_text(text), &a), "%s", text);
    return a;
}

static void begin(void) {
    g = guesses_new();
    cr_assert(g);
    mallory = address("2001:db8:0:1::1");
    neighbour = address("2001:db8:0:1::2"); /* the same /64 */
    ann = address("192.0.2.7");
}

static void end(void) {
    guesses_free(&g);
    cr_assert_null(g);
}

static void guess(const char *scope, const struct address *from, int times, int64_t now) {
    for (int i = 0; i < times; i++)
        guesses_wrong(g, scope, from, now);
}

TestSuite(guess, .init = begin, .fini = end);

Test(guess, nine_mistakes_are_forgiven_and_ten_are_not) {
    guess("", &mallory, GUESS_MOST - 1, NOON);
    cr_assert_not(guesses_blocked(g, "", &mallory, NOON));
    guess("", &mallory, 1, NOON);
    cr_assert(guesses_blocked(g, "", &mallory, NOON));
}

Test(guess, the_whole_network_counts_and_no_other) {
    guess("", &mallory, GUESS_MOST, NOON);
    cr_assert(guesses_blocked(g, "", &neighbour, NOON));
    cr_assert_not(guesses_blocked(g, "", &ann, NOON));
}

Test(guess, the_port_does_not_matter) {
    mallory.port = 1000;
    guess("", &mallory, GUESS_MOST, NOON);
    mallory.port = 2000;
    cr_assert(guesses_blocked(g, "", &mallory, NOON));
}

Test(guess, after_the_window_all_is_forgotten) {
    guess("", &mallory, GUESS_MOST, NOON);
    int64_t over = NOON + GUESS_WINDOW_S * SECOND;
    cr_assert(guesses_blocked(g, "", &mallory, over - 1));
    cr_assert_not(guesses_blocked(g, "", &mallory, over));
    guess("", &mallory, 1, over);
    cr_assert_not(guesses_blocked(g, "", &mallory, over));
}

Test(guess, what_a_tenants_cell_says_of_addresses_weighs_for_that_tenant_only) {
    guess("acme", &ann, GUESS_MOST, NOON);
    cr_assert(guesses_blocked(g, "acme", &ann, NOON));
    cr_assert_not(guesses_blocked(g, "globex", &ann, NOON));
    cr_assert_not(guesses_blocked(g, "", &ann, NOON));
}

Test(guess, one_line_a_second_for_the_log) {
    cr_assert(guesses_wrong(g, "", &mallory, NOON));
    cr_assert_not(guesses_wrong(g, "", &mallory, NOON));
    cr_assert_not(guesses_wrong(g, "", &neighbour, NOON + SECOND - 1));
    cr_assert(guesses_wrong(g, "", &ann, NOON));
    cr_assert(guesses_wrong(g, "", &mallory, NOON + SECOND));
}

Test(guess, ten_thousand_networks_fit_and_the_last_is_still_throttled) {
    for (uint32_t i = 0; i < 10000; i++) {
        struct address a = {.family = 4, .bytes = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
        guess("", &a, GUESS_MOST, NOON + i);
        cr_assert(guesses_blocked(g, "", &a, NOON + i));
    }
}
