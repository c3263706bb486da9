/* SPDX-License-Identifier: ISC
 *
 * Statements and transactions of the SQLite store. See store_sqlite.h.
 */
#include "magic.h"
#include "store_sqlite.h"

static enum store_result result_of(int code) {
    return (code & 0xFF) == SQLITE_CONSTRAINT ? STORE_CONFLICT : STORE_UNAVAILABLE;
}

struct query query_begin(struct sqlite_store *s, const char *sql) {
    struct query q = {.store = s};
    q.code = sqlite3_prepare_v2(s->db, sql, -1, &q.statement, NULL);
    return q;
}

void query_text(struct query *q, struct view v) {
    q->bound++;
    if (q->code == SQLITE_OK) /* a NULL pointer would bind NULL */
        q->code = sqlite3_bind_text64(q->statement, q->bound, v.len ? (const char *)v.at : "", v.len,
                                      SQLITE_STATIC, SQLITE_UTF8);
}

void query_blob(struct query *q, struct view v) {
    q->bound++;
    if (q->code == SQLITE_OK)
        q->code = sqlite3_bind_blob64(q->statement, q->bound, v.len ? (const void *)v.at : "", v.len,
                                      SQLITE_STATIC);
}

void query_number(struct query *q, int64_t n) {
    q->bound++;
    if (q->code == SQLITE_OK)
        q->code = sqlite3_bind_int64(q->statement, q->bound, n);
}

bool query_row(struct query *q) {
    q->column = 0;
    if (q->code == SQLITE_OK || q->code == SQLITE_ROW)
        q->code = sqlite3_step(q->statement);
    return q->code == SQLITE_ROW && !q->damaged;
}

struct view query_take(struct query *q) {
    int column = q->column++;
    assert(q->code == SQLITE_ROW);
    const void *text = sqlite3_column_text(q->statement, column);
    if (!text)
        q->damaged = true;
    return view_of(text, text ? (size_t)sqlite3_column_bytes(q->statement, column) : 0);
}

struct view query_take_blob(struct query *q) {
    int column = q->column++;
    assert(q->code == SQLITE_ROW);
    if (sqlite3_column_type(q->statement, column) != SQLITE_BLOB) {
        q->damaged = true;
        return view_of(NULL, 0);
    }
    const void *bytes = sqlite3_column_blob(q->statement, column); /* NULL for none */
    return view_of(bytes, (size_t)sqlite3_column_bytes(q->statement, column));
}

uint64_t query_take_number(struct query *q, uint64_t most) {
    int column = q->column++;
    assert(q->code == SQLITE_ROW && most <= INT64_MAX);
    int64_t n = sqlite3_column_int64(q->statement, column);
    if (n >= 0 && (uint64_t)n <= most)
        return (uint64_t)n;
    q->damaged = true;
    return 0;
}

void query_take_text(struct query *q, char *dst, size_t cap) {
    if (!view_copy_text(query_take(q), dst, cap))
        q->damaged = true;
}

void query_again(struct query *q) {
    q->bound = 0;
    if (q->code == SQLITE_ROW || q->code == SQLITE_DONE)
        q->code = sqlite3_reset(q->statement);
}

enum store_result query_end(struct query *q) {
    enum store_result r = STORE_OK;
    if (q->code != SQLITE_OK && q->code != SQLITE_ROW && q->code != SQLITE_DONE)
        r = sqlite_fail(q->store, result_of(q->code), "%s", sqlite3_errmsg(q->store->db));
    else if (q->damaged)
        r = sqlite_fail(q->store, STORE_INVALID, "the store holds a value that cannot be right");
    sqlite3_finalize(q->statement);
    q->statement = NULL;
    return r;
}

enum store_result query_run(struct sqlite_store *s, const char *sql) {
    int code = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? STORE_OK : sqlite_fail(s, result_of(code), "%s", sqlite3_errmsg(s->db));
}

enum store_result transaction_begin(struct sqlite_store *s, bool write) {
    return query_run(s, write ? "BEGIN IMMEDIATE" : "BEGIN");
}

enum store_result transaction_end(struct sqlite_store *s, enum store_result r) {
    if (r == STORE_OK)
        r = query_run(s, "COMMIT");
    if (r != STORE_OK && !sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return r;
}

static enum store_result append_change(struct sqlite_store *s, const struct change *c) {
    struct query q =
        query_begin(s, "INSERT INTO change (wall_us, tenant, actor, action, detail) VALUES (?, ?, ?, ?, ?)");
    query_number(&q, c->wall_us);
    query_text(&q, view_text(c->tenant));
    query_text(&q, view_text(c->actor));
    query_text(&q, view_text(c->action));
    query_text(&q, view_text(c->detail));
    query_row(&q);
    return query_end(&q);
}

enum store_result change_end(struct sqlite_store *s, enum store_result r, const struct change *why) {
    assert(why);
    if (r == STORE_OK)
        r = append_change(s, why);
    r = transaction_end(s, r);
    if (r == STORE_OK)
        s->commits++;
    return r;
}
