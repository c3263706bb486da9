/* SPDX-License-Identifier: ISC
 *
 * What a line of the log looks like to a syslog receiver, also when it is no line of ours.
 */
#include "log_fixture.h"
#include "syslog_frame.h"

#include <criterion/criterion.h>

static char room[4 * RECORD_LINE_MAX];

static const char *framed(const char *tenant, const char *line) {
    struct writer w = writer_of(room, sizeof room);
    syslog_frame(&w, "gate1", tenant, view_text(line));
    writer_u8(&w, 0);
    cr_assert_not(w.bad);
    return room;
}

#define LINE(event, more)                                                                                    \
    "{\"n\":7,\"time\":\"2026-11-24T21:30:00.123+09:00\",\"tenant\":\"acme\",\"event\":\"" event "\"" more   \
    ",\"prev\":\"00\"}"

static void expect(const char *line, const char *head) {
    char whole[8192];
    snprintf(whole, sizeof whole, "%zu %s%s", strlen(head) + strlen(line), head, line);
    cr_expect_str_eq(framed("acme", line), whole);
}

Test(syslog_frame, a_record_carries_its_own_time_and_event) {
    expect(LINE("session.refused", ""),
           "<110>1 2026-11-24T21:30:00.123+09:00 gate1 sekisho - session.refused - ");
}

Test(syslog_frame, what_cannot_wait_is_more_severe) {
    expect(LINE("process.crash", ""),
           "<108>1 2026-11-24T21:30:00.123+09:00 gate1 sekisho - process.crash - ");
    expect(LINE("tampering", ""), "<106>1 2026-11-24T21:30:00.123+09:00 gate1 sekisho - tampering - ");
}

Test(syslog_frame, what_is_no_record_of_ours_forges_no_header) {
    expect("", "<110>1 - gate1 sekisho - - - ");
    expect("{\"n\":7,\"time\":\"now - evil\",\"event\":\"x y\"}", "<110>1 - gate1 sekisho - - - ");
    expect("{\"n\":7,\"time\":\"20 26\",\"event\":\"unending", "<110>1 - gate1 sekisho - - - ");
    expect(LINE("abcdefghijklmnopqrstuvwxyzabcdefg", ""),
           "<110>1 2026-11-24T21:30:00.123+09:00 gate1 sekisho - - - ");
}

Test(syslog_frame, messages_come_apart_as_they_were_put_together) {
    static const char *const lines[] = {LINE("session.open", ""), LINE("log.read", ",\"detail\":\"1 2 3\""),
                                        "x"};
    struct writer w = writer_of(room, sizeof room);
    for (int i = 0; i < 3; i++)
        syslog_frame(&w, "", "", view_text(lines[i]));
    struct view rest = writer_view(&w), message;
    for (int i = 0; i < 3; i++) {
        cr_assert(syslog_unframe(&rest, &message));
        cr_expect(message.len > strlen(lines[i]));
        cr_expect(view_equal_text(view_from(message, message.len - strlen(lines[i])), lines[i]));
    }
    cr_expect_not(syslog_unframe(&rest, &message));
}

Test(syslog_frame, the_longest_head_fits_its_room) {
    char host[256];
    memset(host, 'h', 255);
    host[255] = 0;
    struct writer w = writer_of(room, SYSLOG_HEAD_MAX + 60);
    syslog_frame(&w, host, "acme", view_text("{\"n\":1,\"time\":\"2026-11-24T21:30:00.123456789+09:00\"}"));
    cr_expect_not(w.bad);
}
