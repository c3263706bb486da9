/* SPDX-License-Identifier: ISC
 *
 * One text for a meaning, and signatures over nothing else.
 */
#include "grants_fixture.h"

static const char approve_text[] =
    "sekisho-statement 1\n"
    "kind: approve\n"
    "environment: production\n"
    "tenant: acme\n"
    "signer: bob\n"
    "key: 0123456789abcdef\n"
    "at: 2026-11-24T21:30:00Z\n"
    "request: 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
    "scope: read\n"
    "databases: shop,payroll\n"
    "not-after: 2026-11-24T22:30:00Z\n";

static bool parses(const char *text) {
    struct statement st;
    char why[STATEMENT_WHY];
    bool good = statement_parse(view_text(text), &st, why);
    cr_expect_eq(good, !why[0], "%s", why);
    return good;
}

/* The text with one part replaced. */
static bool parses_with(const char *from, const char *to) {
    char text[2 * STATEMENT_MAX];
    const char *at = strstr(approve_text, from);
    cr_assert(at, "%s", from);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - approve_text), approve_text, to, at + strlen(from));
    return parses(text);
}

Test(statement, an_approval_reads_as_it_is_documented) {
    struct statement st;
    char why[STATEMENT_WHY], id[GRANT_ID + 1];
    cr_assert(statement_parse(view_text(approve_text), &st, why), "%s", why);
    cr_expect_eq(st.kind, STATEMENT_APPROVE);
    cr_expect_str_eq(st.tenant, "acme");
    cr_expect_str_eq(st.signer, "bob");
    cr_expect_eq(st.at, TUESDAY);
    cr_expect_eq(st.not_after, TUESDAY + HOUR);
    cr_expect_eq(st.scope, SCOPE_READ);
    cr_expect_eq(st.about[31], 0x1f);
    statement_short(st.about, id);
    cr_expect_str_eq(id, "0001020304050607");
}

Test(statement, spelled_otherwise_it_is_none) {
    const char *const changes[][2] = {
        {"sekisho-statement 1", "sekisho-statement 2"},
        {"sekisho-statement 1\n", ""},
        {"kind: approve", "kind: APPROVE"},
        {"kind: approve", "kind: deny"},
        {"kind: approve", "kind: "},
        {"environment: production", "environment: "},
        {"environment: production", "environment: pro duction"},
        {"tenant: acme", "tenant: -"},
        {"tenant: acme", "tenant: ../x"},
        {"signer: bob", "signer: Bob"},
        {"signer: bob", "signer: -bob"},
        {"signer: bob\n", ""},
        {"signer: bob\n", "signer: bob\nsigner: bob\n"},
        {"key: 0123456789abcdef", "key: 0123456789ABCDEF"},
        {"key: 0123456789abcdef", "key: 0123456789abcde"},
        {"at: 2026-11-24T21:30:00Z", "at: 2026-11-24T21:30:00.0Z"},
        {"at: 2026-11-24T21:30:00Z", "at: 2026-11-24 21:30:00Z"},
        {"at: 2026-11-24T21:30:00Z", "at: 2026-11-31T21:30:00Z"},
        {"at: 2026-11-24T21:30:00Z", "at: 2026-11-24T24:00:00Z"},
        {"at: 2026-11-24T21:30:00Z", "at: 2026-11-24T21:30:60Z"},
        {"at: 2026-11-24T21:30:00Z", "at: 1969-12-31T23:59:59Z"},
        {"at: ", "at:"},
        {"at: ", "at:  "},
        {"request: 0001", "request: 00 1"},
        {"0a0b0c", "0A0B0C"},
        {"scope: read", "scope: superuser"},
        {"databases: shop,payroll", "databases: shop, payroll"},
        {"databases: shop,payroll", "databases: shop,shop"},
        {"databases: shop,payroll", "databases: shop,"},
        {"databases: shop,payroll", "databases: ,shop"},
        {"databases: shop,payroll", "databases: "},
        {"databases: shop,payroll", "databases: sh\x01op"},
        {"databases: shop,payroll", "databases: sh\xffop"},
        {"scope: read\ndatabases: shop,payroll\n", "databases: shop,payroll\nscope: read\n"},
        {"22:30:00Z\n", "22:30:00Z"},
        {"22:30:00Z\n", "22:30:00Z\r\n"},
        {"22:30:00Z\n", "22:30:00Z\n\n"},
        {"22:30:00Z\n", "22:30:00Z\nnote: more\n"},
    };
    cr_expect(parses(approve_text));
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        cr_expect(!parses_with(changes[i][0], changes[i][1]), "%s -> %s", changes[i][0], changes[i][1]);
    cr_expect(parses_with("databases: shop,payroll", "databases: caf\xc3\xa9"));
}

