/* SPDX-License-Identifier: ISC
 *
 * Makes the roles of the operators' scopes on an instance. It can be repeated, and takes back whatever the
 * roles were given meanwhile. SQL here is made of literals, of names that the instance itself quoted, and of
 * base64.
 */
#include "provision_scope.h"
#include "provision_admin.h"
#include "secret.h"

#include <openssl/evp.h>

#include <stdio.h>
#include <string.h>

#define ROLES "sekisho_diagnose, sekisho_read, sekisho_write, sekisho_admin"
#define ROLE_NAMES "'sekisho_diagnose', 'sekisho_read', 'sekisho_write', 'sekisho_admin'"

static const char *const roles[SCOPE_COUNT] = {
    [SCOPE_DIAGNOSE] = "sekisho_diagnose",
    [SCOPE_READ] = "sekisho_read",
    [SCOPE_WRITE] = "sekisho_write",
    [SCOPE_ADMIN] = "sekisho_admin",
};

const char *scope_role(enum scope s) {
    return roles[s];
}

void scope_login_draw(struct scope_login *out) {
    memset(out, 0, sizeof *out);
    struct verifier *v = &out->verifier;
    v->iterations = VERIFIER_ITERATIONS_MIN;
    v->salt_len = 16;
    secret_random(v->salt, v->salt_len);
    secret_random(out->client_key, sizeof out->client_key);
    secret_random(v->server_key, sizeof v->server_key);
    out->known =
        EVP_Digest(out->client_key, sizeof out->client_key, v->stored_key, NULL, EVP_sha256(), NULL) == 1;
}

static bool install_role(PGconn *conn, const char *role, const struct verifier *verifier, char why[512]) {
    char there[8], sql[1024], text[257];
    snprintf(sql, sizeof sql, "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = '%s'", role);
    if (!admin_ask(conn, sql, there, sizeof there, why))
        return false;
    struct writer w = writer_of(text, sizeof text);
    verifier_text(&w, verifier);
    writer_u8(&w, 0);
    snprintf(sql, sizeof sql,
             "%s ROLE %s LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT "
             "CONNECTION LIMIT 16 VALID UNTIL 'infinity' PASSWORD '%s'",
             there[0] ? "ALTER" : "CREATE", role, text);
    bool good = !w.bad && admin_run(conn, sql, why);
    secret_wipe(sql, sizeof sql);
    secret_wipe(text, sizeof text);
    return good;
}

/* Settings of the role, of the role in one database, memberships either way, rights on databases: all of it
 * goes, also what an operator or the tenant added. */
static const char clean_sql[] =
    "DO $do$ DECLARE r record; BEGIN "
    "FOR r IN SELECT o.rolname, d.datname FROM pg_db_role_setting s JOIN pg_roles o ON o.oid = s.setrole "
    "LEFT JOIN pg_database d ON d.oid = s.setdatabase WHERE o.rolname IN (" ROLE_NAMES ") LOOP "
    "IF r.datname IS NULL THEN EXECUTE format('ALTER ROLE %I RESET ALL', r.rolname); "
    "ELSE EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET ALL', r.rolname, r.datname); END IF; END LOOP; "
    "FOR r IN SELECT g.rolname AS role, m.rolname AS member FROM pg_auth_members a JOIN pg_roles g ON g.oid "
    "= a.roleid "
    "JOIN pg_roles m ON m.oid = a.member WHERE g.rolname IN (" ROLE_NAMES ", '" SCOPE_STATS_ROLE "') "
    "OR m.rolname IN (" ROLE_NAMES ", '" SCOPE_STATS_ROLE "') LOOP "
    "EXECUTE format('REVOKE %I FROM %I CASCADE', r.role, r.member); END LOOP; "
    "FOR r IN SELECT datname FROM pg_database WHERE datallowconn LOOP "
    "EXECUTE format('REVOKE ALL ON DATABASE %I FROM " ROLES "', r.datname); END LOOP; "
    "FOR r IN SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate LOOP "
    "EXECUTE format('GRANT CONNECT ON DATABASE %I TO " ROLES "', r.datname); END LOOP; "
    "END $do$";

/* pg_maintain is younger than the oldest PostgreSQL we know. */
static const char grant_sql[] =
    "GRANT pg_read_all_settings TO " ROLES "; "
    "GRANT pg_read_all_data TO sekisho_read, sekisho_write, sekisho_admin; "
    "GRANT pg_write_all_data TO sekisho_write, sekisho_admin; "
    "GRANT pg_monitor, pg_signal_backend TO sekisho_admin; "
    "GRANT pg_read_all_stats TO " SCOPE_STATS_ROLE "; "
    "DO $do$ DECLARE r record; BEGIN "
    "FOR r IN SELECT rolname FROM pg_roles WHERE rolname IN ('pg_checkpoint', 'pg_maintain') LOOP "
    "EXECUTE format('GRANT %I TO sekisho_admin', r.rolname); END LOOP; END $do$";

