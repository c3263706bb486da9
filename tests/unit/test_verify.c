/* SPDX-License-Identifier: ISC
 *
 * A chain of five records, each test changing one thing: verification finds it and names the record.
 */
#include "journal.h"
#include "log_fixture.h"
#include "verify.h"

#include <sys/stat.h>

#define FILE_OF_ACME "acme/00000001.jsonl"

static void nobody_waits(void *arg, const char *tenant, bool durable) {
    cr_assert(durable);
}

static void write_chain(const char *tenant, int count) {
    char why[256];
    struct journal *j = journal_new(log_folder, &(struct journal_rules){.zone = {false, 0}}, why);
    cr_assert(j, "%s", why);
    for (int i = 1; i <= count; i++) {
        struct record r = record_of(EVENT_SESSION_REFUSED, (uint64_t)i, "alice");
        cr_assert(journal_append(j, tenant, &r, seconds_past_noon(i)));
    }
    journal_flush(j, nobody_waits, NULL);
    journal_free(&j);
}

static void five_records(void) {
    folder_make();
    write_chain("acme", 5);
}

static struct verify_report verified(const char *name, const char *tenant) {
    struct verify_report report;
    verify_chain(in_folder(name), tenant, &report);
    return report;
}

static void expect_bad(uint64_t record, const char *why) {
    struct verify_report report = verified("acme", "acme");
    cr_expect_not(report.good);
    cr_expect_eq(report.bad_record, record, "record %lu, not %lu: %s", record, report.bad_record, report.why);
    cr_expect(strstr(report.why, why), "\"%s\" says \"%s\"", report.why, why);
    cr_expect_lt(report.records, record);
}

/* The file again, from the lines numbered in `order`. */
static void reorder(const char *order) {
    char out[16384];
    struct writer w = writer_of(out, sizeof out);
    for (; *order; order++) {
        writer_bytes(&w, line_of(FILE_OF_ACME, *order - '0'));
        writer_u8(&w, '\n');
    }
    writer_u8(&w, 0);
    cr_assert_not(w.bad);
    put_text(FILE_OF_ACME, out, "w");
}

TestSuite(verify, .init = five_records, .fini = folder_remove);

Test(verify, an_untouched_chain_is_good) {
    struct verify_report report = verified("acme", "acme");
    cr_expect(report.good, "%s", report.why);
    cr_expect_eq(report.records, 5);
    cr_expect_not(report.torn);
}

Test(verify, the_head_is_the_hash_of_the_last_line) {
    struct verify_report report = verified("acme", "acme");
    write_chain("globex", 1);
    put_text("line", "", "w");
    struct view last = line_of(FILE_OF_ACME, 5);
    FILE *f = fopen(in_folder("line"), "w");
    fwrite(last.at, 1, last.len, f);
    fclose(f);
    char command[512], head[65] = "";
    snprintf(command, sizeof command, "sha256sum %s", in_folder("line"));
    FILE *sum = popen(command, "r");
    cr_assert(sum && fscanf(sum, "%64s", head) == 1);
    pclose(sum);
    char ours[65];
    for (int i = 0; i < 32; i++)
        snprintf(ours + 2 * i, 3, "%02x", report.head[i]);
    cr_expect_str_eq(ours, head);
}

Test(verify, a_changed_text_names_its_record) {
    change_line(FILE_OF_ACME, 3, "alice", "alicf");
    expect_bad(3, "it does not have the hash that record 4 expects");
}

Test(verify, every_changed_byte_names_its_record) {
    size_t len = line_of(FILE_OF_ACME, 3).len;
    size_t start = (size_t)((const char *)line_of(FILE_OF_ACME, 3).at - log_text);
    static char original[TEXT_MOST + 1];
    snprintf(original, sizeof original, "%s", log_text);
    for (size_t i = 0; i < len; i++) {
        original[start + i] ^= 1;
        put_text(FILE_OF_ACME, original, "w");
        struct verify_report report = verified("acme", "acme");
        cr_expect(!report.good && report.bad_record == 3, "byte %zu: record %lu: %s", i, report.bad_record,
                  report.why);
        original[start + i] ^= 1;
    }
}

Test(verify, broken_json_names_its_record) {
    change_line(FILE_OF_ACME, 3, "\"user\":", "\"user\";");
    expect_bad(3, "not a JSON object");
}

Test(verify, a_member_twice_is_no_record) {
    change_line(FILE_OF_ACME, 2, "\"user\"", "\"time\"");
    expect_bad(2, "not a JSON object");
}

Test(verify, a_deleted_line_is_missed) {
    reorder("1245");
    expect_bad(3, "it is missing");
}

Test(verify, the_first_line_is_missed) {
    reorder("2345");
    expect_bad(1, "it is missing");
}

Test(verify, a_line_twice_is_found) {
    reorder("123345");
    expect_bad(4, "record 3 is there again");
}

