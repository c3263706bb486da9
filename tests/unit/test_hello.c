/* SPDX-License-Identifier: ISC
 *
 * hello.c: whose name does a ClientHello carry, and what is not believed.
 */
#include "hello.h"

#include <criterion/criterion.h>
#include <string.h>

struct script {
    uint8_t room[HELLO_MAX];
    uint8_t records[2 * HELLO_MAX];
    size_t session_id, compressions; /* lengths of these fields */
};

static struct script s = {.compressions = 1}; /* each test runs in a process of its own */

/* An extension with its type and length. */
static void extension(struct writer *w, uint16_t type, struct view data) {
    writer_u16(w, type);
    writer_text16(w, data);
}

static void server_name(struct writer *w, struct view name) {
    uint8_t room[1024];
    struct writer list = writer_of(room, sizeof room);
    writer_u16(&list, (uint16_t)(name.len + 3));
    writer_u8(&list, 0);
    writer_text16(&list, name);
    extension(w, 0, writer_view(&list));
}

/* The handshake message of a ClientHello with these extensions; none at all when extensions.at is NULL. */
static struct view handshake(struct view extensions) {
    struct writer w = writer_of(s.room, sizeof s.room);
    writer_u32(&w, 0);
    writer_u16(&w, 0x0303);
    writer_bytes(&w, view_text("0123456789abcdef0123456789abcdef"));
    static const uint8_t zeros[255];
    writer_u8(&w, (uint8_t)s.session_id);
    writer_bytes(&w, view_of(zeros, s.session_id));
    writer_text16(&w, view_of("\x13\x01\x13\x02", 4));
    writer_u8(&w, (uint8_t)s.compressions);
    writer_bytes(&w, view_of(zeros, s.compressions));
    if (extensions.at)
        writer_text16(&w, extensions);
    cr_assert_not(w.bad);
    writer_patch_u32(&w, 0, (uint32_t)(w.len - 4) | 1u << 24);
    return writer_view(&w);
}

/* The message in records of at most `step` bytes. */
static struct view records(struct view message, size_t step) {
    struct writer w = writer_of(s.records, sizeof s.records);
    for (struct view rest = message; rest.len > 0; rest = view_from(rest, step)) {
        writer_bytes(&w, view_of("\x16\x03\x01", 3));
        writer_text16(&w, view_of(rest.at, rest.len < step ? rest.len : step));
    }
    cr_assert_not(w.bad);
    return writer_view(&w);
}

static struct view hello_naming(struct view name) {
    uint8_t room[1024];
    struct writer w = writer_of(room, sizeof room);
    server_name(&w, name);
    return records(handshake(writer_view(&w)), 16384);
}

static struct view hello_with(uint16_t type, const void *data, size_t len) {
    uint8_t room[1024];
    struct writer w = writer_of(room, sizeof room);
    extension(&w, type, view_of(data, len));
    return records(handshake(writer_view(&w)), 16384);
}

static struct hello expect(struct view bytes, enum hello_result wanted) {
    struct hello h;
    enum hello_result got = hello_parse(bytes, &h);
    cr_assert_eq(got, wanted, "got %d, why: %s", (int)got, h.why ? h.why : "none");
    cr_assert_eq(got == HELLO_BAD, h.why != NULL);
    return h;
}

static void refuse_name(struct view name) {
    struct hello h = expect(hello_naming(name), HELLO_BAD);
    cr_assert_str_empty(h.server_name);
}

Test(hello, alice_names_acme) {
    struct hello h = expect(hello_naming(view_text("Acme.DB.example.com")), HELLO_OK);
    cr_assert_str_eq(h.server_name, "acme.db.example.com");
    cr_assert_not(h.alpn_postgresql);
}

Test(hello, an_old_driver_names_nobody) {
    cr_assert_str_empty(expect(records(handshake(view_of(NULL, 0)), 16384), HELLO_OK).server_name);
    cr_assert_str_empty(expect(records(handshake(view_of("", 0)), 16384), HELLO_OK).server_name);
}

