/* SPDX-License-Identifier: ISC
 *
 * startup.c: the packets before any typed message, as PostgreSQL takes them and stricter.
 */
#include "startup.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { V3 = 3 << 16, CANCEL = 80877102, SSL = 80877103, GSSENC = 80877104 };

static uint8_t room[STARTUP_MAX + 100];
static struct startup s;

static struct view packet(uint32_t code, const void *rest, size_t len) {
    struct writer w = writer_of(room, sizeof room);
    writer_u32(&w, (uint32_t)(len + 8));
    writer_u32(&w, code);
    writer_bytes(&w, view_of(rest, len));
    cr_assert_not(w.bad);
    return writer_view(&w);
}

/* A literal with its own NUL: the last parameter's terminator is written, the packet's is the literal's. */
#define PARAMETERS(literal) packet(V3, literal, sizeof(literal))

static void refused(struct view bytes, const char *sqlstate) {
    startup_parse(bytes, &s);
    cr_assert_eq(s.kind, STARTUP_BAD);
    cr_assert_str_eq(s.sqlstate, sqlstate, "%s: %s", s.sqlstate, s.why);
    cr_assert_str_not_empty(s.why);
}

static void taken(struct view bytes) {
    startup_parse(bytes, &s);
    cr_assert_eq(s.kind, STARTUP_MESSAGE, "%s", s.why ? s.why : "another kind");
}

static void expect_view(struct view v, const char *text) {
    cr_assert(view_equal_text(v, text), "\"%.*s\" is not \"%s\"", (int)v.len, (const char *)v.at, text);
}

Test(startup, alice_opens_shop) {
    taken(PARAMETERS("user\0alice\0database\0shop\0application_name\0psql\0client_encoding\0UTF8\0"));
    expect_view(s.user, "alice");
    expect_view(s.database, "shop");
    expect_view(s.application_name, "psql");
    cr_assert_eq(s.replication.len, 0);
    cr_assert_eq(s.options, 4);
    expect_view(s.option[3].name, "client_encoding");
    expect_view(s.option[3].value, "UTF8");
    cr_assert_not(s.negotiate);
    cr_assert_eq(s.minor, 0);
}

Test(startup, database_defaults_to_user) {
    taken(PARAMETERS("user\0alice\0"));
    expect_view(s.database, "alice");
    taken(PARAMETERS("user\0alice\0database\0\0"));
    expect_view(s.database, "alice");
}

Test(startup, replication_values_are_postgresqls) {
    static const char *const physical[] = {"true", "on", "yes", "1", "t", "YES", "On"};
    static const char *const off[] = {"false", "off", "no", "0", "F", "of"};
    static const char *const wrong[] = {"", "o", "2", "truely", "Database", "database ", "logical"};
    char text[64];
    for (size_t i = 0; i < sizeof physical / sizeof physical[0]; i++) {
        int n = snprintf(text, sizeof text, "user%cr%creplication%c%s%c", 0, 0, 0, physical[i], 0);
        taken(packet(V3, text, (size_t)n + 1));
        cr_assert_eq(s.database.len, 0, "%s", physical[i]);
        expect_view(s.replication, physical[i]);
    }
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        int n = snprintf(text, sizeof text, "user%cr%creplication%c%s%c", 0, 0, 0, off[i], 0);
        taken(packet(V3, text, (size_t)n + 1));
        expect_view(s.database, "r");
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int n = snprintf(text, sizeof text, "user%cr%creplication%c%s%c", 0, 0, 0, wrong[i], 0);
        refused(packet(V3, text, (size_t)n + 1), "08P01");
    }
}

Test(startup, logical_replication_has_a_database_and_physical_has_none) {
    taken(PARAMETERS("user\0r\0replication\0database\0database\0shop\0"));
    expect_view(s.database, "shop");
    taken(PARAMETERS("user\0r\0replication\0database\0"));
    expect_view(s.database, "r");
    taken(PARAMETERS("user\0r\0replication\0true\0database\0replication\0"));
    cr_assert_eq(s.database.len, 0);
}

