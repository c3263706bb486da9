/* SPDX-License-Identifier: ISC
 *
 * verifier.c: PostgreSQL's verifier texts, made, read and refused.
 */
#include "scram_fixture.h"

#include <criterion/criterion.h>

/* What PostgreSQL 15's initdb stored for the password "pencil". */
#define SALT_15 "g1s63PNWpTFHkHt71K3uSg=="
#define STORED_15 "rLfNOFqfKc8vcZZzZbpmNAgCY2pHd5qWg1CpYJHbrPI="
#define SERVER_15 "5pqk4kNU0nf8PQ2A1S8igHyns+3xCBGQKrY4g+sWDnQ="
#define VERIFIER_15 "SCRAM-SHA-256$4096:" SALT_15 "$" STORED_15 ":" SERVER_15

static bool parse(const char *text, struct verifier *out) {
    struct view heap = exactly(view_text(text));
    bool good = verifier_parse(heap, out);
    free((void *)heap.at);
    return good;
}

Test(verifier, reads_and_writes_what_postgresql_15_stored) {
    struct verifier v;
    struct message out;
    cr_assert(parse(VERIFIER_15, &v));
    cr_assert_eq(v.iterations, 4096);
    cr_assert_eq(v.salt_len, 16);
    verifier_text(message_clear(&out), &v);
    cr_assert(message_is(&out, VERIFIER_15));
}

Test(verifier, makes_what_postgresql_15_made_of_the_same_password_and_salt) {
    struct verifier theirs, ours;
    struct message out;
    cr_assert(parse(VERIFIER_15, &theirs));
    cr_assert(verifier_make(view_text("pencil"), view_of(theirs.salt, theirs.salt_len), 4096, &ours));
    verifier_text(message_clear(&out), &ours);
    cr_assert(message_is(&out, VERIFIER_15));
}

Test(verifier, refuses_everything_else) {
    static const char *const texts[] = {
        "",
        "pencil",
        "md5a6343a68d964ca596d9752250d54bb8a",
        "SCRAM-SHA-256",
        "SCRAM-SHA-256$",
        "SCRAM-SHA-1$4096:" SALT_15 "$" STORED_15 ":" SERVER_15,
        "scram-sha-256$4096:" SALT_15 "$" STORED_15 ":" SERVER_15,
        " " VERIFIER_15,
        VERIFIER_15 " ",
        VERIFIER_15 "\n",
        VERIFIER_15 ":",
        VERIFIER_15 "AAAA",
        "SCRAM-SHA-256$:" SALT_15 "$" STORED_15 ":" SERVER_15,
        "SCRAM-SHA-256$0:" SALT_15 "$" STORED_15 ":" SERVER_15,
        "SCRAM-SHA-256$1:" SALT_15 "$" STORED_15 ":" SERVER_15,
        "SCRAM-SHA-256$4095:" SALT_15 "$" STORED_15 ":" SERVER_15,
        "SCRAM-SHA-256$10000001:" SALT_15 "$" STORED_15 ":" SERVER_15,
        "SCRAM-SHA-256$4294971392:" SALT_15 "$" STORED_15 ":" SERVER_15,
        "SCRAM-SHA-256$-4096:" SALT_15 "$" STORED_15 ":" SERVER_15,
        "SCRAM-SHA-256$04096:" SALT_15 "$" STORED_15 ":" SERVER_15,
        "SCRAM-SHA-256$4096:$" STORED_15 ":" SERVER_15,
        "SCRAM-SHA-256$4096:A$" STORED_15 ":" SERVER_15,
        "SCRAM-SHA-256$4096:" SALT_15 "$" STORED_15,
        "SCRAM-SHA-256$4096:" SALT_15 "$" STORED_15 ":",
        "SCRAM-SHA-256$4096:" SALT_15 "$:" SERVER_15,
        "SCRAM-SHA-256$4096:" SALT_15 "$AAAA:" SERVER_15,
        "SCRAM-SHA-256$4096:" SALT_15 "$AAAA" STORED_15 ":" SERVER_15,
        "SCRAM-SHA-256$4096:" SALT_15 ":" STORED_15 "$" SERVER_15,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct verifier v;
        memset(&v, 1, sizeof v);
        cr_assert_not(parse(texts[i], &v), "%s", texts[i]);
        cr_assert(all_zero(&v, sizeof v), "%s: something is left", texts[i]);
    }
}

Test(verifier, refuses_a_text_that_ends_early_or_holds_a_nul) {
    static const char text[] = VERIFIER_15;
    struct verifier v;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        char bytes[sizeof text];
        memcpy(bytes, text, sizeof text);
        bytes[i] = 0;
        struct view cut = exactly(view_of(text, i)), holed = exactly(view_of(bytes, sizeof text - 1));
        cr_assert_not(verifier_parse(cut, &v), "cut at %zu", i);
        cr_assert_not(verifier_parse(holed, &v), "NUL at %zu", i);
        free((void *)cut.at);
        free((void *)holed.at);
    }
}

