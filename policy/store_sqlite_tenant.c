/* SPDX-License-Identifier: ISC
 *
 * Tenants in the SQLite store: read whole in one transaction, written whole in one transaction. See store.h.
 */
#include "secret.h"
#include "store_sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS                                                                                              \
    "id, service, labels, state, max_connections, cells, allowed, instance_host, instance_port, "            \
    "instance_name, "                                                                                        \
    "auth_database, instance_ca, client_certificate, client_key, admins"

/* The four statements that make up a tenant, kept while many are read. */
struct tenant_query {
    struct query row, hosts, listen, scopes;
};

static void key_purpose(const char *id, char purpose[64]) {
    snprintf(purpose, 64, "%s/client_key", id);
}

void sqlite_take_ranges(struct query *q, struct ranges *out) {
    struct view bad;
    if (!ranges_parse(query_take(q), out, &bad))
        q->damaged = true;
}

static void take_pem(struct query *q, char **text) {
    if (!tenant_text(text, query_take(q)))
        q->damaged = true;
}

static void take_sealed_key(struct query *q, struct tenant *t) {
    struct view sealed = query_take(q);
    char purpose[64];
    if (sealed.len == 0)
        return;
    struct writer w = writer_of(malloc(TENANT_PEM_MAX), TENANT_PEM_MAX);
    key_purpose(t->id, purpose);
    if (!w.at || !seal_open(&w, q->store->key, purpose, sealed) ||
        !tenant_text(&t->client_key, writer_view(&w)))
        q->damaged = true;
    if (w.at)
        secret_wipe(w.at, w.cap);
    free(w.at);
}

static void take_row(struct query *q, struct tenant *t) {
    query_take_text(q, t->id, sizeof t->id);
    query_take_text(q, t->service, sizeof t->service);
    query_take_text(q, t->labels, sizeof t->labels);
    t->state = (enum tenant_state)query_take_number(q, TENANT_RETIRED);
    t->max_connections = (uint32_t)query_take_number(q, UINT32_MAX);
    t->cells = (uint32_t)query_take_number(q, UINT32_MAX);
    sqlite_take_ranges(q, &t->allowed);
    query_take_text(q, t->instance_host, sizeof t->instance_host);
    t->instance_port = (uint16_t)query_take_number(q, UINT16_MAX);
    query_take_text(q, t->instance_name, sizeof t->instance_name);
    query_take_text(q, t->auth_database, sizeof t->auth_database);
    take_pem(q, &t->instance_ca);
    take_pem(q, &t->client_certificate);
    take_sealed_key(q, t);
    query_take_text(q, t->admins, sizeof t->admins);
}

static void take_hosts(struct query *q, struct tenant *t) {
    query_again(q);
    query_text(q, view_text(t->id));
    while (query_row(q)) {
        if (t->host_count == TENANT_HOSTS_MAX)
            q->damaged = true;
        else
            query_take_text(q, t->host[t->host_count++], sizeof t->host[0]);
    }
}

static void take_listen(struct query *q, struct tenant *t) {
    query_again(q);
    query_text(q, view_text(t->id));
    while (query_row(q)) {
        if (t->listen_count == TENANT_HOSTS_MAX ||
            !address_parse_port(query_take(q), false, &t->listen[t->listen_count]))
            q->damaged = true;
        else
            t->listen_count++;
    }
}

/* SQL for the rows, and what is the same for every reading. */
static struct tenant_query tenant_query_begin(struct sqlite_store *s, const char *sql) {
    return (struct tenant_query){
        .row = query_begin(s, sql),
        .hosts = query_begin(s, "SELECT name FROM tenant_host WHERE tenant = ? ORDER BY place"),
        .listen = query_begin(s, "SELECT address FROM tenant_listen WHERE tenant = ? ORDER BY place"),
        .scopes = query_begin(s, "SELECT scope, login FROM scope_login WHERE tenant = ?"),
    };
}