Test(startup, requests_have_one_length_each) {
    startup_parse(packet(SSL, "", 0), &s);
    cr_assert_eq(s.kind, STARTUP_SSL);
    startup_parse(packet(GSSENC, "", 0), &s);
    cr_assert_eq(s.kind, STARTUP_GSSENC);
    startup_parse(packet(CANCEL, "\0\0\x12\x67\xde\xad\xbe\xef", 8), &s);
    cr_assert_eq(s.kind, STARTUP_CANCEL);
    cr_assert_eq(s.cancel_pid, 4711);
    cr_assert_eq(s.cancel_key, 0xdeadbeef);
    refused(packet(SSL, "x", 1), "08P01");
    refused(packet(GSSENC, "user", 5), "08P01");
    refused(packet(CANCEL, "1234567", 7), "08P01");
    refused(packet(CANCEL, "123456789", 9), "08P01");
}

Test(startup, lengths_out_of_bounds_are_refused) {
    static const uint8_t lengths[][4] = {{0, 0, 0, 0},       {0, 0, 0, 3},    {0, 0, 0, 7},
                                         {0, 0, 0x27, 0x11}, {0x80, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        cr_assert_eq(startup_length(lengths[i]), 0);
    cr_assert_eq(startup_length((const uint8_t[]){0, 0, 0, 8}), 8);
    cr_assert_eq(startup_length((const uint8_t[]){0, 0, 0x27, 0x10}), STARTUP_MAX);
}

Test(startup, a_length_that_is_not_the_packets_is_refused) {
    struct view good = PARAMETERS("user\0alice\0");
    refused(view_of(good.at, good.len - 1), "08P01");
    room[good.len] = 0;
    refused(view_of(good.at, good.len + 1), "08P01");
    refused(view_of("", 0), "08P01");
    refused(view_of("\0\0\0\4", 4), "08P01");
}

Test(startup, layout_is_strict) {
    refused(packet(V3, "", 0), "08P01");                          /* no terminator at all */
    refused(packet(V3, "", 1), "08P01");                          /* no user */
    refused(packet(V3, "user", 4), "08P01");                      /* a name without its end */
    refused(packet(V3, "user\0alice", 10), "08P01");              /* a value without its end */
    refused(packet(V3, "user\0alice", 11), "08P01");              /* no packet terminator */
    refused(packet(V3, "user\0a\0database", 16), "08P01");        /* a name without value */
    refused(packet(V3, "user\0a\0\0database\0x\0", 20), "08P01"); /* parameters behind the terminator */
    refused(packet(V3, "user\0a\0\0", 9), "08P01");
}

Test(startup, mallory_is_two_users) {
    refused(PARAMETERS("user\0mallory\0user\0postgres\0"), "08P01");
    refused(PARAMETERS("user\0mallory\0options\0\0options\0-crole=postgres\0"), "08P01");
}

Test(startup, nobody_is_refused) {
    refused(PARAMETERS("database\0shop\0"), "08P01");
    refused(PARAMETERS("user\0\0"), "08P01");
    refused(PARAMETERS("USER\0alice\0"), "08P01");
}

Test(startup, names_postgresql_would_cut_are_refused) {
    static const char *const keys[] = {"user", "database"};
    char name[STARTUP_NAME_MAX + 2], text[256];
    for (size_t i = 0; i < 2; i++)
        for (size_t len = STARTUP_NAME_MAX; len <= STARTUP_NAME_MAX + 1; len++) {
            memset(name, 'n', len);
            name[len] = 0;
            const char *other = keys[1 - i];
            int n = snprintf(text, sizeof text, "%s%c%s%c%s%cx%c", keys[i], 0, name, 0, other, 0, 0);
            if (len == STARTUP_NAME_MAX)
                taken(packet(V3, text, (size_t)n + 1));
            else
                refused(packet(V3, text, (size_t)n + 1), "08P01");
        }
}

/* A packet with a user and this many other parameters. */
static struct view with_parameters(size_t others) {
    static uint8_t text[2048];
    struct writer w = writer_of(text, sizeof text);
    writer_cstr(&w, "user");
    writer_cstr(&w, "alice");
    for (size_t i = 0; i < others; i++) {
        writer_format(&w, "p%zu", i);
        writer_bytes(&w, view_of("\0v\0", 3));
    }
    writer_u8(&w, 0);
    return packet(V3, text, w.len);
}

Test(startup, parameters_are_counted) {
    taken(with_parameters(STARTUP_OPTIONS_MAX - 1));
    cr_assert_eq(s.options, STARTUP_OPTIONS_MAX);
    refused(with_parameters(STARTUP_OPTIONS_MAX), "08P01");
}

Test(startup, protocols_we_do_not_speak_are_refused) {
    static const char alice[] = "user\0alice\0";
    refused(packet(2 << 16, alice, sizeof alice), "0A000");
    refused(packet(4 << 16, alice, sizeof alice), "0A000");
    refused(packet(0, alice, sizeof alice), "0A000");
    refused(packet(SSL + 2, "", 0), "0A000");
    refused(packet(UINT32_MAX, "", 0), "0A000");
}

Test(startup, newer_minor_versions_are_negotiated_down) {
    static const char alice[] = "user\0alice\0";
    taken(packet(V3 + 99, alice, sizeof alice));
    cr_assert(s.negotiate);
    cr_assert_eq(s.minor, 99);
    struct writer w = writer_of(room, sizeof room);
    startup_write_negotiate(&w, &s);
    cr_assert(view_equal(writer_view(&w), view_of("v\0\0\0\x0c\0\3\0\0\0\0\0\0", 13)));
}

Test(startup, unknown_protocol_options_are_named_and_not_passed_on) {
    uint8_t out[256];
    taken(PARAMETERS("user\0alice\0_pq_.one\0\0_pq_.two\0x\0"));
    cr_assert(s.negotiate);
    cr_assert_eq(s.minor, 0);
    struct writer w = writer_of(out, sizeof out);
    startup_write_negotiate(&w, &s);
    static const char wanted[] = "v\0\0\0\x1e\0\3\0\0\0\0\0\2_pq_.one\0_pq_.two";
    cr_assert(view_equal(writer_view(&w), view_of(wanted, sizeof wanted)));

    w = writer_of(out, sizeof out);
    startup_write(&w, &s);
    static const char passed[] = "\0\0\0\x14\0\3\0\0user\0alice\0";
    cr_assert(view_equal(writer_view(&w), view_of(passed, sizeof passed)));
}

Test(startup, what_is_passed_on_is_what_came) {
    struct view came =
        PARAMETERS("user\0alice\0database\0shop\0options\0-c geqo=off\0TimeZone\0Asia/Tokyo\0");
    uint8_t out[256];
    taken(came);
    struct writer w = writer_of(out, sizeof out);
    startup_write(&w, &s);
    cr_assert(view_equal(writer_view(&w), came));
    w = writer_of(out, came.len - 1);
    startup_write(&w, &s);
    cr_assert(w.bad);
}

Test(startup, our_own_requests_are_well_formed) {
    struct writer w = writer_of(room, sizeof room);
    startup_write_ssl(&w);
    startup_parse(writer_view(&w), &s);
    cr_assert_eq(s.kind, STARTUP_SSL);
    w = writer_of(room, sizeof room);
    startup_write_cancel(&w, 77, 0x80000001);
    startup_parse(writer_view(&w), &s);
    cr_assert_eq(s.kind, STARTUP_CANCEL);
    cr_assert_eq(s.cancel_pid, 77);
    cr_assert_eq(s.cancel_key, 0x80000001);
}
