/* SPDX-License-Identifier: ISC
 *
 * observe_text.c, and what observe_client.c makes of it: whatever an operator sends can be found in the log
 * byte by byte, or ends her session.
 */
#include "observe_fixture.h"

TestSuite(observe_text, .init = set_up, .fini = tear_down);

/* Puts the parts of a statement together again. */
static void whole_text(size_t first, size_t parts, char *out) {
    for (size_t i = 0; i < parts; i++) {
        char begins[64];
        snprintf(begins, sizeof begins, " part=%zu parts=%zu sql=", i + 1, parts);
        const char *at = strstr(told.line[first + i], begins);
        cr_assert_not_null(at, "%.80s", told.line[first + i]);
        at += strlen(begins);
        cr_assert(strlen(at) <= 4000);
        memcpy(out, at, strlen(at) + 1);
        out += strlen(at);
    }
}

Test(observe_text, a_long_text_is_whole_in_parts) {
    static char sql[OBSERVE_STATEMENT_MAX], again[OBSERVE_STATEMENT_MAX];
    size_t len = 0;
    while (len < sizeof sql - 16) { /* the characters lie differently at each part's end */
        memcpy(sql + len, "a\xC3\xA9\xE2\x82\xAC", 6);
        len += 6;
    }
    cr_assert_eq(query(sql), OBSERVE_OK);
    cr_assert_gt(told.lines, 1);
    whole_text(0, told.lines, again);
    cr_assert_str_eq(again, sql);
    cr_assert_eq(sent.len, len + 6);
    cr_assert_eq(observe_statements(o), 1);
}

Test(observe_text, invalid_encodings_are_in_the_log_as_bytes) {
    query("select '\xff'");
    EXPECT_LOG("statement 1 kind=query-hex sql=\\x73656c6563742027ff27");
}

Test(observe_text, a_long_invalid_text_is_whole_in_parts) {
    static char sql[5002], again[10100];
    memset(sql, '\xfe', 5001);
    query(sql);
    cr_assert_eq(told.lines, 3);
    whole_text(0, 3, again);
    cr_assert_eq(strlen(again), 2 + 2 * 5001);
    cr_assert_eq(strncmp(again, "\\xfefe", 6), 0);
    cr_assert_eq(strspn(again + 2, "fe"), 2 * 5001);
}

Test(observe_text, the_longest_statement_passes_and_no_longer_one) {
    static uint8_t sql[OBSERVE_STATEMENT_MAX];
    memset(sql, 'x', sizeof sql);
    struct writer w = client();
    put_query(&w, view_of(sql, OBSERVE_STATEMENT_MAX - 5));
    cr_assert_eq(say(writer_view(&w)), OBSERVE_OK);
    cr_assert_eq(sent.len, OBSERVE_STATEMENT_MAX + 1);
    expect_refused(say(BYTES("Q\0\x10\0\1")), "54000"); /* before its text came */
    cr_assert_str_eq(why.sentence, "statement too long for an operator's session");
    cr_assert_str_eq(told.line[told.lines - 2], "statement 2 kind=query bytes=1048578");
    cr_assert_str_eq(
        told.line[told.lines - 1],
        "result 2 sqlstate=54000 message=statement too long for an operator's session tag=refused");
}

static void expect_malformed(struct view bytes) {
    struct observe_rules rules = {.session = 7};
    observe_free(&o);
    log_clear(&told);
    o = observe_new(&rules, log_record, &told);
    expect_refused(say(bytes), "08P01");
    cr_assert_eq(told.lines, 2);
}

Test(observe_text, malformed_messages_end_the_session) {
    expect_malformed(BYTES("Q\0\0\0\6ab"));
    expect_malformed(BYTES("Q\0\0\0\x0dx\0hidden\0"));
    expect_malformed(BYTES("Q\0\0\0\3"));
    expect_malformed(BYTES("P\0\0\0\6ab"));
    expect_malformed(BYTES("B\0\0\0\6ab"));
    expect_malformed(BYTES("E\0\0\0\6ab"));
    expect_malformed(BYTES("D\0\0\0\6X\0"));
    expect_malformed(BYTES("S\0\0\0\5x"));
    expect_malformed(BYTES("c\0\0\0\5x"));
    expect_malformed(BYTES("f\0\0\0\5x"));
    expect_malformed(BYTES("d\x40\0\0\0"));
}

