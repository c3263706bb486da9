/* SPDX-License-Identifier: ISC
 *
 * Which lines of the session log are told, how urgently, and the document that tells them.
 */
#include "notice.h"
#include "text.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static char line_text[RECORD_LINE_MAX];

/* A line as the ledger prints it. */
static struct view line_of(struct record *r, const char *tenant, uint64_t n) {
    static const uint8_t prev[32];
    struct writer w = writer_of(line_text, sizeof line_text);
    record_json(&w, r, tenant, n, 1795607400000000, 540, prev);
    cr_assert(!w.bad);
    return writer_view(&w);
}

static struct view event_of(enum audit_event event, enum field field, const char *text, const char *tenant) {
    struct record r;
    record_begin(&r, event, 0);
    if (text)
        record_text(&r, field, view_text(text));
    return line_of(&r, tenant, 7);
}

enum told { NOT, NORMAL, URGENT };

static enum told told(struct view line, const char *tenant) {
    bool urgent = false;
    if (!notice_wanted(line, tenant, &urgent))
        return NOT;
    return urgent ? URGENT : NORMAL;
}

Test(notice, tells_of_grants_and_shouts_of_emergencies_and_disputes) {
    cr_assert_eq(told(event_of(EVENT_GRANT_CHANGE, FIELD_STATE, "requested", "acme"), "acme"), NORMAL);
    cr_assert_eq(told(event_of(EVENT_GRANT_CHANGE, FIELD_CLASS, "support", "acme"), "acme"), NORMAL);
    cr_assert_eq(told(event_of(EVENT_GRANT_CHANGE, FIELD_CLASS, "emergency", "acme"), "acme"), URGENT);
    cr_assert_eq(told(event_of(EVENT_GRANT_CHANGE, FIELD_STATE, "disputed", "acme"), "acme"), URGENT);
}

Test(notice, shouts_of_tampering) {
    cr_assert_eq(told(event_of(EVENT_TAMPERING, FIELD_DETAIL, "row 3", ""), ""), URGENT);
    cr_assert_eq(told(event_of(EVENT_TAMPERING, FIELD_DETAIL, "row 3", "acme"), "acme"), URGENT);
}

Test(notice, tells_of_the_clock_and_of_the_log_itself) {
    cr_assert_eq(told(event_of(EVENT_CLOCK_JUMP, FIELD_DETAIL, "back", ""), ""), NORMAL);
    cr_assert_eq(told(event_of(EVENT_LEDGER_FAILED, FIELD_DETAIL, "x", "acme"), "acme"), NORMAL);
    cr_assert_eq(told(event_of(EVENT_LEDGER_REPAIRED, FIELD_DETAIL, "x", "acme"), "acme"), NORMAL);
}

Test(notice, tells_of_a_tenants_crashed_cell_and_not_of_our_own_processes) {
    cr_assert_eq(told(event_of(EVENT_PROCESS_CRASH, FIELD_PROCESS, "cell acme", "acme"), "acme"), NORMAL);
    cr_assert_eq(told(event_of(EVENT_PROCESS_CRASH, FIELD_PROCESS, "keeper", ""), ""), NOT);
}

Test(notice, tells_of_sessions_only_when_they_are_an_operators) {
    static const enum audit_event events[] = {EVENT_SESSION_OPEN, EVENT_SESSION_CLOSE, EVENT_SESSION_REFUSED};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        cr_assert_eq(told(event_of(events[i], FIELD_USER, "ann", "acme"), "acme"), NOT);
        cr_assert_eq(told(event_of(events[i], FIELD_OPERATOR, "alice", "acme"), "acme"), NORMAL);
    }
}

Test(notice, does_not_tell_of_everyday_things) {
    cr_assert_eq(told(event_of(EVENT_NODE_START, FIELD_VERSION, "1", ""), ""), NOT);
    cr_assert_eq(told(event_of(EVENT_OPERATOR_STATEMENT, FIELD_OPERATOR, "alice", "acme"), "acme"), NOT);
    cr_assert_eq(told(event_of(EVENT_ADMIN_CHANGE, FIELD_ACTOR, "root", "acme"), "acme"), NOT);
}