Test(hello, alpn_is_found_among_others) {
    struct hello h = expect(hello_with(16, "\0\x0e\2h2\12postgresql", 16), HELLO_OK);
    cr_assert(h.alpn_postgresql);
    h = expect(hello_with(16, "\0\x0b\12postgresqX", 13), HELLO_OK);
    cr_assert_not(h.alpn_postgresql);
}

Test(hello, malformed_alpn_is_refused) {
    expect(hello_with(16, "", 0), HELLO_BAD);
    expect(hello_with(16, "\0\0", 2), HELLO_BAD);
    expect(hello_with(16, "\0\x0c\0\12postgresql", 14), HELLO_BAD); /* an empty protocol name */
    expect(hello_with(16, "\0\x0b\12postgresql\0", 14), HELLO_BAD); /* bytes behind the list */
    expect(hello_with(16, "\0\x0b\xffpostgresql", 13), HELLO_BAD);
}

Test(hello, grease_and_unknown_extensions_are_passed_over) {
    uint8_t room[512];
    struct writer w = writer_of(room, sizeof room);
    extension(&w, 0x0a0a, view_of("", 0));
    server_name(&w, view_text("globex"));
    extension(&w, 0xfafa, view_of("\0", 1));
    cr_assert_str_eq(expect(records(handshake(writer_view(&w)), 16384), HELLO_OK).server_name, "globex");
}

Test(hello, names_that_are_no_host_names_are_refused) {
    static const char *const names[] = {"acme.",       ".acme",     "acme..db",  "::1",    "acme db",
                                        "acm\xc3\xa9", "acme/../b", "acme:5432", "*.acme", "."};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        refuse_name(view_text(names[i]));
    refuse_name(view_of("acme\0globex", 11));
    refuse_name(view_of("", 0));
}

Test(hello, the_longest_name_fits_and_the_next_does_not) {
    char name[HELLO_NAME_MAX + 2];
    memset(name, 'a', sizeof name);
    for (size_t i = 63; i < sizeof name; i += 64)
        name[i] = '.';
    struct hello h = expect(hello_naming(view_of(name, HELLO_NAME_MAX)), HELLO_OK);
    cr_assert_eq(strlen(h.server_name), HELLO_NAME_MAX);
    refuse_name(view_of(name, HELLO_NAME_MAX + 1));
}

Test(hello, mallory_names_two_tenants) {
    uint8_t room[512];
    struct writer w = writer_of(room, sizeof room);
    server_name(&w, view_text("acme"));
    server_name(&w, view_text("globex"));
    struct hello h = expect(records(handshake(writer_view(&w)), 16384), HELLO_BAD);
    cr_assert_str_empty(h.server_name);
    expect(hello_with(0, "\0\x10\0\0\4acme\0\0\6globex", 18), HELLO_BAD);
    expect(hello_with(0, "\0\x07\1\0\4acme", 9), HELLO_BAD); /* a name of an unknown type */
    expect(hello_with(0, "\0\x06\0\0\4acme", 9), HELLO_BAD); /* a list shorter than its name */
    expect(hello_with(0, "", 0), HELLO_BAD);
}

Test(hello, every_cut_asks_for_more_and_never_too_much) {
    static const size_t steps[] = {1, 3, 50, 16384};
    uint8_t room[512];
    struct writer w = writer_of(room, sizeof room);
    server_name(&w, view_text("acme.db.example.com"));
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct view whole = records(handshake(writer_view(&w)), steps[i]);
        for (size_t cut = 0; cut < whole.len; cut++) {
            struct hello h = expect(view_of(whole.at, cut), HELLO_MORE);
            cr_assert(h.needed > cut && h.needed <= whole.len, "cut %zu needed %zu", cut, h.needed);
        }
        cr_assert_str_eq(expect(whole, HELLO_OK).server_name, "acme.db.example.com");
    }
}

