/* SPDX-License-Identifier: ISC
 *
 * penalty.c: Mallory guesses alice's password; alice, elsewhere, does not notice.
 */
#include "penalty.h"

#include <criterion/criterion.h>

#define SECOND INT64_C(1000000)

static struct address mallory, alice_home, alice_phone;
static struct penalty *table;

static struct address address_of(const char *text) {
    struct address a;
    cr_assert(address_parse(view_text(text), &a), "%s", text);
    return a;
}

static void set_up(void) {
    mallory = address_of("203.0.113.66");
    alice_home = address_of("198.51.100.1");
    alice_phone = address_of("2001:db8:1:2::1");
    table = penalty_new(64);
    cr_assert_not_null(table);
}

static void tear_down(void) {
    penalty_free(&table);
    cr_assert_null(table);
    penalty_free(&table);
}

TestSuite(penalty, .init = set_up, .fini = tear_down);

#define FOR_EVER UINT32_MAX

/* How long the outcome of a proof given now waits; the line is long enough for everybody. */
static uint32_t turn_at(const char *tenant, const char *user, const struct address *from, int64_t now) {
    uint32_t wait_ms;
    cr_assert(penalty_turn(table, tenant, view_text(user), from, FOR_EVER, now, &wait_ms));
    return wait_ms;
}

