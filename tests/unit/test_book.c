/* SPDX-License-Identifier: ISC
 *
 * The ledger's rules: nobody is answered before the flush, a session is opened once and closed by its owner,
 * and what is open when its owner goes away gets closed.
 */
#include "book.h"
#include "log_fixture.h"
#include "verify.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define ACME "acme/00000001.jsonl"

static struct book *book;
static struct book_owner cell, other;
static char answers[65536]; /* "1+2-": requests and outcomes since the last look */

static void on_answer(void *arg, struct book_owner *owner, uint64_t request, bool durable) {
    size_t len = strlen(answers);
    snprintf(answers + len, sizeof answers - len, "%lu%c", request, durable ? '+' : '-');
}

static const char *answered(void) {
    static char seen[sizeof answers];
    memcpy(seen, answers, sizeof seen);
    answers[0] = 0;
    return seen;
}

static void open_book(void) {
    char why[256];
    book = book_new(log_folder, &(struct journal_rules){0}, on_answer, NULL, seconds_past_noon(0), why);
    cr_assert(book, "%s", why);
    book_owner_begin(&cell, NULL);
    book_owner_begin(&other, NULL);
}

static void begin(void) {
    folder_make();
    open_book();
}

static void end(void) {
    book_free(&book);
    folder_remove();
}

static void restart(void) {
    book_free(&book);
    open_book();
}

static const char *say(struct book_owner *owner, uint64_t request, enum audit_event event, uint64_t session) {
    struct record r = record_of(event, session, "alice");
    return book_record(book, owner, request, "acme", &r, seconds_past_noon(1));
}

static void opened(struct book_owner *owner, uint64_t session) {
    cr_assert_null(say(owner, session, EVENT_SESSION_OPEN, session));
    book_flush(book);
    answered();
}

