/* SPDX-License-Identifier: ISC
 *
 * The SQLite store's schema and how older ones become it: an ordered list, append only. What is unique over
 * the fleet (host names, listen addresses) has a table of its own, so that the database itself refuses a
 * second owner.
 */
#include "store_sqlite.h"

#define PROBE_PURPOSE "schema/probe"
#define PROBE_TEXT "sekisho"

/* migrations[n] leads from version n to n + 1. */
static const char *const migrations[] = {
    "CREATE TABLE schema (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, probe TEXT NOT "
    "NULL) "
    "STRICT;"
    "INSERT INTO schema VALUES (1, 0, '');"
    "CREATE TABLE tenant ("
    " id TEXT PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 40),"
    " service TEXT NOT NULL, labels TEXT NOT NULL,"
    " state INTEGER NOT NULL CHECK (state IN (1, 2, 3))," /* active, suspended, retired */
    " max_connections INTEGER NOT NULL, cells INTEGER NOT NULL,"
    " allowed TEXT NOT NULL," /* ranges, separated by commas */
    " instance_host TEXT NOT NULL, instance_port INTEGER NOT NULL CHECK (instance_port BETWEEN 1 AND 65535),"
    " instance_name TEXT NOT NULL, auth_database TEXT NOT NULL,"
    " instance_ca TEXT NOT NULL, client_certificate TEXT NOT NULL,"
    " client_key TEXT NOT NULL,"              /* sealed, or '' */
    " auth_role TEXT NOT NULL DEFAULT '',"    /* '': none yet */
    " auth_password TEXT NOT NULL DEFAULT ''" /* sealed, or '' */
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE tenant_host ("
    " name TEXT PRIMARY KEY, tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,"
    " place INTEGER NOT NULL, UNIQUE (tenant, place)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE tenant_listen ("
    " address TEXT PRIMARY KEY, tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,"
    " place INTEGER NOT NULL, UNIQUE (tenant, place)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE verifier ("
    " tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE, user TEXT NOT NULL,"
    " verifier TEXT NOT NULL," /* sealed */
    " PRIMARY KEY (tenant, user)"
    ") STRICT, WITHOUT ROWID;"
    /* No reference to tenant: what was done to a removed one is still to be told. */
    "CREATE TABLE change ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, wall_us INTEGER NOT NULL, tenant TEXT NOT NULL, actor TEXT NOT "
    "NULL,"
    " action TEXT NOT NULL, detail TEXT NOT NULL, settled INTEGER NOT NULL DEFAULT 0 CHECK (settled IN (0, "
    "1))"
    ") STRICT;"
    "CREATE INDEX change_unsettled ON change (id) WHERE settled = 0;",
    /* The operators' plane. The triggers keep honest programs honest; the chain (statement_log.h) finds the
       others out. */
    "CREATE TABLE scope_login ("
    " tenant TEXT NOT NULL REFERENCES tenant (id) ON DELETE CASCADE,"
    " scope INTEGER NOT NULL CHECK (scope BETWEEN 0 AND 3),"
    " login TEXT NOT NULL," /* sealed */
    " PRIMARY KEY (tenant, scope)"
    ") STRICT, WITHOUT ROWID;"
    "ALTER TABLE tenant ADD COLUMN admins TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE operator ("
    " id TEXT PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 40), note TEXT NOT NULL,"
    " allowed TEXT NOT NULL" /* ranges, separated by commas */
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE statement ("
    " n INTEGER PRIMARY KEY CHECK (n > 0), body BLOB NOT NULL UNIQUE, signature BLOB NOT NULL"
    ") STRICT;"
    "CREATE TRIGGER statement_stays BEFORE UPDATE ON statement"
    " BEGIN SELECT raise(ABORT, 'statements are never changed'); END;"
    "CREATE TRIGGER statement_kept BEFORE DELETE ON statement"
    " BEGIN SELECT raise(ABORT, 'statements are never removed'); END;",
    /* Ids of tenants that were erased: nobody else is to be taken for one of them. */
    "CREATE TABLE erased (id TEXT PRIMARY KEY, wall_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER erased_kept BEFORE DELETE ON erased"
    " BEGIN SELECT raise(ABORT, 'ids of erased tenants stay taken'); END;",
};
#define NEWEST (sizeof migrations / sizeof migrations[0])

/* 0 for an empty database. A database without our table fails: it is somebody else's. */
static enum store_result read_version(struct sqlite_store *s, uint64_t *version) {
    struct query any = query_begin(s, "SELECT count(*) FROM sqlite_schema");
    *version = 0;
    uint64_t tables = query_row(&any) ? query_take_number(&any, UINT32_MAX) : 0;
    enum store_result r = query_end(&any);
    if (r != STORE_OK || tables == 0)
        return r;
    struct query q = query_begin(s, "SELECT version FROM schema");
    if (query_row(&q))
        *version = query_take_number(&q, UINT32_MAX);
    return query_end(&q);
}

static enum store_result write_probe(struct sqlite_store *s) {
    char sealed[SEAL_LENGTH(sizeof PROBE_TEXT)];
    struct writer w = writer_of(sealed, sizeof sealed);
    seal_close(&w, s->key, PROBE_PURPOSE, view_text(PROBE_TEXT));
    if (w.bad)
        return sqlite_fail(s, STORE_UNAVAILABLE, "out of memory");
    struct query q = query_begin(s, "UPDATE schema SET probe = ?");
    query_text(&q, writer_view(&w));
    query_row(&q);
    return query_end(&q);
}

static enum store_result migrate(struct sqlite_store *s, uint64_t from) {
    enum store_result r = STORE_OK;
    for (uint64_t v = from; v < NEWEST && r == STORE_OK; v++)
        r = query_run(s, migrations[v]);
    if (r == STORE_OK) {
        struct query q = query_begin(s, "UPDATE schema SET version = ?");
        query_number(&q, (int64_t)NEWEST);
        query_row(&q);
        r = query_end(&q);
    }
    return r == STORE_OK && from == 0 ? write_probe(s) : r;
}

/* The version is read again behind the lock: two may start at once. */
static enum store_result bring_up_to_date(struct sqlite_store *s) {
    uint64_t version;
    enum store_result r = transaction_begin(s, true);
    if (r != STORE_OK)
        return r;
    r = read_version(s, &version);
    if (r == STORE_OK && version < NEWEST)
        r = migrate(s, version);
    return transaction_end(s, r);
}

/* A store copied beside another key would fail at its first secret; better at the door. */
static enum store_result check_key(struct sqlite_store *s) {
    char text[sizeof PROBE_TEXT];
    struct writer w = writer_of(text, sizeof text);
    struct query q = query_begin(s, "SELECT probe FROM schema");
    bool fits = query_row(&q) && seal_open(&w, s->key, PROBE_PURPOSE, query_take(&q)) &&
                view_equal_text(writer_view(&w), PROBE_TEXT);
    enum store_result r = query_end(&q);
    return r == STORE_OK && !fits ? sqlite_fail(s, STORE_INVALID, "the seal key is not this store's") : r;
}

enum store_result sqlite_schema(struct sqlite_store *s, bool create) {
    uint64_t version;
    enum store_result r = read_version(s, &version);
    if (r == STORE_OK && version < NEWEST && create) {
        r = bring_up_to_date(s);
        if (r == STORE_OK)
            r = read_version(s, &version);
    }
    if (r != STORE_OK)
        return r;
    if (version != NEWEST)
        return sqlite_fail(s, STORE_INVALID, "the schema's version is %llu, %s than this program's %zu",
                           (unsigned long long)version, version < NEWEST ? "older" : "newer", NEWEST);
    return check_key(s);
}
