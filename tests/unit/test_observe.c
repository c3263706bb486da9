/* SPDX-License-Identifier: ISC
 *
 * observe.c, observe_client.c and observe_instance.c: an operator, her client, the instance, and the log
 * between them.
 */
#include "observe_fixture.h"

TestSuite(observe, .init = set_up, .fini = tear_down);

Test(observe, nothing_goes_before_it_is_on_disk) {
    struct writer w = client();
    size_t used;
    put_query(&w, view_text("select 1"));
    put(&w, 'X', BYTES(""));
    cr_assert_eq(observe_client(o, writer_view(&w), now_us, &used, &why), OBSERVE_OK);
    cr_assert_eq(used, w.len);
    EXPECT_LOG("statement 1 kind=query sql=select 1");
    cr_assert_eq(observe_outgoing(o).len, 0);
    cr_assert_eq(observe_pending(o), 1);
    cr_assert_not(observe_idle(o));
    observe_durable(o, 1, now_us);
    cr_assert(view_equal(observe_outgoing(o), writer_view(&w)));
    observe_sent(o, 3);
    cr_assert_eq(observe_outgoing(o).len, w.len - 3);
}

Test(observe, goes_in_order_as_far_as_the_log_is) {
    struct writer w = client();
    size_t used, first;
    put_query(&w, view_text("select 1"));
    put(&w, 'H', BYTES(""));
    first = w.len;
    put_query(&w, view_text("select 2"));
    observe_client(o, writer_view(&w), now_us, &used, &why);
    observe_durable(o, 1, now_us);
    cr_assert_eq(observe_outgoing(o).len, first);
    observe_durable(o, 2, now_us);
    cr_assert_eq(observe_outgoing(o).len, w.len);
}

Test(observe, alice_reads_a_table) {
    query("select * from t");
    now_us += 250;
    answer('T', BYTES("\0\0"));
    answer('D', BYTES("\0\1\0\0\0\1a"));
    answer('D', BYTES("\0\1\0\0\0\1b"));
    done("SELECT 2");
    ready();
    EXPECT_LOG("statement 1 kind=query sql=select * from t", "result 1 tag=SELECT 2 rows=2 bytes=14");
    cr_assert(observe_idle(o));
}

static uint64_t duration;
static void keep_duration(void *arg, uint64_t ticket, uint64_t number, struct record *r) {
    for (size_t i = 0; i < r->count; i++)
        if (r->item[i].field == FIELD_DURATION_US)
            duration = r->item[i].number;
}

Test(observe, time_runs_from_the_log_to_the_answer) {
    struct observe_rules rules = {.session = 7};
    struct observe *timed = observe_new(&rules, keep_duration, NULL);
    struct writer w = client();
    size_t used;
    put_query(&w, view_text("a"));
    observe_client(timed, writer_view(&w), 100, &used, &why);
    observe_durable(timed, 1, 5000);
    observe_sent(timed, w.len);
    observe_instance(timed, BYTES("C\0\0\0\6X\0"), 5300, &used, &why);
    cr_assert_eq(duration, 300);
    observe_instance(timed, BYTES("C\0\0\0\6X\0"), 5310, &used, &why);
    cr_assert_eq(duration, 10, "the second command began when the first one ended");
    observe_instance(timed, BYTES("Z\0\0\0\5I"), 5310, &used, &why);
    w = client();
    put(&w, 'P', BYTES("\0x\0\0\0"));
    put(&w, 'E', BYTES("\0\0\0\0\0"));
    observe_client(timed, writer_view(&w), 6000, &used, &why);
    observe_durable(timed, 5, 6000);
    observe_sent(timed, w.len);
    observe_instance(timed, BYTES("1\0\0\0\4C\0\0\0\6X\0"), 6070, &used, &why);
    cr_assert_eq(duration, 70, "what the instance kept back until now took its time all the same");
    observe_free(&timed);
}

Test(observe, several_statements_in_one_query) {
    query("insert into t values (1); update t set a = 2; drop table u");
    done("INSERT 0 1");
    done("UPDATE 3");
    fails();
    ready();
    EXPECT_LOG("statement 1 kind=query sql=insert into t values (1); update t set a = 2; drop table u",
               "result 1 tag=INSERT 0 1 rows=1", "result 1 tag=UPDATE 3 rows=3",
               "result 1 sqlstate=42501 message=permission denied");
    cr_assert(observe_idle(o));
}

