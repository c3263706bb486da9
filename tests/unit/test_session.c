/* SPDX-License-Identifier: ISC
 *
 * The corridor: whatever happens in whatever step, the log has one line about it, the client one answer, and
 * nothing is left behind.
 */
#include "session_fixture.h"

#include <criterion/parameterized.h>

static const struct failure stop = {.sqlstate = "57P01",
                                    .sentence = "terminating connection due to administrator command"};

/* A test for each step of a login. */
static struct criterion_test_params every_step(void) {
    static int steps[STEP_RECORD + 1];
    for (int i = 0; i <= STEP_RECORD; i++)
        steps[i] = i;
    return cr_make_param_array(int, steps, STEP_RECORD + 1);
}

static void counted(int refusals, int opens, int closes, const char *reason) {
    cr_assert_eq(asked.refusals, refusals, "%d refusals", asked.refusals);
    cr_assert_eq(asked.opens, opens, "%d open records", asked.opens);
    cr_assert_eq(asked.closes, closes, "%d close records", asked.closes);
    cr_assert_str_eq(asked.reason, reason);
}

Test(session, ann_gets_in_and_out) {
    walk_to(STEP_RECORD);
    cr_assert_eq(ann.len, ann.taken, "nothing reaches her before the open record is durable");
    counted(0, 1, 0, "");
    ledger_is_durable();
    cr_assert_eq(asked.opened, 1);
    cr_assert_null(session->login);
    cr_assert_eq(scram_client_check(&ann_scram, view_from(next_message(&ann, 'R'), 4)), SCRAM_OK);
    next_message(&ann, 'R');
    next_message(&ann, 'S');
    struct view key = next_message(&ann, 'K');
    cr_assert_eq(memcmp(key.at, "\0\0\0\x2a", 4), 0, "the instance's real process id");
    cr_assert_neq(memcmp(key.at + 4, "\1\2\3\4", 4), 0, "but a cancel key of the proxy's own");
    next_message(&ann, 'Z');
    say_message(&ann, 'Q', view_of("SELECT 1", 9));
    cr_assert(view_equal(next_message(&instance, 'Q'), view_of("SELECT 1", 9)));
    say_message(&instance, 'Z', view_of("I", 1));
    next_message(&ann, 'Z');
    say_message(&ann, 'X', view_of(NULL, 0));
    next_message(&instance, 'X');
    hang_up(&ann);
    until(instance.ended);
    hang_up(&instance);
    until(!session);
    counted(0, 1, 1, "client terminated");
    cr_assert_eq(asked.guesses + asked.doubts, 0);
    corridor_end();
}

ParameterizedTestParameters(session, cut_in_any_step) {
    return every_step();
}

ParameterizedTest(int *step, session, cut_in_any_step) {
    walk_to((enum step) * step);
    session_cut(session, CLOSE_TENANT_STATE, &stop);
    if (*step != STEP_RECORD) {
        counted(1, 0, 0, "tenant not active");
    } else {
        counted(0, 1, 0, ""); /* not known yet whether it is in the log */
        session_recorded(session, true);
        counted(0, 1, 1, "tenant not active");
    }
    if (*step > STEP_TLS)
        ann_is_told("57P01");
    int refusals = asked.refusals, closes = asked.closes;
    corridor_end();
    cr_assert_eq(asked.refusals + asked.closes, refusals + closes);
}

ParameterizedTestParameters(session, drained_in_any_step) {
    return every_step();
}

ParameterizedTest(int *step, session, drained_in_any_step) {
    walk_to((enum step) * step);
    session_drain(session);
    if (*step == STEP_RECORD) {
        session_recorded(session, true);
        counted(0, 1, 1, "proxy shutting down");
    } else {
        counted(1, 0, 0, "shutting down");
    }
    if (*step > STEP_TLS)
        ann_is_told("57P01");
    corridor_end();
}

ParameterizedTestParameters(session, out_of_time_in_any_step) {
    return every_step();
}

ParameterizedTest(int *step, session, out_of_time_in_any_step) {
    walk_to((enum step) * step);
    session->accepted_us -= (int64_t)settings.login_timeout * 1000;
    session_hold(session, UINT32_MAX);
    if (*step == STEP_RECORD) {
        until(ann.ended);
        counted(0, 1, 0, "");
        session_recorded(session, true);
        counted(0, 1, 1, "client went away");
    } else {
        until(asked.refusals);
        counted(1, 0, 0, "login timeout");
    }
    if (*step > STEP_TLS)
        ann_is_told("57014");
    corridor_end();
}

ParameterizedTestParameters(session, ann_vanishes_in_any_step) {
    return every_step();
}