Test(statement, a_nul_or_a_byte_too_many_is_none) {
    struct statement st;
    char why[STATEMENT_WHY], text[sizeof approve_text + STATEMENT_MAX];
    cr_expect(!statement_parse(view_of(approve_text, sizeof approve_text), &st, why));
    memset(text, 'x', sizeof text);
    cr_expect(!statement_parse(view_of(text, STATEMENT_MAX + 1), &st, why));
    cr_expect(!statement_parse(view_of(NULL, 0), &st, why));
    for (size_t cut = 0; cut < sizeof approve_text - 1; cut++)
        cr_expect(!statement_parse(view_of(approve_text, cut), &st, why), "%zu bytes", cut);
}

static struct statement filled(enum statement_kind kind) {
    struct statement st = {.kind = kind,
                           .at = TUESDAY,
                           .reason_code = REASON_LEGAL_DEMAND,
                           .class = CLASS_MAINTENANCE,
                           .scope = SCOPE_ADMIN,
                           .not_before = TUESDAY,
                           .not_after = TUESDAY + DAY,
                           .verdict = REVIEW_DISPUTED,
                           .days = 0x61,
                           .from = 23 * 60,
                           .to = 61,
                           .zone = -210,
                           .max_duration = 7200,
                           .consent = CONSENT_STANDING,
                           .provider_approvals = 9,
                           .emergency_scope = SCOPE_READ,
                           .object = LOCK_OPERATOR};
    snprintf(st.environment, sizeof st.environment, "prod-1");
    snprintf(st.tenant, sizeof st.tenant, "acme");
    snprintf(st.signer, sizeof st.signer, "a.b_c-1");
    snprintf(st.key, sizeof st.key, "0123456789abcdef");
    snprintf(st.ticket, sizeof st.ticket, "OPS-1");
    snprintf(st.reason, sizeof st.reason, "\xe5\x86\x8d\xe8\xb5\xb7\xe5\x8b\x95: \"quoted\", 100%%");
    snprintf(st.comment, sizeof st.comment, "fine");
    snprintf(st.databases, sizeof st.databases, "shop");
    snprintf(st.name, sizeof st.name, "alice");
    memset(st.about, 7, sizeof st.about);
    return st;
}

Test(statement, every_kind_comes_back_as_it_went) {
    for (int kind = 1; kind < STATEMENT_KINDS; kind++) {
        char text[STATEMENT_MAX], again[STATEMENT_MAX], why[STATEMENT_WHY];
        struct writer w = writer_of(text, sizeof text), v = writer_of(again, sizeof again);
        struct statement st = filled((enum statement_kind)kind), back;
        enum statement_kind named;
        cr_assert(statement_compose(&st, &w, why), "%s: %s", statement_kind_name(st.kind), why);
        cr_assert(statement_parse(writer_view(&w), &back, why), "%s", why);
        cr_assert(statement_compose(&back, &v, why));
        cr_expect(view_equal(writer_view(&w), writer_view(&v)));
        cr_expect_eq(back.zone, kind == STATEMENT_STANDING ? -210 : 0, "only what the kind has");
        cr_expect(statement_kind_by_name(view_text(statement_kind_name(st.kind)), &named) &&
                  named == st.kind);
    }
}

static void expect_not_composed(struct statement st, const char *says) {
    char text[STATEMENT_MAX], why[STATEMENT_WHY];
    struct writer w = writer_of(text, sizeof text);
    cr_expect(!statement_compose(&st, &w, why), "%s", says);
    cr_expect(strstr(why, says), "\"%s\" does not say \"%s\"", why, says);
    cr_expect_eq(w.len, 0);
}