Test(verify, swapped_lines_are_found) {
    reorder("12435");
    expect_bad(3, "record 4 is in its place");
}

Test(verify, a_renumbered_line_does_not_fit) {
    reorder("1235");
    change_line(FILE_OF_ACME, 4, "\"n\":5", "\"n\":4");
    expect_bad(3, "it does not have the hash that record 4 expects");
}

Test(verify, another_tenants_line_is_found) {
    write_chain("globex", 5);
    char line[4096];
    struct view v = line_of("globex/00000001.jsonl", 5);
    snprintf(line, sizeof line, "%.*s\n", (int)v.len, (const char *)v.at);
    reorder("1234");
    put_text(FILE_OF_ACME, line, "a");
    expect_bad(5, "not acme's");
}

Test(verify, another_tenants_folder_is_found) {
    cr_expect(verified("acme", "acme").good);
    struct verify_report report = verified("acme", "globex");
    cr_expect(!report.good && report.bad_record == 1, "%s", report.why);
    cr_expect_not(verified("acme", "").good);
}

Test(verify, a_chain_that_starts_elsewhere_is_found) {
    change_line(FILE_OF_ACME, 1, "\"prev\":\"0", "\"prev\":\"1");
    struct verify_report report = verified("acme", "acme");
    cr_expect(!report.good && report.bad_record == 1);
    cr_expect(strstr(report.why, "does not start the chain"), "%s", report.why);
}

Test(verify, lines_cut_off_show_in_the_head_only) {
    struct verify_report before = verified("acme", "acme");
    reorder("1234");
    struct verify_report after = verified("acme", "acme");
    cr_expect(after.good);
    cr_expect_eq(after.records, 4);
    cr_expect_neq(memcmp(before.head, after.head, 32), 0);
}

Test(verify, a_line_being_written_is_not_a_fault) {
    put_text(FILE_OF_ACME, "{\"n\":6,\"ti", "a");
    struct verify_report report = verified("acme", "acme");
    cr_expect(report.good && report.torn);
    cr_expect_eq(report.records, 5);
}

Test(verify, an_empty_line_is_no_record) {
    put_text(FILE_OF_ACME, "\n", "a");
    expect_bad(6, "not a JSON object");
}

Test(verify, nul_bytes_are_found) {
    FILE *f = fopen(in_folder(FILE_OF_ACME), "ab");
    fwrite("{\"n\":6\0}\n", 1, 9, f);
    fclose(f);
    expect_bad(6, "NUL");
}

Test(verify, an_endless_line_is_found) {
    FILE *f = fopen(in_folder(FILE_OF_ACME), "ab");
    for (int i = 0; i < 4 * RECORD_LINE_MAX; i++)
        fputc('x', f);
    fclose(f);
    expect_bad(6, "longer than any record");
}

Test(verify, nesting_does_not_end_us) {
    static char deep[RECORD_LINE_MAX];
    memset(deep, '[', sizeof deep - 2);
    deep[sizeof deep - 2] = '\n';
    put_text(FILE_OF_ACME, deep, "a");
    expect_bad(6, "not a JSON object");
}

Test(verify, a_second_file_goes_on_where_the_first_ends) {
    char rest[8192];
    struct view v = line_of(FILE_OF_ACME, 4);
    snprintf(rest, sizeof rest, "%s", (const char *)v.at);
    reorder("123");
    put_text("acme/00000002.jsonl", rest, "w");
    cr_expect(verified("acme", "acme").good);
    change_line(FILE_OF_ACME, 3, "alice", "alicf");
    expect_bad(3, "it does not have the hash that record 4 expects");
    change_line(FILE_OF_ACME, 3, "alicf", "alice");
    put_text(FILE_OF_ACME, "{", "a");
    expect_bad(4, "not the last ends in the middle of a line");
}

Test(verify, file_names_must_be_in_order) {
    put_text("acme/00000003.jsonl", "", "w");
    expect_bad(1, "files are missing");
    char other[256];
    snprintf(other, sizeof other, "%s", in_folder("acme/00000003.jsonl"));
    unlink(other);
    put_text("acme/1.jsonl", "", "w");
    expect_bad(1, "not the name of a log file");
}

Test(verify, an_empty_folder_is_not_good) {
    unlink(in_folder(FILE_OF_ACME));
    expect_bad(1, "there is no log file");
    cr_expect_not(verified("nobody", "nobody").good);
}

/* --- files whose end is void, and files that were deleted --- */

static char void_hash[65];

