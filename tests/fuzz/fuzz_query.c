/* SPDX-License-Identifier: ISC
 *
 * Fuzzes the readers of query messages: every view lies in the input, nothing is left over unread, and what
 * was refused is empty.
 */
#include "inside.h"
#include "query.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_values(struct query_values values, struct view body) {
    struct query_value v;
    struct view before = values.bytes;
    size_t count = values.count, read = 0, bytes = 0;
    while (query_next_value(&values, read, &v)) {
        assert(view_inside(v.bytes, body) && view_inside(v.wire, body));
        assert(v.wire.len == v.bytes.len + 4 && (!v.null || v.bytes.len == 0));
        bytes += v.wire.len;
        read++;
    }
    assert(read == count && bytes == before.len && values.bytes.len == 0);
}

static void check_texts(struct view body) {
    struct view sql, name, message;
    struct query_parse p;
    char what;
    uint32_t rows;
    assert(query_read_query(body, &sql) ? sql.len + 1 == body.len : sql.len == 0);
    assert(query_read_copy_fail(body, &message) ? message.len + 1 == body.len : message.len == 0);
    if (query_read_parse(body, &p))
        assert(p.name.len + p.sql.len + p.types.len + 4 == body.len && p.types.len % 4 == 0);
    else
        assert(p.sql.len == 0);
    assert(view_inside(p.name, body) && view_inside(p.sql, body) && view_inside(p.types, body));
    assert(query_read_execute(body, &name, &rows) ? name.len + 5 == body.len : name.len == 0);
    assert(query_read_target(body, &what, &name) ? name.len + 2 == body.len : what == 0);
    assert(view_inside(name, body));
}

static void check_bound(struct view body) {
    struct query_bind b;
    struct query_call c;
    if (query_read_bind(body, &b)) {
        assert(view_inside(b.portal, body) && view_inside(b.name, body));
        check_values(b.values, body);
    } else {
        assert(b.values.count == 0);
    }
    if (query_read_call(body, &c))
        check_values(c.values, body);
    else
        assert(c.values.count == 0);
}

static void check_answers(struct view body) {
    struct view sqlstate, message;
    uint64_t rows;
    struct view tag = query_read_tag(body);
    assert(view_inside(tag, body));
    query_tag_rows(tag, &rows);
    assert(rows <= INT64_MAX);
    assert(query_read_error(body, &sqlstate, &message) ? sqlstate.len == 5 : sqlstate.len == 0);
    assert(view_inside(sqlstate, body) && view_inside(message, body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view body = view_of(data, size);
    check_texts(body);
    check_bound(body);
    check_answers(body);
    return 0;
}
