/* SPDX-License-Identifier: ISC
 *
 * Private to the SQLite store (store_sqlite*.c): the object, statements that go bad once and stay bad,
 * transactions.
 */
#ifndef SEKISHO_STORE_SQLITE_H
#define SEKISHO_STORE_SQLITE_H

#include "store.h"

#include <sqlite3.h>

#define SEALED_MOST SEAL_LENGTH(TENANT_PEM_MAX)

struct sqlite_store {
    struct store base; /* first: a struct store * is one of these */
    sqlite3 *db;
    uint8_t key[SEAL_KEY];
    uint64_t commits; /* changes made through this connection */
    char why[256];    /* of the last failure */
};

struct sqlite_store *sqlite_store_of(struct store *s);
/* Notes why and returns r. */
enum store_result sqlite_fail(struct sqlite_store *s, enum store_result r, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* store_sqlite_schema.c: brings the schema up to date (create) or refuses another one, and checks that the
 * key fits. */
enum store_result sqlite_schema(struct sqlite_store *s, bool create);

/* store_sqlite_tenant.c, store_sqlite_secret.c: the driver's members of these names. */
enum store_result sqlite_tenants(struct store *s, bool (*each)(void *arg, struct tenant *t), void *arg);
enum store_result sqlite_tenant(struct store *s, const char *id, struct tenant *out);
enum store_result sqlite_put(struct store *s, const struct tenant *t, bool insert, const struct change *why);
enum store_result sqlite_remove(struct store *s, const char *id, const struct change *why);
enum store_result sqlite_erase(struct store *s, const char *id, const struct change *why);
enum store_result sqlite_auth_set(struct store *s, const char *id, const char *role, struct view password,
                                  const struct change *why);
enum store_result sqlite_auth_get(struct store *s, const char *id, char role[64], char password[129]);
enum store_result sqlite_verifier_set(struct store *s, const char *id, struct view user, struct view text,
                                      const struct change *why);
enum store_result sqlite_verifier_get(struct store *s, const char *id, struct view user, char text[257]);

/* store_sqlite_operator.c: the same of the operators' plane. */
enum store_result sqlite_scope_set(struct store *s, const char *id, enum scope scope,
                                   const struct scope_login *login, const struct change *why);
enum store_result sqlite_statement_add(struct store *s, struct view body, struct view signature,
                                       const struct change *why, uint64_t *n);
enum store_result sqlite_statements(struct store *s, uint64_t after,
                                    bool (*each)(void *arg, const struct statement_row *row), void *arg);
enum store_result sqlite_operator_put(struct store *s, const struct operator* o, bool insert,
                                      const struct change *why);
enum store_result sqlite_operator_remove(struct store *s, const char *id, const struct change *why);
enum store_result sqlite_operators(struct store *s, bool (*each)(void *arg, const struct operator* o),
                                   void *arg);
/* One statement. Bind in order, step, read columns in order, end: only the end's result needs a look. */
struct query {
    struct sqlite_store *store;
    sqlite3_stmt *statement;
    int code;     /* SQLite's last result */
    int bound;    /* parameters bound */
    int column;   /* columns read of this row */
    bool damaged; /* a value that cannot be what we wrote */
};

struct query query_begin(struct sqlite_store *s, const char *sql);
/* What is bound must live until query_end or query_again. */
void query_text(struct query *q, struct view v);
void query_blob(struct query *q, struct view v);
void query_number(struct query *q, int64_t n);
/* True when there is a row. */
bool query_row(struct query *q);
/* The next column; valid until the next row. */
struct view query_take(struct query *q);
/* The same of a column of bytes. */
struct view query_take_blob(struct query *q);
uint64_t query_take_number(struct query *q, uint64_t most);
void query_take_text(struct query *q, char *dst, size_t cap);
/* Ready to be bound and run anew. */
void query_again(struct query *q);
/* STORE_OK, or why it went bad (also noted in the store). */
enum store_result query_end(struct query *q);
/* SQL without parameters or rows. */
enum store_result query_run(struct sqlite_store *s, const char *sql);

/* All scope logins of the tenant into t->scope. `q`: "SELECT scope, login FROM scope_login WHERE tenant = ?".
 */
void sqlite_take_scopes(struct query *q, struct tenant *t);

/* A comma-separated list, as the store keeps ranges. */
#define RANGES_TEXT (RANGES_MAX * (ADDRESS_TEXT + 4))
void sqlite_write_ranges(struct writer *w, const struct ranges *ranges);
void sqlite_take_ranges(struct query *q, struct ranges *out);

enum store_result transaction_begin(struct sqlite_store *s, bool write);
/* Commits when r is STORE_OK, rolls back otherwise; r, or why it could not commit. */
enum store_result transaction_end(struct sqlite_store *s, enum store_result r);
/* The same for a change: appends it to the outbox before the commit, and counts it for `version`. */
enum store_result change_end(struct sqlite_store *s, enum store_result r, const struct change *why);

#endif
