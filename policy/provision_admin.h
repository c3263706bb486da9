/* SPDX-License-Identifier: ISC
 *
 * Private to provisioning: an administrator's connection to an instance, and statements on it that say why
 * they failed. Blocking.
 */
#ifndef SEKISHO_PROVISION_ADMIN_H
#define SEKISHO_PROVISION_ADMIN_H

#include "bytes.h"

#include <libpq-fe.h>

/* Writes "what: error" as one line; false, for returning. */
bool admin_fail(char why[512], const char *what, const char *error);
/* Connects as the administrator said, but to this database. NULL, with why. */
PGconn *admin_connect(const char *conninfo, const char *database, char why[512]);
/* Runs SQL, of which only success matters. */
bool admin_run(PGconn *conn, const char *sql, char why[512]);
/* The first column of the first row, or empty without a row. */
bool admin_ask(PGconn *conn, const char *sql, char *out, size_t cap, char why[512]);
/* Begins the transaction that installs something: what it says stays out of the instance's own log. */
bool admin_begin(PGconn *conn, char why[512]);
/* Only a superuser may provision, and schema sekisho, when it is there, must be one's: whoever owned it could
 * put another function in front of ours. */
bool admin_ground(PGconn *conn, char why[512]);

#endif
