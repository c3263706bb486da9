/* SPDX-License-Identifier: ISC
 *
 * message.c and compose.c: typed messages cut, read and written.
 */
#include "message.h"

#include <criterion/criterion.h>
#include <string.h>

static uint8_t room[2048];

#define BYTES(literal) view_of(literal, sizeof(literal) - 1)

static void expect_view(struct view v, const char *text) {
    cr_assert(view_equal_text(v, text), "\"%.*s\" is not \"%s\"", (int)v.len, (const char *)v.at, text);
}

/* The one message that the writer holds, cut out again. */
static struct view only_body(const struct writer *w, char type) {
    struct message m;
    size_t used;
    cr_assert_not(w->bad);
    cr_assert_eq(message_next(writer_view(w), sizeof room, &m, &used), MESSAGE_OK);
    cr_assert_eq(used, w->len);
    cr_assert_eq(m.type, type);
    return m.body;
}

Test(message, cuts_one_after_the_other) {
    struct view v = BYTES("S\0\0\0\6a\0Z\0\0\0\5I");
    struct message m;
    size_t used;
    cr_assert_eq(message_next(v, 100, &m, &used), MESSAGE_OK);
    cr_assert_eq(used, 7);
    cr_assert_eq(m.type, 'S');
    cr_assert(view_equal(m.body, BYTES("a\0")));
    cr_assert_eq(message_next(view_from(v, used), 100, &m, &used), MESSAGE_OK);
    cr_assert_eq(m.type, 'Z');
    expect_view(m.body, "I");
}

Test(message, waits_for_the_whole) {
    struct view v = BYTES("S\0\0\0\6a\0");
    struct message m;
    size_t used;
    for (size_t cut = 0; cut < v.len; cut++) {
        cr_assert_eq(message_next(view_of(v.at, cut), 100, &m, &used), MESSAGE_MORE);
        cr_assert_eq(used, 0);
    }
}

Test(message, absurd_lengths_are_refused_before_they_came) {
    struct message m;
    size_t used;
    cr_assert_eq(message_next(BYTES("R\0\0\0\0"), 100, &m, &used), MESSAGE_BAD);
    cr_assert_eq(message_next(BYTES("R\0\0\0\3"), 100, &m, &used), MESSAGE_BAD);
    cr_assert_eq(message_next(BYTES("R\xff\xff\xff\xff"), SIZE_MAX, &m, &used), MESSAGE_MORE);
    cr_assert_eq(message_next(BYTES("R\xff\xff\xff\xff"), MESSAGE_MAX, &m, &used), MESSAGE_BAD);
    cr_assert_eq(message_next(BYTES("R\0\0\0\x63"), 100, &m, &used), MESSAGE_MORE);
    cr_assert_eq(message_next(BYTES("R\0\0\0\x64"), 100, &m, &used), MESSAGE_BAD);
    cr_assert_eq(message_next(BYTES("X\0\0\0\4"), 5, &m, &used), MESSAGE_OK);
    cr_assert_eq(m.body.len, 0);
}

Test(message, reads_an_error) {
    struct error_fields e;
    cr_assert(message_read_error(BYTES("SFEHLER\0VERROR\0C42501\0Mpermission denied\0Dd\0Hask\0Rx\0\0"), &e));
    expect_view(e.severity, "ERROR");
    expect_view(e.sqlstate, "42501");
    expect_view(e.message, "permission denied");
    expect_view(e.detail, "d");
    expect_view(e.hint, "ask");
    cr_assert(
        message_read_error(BYTES("SFATAL\0C57P01\0M\0\0"), &e)); /* before 9.6; an empty text is a text */
    expect_view(e.severity, "FATAL");
    cr_assert_eq(e.detail.len, 0);
}

Test(message, a_hostile_error_is_refused) {
    struct error_fields e;
    cr_assert_not(message_read_error(BYTES(""), &e));
    cr_assert_not(message_read_error(BYTES("\0"), &e));
    cr_assert_not(message_read_error(BYTES("SERROR\0Mno sqlstate\0\0"), &e));
    cr_assert_not(message_read_error(BYTES("SERROR\0C42501\0\0"), &e));
    cr_assert_not(message_read_error(BYTES("C4250\0Mshort\0\0"), &e));
    cr_assert_not(message_read_error(BYTES("C425011\0Mlong\0\0"), &e));
    cr_assert_not(message_read_error(BYTES("C42p01\0Mlower\0\0"), &e));
    cr_assert_not(message_read_error(BYTES("C42501\0Mno end\0"), &e));
    cr_assert_not(message_read_error(BYTES("C42501\0Mno end"), &e));
    cr_assert_not(message_read_error(BYTES("C42501\0Mm\0\0behind"), &e));
    cr_assert_eq(e.message.len, 0); /* nothing half-read is left to be used */
}

