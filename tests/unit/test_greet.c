/* SPDX-License-Identifier: ISC
 *
 * greet.c: what may be said before the tenant is known, and what comes of it.
 */
#include "greet.h"
#include "startup.h"

#include <criterion/criterion.h>
#include <string.h>

static struct greet g; /* each test runs in a process of its own */
static struct greet_step step;
static uint8_t room[GREET_PEEK];

#define SSL "\x00\x00\x00\x08\x04\xd2\x16\x2f"
#define GSSENC "\x00\x00\x00\x08\x04\xd2\x16\x30"
#define CANCEL "\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x04\xd2\xde\xad\xbe\xef"
#define PROXY_HELLO "\r\n\r\n\0\r\nQUIT\n"

static enum greet_action say(const void *bytes, size_t len) {
    greet_look(&g, view_of(bytes, len), &step);
    return step.action;
}
#define SAY(text) say(text, sizeof(text) - 1)

static void refused(enum refusal why, bool aloud, const char *sqlstate) {
    cr_assert_eq(step.action, GREET_REFUSE, "action %d", (int)step.action);
    cr_assert_eq(step.refusal, why, "%s", refusal_name(step.refusal));
    cr_assert_eq(step.aloud, aloud);
    cr_assert_str_eq(step.failure.sqlstate, sqlstate);
    cr_assert_eq(g.state, GREET_OVER);
}

/* A ClientHello in one record; an ALPN offer and a server name when not NULL. */
static struct view client_hello(const char *name, const char *alpn) {
    uint8_t extensions_room[1024];
    struct writer e = writer_of(extensions_room, sizeof extensions_room);
    if (name) {
        writer_u16(&e, 0);
        writer_u16(&e, (uint16_t)(strlen(name) + 5));
        writer_u16(&e, (uint16_t)(strlen(name) + 3));
        writer_u8(&e, 0);
        writer_text16(&e, view_text(name));
    }
    if (alpn) {
        writer_u16(&e, 16);
        writer_u16(&e, (uint16_t)(strlen(alpn) + 3));
        writer_u16(&e, (uint16_t)(strlen(alpn) + 1));
        writer_u8(&e, (uint8_t)strlen(alpn));
        writer_text(&e, alpn);
    }
    uint16_t body = (uint16_t)(2 + 32 + 1 + 4 + 2 + 2 + e.len);
    struct writer w = writer_of(room, sizeof room);
    writer_bytes(&w, view_of("\x16\x03\x01", 3));
    writer_u16(&w, (uint16_t)(body + 4));
    writer_u32(&w, 1u << 24 | body);
    writer_u16(&w, 0x0303);
    writer_text(&w, "0123456789abcdef0123456789abcdef");
    writer_u8(&w, 0);
    writer_text16(&w, view_of("\x13\x01", 2));
    writer_u16(&w, 0x0100); /* one compression method: none */
    writer_text16(&w, writer_view(&e));
    cr_assert_not(w.bad);
    return writer_view(&w);
}

static void greeting(void) {
    greet_begin(&g, false);
}

static void after_ssl(void) {
    greet_begin(&g, false);
    cr_assert_eq(SAY(SSL), GREET_REPLY);
}

TestSuite(first, .init = greeting);
TestSuite(tls, .init = after_ssl);

Test(first, nothing_said_waits_for_a_packet) {
    cr_assert_eq(say("", 0), GREET_WAIT);
    cr_assert_eq(step.bytes, 8);
    cr_assert(greet_plaintext(&g));
}

Test(first, half_a_packet_waits_for_the_rest) {
    for (size_t have = 1; have < 8; have++) {
        cr_assert_eq(say(SSL, have), GREET_WAIT);
        cr_assert_eq(step.bytes, 8);
    }
}

Test(first, ssl_request_is_answered_s) {
    cr_assert_eq(SAY(SSL), GREET_REPLY);
    cr_assert_eq(step.reply, 'S');
    cr_assert_eq(step.bytes, 8);
    cr_assert_not(greet_plaintext(&g));
}