static enum store_result tenant_query_end(struct tenant_query *q) {
    enum store_result hosts = query_end(&q->hosts), listen = query_end(&q->listen);
    enum store_result scopes = query_end(&q->scopes), row = query_end(&q->row);
    return row != STORE_OK ? row : hosts != STORE_OK ? hosts : listen != STORE_OK ? listen : scopes;
}

/* The tenant of the current row. On anything but STORE_OK *t owns nothing. */
static enum store_result take_tenant(struct tenant_query *q, struct tenant *t) {
    struct sqlite_store *s = q->row.store;
    const char *why = NULL;
    tenant_begin(t);
    take_row(&q->row, t);
    take_hosts(&q->hosts, t);
    take_listen(&q->listen, t);
    sqlite_take_scopes(&q->scopes, t);
    enum store_result r = STORE_OK;
    if (q->row.damaged || q->hosts.damaged || q->listen.damaged || q->scopes.damaged)
        r = sqlite_fail(s, STORE_INVALID, "tenant \"%s\" in the store is damaged, or its key does not open",
                        t->id);
    else if (q->hosts.code != SQLITE_DONE || q->listen.code != SQLITE_DONE || q->scopes.code != SQLITE_DONE)
        r = sqlite_fail(s, STORE_UNAVAILABLE, "%s", sqlite3_errmsg(s->db));
    else if (!tenant_check(t, &why))
        r = sqlite_fail(s, STORE_INVALID, "tenant \"%s\" in the store: %s", t->id, why);
    if (r != STORE_OK)
        tenant_end(t);
    return r;
}

static enum store_result each_tenant(struct sqlite_store *s, bool (*each)(void *arg, struct tenant *t),
                                     void *arg) {
    struct tenant_query q = tenant_query_begin(s, "SELECT " COLUMNS " FROM tenant ORDER BY id");
    enum store_result r = STORE_OK;
    bool more = true;
    while (more && r == STORE_OK && query_row(&q.row)) {
        struct tenant t;
        r = take_tenant(&q, &t);
        if (r != STORE_OK)
            break;
        more = each(arg, &t);
        tenant_end(&t);
    }
    char why[sizeof s->why];
    memcpy(why, s->why, sizeof why); /* names the tenant; ending the statements says less */
    enum store_result end = tenant_query_end(&q);
    if (r != STORE_OK)
        return sqlite_fail(s, r, "%s", why);
    return end;
}

enum store_result sqlite_tenants(struct store *base, bool (*each)(void *arg, struct tenant *t), void *arg) {
    struct sqlite_store *s = sqlite_store_of(base);
    enum store_result r = transaction_begin(s, false);
    return r == STORE_OK ? transaction_end(s, each_tenant(s, each, arg)) : r;
}

static enum store_result one_tenant(struct sqlite_store *s, const char *id, struct tenant *out) {
    struct tenant_query q = tenant_query_begin(s, "SELECT " COLUMNS " FROM tenant WHERE id = ?");
    query_text(&q.row, view_text(id));
    bool found = query_row(&q.row);
    enum store_result r = found ? take_tenant(&q, out) : STORE_NOT_FOUND;
    char why[sizeof s->why];
    memcpy(why, s->why, sizeof why);
    enum store_result end = tenant_query_end(&q);
    if (r == STORE_OK || (!found && end != STORE_OK))
        return end;
    return found ? sqlite_fail(s, r, "%s", why) : sqlite_fail(s, r, "there is no tenant \"%s\"", id);
}

enum store_result sqlite_tenant(struct store *base, const char *id, struct tenant *out) {
    struct sqlite_store *s = sqlite_store_of(base);
    memset(out, 0, sizeof *out);
    enum store_result r = transaction_begin(s, false);
    if (r == STORE_OK)
        r = transaction_end(s, one_tenant(s, id, out));
    if (r != STORE_OK)
        tenant_end(out);
    return r;
}

void sqlite_write_ranges(struct writer *w, const struct ranges *ranges) {
    for (size_t i = 0; i < ranges->count; i++) {
        char text[ADDRESS_TEXT];
        address_text(&ranges->range[i].base, text);
        writer_format(w, "%s%s/%u", i ? "," : "", text, ranges->range[i].bits);
    }
}

