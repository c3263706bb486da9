/* SPDX-License-Identifier: ISC
 *
 * The four roles by which PostgreSQL itself enforces an operator's scope: sekisho_diagnose, sekisho_read,
 * sekisho_write, sekisho_admin. What each may do rests on privileges only; settings of theirs are a courtesy.
 * Schema sekisho gets functions that show what runs without showing what it says (sekisho.activity() and
 * others).
 *
 * diagnose: catalogs, statistics without values, settings, locks, sizes. No row, no pg_stats value, no query
 * text. read:     and every row (pg_read_all_data). Not past row security. write:    and INSERT, UPDATE,
 * DELETE on every table, and sequences (pg_write_all_data). No TRUNCATE, no definition. admin:    and query
 * texts and the rest of pg_monitor, ending other sessions (pg_signal_backend), CHECKPOINT, and from
 *           PostgreSQL 17 on VACUUM, ANALYZE, REINDEX, CLUSTER, REFRESH (pg_maintain). Not CREATE anywhere,
 * nor any owner's rights: whoever may make a function in a schema can have others run it.
 */
#ifndef SEKISHO_PROVISION_SCOPE_H
#define SEKISHO_PROVISION_SCOPE_H

#include "directory.h"
#include "provision.h"

struct pg_conn; /* libpq's PGconn */

/* Owns the functions that show statistics; cannot log in. */
#define SCOPE_STATS_ROLE "sekisho_stats"

/* Draws a login that has no password at all: a random ClientKey and the verifier that fits it. */
void scope_login_draw(struct scope_login *out);
/* The name of a scope's role. */
const char *scope_role(enum scope s);

/* Inside the caller's transaction in the auth database: makes the roles, or brings them back to what they
 * must be, and lets them into every database there is. */
bool scope_install_roles(struct pg_conn *conn, const struct scope_login logins[SCOPE_COUNT], char why[512]);
/* Inside the caller's transaction in any database: schema, functions, and nobody's right to create in schema
 * public but that of those who already did. */
bool scope_install_database(struct pg_conn *conn, char why[512]);
/* Every other database that lets anybody in, each in a transaction of its own. */
bool scope_install_databases(const char *admin_conninfo, const struct tenant *t, char why[512]);

/* How the checks enter another database as the auth role; NULL, with why. */
typedef struct pg_conn *scope_enter_fn(void *arg, const char *database, char why[512]);
struct scope_look {
    const struct tenant *tenant;
    check_fn *report; /* one of these for each check */
    scope_enter_fn *enter;
    void *arg; /* for both */
};
/* conn: the auth role in the auth database. Roles, their rights and what PUBLIC's rights would add to them.
 */
void scope_check(const struct scope_look *look, struct pg_conn *conn);

#endif