static void disk_full(void) {
    signal(SIGXFSZ, SIG_IGN);
    struct stat s;
    cr_assert_eq(stat(in_folder(ACME), &s), 0);
    struct rlimit limit = {(rlim_t)s.st_size + 10, RLIM_INFINITY};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Not even a new file can be written. */
static void disk_fuller(void) {
    struct rlimit limit = {10, RLIM_INFINITY};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void disk_free(void) {
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void expect_chain(uint64_t records) {
    struct verify_report report;
    verify_chain(in_folder("acme"), "acme", &report);
    cr_expect(report.good && report.records == records, "%lu records: %s", report.records, report.why);
}

TestSuite(book, .init = begin, .fini = end);

Test(book, answers_come_after_the_flush) {
    cr_assert_null(say(&cell, 7, EVENT_SESSION_OPEN, 1));
    cr_assert_null(say(&other, 8, EVENT_SESSION_OPEN, 2));
    cr_assert_null(say(&cell, 0, EVENT_SESSION_CANCEL, 1));
    cr_expect_str_eq(answered(), "");
    book_flush(book);
    cr_expect_str_eq(answered(), "7+8+");
    book_flush(book);
    cr_expect_str_eq(answered(), "");
    expect_chain(3);
}

Test(book, a_session_is_opened_once) {
    opened(&cell, 1);
    cr_expect_str_eq(say(&cell, 2, EVENT_SESSION_OPEN, 1), "opened a session that is open");
    cr_expect_str_eq(say(&other, 2, EVENT_SESSION_OPEN, 1), "opened a session that is open");
    cr_expect_str_eq(say(&cell, 2, EVENT_SESSION_OPEN, 0), "opened a session without an id");
    expect_chain(1);
}

Test(book, nobody_writes_into_anothers_trail) {
    static const char no[] = "recorded a statement of a session that is not its own";
    opened(&cell, 1);
    cr_expect_null(say(&cell, 2, EVENT_OPERATOR_STATEMENT, 1));
    cr_expect_null(say(&cell, 0, EVENT_OPERATOR_RESULT, 1));
    cr_expect_str_eq(say(&other, 2, EVENT_OPERATOR_STATEMENT, 1), no);
    cr_expect_str_eq(say(&other, 0, EVENT_OPERATOR_RESULT, 1), no);
    cr_expect_str_eq(say(&cell, 3, EVENT_OPERATOR_STATEMENT, 2), no);
    cr_expect_null(say(&cell, 4, EVENT_SESSION_CLOSE, 1));
    cr_expect_str_eq(say(&cell, 5, EVENT_OPERATOR_RESULT, 1), no);
    book_flush(book);
    cr_expect_str_eq(answered(), "2+4+");
    expect_chain(4);
}

Test(book, a_session_is_closed_by_its_owner_only) {
    opened(&cell, 1);
    cr_expect_str_eq(say(&other, 2, EVENT_SESSION_CLOSE, 1), "closed a session that is not its own");
    cr_expect_str_eq(say(&cell, 2, EVENT_SESSION_CLOSE, 2), "closed a session that is not its own");
    cr_expect_null(say(&cell, 2, EVENT_SESSION_CLOSE, 1));
    cr_expect_str_eq(say(&cell, 3, EVENT_SESSION_CLOSE, 1), "closed a session that is not its own");
    book_flush(book);
    cr_expect_str_eq(answered(), "2+");
    expect_chain(2);
}

Test(book, the_same_id_at_two_tenants_is_two_sessions) {
    opened(&cell, 1);
    struct record r = record_of(EVENT_SESSION_OPEN, 1, "gina");
    cr_expect_null(book_record(book, &other, 2, "globex", &r, seconds_past_noon(1)));
    cr_expect_eq(book_open_sessions(book), 2);
}

Test(book, what_a_dead_cell_had_open_is_closed) {
    opened(&cell, 1);
    opened(&cell, 2);
    opened(&other, 3);
    say(&cell, 4, EVENT_SESSION_CLOSE, 1);
    say(&cell, 5, EVENT_SESSION_OPEN, 4);
    book_owner_gone(book, &cell, "cell crash", seconds_past_noon(31));
    book_flush(book);
    cr_expect_str_eq(answered(), "", "nobody is there to answer");
    cr_expect_eq(times_in(ACME,
                          "\"session\":\"0000000000000002\",\"user\":\"alice\",\"reason\":\"cell crash\","
                          "\"duration_ms\":30000"),
                 1);
    cr_expect_eq(times_in(ACME, "cell crash"), 2);
    cr_expect_eq(book_open_sessions(book), 1);
    expect_chain(7);
}

Test(book, a_restarted_node_closes_what_was_open) {
    opened(&cell, 1);
    restart();
    book_close_unclaimed(book, "node restart", seconds_past_noon(9));
    book_flush(book);
    cr_expect_eq(times_in(ACME, "\"reason\":\"node restart\""), 1);
    restart();
    cr_expect_eq(book_open_sessions(book), 0);
    expect_chain(2);
}

Test(book, a_restarted_ledger_closes_only_what_nobody_claims) {
    opened(&cell, 1);
    opened(&cell, 2);
    restart();
    cr_expect_null(book_resume(book, &cell, "acme", 1));
    cr_expect_null(book_resume(book, &cell, "acme", 1), "twice is once");
    cr_expect_not_null(book_resume(book, &other, "acme", 1), "it has an owner");
    cr_expect_null(book_resume(book, &cell, "acme", 77), "its open record was lost; it goes on");
    book_close_unclaimed(book, "outcome unknown", seconds_past_noon(9));
    cr_expect_null(say(&cell, 9, EVENT_SESSION_CLOSE, 1));
    cr_expect_null(say(&cell, 10, EVENT_SESSION_CLOSE, 77));
    book_flush(book);
    cr_expect_str_eq(answered(), "9+10+");
    cr_expect_eq(
        times_in(ACME, "\"session\":\"0000000000000002\",\"user\":\"alice\",\"reason\":\"outcome unknown\""),
        1);
    expect_chain(5);
}

Test(book, a_full_disk_lets_no_session_in) {
    opened(&cell, 1);
    disk_full();
    cr_expect_null(say(&cell, 2, EVENT_SESSION_OPEN, 2));
    cr_expect_str_eq(answered(), "2-", "at once");
    book_flush(book);
    char why[256];
    cr_expect_not(book_healthy(book, why));
    cr_expect_null(say(&cell, 3, EVENT_SESSION_OPEN, 3));
    cr_expect_str_eq(answered(), "3-");
    cr_expect_eq(book_open_sessions(book), 1);
    cr_expect_null(say(&cell, 4, EVENT_SESSION_CLOSE, 3), "the client left before the refusal arrived");
    cr_expect_not_null(say(&other, 4, EVENT_SESSION_CLOSE, 3));
    cr_expect_str_eq(answered(), "4-");
    disk_free();
    cr_expect(book_recover(book, seconds_past_noon(60)));
    cr_expect_eq(told_in("acme", "\"session\":\"0000000000000003\""), 0);
    cr_expect_null(say(&cell, 5, EVENT_SESSION_OPEN, 5));
    book_flush(book);
    cr_expect_str_eq(answered(), "5+");
    cr_expect_eq(told_in("acme", "\"event\":\"ledger.failed\""), 1);
    cr_expect_eq(told_in("acme", "\"event\":\"session.carried\",\"session\":\"0000000000000001\""), 1);
    expect_chain(6);
}

Test(book, a_close_that_could_not_be_written_is_written_later) {
    opened(&cell, 1);
    opened(&cell, 2);
    disk_full();
    cr_expect_null(say(&cell, 11, EVENT_SESSION_CLOSE, 1));
    book_owner_gone(book, &cell, "cell crash", seconds_past_noon(5));
    book_flush(book);
    disk_fuller();
    cr_expect_not(book_recover(book, seconds_past_noon(6)));
    cr_expect_eq(told_in("acme", "session.close"), 0);
    disk_free();
    cr_expect(book_recover(book, seconds_past_noon(7)));
    cr_expect_eq(told_in("acme", "session.close"), 2);
    cr_expect(book_recover(book, seconds_past_noon(8)));
    cr_expect_eq(told_in("acme", "session.close"), 2, "once each");
    cr_expect_eq(told_in("acme", "session.carried"), 2, "they were still open when the second file began");
    expect_chain(9);
    restart();
    cr_expect_eq(book_open_sessions(book), 0);
}

Test(book, what_somebody_was_told_failed_does_not_appear_later) {
    opened(&cell, 1);
    disk_full();
    say(&other, 21, EVENT_ADMIN_CHANGE, 0);
    say(&other, 0, EVENT_SESSION_REFUSED, 9);
    cr_expect_str_eq(answered(), "21-");
    disk_free();
    book_recover(book, seconds_past_noon(7));
    cr_expect_eq(told_in("acme", "admin.change"), 0);
    cr_expect_eq(told_in("acme", "session.refused"), 1);
}

Test(book, memory_is_bounded_while_the_disk_is_full) {
    opened(&cell, 1);
    disk_full();
    for (int i = 0; i < BOOK_KEPT_MAX + 100; i++)
        say(&other, 0, EVENT_SESSION_REFUSED, 9);
    disk_free();
    cr_expect(book_recover(book, seconds_past_noon(7)));
    restart();
    struct verify_report report;
    verify_chain(in_folder("acme"), "acme", &report);
    cr_expect(report.good && report.records == BOOK_KEPT_MAX + 5, "%lu: %s", report.records, report.why);
}

Test(book, a_batch_that_is_full_flushes_itself) {
    for (uint64_t i = 1; i <= BOOK_BATCH_MAX; i++)
        say(&cell, i, EVENT_SESSION_OPEN, i);
    const char *all = answered();
    cr_expect(strstr(all, "1+2+3+") && strstr(all, "4096+"));
    book_owner_gone(book, &cell, "cell crash", seconds_past_noon(3));
    book_flush(book);
    cr_expect_eq(book_open_sessions(book), 0);
    expect_chain(2 * BOOK_BATCH_MAX);
}

Test(book, one_owner_cannot_open_without_end) {
    for (uint64_t i = 1; i <= BOOK_SESSIONS_MAX; i++)
        cr_assert_null(book_resume(book, &cell, "acme", i));
    cr_expect_str_eq(say(&cell, 1, EVENT_SESSION_OPEN, BOOK_SESSIONS_MAX + 1), "opened too many sessions");
    cr_expect_str_eq(book_resume(book, &cell, "acme", BOOK_SESSIONS_MAX + 1), "resumed too many sessions");
    cr_expect_null(say(&other, 1, EVENT_SESSION_OPEN, BOOK_SESSIONS_MAX + 1));
}
