/* SPDX-License-Identifier: ISC
 *
 * The control store in one SQLite file: opening, closing, its version and the outbox. Tenants are in
 * store_sqlite_tenant.c, credentials in store_sqlite_secret.c. Write-ahead logging, so that the keeper reads
 * while sekishoctl writes; every commit is on disk before it counts. May wait up to BUSY_MS for another
 * writer.
 */
#include "store_sqlite.h"
#include "magic.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_SQLITE_MAGIC 0x570E5911u
#define BUSY_MS 2000

struct sqlite_store *sqlite_store_of(struct store *s) {
    MAGIC_CHECK(s, STORE_SQLITE_MAGIC);
    return (struct sqlite_store *)s;
}

enum store_result sqlite_fail(struct sqlite_store *s, enum store_result r, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(s->why, sizeof s->why, format, args);
    va_end(args);
    return r;
}

static const char *store_why(struct store *s) {
    return sqlite_store_of(s)->why;
}

static void store_close(struct store **s) {
    if (!*s)
        return;
    struct sqlite_store *store = sqlite_store_of(*s);
    sqlite3_close(store->db);
    secret_wipe(store, sizeof *store);
    free(store);
    *s = NULL;
}

/* SQLite would create the file with the process's umask; its companions (-wal, -shm) then take the file's
 * mode. */
static enum store_result create_file(struct sqlite_store *s, const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno != EEXIST)
        return sqlite_fail(s, STORE_UNAVAILABLE, "%s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return STORE_OK;
}

static enum store_result open_file(struct sqlite_store *s, const char *path) {
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(path, &s->db, flags, NULL) != SQLITE_OK)
        return sqlite_fail(s, STORE_UNAVAILABLE, "%s", s->db ? sqlite3_errmsg(s->db) : "out of memory");
    sqlite3_busy_timeout(s->db, BUSY_MS);
    /* No SQL that stands in the file itself runs with more rights than its data. */
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return query_run(s, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;"
                        "PRAGMA temp_store = MEMORY");
}

static enum store_result prepare(struct sqlite_store *s, const char *path, bool create) {
    enum store_result r = create ? create_file(s, path) : STORE_OK;
    if (r == STORE_OK)
        r = open_file(s, path);
    if (r == STORE_OK && create)
        r = query_run(s, "PRAGMA journal_mode = WAL");
    return r == STORE_OK ? sqlite_schema(s, create) : r;
}

static struct store *store_open(const char *location, bool create, const uint8_t key[SEAL_KEY],
                                char why[256]) {
    struct sqlite_store *s = calloc(1, sizeof *s);
    if (!s) {
        snprintf(why, 256, "store %s: out of memory", location);
        return NULL;
    }
    s->base.magic = STORE_SQLITE_MAGIC;
    s->base.driver = &store_sqlite;
    memcpy(s->key, key, SEAL_KEY);
    struct store *base = &s->base;
    if (prepare(s, location, create) != STORE_OK) {
        snprintf(why, 256, "store %.120s: %.120s", location, s->why);
        store_close(&base);
    }
    return base;
}

/* data_version changes with others' commits, `commits` with our own. Settling the outbox is no change of
 * ours. */
static enum store_result store_version(struct store *base, uint64_t *out) {
    struct sqlite_store *s = sqlite_store_of(base);
    struct query q = query_begin(s, "PRAGMA data_version");
    uint64_t others = query_row(&q) ? query_take_number(&q, UINT32_MAX) : 0;
    *out = others << 32 | (s->commits & UINT32_MAX);
    return query_end(&q);
}

static void read_change(struct query *q, struct change *c) {
    memset(c, 0, sizeof *c);
    c->id = query_take_number(q, INT64_MAX);
    c->wall_us = (int64_t)query_take_number(q, INT64_MAX);
    query_take_text(q, c->tenant, sizeof c->tenant);
    query_take_text(q, c->actor, sizeof c->actor);
    query_take_text(q, c->action, sizeof c->action);
    query_take_text(q, c->detail, sizeof c->detail);
}

static enum store_result store_changes(struct store *base, bool (*each)(void *arg, const struct change *c),
                                       void *arg) {
    struct query q =
        query_begin(sqlite_store_of(base), "SELECT id, wall_us, tenant, actor, action, detail FROM change "
                                           "WHERE settled = 0 ORDER BY id");
    while (query_row(&q)) {
        struct change c;
        read_change(&q, &c);
        if (q.damaged || !each(arg, &c))
            break;
    }
    return query_end(&q);
}

static enum store_result store_settled(struct store *base, uint64_t id) {
    struct query q =
        query_begin(sqlite_store_of(base), "UPDATE change SET settled = 1 WHERE settled = 0 AND id <= ?");
    query_number(&q, id < INT64_MAX ? (int64_t)id : INT64_MAX);
    query_row(&q);
    return query_end(&q);
}

const struct store_driver store_sqlite = {
    .name = "sqlite",
    .open = store_open,
    .close = store_close,
    .version = store_version,
    .tenants = sqlite_tenants,
    .tenant = sqlite_tenant,
    .put = sqlite_put,
    .remove = sqlite_remove,
    .erase = sqlite_erase,
    .auth_set = sqlite_auth_set,
    .auth_get = sqlite_auth_get,
    .verifier_set = sqlite_verifier_set,
    .verifier_get = sqlite_verifier_get,
    .scope_set = sqlite_scope_set,
    .statement_add = sqlite_statement_add,
    .statements = sqlite_statements,
    .operator_put = sqlite_operator_put,
    .operator_remove = sqlite_operator_remove,
    .operators = sqlite_operators,
    .changes = store_changes,
    .settled = store_settled,
    .why = store_why,
};