Test(first, gss_request_is_answered_n_and_ssl_may_follow) {
    cr_assert_eq(SAY(GSSENC), GREET_REPLY);
    cr_assert_eq(step.reply, 'N');
    cr_assert_eq(SAY(SSL), GREET_REPLY);
    cr_assert_eq(step.reply, 'S');
}

Test(first, gss_request_then_direct_tls) {
    SAY(GSSENC);
    struct view hello = client_hello("acme.db.example.com", "postgresql");
    cr_assert_eq(say(hello.at, hello.len), GREET_HANDOVER);
    cr_assert(step.direct);
}

Test(first, gss_request_twice_is_refused) {
    SAY(GSSENC);
    SAY(GSSENC);
    refused(REFUSAL_PROTOCOL, true, "08P01");
}

Test(first, bytes_behind_ssl_request_are_an_attack) {
    SAY(SSL "x");
    refused(REFUSAL_STUFFED, false, "");
}

Test(first, a_hello_behind_ssl_request_is_an_attack_too) {
    SAY(SSL "\x16\x03\x01\x00\x05");
    refused(REFUSAL_STUFFED, false, "");
}

Test(first, bytes_behind_gss_request_are_an_attack) {
    SAY(GSSENC SSL);
    refused(REFUSAL_STUFFED, false, "");
}

Test(first, ssl_request_with_a_longer_length_is_refused) {
    SAY("\x00\x00\x00\x09\x04\xd2\x16\x2f\x00");
    refused(REFUSAL_PROTOCOL, true, "08P01");
}

Test(first, cancel_request) {
    cr_assert_eq(say(CANCEL, 8), GREET_WAIT);
    cr_assert_eq(step.bytes, 16);
    cr_assert_eq(SAY(CANCEL), GREET_CANCEL);
    cr_assert_eq(step.bytes, 16);
    cr_assert_eq(step.cancel_pid, 1234);
    cr_assert_eq(step.cancel_key, 0xdeadbeef);
    cr_assert_eq(g.state, GREET_OVER);
}

Test(first, cancel_request_after_gss) {
    SAY(GSSENC);
    cr_assert_eq(SAY(CANCEL), GREET_CANCEL);
}

Test(first, startup_in_plaintext_is_taken_whole_and_refused_with_a_hint) {
    uint8_t packet[64];
    struct writer w = writer_of(packet, sizeof packet);
    writer_u32(&w, 0);
    writer_u32(&w, 3 << 16);
    writer_cstr(&w, "user");
    writer_cstr(&w, "ann");
    writer_u8(&w, 0);
    writer_patch_u32(&w, 0, (uint32_t)w.len);
    cr_assert_eq(say(packet, 8), GREET_WAIT);
    cr_assert_eq(step.bytes, w.len);
    say(packet, w.len);
    refused(REFUSAL_PLAINTEXT, true, "28000");
    cr_assert_eq(step.bytes, w.len);
    cr_assert_str_eq(step.failure.sentence, "connections must use TLS");
    cr_assert(strstr(step.failure.hint, "sslmode=verify-full"));
}

Test(first, lengths_out_of_bounds_are_refused_at_once) {
    static const char *const firsts[] = {
        "\0\0\0\0\0\3\0\0",         "\0\0\0\3\0\3\0\0",     "\0\0\0\7\0\3\0\0", "\x80\0\0\0\0\3\0\0",
        "\xff\xff\xff\xff\0\3\0\0", "\0\0\x27\x11\0\3\0\0", "GET / HT"};
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        greet_begin(&g, false);
        say(firsts[i], 8);
        refused(REFUSAL_PROTOCOL, true, "08P01");
        cr_assert(strstr(step.failure.sentence, "length"), "%s", step.failure.sentence);
    }
}

Test(first, protocol_2_is_refused) {
    SAY("\x00\x00\x00\x08\x00\x02\x00\x00");
    cr_assert_eq(step.action, GREET_REFUSE);
    cr_assert_eq(step.refusal, REFUSAL_PROTOCOL);
    cr_assert(step.aloud);
}

