/* SPDX-License-Identifier: ISC
 *
 * observe.c and its parts: an operator, her client, the instance, and the log between them.
 */
#include "observe_fixture.h"

static struct log told;
static struct observe *o;
static uint8_t client_room[3 << 20], sent_room[3 << 20];
static struct writer sent; /* what went to the instance */
static int64_t now_us;
static struct failure why;

static void set_up(void) {
    struct observe_rules rules = {.session = 7};
    o = observe_new(&rules, log_record, &told);
    sent = writer_of(sent_room, sizeof sent_room);
    now_us = 1000;
}

static void tear_down(void) {
    observe_free(&o);
    cr_assert_null(o);
    log_clear(&told);
}

TestSuite(observe, .init = set_up, .fini = tear_down);

static struct writer client(void) {
    return writer_of(client_room, sizeof client_room);
}

/* Whatever may go to the instance goes. */
static void send_all(void) {
    struct view out = observe_outgoing(o);
    writer_bytes(&sent, out);
    observe_sent(o, out.len);
    cr_assert_not(sent.bad);
}

static void log_is_durable(void) {
    observe_durable(o, told.lines, now_us);
    send_all();
}

/* The client sends it and the log answers at once. */
static enum observe_result say(struct view bytes) {
    enum observe_result result = OBSERVE_OK;
    while (bytes.len > 0 && result == OBSERVE_OK) {
        size_t used;
        result = observe_client(o, bytes, now_us, &used, &why);
        bytes = view_from(bytes, used);
        log_is_durable();
        cr_assert(used > 0 || result == OBSERVE_REFUSE);
    }
    return result;
}

static enum observe_result query(const char *sql) {
    struct writer w = client();
    put_query(&w, view_text(sql));
    return say(writer_view(&w));
}

static enum observe_result say_one(char type, struct view body) {
    struct writer w = client();
    put(&w, type, body);
    return say(writer_view(&w));
}

static enum observe_result answer(char type, struct view body) {
    uint8_t room[4096];
    struct writer w = writer_of(room, sizeof room);
    size_t used;
    put(&w, type, body);
    enum observe_result result = observe_instance(o, writer_view(&w), now_us, &used, &why);
    if (result == OBSERVE_OK) {
        cr_assert_eq(used, w.len);
        log_is_durable();
    }
    return result;
}

#define ready() answer('Z', BYTES("I"))
#define fails() answer('E', BYTES("SERROR\0C42501\0Mpermission denied\0\0"))
#define done(tag) answer('C', BYTES(tag "\0"))
#define parse(name, sql) say_one('P', BYTES(name "\0" sql "\0\0\0"))
#define bind_none() say_one('B', BYTES("\0\0\0\0\0\0\0\0"))
#define execute() say_one('E', BYTES("\0\0\0\0\0"))
#define sync() say_one('S', BYTES(""))

static void expect_log(size_t lines, const char *const *line) {
    for (size_t i = 0; i < lines && i < told.lines; i++)
        cr_assert_str_eq(told.line[i], line[i]);
    cr_assert_eq(told.lines, lines, "%zu lines: %s", told.lines, told.lines ? told.line[told.lines - 1] : "");
}