Test(observe, the_extended_protocol_step_by_step) {
    parse("s1", "select $1, $2, $3");
    say_one('B', BYTES("p1\0s1\0\0\2\0\0\0\1\0\2\0\0\0\2hi\0\0\0\2\x01\xff\0\0"));
    say_one('D', BYTES("Pp1\0"));
    say_one('E', BYTES("p1\0\0\0\0\2"));
    say_one('C', BYTES("Ss1\0"));
    sync();
    answer('1', BYTES(""));
    answer('2', BYTES(""));
    answer('T', BYTES("\0\0"));
    answer('D', BYTES("\0\0"));
    answer('s', BYTES(""));
    answer('3', BYTES(""));
    ready();
    EXPECT_LOG("statement 1 kind=parse name=s1 sql=select $1, $2, $3",
               "statement 2 kind=bind name=s1 portal=p1 parameters=[\"hi\",\"\\\\x01ff\"]",
               "statement 3 detail=portal kind=describe portal=p1",
               "statement 4 kind=execute portal=p1 rows=2", "statement 5 detail=statement kind=close name=s1",
               "result 4 tag=suspended rows=1 bytes=2");
    cr_assert(observe_idle(o));
}

Test(observe, an_error_skips_to_sync) {
    parse("", "selec");
    bind_none();
    execute();
    fails();
    query("select 'skipped as well'"); /* PostgreSQL reads nothing before Sync */
    sync();
    parse("", "select 1");
    sync();
    ready();
    answer('1', BYTES(""));
    ready();
    EXPECT_LOG("statement 1 kind=parse sql=selec", "statement 2 kind=bind parameters=[]",
               "statement 3 kind=execute", "result 1 sqlstate=42501 message=permission denied",
               "result 2 tag=skipped", "result 3 tag=skipped",
               "statement 4 kind=query sql=select 'skipped as well'", "result 4 tag=skipped",
               "statement 5 kind=parse sql=select 1");
    cr_assert(observe_idle(o));
}

Test(observe, a_pipeline_with_an_error_in_the_middle) {
    struct writer w = client();
    for (int i = 0; i < 3; i++) {
        put(&w, 'P', BYTES("\0x\0\0\0"));
        put(&w, 'E', BYTES("\0\0\0\0\0"));
        put(&w, 'S', BYTES(""));
    }
    say(writer_view(&w));
    answer('1', BYTES("")), done("X"), ready();
    fails(), ready();
    answer('1', BYTES("")), answer('I', BYTES("")), ready();
    cr_assert_eq(told.lines, 10);
    cr_assert_str_eq(told.line[6], "result 2 tag=X");
    cr_assert_str_eq(told.line[7], "result 3 sqlstate=42501 message=permission denied");
    cr_assert_str_eq(told.line[8], "result 4 tag=skipped");
    cr_assert_str_eq(told.line[9], "result 6 tag=empty");
    cr_assert(observe_idle(o));
}

#define ABC_SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NOTHING_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

Test(observe, copy_in_is_hashed_before_it_counts) {
    query("copy t from stdin");
    answer('G', BYTES("\0\0\0"));
    say_one('d', BYTES("ab"));
    say_one('d', BYTES("c"));
    struct writer w = client();
    size_t used;
    put(&w, 'c', BYTES(""));
    observe_client(o, writer_view(&w), now_us, &used, &why);
    cr_assert_eq(observe_outgoing(o).len, 0);
    log_is_durable();
    done("COPY 1");
    ready();
    EXPECT_LOG("statement 1 kind=query sql=copy t from stdin",
               "statement 2 kind=copy-done bytes=3 sha256=" ABC_SHA256,
               "result 1 tag=COPY 1 rows=1 bytes=3 sha256=" ABC_SHA256);
    cr_assert(observe_idle(o));
}

Test(observe, copy_data_streams_without_being_held) {
    struct writer w = client();
    size_t used;
    query("copy t from stdin");
    writer_u8(&w, 'd');
    writer_u32(&w, 600u << 20);
    writer_text(&w, "some of it");
    observe_client(o, writer_view(&w), now_us, &used, &why);
    cr_assert_eq(used, w.len);
    cr_assert_eq(observe_outgoing(o).len, w.len);
    send_all();
    observe_end(o, now_us);
    cr_assert_eq(told.lines, 3);
    cr_assert_eq(strncmp(told.line[1], "statement 2 kind=copy bytes=10 sha256=", 38), 0, "%s", told.line[1]);
    cr_assert_str_eq(told.line[2], "result 1 tag=outcome unknown");
}

