/* SPDX-License-Identifier: ISC
 *
 * The operators' plane in the SQLite store: the statement log (which nothing here vouches for), the
 * operators, and how the proxy logs in as each scope's role: sealed for its tenant and scope, so that a row
 * copied over another does not open.
 */
#include "secret.h"
#include "statement.h"
#include "store_sqlite.h"

#include <stdio.h>
#include <string.h>

#define LOGIN_MAX 256 /* bytes of a login, unsealed */
#define PURPOSE (TENANT_ID_MAX + 32)

/* --- scope logins --- */

static void login_purpose(char purpose[PURPOSE], const char *id, enum scope scope) {
    snprintf(purpose, PURPOSE, "%s/scope/%s", id, scope_name(scope));
}

static bool read_login(struct view v, struct scope_login *out) {
    struct reader r = reader_of(v);
    verifier_read(&r, &out->verifier);
    struct view key = reader_bytes(&r, sizeof out->client_key);
    out->known = reader_done(&r);
    if (out->known)
        memcpy(out->client_key, key.at, key.len);
    return out->known;
}

void sqlite_take_scopes(struct query *q, struct tenant *t) {
    uint8_t room[LOGIN_MAX];
    char purpose[PURPOSE];
    query_again(q);
    query_text(q, view_text(t->id));
    while (query_row(q)) {
        enum scope scope = (enum scope)query_take_number(q, SCOPE_COUNT - 1);
        struct view sealed = query_take(q);
        struct writer w = writer_of(room, sizeof room);
        login_purpose(purpose, t->id, scope);
        if (!seal_open(&w, q->store->key, purpose, sealed) || !read_login(writer_view(&w), &t->scope[scope]))
            q->damaged = true;
    }
    secret_wipe(room, sizeof room);
}

static enum store_result no_tenant(struct sqlite_store *s, enum store_result r, const char *id) {
    return r == STORE_CONFLICT ? sqlite_fail(s, STORE_NOT_FOUND, "there is no tenant \"%s\"", id) : r;
}

static enum store_result remove_login(struct sqlite_store *s, const char *id, enum scope scope) {
    struct query q = query_begin(s, "DELETE FROM scope_login WHERE tenant = ? AND scope = ?");
    query_text(&q, view_text(id));
    query_number(&q, scope);
    query_row(&q);
    enum store_result r = query_end(&q);
    if (r == STORE_OK && sqlite3_changes(s->db) == 0)
        return sqlite_fail(s, STORE_NOT_FOUND, "tenant \"%s\" has no login for scope %s", id,
                           scope_name(scope));
    return r;
}

static enum store_result write_login(struct sqlite_store *s, const char *id, enum scope scope,
                                     const struct scope_login *login) {
    uint8_t room[LOGIN_MAX];
    char purpose[PURPOSE], sealed[SEAL_LENGTH(LOGIN_MAX)];
    struct writer plain = writer_of(room, sizeof room), w = writer_of(sealed, sizeof sealed);
    verifier_write(&plain, &login->verifier);
    writer_bytes(&plain, view_of(login->client_key, sizeof login->client_key));
    login_purpose(purpose, id, scope);
    seal_close(&w, s->key, purpose, writer_view(&plain));
    secret_wipe(room, sizeof room);
    if (w.bad)
        return sqlite_fail(s, STORE_UNAVAILABLE, "out of memory");
    struct query q = query_begin(s, "INSERT INTO scope_login (tenant, scope, login) VALUES (?, ?, ?) "
                                    "ON CONFLICT (tenant, scope) DO UPDATE SET login = excluded.login");
    query_text(&q, view_text(id));
    query_number(&q, scope);
    query_text(&q, writer_view(&w));
    query_row(&q);
    return no_tenant(s, query_end(&q), id); /* the only rule left to break is the reference */
}

enum store_result sqlite_scope_set(struct store *base, const char *id, enum scope scope,
                                   const struct scope_login *login, const struct change *why) {
    struct sqlite_store *s = sqlite_store_of(base);
    enum store_result r = transaction_begin(s, true);
    if (r != STORE_OK)
        return r;
    return change_end(s, login->known ? write_login(s, id, scope, login) : remove_login(s, id, scope), why);
}

/* --- the statement log --- */