/* While others are asked nobody looks at her; then the login's deadline does. */
ParameterizedTest(int *step, session, ann_vanishes_in_any_step) {
    walk_to((enum step) * step);
    hang_up(&ann);
    for (int i = 0; i < 10; i++)
        turn();
    if (session && *step == STEP_RECORD) {
        session_recorded(session, true);
        until(asked.closes);
        counted(0, 1, 1, "client went away");
    } else if (session) {
        session_cut(session, CLOSE_TENANT_STATE, &stop);
        counted(1, 0, 0, "tenant not active");
    } else {
        cr_assert_eq(asked.refusals, 1);
    }
    corridor_end();
}

Test(session, no_log_no_session) {
    walk_to(STEP_RECORD);
    session_recorded(session, false);
    ann_is_told("58030");
    counted(1, 1, 0, "session log unavailable");
    until(instance.ended);
    cr_assert_eq(asked.opened, 0);
    corridor_end();
}

Test(session, a_ledger_that_refuses_at_once_is_a_refusal_too) {
    walk_to(STEP_INSTANCE_LOGIN);
    ledger_refuses_at_once = true;
    instance_lets_in();
    say_message(&instance, 'K',
                view_of("\0\0\0\x2a"
                        "\1\2\3\4",
                        8));
    say_message(&instance, 'Z', view_of("I", 1));
    ann_is_told("58030");
    counted(1, 1, 0, "session log unavailable");
    corridor_end();
}

Test(session, an_abandoned_open_record_that_was_not_written_is_refused) {
    walk_to(STEP_RECORD);
    session_cut(session, CLOSE_KILLED, &stop);
    session_cut(session, CLOSE_KILLED, &stop); /* asked twice */
    session_recorded(session, false);
    counted(1, 1, 0, "session log unavailable");
    session_recorded(session, true); /* nobody asked any more */
    counted(1, 1, 0, "session log unavailable");
    corridor_end();
}

Test(session, a_broker_that_refuses) {
    walk_to(STEP_ADMIT);
    struct failure f;
    failure_set(&f, "53300", NULL, "too many connections");
    session_refused(session, REFUSAL_LIMIT, &f);
    ann_is_told("53300");
    counted(1, 0, 0, "too many connections");
    corridor_end();
}

Test(session, answers_that_come_late_change_nothing) {
    int pair[2];
    walk_to(STEP_INSTANCE_ASK);
    session_verifier(session, REFUSAL_UNKNOWN_USER, &verifier);
    session_refused(session, REFUSAL_LIMIT, &stop);
    session_recorded(session, true);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    session_admitted(session, pair[1]);
    cr_assert_eq(recv(pair[0], pair, 1, 0), 0, "a second socket is closed");
    close(pair[0]);
    cr_assert_eq(session->step, STEP_INSTANCE_ASK);
    counted(0, 0, 0, "");
    corridor_end();
}

Test(session, who_speaks_early_keeps_nobody_busy) {
    walk_to(STEP_VERIFIER);
    say(&ann, "early", 5);
    for (int i = 0; i < 10; i++)
        turn();
    cr_assert_not(event_pending(&session->client.readable, EV_READ, NULL),
                  "what is not read yet must not wake the loop");
    session_verifier(session, REFUSAL_NONE, &verifier);
    until(asked.refusals);
    counted(1, 0, 0, "protocol violation");
    corridor_end();
}

