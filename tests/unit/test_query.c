/* SPDX-License-Identifier: ISC
 *
 * query.c: what is inside the messages of queries and their answers.
 */
#include "query.h"

#include <criterion/criterion.h>
#include <string.h>

#define BYTES(literal) view_of(literal, sizeof(literal) - 1)

static void expect(struct view v, const char *text) {
    cr_assert(view_equal_text(v, text), "\"%.*s\" is not \"%s\"", (int)v.len, (const char *)v.at, text);
}

Test(query, reads_a_query) {
    struct view sql;
    cr_assert(query_read_query(BYTES("select 1\0"), &sql));
    expect(sql, "select 1");
    cr_assert(query_read_query(BYTES("\0"), &sql));
    cr_assert_eq(sql.len, 0);
    cr_assert_not(query_read_query(BYTES("select 1"), &sql));
    cr_assert_not(query_read_query(BYTES(""), &sql));
    cr_assert_not(query_read_query(BYTES("select 1\0; drop table t\0"), &sql),
                  "nothing hides behind the end");
    cr_assert_eq(sql.len, 0);
}

Test(query, reads_a_parse) {
    struct query_parse p;
    cr_assert(query_read_parse(BYTES("s1\0select $1\0\0\1\0\0\0\x17"), &p));
    expect(p.name, "s1");
    expect(p.sql, "select $1");
    cr_assert(view_equal(p.types, BYTES("\0\0\0\x17")));
    cr_assert_not(query_read_parse(BYTES("s1\0select $1\0\0\2\0\0\0\x17"), &p));
    cr_assert_not(query_read_parse(BYTES("s1\0select $1\0\0\0\0"), &p));
    cr_assert_not(query_read_parse(BYTES("s1\0select $1"), &p));
    cr_assert_eq(p.sql.len, 0);
}

static const char bind[] = "p\0s\0\0\2\0\0\0\1\0\3\0\0\0\2ab\0\0\0\1\7\xff\xff\xff\xff\0\1\0\0";

Test(query, reads_a_bind) {
    struct query_bind b;
    struct query_value v;
    cr_assert(query_read_bind(view_of(bind, sizeof bind - 1), &b));
    expect(b.portal, "p");
    expect(b.name, "s");
    cr_assert_eq(b.values.count, 3);
    cr_assert(query_next_value(&b.values, 0, &v));
    cr_assert(!v.null && !v.binary);
    expect(v.bytes, "ab");
    cr_assert(view_equal(v.wire, BYTES("\0\0\0\2ab")));
    cr_assert(query_next_value(&b.values, 1, &v));
    cr_assert(v.binary && v.bytes.len == 1 && v.bytes.at[0] == 7);
    cr_assert(query_next_value(&b.values, 2, &v));
    cr_assert(v.null && v.bytes.len == 0 && v.wire.len == 4);
    cr_assert_not(query_next_value(&b.values, 3, &v));
}

Test(query, one_format_counts_for_all) {
    struct query_bind b;
    struct query_value v;
    cr_assert(query_read_bind(BYTES("\0\0\0\1\0\1\0\2\0\0\0\1a\0\0\0\1b\0\0"), &b));
    cr_assert(query_next_value(&b.values, 0, &v) && v.binary);
    cr_assert(query_next_value(&b.values, 1, &v) && v.binary);
}

Test(query, a_bind_cut_or_longer_is_none) {
    struct query_bind b;
    char longer[sizeof bind];
    memcpy(longer, bind, sizeof bind); /* with the literal's own NUL */
    for (size_t len = 0; len < sizeof bind - 1; len++)
        cr_assert_not(query_read_bind(view_of(bind, len), &b), "%zu bytes", len);
    cr_assert_not(query_read_bind(view_of(longer, sizeof bind), &b));
    cr_assert_not(query_read_bind(BYTES("\0\0\0\0\0\1\xff\xff\xff\xfe\0\0"), &b), "a length of -2");
    cr_assert_not(query_read_bind(BYTES("\0\0\0\0\0\1\x7f\xff\xff\xff\0\0"), &b));
    cr_assert_eq(b.values.count, 0);
}

Test(query, reads_an_execute) {
    struct view portal;
    uint32_t rows;
    cr_assert(query_read_execute(BYTES("p\0\0\0\0\5"), &portal, &rows));
    expect(portal, "p");
    cr_assert_eq(rows, 5);
    cr_assert(query_read_execute(BYTES("\0\xff\xff\xff\xff"), &portal, &rows));
    cr_assert_eq(rows, 0);
    cr_assert_not(query_read_execute(BYTES("p\0\0\0\0"), &portal, &rows));
    cr_assert_not(query_read_execute(BYTES("p\0\0\0\0\5x"), &portal, &rows));
}

Test(query, reads_a_target) {
    struct view name;
    char what;
    cr_assert(query_read_target(BYTES("Ss1\0"), &what, &name));
    cr_assert_eq(what, 'S');
    expect(name, "s1");
    cr_assert(query_read_target(BYTES("P\0"), &what, &name));
    cr_assert_not(query_read_target(BYTES("X\0"), &what, &name));
    cr_assert_not(query_read_target(BYTES("S"), &what, &name));
    cr_assert_not(query_read_target(BYTES(""), &what, &name));
    cr_assert_eq(what, 0);
}

Test(query, reads_a_call) {
    struct query_call c;
    struct query_value v;
    cr_assert(query_read_call(BYTES("\0\0\0\x2a\0\0\0\1\0\0\0\1x\0\0"), &c));
    cr_assert_eq(c.function, 42);
    cr_assert(query_next_value(&c.values, 0, &v));
    expect(v.bytes, "x");
    cr_assert_not(query_read_call(BYTES("\0\0\0\x2a\0\0\0\1\0\0\0\1x"), &c));
}

Test(query, tags_say_how_many_rows) {
    uint64_t rows;
    expect(query_read_tag(BYTES("SELECT 3\0junk")), "SELECT 3");
    expect(query_read_tag(BYTES("no end")), "no end");
    cr_assert_eq(query_read_tag(BYTES("")).len, 0);
    cr_assert(query_tag_rows(BYTES("INSERT 0 5"), &rows));
    cr_assert_eq(rows, 5);
    cr_assert_not(query_tag_rows(BYTES("CREATE TABLE"), &rows));
    cr_assert_not(query_tag_rows(BYTES("7"), &rows));
    cr_assert_not(query_tag_rows(BYTES("UPDATE 99999999999999999999"), &rows));
    cr_assert_not(query_tag_rows(BYTES("UPDATE "), &rows));
    cr_assert_not(query_tag_rows(BYTES(""), &rows));
}

Test(query, errors_may_be_cut) {
    struct view sqlstate, message;
    cr_assert(query_read_error(BYTES("SERROR\0C42501\0Mpermission denied\0\0"), &sqlstate, &message));
    expect(sqlstate, "42501");
    expect(message, "permission denied");
    cr_assert(query_read_error(BYTES("SERROR\0C42501\0Mpermissi"), &sqlstate, &message));
    expect(message, "permissi");
    cr_assert_not(query_read_error(BYTES("SERROR\0C42p01\0Mlower\0\0"), &sqlstate, &message));
    cr_assert_not(query_read_error(BYTES("SERROR\0Mno state\0\0"), &sqlstate, &message));
    cr_assert_not(query_read_error(BYTES("C4250"), &sqlstate, &message));
    cr_assert_not(query_read_error(BYTES(""), &sqlstate, &message));
    cr_assert_not(query_read_error(BYTES("C"), &sqlstate, &message));
}