Test(statement, what_makes_no_sense_is_not_composed) {
    struct statement st = filled(STATEMENT_REQUEST);
    st.not_after = st.not_before;
    expect_not_composed(st, "ends before");
    st = filled(STATEMENT_REQUEST);
    snprintf(st.reason, sizeof st.reason, "two\nlines");
    expect_not_composed(st, "reason");
    snprintf(st.reason, sizeof st.reason, "ok\nreason-code: legal-demand");
    expect_not_composed(st, "class");
    st = filled(STATEMENT_REQUEST);
    st.class = CLASS_NONE;
    expect_not_composed(st, "choice");
    st = filled(STATEMENT_POLICY);
    st.provider_approvals = 10;
    expect_not_composed(st, "above 9");
    st = filled(STATEMENT_LOCK);
    st.object = LOCK_TENANT;
    expect_not_composed(st, "twice");
    st = filled(STATEMENT_LOCK);
    st.object = LOCK_GRANT;
    expect_not_composed(st, "16 hexadecimal");
    st = filled(STATEMENT_STANDING);
    st.max_duration = 0;
    expect_not_composed(st, "max-duration");
    st = filled(STATEMENT_NONE);
    expect_not_composed(st, "kind");
    st = filled(STATEMENT_REQUEST);
    st.tenant[0] = 0;
    expect_not_composed(st, "tenant");
    st.not_after = INT64_MAX;
    expect_not_composed(st, "out of range");
}