Test(observe, copy_in_by_the_extended_protocol) {
    parse("", "copy t from stdin"), bind_none(), execute(), sync(); /* PostgreSQL passes over this Sync */
    answer('1', BYTES("")), answer('2', BYTES("")), answer('G', BYTES("\0\0\0"));
    say_one('d', BYTES("abc")), say_one('c', BYTES("")), sync();
    done("COPY 1");
    ready();
    cr_assert_str_eq(told.line[told.lines - 1], "result 3 tag=COPY 1 rows=1 bytes=3 sha256=" ABC_SHA256);
    cr_assert(observe_idle(o));
}

Test(observe, copy_in_that_fails_by_the_extended_protocol) {
    parse("", "copy t from stdin"), bind_none(), execute(), sync();
    answer('1', BYTES("")), answer('2', BYTES("")), answer('G', BYTES("\0\0\0"));
    say_one('d', BYTES("abc")), say_one('f', BYTES("no more\0")), sync();
    fails();
    ready();
    query("select 1");
    done("SELECT 1"), ready();
    EXPECT_LOG("statement 1 kind=parse sql=copy t from stdin", "statement 2 kind=bind parameters=[]",
               "statement 3 kind=execute",
               "statement 4 message=no more kind=copy-fail bytes=3 sha256=" ABC_SHA256,
               "result 3 sqlstate=42501 message=permission denied bytes=3 sha256=" ABC_SHA256,
               "statement 5 kind=query sql=select 1", "result 5 tag=SELECT 1 rows=1");
    cr_assert(observe_idle(o));
}

Test(observe, data_of_no_copy_is_in_the_log_too) {
    query("copy nowhere from stdin");
    say_one('d', BYTES("abc")), say_one('c', BYTES(""));
    fails(), ready();
    say_one('d', BYTES("abc"));
    query("select 1");
    done("SELECT 1"), ready();
    EXPECT_LOG("statement 1 kind=query sql=copy nowhere from stdin",
               "statement 2 kind=copy-done bytes=3 sha256=" ABC_SHA256,
               "result 1 sqlstate=42501 message=permission denied",
               "statement 3 kind=copy bytes=3 sha256=" ABC_SHA256, "statement 4 kind=query sql=select 1",
               "result 4 tag=SELECT 1 rows=1");
    cr_assert(observe_idle(o));
}

Test(observe, two_copies_in_one_query) {
    query("copy a from stdin; copy b from stdin");
    answer('G', BYTES("\0\0\0")), say_one('d', BYTES("abc")), say_one('c', BYTES("")), done("COPY 1");
    answer('G', BYTES("\0\0\0")), say_one('c', BYTES("")), done("COPY 0");
    ready();
    cr_assert_str_eq(told.line[2], "result 1 tag=COPY 1 rows=1 bytes=3 sha256=" ABC_SHA256);
    cr_assert_str_eq(told.line[4], "result 1 tag=COPY 0 rows=0 bytes=0 sha256=" NOTHING_SHA256);
    cr_assert(observe_idle(o));
}

Test(observe, copy_out_is_hashed) {
    query("copy t to stdout");
    answer('H', BYTES("\0\0\0")), answer('d', BYTES("ab")), answer('d', BYTES("c")), answer('c', BYTES(""));
    done("COPY 2"), ready();
    EXPECT_LOG("statement 1 kind=query sql=copy t to stdout",
               "result 1 tag=COPY 2 rows=2 bytes=3 sha256=" ABC_SHA256);
}

Test(observe, function_calls_are_told_and_refused) {
    struct view call = BYTES("\0\0\0\x2a\0\0\0\1\0\0\0\1x\0\0");
    expect_refused(say_one('F', call), "42501");
    cr_assert_str_eq(told.line[0], "statement 1 kind=function-call name=42 parameters=[\"x\"]");
    cr_assert_eq(strncmp(told.line[1], "result 1 sqlstate=42501 ", 24), 0);
    cr_assert_eq(sent.len, 0);
}

Test(observe, admin_may_call_functions) {
    struct observe_rules rules = {.session = 7, .allow_replication_and_function_call = true};
    observe_free(&o);
    o = observe_new(&rules, log_record, &told);
    say_one('F', BYTES("\0\0\0\x2a\0\0\0\0\0\0"));
    answer('V', BYTES("\xff\xff\xff\xff"));
    ready();
    EXPECT_LOG("statement 1 kind=function-call name=42 parameters=[]", "result 1 tag=function call");
    query("start_replication");
    cr_assert_eq(answer('W', BYTES("\0\0\0")), OBSERVE_OK);
    say_one('d', BYTES("abc")), say_one('c', BYTES("")), answer('d', BYTES("abc")), answer('c', BYTES(""));
    done("START"), ready();
    cr_assert_str_eq(told.line[told.lines - 1], "result 2 tag=START bytes=3 sha256=" ABC_SHA256);
    cr_assert(observe_idle(o));
}

