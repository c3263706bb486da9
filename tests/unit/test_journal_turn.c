/* SPDX-License-Identifier: ISC
 *
 * Where files of a log end: by size, at midnight, after a failure; what they end and begin with; and when
 * they go.
 */
#include "journal_fixture.h"

#include <jansson.h>

static struct checkpoint_key *key;

static void signed_journal(void) {
    key = checkpoint_key_make();
    rules = (struct journal_rules){.zone = {false, 540}, .key = key};
    begin();
}

static void end_signed(void) {
    end();
    checkpoint_key_free(&key);
}

static void set_rules(struct journal_rules r) {
    r.zone = rules.zone;
    r.key = key;
    rules = r;
    journal_set_rules(journal, &rules);
}

TestSuite(journal_turn, .init = signed_journal, .fini = end_signed);

/* So many records, each flushed. */
static void some_records(int count) {
    for (int i = 0; i < count; i++) {
        cr_assert(append("acme", EVENT_SESSION_CANCEL, 7, "alice"));
        cr_assert_str_eq(flush(), "acme+");
    }
}

static bool append_at(int seconds) {
    struct record r = record_of(EVENT_SESSION_CANCEL, 7, "alice");
    return journal_append(journal, "acme", &r, seconds_past_noon(seconds));
}

static const char *name_of(int number) {
    static char name[64];
    snprintf(name, sizeof name, "acme/%08d.jsonl", number);
    return name;
}

/* The event of a file's line; from the end when k is 0. */
static const char *event_of(int file, int k) {
    static char event[64];
    char line[4096];
    if (k == 0)
        for (const char *c = text_of(name_of(file)); *c; c++)
            k += *c == '\n';
    struct view v = line_of(name_of(file), k);
    snprintf(line, sizeof line, "%.*s", (int)v.len, (const char *)v.at);
    json_t *object = json_loads(line, 0, NULL);
    snprintf(event, sizeof event, "%s", json_string_value(json_object_get(object, "event")));
    json_decref(object);
    return event;
}

/* Every checkpoint of the file is good; how many there are. */
static int good_checkpoints(int file) {
    int count = 0, lines = times_in(name_of(file), "\n");
    uint8_t public[CHECKPOINT_PUBLIC], prev[32];
    checkpoint_key_public(key, public);
    for (int k = 1; k <= lines; k++) {
        struct view v = line_of(name_of(file), k);
        json_t *o = json_loadb((const char *)v.at, v.len, 0, NULL);
        if (strcmp(json_string_value(json_object_get(o, "event")), "ledger.checkpoint") == 0) {
            const char *hex = json_string_value(json_object_get(o, "prev"));
            for (int i = 0; i < 32; i++)
                cr_assert_eq(sscanf(hex + 2 * i, "%2hhx", &prev[i]), 1);
            struct checkpoint c = {"acme", (uint64_t)json_integer_value(json_object_get(o, "n")),
                                   view_text(json_string_value(json_object_get(o, "time"))), prev};
            cr_expect(
                checkpoint_verify(public, &c, view_text(json_string_value(json_object_get(o, "signature")))));
            count++;
        }
        json_decref(o);
    }
    return count;
}

Test(journal_turn, a_checkpoint_comes_after_so_many_records) {
    set_rules((struct journal_rules){.checkpoint_records = 5});
    some_records(4);
    cr_expect_eq(good_checkpoints(1), 0);
    some_records(1);
    cr_expect_eq(good_checkpoints(1), 1);
    cr_expect_str_eq(event_of(1, 6), "ledger.checkpoint");
    some_records(5);
    cr_expect_eq(good_checkpoints(1), 2);
    expect_chain("acme", 12);
}

Test(journal_turn, a_checkpoint_comes_after_so_long_and_only_when_there_is_something_new) {
    set_rules((struct journal_rules){.checkpoint_us = 60000000});
    cr_assert(append_at(0));
    cr_assert(append_at(50));
    flush();
    journal_tick(journal, seconds_past_noon(59));
    cr_expect_eq(good_checkpoints(1), 0);
    journal_tick(journal, seconds_past_noon(60));
    cr_expect_eq(good_checkpoints(1), 1);
    journal_tick(journal, seconds_past_noon(600));
    cr_expect_eq(good_checkpoints(1), 1);
    cr_assert(append_at(700));
    flush();
    journal_tick(journal, seconds_past_noon(759));
    cr_expect_eq(good_checkpoints(1), 1);
    journal_tick(journal, seconds_past_noon(760));
    cr_expect_eq(good_checkpoints(1), 2);
    expect_chain("acme", 5);
}

