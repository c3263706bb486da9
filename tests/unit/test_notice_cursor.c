/* SPDX-License-Identifier: ISC
 *
 * How far everybody was told, to text and back; a damaged line is refused, never guessed.
 */
#include "notice_cursor.h"

#include <criterion/criterion.h>
#include <string.h>

Test(notice_cursor, comes_back_as_it_went) {
    static const struct cursor cursors[] = {
        {1, 0, 0}, {3, 123456789012, 99}, {99999999, INT64_MAX, INT64_MAX}};
    static const char *const tenants[] = {"acme", "", "a123456789012345678901234567890123456789"};
    for (size_t i = 0; i < 3; i++)
        for (int t = 0; t < TARGETS; t++) {
            char text[CURSOR_LINE_MAX], tenant[41];
            struct writer w = writer_of(text, sizeof text);
            cursor_write(&w, tenants[i], (enum target)t, &cursors[i]);
            cr_assert(!w.bad);
            cr_assert_eq(text[w.len - 1], '\n');
            enum target target;
            struct cursor c;
            cr_assert(cursor_read(view_of(text, w.len - 1), tenant, &target, &c));
            cr_assert_str_eq(tenant, tenants[i]);
            cr_assert_eq((int)target, t);
            cr_assert(c.file == cursors[i].file && c.offset == cursors[i].offset && c.n == cursors[i].n);
        }
}

Test(notice_cursor, the_head_names_who_counts) {
    for (int mask = 0; mask < 4; mask++) {
        bool known[TARGETS] = {mask & 1, mask & 2}, back[TARGETS];
        char text[CURSOR_LINE_MAX];
        struct writer w = writer_of(text, sizeof text);
        cursor_write_head(&w, known);
        cr_assert(cursor_read_head(view_of(text, w.len - 1), back));
        cr_assert(memcmp(known, back, sizeof known) == 0);
    }
}

Test(notice_cursor, refuses_a_damaged_head) {
    static const char *const bad[] = {"",
                                      "sekisho-notify 2 url",
                                      "sekisho-notify 1url",
                                      "sekisho-notify 1 pigeon",
                                      "sekisho-notify 1 url url",
                                      "sekisho-notify 1  url"};
    bool known[TARGETS];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert(!cursor_read_head(view_text(bad[i]), known), "%s", bad[i]);
}

Test(notice_cursor, refuses_a_damaged_line) {
    static const char *const bad[] = {"",
                                      "acme",
                                      "acme url 1 2",
                                      "acme url 1 2 3 4",
                                      "acme url 0 2 3",
                                      "acme url 100000000 2 3",
                                      "acme url 1 -2 3",
                                      "acme url 1 2 03",
                                      "acme url 1 2 9223372036854775808",
                                      "acme pigeon 1 2 3",
                                      "../x url 1 2 3",
                                      "ACME url 1 2 3",
                                      "a1234567890123456789012345678901234567890 url 1 2 3",
                                      " url 1 2 3"};
    char tenant[41];
    enum target target;
    struct cursor c;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert(!cursor_read(view_text(bad[i]), tenant, &target, &c), "%s", bad[i]);
}
