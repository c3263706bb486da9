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

static uint32_t delay(const char *user, const struct address *from, int64_t now) {
    return penalty_delay(table, "acme", view_text(user), from, now);
}

static void fail(const char *user, const struct address *from, uint64_t proof, int64_t now) {
    penalty_failed(table, "acme", view_text(user), from, proof, now);
}

Test(penalty, doubles_from_the_second_failure_up_to_the_most) {
    static const uint32_t delays[] = {0, 0, 250, 500, 1000, 2000, 4000, 8000, 8000, 8000};
    for (uint64_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        cr_assert_eq(delay("alice", &mallory, SECOND), delays[i], "after %d failures", (int)i);
        fail("alice", &mallory, i + 1, SECOND);
    }
    for (uint64_t i = 0; i < 1000; i++)
        fail("alice", &mallory, i + 100, SECOND);
    cr_assert_eq(delay("alice", &mallory, SECOND), PENALTY_MOST_MS);
}

Test(penalty, does_not_touch_the_owner_elsewhere) {
    for (uint64_t i = 1; i <= 50; i++)
        fail("alice", &mallory, i, SECOND);
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
        penalty_failed(table, "acme", writer_view(&w), from, 1, SECOND);
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
    cr_assert_eq(penalty_delay(table, "globex", view_text("user1"), &mallory, SECOND), 0);
}

Test(penalty, takes_an_ipv6_network_as_one) {
    struct address first = address_of("2001:db8:9:9::1"), second = address_of("2001:db8:9:9:ffff::2"),
                   neighbour = address_of("2001:db8:9:a::1");
    for (uint64_t i = 1; i <= 3; i++)
        fail("alice", &first, i, SECOND);
    second.port = 40001;
    cr_assert_eq(delay("alice", &second, SECOND), 500);
    cr_assert_eq(delay("alice", &neighbour, SECOND), 0);
}

Test(penalty, ignores_the_port) {
    struct address other_port = mallory;
    other_port.port = 50000;
    fail("alice", &mallory, 1, SECOND);
    fail("alice", &other_port, 2, SECOND);
    cr_assert_eq(delay("alice", &mallory, SECOND), 250);
}

Test(penalty, does_not_punish_the_same_mistake_again) {
    for (int i = 0; i < 100; i++)
        fail("app", &alice_home, 4711, SECOND);
    cr_assert_eq(delay("app", &alice_home, SECOND), 0);
    cr_assert_eq(delay("alice", &alice_home, SECOND), 0, "nor for its network");
    fail("app", &alice_home, 4712, SECOND);
    cr_assert_eq(delay("app", &alice_home, SECOND), 250);
}

Test(penalty, counts_every_guess_it_cannot_tell_apart) {
    for (int i = 0; i < 4; i++)
        fail("alice", &mallory, 0, SECOND);
    cr_assert_eq(delay("alice", &mallory, SECOND), 1000);
}

Test(penalty, forgets_after_a_quiet_while) {
    const int64_t end = SECOND + PENALTY_FORGET_S * SECOND;
    for (uint64_t i = 1; i <= 5; i++)
        fail("alice", &mallory, i, SECOND);
    cr_assert_eq(delay("alice", &mallory, end - 1), 2000);
    cr_assert_eq(delay("alice", &mallory, end), 0);
    fail("alice", &mallory, 6, end);
    cr_assert_eq(delay("alice", &mallory, end), 0, "the first of a new count");
    fail("alice", &mallory, 7, end);
    cr_assert_eq(delay("alice", &mallory, end), 250);
}

Test(penalty, forgives_the_user_but_not_the_network_on_success) {
    for (uint64_t i = 1; i <= 4; i++)
        fail("alice", &mallory, i, SECOND);
    penalty_passed(table, "acme", view_text("alice"), &mallory);
    penalty_passed(table, "acme", view_text("nobody"), &mallory);
    cr_assert_eq(delay("alice", &mallory, SECOND), 0);
    fail_as_many(PENALTY_NETWORK_FREE - 3, &mallory);
    cr_assert_eq(delay("alice", &mallory, SECOND), 250, "the network's count goes on");
}

/* "ab" + "c" and "a" + "bc" are two different users. */
Test(penalty, keeps_tenants_and_users_apart) {
    penalty_failed(table, "ab", view_text("c"), &mallory, 7, SECOND);
    penalty_failed(table, "a", view_text("bc"), &mallory, 8, SECOND);
    cr_assert_eq(penalty_delay(table, "ab", view_text("c"), &mallory, SECOND), 0, "one mistake each");
    cr_assert_eq(penalty_delay(table, "a", view_text("bc"), &mallory, SECOND), 0);
}

static struct address numbered(unsigned n) {
    struct address a = {.family = 4, .bytes = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
    return a;
}

Test(penalty, lets_the_oldest_make_room) {
    struct address first = numbered(0), last = numbered(64);
    for (unsigned i = 0; i <= 64; i++) {
        struct address a = numbered(i);
        fail("alice", &a, 1, SECOND + i);
        fail("alice", &a, 2, SECOND + i);
        fail("alice", &mallory, i + 1, SECOND + i); /* kept young by failing again */
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
        penalty_failed(table, "acme", writer_view(&w), &mallory, 1, SECOND);
    }
    cr_assert_eq(delay("alice", &mallory, SECOND), PENALTY_MOST_MS);
}

Test(penalty, works_with_a_single_slot) {
    struct penalty *small = penalty_new(1);
    for (uint64_t i = 1; i <= 3; i++) {
        penalty_failed(small, "acme", view_text("alice"), &mallory, i, SECOND);
        penalty_failed(small, "acme", view_text("alice"), &alice_home, i, SECOND);
    }
    cr_assert_eq(penalty_delay(small, "acme", view_text("alice"), &mallory, SECOND), 0);
    penalty_passed(small, "acme", view_text("alice"), &alice_home);
    penalty_failed(small, "acme", view_text("alice"), &mallory, 1, SECOND);
    penalty_failed(small, "acme", view_text("alice"), &mallory, 2, SECOND);
    cr_assert_eq(penalty_delay(small, "acme", view_text("alice"), &mallory, SECOND), 250);
    penalty_free(&small);
}