Test(message, fatal_carries_the_session) {
    struct failure f;
    failure_set(&f, "28P01", "Check the password", "password authentication failed");
    failure_cause(&f, "proof mismatch");
    struct writer w = writer_of(room, sizeof room);
    message_write_fatal(&w, &f, 0x0123456789abcdef);
    cr_assert(view_equal(only_body(&w, 'E'), BYTES("SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0"
                                                   "DSession 0123456789abcdef.\0HCheck the password\0\0")));
}

Test(message, fatal_without_session_and_hint) {
    struct failure f;
    failure_set(&f, "53300", NULL, "too many connections");
    struct writer w = writer_of(room, sizeof room);
    message_write_fatal(&w, &f, 0);
    cr_assert(view_equal(only_body(&w, 'E'), BYTES("SFATAL\0VFATAL\0C53300\0Mtoo many connections\0\0")));
    w = writer_of(room, 20);
    message_write_fatal(&w, &f, 0);
    cr_assert(w.bad);
}

Test(message, the_longest_fatal_is_read_back) {
    struct failure f = {.sqlstate = "XX000"};
    memset(f.sentence, 'm', sizeof f.sentence - 1);
    memset(f.hint, 'h', sizeof f.hint - 1);
    struct writer w = writer_of(room, sizeof room);
    message_write_fatal(&w, &f, UINT64_MAX);
    struct error_fields e;
    cr_assert(message_read_error(only_body(&w, 'E'), &e));
    expect_view(e.message, f.sentence);
    expect_view(e.hint, f.hint);
    expect_view(e.detail, "Session ffffffffffffffff.");
}

static struct auth read_auth(struct view body, enum auth_request wanted) {
    struct auth a;
    message_read_auth(body, &a);
    cr_assert_eq(a.request, wanted, "request is %d", (int)a.request);
    return a;
}

Test(message, sasl_is_offered_strongest_first) {
    struct writer w = writer_of(room, sizeof room);
    message_write_sasl(&w, true);
    struct view body = only_body(&w, 'R');
    cr_assert(view_equal(body, BYTES("\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")));
    struct auth a = read_auth(body, AUTH_REQUEST_SASL);
    cr_assert(a.scram && a.plus);
    w = writer_of(room, sizeof room);
    message_write_sasl(&w, false);
    a = read_auth(only_body(&w, 'R'), AUTH_REQUEST_SASL);
    cr_assert(a.scram && !a.plus);
}

Test(message, the_exchange_is_read_as_written) {
    struct writer w = writer_of(room, sizeof room);
    message_write_sasl_continue(&w, view_text("r=x,s=eA==,i=4096"));
    expect_view(read_auth(only_body(&w, 'R'), AUTH_REQUEST_SASL_CONTINUE).data, "r=x,s=eA==,i=4096");
    w = writer_of(room, sizeof room);
    message_write_sasl_final(&w, view_text("v=eA=="));
    expect_view(read_auth(only_body(&w, 'R'), AUTH_REQUEST_SASL_FINAL).data, "v=eA==");
    w = writer_of(room, sizeof room);
    message_write_auth_ok(&w);
    read_auth(only_body(&w, 'R'), AUTH_REQUEST_OK);
}

Test(message, unwanted_methods_have_names) {
    cr_assert_str_eq(read_auth(BYTES("\0\0\0\3"), AUTH_REQUEST_OTHER).name, "cleartext password");
    cr_assert_str_eq(read_auth(BYTES("\0\0\0\5salt"), AUTH_REQUEST_OTHER).name, "MD5");
    cr_assert_str_eq(read_auth(BYTES("\0\0\0\7"), AUTH_REQUEST_OTHER).name, "GSSAPI");
    cr_assert_str_eq(read_auth(BYTES("\0\0\0\x09"), AUTH_REQUEST_OTHER).name, "SSPI");
}

Test(message, a_hostile_backend_asks_badly) {
    read_auth(BYTES(""), AUTH_REQUEST_BAD);
    read_auth(BYTES("\0\0\0"), AUTH_REQUEST_BAD);
    read_auth(BYTES("\0\0\0\0\0"), AUTH_REQUEST_BAD);
    read_auth(BYTES("\0\0\0\x0d"), AUTH_REQUEST_BAD);
    read_auth(BYTES("\xff\xff\xff\xff"), AUTH_REQUEST_BAD);
    read_auth(BYTES("\0\0\0\x0a"), AUTH_REQUEST_BAD);
    read_auth(BYTES("\0\0\0\x0a\0"), AUTH_REQUEST_BAD);
    read_auth(BYTES("\0\0\0\x0aSCRAM-SHA-256\0"), AUTH_REQUEST_BAD);
    struct auth a = read_auth(BYTES("\0\0\0\x0aSCRAM-SHA-256\0\0behind"), AUTH_REQUEST_BAD);
    cr_assert_not(a.scram);
    a = read_auth(BYTES("\0\0\0\x0aOAUTHBEARER\0\0"), AUTH_REQUEST_SASL);
    cr_assert(!a.scram && !a.plus);
}

