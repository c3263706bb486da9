/* SPDX-License-Identifier: ISC
 *
 * Whether the roles of the operators' scopes are still what provisioning made, and whether anything that
 * PUBLIC has, or that somebody gave them, lets them do more. Asked as the auth role: catalogs and
 * has_..._privilege() are for everybody. What would break a scope is a failure; what only the tenant can
 * decide (rights it gave to PUBLIC) is a warning.
 */
#include "provision_scope.h"
#include "provision_text.h"
#include "text.h"

#include <libpq-fe.h>
#include <openssl/evp.h>

#include <stdio.h>
#include <string.h>

#define ROLE_NAMES "'sekisho_diagnose', 'sekisho_read', 'sekisho_write', 'sekisho_admin'"
#define DETAIL 400

/* Each lists what is wrong, cut after a few, as the first column of its only row; null or empty is right. */
struct question {
    enum check_outcome wrong;
    const char *name, *right, *sql;
};

#define LIST(what) "SELECT pg_catalog.string_agg(DISTINCT " what ", ', ' ORDER BY " what ") "

/* About the whole instance. */
static const struct question instance_questions[] = {
    {CHECK_FAILED, "scope attributes", "none that matters",
     LIST("rolname || ' ' || what") "FROM (SELECT rolname, unnest(ARRAY[CASE WHEN rolsuper THEN 'SUPERUSER' "
                                    "END, "
                                    "CASE WHEN rolcreaterole THEN 'CREATEROLE' END, CASE WHEN rolcreatedb "
                                    "THEN 'CREATEDB' END, "
                                    "CASE WHEN rolreplication THEN 'REPLICATION' END, CASE WHEN rolbypassrls "
                                    "THEN 'BYPASSRLS' END, "
                                    "CASE WHEN rolconnlimit < 0 THEN 'without CONNECTION LIMIT' END, "
                                    "CASE WHEN rolcanlogin IS DISTINCT FROM (rolname <> '" SCOPE_STATS_ROLE
                                    "') THEN 'wrong LOGIN' END]) AS what "
                                    "FROM pg_catalog.pg_roles WHERE rolname IN (" ROLE_NAMES
                                    ", '" SCOPE_STATS_ROLE "')) r WHERE what IS NOT NULL"},
    {CHECK_FAILED, "scope memberships", "each in what its scope is made of, nobody in them",
     LIST("m.rolname || ' in ' || g.rolname") "FROM pg_catalog.pg_auth_members a "
                                              "JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN "
                                              "pg_catalog.pg_roles m ON m.oid = a.member "
                                              "WHERE g.rolname IN (" ROLE_NAMES ", '" SCOPE_STATS_ROLE
                                              "') OR (m.rolname IN (" ROLE_NAMES ", '" SCOPE_STATS_ROLE
                                              "') AND (a.admin_option OR (m.rolname, g.rolname) NOT IN "
                                              "(SELECT m, g FROM (VALUES "
                                              "('sekisho_diagnose', ARRAY['pg_read_all_settings']), "
                                              "('sekisho_read', ARRAY['pg_read_all_settings', "
                                              "'pg_read_all_data']), "
                                              "('sekisho_write', ARRAY['pg_read_all_settings', "
                                              "'pg_read_all_data', 'pg_write_all_data']), "
                                              "('sekisho_admin', ARRAY['pg_read_all_settings', "
                                              "'pg_read_all_data', 'pg_write_all_data', 'pg_monitor', "
                                              "'pg_signal_backend', 'pg_checkpoint', 'pg_maintain']), "
                                              "('" SCOPE_STATS_ROLE
                                              "', ARRAY['pg_read_all_stats'])) v(m, gs), unnest(gs) g)))"},
    {CHECK_WARNING, "scope memberships there", "all",
     LIST("r || ' not in ' || g") "FROM (VALUES ('sekisho_diagnose', 'pg_read_all_settings'), "
                                  "('sekisho_read', 'pg_read_all_data'), ('sekisho_write', "
                                  "'pg_read_all_data'), ('sekisho_write', "
                                  "'pg_write_all_data'), ('sekisho_admin', 'pg_read_all_data'), "
                                  "('sekisho_admin', 'pg_write_all_data'), "
                                  "('sekisho_admin', 'pg_monitor'), ('sekisho_admin', 'pg_signal_backend')) "
                                  "v(r, g) "
                                  "WHERE NOT pg_catalog.pg_has_role(r, g, 'USAGE')"},
    {CHECK_WARNING, "scope settings", "as installed",
     LIST("coalesce(o.rolname, e.role) || ': ' || coalesce(s.one, 'no ' || e.setting) || coalesce(' in ' || "
          "d.datname, '')") "FROM (SELECT setrole, setdatabase, unnest(setconfig) AS one FROM "
                            "pg_catalog.pg_db_role_setting) s "
                            "JOIN pg_catalog.pg_roles o ON o.oid = s.setrole AND o.rolname IN (" ROLE_NAMES
                            ") "
                            "LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase "
                            "FULL JOIN (VALUES ('sekisho_diagnose', "
                            "'client_connection_check_interval=500ms'), "
                            "('sekisho_read', 'client_connection_check_interval=500ms'), "
                            "('sekisho_write', 'client_connection_check_interval=500ms'), "
                            "('sekisho_admin', 'client_connection_check_interval=500ms'), "
                            "('sekisho_diagnose', 'default_transaction_read_only=on'), ('sekisho_read', "
                            "'default_transaction_read_only=on'), "
                            "('sekisho_diagnose', 'lock_timeout=5s')) e(role, setting) "
                            "ON e.role = o.rolname AND e.setting = s.one AND s.setdatabase = 0 WHERE e.role "
                            "IS NULL OR s.one IS NULL"},
    {CHECK_FAILED, "scope databases", "none may be created in",
     LIST("r.rolname || ' in ' || d.datname") "FROM pg_catalog.pg_database d, pg_catalog.pg_roles r "
                                              "WHERE r.rolname IN (" ROLE_NAMES
                                              ") AND pg_catalog.has_database_privilege(r.oid, d.oid, "
                                              "'CREATE')"},
    {CHECK_WARNING, "scope property", "they own nothing",
     LIST(
         "r.rolname || ' owns ' || coalesce(d.datname || '''s ', '') || s.classid::regclass") "FROM "
                                                                                              "pg_catalog.pg_"
                                                                                              "shdepend s "
                                                                                              "JOIN "
                                                                                              "pg_catalog.pg_"
                                                                                              "roles r ON "
                                                                                              "r.oid = "
                                                                                              "s.refobjid "
                                                                                              "LEFT JOIN "
                                                                                              "pg_catalog.pg_"
                                                                                              "database d ON "
                                                                                              "d.oid = "
                                                                                              "s.dbid "
                                                                                              "WHERE "
                                                                                              "s.refclassid "
                                                                                              "= "
                                                                                              "'pg_catalog."
                                                                                              "pg_authid'::"
                                                                                              "regclass AND "
                                                                                              "s.deptype = "
                                                                                              "'o' AND "
                                                                                              "r.rolname IN "
                                                                                              "(" ROLE_NAMES
                                                                                              ")"},
    {CHECK_FAILED, "large objects", "have rights of their own",
     "SELECT CASE WHEN pg_catalog.current_setting('lo_compat_privileges')::bool THEN 'lo_compat_privileges "
     "is on: "
     "everybody reads them' END"},
    {CHECK_WARNING, "prepared transactions", "there are none",
     "SELECT CASE WHEN pg_catalog.current_setting('max_prepared_transactions') <> '0' THEN "
     "'max_prepared_transactions is "
     "not 0: a transaction may outlive the operator''s session' END"},
};