/* Lines 1 to 3, then what nobody was told; the next file says so and goes on with lines 4 and 5. */
static void declare_void(const char *tail, const char *hash_of) {
    reorder("123");
    put_text("tail", hash_of, "w");
    char command[512];
    snprintf(command, sizeof command, "sha256sum %s", in_folder("tail"));
    FILE *sum = popen(command, "r");
    cr_assert(sum && fscanf(sum, "%64s", void_hash) == 1);
    pclose(sum);
    char why[256];
    struct journal *j = journal_new(log_folder, &(struct journal_rules){.zone = {false, 0}}, why);
    cr_assert(j && journal_load(j, NULL, NULL, seconds_past_noon(9), why), "%s", why);
    struct record r;
    record_begin(&r, EVENT_LEDGER_REPAIRED, 0);
    record_number(&r, FIELD_FILE, 1);
    record_number(&r, FIELD_BYTES, strlen(hash_of));
    record_text(&r, FIELD_SHA256, view_text(void_hash));
    cr_assert(journal_append(j, "acme", &r, seconds_past_noon(9)));
    journal_flush(j, nobody_waits, NULL);
    journal_free(&j);
    char repaired[4096];
    struct view line = line_of(FILE_OF_ACME, 4);
    snprintf(repaired, sizeof repaired, "%.*s\n", (int)line.len, (const char *)line.at);
    put_text("acme/00000002.jsonl", repaired, "w");
    reorder("123");
    put_text(FILE_OF_ACME, tail, "a");
}

Test(verify, a_void_end_is_passed_over) {
    declare_void("{\"n\":4,\"ti", "{\"n\":4,\"ti");
    struct verify_report report = verified("acme", "acme");
    cr_expect(report.good && !report.torn, "%s", report.why);
    cr_expect_eq(report.records, 4);
}

Test(verify, whole_lines_may_be_void_too) {
    declare_void("{\"n\":4}\n{\"n\":5}\n{", "{\"n\":4}\n{\"n\":5}\n{");
    struct verify_report report = verified("acme", "acme");
    cr_expect(report.good, "%s", report.why);
}

Test(verify, a_void_end_is_no_hiding_place) {
    declare_void("{\"n\":4,\"TI", "{\"n\":4,\"ti");
    expect_bad(4, "does not end in the void bytes");
}

Test(verify, a_void_end_cannot_swallow_records) {
    declare_void("{\"n\":4,\"ti", "{\"n\":4,\"ti");
    reorder("12");
    cr_expect_not(verified("acme", "acme").good);
    put_text(FILE_OF_ACME, "", "w");
    cr_expect_not(verified("acme", "acme").good);
}

Test(verify, files_may_be_deleted_only_with_a_record) {
    char rest[8192];
    snprintf(rest, sizeof rest, "%s", (const char *)line_of(FILE_OF_ACME, 4).at);
    put_text("acme/00000002.jsonl", rest, "w");
    unlink(in_folder(FILE_OF_ACME));
    struct verify_report report = verified("acme", "acme");
    cr_expect(!report.good && report.bad_record == 4 && strstr(report.why, "no record says"), "%s",
              report.why);
}

/* The second file as it would go on after the first was deleted; `first_prev` as the record has it. */
static void declare_deleted(uint64_t first, bool right_prev) {
    char prev[65], rest[16384];
    struct view fourth = line_of(FILE_OF_ACME, 4);
    const char *at = strstr((const char *)fourth.at, "\"prev\":\"");
    snprintf(prev, sizeof prev, "%.64s", at + 8);
    if (!right_prev)
        prev[5] = prev[5] == '0' ? '1' : '0';
    char why[256];
    struct journal *j = journal_new(log_folder, &(struct journal_rules){.zone = {false, 0}}, why);
    cr_assert(j && journal_load(j, NULL, NULL, seconds_past_noon(9), why), "%s", why);
    struct record r;
    record_begin(&r, EVENT_LEDGER_RETENTION, 0);
    record_number(&r, FIELD_FIRST, first);
    record_text(&r, FIELD_FIRST_PREV, view_text(prev));
    cr_assert(journal_append(j, "acme", &r, seconds_past_noon(9)));
    journal_flush(j, nobody_waits, NULL);
    journal_free(&j);
    snprintf(rest, sizeof rest, "%s", (const char *)line_of(FILE_OF_ACME, 4).at);
    put_text("acme/00000002.jsonl", rest, "w");
    unlink(in_folder(FILE_OF_ACME));
}

Test(verify, a_record_of_retention_is_where_a_chain_may_begin) {
    declare_deleted(4, true);
    struct verify_report report = verified("acme", "acme");
    cr_expect(report.good, "%s", report.why);
    cr_expect_eq(report.first, 4);
    cr_expect_eq(report.records, 6);
}

Test(verify, a_record_of_retention_of_another_beginning_does_not_help) {
    declare_deleted(3, true);
    cr_expect_not(verified("acme", "acme").good);
}

Test(verify, a_record_of_retention_with_another_hash_does_not_help) {
    declare_deleted(4, false);
    cr_expect_not(verified("acme", "acme").good);
}
