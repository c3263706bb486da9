/* SPDX-License-Identifier: ISC
 *
 * The proof that an instance is as the proxy needs it: that the proxy gets in, that the verifier function and
 * its role can do what they must and no more, and that whoever comes past the proxy is refused before a
 * password is asked. Connects as the proxy does and as an intruder would; needs no administrator's rights.
 * Blocking.
 */
#include "magic.h"
#include "provision.h"
#include "provision_hello.h"
#include "provision_link.h"
#include "provision_scope.h"
#include "provision_text.h"
#include "secret.h"

#include <libpq-fe.h>

#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECKS_MAGIC 0x91D7A42Eu

struct checks {
    uint32_t magic;
    const struct tenant *tenant;
    const char *role, *password, *database;
    check_fn *report;
    void *arg;
    bool failed;
};

static void say(struct checks *k, enum check_outcome outcome, const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void say(struct checks *k, enum check_outcome outcome, const char *name, const char *format, ...) {
    MAGIC_CHECK(k, CHECKS_MAGIC);
    char text[512], line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    provision_one_line(view_text(text), line, sizeof line);
    k->failed = k->failed || outcome == CHECK_FAILED;
    k->report(k->arg, outcome, name, line);
}

/* ---- reaching it ---- */

static bool resolve(struct checks *k, struct tenant *t) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *found = NULL;
    int error = getaddrinfo(t->instance_host, NULL, &hints, &found);
    if (error)
        say(k, CHECK_FAILED, "address", "%s: %s", t->instance_host, gai_strerror(error));
    t->address_count = 0;
    for (struct addrinfo *a = found; a && t->address_count < TENANT_ADDRESSES_MAX; a = a->ai_next)
        if (address_from_sockaddr(a->ai_addr, &t->address[t->address_count]))
            t->address[t->address_count++].port = t->instance_port;
    if (found)
        freeaddrinfo(found);
    return t->address_count > 0;
}

struct attempt {
    enum link_trust trust;
    const struct tenant *tenant;
    const char *user, *database, *password;
    bool replication;
};

/* Connects. NULL when that fails, with *asked saying whether a password was wanted, and the instance's words
 * in error. */
static PGconn *try(const struct attempt *a, bool *asked, char error[512]) {
    struct link l;
    PGconn *conn = NULL;
    *asked = false;
    snprintf(error, 512, "no memory file for certificates");
    if (link_begin(&l, a->trust, a->tenant, 0, a->user, a->database, a->password)) {
        if (a->trust == LINK_OURS)
            link_add(&l, "channel_binding", "require");
        if (a->replication)
            link_add(&l, "replication", "true");
        conn = PQconnectdbParams(l.keyword, l.value, 0);
        *asked = PQconnectionNeedsPassword(conn);
        provision_one_line(view_text(PQerrorMessage(conn)), error, 512);
    }
    link_end(&l);
    if (PQstatus(conn) == CONNECTION_OK)
        return conn;
    PQfinish(conn);
    return NULL;
}

/* Verified TLS and our certificate bring the proxy to the password, and not past it. */
static bool check_tls(struct checks *k) {
    bool asked;
    char error[512];
    struct attempt a = {LINK_OURS, k->tenant, k->role, k->database, NULL, false};
    PGconn *conn = try(&a, &asked, error);
    if (conn)
        say(k, CHECK_FAILED, "tls", "the instance lets %s in without a password", k->role);
    else if (asked)
        say(k, CHECK_OK, "tls", "the certificate is %s's and its authority is trusted; ours is accepted",
            k->tenant->instance_name[0] ? k->tenant->instance_name : k->tenant->instance_host);
    else
        say(k, CHECK_FAILED, "tls", "%s", error);
    PQfinish(conn);
    return asked;
}

static PGconn *check_login(struct checks *k) {
    bool asked;
    char error[512];
    struct attempt a = {LINK_OURS, k->tenant, k->role, k->database, k->password, false};
    PGconn *conn = try(&a, &asked, error);
    if (conn)
        say(k, CHECK_OK, "auth role", "%s logs in to database %s over %s", k->role, k->database,
            PQsslAttribute(conn, "protocol"));
    else
        say(k, CHECK_FAILED, "auth role", "%s", error);
    return conn;
}

/* ---- what the role and the function can do ---- */

