/* SPDX-License-Identifier: ISC
 *
 * Installs on an instance what the proxy needs: the verifier function, its schema and the role that may call
 * it, in one transaction that can be repeated; and prints the pg_hba.conf lines. The checks are in
 * provision_check.c.
 */
#include "provision.h"
#include "provision_text.h"
#include "secret.h"
#include "verifier.h"

#include <libpq-fe.h>

#include <stdio.h>
#include <string.h>

static bool fail(char why[512], const char *what, const char *error) {
    snprintf(why, 512, "%s: ", what);
    size_t used = strlen(why);
    provision_one_line(view_text(error), why + used, 512 - used);
    return false;
}

static bool run(PGconn *conn, const char *sql, char why[512]) {
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return true;
    return fail(why, "the instance refused a statement", PQerrorMessage(conn));
}

/* The first column of the first row, or empty without a row. */
static bool ask(PGconn *conn, const char *sql, char *out, size_t cap, char why[512]) {
    PGresult *result = PQexec(conn, sql);
    bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
    snprintf(out, cap, "%s", good && PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return good || fail(why, "the instance refused a question", PQerrorMessage(conn));
}

static void ignore_notice(void *arg, const char *message) {
}

/* Connects as the administrator said, but to the tenant's auth database. */
static PGconn *connect_admin(const char *conninfo, const struct tenant *t, char why[512]) {
    char *error = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &error);
    if (!options) {
        fail(why, "not a connection string", error ? error : "out of memory");
        PQfreemem(error);
        return NULL;
    }
    const char *keyword[64], *value[64];
    size_t n = 0;
    for (PQconninfoOption *o = options; o->keyword && n < 60; o++)
        if (o->val && strcmp(o->keyword, "dbname") != 0) {
            keyword[n] = o->keyword;
            value[n++] = o->val;
        }
    keyword[n] = "dbname";
    value[n++] = t->auth_database[0] ? t->auth_database : "postgres";
    keyword[n] = "client_encoding";
    value[n++] = "UTF8";
    keyword[n] = "fallback_application_name";
    value[n++] = "sekishoctl";
    keyword[n] = value[n] = NULL;
    PGconn *conn = PQconnectdbParams(keyword, value, 0);
    PQconninfoFree(options);
    if (PQstatus(conn) == CONNECTION_OK) {
        PQsetNoticeProcessor(conn, ignore_notice, NULL);
        return conn;
    }
    fail(why, "cannot connect as the administrator", PQerrorMessage(conn));
    PQfinish(conn);
    return NULL;
}

static bool verifier_of(const char *password, char *out, size_t cap) {
    uint8_t salt[16];
    struct verifier v;
    secret_random(salt, sizeof salt);
    struct writer w = writer_of(out, cap);
    bool good = verifier_make(view_text(password), view_of(salt, sizeof salt), VERIFIER_ITERATIONS_MIN, &v);
    if (good)
        verifier_text(&w, &v);
    writer_u8(&w, 0);
    secret_wipe(&v, sizeof v);
    return good && !w.bad;
}

/* Whoever owned the schema could put another function in front of ours, so it must be a superuser's. */
static bool check_ground(PGconn *conn, char why[512]) {
    char answer[128];
    if (!ask(conn, "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user", answer,
             sizeof answer, why))
        return false;
    if (strcmp(answer, "t") != 0)
        return fail(why, "not a superuser", "the verifier function must belong to one");
    if (!ask(conn,
             "SELECT r.rolname FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = "
             "n.nspowner "
             "WHERE n.nspname = '" PROVISION_SCHEMA "' AND NOT r.rolsuper",
             answer, sizeof answer, why))
        return false;
    return !answer[0] || fail(why, "schema " PROVISION_SCHEMA " is there already and belongs to", answer);
}

static bool install_role(PGconn *conn, const char *verifier, char why[512]) {
    char there[8], sql[1024], database[256] = "";
    if (!ask(conn, "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = '" PROVISION_ROLE "'", there,
             sizeof there, why))
        return false;
    /* The verifier holds base64 and "$:-" only: it needs no escaping. */
    snprintf(sql, sizeof sql,
             "%s ROLE " PROVISION_ROLE " LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS "
             "NOINHERIT CONNECTION LIMIT 8 VALID UNTIL 'infinity' PASSWORD '%s'",
             there[0] ? "ALTER" : "CREATE", verifier);
    bool good = run(conn, sql, why);
    secret_wipe(sql, sizeof sql);
    if (!good || !run(conn, "ALTER ROLE " PROVISION_ROLE " RESET ALL", why))
        return false;
    if (!ask(conn, "SELECT pg_catalog.quote_ident(pg_catalog.current_database())", database, sizeof database,
             why))
        return false;
    snprintf(sql, sizeof sql, "GRANT CONNECT ON DATABASE %s TO " PROVISION_ROLE, database);
    return run(conn, sql, why);
}