Test(verifier, takes_salts_up_to_the_longest) {
    uint8_t salt[VERIFIER_SALT_MAX + 1] = {9};
    struct verifier v, read;
    struct message out;
    for (size_t n = 1; n <= VERIFIER_SALT_MAX; n++) {
        cr_assert(verifier_make(view_text("x"), view_of(salt, n), 4096, &v));
        verifier_text(message_clear(&out), &v);
        cr_assert(verifier_parse(message_view(&out), &read));
        cr_assert_eq(memcmp(&v, &read, sizeof v), 0);
    }
    cr_assert_not(verifier_make(view_text("x"), view_of(salt, VERIFIER_SALT_MAX + 1), 4096, &v));
    cr_assert_not(verifier_make(view_text("x"), view_of(salt, 0), 4096, &v));
    message_clear(&out);
    writer_text(&out.w, "SCRAM-SHA-256$4096:");
    text_base64(&out.w, view_of(salt, sizeof salt));
    writer_text(&out.w, "$" STORED_15 ":" SERVER_15);
    cr_assert_not(verifier_parse(message_view(&out), &read));
}

Test(verifier, is_made_of_ascii_passwords_and_sane_iterations_only) {
    struct verifier v;
    struct view salt = view_text("0123456789abcdef");
    cr_assert_not(verifier_make(view_text(""), salt, 4096, &v));
    cr_assert_not(verifier_make(view_text("p\xc3\xa4sswort"), salt, 4096, &v));
    cr_assert_not(verifier_make(view_of("a\0b", 3), salt, 4096, &v));
    cr_assert_not(verifier_make(view_text("x"), salt, 4095, &v));
    cr_assert_not(verifier_make(view_text("x"), salt, VERIFIER_ITERATIONS_MAX + 1, &v));
    cr_assert(all_zero(&v, sizeof v));
}

Test(verifier, of_nobody_has_the_same_salt_everywhere_and_keys_nowhere) {
    static const uint8_t secret[32] = "one fleet", other[32] = "another fleet";
    struct verifier a, b;
    verifier_mock(secret, "acme", view_text("alice"), 4096, &a);
    verifier_mock(secret, "acme", view_text("alice"), 4096, &b);
    cr_assert_eq(a.salt_len, 16);
    cr_assert_eq(a.iterations, 4096);
    cr_assert_arr_eq(a.salt, b.salt, 16);
    cr_assert_neq(memcmp(a.stored_key, b.stored_key, SCRAM_KEY), 0);
    cr_assert_neq(memcmp(a.server_key, b.server_key, SCRAM_KEY), 0);
    static const struct {
        const uint8_t *secret;
        const char *tenant, *user;
    } others[] = {{other, "acme", "alice"},  {secret, "globex", "alice"}, {secret, "acme", "bob"},
                  {secret, "acmea", "lice"}, {secret, "acm", "ealice"},   {secret, "acme", ""}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        verifier_mock(others[i].secret, others[i].tenant, view_text(others[i].user), 4096, &b);
        cr_assert_neq(memcmp(a.salt, b.salt, 16), 0, "%s %s", others[i].tenant, others[i].user);
    }
}

/* Known value: HMAC-SHA-256, computed with Python's hmac module. */
Test(verifier, of_nobody_is_salted_as_documented) {
    uint8_t secret[32], expected[16];
    memset(secret, 0x42, sizeof secret);
    struct verifier v;
    verifier_mock(secret, "acme", view_text("alice"), 4096, &v);
    cr_assert(text_unhex(view_text("a049c63bbdae5e4512b5bf57eb1ac2bb"), expected, sizeof expected));
    cr_assert_arr_eq(v.salt, expected, sizeof expected);
}

Test(verifier, crosses_a_channel) {
    struct verifier v = verifier_of("pencil", "0123456789abcdef"), read;
    struct message out;
    verifier_write(message_clear(&out), &v);
    struct reader r = reader_of(message_view(&out));
    cr_assert(verifier_read(&r, &read));
    cr_assert(reader_done(&r));
    cr_assert_eq(memcmp(&v, &read, sizeof v), 0);
    for (size_t n = 0; n < out.w.len; n++) {
        struct view cut = exactly(view_of(out.bytes, n));
        r = reader_of(cut);
        cr_assert_not(verifier_read(&r, &read), "cut at %zu", n);
        cr_assert(r.bad);
        cr_assert(all_zero(&read, sizeof read));
        free((void *)cut.at);
    }
}

Test(verifier, crosses_no_channel_out_of_bounds) {
    struct verifier v = verifier_of("pencil", "0123456789abcdef"), read;
    static const struct {
        uint32_t iterations;
        uint8_t salt_len;
    } wrong[] = {{0, 16},    {4095, 16}, {VERIFIER_ITERATIONS_MAX + 1, 16}, {UINT32_MAX, 16}, {4096, 0},
                 {4096, 65}, {4096, 255}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct message out;
        verifier_write(message_clear(&out), &v);
        writer_patch_u32(&out.w, 0, wrong[i].iterations);
        out.bytes[4] = wrong[i].salt_len;
        memset(out.bytes + out.w.len, 0, 512);
        struct reader r = reader_of(view_of(out.bytes, out.w.len + 512));
        cr_assert_not(verifier_read(&r, &read));
        cr_assert(r.bad);
    }
}
