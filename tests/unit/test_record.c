/* SPDX-License-Identifier: ISC
 *
 * A record is the same line every time, survives the way through a channel, and a malformed one does not.
 */
#include "log_fixture.h"
#include "text.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <signal.h>

static const uint8_t zeros[32];

static const char *line_for(const struct record *r, const char *tenant, uint64_t n) {
    static char line[RECORD_LINE_MAX];
    struct writer w = writer_of(line, sizeof line);
    record_json(&w, r, tenant, n, NOON_US, 540, zeros);
    writer_u8(&w, 0);
    cr_assert_not(w.bad);
    return line;
}

Test(record, is_one_canonical_line) {
    struct record r;
    record_begin(&r, EVENT_SESSION_OPEN, 0xfeed);
    record_number(&r, FIELD_INSTANCE_PID, 4711);
    record_text(&r, FIELD_DATABASE, view_text("shop"));
    record_text(&r, FIELD_USER, view_text("alice"));
    record_text(&r, FIELD_APPLICATION, view_text(""));
    cr_assert_str_eq(line_for(&r, "acme", 7),
                     "{\"n\":7,\"time\":\"2026-11-25T20:50:00.000+09:00\",\"tenant\":\"acme\","
                     "\"event\":\"session.open\",\"session\":\"000000000000feed\",\"user\":\"alice\","
                     "\"database\":\"shop\",\"instance_pid\":4711,\"prev\":"
                     "\"0000000000000000000000000000000000000000000000000000000000000000\"}");
}

Test(record, of_the_provider_has_no_tenant) {
    struct record r;
    record_begin(&r, EVENT_NODE_START, 0);
    const char *line = line_for(&r, "", 1);
    cr_assert(strstr(line, "\"tenant\":null,\"event\":\"node.start\",\"prev\""));
}

Test(record, stays_one_line_whatever_a_stranger_types) {
    struct record r;
    record_begin(&r, EVENT_SESSION_REFUSED, 1);
    record_text(&r, FIELD_USER, view_of("a\nb\"c\\\x1b[2J\0d\xff\xc2\x9b", 16));
    const char *line = line_for(&r, "acme", 1);
    cr_assert_not(strpbrk(line, "\n\x1b\x9b"));
    json_t *object = json_loads(line, JSON_ALLOW_NUL, NULL);
    cr_assert(object);
    const json_t *user = json_object_get(object, "user");
    cr_expect_eq(json_string_length(user), 18);
    cr_expect_eq(memcmp(json_string_value(user), "a\nb\"c\\\x1b[2J\0d\xEF\xBF\xBD\xc2\x9b", 18), 0);
    json_decref(object);
}

Test(record, cuts_a_long_text_between_characters) {
    char user[128];
    memset(user, 'x', sizeof user);
    memcpy(user + 59, "\xE9\x96\xA2", 3); /* one character over the place of the cut */
    struct record r;
    record_begin(&r, EVENT_SESSION_REFUSED, 1);
    record_text(&r, FIELD_USER, view_of(user, 64));
    char expected[128];
    snprintf(expected, sizeof expected, "\"user\":\"%.59s...\"", user);
    cr_assert(strstr(line_for(&r, "acme", 1), expected));

    struct record whole;
    record_begin(&whole, EVENT_SESSION_REFUSED, 1);
    record_text(&whole, FIELD_USER, view_of(user, 63));
    cr_assert_not(strstr(line_for(&whole, "acme", 1), "..."));
}