/* rolname is compared as text, so that a name longer than 63 bytes is no name instead of being cut to one. */
static const char function_sql[] =
    "CREATE OR REPLACE FUNCTION " PROVISION_SCHEMA ".verifier(role_name text) RETURNS TABLE(verifier text) "
    "LANGUAGE sql STABLE STRICT SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $function$ "
    "SELECT a.rolpassword FROM pg_catalog.pg_authid a WHERE a.rolname::text = role_name AND a.rolcanlogin "
    "AND NOT a.rolsuper AND (a.rolvaliduntil IS NULL OR a.rolvaliduntil > now()) "
    "AND left(a.rolname::text, 8) <> 'sekisho_' AND left(a.rolname::text, 3) <> 'pg_' $function$";

static bool install(PGconn *conn, const char *verifier, char why[512]) {
    /* The first line keeps the role's verifier out of the instance's own log. */
    return run(conn,
               "BEGIN; SET LOCAL log_statement = 'none'; SET LOCAL log_min_duration_statement = -1; "
               "SET LOCAL log_min_error_statement = 'panic'; SET LOCAL search_path = pg_catalog, pg_temp",
               why) &&
           check_ground(conn, why) && install_role(conn, verifier, why) &&
           run(conn, "CREATE SCHEMA IF NOT EXISTS " PROVISION_SCHEMA, why) &&
           run(conn, "REVOKE ALL ON SCHEMA " PROVISION_SCHEMA " FROM PUBLIC", why) &&
           run(conn, "GRANT USAGE ON SCHEMA " PROVISION_SCHEMA " TO " PROVISION_ROLE, why) &&
           run(conn, function_sql, why) &&
           run(conn, "ALTER FUNCTION " PROVISION_SCHEMA ".verifier(text) OWNER TO CURRENT_USER", why) &&
           run(conn, "REVOKE ALL ON FUNCTION " PROVISION_SCHEMA ".verifier(text) FROM PUBLIC", why) &&
           run(conn, "GRANT EXECUTE ON FUNCTION " PROVISION_SCHEMA ".verifier(text) TO " PROVISION_ROLE,
               why) &&
           run(conn, "COMMIT", why);
}

bool provision_install(const char *admin_conninfo, const struct tenant *t, const char *password,
                       char why[512]) {
    char verifier[257];
    if (!verifier_of(password, verifier, sizeof verifier))
        return fail(why, "cannot make the role's verifier", "not an ASCII password");
    PGconn *conn = connect_admin(admin_conninfo, t, why);
    bool good = conn && install(conn, verifier, why);
    secret_wipe(verifier, sizeof verifier);
    PQfinish(conn);
    return good;
}

void provision_hba(struct writer *w, const struct tenant *t) {
    writer_format(w, "# The instance of tenant %s: nobody gets in but through Sekisho.\n", t->id);
    writer_text(
        w, "# These lines replace every other \"host...\" line of pg_hba.conf; the first match decides. "
           "Lines for\n"
           "# the instance's own administration over its local socket may stay before them, for example:\n"
           "#   local all postgres peer\n"
           "#\n"
           "# TYPE     DATABASE     USER  ADDRESS  METHOD\n"
           "# Without TLS nobody gets in (\"all\" does not mean replication, so that has lines of its own).\n"
           "hostnossl  all          all   all      reject\n"
           "hostnossl  replication  all   all      reject\n"
           "# Over TLS: the proxy's certificate first (whose authority is ssl_ca_file), then the user's "
           "password.\n"
           "hostssl    all          all   all      scram-sha-256  clientcert=verify-ca\n"
           "hostssl    replication  all   all      scram-sha-256  clientcert=verify-ca\n"
           "# Whatever is left is refused.\n"
           "host       all          all   all      reject\n"
           "host       replication  all   all      reject\n");
}