Test(journal_turn, an_orderly_stop_signs_what_is_there) {
    some_records(3);
    cr_assert(append("globex", EVENT_SESSION_CANCEL, 7, "gina"));
    cr_assert_str_eq(flush(), "globex+");
    journal_stop(journal, seconds_past_noon(9));
    cr_expect_str_eq(event_of(1, 0), "ledger.checkpoint");
    journal_stop(journal, seconds_past_noon(9));
    expect_chain("acme", 4);
    expect_chain("globex", 2);
    reopen();
    journal_stop(journal, seconds_past_noon(9));
    expect_chain("acme", 4);
}

Test(journal_turn, another_key_is_told_before_its_first_checkpoint) {
    struct checkpoint_key *old = key;
    some_records(1);
    journal_stop(journal, seconds_past_noon(9));
    rules.key = key = checkpoint_key_make();
    reopen();
    some_records(1);
    journal_stop(journal, seconds_past_noon(9));
    cr_expect_str_eq(event_of(1, 4), "ledger.key");
    cr_expect_str_eq(event_of(1, 5), "ledger.checkpoint");
    some_records(1);
    journal_stop(journal, seconds_past_noon(9));
    cr_expect_eq(told_in("acme", "ledger.key"), 1);
    expect_chain("acme", 7);
    checkpoint_key_free(&old);
}

Test(journal_turn, a_full_file_ends_in_a_checkpoint_and_the_next_one_tells_what_is_open) {
    set_rules((struct journal_rules){.rotate_bytes = 1000});
    carried[carried_count++] = 3;
    carried[carried_count++] = 4;
    for (int i = 0; size_of(SECOND) < 0; i++) {
        cr_assert_lt(i, 20);
        some_records(1);
    }
    cr_expect_str_eq(event_of(1, 0), "ledger.checkpoint");
    cr_expect_str_eq(event_of(2, 1), "ledger.rotated");
    cr_expect_str_eq(event_of(2, 2), "session.carried");
    cr_expect_str_eq(event_of(2, 3), "session.carried");
    cr_expect_str_eq(event_of(2, 4), "session.cancel");
    cr_expect_eq(times_in(SECOND, "\"count\":2"), 1);
    cr_expect_eq(times_in(SECOND, "\"opened\":\"2026-11-25T20:50:03.000+09:00\""), 1);
    cr_expect_eq(good_checkpoints(1), 1);
    struct verify_report report;
    verify_chain(in_folder("acme"), "acme", &report);
    cr_expect(report.good, "%s", report.why);
    reopen();
    cr_expect_str_eq(found, "acme:3:alice:3 acme:4:alice:4 ");
}

Test(journal_turn, what_a_file_begins_with_does_not_fill_it) {
    set_rules((struct journal_rules){.rotate_bytes = 1000});
    for (carried_count = 0; carried_count < 100; carried_count++)
        carried[carried_count] = carried_count + 1;
    some_records(12);
    cr_expect_geq(size_of(SECOND), 10000);
    cr_expect_lt(size_of("acme/00000004.jsonl"), 0,
                 "a file takes its thousand bytes, whatever it begins with");
}

Test(journal_turn, a_batch_is_never_in_two_files) {
    set_rules((struct journal_rules){.rotate_bytes = 1000});
    for (int i = 0; i < 20; i++)
        cr_assert(append("acme", EVENT_SESSION_CANCEL, 7, "alice"));
    cr_expect_lt(size_of(SECOND), 0);
    cr_assert_str_eq(flush(), "acme+");
    cr_expect_eq(times_in(ACME, "session.cancel"), 20);
    some_records(1);
    cr_expect_eq(times_in(SECOND, "session.cancel"), 1);
    expect_chain("acme", 23);
}

/* Noon is 20:50 in +09:00: midnight comes 11,400 seconds later. */
Test(journal_turn, a_file_ends_at_local_midnight) {
    cr_assert(append_at(11399));
    flush();
    journal_tick(journal, seconds_past_noon(11399));
    cr_expect_str_eq(event_of(1, 0), "session.cancel");
    journal_tick(journal, seconds_past_noon(11400));
    cr_expect_str_eq(event_of(1, 0), "ledger.checkpoint");
    cr_expect_lt(size_of(SECOND), 0, "nothing to be written yet");
    journal_tick(journal, seconds_past_noon(11402));
    cr_assert(append_at(11500));
    flush();
    cr_expect_str_eq(event_of(2, 1), "ledger.rotated");
    expect_chain("acme", 4);
}

