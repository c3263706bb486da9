/* SPDX-License-Identifier: ISC
 *
 * See provision_admin.h.
 */
#include "provision_admin.h"
#include "provision.h"
#include "provision_text.h"

#include <stdio.h>
#include <string.h>

bool admin_fail(char why[512], const char *what, const char *error) {
    snprintf(why, 512, "%s: ", what);
    size_t used = strlen(why);
    provision_one_line(view_text(error), why + used, 512 - used);
    return false;
}

bool admin_run(PGconn *conn, const char *sql, char why[512]) {
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return true;
    return admin_fail(why, "the instance refused a statement", PQerrorMessage(conn));
}

bool admin_ask(PGconn *conn, const char *sql, char *out, size_t cap, char why[512]) {
    PGresult *result = PQexec(conn, sql);
    bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
    snprintf(out, cap, "%s", good && PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return good || admin_fail(why, "the instance refused a question", PQerrorMessage(conn));
}

static void ignore_notice(void *arg, const char *message) {
}

PGconn *admin_connect(const char *conninfo, const char *database, char why[512]) {
    char *error = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &error);
    if (!options) {
        admin_fail(why, "not a connection string", error ? error : "out of memory");
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
    value[n++] = database[0] ? database : "postgres";
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
    admin_fail(why, "cannot connect as the administrator", PQerrorMessage(conn));
    PQfinish(conn);
    return NULL;
}

bool admin_begin(PGconn *conn, char why[512]) {
    return admin_run(
        conn,
        "BEGIN; SET LOCAL log_statement = 'none'; SET LOCAL log_min_duration_statement = -1; "
        "SET LOCAL log_min_error_statement = 'panic'; SET LOCAL search_path = pg_catalog, pg_temp",
        why);
}

bool admin_ground(PGconn *conn, char why[512]) {
    char answer[128];
    if (!admin_ask(conn, "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user", answer,
                   sizeof answer, why))
        return false;
    if (strcmp(answer, "t") != 0)
        return admin_fail(why, "not a superuser", "the verifier function must belong to one");
    if (!admin_ask(conn,
                   "SELECT r.rolname FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = "
                   "n.nspowner "
                   "WHERE n.nspname = '" PROVISION_SCHEMA "' AND NOT r.rolsuper",
                   answer, sizeof answer, why))
        return false;
    return !answer[0] ||
           admin_fail(why, "schema " PROVISION_SCHEMA " is there already and belongs to", answer);
}
