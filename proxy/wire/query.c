/* SPDX-License-Identifier: ISC
 *
 * See query.h.
 */
#include "query.h"
#include "text.h"

#include <string.h>

enum { FORMAT_BINARY = 1, FORMAT_LENGTH = 2, TYPE_LENGTH = 4, SQLSTATE_LENGTH = 5 };

/* A terminated text that may be as long as what is left. */
static struct view rest_cstr(struct reader *r) {
    return reader_cstr(r, reader_left(r));
}

bool query_read_query(struct view body, struct view *sql) {
    struct reader r = reader_of(body);
    *sql = rest_cstr(&r);
    if (reader_done(&r))
        return true;
    *sql = view_of(NULL, 0);
    return false;
}

bool query_read_parse(struct view body, struct query_parse *out) {
    struct reader r = reader_of(body);
    out->name = rest_cstr(&r);
    out->sql = rest_cstr(&r);
    size_t types = reader_u16(&r);
    out->types = reader_bytes(&r, types * TYPE_LENGTH);
    if (reader_done(&r))
        return true;
    memset(out, 0, sizeof *out);
    return false;
}

/* Their formats, their count, and over them to find their end. */
static void read_values(struct reader *r, struct query_values *v) {
    size_t formats = reader_u16(r);
    v->formats = reader_bytes(r, formats * FORMAT_LENGTH);
    v->count = reader_u16(r);
    const uint8_t *start = r->at;
    for (size_t i = 0; i < v->count && !r->bad; i++) {
        uint32_t length = reader_u32(r);
        if (length != UINT32_MAX)
            reader_bytes(r, length);
    }
    v->bytes = r->bad ? view_of(NULL, 0) : view_of(start, (size_t)(r->at - start));
}

bool query_read_bind(struct view body, struct query_bind *out) {
    struct reader r = reader_of(body);
    memset(out, 0, sizeof *out);
    out->portal = rest_cstr(&r);
    out->name = rest_cstr(&r);
    read_values(&r, &out->values);
    size_t results = reader_u16(&r);
    reader_bytes(&r, results * FORMAT_LENGTH);
    if (reader_done(&r))
        return true;
    memset(out, 0, sizeof *out);
    return false;
}

bool query_read_execute(struct view body, struct view *portal, uint32_t *rows) {
    struct reader r = reader_of(body);
    *portal = rest_cstr(&r);
    uint32_t most = reader_u32(&r);
    *rows = most <= INT32_MAX ? most : 0; /* PostgreSQL takes a negative one for all */
    if (reader_done(&r))
        return true;
    *portal = view_of(NULL, 0);
    *rows = 0;
    return false;
}

bool query_read_target(struct view body, char *what, struct view *name) {
    struct reader r = reader_of(body);
    *what = (char)reader_u8(&r);
    *name = rest_cstr(&r);
    if (reader_done(&r) && (*what == 'S' || *what == 'P'))
        return true;
    *what = 0;
    *name = view_of(NULL, 0);
    return false;
}

bool query_read_call(struct view body, struct query_call *out) {
    struct reader r = reader_of(body);
    memset(out, 0, sizeof *out);
    out->function = reader_u32(&r);
    read_values(&r, &out->values);
    reader_u16(&r); /* the result's format */
    if (reader_done(&r))
        return true;
    memset(out, 0, sizeof *out);
    return false;
}

bool query_read_copy_fail(struct view body, struct view *message) {
    return query_read_query(body, message);
}

static bool is_binary(struct view formats, size_t index) {
    size_t at = formats.len > FORMAT_LENGTH ? index * FORMAT_LENGTH : 0;
    if (at + FORMAT_LENGTH > formats.len)
        return false;
    return formats.at[at] == 0 && formats.at[at + 1] == FORMAT_BINARY;
}

bool query_next_value(struct query_values *v, size_t index, struct query_value *out) {
    memset(out, 0, sizeof *out);
    if (v->count == 0)
        return false;
    struct reader r = reader_of(v->bytes);
    uint32_t length = reader_u32(&r);
    out->null = length == UINT32_MAX;
    out->binary = is_binary(v->formats, index);
    if (!out->null)
        out->bytes = reader_bytes(&r, length);
    size_t whole = v->bytes.len - reader_left(&r);
    out->wire = view_of(v->bytes.at, whole);
    v->bytes = view_from(v->bytes, whole);
    v->count--;
    return true;
}

struct view query_read_tag(struct view body) {
    const uint8_t *end = body.len > 0 ? memchr(body.at, 0, body.len) : NULL;
    return end ? view_of(body.at, (size_t)(end - body.at)) : body;
}

bool query_tag_rows(struct view tag, uint64_t *rows) {
    size_t from = tag.len;
    while (from > 0 && tag.at[from - 1] != ' ')
        from--;
    *rows = 0;
    return from > 0 && text_number(view_from(tag, from), 0, INT64_MAX, rows);
}

static bool is_sqlstate(struct view v) {
    if (v.len != SQLSTATE_LENGTH)
        return false;
    for (size_t i = 0; i < v.len; i++)
        if (!(v.at[i] >= '0' && v.at[i] <= '9') && !(v.at[i] >= 'A' && v.at[i] <= 'Z'))
            return false;
    return true;
}

bool query_read_error(struct view body, struct view *sqlstate, struct view *message) {
    *sqlstate = *message = view_of(NULL, 0);
    while (body.len > 1 && body.at[0] != 0) {
        uint8_t field = body.at[0];
        body = view_from(body, 1);
        struct view text = query_read_tag(body);
        if (field == 'C' && is_sqlstate(text))
            *sqlstate = text;
        else if (field == 'M')
            *message = text;
        body = view_from(body, text.len + 1);
    }
    return sqlstate->len > 0;
}