Test(first, direct_tls_needs_alpn) {
    struct view hello = client_hello("acme.db.example.com", NULL);
    say(hello.at, hello.len);
    refused(REFUSAL_PROTOCOL, false, "");
    greet_begin(&g, false);
    hello = client_hello("acme.db.example.com", "http/1.1");
    say(hello.at, hello.len);
    refused(REFUSAL_PROTOCOL, false, "");
}

Test(first, direct_tls_in_pieces) {
    struct view hello = client_hello("acme.db.example.com", "postgresql");
    size_t have = 1;
    while (say(hello.at, have) == GREET_WAIT) {
        cr_assert(step.bytes > have && step.bytes <= hello.len);
        cr_assert_not(greet_plaintext(&g));
        have = step.bytes;
    }
    cr_assert_eq(step.action, GREET_HANDOVER);
    cr_assert(step.direct);
    cr_assert_str_eq(step.hello.server_name, "acme.db.example.com");
}

Test(first, proxy_header_from_a_stranger_is_refused_without_a_word) {
    SAY(PROXY_HELLO "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x30\x39\x15\x38");
    refused(REFUSAL_PROXY_HEADER, false, "");
    greet_begin(&g, false);
    SAY("PROXY TCP4 192.0.2.1 192.0.2.2 12345 5432\r\n");
    refused(REFUSAL_PROXY_HEADER, false, "");
}

Test(tls, a_hello_is_handed_over_unread) {
    struct view hello = client_hello("Globex.DB.example.com", NULL);
    cr_assert_eq(say(hello.at, hello.len), GREET_HANDOVER);
    cr_assert_eq(step.bytes, 0);
    cr_assert_not(step.direct);
    cr_assert_str_eq(step.hello.server_name, "globex.db.example.com");
}

Test(tls, a_hello_without_a_name_is_handed_over_too) {
    struct view hello = client_hello(NULL, NULL);
    cr_assert_eq(say(hello.at, hello.len), GREET_HANDOVER);
    cr_assert_str_empty(step.hello.server_name);
}

Test(tls, silence_waits_for_one_byte) {
    cr_assert_eq(say("", 0), GREET_WAIT);
    cr_assert_eq(step.bytes, 1);
}

Test(tls, a_second_ssl_request_is_refused) {
    SAY(SSL);
    refused(REFUSAL_PROTOCOL, false, "");
}

Test(tls, a_cancel_request_in_plaintext_is_refused) {
    SAY(CANCEL);
    refused(REFUSAL_PROTOCOL, false, "");
}

Test(tls, a_malformed_hello_is_refused_with_the_parsers_reason) {
    SAY("\x16\x03\x01\x00\x04\x02\x00\x00\x00"); /* a ServerHello */
    refused(REFUSAL_HELLO, false, "");
    cr_assert_not(step.failure.cause[0] == 0);
}

Test(proxied, header_then_ssl_request) {
    greet_begin(&g, true);
    cr_assert_not(greet_plaintext(&g));
    cr_assert_eq(say("", 0), GREET_WAIT);
    cr_assert_eq(step.bytes, 16);
    cr_assert_eq(SAY(PROXY_HELLO "\x21\x11\x00\x0c"), GREET_WAIT);
    cr_assert_eq(step.bytes, 28);
    cr_assert_eq(SAY(PROXY_HELLO "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x30\x39\x15\x38" SSL),
                 GREET_PROXIED);
    cr_assert_eq(step.bytes, 28);
    cr_assert_eq(step.proxy.family, 4);
    cr_assert_eq(step.proxy.source_port, 12345);
    cr_assert_eq(SAY(SSL), GREET_REPLY);
}

Test(proxied, a_second_header_is_refused) {
    greet_begin(&g, true);
    cr_assert_eq(SAY(PROXY_HELLO "\x20\x00\x00\x00"), GREET_PROXIED);
    cr_assert(step.proxy.local);
    SAY(PROXY_HELLO "\x20\x00\x00\x00");
    refused(REFUSAL_PROXY_HEADER, false, "");
}

Test(proxied, the_header_is_required) {
    greet_begin(&g, true);
    SAY(SSL);
    refused(REFUSAL_PROXY_HEADER, false, "");
}
