/* SPDX-License-Identifier: ISC
 *
 * Installs on an instance what the proxy needs: the verifier function, its schema and the role that may call
 * it, in one transaction that can be repeated; and prints the pg_hba.conf lines. The checks are in
 * provision_check.c.
 */
#include "provision.h"
#include "provision_admin.h"
#include "provision_scope.h"
#include "secret.h"
#include "verifier.h"

#include <stdio.h>
#include <string.h>

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

static bool install_role(PGconn *conn, const char *verifier, char why[512]) {
    char there[8], sql[1024], database[256] = "";
    if (!admin_ask(conn, "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = '" PROVISION_ROLE "'", there,
                   sizeof there, why))
        return false;
    /* The verifier holds base64 and "$:-" only: it needs no escaping. */
    snprintf(sql, sizeof sql,
             "%s ROLE " PROVISION_ROLE " LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS "
             "NOINHERIT CONNECTION LIMIT 8 VALID UNTIL 'infinity' PASSWORD '%s'",
             there[0] ? "ALTER" : "CREATE", verifier);
    bool good = admin_run(conn, sql, why);
    secret_wipe(sql, sizeof sql);
    if (!good || !admin_run(conn, "ALTER ROLE " PROVISION_ROLE " RESET ALL", why))
        return false;
    if (!admin_ask(conn, "SELECT pg_catalog.quote_ident(pg_catalog.current_database())", database,
                   sizeof database, why))
        return false;
    snprintf(sql, sizeof sql, "GRANT CONNECT ON DATABASE %s TO " PROVISION_ROLE, database);
    return admin_run(conn, sql, why);
}

/* rolname is compared as text, so that a name longer than 63 bytes is no name instead of being cut to one. */
static const char function_sql[] =
    "CREATE OR REPLACE FUNCTION " PROVISION_SCHEMA ".verifier(role_name text) RETURNS TABLE(verifier text) "
    "LANGUAGE sql STABLE STRICT SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp AS $function$ "
    "SELECT a.rolpassword FROM pg_catalog.pg_authid a WHERE a.rolname::text = role_name AND a.rolcanlogin "
    "AND NOT a.rolsuper AND (a.rolvaliduntil IS NULL OR a.rolvaliduntil > now()) "
    "AND left(a.rolname::text, 8) <> 'sekisho_' AND left(a.rolname::text, 3) <> 'pg_' $function$";

static bool install(PGconn *conn, const char *verifier, const struct scope_login *logins, char why[512]) {
    return admin_begin(conn, why) && admin_ground(conn, why) && install_role(conn, verifier, why) &&
           admin_run(conn, "CREATE SCHEMA IF NOT EXISTS " PROVISION_SCHEMA, why) &&
           admin_run(conn, "REVOKE ALL ON SCHEMA " PROVISION_SCHEMA " FROM PUBLIC", why) &&
           admin_run(conn, "GRANT USAGE ON SCHEMA " PROVISION_SCHEMA " TO " PROVISION_ROLE, why) &&
           admin_run(conn, function_sql, why) &&
           admin_run(conn, "ALTER FUNCTION " PROVISION_SCHEMA ".verifier(text) OWNER TO CURRENT_USER", why) &&
           admin_run(conn, "REVOKE ALL ON FUNCTION " PROVISION_SCHEMA ".verifier(text) FROM PUBLIC", why) &&
           admin_run(conn, "GRANT EXECUTE ON FUNCTION " PROVISION_SCHEMA ".verifier(text) TO " PROVISION_ROLE,
                     why) &&
           scope_install_roles(conn, logins, why) && scope_install_database(conn, why) &&
           admin_run(conn, "COMMIT", why);
}

bool provision_install(const char *admin_conninfo, const struct tenant *t, const char *password,
                       const struct scope_login logins[SCOPE_COUNT], char why[512]) {
    char verifier[257];
    if (!verifier_of(password, verifier, sizeof verifier))
        return admin_fail(why, "cannot make the role's verifier", "not an ASCII password");
    PGconn *conn = admin_connect(admin_conninfo, t->auth_database, why);
    bool good = conn && install(conn, verifier, logins, why);
    secret_wipe(verifier, sizeof verifier);
    PQfinish(conn);
    return good && scope_install_databases(admin_conninfo, t, why);
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
