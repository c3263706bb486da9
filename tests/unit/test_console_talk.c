/* SPDX-License-Identifier: ISC
 *
 * The console's side of the protocol: Dana's psql, her driver, and clients that mean no good.
 */
#include "console_fixture.h"

#define cr_says(expected) cr_expect_str_eq(types(), expected)

Test(console_talk, dana_connects_to_the_one_database_there_is) {
    converse();
    writer_u32(&sent, 8);
    writer_u32(&sent, 80877103); /* SSLRequest */
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_assert(heard.len == 1 && heard_bytes[0] == 'N');
    heard.len = 0;
    send_startup("sekisho");
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_assert(talk_started(talk));
    cr_says("RSSSSSSSSSSSSSKZ");
    talk_free(&talk);

    converse();
    send_startup("postgres");
    cr_assert_eq(go_on(), TALK_OVER);
    cr_says("E");
    cr_assert(strstr(last_text, "3D000"));
    talk_free(&talk);
}

Test(console_talk, a_simple_command_is_work_and_its_rows_follow) {
    meet();
    send_text('Q', "SHOW CHECKPOINT;");
    cr_assert_eq(go_on(), TALK_WORK);
    cr_assert_eq(talk_command(talk)->verb, VERB_CHECKPOINT);
    struct view cell[4] = {view_text("acme"), view_text("12"), {NULL, 0}, view_text("ab")};
    cr_assert(talk_row(talk, &heard, cell, 4));
    talk_done(talk, &heard);
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_says("TDCZ");
    cr_assert_str_eq(last_text, "SELECT 1|");
    talk_free(&talk);
}

Test(console_talk, several_statements_in_one_query_go_one_after_the_other) {
    meet();
    send_text('Q', "BEGIN; SELECT 1; SHOW HELP; COMMIT");
    cr_assert_eq(go_on(), TALK_WORK);
    talk_done(talk, &heard);
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_says("CTDCTCCZ");

    send_text('Q', "SELECT 1; nonsense; SELECT 1");
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_says("TDCEZ");

    send_text('Q', " ; -- nothing\n;");
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_says("IZ");
    talk_free(&talk);
}

Test(console_talk, a_failed_transaction_takes_nothing_but_its_end) {
    meet();
    send_text('Q', "BEGIN");
    send_text('Q', "SHOW HELP");
    cr_assert_eq(go_on(), TALK_WORK);
    struct failure f;
    failure_set(&f, "58030", "later", "no log");
    talk_failed(talk, &heard, &f);
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_says("CZTEZ");
    cr_assert(strstr(last_text, "58030") && strstr(last_text, "Hlater"));
    send_text('Q', "SHOW HELP");
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_says("EZ");
    cr_assert(strstr(last_text, "25P02"));
    send_text('Q', "COMMIT");
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_says("CZ");
    cr_assert_str_eq(last_text, "ROLLBACK|");
    send_text('Q', "SHOW HELP");
    cr_assert_eq(go_on(), TALK_WORK);
    talk_free(&talk);
}

Test(console_talk, a_driver_binds_what_it_will_not_quote) {
    static const char *const values[] = {"it's", "c2ln", NULL};
    meet();
    send_parse("s1", "SUBMIT $1 $2");
    send_target('D', 'S', "s1");
    send_bind("", "s1", values);
    send_target('D', 'P', "");
    send_execute("", 0);
    send_bare('S');
    cr_assert_eq(go_on(), TALK_WORK);
    const struct console_command *c = talk_command(talk);
    cr_assert_eq(c->verb, VERB_SUBMIT);
    cr_assert(view_equal_text(console_command_value(c, ARGUMENT_BODY), "it's"));
    cr_assert(view_equal_text(console_command_value(c, ARGUMENT_SIGNATURE), "c2ln"));
    talk_done(talk, &heard);
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_says("1tT2TCZ");
    talk_free(&talk);
}

