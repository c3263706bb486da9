/* SPDX-License-Identifier: ISC
 *
 * The relay: back-pressure, ends of either side, and that nothing of ours ever lands inside a message.
 */
#include "session_fixture.h"

static const struct failure stop = {.sqlstate = "57P01",
                                    .sentence = "terminating connection due to administrator command"};

/* Ann is in, and has read everything of the login. */
static void ann_is_in(void) {
    walk_to(STEP_RELAY);
    for (const char *types = "RRSKZ"; *types; types++)
        next_message(&ann, *types);
}

static void instance_has_said(const void *bytes, size_t len) {
    size_t before = session->out.bytes;
    say(&instance, bytes, len);
    until(!session || session->out.bytes >= before + len);
}

static void closed_once(const char *reason) {
    until(asked.closes);
    cr_assert_str_eq(asked.reason, reason);
    corridor_end();
    cr_assert_eq(asked.opens, 1);
    cr_assert_eq(asked.closes, 1);
    cr_assert_eq(asked.refusals, 0);
}

Test(relay, cut_between_messages_she_is_told) {
    ann_is_in();
    session_cut(session, CLOSE_KILLED, &stop);
    ann_is_told("57P01");
    next_message(&instance, 'X');
    closed_once("killed by an administrator");
}

Test(relay, cut_inside_a_message_she_is_told_nothing) {
    ann_is_in();
    instance_has_said("D\0\0\0\x20half", 9);
    session_cut(session, CLOSE_KILLED, &stop);
    until(ann.ended);
    cr_assert_eq(ann.len - ann.taken, 9, "half a row, and then the end");
    closed_once("killed by an administrator");
}

Test(relay, a_bad_length_behind_half_a_message_is_no_boundary) {
    ann_is_in();
    instance_has_said("D\0\0\0\x20half", 9);
    char rest[28 - 4 + 5] = "the other half of the row...";
    memcpy(rest + 24, "D\0\0\0\1", 5);
    say(&instance, rest, sizeof rest);
    until(ann.ended);
    cr_assert_eq(ann.len - ann.taken, 9, "our error would be taken for the row's other half");
    closed_once("instance protocol violation");
}

Test(relay, a_bad_length_from_ann_is_answered) {
    ann_is_in();
    say(&ann, "Q\0\0\0\1", 5);
    ann_is_told("08P01");
    until(instance.ended);
    cr_assert_eq(instance.len, instance.taken, "not even a goodbye behind half a message");
    closed_once("client protocol violation");
}

Test(relay, ann_is_drained_when_idle) {
    ann_is_in();
    session_drain(session);
    ann_is_told("57P01");
    closed_once("proxy shutting down");
}

Test(relay, a_drain_waits_for_the_answer) {
    ann_is_in();
    say_message(&ann, 'Q', view_of("SELECT 1", 9));
    next_message(&instance, 'Q');
    session_drain(session);
    cr_assert_eq(session->step, STEP_RELAY);
    say_message(&instance, 'Z', view_of("I", 1));
    next_message(&ann, 'Z');
    ann_is_told("57P01");
    closed_once("proxy shutting down");
}

Test(relay, a_drain_waits_for_the_sync_of_what_was_begun) {
    ann_is_in();
    say_message(&ann, 'P', view_of("\0SELECT 1\0\0", 12));
    next_message(&instance, 'P');
    session_drain(session);
    for (int i = 0; i < 10; i++)
        turn();
    cr_assert_eq(session->step, STEP_RELAY, "the instance works on it");
    say_message(&ann, 'S', view_of(NULL, 0));
    next_message(&instance, 'S');
    say_message(&instance, 'Z', view_of("I", 1));
    next_message(&ann, 'Z');
    ann_is_told("57P01");
    closed_once("proxy shutting down");
}