Test(message, a_client_begins_scram) {
    struct view mechanism, data;
    struct writer w = writer_of(room, sizeof room);
    message_write_sasl_initial(&w, "SCRAM-SHA-256", view_text("n,,n=,r=abc"));
    struct view body = only_body(&w, 'p');
    cr_assert(message_read_sasl_initial(body, &mechanism, &data));
    expect_view(mechanism, "SCRAM-SHA-256");
    expect_view(data, "n,,n=,r=abc");
    w = writer_of(room, sizeof room);
    message_write_sasl_response(&w, view_text("c=biws"));
    expect_view(only_body(&w, 'p'), "c=biws");
}

Test(message, lengths_that_wrap_are_refused) {
    struct view mechanism, data;
    cr_assert(message_read_sasl_initial(BYTES("SCRAM-SHA-256\0\xff\xff\xff\xff"), &mechanism, &data));
    cr_assert_eq(data.len, 0);
    cr_assert_not(message_read_sasl_initial(BYTES("SCRAM-SHA-256\0\xff\xff\xff\xffx"), &mechanism, &data));
    cr_assert_not(message_read_sasl_initial(BYTES("SCRAM-SHA-256\0\xff\xff\xff\xfe"), &mechanism, &data));
    cr_assert_not(message_read_sasl_initial(BYTES("SCRAM-SHA-256\0\xff\xff\xff\xf0n,,"), &mechanism, &data));
    cr_assert_not(message_read_sasl_initial(BYTES("SCRAM-SHA-256\0\0\0\0\2n"), &mechanism, &data));
    cr_assert_not(message_read_sasl_initial(BYTES("SCRAM-SHA-256\0\0\0\0\1n,"), &mechanism, &data));
    cr_assert_not(message_read_sasl_initial(BYTES("SCRAM-SHA-256\0\0\0"), &mechanism, &data));
    cr_assert_not(message_read_sasl_initial(BYTES("SCRAM-SHA-256"), &mechanism, &data));
    cr_assert_not(message_read_sasl_initial(BYTES("\0\0\0\0\0"), &mechanism, &data));
    cr_assert_eq(mechanism.len, 0);
}

Test(message, mechanism_names_are_bounded) {
    struct view mechanism, data;
    uint8_t body[64 + 5];
    memset(body, 0, sizeof body);
    memset(body, 'S', 63);
    cr_assert(message_read_sasl_initial(view_of(body, 63 + 5), &mechanism, &data));
    body[63] = 'S';
    cr_assert_not(message_read_sasl_initial(view_of(body, 64 + 5), &mechanism, &data));
}

Test(message, backend_keys_have_eight_bytes) {
    uint32_t pid, key;
    struct writer w = writer_of(room, sizeof room);
    message_write_backend_key(&w, 4711, 0xdeadbeef);
    cr_assert(message_read_backend_key(only_body(&w, 'K'), &pid, &key));
    cr_assert_eq(pid, 4711);
    cr_assert_eq(key, 0xdeadbeef);
    cr_assert_not(message_read_backend_key(BYTES("1234567"), &pid, &key));
    cr_assert_not(message_read_backend_key(BYTES("123456789"), &pid, &key));
}

Test(message, parameters_are_two_texts) {
    struct view name, value;
    cr_assert(message_read_parameter(BYTES("TimeZone\0Asia/Tokyo\0"), &name, &value));
    expect_view(name, "TimeZone");
    expect_view(value, "Asia/Tokyo");
    cr_assert(message_read_parameter(BYTES("session_authorization\0\0"), &name, &value));
    cr_assert_not(message_read_parameter(BYTES("TimeZone\0"), &name, &value));
    cr_assert_not(message_read_parameter(BYTES("TimeZone\0UTC"), &name, &value));
    cr_assert_not(message_read_parameter(BYTES("TimeZone\0UTC\0\0"), &name, &value));
    cr_assert_not(message_read_parameter(BYTES("\0UTC\0"), &name, &value));
    cr_assert_not(message_read_parameter(BYTES(""), &name, &value));
}

Test(message, terminate_is_five_bytes) {
    struct writer w = writer_of(room, sizeof room);
    message_write_terminate(&w);
    cr_assert(view_equal(writer_view(&w), BYTES("X\0\0\0\4")));
}