Test(journal_turn, the_first_record_of_a_day_begins_a_file_also_before_the_tick) {
    cr_assert(append_at(11399));
    flush();
    cr_assert(append_at(11400));
    flush();
    cr_expect_str_eq(event_of(1, 0), "ledger.checkpoint");
    cr_expect_eq(times_in(SECOND, "\"time\":\"2026-11-26T00:00:00.000+09:00\""), 2);
    reopen();
    cr_assert(append_at(11401));
    flush();
    cr_expect_eq(times_in(SECOND, "session.cancel"), 2, "the same day goes on after a restart");
    expect_chain("acme", 5);
}

Test(journal_turn, a_clock_set_back_begins_no_file) {
    cr_assert(append_at(11400));
    flush();
    cr_assert(append_at(11399));
    flush();
    journal_tick(journal, seconds_past_noon(11300));
    cr_expect_lt(size_of(SECOND), 0);
}

Test(journal_turn, a_start_reads_the_last_file_only) {
    set_rules((struct journal_rules){.rotate_bytes = 1000});
    some_records(20);
    journal_free(&journal);
    change_line(ACME, 2, "alice", "alicf");
    open_journal();
    cr_assert(append("acme", EVENT_SESSION_CANCEL, 7, "alice"));
    cr_expect_str_eq(flush(), "acme+", "older files are for audit verify");
    struct verify_report report;
    verify_chain(in_folder("acme"), "acme", &report);
    cr_expect(!report.good && report.bad_record == 2, "record %lu: %s", report.bad_record, report.why);
}

Test(journal_turn, a_start_notices_that_the_file_before_is_another) {
    set_rules((struct journal_rules){.rotate_bytes = 1000});
    for (int i = 0; size_of(SECOND) < 0; i++)
        some_records(1);
    journal_free(&journal);
    change_line(ACME, times_in(ACME, "\n"), "\"key\":\"", "\"kex\":\"");
    open_journal();
    expect_sick("file 2 does not follow the one before it");
}

Test(journal_turn, a_beginning_that_is_not_whole_is_read_with_the_file_before) {
    set_rules((struct journal_rules){.rotate_bytes = 1000});
    cr_assert(append("acme", EVENT_SESSION_OPEN, 5, "bob"));
    for (carried_count = 0; carried_count < 3; carried_count++)
        carried[carried_count] = carried_count + 1;
    for (int i = 0; size_of(SECOND) < 0; i++)
        some_records(1);
    journal_free(&journal);
    /* Killed while it began the second file: one of the three sessions is in it. */
    char text[4096];
    snprintf(text, sizeof text, "%.*s", (int)(line_of(SECOND, 3).at - line_of(SECOND, 1).at),
             text_of(SECOND));
    put_text(SECOND, text, "w");
    open_journal();
    cr_expect_str_eq(found, "acme:5:bob:5 acme:1:alice:1 ");
    cr_assert(append("acme", EVENT_SESSION_CANCEL, 7, "alice"));
    cr_expect_str_eq(flush(), "acme+");
    struct verify_report report;
    verify_chain(in_folder("acme"), "acme", &report);
    cr_expect(report.good, "%s", report.why);
}

/* --- a folder that lets nothing be cut or deleted --- */

Test(journal_turn, an_append_only_folder_repairs_a_torn_line) {
    some_records(2);
    journal_free(&journal);
    put_text(ACME, "{\"n\":3", "a");
    append_only = true;
    open_journal();
    char why[256];
    cr_expect(journal_healthy(journal, why), "%s", why);
    some_records(1);
    expect_chain("acme", 5);
}

Test(journal_turn, an_append_only_folder_recovers_from_failed_flushes) {
    some_records(2);
    append_only = true;
    cr_assert(append("acme", EVENT_SESSION_CANCEL, 9, "bob"));
    sync_errors = 1;
    cr_expect_str_eq(flush(), "acme-");
    sync_errors = 2; /* of the old file; then of the new one */
    cr_expect_eq(journal_recover(journal, seconds_past_noon(1)), 1);
    sync_errors = 0;
    for (int i = 0; i < 3; i++) {
        fail_after = 1; /* the old end is settled, the new file fails */
        cr_expect_eq(journal_recover(journal, seconds_past_noon(2)), 1);
    }
    fail_after = 0;
    cr_expect_eq(journal_recover(journal, seconds_past_noon(3)), 0);
    cr_expect_eq(told_in("acme", "bob"), 0);
    cr_expect_geq(told_in("acme", "ledger.repaired"), 3, "each file that failed is declared void");
    some_records(1);
    struct verify_report report;
    verify_chain(in_folder("acme"), "acme", &report);
    cr_expect(report.good, "%s", report.why);
    reopen();
    some_records(1);
}