static enum store_result insert_statement(struct sqlite_store *s, struct view body, struct view signature,
                                          uint64_t *n) {
    struct query q = query_begin(s, "INSERT INTO statement (n, body, signature) "
                                    "SELECT coalesce(max(n), 0) + 1, ?, ? FROM statement RETURNING n");
    query_blob(&q, body);
    query_blob(&q, signature);
    if (query_row(&q))
        *n = query_take_number(&q, INT64_MAX);
    query_row(&q); /* to its end: then it is done */
    enum store_result r = query_end(&q);
    return r == STORE_CONFLICT ? sqlite_fail(s, r, "the statement is already there") : r;
}

enum store_result sqlite_statement_add(struct store *base, struct view body, struct view signature,
                                       const struct change *why, uint64_t *n) {
    struct sqlite_store *s = sqlite_store_of(base);
    *n = 0;
    if (body.len == 0 || body.len > STATEMENT_MAX || signature.len != STATEMENT_SIGNATURE)
        return sqlite_fail(s, STORE_INVALID, "the statement or its signature has no possible length");
    enum store_result r = transaction_begin(s, true);
    return r == STORE_OK ? change_end(s, insert_statement(s, body, signature, n), why) : r;
}

enum store_result sqlite_statements(struct store *base, uint64_t after,
                                    bool (*each)(void *arg, const struct statement_row *row), void *arg) {
    struct query q =
        query_begin(sqlite_store_of(base), "SELECT n, body, signature FROM statement WHERE n > ? ORDER BY n");
    query_number(&q, after < INT64_MAX ? (int64_t)after : INT64_MAX);
    while (query_row(&q)) {
        struct statement_row row;
        row.n = query_take_number(&q, INT64_MAX);
        row.body = query_take_blob(&q);
        row.signature = query_take_blob(&q);
        if (q.damaged || !each(arg, &row))
            break;
    }
    return query_end(&q);
}

/* --- operators --- */

enum store_result sqlite_operator_put(struct store *base, const struct operator* o, bool insert,
                                      const struct change *why) {
    struct sqlite_store *s = sqlite_store_of(base);
    const char *bad;
    char ranges[RANGES_TEXT];
    struct writer w = writer_of(ranges, sizeof ranges);
    if (!operator_check(o, &bad))
        return sqlite_fail(s, STORE_INVALID, "%s", bad);
    sqlite_write_ranges(&w, &o->allowed);
    enum store_result r = transaction_begin(s, true);
    if (r != STORE_OK)
        return r;
    struct query q = query_begin(s, insert ? "INSERT INTO operator (id, note, allowed) VALUES (?1, ?2, ?3)"
                                           : "UPDATE operator SET note = ?2, allowed = ?3 WHERE id = ?1");
    query_text(&q, view_text(o->id));
    query_text(&q, view_text(o->note));
    query_text(&q, writer_view(&w));
    query_row(&q);
    r = query_end(&q);
    if (r == STORE_CONFLICT)
        r = sqlite_fail(s, r, "operator \"%s\" is already there", o->id);
    else if (r == STORE_OK && !insert && sqlite3_changes(s->db) == 0)
        r = sqlite_fail(s, STORE_NOT_FOUND, "there is no operator \"%s\"", o->id);
    return change_end(s, r, why);
}

enum store_result sqlite_operator_remove(struct store *base, const char *id, const struct change *why) {
    struct sqlite_store *s = sqlite_store_of(base);
    enum store_result r = transaction_begin(s, true);
    if (r != STORE_OK)
        return r;
    struct query q = query_begin(s, "DELETE FROM operator WHERE id = ?");
    query_text(&q, view_text(id));
    query_row(&q);
    r = query_end(&q);
    if (r == STORE_OK && sqlite3_changes(s->db) == 0)
        r = sqlite_fail(s, STORE_NOT_FOUND, "there is no operator \"%s\"", id);
    return change_end(s, r, why);
}

static void take_operator(struct query *q, struct operator* o) {
    const char *why;
    memset(o, 0, sizeof *o);
    o->magic = OPERATOR_MAGIC;
    query_take_text(q, o->id, sizeof o->id);
    query_take_text(q, o->note, sizeof o->note);
    sqlite_take_ranges(q, &o->allowed);
    if (!operator_check(o, &why))
        q->damaged = true;
}

enum store_result sqlite_operators(struct store *base, bool (*each)(void *arg, const struct operator* o),
                                   void *arg) {
    struct query q = query_begin(sqlite_store_of(base), "SELECT id, note, allowed FROM operator ORDER BY id");
    while (query_row(&q)) {
        struct operator o;
        take_operator(&q, &o);
        if (q.damaged || !each(arg, &o))
            break;
    }
    return query_end(&q);
}