Test(observe, replication_is_refused_at_a_message_boundary) {
    size_t used;
    query("start_replication");
    struct view bytes = BYTES("N\0\0\0\5\0W\0\0\0\7\0\0\0");
    cr_assert_eq(observe_instance(o, bytes, now_us, &used, &why), OBSERVE_REFUSE);
    cr_assert_eq(used, 6);
    cr_assert_str_eq(why.sqlstate, "42501");
    observe_end(o, now_us);
    cr_assert_eq(told.lines, 2);
}

Test(observe, what_is_not_in_the_table_ends_the_session) {
    expect_refused(say_one('p', BYTES("x")), "08P01");
    EXPECT_LOG("statement 1 kind=unknown bytes=6",
               "result 1 sqlstate=08P01 message=unknown message type 0x70 from the client tag=refused");
    size_t used;
    cr_assert_eq(observe_client(o, BYTES("Q"), now_us, &used, &why), OBSERVE_REFUSE);
    cr_assert_eq(used, 0);
}

Test(observe, the_end_says_what_is_not_known) {
    struct writer w = client();
    size_t used;
    query("select 1");
    put_query(&w, view_text("select 2"));
    observe_client(o, writer_view(&w), now_us, &used, &why);
    observe_end(o, now_us);
    EXPECT_LOG("statement 1 kind=query sql=select 1", "statement 2 kind=query sql=select 2",
               "result 1 tag=outcome unknown", "result 2 tag=not sent");
    cr_assert_eq(observe_outgoing(o).len, 0);
}

Test(observe, the_instance_cannot_answer_what_was_not_sent) {
    struct writer w = client();
    size_t used;
    put_query(&w, view_text("select 1"));
    observe_client(o, writer_view(&w), now_us, &used, &why);
    observe_instance(o, BYTES("C\0\0\0\6X\0Z\0\0\0\5I"), now_us, &used, &why);
    cr_assert_eq(used, 13);
    EXPECT_LOG("statement 1 kind=query sql=select 1", "result tag=X");
    observe_durable(o, told.lines, now_us);
    observe_instance(o, BYTES("C\0\0\0\6X\0Z\0\0\0\5I"), now_us, &used, &why);
    cr_assert_str_eq(told.line[2], "result tag=X", "durable, but still here");
    observe_end(o, now_us);
    cr_assert_str_eq(told.line[3], "result 1 tag=not sent");
}

Test(observe, a_hostile_instance_is_only_passed_over) {
    query("select 1");
    answer('1', BYTES("")), answer('V', BYTES("")), answer('G', BYTES("")), answer('c', BYTES(""));
    answer('E', BYTES("gibberish"));
    cr_assert_str_eq(told.line[1],
                     "result 1 sqlstate=08P01 message=an error of the instance that cannot be read");
    ready(), ready(), ready();
    answer('E', BYTES("SFATAL\0C57P01\0Mterminating\0\0"));
    cr_assert_str_eq(told.line[2], "result sqlstate=57P01 message=terminating");
    cr_assert(observe_idle(o));
    size_t used;
    cr_assert_eq(observe_instance(o, BYTES("C\0\0\0\3"), now_us, &used, &why), OBSERVE_REFUSE);
    cr_assert_eq(used, 0);
}

Test(observe, a_header_of_the_instance_is_not_taken_in_halves) {
    size_t used;
    query("select 1");
    for (size_t len = 0; len < 5; len++) {
        observe_instance(o, view_of("Z\0\0\0\5", len), now_us, &used, &why);
        cr_assert_eq(used, 0);
    }
}

Test(observe, a_flood_waits_for_the_log) {
    struct writer w = client();
    size_t used, again;
    for (int i = 0; i < 3 * OBSERVE_RECORDS_MAX; i++)
        put_query(&w, view_text("x"));
    observe_client(o, writer_view(&w), now_us, &used, &why);
    cr_assert_eq(told.lines, OBSERVE_RECORDS_MAX);
    cr_assert_eq(used, w.len / 3);
    observe_client(o, view_from(writer_view(&w), used), now_us, &again, &why);
    cr_assert_eq(again, 0);
    observe_instance(o, BYTES("C\0\0\0\6X\0"), now_us, &again, &why);
    cr_assert_eq(again, 0);
    observe_durable(o, 1, now_us);
    observe_client(o, view_from(writer_view(&w), used), now_us, &again, &why);
    cr_assert_eq(again, w.len / 3 / OBSERVE_RECORDS_MAX);
}