Test(record, is_the_same_after_a_channel) {
    char longer[600];
    memset(longer, 'y', sizeof longer);
    struct record r;
    record_begin(&r, EVENT_SESSION_CLOSE, 0x123456789abcdef0);
    record_text(&r, FIELD_REASON, view_text("client terminated"));
    record_number(&r, FIELD_BYTES_OUT, UINT64_MAX);
    record_text(&r, FIELD_DETAIL, view_of(longer, sizeof longer));
    char before[RECORD_LINE_MAX];
    snprintf(before, sizeof before, "%s", line_for(&r, "acme", 2));

    uint8_t bytes[RECORD_BINARY_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    record_write(&w, &r);
    cr_assert_not(w.bad);
    struct reader in = reader_of(writer_view(&w));
    struct record again;
    cr_assert(record_read(&in, &again));
    cr_assert(reader_done(&in));
    cr_assert_str_eq(line_for(&again, "acme", 2), before);
}

Test(record, with_the_largest_number_can_still_be_verified) {
    struct record r;
    record_begin(&r, EVENT_SESSION_CLOSE, 1);
    record_number(&r, FIELD_BYTES_IN, UINT64_MAX);
    json_t *object = json_loads(line_for(&r, "acme", 1), 0, NULL);
    cr_assert(object);
    cr_expect_eq(json_integer_value(json_object_get(object, "bytes_from_client")), INT64_MAX);
    json_decref(object);
}

Test(record, of_every_text_at_its_longest_fits) {
    char worst[1024];
    memset(worst, 1, sizeof worst);
    struct record r;
    record_begin(&r, EVENT_PROCESS_CRASH, UINT64_MAX);
    static const enum field texts[] = {
        FIELD_USER,    FIELD_DATABASE, FIELD_APPLICATION, FIELD_CLIENT, FIELD_VIA,     FIELD_LISTENER,
        FIELD_TLS,     FIELD_METHOD,   FIELD_INSTANCE,    FIELD_REASON, FIELD_MESSAGE, FIELD_SQLSTATE,
        FIELD_CAUSE,   FIELD_PROCESS,  FIELD_SIGNAL,      FIELD_ACTOR,  FIELD_ACTION,  FIELD_DETAIL,
        FIELD_VERSION, FIELD_SERVICE,  FIELD_SERVER_NAME};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        record_text(&r, texts[i], view_of(worst, sizeof worst));
    uint8_t bytes[RECORD_BINARY_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    record_write(&w, &r);
    cr_expect_not(w.bad);
    cr_expect(strlen(line_for(&r, "a-tenant-with-a-name-of-forty-characters", UINT64_MAX)) < RECORD_LINE_MAX);
}

Test(record, events_have_names_and_speakers) {
    enum audit_event e;
    cr_assert(event_by_name(view_text("session.close"), &e));
    cr_expect_eq(e, EVENT_SESSION_CLOSE);
    cr_expect_str_eq(event_name(e), "session.close");
    cr_expect(event_allowed(e, AUDIT_CELL) && event_allowed(e, AUDIT_LEDGER));
    cr_expect_not(event_allowed(e, AUDIT_GATE));
    cr_expect_not(event_allowed(EVENT_ADMIN_CHANGE, AUDIT_CELL));
    cr_expect_not(event_by_name(view_text("session.clos"), &e));
    cr_expect_not(event_by_name(view_text(""), &e));
}

static bool reads(struct view bytes) {
    struct reader in = reader_of(bytes);
    struct record r;
    bool good = record_read(&in, &r);
    cr_expect_eq(good, !in.bad);
    return good;
}

static struct writer binary(uint8_t *bytes, unsigned event, unsigned count) {
    struct writer w = writer_of(bytes, 512);
    writer_u16(&w, (uint16_t)event);
    writer_u64(&w, 1);
    writer_u16(&w, (uint16_t)count);
    return w;
}

Test(record, malformed_ones_are_not_read) {
    uint8_t bytes[512];
    struct writer w = binary(bytes, EVENT_SESSION_OPEN, 0);
    cr_expect(reads(writer_view(&w)));
    w = binary(bytes, EVENT_COUNT, 0);
    cr_expect_not(reads(writer_view(&w)), "an unknown event");
    w = binary(bytes, EVENT_SESSION_OPEN, RECORD_FIELDS_MAX + 1);
    cr_expect_not(reads(writer_view(&w)), "too many fields");
    w = binary(bytes, EVENT_SESSION_OPEN, 1);
    cr_expect_not(reads(writer_view(&w)), "a field that is not there");
    writer_u16(&w, FIELD_COUNT);
    cr_expect_not(reads(writer_view(&w)), "an unknown field");

    w = binary(bytes, EVENT_SESSION_OPEN, 2);
    for (int i = 0; i < 2; i++) {
        writer_u16(&w, FIELD_USER);
        writer_text16(&w, view_text("alice"));
    }
    cr_expect_not(reads(writer_view(&w)), "a field twice");

    w = binary(bytes, EVENT_SESSION_OPEN, 1);
    writer_u16(&w, FIELD_USER);
    writer_text16(&w, view_text(""));
    cr_expect_not(reads(writer_view(&w)), "an empty text");

    w = binary(bytes, EVENT_SESSION_OPEN, 1);
    writer_u16(&w, FIELD_SQLSTATE);
    writer_text16(&w, view_text("42501x"));
    cr_expect_not(reads(writer_view(&w)), "a text that is too long");

    w = binary(bytes, EVENT_SESSION_OPEN, 1);
    writer_u16(&w, FIELD_PID);
    writer_u32(&w, 1);
    cr_expect_not(reads(writer_view(&w)), "half a number");

    w = binary(bytes, EVENT_SESSION_OPEN, 1);
    writer_u16(&w, FIELD_PID);
    writer_u64(&w, (uint64_t)RECORD_NUMBER_MAX + 1);
    cr_expect_not(reads(writer_view(&w)), "a number no reader of JSON could take");
}

Test(record, does_not_take_a_field_twice, .signal = SIGABRT) {
    struct record r = record_of(EVENT_SESSION_OPEN, 1, "alice");
    record_text(&r, FIELD_USER, view_text("bob"));
}

Test(record, does_not_take_a_number_as_text, .signal = SIGABRT) {
    struct record r;
    record_begin(&r, EVENT_SESSION_OPEN, 1);
    record_text(&r, FIELD_PID, view_text("12"));
}
