/* SPDX-License-Identifier: ISC
 *
 * Following a chain: nothing twice, nothing missed, also when the ledger cuts its file back or begins
 * another.
 */
#include "log_fixture.h"
#include "notifier_tail.h"

#include <fcntl.h>
#include <sys/stat.h>

#define FIRST "acme/00000001.jsonl"
#define SECOND "acme/00000002.jsonl"

static int ledger;

static void setup(void) {
    folder_make();
    cr_assert_eq(mkdir(in_folder("acme"), 0700), 0);
    ledger = open(log_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert(ledger >= 0);
}

static void teardown(void) {
    close(ledger);
    folder_remove();
}

TestSuite(notifier_tail, .init = setup, .fini = teardown);

static void append(const char *file, int n, const char *event) {
    char line[200];
    snprintf(line, sizeof line,
             "{\"n\":%d,\"time\":\"\",\"tenant\":\"acme\",\"event\":\"%s\",\"prev\":\"\"}\n", n, event);
    put_text(file, line, "ab");
}

/* The numbers of what is told from *c on, as text; *c stands behind them afterwards. */
static const char *told(struct cursor *c) {
    static char text[4096];
    struct writer w = writer_of(text, sizeof text);
    for (int turns = 0; turns < 100; turns++) {
        struct tail_found found;
        enum tail_state state = tail_next(ledger, "acme", c, &found);
        cr_assert_neq(state, TAIL_FAILED);
        if (state == TAIL_END)
            break;
        if (state == TAIL_MORE)
            continue;
        writer_format(&w, "%d ", (int)found.after.n);
        *c = found.after;
    }
    writer_u8(&w, 0);
    cr_assert(!w.bad);
    return text;
}

Test(notifier_tail, tells_in_order_what_is_worth_it) {
    struct cursor c = {1, 0, 0};
    cr_assert_str_eq(told(&c), "", "no file yet");
    append(FIRST, 1, "session.open");
    append(FIRST, 2, "tampering");
    append(FIRST, 3, "session.close");
    append(FIRST, 4, "grant.change");
    cr_assert(tail_grown(ledger, "acme", &c));
    cr_assert_str_eq(told(&c), "2 4 ");
    cr_assert(!tail_grown(ledger, "acme", &c));
    cr_assert_str_eq(told(&c), "");
    append(FIRST, 5, "tampering");
    cr_assert(tail_grown(ledger, "acme", &c));
    cr_assert_str_eq(told(&c), "5 ");
}

Test(notifier_tail, stays_before_what_was_not_told) {
    struct cursor c = {1, 0, 0};
    struct tail_found found;
    append(FIRST, 1, "session.open");
    append(FIRST, 2, "tampering");
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(tail_next(ledger, "acme", &c, &found), TAIL_FOUND);
        cr_assert_eq(found.after.n, 2);
        cr_assert_eq(c.n, 1);
        cr_assert(found.urgent);
    }
}

Test(notifier_tail, waits_for_the_rest_of_a_line) {
    struct cursor c = {1, 0, 0};
    append(FIRST, 1, "session.open");
    put_text(FIRST, "{\"n\":2,\"time\":\"\",\"tenant\":\"acme\",\"event\":\"tamp", "ab");
    cr_assert_str_eq(told(&c), "");
    put_text(FIRST, "ering\",\"prev\":\"\"}\n", "ab");
    cr_assert_str_eq(told(&c), "2 ");
}

Test(notifier_tail, goes_on_in_the_next_file) {
    struct cursor c = {1, 0, 0};
    append(FIRST, 1, "tampering");
    cr_assert_str_eq(told(&c), "1 ");
    append(SECOND, 2, "tampering");
    cr_assert(tail_grown(ledger, "acme", &c));
    cr_assert_str_eq(told(&c), "2 ");
    cr_assert_eq(c.file, 2);
}

Test(notifier_tail, hears_what_replaced_lines_that_were_cut) {
    struct cursor c = {1, 0, 0};
    append(FIRST, 1, "tampering");
    struct stat st;
    cr_assert_eq(stat(in_folder(FIRST), &st), 0);
    append(FIRST, 2, "session.open");
    append(FIRST, 3, "session.open");
    append(FIRST, 4, "session.open");
    cr_assert_str_eq(told(&c), "1 ");
    /* The flush failed: lines 2 to 4 never were. */
    cr_assert_eq(truncate(in_folder(FIRST), st.st_size), 0);
    append(FIRST, 2, "ledger.failed");
    cr_assert(tail_grown(ledger, "acme", &c));
    cr_assert_str_eq(told(&c), "1 2 ", "again rather than not at all");
    append(FIRST, 3, "session.open");
    append(FIRST, 4, "grant.change");
    cr_assert_str_eq(told(&c), "4 ", "and then as always");
}

Test(notifier_tail, hears_them_also_when_the_file_has_grown_past_the_old_end) {
    struct cursor c = {1, 0, 0};
    append(FIRST, 1, "session.open");
    append(FIRST, 2, "session.open");
    cr_assert_str_eq(told(&c), "");
    cr_assert_eq(truncate(in_folder(FIRST), 0), 0);
    append(FIRST, 1, "ledger.failed");
    append(FIRST, 2, "session.refused");
    append(FIRST, 3, "session.refused");
    cr_assert_str_eq(told(&c), "1 ");
}

Test(notifier_tail, passes_over_what_is_no_line) {
    struct cursor c = {1, 0, 0};
    append(FIRST, 1, "session.open");
    put_text(FIRST, "rubbish ,\"event\":\"tampering\"\n\n", "ab");
    append(FIRST, 4, "tampering");
    cr_assert_str_eq(told(&c), "4 ");
}

Test(notifier_tail, reads_a_long_file_in_turns) {
    struct cursor c = {1, 0, 0};
    struct tail_found found;
    FILE *f = fopen(in_folder(FIRST), "wb");
    cr_assert(f);
    for (int n = 1; n <= 10000; n++)
        fprintf(f, "{\"n\":%d,\"time\":\"\",\"tenant\":\"acme\",\"event\":\"session.open\",\"prev\":\"\"}\n",
                n);
    fclose(f);
    cr_assert_eq(tail_next(ledger, "acme", &c, &found), TAIL_MORE);
    cr_assert(c.n > 0 && c.n < 10000);
    cr_assert_str_eq(told(&c), "");
    cr_assert_eq(c.n, 10000);
}

Test(notifier_tail, begins_behind_the_last_whole_line) {
    struct cursor c;
    tail_end(ledger, "acme", &c);
    cr_assert(c.file == 1 && c.offset == 0 && c.n == 0, "nothing there");
    append(FIRST, 1, "tampering");
    append(SECOND, 2, "tampering");
    put_text(SECOND, "{\"n\":3,\"time\":\"\",\"tenant\":\"acme\",\"event\":\"tamp", "ab");
    tail_end(ledger, "acme", &c);
    cr_assert_eq(c.file, 2);
    cr_assert_str_eq(told(&c), "");
    put_text(SECOND, "ering\",\"prev\":\"\"}\n", "ab");
    cr_assert_str_eq(told(&c), "3 ");
}

Test(notifier_tail, follows_no_link_out_of_the_log) {
    struct cursor c = {1, 0, 0};
    struct tail_found found;
    append("elsewhere", 1, "tampering");
    cr_assert_eq(symlinkat("../elsewhere", ledger, FIRST), 0);
    cr_assert_eq(tail_next(ledger, "acme", &c, &found), TAIL_FAILED);
}