Test(statement, what_cannot_be_seen_is_not_signed) {
    const char *bad[] = {"",
                         " ",
                         " x",
                         "x ",
                         "\x7f",
                         "a\tb",
                         "\xc2\x85",
                         "\xc2\xad",
                         "\xe2\x80\xaex",
                         "a\xe2\x81\xa6",
                         "\xef\xbb\xbf",
                         "\xe3\x80\x80",
                         "\xc0\x80",
                         "\xed\xa0\x80",
                         "\xf4\x90\x80\x80",
                         "\xe2\x80",
                         "\x80",
                         "\xf0\x80\x80\x80",
                         "\xe0\x80\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(!statement_words(view_text(bad[i]), 100), "%zu", i);
    cr_expect(statement_words(view_text("\xf0\x9f\x94\x92 gr\xc3\xbc\xc3\x9f"), 100));
    cr_expect(statement_words(view_text("abc"), 3) && !statement_words(view_text("abcd"), 3));
}

Test(statement, times_and_days) {
    int64_t t;
    char text[INSTANT_TEXT];
    cr_expect(instant_parse(view_text("1970-01-01T00:00:00Z"), &t) && t == 0);
    cr_expect(instant_parse(view_text("2028-02-29T23:59:59Z"), &t));
    cr_expect(!instant_parse(view_text("2027-02-29T23:59:59Z"), &t));
    cr_expect(instant_parse(view_text("9999-12-31T23:59:59Z"), &t));
    instant_text(t, text);
    cr_expect_str_eq(text, "9999-12-31T23:59:59Z");
    uint8_t days;
    cr_expect(days_parse(view_text("mon,wed,sun"), &days) && days == 0x45);
    cr_expect(!days_parse(view_text("wed,mon"), &days) && !days_parse(view_text("mon,mon"), &days));
    cr_expect(!days_parse(view_text(""), &days));
    uint16_t minute;
    cr_expect(minute_parse(view_text("23:59"), &minute) && minute == 1439);
    cr_expect(!minute_parse(view_text("24:00"), &minute) && !minute_parse(view_text("1:00"), &minute));
}

/* --- signatures --- */

Test(statement, a_signature_is_over_every_byte) {
    uint8_t public[STATEMENT_PUBLIC], other[STATEMENT_PUBLIC], signature[STATEMENT_SIGNATURE];
    char text[sizeof approve_text];
    struct signing_key *k = signing_key_make(), *m = signing_key_make();
    signing_key_public(k, public);
    signing_key_public(m, other);
    memcpy(text, approve_text, sizeof text);
    struct view v = view_of(text, sizeof text - 1), sig = view_of(signature, sizeof signature);
    cr_assert(statement_sign(k, v, signature));
    cr_expect(statement_verify(public, v, sig));
    cr_expect(!statement_verify(other, v, sig));
    for (size_t i = 0; i < v.len; i++) {
        text[i] ^= 1;
        cr_expect(!statement_verify(public, v, sig), "byte %zu", i);
        text[i] ^= 1;
    }
    cr_expect(!statement_verify(public, view_of(text, v.len - 1), sig));
    cr_expect(!statement_verify(public, v, view_of(signature, 63)));
    signature[5] ^= 1;
    cr_expect(!statement_verify(public, v, sig));
    signing_key_free(&k);
    signing_key_free(&m);
    signing_key_free(&k);
}

Test(statement, a_signature_for_something_else_is_none) {
    static const uint8_t seed_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                      "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                                      "-----END PRIVATE KEY-----\n"; /* RFC 8032, 7.1, test 1 */
    /* Its signature there, of the empty message without our prefix. */
    static const char of_nothing[] = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                                     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    char why[STATEMENT_WHY];
    uint8_t public[STATEMENT_PUBLIC], signature[STATEMENT_SIGNATURE];
    struct signing_key *k = signing_key_read(view_of(seed_pem, sizeof seed_pem - 1), view_text(""), why);
    cr_assert(k, "%s", why);
    signing_key_public(k, public);
    cr_expect_eq(public[0], 0xd7);
    cr_expect_eq(public[31], 0x1a);
    cr_assert(text_unhex(view_text(of_nothing), signature, sizeof signature));
    cr_expect(!statement_verify(public, view_text(""), view_of(signature, sizeof signature)));
    signing_key_free(&k);
}

Test(statement, private_keys_are_kept_as_pem_with_or_without_password) {
    char plain[2048], sealed[2048], why[STATEMENT_WHY];
    uint8_t a[STATEMENT_PUBLIC], b[STATEMENT_PUBLIC];
    struct writer p = writer_of(plain, sizeof plain), q = writer_of(sealed, sizeof sealed);
    struct signing_key *k = signing_key_make(), *back;
    signing_key_public(k, a);
    cr_assert(signing_key_write(k, view_text(""), &p));
    cr_assert(signing_key_write(k, view_text("open sesame"), &q));
    cr_expect(view_starts(writer_view(&p), "-----BEGIN PRIVATE KEY-----"));
    cr_expect(view_starts(writer_view(&q), "-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    cr_assert(back = signing_key_read(writer_view(&p), view_text(""), why), "%s", why);
    signing_key_public(back, b);
    cr_expect(memcmp(a, b, sizeof a) == 0);
    signing_key_free(&back);
    cr_assert(back = signing_key_read(writer_view(&q), view_text("open sesame"), why), "%s", why);
    signing_key_free(&back);
    cr_expect(!signing_key_read(writer_view(&q), view_text("sesame"), why));
    cr_expect(!signing_key_read(writer_view(&q), view_text(""), why));
    cr_expect(strstr(why, "needs a password"));
    cr_expect(!signing_key_read(view_text("nonsense"), view_text(""), why));
    signing_key_free(&k);
}

Test(statement, keys_of_another_kind_sign_nothing) {
    static const char p256[] = "-----BEGIN PRIVATE KEY-----\n"
                               "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAAAAAAAAAAAAAAAA\n"
                               "AAAAAAAAAAAAAAAAAAAAAAAAAAGhRANCAARrF9Hy4SxCR/i85uVjpEDydwN9gS3r\n"
                               "M6D0oTlF2JjClk/jQuL+Gn+bjufrSnwPnhYrzjNXazFezsu2QGg3v1H1\n"
                               "-----END PRIVATE KEY-----\n";
    char why[STATEMENT_WHY];
    cr_expect(!signing_key_read(view_text(p256), view_text(""), why));
    cr_expect(strstr(why, "Ed25519"), "%s", why);
}
