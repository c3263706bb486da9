/* SPDX-License-Identifier: ISC
 *
 * Rows taken away, changed, swapped, an old store put back: the head that the host remembers does not fit.
 */
#include "statement_log.h"
#include "text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct statement_head none = {.n = 0};

/* Pushes one row for each letter, its signature made of that letter too. */
static bool push_all(struct statement_log *l, const char *rows) {
    uint8_t signature[STATEMENT_SIGNATURE];
    for (uint64_t i = 0; rows[i]; i++) {
        memset(signature, rows[i], sizeof signature);
        if (!statement_log_push(l, l->head.n + 1, view_of(rows + i, 1), view_of(signature, sizeof signature)))
            return false;
    }
    return true;
}

static struct statement_head head_of(const char *rows) {
    struct statement_log l;
    statement_log_begin(&l, &none);
    cr_assert(push_all(&l, rows) && statement_log_end(&l));
    return l.head;
}

/* Does a store with these rows fit what was accepted? */
static bool fits(const char *accepted, const char *rows) {
    struct statement_head head = head_of(accepted);
    struct statement_log l;
    statement_log_begin(&l, &head);
    push_all(&l, rows);
    bool good = statement_log_end(&l);
    cr_expect_eq(good, !l.why[0], "%s", l.why);
    return good;
}

Test(statement_log, the_chain_is_as_documented) {
    struct statement_head h = head_of("a");
    uint8_t bytes[32 + 32 + 64], expected[32];
    memset(bytes, 0, 32);
    statement_digest(view_text("a"), bytes + 32);
    memset(bytes + 64, 'a', 64);
    statement_digest(view_of(bytes, sizeof bytes), expected);
    cr_expect(memcmp(h.hash, expected, 32) == 0);
    cr_expect_eq(h.n, 1);
}

Test(statement_log, a_longer_store_is_fine_and_no_other) {
    cr_expect(fits("", "") && fits("", "ab") && fits("abc", "abc") && fits("abc", "abcd"));
    const char *bad[] = {"", "ab", "abd", "acb", "bc", "xabc", "aabc", "abbc", "xbc", "axc"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(!fits("abc", bad[i]), "%s", bad[i]);
}

Test(statement_log, another_signature_is_another_row) {
    struct statement_head head = head_of("a");
    struct statement_log l;
    uint8_t signature[STATEMENT_SIGNATURE] = {0};
    statement_log_begin(&l, &head);
    cr_expect(!statement_log_push(&l, 1, view_text("a"), view_of(signature, sizeof signature)));
    cr_expect(!statement_log_end(&l));
    cr_expect(strstr(l.why, "not those that were accepted"));
}

Test(statement_log, numbers_follow_each_other) {
    struct statement_log l;
    uint8_t signature[STATEMENT_SIGNATURE] = {0};
    struct view sig = view_of(signature, sizeof signature);
    const uint64_t bad[] = {0, 2, UINT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        statement_log_begin(&l, &none);
        cr_expect(!statement_log_push(&l, bad[i], view_text("a"), sig));
        cr_expect(!statement_log_push(&l, 1, view_text("a"), sig), "it stays bad");
        cr_expect(!statement_log_end(&l));
    }
    statement_log_begin(&l, &none);
    cr_expect(!statement_log_push(&l, 1, view_text("a"), view_of(signature, 63)));
}

Test(statement_log, what_was_accepted_is_compared_with_from_then_on) {
    struct statement_log l;
    statement_log_begin(&l, &none);
    cr_assert(push_all(&l, "ab") && statement_log_end(&l));
    statement_log_accept(&l);
    cr_expect_eq(l.accepted.n, 2);
    cr_expect(push_all(&l, "c") && statement_log_end(&l));
    struct statement_head h = head_of("abc");
    cr_expect(memcmp(&h, &l.head, sizeof h) == 0);
}

/* --- the file --- */

Test(statement_log, the_head_is_kept_in_a_file) {
    char folder[] = "/tmp/head-XXXXXX", path[64], why[256];
    struct statement_head h = head_of("abc"), back;
    struct stat st;
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/statements.head", folder);
    cr_expect(statement_head_read(path, &back, why), "nothing yet");
    cr_expect_eq(back.n, 0);
    cr_assert(statement_head_write(path, &h, why), "%s", why);
    cr_assert(statement_head_read(path, &back, why), "%s", why);
    cr_expect(memcmp(&h, &back, sizeof h) == 0);
    cr_expect(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    h = head_of("abcd");
    cr_assert(statement_head_write(path, &h, why));
    cr_assert(statement_head_read(path, &back, why) && back.n == 4);
    const char *bad[] = {"", "4", "4 \n", "x 00\n", "-1 0000\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        FILE *f = fopen(path, "w");
        cr_assert(f && fputs(bad[i], f) >= 0 && fclose(f) == 0);
        cr_expect(!statement_head_read(path, &back, why), "%s", bad[i]);
        cr_expect(why[0]);
    }
    unlink(path);
    rmdir(folder);
    cr_expect(!statement_head_write(path, &h, why));
    cr_expect(why[0]);
}