/* One text answer to a question whose $1 is the role. False when it cannot be had. */
static bool ask(struct checks *k, PGconn *conn, const char *name, const char *sql, const char *parameter,
                int *rows, char out[256]) {
    const char *values[] = {parameter};
    PGresult *result = PQexecParams(conn, sql, 1, NULL, values, NULL, NULL, 0);
    bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
    *rows = good ? PQntuples(result) : 0;
    provision_one_line(view_text(*rows > 0 ? PQgetvalue(result, 0, 0) : ""), out, 256);
    if (!good)
        say(k, CHECK_FAILED, name, "%s", PQerrorMessage(conn));
    PQclear(result);
    return good;
}

static void check_answers(struct checks *k, PGconn *conn) {
    static const char *const strangers[] = {PROVISION_ROLE, "no such user, as the comma says",
                                            "pg_read_all_data", ""};
    char out[256];
    int rows;
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        if (!ask(k, conn, "verifier function", PROVISION_QUERY, strangers[i], &rows, out))
            return;
        bool silent = rows == 0;
        secret_wipe(out, sizeof out);
        if (!silent) {
            say(k, CHECK_FAILED, "verifier function", "answers for \"%s\", for whom it must not",
                strangers[i]);
            return;
        }
    }
    say(k, CHECK_OK, "verifier function", "answers, and not for reserved or unknown names");
}

/* Each question lists what is wrong; an empty answer is right. */
static const struct {
    const char *name, *sql, *right;
} questions[] = {
    {"function's definition",
     "SELECT concat_ws(', ', CASE WHEN count(*) <> 1 THEN count(*) || ' functions of that name' END, "
     "CASE WHEN bool_or(NOT p.prosecdef) THEN 'not SECURITY DEFINER' END, "
     "CASE WHEN bool_or(p.proconfig IS DISTINCT FROM ARRAY['search_path=pg_catalog, pg_temp']) "
     "THEN 'search_path not fixed' END, CASE WHEN bool_or(NOT r.rolsuper) THEN 'not a superuser''s' END) "
     "FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
     "JOIN pg_catalog.pg_roles r ON r.oid = p.proowner "
     "WHERE n.nspname = '" PROVISION_SCHEMA "' AND p.proname = 'verifier' AND $1::text IS NOT NULL",
     "SECURITY DEFINER with a fixed search_path, a superuser's"},
    {"function's rights",
     "SELECT string_agg(coalesce(r.rolname, 'PUBLIC'), ', ') FROM pg_catalog.pg_proc p "
     "JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace, "
     "LATERAL pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) a "
     "LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee "
     "WHERE n.nspname = '" PROVISION_SCHEMA "' AND p.proname IN ('verifier', 'scope_verifiers') AND "
     "a.grantee <> p.proowner AND r.rolname IS DISTINCT FROM $1::text",
     "nobody else may execute it"},
    {"schema's rights",
     "SELECT string_agg(coalesce(r.rolname, 'PUBLIC') || ' ' || a.privilege_type, ', ') "
     "FROM pg_catalog.pg_namespace n, LATERAL pg_catalog.aclexplode(coalesce(n.nspacl, "
     "pg_catalog.acldefault('n', n.nspowner))) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee "
     "WHERE n.nspname = '" PROVISION_SCHEMA "' AND a.grantee <> n.nspowner "
     "AND (a.privilege_type <> 'USAGE' OR coalesce(r.rolname, '') NOT IN ($1::text, 'sekisho_diagnose', "
     "'sekisho_read', 'sekisho_write', 'sekisho_admin'))",
     "nobody else may use it"},
    {"role's attributes",
     "SELECT concat_ws(', ', CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreaterole THEN "
     "'CREATEROLE' END, "
     "CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN rolreplication THEN 'REPLICATION' END, "
     "CASE WHEN rolbypassrls THEN 'BYPASSRLS' END, CASE WHEN rolinherit THEN 'INHERIT' END, "
     "CASE WHEN rolconnlimit < 0 THEN 'no CONNECTION LIMIT' END) "
     "FROM pg_catalog.pg_roles WHERE rolname = $1::text",
     "none that matters"},
    {"role's memberships",
     "SELECT string_agg(m.rolname || ' in ' || g.rolname, ', ') FROM pg_catalog.pg_auth_members a "
     "JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member "
     "WHERE m.rolname = $1::text OR g.rolname = $1::text",
     "none, and nobody is a member of it"},
    {"ssl_ca_file",
     "SELECT CASE WHEN pg_catalog.current_setting('ssl_ca_file') = '' THEN 'not set' END WHERE $1::text IS "
     "NOT NULL",
     "set"},
};

