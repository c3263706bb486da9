/* SPDX-License-Identifier: ISC
 *
 * text.c: strangers' text made harmless, and the encodings.
 */
#include "text.h"

#include <criterion/criterion.h>
#include <string.h>

static uint8_t room[256];

#define BYTES(literal) view_of(literal, sizeof(literal) - 1)

static void expect_json(struct view v, const char *wanted) {
    struct writer w = writer_of(room, sizeof room);
    text_json(&w, v);
    cr_assert(!w.bad && view_equal_text(writer_view(&w), wanted), "%.*s", (int)w.len, (const char *)room);
}

Test(text, json_escapes_what_could_break_a_line) {
    expect_json(BYTES(""), "\"\"");
    expect_json(BYTES("plain"), "\"plain\"");
    expect_json(BYTES("a\"b\\c"), "\"a\\\"b\\\\c\"");
    expect_json(BYTES("\n\r\t"), "\"\\n\\r\\t\"");
    expect_json(BYTES("\0\x1b[2J\x7f"), "\"\\u0000\\u001b[2J\\u007f\"");
    expect_json(BYTES("\xc2\x9b"), "\"\\u009b\""); /* the one-byte CSI, in UTF-8 */
}

Test(text, json_keeps_valid_utf8) {
    expect_json(BYTES("関所 \xc2\xa0 \xf0\x9f\x9a\xa7"), "\"関所 \xc2\xa0 \xf0\x9f\x9a\xa7\"");
}