Test(hello, a_known_record_length_is_what_is_asked_for) {
    struct view whole = hello_naming(view_text("acme"));
    cr_assert_eq(expect(view_of(whole.at, 5), HELLO_MORE).needed, whole.len);
    cr_assert_eq(expect(view_of(whole.at, whole.len - 1), HELLO_MORE).needed, whole.len);
}

Test(hello, what_follows_in_later_records_is_not_read) {
    struct view whole = hello_naming(view_text("acme"));
    memcpy(s.records + whole.len, "\x17\x03\x03", 3);
    cr_assert_str_eq(expect(view_of(s.records, whole.len + 3), HELLO_OK).server_name, "acme");
    cr_assert_str_eq(expect(view_of(s.records, sizeof s.records), HELLO_OK).server_name, "acme");
}

Test(hello, two_messages_in_one_record_are_refused) {
    struct view whole = hello_naming(view_text("acme"));
    s.records[whole.len] = 0;
    s.records[4]++;
    expect(view_of(s.records, whole.len + 1), HELLO_BAD);
}

Test(hello, other_protocols_are_refused_at_their_first_bytes) {
    expect(view_text("G"), HELLO_BAD);
    expect(view_of("\x16\x02", 2), HELLO_BAD);
    expect(view_of("\x80\x2e\x01\x03\x01", 5), HELLO_BAD);
    expect(view_of("\x16\x03\x01\0\0", 5), HELLO_BAD);
    expect(view_of("\x16\x03\x01\0\1\2", 6), HELLO_BAD); /* a ServerHello */
}

Test(hello, too_long_is_refused_before_it_came) {
    expect(view_of("\x16\x03\x01\x40\x00", 5), HELLO_BAD);
    expect(view_of("\x16\x03\x01\0\4\1\xff\xff\xff", 9), HELLO_BAD);
    struct hello h = expect(view_of("\x16\x03\x01\x3f\xfb", 5), HELLO_MORE);
    cr_assert_eq(h.needed, HELLO_MAX);
}

/* A byte of the ClientHello's fixed part changed, counted from the start of its record. */
static void refuse_changed(size_t where, uint8_t value) {
    struct view whole = hello_naming(view_text("acme"));
    s.records[where] = value;
    expect(whole, HELLO_BAD);
}

Test(hello, lengths_that_do_not_fit_are_refused) {
    enum { VERSION = 9, SESSION_ID = 43, CIPHERS = 44, COMPRESSIONS = 50, EXTENSIONS = 52 };
    hello_naming(view_text("acme"));
    cr_assert_eq(s.records[CIPHERS + 1], 4); /* we count as the writer did */
    cr_assert_eq(s.records[COMPRESSIONS], 1);
    refuse_changed(VERSION, 2);
    refuse_changed(SESSION_ID, 33);
    refuse_changed(SESSION_ID, 255);
    refuse_changed(CIPHERS, 255);
    refuse_changed(CIPHERS + 1, 0);
    refuse_changed(CIPHERS + 1, 3);
    refuse_changed(COMPRESSIONS, 0);
    refuse_changed(COMPRESSIONS, 255);
    refuse_changed(EXTENSIONS + 1, 1);
    refuse_changed(EXTENSIONS, 255);
    refuse_changed(EXTENSIONS + 4, 255);
}

Test(hello, fields_have_their_bounds_even_when_all_fits) {
    s.session_id = 32;
    expect(hello_naming(view_text("acme")), HELLO_OK);
    s.session_id = 33;
    expect(hello_naming(view_text("acme")), HELLO_BAD);
    s.session_id = 0;
    s.compressions = 0;
    expect(hello_naming(view_text("acme")), HELLO_BAD);
    s.compressions = 2;
    expect(hello_naming(view_text("acme")), HELLO_OK);
}