#define EXPECT_LOG(...)                                                                                      \
    expect_log(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

static void expect_refused(enum observe_result result, const char *sqlstate) {
    cr_assert_eq(result, OBSERVE_REFUSE);
    cr_assert_str_eq(why.sqlstate, sqlstate);
    cr_assert_eq(observe_outgoing(o).len, 0);
}

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

/* Puts the parts of a statement together again. */
static void whole_text(size_t first, size_t parts, char *out) {
    for (size_t i = 0; i < parts; i++) {
        char begins[64];
        snprintf(begins, sizeof begins, " part=%zu parts=%zu sql=", i + 1, parts);
        const char *at = strstr(told.line[first + i], begins);
        cr_assert_not_null(at, "%.80s", told.line[first + i]);
        at += strlen(begins);
        cr_assert(strlen(at) <= 4000);
        memcpy(out, at, strlen(at) + 1);
        out += strlen(at);
    }
}

Test(observe, a_long_text_is_whole_in_parts) {
    static char sql[OBSERVE_STATEMENT_MAX], again[OBSERVE_STATEMENT_MAX];
    size_t len = 0;
    while (len < sizeof sql - 16) { /* the characters lie differently at each part's end */
        memcpy(sql + len, "a\xC3\xA9\xE2\x82\xAC", 6);
        len += 6;
    }
    cr_assert_eq(query(sql), OBSERVE_OK);
    cr_assert_gt(told.lines, 1);
    whole_text(0, told.lines, again);
    cr_assert_str_eq(again, sql);
    cr_assert_eq(sent.len, len + 6);
    cr_assert_eq(observe_statements(o), 1);
}

Test(observe, invalid_encodings_are_in_the_log_as_bytes) {
    query("select '\xff'");
    EXPECT_LOG("statement 1 kind=query-hex sql=\\x73656c6563742027ff27");
}

Test(observe, a_long_invalid_text_is_whole_in_parts) {
    static char sql[5002], again[10100];
    memset(sql, '\xfe', 5001);
    query(sql);
    cr_assert_eq(told.lines, 3);
    whole_text(0, 3, again);
    cr_assert_eq(strlen(again), 2 + 2 * 5001);
    cr_assert_eq(strncmp(again, "\\xfefe", 6), 0);
    cr_assert_eq(strspn(again + 2, "fe"), 2 * 5001);
}

Test(observe, the_longest_statement_passes_and_no_longer_one) {
    static uint8_t sql[OBSERVE_STATEMENT_MAX];
    memset(sql, 'x', sizeof sql);
    struct writer w = client();
    put_query(&w, view_of(sql, OBSERVE_STATEMENT_MAX - 5));
    cr_assert_eq(say(writer_view(&w)), OBSERVE_OK);
    cr_assert_eq(sent.len, OBSERVE_STATEMENT_MAX + 1);
    expect_refused(say(BYTES("Q\0\x10\0\1")), "54000"); /* before its text came */
    cr_assert_str_eq(why.sentence, "statement too long for an operator's session");
    cr_assert_str_eq(told.line[told.lines - 2], "statement 2 kind=query bytes=1048578");
    cr_assert_str_eq(
        told.line[told.lines - 1],
        "result 2 sqlstate=54000 message=statement too long for an operator's session tag=refused");
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

static void expect_malformed(struct view bytes) {
    struct observe_rules rules = {.session = 7};
    observe_free(&o);
    log_clear(&told);
    o = observe_new(&rules, log_record, &told);
    expect_refused(say(bytes), "08P01");
    cr_assert_eq(told.lines, 2);
}

Test(observe, malformed_messages_end_the_session) {
    expect_malformed(BYTES("Q\0\0\0\6ab"));
    expect_malformed(BYTES("Q\0\0\0\x0dx\0hidden\0"));
    expect_malformed(BYTES("Q\0\0\0\3"));
    expect_malformed(BYTES("P\0\0\0\6ab"));
    expect_malformed(BYTES("B\0\0\0\6ab"));
    expect_malformed(BYTES("E\0\0\0\6ab"));
    expect_malformed(BYTES("D\0\0\0\6X\0"));
    expect_malformed(BYTES("S\0\0\0\5x"));
    expect_malformed(BYTES("c\0\0\0\5x"));
    expect_malformed(BYTES("f\0\0\0\5x"));
    expect_malformed(BYTES("d\x40\0\0\0"));
}

Test(observe, names_that_a_record_could_not_tell_apart_are_refused) {
    uint8_t body[80] = {0};
    memset(body, 'n', 63);
    cr_assert_eq(say_one('C', view_of("S\xff\0", 3)), OBSERVE_OK);
    cr_assert_eq(say_one('C', view_of("S\\xff\0", 6)), OBSERVE_OK);
    EXPECT_LOG("statement 1 detail=statement kind=close name=\\xff",
               "statement 2 detail=statement kind=close name=\\x5c786666");
    struct writer w = client();
    put(&w, 'E', view_of(body, 63 + 5));
    cr_assert_eq(say(writer_view(&w)), OBSERVE_OK);
    memset(body, 'n', 64);
    w = client();
    put(&w, 'E', view_of(body, 64 + 5));
    expect_refused(say(writer_view(&w)), "42622");
}

/* A Bind with these values, and its record's parameters. */
static const char *parameters_of(size_t count, struct view value) {
    struct writer w = client();
    writer_bytes(&w, BYTES("B\0\0\0\0\0\0\0\0"));
    writer_u16(&w, (uint16_t)count);
    for (size_t i = 0; i < count; i++) {
        writer_u32(&w, (uint32_t)value.len);
        writer_bytes(&w, value);
    }
    writer_u16(&w, 0);
    writer_patch_u32(&w, 1, (uint32_t)w.len - 1);
    cr_assert_eq(say(writer_view(&w)), OBSERVE_OK);
    return strstr(told.line[told.lines - 1], "parameters=") + strlen("parameters=");
}

Test(observe, parameters_can_be_found_again) {
    cr_assert_str_eq(parameters_of(1, BYTES("it's \"here\"\n")), "[\"it's \\\"here\\\"\\n\"]");
    cr_assert_str_eq(parameters_of(1, BYTES("\xff\0")), "[\"\\\\xff00\"]");
    cr_assert_str_eq(parameters_of(1, BYTES("\\xff")), "[{\"text\":\"\\\\xff\"}]");
    cr_assert_str_eq(parameters_of(2, BYTES("")), "[\"\",\"\"]");
    say_one('B', BYTES("\0\0\0\0\0\1\xff\xff\xff\xff\0\0"));
    cr_assert_str_eq(told.line[told.lines - 1], "statement 5 kind=bind parameters=[null]");
}

Test(observe, long_parameters_are_hashed) {
    static uint8_t value[1025];
    memset(value, 'a', sizeof value);
    cr_assert_eq(strlen(parameters_of(1, view_of(value, 1024))), 1024 + 4);
    cr_assert_str_eq(parameters_of(1, view_of(value, 1025)),
                     "[{\"bytes\":1025,\"sha256\":"
                     "\"4a82297889eb505cf6b5cbdf69977afab4632d6557539782f657bd7dc78091a5\"}]");
}

Test(observe, many_parameters_end_in_one_hash) {
    const char *p = parameters_of(65535, BYTES("abc"));
    cr_assert_leq(strlen(p), 4096);
    cr_assert_not_null(strstr(p, "\"abc\",{\"more\":6"));
    cr_assert_eq(strcmp(p + strlen(p) - 3, "\"}]"), 0);
    p = parameters_of(100, BYTES("\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"));
    cr_assert_leq(strlen(p), 4096);
    cr_assert_not_null(strstr(p, "{\"more\":"));
}

Test(observe, parameter_types_are_told) {
    say_one('P', BYTES("\0select\0\0\2\0\0\0\x17\0\0\0\x19"));
    EXPECT_LOG("statement 1 kind=parse sql=select parameters=[23,25]");
    static uint8_t many[3 + 4 * 65535] = {0, 0, 0};
    struct writer w = client();
    writer_bytes(&w, BYTES("P\0\0\0\0\0\0\xff\xff"));
    writer_bytes(&w, view_of(many, 4 * 65535));
    writer_patch_u32(&w, 1, (uint32_t)w.len - 1);
    say(writer_view(&w));
    cr_assert_not_null(strstr(told.line[1], ",{\"more\":"));
    cr_assert_leq(strlen(told.line[1]), 4096);
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