/* sealed has room for SEALED_MOST bytes. False without memory. */
static bool seal_client_key(struct sqlite_store *s, const struct tenant *t, struct writer *sealed) {
    char purpose[64];
    if (!t->client_key[0])
        return true;
    key_purpose(t->id, purpose);
    seal_close(sealed, s->key, purpose, view_text(t->client_key));
    return !sealed->bad;
}

static void bind_row(struct query *q, const struct tenant *t, struct view ranges, struct view sealed) {
    query_text(q, view_text(t->id));
    query_text(q, view_text(t->service));
    query_text(q, view_text(t->labels));
    query_number(q, t->state);
    query_number(q, t->max_connections);
    query_number(q, t->cells);
    query_text(q, ranges);
    query_text(q, view_text(t->instance_host));
    query_number(q, t->instance_port);
    query_text(q, view_text(t->instance_name));
    query_text(q, view_text(t->auth_database));
    query_text(q, view_text(t->instance_ca));
    query_text(q, view_text(t->client_certificate));
    query_text(q, sealed);
    query_text(q, view_text(t->admins));
}

/* The auth role and its password are columns of the same row that stay as they are. */
static enum store_result write_row(struct sqlite_store *s, const struct tenant *t, bool insert) {
    static const char insert_sql[] =
        "INSERT INTO tenant (" COLUMNS
        ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    static const char update_sql[] = "UPDATE tenant SET service = ?2, labels = ?3, state = ?4, "
                                     "max_connections = ?5, cells = ?6, allowed = ?7, "
                                     "instance_host = ?8, instance_port = ?9, instance_name = ?10, "
                                     "auth_database = ?11, instance_ca = ?12, "
                                     "client_certificate = ?13, client_key = ?14, admins = ?15 WHERE id = ?1";
    char ranges[RANGES_TEXT];
    char room[SEALED_MOST];
    struct writer r = writer_of(ranges, sizeof ranges), sealed = writer_of(room, sizeof room);
    sqlite_write_ranges(&r, &t->allowed);
    if (!seal_client_key(s, t, &sealed))
        return sqlite_fail(s, STORE_UNAVAILABLE, "out of memory");
    struct query q = query_begin(s, insert ? insert_sql : update_sql);
    bind_row(&q, t, writer_view(&r), writer_view(&sealed));
    query_row(&q);
    enum store_result result = query_end(&q);
    if (result == STORE_CONFLICT)
        return sqlite_fail(s, result, "tenant \"%s\" is already there", t->id);
    if (result == STORE_OK && !insert && sqlite3_changes(s->db) == 0)
        return sqlite_fail(s, STORE_NOT_FOUND, "there is no tenant \"%s\"", t->id);
    return result;
}

static enum store_result clear_names(struct sqlite_store *s, const char *table_sql, const char *id) {
    struct query q = query_begin(s, table_sql);
    query_text(&q, view_text(id));
    query_row(&q);
    return query_end(&q);
}

static enum store_result write_name(struct sqlite_store *s, const char *sql, const struct tenant *t,
                                    size_t place, const char *name, const char *what) {
    struct query q = query_begin(s, sql);
    query_text(&q, view_text(name));
    query_text(&q, view_text(t->id));
    query_number(&q, (int64_t)place);
    query_row(&q);
    enum store_result r = query_end(&q);
    return r == STORE_CONFLICT ? sqlite_fail(s, r, "%s %.180s is already another tenant's", what, name) : r;
}

static enum store_result write_hosts(struct sqlite_store *s, const struct tenant *t) {
    enum store_result r = clear_names(s, "DELETE FROM tenant_host WHERE tenant = ?", t->id);
    for (size_t i = 0; i < t->host_count && r == STORE_OK; i++)
        r = write_name(s, "INSERT INTO tenant_host (name, tenant, place) VALUES (?, ?, ?)", t, i, t->host[i],
                       "host name");
    return r;
}