Test(console_talk, a_portal_stops_after_the_rows_that_were_asked_for_and_goes_on) {
    static int job;
    struct view cell[2] = {view_text("a"), view_text("b")};
    meet();
    send_text('Q', "BEGIN");
    cr_assert_eq(go_on(), TALK_HUNGRY);
    types();
    send_parse("", "SHOW HELP");
    send_bind("p", "", NULL);
    send_execute("p", 2);
    send_bare('S');
    cr_assert_eq(go_on(), TALK_WORK);
    *talk_job(talk) = &job;
    cr_assert(talk_row(talk, &heard, cell, 2));
    cr_assert(!talk_row(talk, &heard, cell, 2));
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_says("12DDsZ");
    send_execute("p", 2);
    send_bare('S');
    cr_assert_eq(go_on(), TALK_WORK);
    cr_assert_eq(*talk_job(talk), &job, "it goes on where it stopped");
    cr_assert(talk_row(talk, &heard, cell, 2));
    cr_assert(!talk_row(talk, &heard, cell, 2));
    cr_assert_eq(dropped_jobs, 0);
    send_text('Q', "ROLLBACK");
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_assert_eq(dropped_jobs, 1, "the transaction's end takes its portals");
    talk_free(&talk);
}

Test(console_talk, after_an_error_everything_is_passed_over_until_sync) {
    meet();
    send_parse("", "DROP TABLE t");
    send_bind("", "", NULL);
    send_execute("", 0);
    send_bare('S');
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_says("EZ");
    send_parse("", "SELECT 1; SELECT 1");
    send_bare('S');
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_says("EZ");
    send_parse("", "");
    send_bind("", "", NULL);
    send_target('D', 'P', "");
    send_execute("", 0);
    send_bare('S');
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_says("12nIZ");
    talk_free(&talk);
}

Test(console_talk, prepared_statements_and_portals_are_bounded) {
    char name[16];
    meet();
    for (int i = 0; i < TALK_STATEMENTS_MAX; i++) {
        snprintf(name, sizeof name, "s%d", i);
        send_parse(name, "SHOW HELP");
    }
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_assert_eq(strlen(types()), TALK_STATEMENTS_MAX);
    send_parse("more", "SHOW HELP");
    send_bare('S');
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_says("EZ");
    cr_assert(strstr(last_text, "54000"));
    send_text('Q', "DEALLOCATE s0");
    send_parse("more", "SHOW HELP");
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_says("CZ1");
    for (int i = 0; i <= TALK_PORTALS_MAX; i++) {
        snprintf(name, sizeof name, "p%d", i);
        send_bind(name, "more", NULL);
    }
    send_bare('S');
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_says("22222222EZ");
    talk_free(&talk);
}

Test(console_talk, what_no_client_says_ends_it) {
    meet();
    writer_u8(&sent, 'Q');
    writer_u32(&sent, TALK_MESSAGE_MAX + 1);
    cr_assert_eq(go_on(), TALK_OVER);
    cr_says("E");
    cr_assert(strstr(last_text, "FATAL") && strstr(last_text, "08P01"));
    talk_free(&talk);

    meet();
    send_bare('?');
    cr_assert_eq(go_on(), TALK_OVER);
    talk_free(&talk);

    meet();
    send_bare('X');
    cr_assert_eq(go_on(), TALK_OVER);
    cr_says("");
    talk_free(&talk);
}

Test(console_talk, parameters_are_texts_and_all_there) {
    static const char *const one[] = {"x", NULL};
    meet();
    send_parse("s", "SHOW GRANT $1");
    send_bind("", "s", NULL);
    send_bare('S');
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_says("1EZ");
    send_bind("", "s", one);
    send_execute("", 0);
    cr_assert_eq(go_on(), TALK_WORK);
    talk_free(&talk);

    meet();
    send_text('Q', "SHOW GRANT $1");
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_says("EZ");
    cr_assert(strstr(last_text, "42P02"));
    talk_free(&talk);
}