/* The check of the client's connection ends a query whose operator was cut. Older PostgreSQL than 14 has
 * none. */
static const char settings_sql[] =
    "DO $do$ DECLARE r record; BEGIN "
    "FOR r IN SELECT rolname FROM pg_roles WHERE rolname IN (" ROLE_NAMES ") LOOP "
    "EXECUTE format('ALTER ROLE %I SET client_connection_check_interval = ''500ms''', r.rolname); END LOOP; "
    "END $do$; "
    "ALTER ROLE sekisho_diagnose SET default_transaction_read_only = on; "
    "ALTER ROLE sekisho_diagnose SET lock_timeout = '5s'; "
    "ALTER ROLE sekisho_read SET default_transaction_read_only = on";

static const char stats_role_sql[] =
    "DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '" SCOPE_STATS_ROLE "') THEN "
    "CREATE ROLE " SCOPE_STATS_ROLE "; END IF; END $do$; "
    "ALTER ROLE " SCOPE_STATS_ROLE
    " NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT "
    "CONNECTION LIMIT 0 PASSWORD NULL; ALTER ROLE " SCOPE_STATS_ROLE " RESET ALL";

/* Whether a role's verifier is still the one that was installed, for the check: a role may change its own
 * password, and the digest of a verifier whose keys are random tells nothing. */
static const char digest_sql[] =
    "CREATE OR REPLACE FUNCTION " PROVISION_SCHEMA ".scope_verifiers() RETURNS TABLE(role text, digest text) "
    "LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$ "
    "SELECT a.rolname::text, encode(sha256(convert_to(coalesce(a.rolpassword, ''), 'UTF8')), 'hex') "
    "FROM pg_catalog.pg_authid a WHERE a.rolname IN (" ROLE_NAMES ") $function$; "
    "ALTER FUNCTION " PROVISION_SCHEMA ".scope_verifiers() OWNER TO CURRENT_USER; "
    "REVOKE ALL ON FUNCTION " PROVISION_SCHEMA ".scope_verifiers() FROM PUBLIC; "
    "GRANT EXECUTE ON FUNCTION " PROVISION_SCHEMA ".scope_verifiers() TO " PROVISION_ROLE;

bool scope_install_roles(PGconn *conn, const struct scope_login logins[SCOPE_COUNT], char why[512]) {
    for (enum scope s = 0; s < SCOPE_COUNT; s++)
        if (!install_role(conn, roles[s], &logins[s].verifier, why))
            return false;
    return admin_run(conn, stats_role_sql, why) && admin_run(conn, clean_sql, why) &&
           admin_run(conn, grant_sql, why) && admin_run(conn, settings_sql, why) &&
           admin_run(conn, digest_sql, why);
}

/* ---- in each database ---- */

/* What pg_monitor would show, less the texts of queries. Each is its own function, not a view over one: a
 * view's columns would stand in the way of an upgrade that changes them. */
#define SHOW(name, columns, query)                                                                           \
    "CREATE OR REPLACE FUNCTION " PROVISION_SCHEMA "." name "() RETURNS " columns                            \
    " LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$ " query       \
    " $function$; "

static const char show_sql[] =
    SHOW("activity",
         "TABLE(pid int, leader_pid int, blocked_by int[], database name, role name, application_name text, "
         "client_addr inet, backend_start timestamptz, xact_start timestamptz, query_start timestamptz, "
         "state_change timestamptz, state text, wait_event_type text, wait_event text, backend_xid xid, "
         "backend_xmin xid, query_id bigint, backend_type text)",
         "SELECT a.pid, a.leader_pid, pg_blocking_pids(a.pid), a.datname, a.usename, a.application_name, "
         "a.client_addr, a.backend_start, a.xact_start, a.query_start, a.state_change, a.state, "
         "a.wait_event_type, "
         "a.wait_event, a.backend_xid, a.backend_xmin, a.query_id, a.backend_type FROM pg_stat_activity a")
        SHOW("database_sizes", "TABLE(database name, bytes bigint)",
             "SELECT d.datname, pg_database_size(d.oid) FROM pg_database d")
            SHOW("replication", "SETOF pg_catalog.pg_stat_replication", "SELECT * FROM pg_stat_replication")
                SHOW("progress_vacuum", "SETOF pg_catalog.pg_stat_progress_vacuum",
                     "SELECT * FROM pg_stat_progress_vacuum")
                    SHOW("progress_analyze", "SETOF pg_catalog.pg_stat_progress_analyze",
                         "SELECT * FROM pg_stat_progress_analyze")
                        SHOW("progress_create_index", "SETOF pg_catalog.pg_stat_progress_create_index",
                             "SELECT * FROM pg_stat_progress_create_index")
                            SHOW("progress_cluster", "SETOF pg_catalog.pg_stat_progress_cluster",
                                 "SELECT * FROM pg_stat_progress_cluster")
                                SHOW("progress_copy", "SETOF pg_catalog.pg_stat_progress_copy",
                                     "SELECT * FROM pg_stat_progress_copy");