/* She reads her answer late: when the instance has said all, the proxy still holds some of it. */
Test(relay, a_drain_is_not_forgotten_while_she_reads) {
    static const uint8_t row[1000];
    int rows = 0;
    ann_is_in();
    say_message(&ann, 'Q', view_of("SELECT 1", 9));
    next_message(&instance, 'Q');
    session_drain(session);
    ann.deaf = true;
    for (; rows < 10000 && !session->out.held; rows++) {
        say_message(&instance, 'D', view_of(row, sizeof row));
        turn();
    }
    cr_assert_not_null(session->out.held);
    say_message(&instance, 'Z', view_of("I", 1));
    ann.deaf = false;
    while (rows-- > 0)
        next_message(&ann, 'D');
    next_message(&ann, 'Z');
    ann_is_told("57P01");
    closed_once("proxy shutting down");
}

/* Whatever Ann does not take is not read from the instance either, and all of it arrives in the end. */
Test(relay, who_does_not_read_holds_no_more_than_a_record) {
    enum { ROW = 4 << 20 };
    static uint8_t row[5 + ROW] = {'D', 0, (ROW + 4) >> 16, 0, 4};
    ann_is_in();
    ann.deaf = true;
    size_t said = 0;
    for (int i = 0; i < 300; i++) {
        int n = SSL_write(instance.ssl, row + said, (int)(sizeof row - said));
        said += n > 0 ? (size_t)n : 0;
        turn();
    }
    cr_assert_lt(said, sizeof row / 2, "the instance is held back");
    cr_assert_not_null(session->out.held);
    cr_assert_leq(session->out.held_len, 16384);
    ann.deaf = false;
    for (; said < sizeof row; turn()) {
        int n = SSL_write(instance.ssl, row + said, (int)(sizeof row - said));
        said += n > 0 ? (size_t)n : 0;
    }
    cr_assert_eq(next_message(&ann, 'D').len, ROW);
    until(!session->out.held);
    session_cut(session, CLOSE_KILLED, &stop);
    closed_once("killed by an administrator");
}

/* Each of Ann's key updates must be answered, and she reads none of the answers (RFC 8446 section 4.6.3). */
Test(relay, tls_that_cannot_answer_waits_quietly) {
    ann_is_in();
    ann.deaf = true;
    for (int i = 0; i < 20000 && !session->client.crossed; i++) {
        SSL_key_update(ann.ssl, SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(ann.ssl);
        turn();
    }
    cr_assert(session->client.crossed, "the answers fill her socket");
    cr_assert_not(event_pending(&session->client.readable, EV_READ, NULL),
                  "what cannot be read must not wake the loop");
    ann.deaf = false;
    until(!session->client.crossed);
    for (int i = 0; i < 10; i++)
        turn();
    cr_assert_not(event_pending(&session->client.writable, EV_WRITE, NULL),
                  "a socket that takes bytes must not wake the loop when there are none");
    say_message(&ann, 'Q', view_of("SELECT 1", 9));
    next_message(&instance, 'Q');
    session_cut(session, CLOSE_KILLED, &stop);
    closed_once("killed by an administrator");
}

Test(relay, ann_vanishes) {
    ann_is_in();
    hang_up(&ann);
    until(instance.ended);
    hang_up(&instance);
    closed_once("client went away");
}

Test(relay, the_instance_vanishes) {
    ann_is_in();
    hang_up(&instance);
    ann_is_told("08006");
    closed_once("instance lost");
}

Test(relay, the_instance_leaves_with_a_word) {
    static const char error[] =
        "SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0";
    ann_is_in();
    say_message(&instance, 'E', view_of(error, sizeof error));
    hang_up(&instance);
    ann_is_told("57P01");
    closed_once("instance closed");
}

Test(relay, an_idle_session_is_closed) {
    ann_is_in();
    settings.idle_timeout = 1000;
    int64_t now = clock_now().mono_us;
    session_idle_check(session, now);
    session_idle_check(session, now + 900000);
    cr_assert_eq(session->step, STEP_RELAY);
    session_idle_check(session, now + 1100000);
    ann_is_told("57P05");
    closed_once("idle timeout");
}