Test(session, an_unknown_user_is_told_what_a_wrong_password_is_told) {
    uint8_t secret[32] = {1};
    walk_to(STEP_VERIFIER);
    verifier_mock(secret, "acme", view_text("ann"), 4096, &verifier);
    session_verifier(session, REFUSAL_UNKNOWN_USER, &verifier);
    ann_answers_first();
    next_message(&ann, 'R');
    next_message(&ann, 'R');
    struct view server = view_of(session->login->server.nonce, session->login->server.nonce_len);
    char proof[256];
    snprintf(proof, sizeof proof, "c=biws,r=%.*s,p=%s", (int)server.len, (const char *)server.at,
             "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    say_message(&ann, 'p', view_text(proof));
    until(asked.guesses == 1);
    session_turn(session, 0);
    ann_is_told("28P01");
    counted(1, 0, 0, "unknown user");
    corridor_end();
}

static void ann_mistypes(void) {
    walk_to(STEP_TURN);
    cr_assert_eq(asked.guesses, 1);
}

Test(session, a_guesser_waits_and_nothing_of_his_is_read_meanwhile) {
    ann_mistypes();
    say(&ann, "early", 5);
    for (int i = 0; i < 10; i++)
        turn();
    cr_assert_not(event_pending(&session->client.readable, EV_READ, NULL));
    cr_assert_eq(asked.refusals, 0, "nothing is told before its turn");
    session_turn(session, 50);
    cr_assert_eq(asked.refusals, 0);
    until(asked.refusals);
    counted(1, 0, 0, "wrong password");
    corridor_end();
}

Test(session, a_guess_too_many_is_refused_without_an_outcome) {
    struct failure f;
    ann_mistypes();
    failure_set(&f, "53300", "wait", "too many wrong passwords");
    session_refused(session, REFUSAL_GUESSING, &f);
    ann_is_told("53300");
    counted(1, 0, 0, "too many wrong passwords");
    session_turn(session, 0);
    corridor_end();
}

Test(session, a_guess_is_asked_about_again_when_the_broker_comes_back) {
    ann_mistypes();
    session_ask_again(session);
    cr_assert_eq(asked.guesses, 2);
    session_turn(session, 0);
    session_ask_again(session);
    cr_assert_eq(asked.guesses, 2);
    until(asked.refusals);
    corridor_end();
}

/* --- hostile instances --- */

static void instance_is_refused(const char *reason) {
    until(asked.refusals);
    counted(1, 0, 0, reason);
    until(instance.ended);
    cr_assert_eq(asked.opened, 0);
    corridor_end();
}

Test(session, an_instance_without_tls) {
    walk_to(STEP_INSTANCE_ASK);
    say(&instance, "N", 1);
    instance_is_refused("instance TLS failed");
}

Test(session, an_instance_that_answers_with_an_error_in_plaintext) {
    walk_to(STEP_INSTANCE_ASK);
    say(&instance, "E\0\0\0\5\0", 6);
    instance_is_refused("instance protocol violation");
}

Test(session, bytes_behind_the_instances_answer_are_no_part_of_the_session) {
    walk_to(STEP_INSTANCE_ASK);
    say(&instance, "SR\0\0\0\10\0\0\0\0", 10); /* S, and AuthenticationOk pushed in behind it */
    instance_is_refused("instance TLS failed");
}

Test(session, an_instance_with_another_name) {
    walk_to(STEP_INSTANCE_ASK);
    snprintf(corridor.instance_name, sizeof corridor.instance_name, "elsewhere.internal");
    instance_takes_tls();
    instance.ssl = SSL_new(instance_context);
    SSL_set_fd(instance.ssl, instance.fd);
    SSL_set_accept_state(instance.ssl);
    until(shaken(&instance) || asked.refusals);
    instance.deaf = false;
    instance_is_refused("instance TLS failed");
}

Test(session, an_instance_without_a_name_is_not_trusted) {
    walk_to(STEP_INSTANCE_ASK);
    corridor.instance_name[0] = 0;
    say(&instance, "S", 1);
    instance_is_refused("instance TLS failed");
}

Test(session, an_instance_that_lets_in_without_scram) {
    walk_to(STEP_INSTANCE_LOGIN);
    say_message(&instance, 'R', view_of("\0\0\0\0", 4));
    instance_is_refused("instance protocol violation");
}

Test(session, an_instance_that_wants_the_password_in_clear) {
    walk_to(STEP_INSTANCE_LOGIN);
    say_message(&instance, 'R', view_of("\0\0\0\3", 4));
    instance_is_refused("instance protocol violation");
}

Test(session, an_instance_that_cannot_prove_itself) {
    walk_to(STEP_INSTANCE_LOGIN);
    instance_asks_for_scram();
    next_message(&instance, 'p');
    say_message(&instance, 'R', view_of("\0\0\0\14v=forged", 12));
    instance_is_refused("instance protocol violation");
}

Test(session, an_instance_with_an_endless_message) {
    walk_to(STEP_INSTANCE_LOGIN);
    say(&instance, "N\x7f\xff\xff\xff", 5);
    instance_is_refused("instance protocol violation");
}

Test(session, an_instance_with_endless_notices) {
    char notice[2000];
    walk_to(STEP_INSTANCE_LOGIN);
    instance_lets_in();
    memset(notice, 'n', sizeof notice);
    for (int i = 0; i < 20 && !asked.refusals; i++) {
        say_message(&instance, 'N', view_of(notice, sizeof notice));
        turn();
    }
    instance_is_refused("instance protocol violation");
}

Test(session, an_instance_that_is_ready_without_a_key) {
    walk_to(STEP_INSTANCE_LOGIN);
    instance_lets_in();
    say_message(&instance, 'Z', view_of("I", 1));
    instance_is_refused("instance protocol violation");
}

Test(session, an_instance_that_hangs_up) {
    walk_to(STEP_INSTANCE_LOGIN);
    hang_up(&instance);
    until(asked.refusals);
    counted(1, 0, 0, "instance unreachable");
    ann_is_told("08006");
    corridor_end();
}

Test(session, an_instances_own_refusal_reaches_ann) {
    static const char error[] = "SFATAL\0VFATAL\0C3D000\0Mdatabase \"shop\" does not exist\0";
    walk_to(STEP_INSTANCE_LOGIN);
    instance_lets_in();
    say_message(&instance, 'E', view_of(error, sizeof error));
    ann_is_told("3D000");
    counted(1, 0, 0, "instance refused the session");
    corridor_end();
}