Test(observe_text, names_that_a_record_could_not_tell_apart_are_refused) {
    uint8_t body[80] = {0};
    memset(body, 'n', 63);
    cr_assert_eq(say_one('C', view_of("S\xff\0", 3)), OBSERVE_OK);
    cr_assert_eq(say_one('C', view_of("S\\xff\0", 6)), OBSERVE_OK);
    EXPECT_LOG("statement 1 detail=statement kind=close name=\\xff",
               "statement 2 detail=statement kind=close name=\\x5c786666");
    struct writer w = client();
    put(&w, 'E', view_of(body, 63 + 5));
    cr_assert_eq(say(writer_view(&w)), OBSERVE_OK);
    memset(body, 'n', 64);
    w = client();
    put(&w, 'E', view_of(body, 64 + 5));
    expect_refused(say(writer_view(&w)), "42622");
}

/* A Bind with these values, and its record's parameters. */
static const char *parameters_of(size_t count, struct view value) {
    struct writer w = client();
    writer_bytes(&w, BYTES("B\0\0\0\0\0\0\0\0"));
    writer_u16(&w, (uint16_t)count);
    for (size_t i = 0; i < count; i++) {
        writer_u32(&w, (uint32_t)value.len);
        writer_bytes(&w, value);
    }
    writer_u16(&w, 0);
    writer_patch_u32(&w, 1, (uint32_t)w.len - 1);
    cr_assert_eq(say(writer_view(&w)), OBSERVE_OK);
    return strstr(told.line[told.lines - 1], "parameters=") + strlen("parameters=");
}

Test(observe_text, parameters_can_be_found_again) {
    cr_assert_str_eq(parameters_of(1, BYTES("it's \"here\"\n")), "[\"it's \\\"here\\\"\\n\"]");
    cr_assert_str_eq(parameters_of(1, BYTES("\xff\0")), "[\"\\\\xff00\"]");
    cr_assert_str_eq(parameters_of(1, BYTES("\\xff")), "[{\"text\":\"\\\\xff\"}]");
    cr_assert_str_eq(parameters_of(2, BYTES("")), "[\"\",\"\"]");
    say_one('B', BYTES("\0\0\0\0\0\1\xff\xff\xff\xff\0\0"));
    cr_assert_str_eq(told.line[told.lines - 1], "statement 5 kind=bind parameters=[null]");
}

Test(observe_text, long_parameters_are_hashed) {
    static uint8_t value[1025];
    memset(value, 'a', sizeof value);
    cr_assert_eq(strlen(parameters_of(1, view_of(value, 1024))), 1024 + 4);
    cr_assert_str_eq(parameters_of(1, view_of(value, 1025)),
                     "[{\"bytes\":1025,\"sha256\":"
                     "\"4a82297889eb505cf6b5cbdf69977afab4632d6557539782f657bd7dc78091a5\"}]");
}

Test(observe_text, many_parameters_end_in_one_hash) {
    const char *p = parameters_of(65535, BYTES("abc"));
    cr_assert_leq(strlen(p), 4096);
    cr_assert_not_null(strstr(p, "\"abc\",{\"more\":6"));
    cr_assert_eq(strcmp(p + strlen(p) - 3, "\"}]"), 0);
    p = parameters_of(100, BYTES("\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"));
    cr_assert_leq(strlen(p), 4096);
    cr_assert_not_null(strstr(p, "{\"more\":"));
}

Test(observe_text, parameter_types_are_told) {
    say_one('P', BYTES("\0select\0\0\2\0\0\0\x17\0\0\0\x19"));
    EXPECT_LOG("statement 1 kind=parse sql=select parameters=[23,25]");
    static uint8_t many[3 + 4 * 65535] = {0, 0, 0};
    struct writer w = client();
    writer_bytes(&w, BYTES("P\0\0\0\0\0\0\xff\xff"));
    writer_bytes(&w, view_of(many, 4 * 65535));
    writer_patch_u32(&w, 1, (uint32_t)w.len - 1);
    say(writer_view(&w));
    cr_assert_not_null(strstr(told.line[1], ",{\"more\":"));
    cr_assert_leq(strlen(told.line[1]), 4096);
}