Test(notice, is_not_fooled_by_what_strangers_write) {
    /* A user who calls himself a member of the record stays within his quotes. */
    struct view line = event_of(EVENT_SESSION_OPEN, FIELD_USER, "\",\"operator\":\"alice", "acme");
    cr_assert_eq(told(line, "acme"), NOT);
    line = event_of(EVENT_SESSION_OPEN, FIELD_APPLICATION, "\",\"event\":\"tampering\",\"x\":\"", "acme");
    cr_assert_eq(told(line, "acme"), NOT);
}

Test(notice, refuses_what_is_no_line) {
    bool urgent;
    cr_assert(!notice_wanted(view_of(NULL, 0), "acme", &urgent));
    cr_assert(!notice_wanted(view_text("{\"n\":1,\"event\":\"tampering\""), "acme", &urgent));
    cr_assert(!notice_wanted(view_text("{\"n\":1,\"event\":\"tampering"), "acme", &urgent));
    cr_assert(!notice_wanted(view_text("[1,\"event\":\"tampering\"]"), "acme", &urgent));
}

Test(notice, reads_the_number_at_the_head) {
    cr_assert_eq(notice_number(event_of(EVENT_NODE_START, FIELD_VERSION, "1", "")), 7);
    cr_assert_eq(notice_number(view_text("{\"n\":18446744073709551615,")), 0);
    cr_assert_eq(notice_number(view_text("{\"n\":07,")), 0);
    cr_assert_eq(notice_number(view_text("{\"n\":-1,")), 0);
    cr_assert_eq(notice_number(view_text("{\"n\":12")), 0);
    cr_assert_eq(notice_number(view_text("\"n\":12,")), 0);
    cr_assert_eq(notice_number(view_of(NULL, 0)), 0);
}

Test(notice, is_one_document_with_the_line_byte_by_byte) {
    static char body[NOTICE_BODY_MAX];
    struct view line = event_of(EVENT_TAMPERING, FIELD_DETAIL, "row 3", "acme");
    struct writer w = writer_of(body, sizeof body);
    notice_write(&w, "acme", true, line);
    cr_assert(!w.bad);
    cr_assert(memmem(body, w.len, line.at, line.len));
    json_t *object = json_loadb(body, w.len, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(object);
    cr_assert_eq(json_integer_value(json_object_get(object, "sekisho")), 1);
    cr_assert_str_eq(json_string_value(json_object_get(object, "tenant")), "acme");
    cr_assert_str_eq(json_string_value(json_object_get(object, "urgency")), "urgent");
    cr_assert_eq(json_integer_value(json_object_get(json_object_get(object, "record"), "n")), 7);
    cr_assert_eq(json_string_length(json_object_get(object, "line_sha256")), 64);
    json_decref(object);
}

Test(notice, hashes_the_line_as_the_chain_does) {
    static char body[NOTICE_BODY_MAX];
    struct writer w = writer_of(body, sizeof body);
    notice_write(&w, "", false, view_text("{}"));
    writer_u8(&w, 0);
    cr_assert_str_eq(body,
                     "{\"sekisho\":1,\"tenant\":null,\"urgency\":\"normal\",\"record\":{},\"line_sha256\":"
                     "\"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"}");
}

Test(notice, signs_as_RFC_4231_says) {
    char signature[NOTICE_SIGNATURE];
    notice_sign(view_text("Jefe"), view_text("what do ya want for nothing?"), signature);
    cr_assert_str_eq(signature, "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

Test(notice, fits_the_longest_line) {
    static char line[RECORD_LINE_MAX], body[NOTICE_BODY_MAX];
    memset(line, 'x', sizeof line);
    struct writer w = writer_of(body, sizeof body);
    notice_write(&w, "a123456789012345678901234567890123456789", true, view_of(line, sizeof line));
    cr_assert(!w.bad);
}