/* Every function of ours but the two that are the auth role's. */
static const char show_rights_sql[] =
    "DO $do$ DECLARE f regprocedure; BEGIN FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = "
    "'" PROVISION_SCHEMA "'::regnamespace AND p.proname NOT IN ('verifier', 'scope_verifiers') LOOP "
    "EXECUTE format('ALTER FUNCTION %s OWNER TO " SCOPE_STATS_ROLE "', f); "
    "EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f); "
    "EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO " ROLES "', f); END LOOP; END $do$";

/* Databases that came from before PostgreSQL 15 let everybody create in schema public: there an operator
 * could lay out a function for others to run. Whoever owns something in it keeps the right. */
static const char public_sql[] =
    "DO $do$ DECLARE r record; BEGIN "
    "IF EXISTS (SELECT FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = 'public' AND a.grantee "
    "= 0 "
    "AND a.privilege_type = 'CREATE') THEN "
    "FOR r IN SELECT o.rolname FROM pg_roles o WHERE NOT o.rolsuper AND o.rolname NOT IN (" ROLE_NAMES
    ") AND o.oid IN ("
    "SELECT relowner FROM pg_class WHERE relnamespace = 'public'::regnamespace UNION "
    "SELECT proowner FROM pg_proc WHERE pronamespace = 'public'::regnamespace UNION "
    "SELECT typowner FROM pg_type WHERE typnamespace = 'public'::regnamespace) LOOP "
    "EXECUTE format('GRANT CREATE ON SCHEMA public TO %I', r.rolname); END LOOP; "
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC; END IF; "
    "FOR r IN SELECT n.nspname FROM pg_namespace n, aclexplode(n.nspacl) a JOIN pg_roles o ON o.oid = "
    "a.grantee "
    "WHERE o.rolname IN (" ROLE_NAMES ") AND a.privilege_type = 'CREATE' LOOP "
    "EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM " ROLES "', r.nspname); END LOOP; END $do$";

bool scope_install_database(PGconn *conn, char why[512]) {
    return admin_run(conn, "CREATE SCHEMA IF NOT EXISTS " PROVISION_SCHEMA, why) &&
           admin_run(conn, "REVOKE ALL ON SCHEMA " PROVISION_SCHEMA " FROM PUBLIC, " ROLES, why) &&
           admin_run(conn, "GRANT USAGE ON SCHEMA " PROVISION_SCHEMA " TO " ROLES, why) &&
           admin_run(conn, show_sql, why) && admin_run(conn, show_rights_sql, why) &&
           admin_run(conn, public_sql, why);
}

static bool install_one(const char *admin_conninfo, const char *database, char why[512]) {
    PGconn *conn = admin_connect(admin_conninfo, database, why);
    bool good = conn && admin_begin(conn, why) && admin_ground(conn, why) &&
                scope_install_database(conn, why) && admin_run(conn, "COMMIT", why);
    if (conn && !good) {
        char first[512];
        snprintf(first, sizeof first, "%s", why);
        snprintf(why, 512, "database %.63s: %.400s", database, first);
    }
    PQfinish(conn);
    return good;
}

bool scope_install_databases(const char *admin_conninfo, const struct tenant *t, char why[512]) {
    const char *first = t->auth_database[0] ? t->auth_database : "postgres";
    PGconn *conn = admin_connect(admin_conninfo, first, why);
    if (!conn)
        return false;
    PGresult *list =
        PQexec(conn, "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate "
                     "AND datname <> pg_catalog.current_database() ORDER BY 1");
    bool good = PQresultStatus(list) == PGRES_TUPLES_OK;
    if (!good)
        admin_fail(why, "the instance refused a question", PQerrorMessage(conn));
    for (int i = 0; good && i < PQntuples(list); i++)
        good = install_one(admin_conninfo, PQgetvalue(list, i, 0), why);
    PQclear(list);
    PQfinish(conn);
    return good;
}