Test(text, json_replaces_each_invalid_byte) {
    expect_json(BYTES("\xff"), "\"\xef\xbf\xbd\"");
    expect_json(BYTES("\xc0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");                 /* overlong NUL */
    expect_json(BYTES("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""); /* a surrogate */
    expect_json(BYTES("\xe9\x96"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");                 /* cut short */
    expect_json(BYTES("\xe9\x96\"x"), "\"\xef\xbf\xbd\xef\xbf\xbd\\\"x\"");
    expect_json(BYTES("\xf4\x90\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

Test(text, json_that_does_not_fit_is_bad) {
    struct writer w = writer_of(room, 4);
    text_json(&w, BYTES("abc"));
    cr_assert(w.bad);
}

Test(text, hexadecimal_both_ways) {
    struct writer w = writer_of(room, sizeof room);
    text_hex(&w, BYTES("\0\x0f\xa5\xff"));
    cr_assert(view_equal_text(writer_view(&w), "000fa5ff"));
    uint8_t out[4];
    cr_assert(text_unhex(BYTES("000FA5ff"), out, 4));
    cr_assert_arr_eq(out, "\0\x0f\xa5\xff", 4);
    cr_assert_not(text_unhex(BYTES("000fa5f"), out, 4));
    cr_assert_not(text_unhex(BYTES("000fa5ff0"), out, 4));
    cr_assert_not(text_unhex(BYTES("000fa5fg"), out, 4));
    cr_assert_not(text_unhex(BYTES("0x0fa5ff"), out, 4));
    cr_assert_not(text_unhex(BYTES("000fa5f\x06"), out, 4)); /* '&' with a bit more */
}

Test(text, session_ids_have_sixteen_digits) {
    char out[17];
    uint64_t back;
    text_hex64(0xfeed, out);
    cr_assert_str_eq(out, "000000000000feed");
    cr_assert(text_unhex64(view_text(out), &back));
    cr_assert_eq(back, 0xfeed);
    cr_assert_not(text_unhex64(BYTES("feed"), &back));
}

static void expect_base64(struct view plain, const char *coded) {
    struct writer w = writer_of(room, sizeof room);
    text_base64(&w, plain);
    cr_assert(view_equal_text(writer_view(&w), coded));
    w = writer_of(room, sizeof room);
    cr_assert(text_unbase64(&w, view_text(coded)));
    cr_assert(view_equal(writer_view(&w), plain));
}

/* The vectors of RFC 4648, section 10. */
Test(text, base64_both_ways) {
    expect_base64(BYTES(""), "");
    expect_base64(BYTES("f"), "Zg==");
    expect_base64(BYTES("fo"), "Zm8=");
    expect_base64(BYTES("foo"), "Zm9v");
    expect_base64(BYTES("foob"), "Zm9vYg==");
    expect_base64(BYTES("fooba"), "Zm9vYmE=");
    expect_base64(BYTES("foobar"), "Zm9vYmFy");
    expect_base64(BYTES("\xfb\xff\0"), "+/8A");
}

Test(text, base64_is_canonical_or_refused) {
    static const char *const wrong[] = {"Z",    "Zg",   "Zg=",   "Zh==", "Zm9=",     "Zg==Zg==", "====",
                                        "=Zg=", "Zm 9", "Zm9\n", "Zm-_", "Zm9v\xff", "Z=g=",     "Zg=g"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct writer w = writer_of(room, sizeof room);
        cr_assert_not(text_unbase64(&w, view_text(wrong[i])), "%s", wrong[i]);
        cr_assert(w.bad);
    }
    struct writer w = writer_of(room, sizeof room);
    cr_assert_not(text_unbase64(&w, BYTES("Zm\0v")));
    w = writer_of(room, 2);
    cr_assert_not(text_unbase64(&w, BYTES("Zm9v")));
}

Test(text, numbers_are_digits_within_bounds) {
    uint64_t n = 1;
    cr_assert(text_number(BYTES("0"), 0, 10, &n) && n == 0);
    cr_assert(text_number(BYTES("10"), 0, 10, &n) && n == 10);
    cr_assert(text_number(BYTES("18446744073709551615"), 0, UINT64_MAX, &n) && n == UINT64_MAX);
    static const char *const wrong[] = {
        "", "11", "-1", "+1", "01", "00", "1 ", " 1", "1a", "0x1", "18446744073709551616"};
    n = 77;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_not(text_number(view_text(wrong[i]), 0, 10, &n), "%s", wrong[i]);
    cr_assert_not(text_number(BYTES("18446744073709551616"), 0, UINT64_MAX, &n));
    cr_assert_not(text_number(BYTES("99999999999999999999"), 0, UINT64_MAX, &n));
    cr_assert_not(text_number(BYTES("4"), 5, 10, &n));
    cr_assert_eq(n, 77); /* untouched */
}

Test(text, durations_have_units) {
    uint64_t ms;
    cr_assert(text_duration(BYTES("250ms"), &ms) && ms == 250);
    cr_assert(text_duration(BYTES("30s"), &ms) && ms == 30000);
    cr_assert(text_duration(BYTES("5min"), &ms) && ms == 300000);
    cr_assert(text_duration(BYTES("2h"), &ms) && ms == 7200000);
    cr_assert(text_duration(BYTES("7d"), &ms) && ms == 604800000);
    cr_assert(text_duration(BYTES("0"), &ms) && ms == 0);
    static const char *const wrong[] = {"", "30", "s", "30 s", "30S", "-1s", "1.5h", "30sec", "99999999999d"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_not(text_duration(view_text(wrong[i]), &ms), "%s", wrong[i]);
}

Test(text, case_is_ascii_only) {
    char out[8];
    cr_assert(text_equal_nocase(BYTES("AcMe.z"), BYTES("aCmE.Z")));
    cr_assert_not(text_equal_nocase(BYTES("acme"), BYTES("acm")));
    cr_assert_not(text_equal_nocase(BYTES("@"), BYTES("`")));
    cr_assert_not(text_equal_nocase(BYTES("É"), BYTES("é")));
    cr_assert(text_lower_into(BYTES("AcMe-[Z"), out, sizeof out));
    cr_assert_str_eq(out, "acme-[z");
    cr_assert_not(text_lower_into(BYTES("12345678"), out, sizeof out));
    cr_assert_not(text_lower_into(BYTES("a\0b"), out, sizeof out));
}

Test(text, lists_are_taken_apart) {
    struct view rest = BYTES(" a, b c ,,d "), item;
    static const char *const wanted[] = {"a", "b c", "", "d"};
    for (size_t i = 0; i < 4; i++) {
        cr_assert(text_next_item(&rest, &item));
        cr_assert(view_equal_text(item, wanted[i]), "%zu", i);
    }
    cr_assert_not(text_next_item(&rest, &item));
    cr_assert_eq(text_trim(BYTES(" \t\r\n")).len, 0);
}