/* PostgreSQL 15 can give away single parameters. */
static const struct question parameter_question = {
    CHECK_FAILED, "parameters", "none was given away",
    LIST("p.parname || ' to ' || coalesce(r.rolname, 'PUBLIC')") "FROM pg_catalog.pg_parameter_acl p, "
                                                                 "LATERAL pg_catalog.aclexplode(p.paracl) a "
                                                                 "LEFT JOIN pg_catalog.pg_roles r ON r.oid = "
                                                                 "a.grantee "
                                                                 "WHERE a.grantee = 0 OR r.rolname IN "
                                                                 "(" ROLE_NAMES ")"};

#define SCHEMAS_OF_TENANT                                                                                    \
    "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', '" PROVISION_SCHEMA "') "             \
    "AND n.nspname !~ '^pg_(toast_)?temp_' "
#define NOT_OF_EXTENSION(class, object)                                                                      \
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog." class "'::regclass " \
                                                                                              "AND x.objid " \
                                                                                              "= " object    \
                                                                                              " AND "        \
                                                                                              "x.deptype = " \
                                                                                              "'e') "

/* About each database. */
static const struct question database_questions[] = {
    {CHECK_FAILED, "scope schemas", "nothing can be created",
     LIST("r.rolname || ' in ' || n.nspname") "FROM pg_catalog.pg_namespace n, pg_catalog.pg_roles r WHERE "
                                              "r.rolname IN (" ROLE_NAMES
                                              ") AND n.nspname !~ '^pg_(toast_)?temp_' AND "
                                              "pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE')"},
    {CHECK_FAILED, "catalog's rights", "as PostgreSQL made them",
     LIST("what") "FROM (SELECT p.oid::regprocedure::text AS what, p.proacl AS acl, i.initprivs FROM "
                  "pg_catalog.pg_proc p "
                  "JOIN pg_catalog.pg_init_privs i ON i.classoid = 'pg_catalog.pg_proc'::regclass AND "
                  "i.objoid = p.oid "
                  "WHERE p.pronamespace = 'pg_catalog'::regnamespace UNION ALL "
                  "SELECT c.oid::regclass::text, c.relacl, i.initprivs FROM pg_catalog.pg_class c "
                  "LEFT JOIN pg_catalog.pg_init_privs i ON i.classoid = 'pg_catalog.pg_class'::regclass AND "
                  "i.objoid = c.oid "
                  "AND i.objsubid = 0 WHERE c.relnamespace = 'pg_catalog'::regnamespace) o, LATERAL "
                  "pg_catalog.aclexplode(o.acl) a "
                  "LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee WHERE (a.grantee = 0 OR r.rolname IN "
                  "(" ROLE_NAMES ")) "
                  "AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(o.initprivs) b WHERE b.grantee = 0 "
                  "AND b.privilege_type = a.privilege_type)"},
    {CHECK_FAILED, "extended statistics", "show values to owners only",
     LIST("c.relname") "FROM pg_catalog.pg_class c WHERE c.relnamespace = 'pg_catalog'::regnamespace "
                       "AND c.relname IN ('pg_stats_ext', 'pg_stats_ext_exprs') "
                       "AND pg_catalog.pg_get_viewdef(c.oid) !~ 'pg_has_role' -- CVE-2024-4317: the fix "
                       "needs a script"},
    {CHECK_WARNING, "foreign servers", "none for operators",
     LIST("what") "FROM (SELECT f.fdwname::text AS what FROM pg_catalog.pg_foreign_data_wrapper f, "
                  "pg_catalog.pg_roles r "
                  "WHERE r.rolname IN (" ROLE_NAMES
                  ") AND pg_catalog.has_foreign_data_wrapper_privilege(r.oid, f.oid, 'USAGE') "
                  "UNION ALL SELECT s.srvname FROM pg_catalog.pg_foreign_server s, pg_catalog.pg_roles r "
                  "WHERE r.rolname IN (" ROLE_NAMES
                  ") AND pg_catalog.has_server_privilege(r.oid, s.oid, 'USAGE') "
                  "UNION ALL SELECT 'dblink' FROM pg_catalog.pg_proc p WHERE p.proname = 'dblink_connect' "
                  "AND pg_catalog.has_function_privilege('sekisho_diagnose', p.oid, 'EXECUTE')) w"},
    {CHECK_WARNING, "rows under diagnose", "none",
     LIST("n.nspname || '.' || c.relname") "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
                                           "ON n.oid = c.relnamespace WHERE " SCHEMAS_OF_TENANT
                                           "AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') "
                                           "AND pg_catalog.has_schema_privilege('sekisho_diagnose', n.oid, "
                                           "'USAGE') "
                                           "AND (pg_catalog.has_table_privilege('sekisho_diagnose', c.oid, "
                                           "'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER') "
                                           "OR (c.relkind <> 'S' AND "
                                           "pg_catalog.has_any_column_privilege('sekisho_diagnose', c.oid, "
                                           "'SELECT, INSERT, UPDATE'))) " NOT_OF_EXTENSION("pg_class",
                                                                                           "c.oid")},
    {CHECK_WARNING, "functions with others' rights", "none for operators",
     LIST("p.oid::regprocedure::text") "FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = "
                                       "p.pronamespace "
                                       "WHERE p.prosecdef AND " SCHEMAS_OF_TENANT
                                       "AND pg_catalog.has_schema_privilege('sekisho_diagnose', n.oid, "
                                       "'USAGE') "
                                       "AND pg_catalog.has_function_privilege('sekisho_diagnose', p.oid, "
                                       "'EXECUTE') " NOT_OF_EXTENSION("pg_proc", "p.oid")},
    {CHECK_WARNING, "open large objects", "none",
     LIST("m.oid::text") "FROM pg_catalog.pg_largeobject_metadata m, LATERAL pg_catalog.aclexplode(m.lomacl) "
                         "a "
                         "LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee WHERE a.grantee = 0 OR "
                         "r.rolname IN (" ROLE_NAMES ")"},
    {CHECK_FAILED, "scope functions", "there, with the rights they need",
     "SELECT concat_ws(', ', CASE WHEN count(*) < 8 THEN 'missing here' END, "
     "CASE WHEN bool_or(NOT p.prosecdef OR p.proconfig IS DISTINCT FROM ARRAY['search_path=pg_catalog, "
     "pg_temp']) "
     "THEN 'search_path not fixed' END, CASE WHEN bool_or(o.rolname <> '" SCOPE_STATS_ROLE
     "') THEN 'another owner''s' END, "
     "CASE WHEN bool_or(EXISTS (SELECT FROM pg_catalog.aclexplode(coalesce(p.proacl, "
     "pg_catalog.acldefault('f', p.proowner))) a WHERE a.grantee = 0)) THEN 'open to PUBLIC' END) "
     "FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_roles o ON o.oid = p.proowner "
     "JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
     "WHERE n.nspname = '" PROVISION_SCHEMA "' AND p.proname NOT IN ('verifier', 'scope_verifiers')"},
};