static void check_questions(struct checks *k, PGconn *conn) {
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        char out[256];
        int rows;
        if (!ask(k, conn, questions[i].name, questions[i].sql, k->role, &rows, out))
            continue;
        bool right = rows == 1 && out[0] == '\0';
        say(k, right ? CHECK_OK : CHECK_FAILED, questions[i].name, "%s", right ? questions[i].right : out);
    }
    char out[256];
    int rows;
    static const char encryption[] =
        "SELECT pg_catalog.current_setting('password_encryption') WHERE $1::text IS NOT NULL";
    if (ask(k, conn, "password_encryption", encryption, k->role, &rows, out))
        say(k, strcmp(out, "scram-sha-256") == 0 ? CHECK_OK : CHECK_WARNING, "password_encryption", "%s",
            out);
}

/* ---- past the proxy ---- */

/* Tries as the auth role, as the usual superuser and for replication: each may meet another line of
 * pg_hba.conf. */
static void check_refused(struct checks *k, const char *name, enum link_trust trust,
                          const struct tenant *as) {
    const struct attempt ways[] = {{trust, as, k->role, k->database, NULL, false},
                                   {trust, as, "postgres", "postgres", NULL, false},
                                   {trust, as, "postgres", "postgres", NULL, true}};
    char error[512] = "";
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        bool asked;
        PGconn *conn = try(&ways[i], &asked, error);
        if (conn || asked) {
            say(k, CHECK_FAILED, name, "%s as %s%s", conn ? "let in" : "asked for a password", ways[i].user,
                ways[i].replication ? " for replication" : "");
            PQfinish(conn);
            return;
        }
    }
    say(k, CHECK_OK, name, "refused: %s", error);
}

/* Somebody with a certificate, but not ours: an ssl_ca_file that trusts a public authority would let them on.
 */
static void check_foreign(struct checks *k) {
    struct tenant stranger = *k->tenant;
    stranger.client_certificate = stranger.client_key = NULL;
    if (!provision_client_certificate(&stranger)) {
        say(k, CHECK_FAILED, "foreign certificate", "cannot make one");
        return;
    }
    check_refused(k, "foreign certificate", LINK_OURS, &stranger);
    secret_wipe(stranger.client_key, strlen(stranger.client_key));
    free(stranger.client_key);
    free(stranger.client_certificate);
}

/* ---- the operators' scopes ---- */

static PGconn *enter(void *arg, const char *database, char why[512]) {
    const struct checks *k = arg;
    bool asked;
    struct attempt a = {LINK_OURS, k->tenant, k->role, database, k->password, false};
    return try(&a, &asked, why);
}

static void scope_said(void *arg, enum check_outcome outcome, const char *name, const char *detail) {
    say(arg, outcome, name, "%s", detail);
}

static void check_scopes(struct checks *k, PGconn *conn) {
    struct scope_look look = {k->tenant, scope_said, enter, k};
    scope_check(&look, conn);
}

static void check_old_tls(struct checks *k) {
    char why[256];
    switch (provision_hello(&k->tenant->address[0], why)) {
    case HELLO_REFUSED:
        say(k, CHECK_OK, "old TLS", "1.1 is refused");
        break;
    case HELLO_ACCEPTED:
        say(k, CHECK_FAILED, "old TLS", "1.1 is accepted; set ssl_min_protocol_version");
        break;
    case HELLO_UNKNOWN:
        say(k, CHECK_FAILED, "old TLS", "%s", why);
        break;
    }
}

bool provision_check(const struct tenant *t, const char *role, const char *password, check_fn *report,
                     void *arg) {
    link_clean_environment();
    struct tenant target = *t; /* its texts stay t's */
    struct checks k = {.magic = CHECKS_MAGIC,
                       .tenant = &target,
                       .role = role,
                       .password = password,
                       .database = t->auth_database[0] ? t->auth_database : "postgres",
                       .report = report,
                       .arg = arg};
    if (!resolve(&k, &target))
        return false;
    /* An instance that cannot be reached refuses everybody: no proof of anything. */
    if (!check_tls(&k))
        return false;
    PGconn *conn = check_login(&k);
    if (conn) {
        check_answers(&k, conn);
        check_questions(&k, conn);
        check_scopes(&k, conn);
        PQfinish(conn);
    }
    check_refused(&k, "bypass without TLS", LINK_PLAIN, &target);
    check_refused(&k, "bypass without certificate", LINK_NAKED, &target);
    check_foreign(&k);
    check_old_tls(&k);
    return !k.failed;
}
