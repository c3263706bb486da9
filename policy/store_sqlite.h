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
enum store_result sqlite_auth_set(struct store *s, const char *id, const char *role, struct view password,
                                  const struct change *why);
enum store_result sqlite_auth_get(struct store *s, const char *id, char role[64], char password[129]);
enum store_result sqlite_verifier_set(struct store *s, const char *id, struct view user, struct view text,
                                      const struct change *why);
enum store_result sqlite_verifier_get(struct store *s, const char *id, struct view user, char text[257]);

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
void query_number(struct query *q, int64_t n);
/* True when there is a row. */
bool query_row(struct query *q);
/* The next column; valid until the next row. */
struct view query_take(struct query *q);
uint64_t query_take_number(struct query *q, uint64_t most);
void query_take_text(struct query *q, char *dst, size_t cap);
/* Ready to be bound and run anew. */
void query_again(struct query *q);
/* STORE_OK, or why it went bad (also noted in the store). */
enum store_result query_end(struct query *q);
/* SQL without parameters or rows. */
enum store_result query_run(struct sqlite_store *s, const char *sql);

enum store_result transaction_begin(struct sqlite_store *s, bool write);
/* Commits when r is STORE_OK, rolls back otherwise; r, or why it could not commit. */
enum store_result transaction_end(struct sqlite_store *s, enum store_result r);
/* The same for a change: appends it to the outbox before the commit, and counts it for `version`. */
enum store_result change_end(struct sqlite_store *s, enum store_result r, const struct change *why);

#endif