struct asking {
    const struct scope_look *look;
    PGconn *conn;
    const char *database; /* "" for the whole instance */
};

static void say(const struct asking *a, enum check_outcome outcome, const char *name, const char *detail) {
    char line[DETAIL], whole[DETAIL + 80];
    provision_one_line(view_text(detail), line, sizeof line);
    if (strlen(line) == sizeof line - 1)
        snprintf(line + sizeof line - 4, 4, "...");
    snprintf(whole, sizeof whole, "%.63s%s%s", a->database, a->database[0] ? ": " : "", line);
    a->look->report(a->look->arg, outcome, name, whole);
}

/* quiet: nothing is said of what is right. */
static bool ask(const struct asking *a, const struct question *q, bool quiet) {
    bool right = false;
    PGresult *result = PQexec(a->conn, q->sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        say(a, CHECK_FAILED, q->name, PQerrorMessage(a->conn));
    else {
        const char *wrong = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
        right = wrong[0] == '\0';
        if (!right || !quiet)
            say(a, right ? CHECK_OK : q->wrong, q->name, right ? q->right : wrong);
    }
    PQclear(result);
    return right;
}

static void ask_database(const struct scope_look *look, PGconn *conn, const char *database) {
    struct asking a = {look, conn, database};
    bool right = true;
    for (size_t i = 0; i < sizeof database_questions / sizeof database_questions[0]; i++)
        right = ask(&a, &database_questions[i], true) && right;
    if (right)
        say(&a, CHECK_OK, "scope rights", "nothing beyond the scopes");
}

/* ---- credentials ---- */

static void digest_of(const struct verifier *v, char out[65]) {
    char text[257];
    uint8_t digest[32];
    struct writer w = writer_of(text, sizeof text), hex = writer_of(out, 65);
    verifier_text(&w, v);
    if (EVP_Digest(text, w.len, digest, NULL, EVP_sha256(), NULL) == 1)
        text_hex(&hex, view_of(digest, sizeof digest));
    writer_u8(&hex, 0);
}

/* An operator may change the password of the role they are: the proxy's own would not fit any more, and
 * theirs would. */
static void check_verifiers(const struct asking *a) {
    PGresult *result = PQexec(a->conn, "SELECT role, digest FROM " PROVISION_SCHEMA ".scope_verifiers()");
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        say(a, CHECK_FAILED, "scope credentials", PQerrorMessage(a->conn));
    for (enum scope s = 0; PQresultStatus(result) == PGRES_TUPLES_OK && s < SCOPE_COUNT; s++) {
        const struct scope_login *login = &a->look->tenant->scope[s];
        char expected[65] = "", text[128];
        const char *found = "";
        for (int i = 0; i < PQntuples(result); i++)
            if (strcmp(PQgetvalue(result, i, 0), scope_role(s)) == 0)
                found = PQgetvalue(result, i, 1);
        if (login->known)
            digest_of(&login->verifier, expected);
        bool right = login->known && strcmp(expected, found) == 0;
        snprintf(text, sizeof text, "%s: %s", scope_role(s),
                 right           ? "the instance has the one that the proxy has"
                 : !login->known ? "the proxy has none; run tenant provision"
                                 : "changed on the instance; run tenant rotate");
        say(a, right ? CHECK_OK : CHECK_FAILED, "scope credentials", text);
    }
    PQclear(result);
}

/* ---- all of it ---- */

static void other_databases(const struct asking *a) {
    PGresult *list = PQexec(a->conn, "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT "
                                     "datistemplate AND datname <> pg_catalog.current_database() ORDER BY 1");
    for (int i = 0; i < PQntuples(list); i++) {
        char why[512];
        const char *database = PQgetvalue(list, i, 0);
        PGconn *conn = a->look->enter(a->look->arg, database, why);
        struct asking there = {a->look, conn, database};
        if (conn)
            ask_database(a->look, conn, database);
        else
            say(&there, CHECK_WARNING, "scope rights", why);
        PQfinish(conn);
    }
    PQclear(list);
}

static bool roles_there(const struct asking *a) {
    PGresult *result =
        PQexec(a->conn, "SELECT count(*) FROM pg_catalog.pg_roles WHERE rolname IN (" ROLE_NAMES ")");
    bool all = PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "4") == 0;
    bool none = PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "0") == 0;
    PQclear(result);
    if (all)
        say(a, CHECK_OK, "scope roles", "all four");
    else
        say(a, none ? CHECK_WARNING : CHECK_FAILED, "scope roles",
            none ? "none: no operator can be let in before tenant provision is run again"
                 : "not all four are there");
    return all;
}

void scope_check(const struct scope_look *look, PGconn *conn) {
    struct asking a = {look, conn, ""};
    if (!roles_there(&a))
        return;
    for (size_t i = 0; i < sizeof instance_questions / sizeof instance_questions[0]; i++)
        ask(&a, &instance_questions[i], false);
    if (PQserverVersion(conn) >= 150000)
        ask(&a, &parameter_question, false);
    check_verifiers(&a);
    ask_database(look, conn, PQdb(conn));
    other_databases(&a);
}