/* A look at what the next proof would have to wait, without giving one. */
static uint32_t delay(const char *user, const struct address *from, int64_t now) {
    uint32_t low = 0, high = 1u << 20;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (penalty_crowded(table, "acme", view_text(user), from, middle, now))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void fail(const char *user, const struct address *from, int64_t now) {
    penalty_failed(table, "acme", view_text(user), from, now);
}

static void pass(const char *user, const struct address *from, int64_t now) {
    penalty_passed(table, "acme", view_text(user), from, now);
}

Test(penalty, doubles_from_the_second_failure_up_to_the_most) {
    static const uint32_t delays[] = {0, 0, 250, 500, 1000, 2000, 4000, 8000, 8000, 8000};
    for (uint64_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        cr_assert_eq(delay("alice", &mallory, SECOND), delays[i], "after %d failures", (int)i);
        fail("alice", &mallory, SECOND);
    }
    for (uint64_t i = 0; i < 1000; i++)
        fail("alice", &mallory, SECOND);
    cr_assert_eq(delay("alice", &mallory, SECOND), PENALTY_MOST_MS);
}

Test(penalty, does_not_touch_the_owner_elsewhere) {
    for (uint64_t i = 1; i <= 50; i++)
        fail("alice", &mallory, SECOND);
    cr_assert_eq(delay("alice", &alice_home, SECOND), 0);
    cr_assert_eq(delay("alice", &alice_phone, SECOND), 0);
}

/* Each user fails once, which is free for the user; together they are too many for one network. */
static void fail_as_many(unsigned users, const struct address *from) {
    static unsigned next;
    char name[32];
    for (unsigned i = 0; i < users; i++) {
        struct writer w = writer_of(name, sizeof name);
        writer_format(&w, "user%u", next++);
        penalty_failed(table, "acme", writer_view(&w), from, SECOND);
    }
}

Test(penalty, follows_a_network_over_users) {
    fail_as_many(PENALTY_NETWORK_FREE, &mallory);
    cr_assert_eq(delay("dave", &mallory, SECOND), 0, "many people may share a network");
    fail_as_many(2, &mallory);
    cr_assert_eq(delay("dave", &mallory, SECOND), 500);
}

Test(penalty, is_never_another_tenants) {
    fail_as_many(PENALTY_NETWORK_FREE + 10, &mallory);
    cr_assert_eq(turn_at("globex", "user1", &mallory, SECOND), 0);
}

Test(penalty, takes_an_ipv6_network_as_one) {
    struct address first = address_of("2001:db8:9:9::1"), second = address_of("2001:db8:9:9:ffff::2"),
                   neighbour = address_of("2001:db8:9:a::1");
    for (uint64_t i = 1; i <= 3; i++)
        fail("alice", &first, SECOND);
    second.port = 40001;
    cr_assert_eq(delay("alice", &second, SECOND), 500);
    cr_assert_eq(delay("alice", &neighbour, SECOND), 0);
}

Test(penalty, ignores_the_port) {
    struct address other_port = mallory;
    other_port.port = 50000;
    fail("alice", &mallory, SECOND);
    fail("alice", &other_port, SECOND);
    cr_assert_eq(delay("alice", &mallory, SECOND), 250);
}

Test(penalty, forgets_after_a_quiet_while) {
    const int64_t end = SECOND + PENALTY_FORGET_S * SECOND;
    for (uint64_t i = 1; i <= 5; i++)
        fail("alice", &mallory, SECOND);
    cr_assert_eq(delay("alice", &mallory, end - 1), 2000);
    cr_assert_eq(delay("alice", &mallory, end), 0);
    fail("alice", &mallory, end);
    cr_assert_eq(delay("alice", &mallory, end), 0, "the first of a new count");
    fail("alice", &mallory, end);
    cr_assert_eq(delay("alice", &mallory, end), 250);
}

Test(penalty, forgives_the_user_but_not_the_network_on_success) {
    for (uint64_t i = 1; i <= 4; i++)
        fail("alice", &mallory, SECOND);
    pass("alice", &mallory, SECOND);
    cr_assert_eq(delay("alice", &mallory, SECOND), 0);
    fail_as_many(PENALTY_NETWORK_FREE - 3, &mallory);
    cr_assert_eq(delay("bob", &mallory, SECOND), 250, "the network's count goes on");
}

/* "ab" + "c" and "a" + "bc" are two different users. */
Test(penalty, keeps_tenants_and_users_apart) {
    penalty_failed(table, "ab", view_text("c"), &mallory, SECOND);
    penalty_failed(table, "a", view_text("bc"), &mallory, SECOND);
    cr_assert_eq(turn_at("ab", "c", &mallory, SECOND), 0, "one mistake each");
    cr_assert_eq(turn_at("a", "bc", &mallory, SECOND), 0);
}

static struct address numbered(unsigned n) {
    struct address a = {.family = 4, .bytes = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
    return a;
}

Test(penalty, lets_the_oldest_make_room) {
    penalty_free(&table);
    table = penalty_new(32);
    struct address first = numbered(0), last = numbered(32);
    for (unsigned i = 0; i <= 32; i++) {
        struct address a = numbered(i);
        fail("alice", &a, SECOND + i);
        fail("alice", &a, SECOND + i);
        fail("alice", &mallory, SECOND + i); /* kept young by failing again */
    }
    cr_assert_eq(delay("alice", &first, 2 * SECOND), 0, "made room");
    cr_assert_eq(delay("alice", &last, 2 * SECOND), 250);
    cr_assert_eq(delay("alice", &mallory, 2 * SECOND), PENALTY_MOST_MS);
}

/* Ten thousand invented user names don't push the guesser's own network out. */
Test(penalty, is_not_flushed_by_invented_users) {
    char name[32];
    for (int i = 0; i < 10000; i++) {
        struct writer w = writer_of(name, sizeof name);
        writer_format(&w, "user%d", i);
        penalty_failed(table, "acme", writer_view(&w), &mallory, SECOND);
    }
    cr_assert_eq(delay("alice", &mallory, SECOND), PENALTY_MOST_MS);
}

Test(penalty, works_with_a_single_slot) {
    penalty_free(&table);
    table = penalty_new(1);
    for (int i = 0; i < 3; i++) {
        fail("alice", &mallory, SECOND);
        fail("alice", &alice_home, SECOND);
    }
    cr_assert_eq(delay("alice", &mallory, SECOND), 0);
    pass("alice", &alice_home, SECOND);
    fail("alice", &mallory, SECOND);
    fail("alice", &mallory, SECOND);
    cr_assert_eq(delay("alice", &mallory, SECOND), 250);
}

/* --- in parallel --- */

/* A thousand connections that give their proofs at once: as many outcomes as one after the other. */
Test(penalty, parallel_guesses_are_told_one_after_the_other) {
    uint32_t told = 0, last_ms = 0, wait_ms;
    for (int i = 0; i < 1000; i++) {
        if (penalty_turn(table, "acme", view_text("alice"), &mallory, 15000, SECOND, &wait_ms)) {
            cr_assert(told < 2 || wait_ms > last_ms, "each waits behind the one before");
            last_ms = wait_ms;
            told++;
        }
        fail("alice", &mallory, SECOND);
    }
    cr_assert_eq(told, 7, "0, 0, 250, 750, 1750, 3750, 7750 ms; the next would be at 15750: %u", told);
    cr_assert(penalty_crowded(table, "acme", view_text("alice"), &mallory, 15000, SECOND));
    cr_assert_leq(delay("alice", &alice_home, SECOND), PENALTY_SPREAD_MOST_MS);
}

Test(penalty, the_line_is_no_longer_than_what_was_told) {
    uint32_t wait_ms;
    for (int i = 0; i < 1000; i++) {
        penalty_turn(table, "acme", view_text("alice"), &mallory, 15000, SECOND, &wait_ms);
        fail("alice", &mallory, SECOND);
    }
    int64_t later = SECOND + 15 * SECOND;
    cr_assert(penalty_turn(table, "acme", view_text("alice"), &mallory, 15000, later, &wait_ms));
    cr_assert_eq(wait_ms, PENALTY_MOST_MS, "those who were turned away hold nobody up");
}

Test(penalty, nobody_waits_while_nobody_fails) {
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(turn_at("acme", "app", &alice_home, SECOND), 0, "a pool that fills itself");
}

Test(penalty, a_right_password_waits_in_the_same_line) {
    for (int i = 0; i < 4; i++)
        fail("alice", &mallory, SECOND);
    cr_assert_eq(turn_at("acme", "alice", &mallory, SECOND), 1000);
    cr_assert_eq(turn_at("acme", "alice", &mallory, SECOND), 2000);
}

/* --- the owner, and many networks --- */

Test(penalty, who_logged_in_here_lately_does_not_stand_in_the_networks_line) {
    pass("alice", &mallory, SECOND);
    fail_as_many(PENALTY_NETWORK_FREE + 10, &mallory);
    cr_assert_eq(delay("alice", &mallory, SECOND), 0);
    cr_assert_eq(delay("bob", &mallory, SECOND), PENALTY_MOST_MS);
    cr_assert_eq(delay("alice", &mallory, SECOND + PENALTY_KNOWN_S * SECOND), 0, "all is forgotten by then");
    int64_t late = 2 * SECOND + PENALTY_KNOWN_S * SECOND;
    for (int i = 0; i < 30; i++)
        fail("carol", &mallory, late);
    cr_assert_eq(delay("alice", &mallory, late), PENALTY_MOST_MS, "it is too long ago");
}

Test(penalty, her_own_failures_count_where_she_is_known_too) {
    pass("alice", &mallory, SECOND);
    for (int i = 0; i < 4; i++)
        fail("alice", &mallory, SECOND);
    cr_assert_eq(delay("alice", &mallory, SECOND), 1000);
}

/* One user is guessed at from a network each guess. */
Test(penalty, many_networks_are_slowed_by_the_user_and_the_owner_is_not) {
    pass("alice", &alice_home, SECOND);
    for (unsigned i = 0; i < PENALTY_SPREAD_FREE + 20; i++) {
        struct address a = numbered(i);
        fail("alice", &a, SECOND);
    }
    cr_assert_eq(delay("alice", &mallory, SECOND), PENALTY_SPREAD_MOST_MS, "where nobody has guessed yet");
    cr_assert_eq(delay("bob", &mallory, SECOND), 0);
    cr_assert_eq(delay("alice", &alice_home, SECOND), 0);
    uint32_t first = turn_at("acme", "alice", &alice_phone, SECOND);
    cr_assert_eq(turn_at("acme", "alice", &alice_phone, SECOND), first, "no line: she can always get in");
}

/* A table full of invented names does not free the one who failed most. */
Test(penalty, a_full_table_forgets_who_failed_least) {
    for (int i = 0; i < 10; i++)
        fail("alice", &mallory, SECOND);
    for (unsigned i = 0; i < 10000; i++) {
        struct address a = numbered(i);
        fail("bob", &a, SECOND + 1);
    }
    cr_assert_eq(delay("alice", &mallory, SECOND + 1), PENALTY_MOST_MS);
}