static enum store_result write_listen(struct sqlite_store *s, const struct tenant *t) {
    enum store_result r = clear_names(s, "DELETE FROM tenant_listen WHERE tenant = ?", t->id);
    for (size_t i = 0; i < t->listen_count && r == STORE_OK; i++) {
        char text[ADDRESS_TEXT];
        address_text_port(&t->listen[i], text);
        r = write_name(s, "INSERT INTO tenant_listen (address, tenant, place) VALUES (?, ?, ?)", t, i, text,
                       "listen address");
    }
    return r;
}

static enum store_result check_not_erased(struct sqlite_store *s, const char *id) {
    struct query q = query_begin(s, "SELECT count(*) FROM erased WHERE id = ?");
    query_text(&q, view_text(id));
    uint64_t known = query_row(&q) ? query_take_number(&q, 1) : 0;
    enum store_result r = query_end(&q);
    return r == STORE_OK && known
               ? sqlite_fail(s, STORE_CONFLICT, "a tenant \"%s\" was erased: its id is not used again", id)
               : r;
}

enum store_result sqlite_put(struct store *base, const struct tenant *t, bool insert,
                             const struct change *why) {
    struct sqlite_store *s = sqlite_store_of(base);
    const char *bad;
    if (!tenant_check(t, &bad))
        return sqlite_fail(s, STORE_INVALID, "%s", bad);
    enum store_result r = transaction_begin(s, true);
    if (r != STORE_OK)
        return r;
    r = insert ? check_not_erased(s, t->id) : STORE_OK;
    if (r == STORE_OK)
        r = write_row(s, t, insert);
    if (r == STORE_OK)
        r = write_hosts(s, t);
    if (r == STORE_OK)
        r = write_listen(s, t);
    return change_end(s, r, why);
}

/* With everything that refers to it. */
static enum store_result delete_tenant(struct sqlite_store *s, const char *id) {
    struct query q = query_begin(s, "DELETE FROM tenant WHERE id = ?");
    query_text(&q, view_text(id));
    query_row(&q);
    enum store_result r = query_end(&q);
    return r == STORE_OK && sqlite3_changes(s->db) == 0
               ? sqlite_fail(s, STORE_NOT_FOUND, "there is no tenant \"%s\"", id)
               : r;
}

enum store_result sqlite_remove(struct store *base, const char *id, const struct change *why) {
    struct sqlite_store *s = sqlite_store_of(base);
    enum store_result r = transaction_begin(s, true);
    return r == STORE_OK ? change_end(s, delete_tenant(s, id), why) : r;
}

/* What was done to it in its life is in its log, which goes as well. */
static enum store_result forget_changes(struct sqlite_store *s, const char *id) {
    struct query q = query_begin(s, "DELETE FROM change WHERE tenant = ?");
    query_text(&q, view_text(id));
    query_row(&q);
    return query_end(&q);
}

static enum store_result note_erased(struct sqlite_store *s, const char *id, int64_t wall_us) {
    struct query q = query_begin(s, "INSERT INTO erased (id, wall_us) VALUES (?, ?)");
    query_text(&q, view_text(id));
    query_number(&q, wall_us);
    query_row(&q);
    return query_end(&q);
}

enum store_result sqlite_erase(struct store *base, const char *id, const struct change *why) {
    struct sqlite_store *s = sqlite_store_of(base);
    enum store_result r = transaction_begin(s, true);
    if (r != STORE_OK)
        return r;
    r = delete_tenant(s, id);
    if (r == STORE_OK)
        r = forget_changes(s, id);
    if (r == STORE_OK)
        r = note_erased(s, id, why->wall_us);
    r = change_end(s, r, why);
    /* Deleted rows are overwritten (secure_delete), but stand in the write-ahead log until that is emptied. A
     * reader may hold it open; then the next checkpoint does it. */
    if (r == STORE_OK)
        query_run(s, "PRAGMA wal_checkpoint(TRUNCATE)");
    return r;
}
