/* SPDX-License-Identifier: ISC
 *
 * The journal on real files: what is told durable is there, in order, and linked; what failed is not; and
 * nobody else writes in it unnoticed.
 */
#include "journal_fixture.h"

#include <signal.h>
#include <sys/resource.h>

/* No file of this process can grow beyond what acme's has now and `more` bytes. */
static void limit_files(long more) {
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {(rlim_t)(size_of(ACME) + more), RLIM_INFINITY};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void unlimit_files(void) {
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TestSuite(journal, .init = begin, .fini = end);

Test(journal, a_flush_settles_everything_appended_since_the_last) {
    cr_assert_str_eq(flush(), "");
    cr_assert(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
    cr_assert(append("acme", EVENT_SESSION_OPEN, 2, "alice"));
    cr_assert_str_eq(flush(), "acme+");
    cr_assert_str_eq(flush(), "");
    expect_chain("acme", 2);
}

Test(journal, each_tenant_has_a_chain_of_its_own) {
    cr_assert(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
    cr_assert(append("", EVENT_NODE_START, 0, "root"));
    cr_assert(append("globex", EVENT_SESSION_OPEN, 1, "gina"));
    flush();
    cr_expect(strstr(settled, "acme+") && strstr(settled, "globex+"));
    expect_chain("acme", 1);
    expect_chain("globex", 1);
    struct verify_report report;
    verify_chain(in_folder(JOURNAL_PROVIDER), "", &report);
    cr_expect(report.good && report.records == 1, "%s", report.why);
    cr_expect_eq(times_in(ACME, "gina"), 0);
}

static mode_t mode_of(const char *name) {
    struct stat s;
    cr_assert_eq(stat(in_folder(name), &s), 0);
    return s.st_mode & 07777;
}

Test(journal, files_are_for_the_ledger_only) {
    umask(0077);
    cr_assert(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
    cr_expect_eq(mode_of(ACME), 0600);
    cr_expect_eq(mode_of("acme"), 0700);
}

/* With accounts of their own, the readers' group reads; nobody else ever does. */
Test(journal, a_group_reads_when_the_ledger_was_started_so) {
    umask(0);
    cr_assert(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
    cr_expect_eq(mode_of(ACME), 0640);
    cr_expect_eq(mode_of("acme"), 0750);
}

Test(journal, times_follow_the_zone) {
    cr_assert(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
    journal_set_rules(journal, &(struct journal_rules){0});
    cr_assert(append("acme", EVENT_SESSION_OPEN, 2, "alice"));
    cr_expect_eq(times_in(ACME, "2026-11-25T20:50:01.000+09:00"), 1);
    cr_expect_eq(times_in(ACME, "2026-11-25T11:50:02.000Z"), 1);
}

Test(journal, only_one_writes_at_a_time) {
    char why[256];
    cr_expect_null(journal_new(log_folder, &(struct journal_rules){.zone = {false, 0}}, why));
    cr_expect(strstr(why, "another process"), "%s", why);
    cr_expect_null(journal_new("/proc/nowhere/ledger", &(struct journal_rules){0}, why));
}

Test(journal, goes_on_after_a_restart) {
    cr_assert(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
    cr_assert(append("acme", EVENT_SESSION_OPEN, 2, "bob"));
    cr_assert(append("acme", EVENT_SESSION_CLOSE, 1, "alice"));
    flush();
    reopen();
    cr_expect_str_eq(found, "acme:2:bob:2 ");
    cr_assert(append("acme", EVENT_SESSION_CLOSE, 2, "bob"));
    cr_assert_str_eq(flush(), "acme+");
    expect_chain("acme", 4);
    reopen();
    cr_expect_str_eq(found, "");
}

Test(journal, a_torn_last_line_is_declared_void) {
    cr_assert(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
    flush();
    journal_free(&journal);
    put_text(ACME, "{\"n\":2,\"time\":\"2026", "a");
    long size = size_of(ACME);
    carried[carried_count++] = 1;
    open_journal();
    char why[256];
    cr_expect(journal_healthy(journal, why), "%s", why);
    cr_expect_eq(size_of(ACME), size, "the file stays as it is");
    cr_expect_eq(times_in(SECOND, "\"n\":2,\"time\":\"2026-11-25T20:58:20"), 1);
    cr_expect_eq(times_in(SECOND, "\"event\":\"ledger.repaired\""), 1);
    cr_expect_eq(times_in(SECOND, "\"bytes\":19,"), 1);
    cr_expect_eq(times_in(SECOND, "\"file\":1,"), 2);
    cr_expect_str_eq(found, "acme:1:alice:1 ");
    expect_chain("acme", 4);
    cr_assert(append("acme", EVENT_SESSION_CLOSE, 1, "alice"));
    cr_assert_str_eq(flush(), "acme+");
    expect_chain("acme", 5);
    reopen();
    cr_expect_str_eq(found, "");
}

Test(journal, a_torn_first_line_is_declared_void) {
    cr_assert(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
    flush();
    journal_free(&journal);
    put_text(ACME, "{", "w");
    open_journal();
    cr_expect_str_eq(text_of(ACME), "{");
    cr_expect_eq(times_in(SECOND, "\"n\":1,"), 1);
    expect_chain("acme", 1);
}

/* Killed while it was repairing, once after the other. */
Test(journal, a_torn_repair_is_declared_void_too) {
    cr_assert(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
    flush();
    journal_free(&journal);
    put_text(ACME, "{\"n\":2", "a");
    put_text(SECOND, "{\"n\":2,\"time\"", "a");
    put_text("acme/00000003.jsonl", "{", "a");
    carried[carried_count++] = 1;
    open_journal();
    char why[256];
    cr_expect(journal_healthy(journal, why), "%s", why);
    cr_expect_eq(times_in("acme/00000004.jsonl", "\"event\":\"ledger.repaired\""), 3);
    cr_expect_str_eq(found, "acme:1:alice:1 ");
    expect_chain("acme", 6);
    reopen();
    cr_expect_str_eq(found, "acme:1:alice:1 ");
    expect_chain("acme", 6);
}

Test(journal, an_empty_last_file_is_used) {
    struct checkpoint_key *key = checkpoint_key_make();
    rules.key = key;
    reopen();
    cr_assert(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
    flush();
    journal_stop(journal, seconds_past_noon(1));
    journal_free(&journal);
    put_text(SECOND, "", "w");
    carried[carried_count++] = 1;
    open_journal();
    cr_expect_str_eq(found, "acme:1:alice:1 ");
    cr_assert(append("acme", EVENT_SESSION_CLOSE, 1, "alice"));
    cr_assert_str_eq(flush(), "acme+");
    cr_expect_eq(times_in(SECOND, "session.c"), 2);
    expect_chain("acme", 5);
    checkpoint_key_free(&key);
}

Test(journal, a_changed_chain_gets_no_more_records) {
    for (uint64_t i = 1; i <= 5; i++)
        cr_assert(append("acme", EVENT_SESSION_OPEN, i, "alice"));
    cr_assert(append("globex", EVENT_SESSION_OPEN, 1, "gina"));
    flush();
    journal_free(&journal);
    change_line(ACME, 3, "alice", "alicf");
    long size = size_of(ACME);
    open_journal();
    expect_sick("acme: record 3: it does not have the hash that record 4 expects");
    cr_expect_not(append("acme", EVENT_SESSION_OPEN, 9, "alice"));
    cr_expect_eq(journal_recover(journal, seconds_past_noon(9)), 0, "broken is not failed");
    cr_expect_not(append("acme", EVENT_SESSION_OPEN, 9, "alice"));
    cr_expect_eq(size_of(ACME), size);
    cr_expect_str_eq(found, "globex:1:gina:1 ");
    cr_expect(append("globex", EVENT_SESSION_OPEN, 2, "gina"));
    cr_expect_str_eq(flush(), "globex+");
}

Test(journal, strange_names_in_the_folder_are_left_alone) {
    put_text("globex", "a file, not a folder", "w");
    cr_assert_eq(mkdir(in_folder("Not A Tenant"), 0700), 0);
    reopen();
    char why[256];
    cr_expect(journal_healthy(journal, why), "%s", why);
    cr_expect(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
}

Test(journal, a_link_out_of_the_folder_is_not_followed) {
    cr_assert_eq(symlink("/tmp", in_folder("acme")), 0);
    cr_expect_not(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
    cr_expect_str_eq(flush(), "acme-");
    expect_sick("acme");
}

Test(journal, a_full_disk_refuses_and_recovers) {
    cr_assert(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
    cr_assert_str_eq(flush(), "acme+");
    limit_files(300);
    cr_assert(append("acme", EVENT_SESSION_OPEN, 2, "bob"));
    cr_expect_not(append("acme", EVENT_SESSION_OPEN, 3, "carol"));
    cr_expect_not(append("acme", EVENT_SESSION_OPEN, 4, "dave"));
    cr_expect_str_eq(flush(), "acme-", "bob's record shares the fate of its flush");
    expect_sick("acme: writing failed");
    cr_expect_str_eq(flush(), "");

    limit_files(20 - size_of(ACME));
    carried[carried_count++] = 1;
    cr_expect_eq(journal_recover(journal, seconds_past_noon(60)), 1);
    cr_expect_not(append("acme", EVENT_SESSION_OPEN, 5, "erin"));
    cr_expect_eq(journal_recover(journal, seconds_past_noon(60)), 1);

    unlimit_files();
    cr_expect_eq(journal_recover(journal, seconds_past_noon(61)), 0);
    char why[256];
    cr_expect(journal_healthy(journal, why), "%s", why);
    cr_expect_eq(told_in("acme", "bob"), 0);
    cr_expect_eq(told_in("acme", "\"event\":\"ledger.failed\""), 1);
    cr_expect_eq(told_in("acme", "\"count\":4"), 1);
    cr_expect_eq(size_of("acme/00000003.jsonl"), -1, "the file that failed is used again");
    cr_expect(append("acme", EVENT_SESSION_OPEN, 6, "fred"));
    cr_expect_str_eq(flush(), "acme+");
    expect_chain("acme", 6);
    reopen();
    cr_expect_str_eq(found, "acme:1:alice:1 acme:6:fred:6 ");
}

Test(journal, a_failed_flush_is_not_tried_again_as_if_nothing_was_lost) {
    cr_assert(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
    cr_assert_str_eq(flush(), "acme+");
    cr_assert(append("acme", EVENT_SESSION_OPEN, 2, "bob"));
    sync_errors = 1;
    cr_expect_str_eq(flush(), "acme-");
    cr_expect_not(append("acme", EVENT_SESSION_OPEN, 3, "carol"));
    cr_expect_str_eq(flush(), "");
    sync_errors = 1;
    cr_expect_eq(journal_recover(journal, seconds_past_noon(60)), 1, "recovering flushes too");
    cr_expect_eq(journal_recover(journal, seconds_past_noon(61)), 0);
    cr_expect_eq(told_in("acme", "bob"), 0);
    expect_chain("acme", 4);
}

Test(journal, one_failed_chain_does_not_hold_up_another) {
    cr_assert(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
    flush();
    limit_files(10);
    cr_expect_not(append("acme", EVENT_SESSION_OPEN, 2, "alice"));
    cr_expect(append("globex", EVENT_NODE_STOP, 0, "g"));
    cr_expect_str_eq(flush(), "globex+acme-");
}

Test(journal, a_first_record_that_fails_is_tried_anew) {
    put_text("acme", "in the way", "w");
    cr_expect_not(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
    cr_expect_str_eq(flush(), "acme-");
    cr_expect_eq(journal_recover(journal, seconds_past_noon(2)), 1);
    cr_assert_eq(unlink(in_folder("acme")), 0);
    cr_expect_eq(journal_recover(journal, seconds_past_noon(3)), 0);
    expect_chain("acme", 1);
}

Test(journal, a_file_deleted_behind_our_back_is_noticed) {
    cr_assert(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
    cr_assert_str_eq(flush(), "acme+");
    cr_assert_eq(unlink(in_folder(ACME)), 0);
    append("acme", EVENT_SESSION_OPEN, 2, "alice");
    cr_expect_str_eq(flush(), "acme-");
    expect_sick("deleted");
    cr_expect_not(append("acme", EVENT_SESSION_OPEN, 3, "alice"));
}

Test(journal, another_writers_line_is_noticed) {
    cr_assert(append("acme", EVENT_SESSION_OPEN, 1, "alice"));
    cr_assert_str_eq(flush(), "acme+");
    put_text(ACME, "{}\n", "a");
    append("acme", EVENT_SESSION_OPEN, 2, "alice");
    cr_expect_str_eq(flush(), "acme-");
    expect_sick("somebody else wrote");
}

Test(journal, more_tenants_than_files_may_be_open) {
    char tenant[16];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 600; i++) {
            snprintf(tenant, sizeof tenant, "t%d", i);
            cr_assert(append(tenant, EVENT_SESSION_OPEN, (uint64_t)round + 1, "alice"));
        }
        settled[0] = 0;
        journal_flush(journal, on_settled, NULL);
    }
    expect_chain("t0", 2);
    expect_chain("t599", 2);
}