Test(journal_turn, an_append_only_folder_that_never_works_is_not_filled_with_files) {
    some_records(1);
    append_only = true;
    cr_assert(append("acme", EVENT_SESSION_CANCEL, 9, "bob"));
    sync_errors = 1;
    cr_expect_str_eq(flush(), "acme-");
    for (int i = 0; i < 100; i++) {
        fail_after = 1;
        journal_recover(journal, seconds_past_noon(2));
    }
    fail_after = 0;
    expect_sick("files in a row could not be written");
    cr_expect_lt(size_of("acme/00000070.jsonl"), 0);
}

/* --- retention --- */

#define DAY 86400

/* A file a day: numbers 1 to 4, of the days 0 to 3. */
static void four_days(void) {
    for (int day = 0; day < 4; day++) {
        cr_assert(append_at(day * DAY));
        cr_assert_str_eq(flush(), "acme+");
    }
}

Test(journal_turn, nothing_is_deleted_unless_told) {
    four_days();
    journal_tick(journal, seconds_past_noon(1000 * DAY));
    cr_expect_gt(size_of(ACME), 0);
}

Test(journal_turn, old_files_are_deleted_with_a_record_that_says_so) {
    four_days();
    set_rules((struct journal_rules){.retention_days = 2});
    journal_tick(journal, seconds_past_noon(3 * DAY - 1));
    cr_expect_gt(size_of(ACME), 0, "it ended when the first record of day 1 came");
    journal_tick(journal, seconds_past_noon(3 * DAY + 601));
    cr_expect_lt(size_of(ACME), 0);
    cr_expect_gt(size_of(SECOND), 0);
    cr_expect_eq(told_in("acme", "\"event\":\"ledger.retention\""), 1);
    cr_expect_eq(told_in("acme", "\"file\":1,\"first\":3,\"first_prev\""), 1);
    cr_expect_str_eq(event_of(4, 0), "ledger.checkpoint", "signed before the file goes");
    struct verify_report report;
    verify_chain(in_folder("acme"), "acme", &report);
    cr_expect(report.good && report.first == 3, "%s", report.why);
    reopen();
    cr_assert(append_at(3 * DAY + 700));
    cr_expect_str_eq(flush(), "acme+");
    verify_chain(in_folder("acme"), "acme", &report);
    cr_expect(report.good, "%s", report.why);
}

Test(journal_turn, one_file_a_time_and_never_the_last) {
    four_days();
    set_rules((struct journal_rules){.retention_days = 1});
    for (int i = 0; i < 10; i++)
        journal_tick(journal, seconds_past_noon(100 * DAY + i * 700));
    cr_expect_lt(size_of("acme/00000003.jsonl"), 0);
    cr_expect_gt(size_of("acme/00000004.jsonl"), 0, "it ended today");
    cr_expect_eq(told_in("acme", "ledger.retention"), 3);
    for (int i = 0; i < 10; i++)
        journal_tick(journal, seconds_past_noon(200 * DAY + i * 700));
    cr_expect_lt(size_of("acme/00000005.jsonl"), 0);
    cr_expect_gt(size_of("acme/00000006.jsonl"), 0);
    struct verify_report report;
    verify_chain(in_folder("acme"), "acme", &report);
    cr_expect(report.good, "%s", report.why);
}

Test(journal_turn, a_file_that_cannot_be_deleted_is_said_once) {
    four_days();
    set_rules((struct journal_rules){.retention_days = 1});
    append_only = true;
    for (int i = 0; i < 10; i++)
        journal_tick(journal, seconds_past_noon(100 * DAY + i * 700));
    cr_expect_gt(size_of(ACME), 0);
    cr_expect_eq(told_in("acme", "ledger.retention"), 1);
    struct verify_report report;
    verify_chain(in_folder("acme"), "acme", &report);
    cr_expect(report.good && report.first == 1, "%s", report.why);
}