Test(observe, a_pipeline_without_end_waits_for_answers) {
    struct writer w = client();
    size_t used;
    for (int i = 0; i < OBSERVE_OUTSTANDING_MAX + 10; i++)
        put_query(&w, view_text("x"));
    struct view rest = writer_view(&w);
    do {
        observe_client(o, rest, now_us, &used, &why);
        rest = view_from(rest, used);
        log_is_durable();
    } while (used > 0);
    cr_assert_eq(observe_statements(o), OBSERVE_OUTSTANDING_MAX);
    done("X"), ready();
    observe_client(o, rest, now_us, &used, &why);
    cr_assert_eq(used, 7);
}

/* A session in one go: each kind of message, several times over. */
static struct view whole_session(struct writer *w) {
    put_query(w, view_text("select 1; copy t from stdin"));
    put(w, 'd', BYTES("abc"));
    put(w, 'd', BYTES(""));
    put(w, 'c', BYTES(""));
    put(w, 'P', BYTES("s\0select '\xff'\0\0\0"));
    put(w, 'B', BYTES("p\0s\0\0\0\0\1\0\0\0\2hi\0\0"));
    put(w, 'D', BYTES("Pp\0"));
    put(w, 'E', BYTES("p\0\0\0\0\0"));
    put(w, 'C', BYTES("Pp\0"));
    put(w, 'H', BYTES(""));
    put(w, 'S', BYTES(""));
    put(w, 'd', BYTES("unasked"));
    put(w, 'f', BYTES("never mind\0"));
    put(w, 'X', BYTES(""));
    return writer_view(w);
}

static struct view all_answers(struct writer *w) {
    put(w, 'D', BYTES("\0\1\0\0\0\1a"));
    put(w, 'C', BYTES("SELECT 1\0"));
    put(w, 'G', BYTES("\0\0\0"));
    put(w, 'C', BYTES("COPY 1\0"));
    put(w, 'Z', BYTES("I"));
    put(w, '1', BYTES(""));
    put(w, 'N', BYTES("SNOTICE\0C00000\0Mhm\0\0"));
    put(w, '2', BYTES(""));
    put(w, 'n', BYTES(""));
    put(w, 'E', BYTES("SERROR\0C22012\0Mdivision by zero\0\0"));
    put(w, 'Z', BYTES("I"));
    return writer_view(w);
}

/* Both streams, cut at one place each. Returns the log as one text. What the observer does not take of the
 * answers' beginning is offered again with the rest. */
static char *told_in_pieces(struct view asked, size_t cut, struct view answers, size_t cut_answers) {
    char *text = NULL;
    size_t size, used;
    tear_down();
    set_up();
    say(view_of(asked.at, cut));
    say(view_from(asked, cut));
    observe_instance(o, view_of(answers.at, cut_answers), now_us, &used, &why);
    log_is_durable();
    cr_assert_lt(cut_answers - used, 5);
    observe_instance(o, view_from(answers, used), now_us, &used, &why);
    log_is_durable();
    cr_assert(view_equal(writer_view(&sent), asked));
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; i < told.lines; i++)
        fprintf(out, "%s\n", told.line[i]);
    fclose(out);
    return text;
}

Test(observe, however_the_packets_are_cut) {
    static uint8_t rooms[2][1024];
    struct writer w = writer_of(rooms[0], 1024), v = writer_of(rooms[1], 1024);
    struct view asked = whole_session(&w), answers = all_answers(&v);
    char *whole = told_in_pieces(asked, asked.len, answers, answers.len);
    cr_assert_not_null(
        strstr(whole, "result 6 sqlstate=22012 message=division by zero\nresult 7 tag=skipped\n"), "%s",
        whole);
    for (size_t cut = 0; cut < asked.len || cut < answers.len; cut++) {
        char *again = told_in_pieces(asked, cut < asked.len ? cut : asked.len, answers,
                                     cut < answers.len ? cut : answers.len);
        cr_assert_str_eq(again, whole, "cut at %zu", cut);
        free(again);
    }
    free(whole);
}
