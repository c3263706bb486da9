/* SPDX-License-Identifier: ISC
 *
 * What the proxy needs on an instance, and the proof that it is there and that nobody gets in another way.
 * Through libpq, blocking: for sekishoctl only.
 */
#ifndef SEKISHO_PROVISION_H
#define SEKISHO_PROVISION_H

#include "directory.h"

/* The role of the auth query and its schema on each instance. */
#define PROVISION_ROLE "sekisho_auth"
#define PROVISION_SCHEMA "sekisho"
/* What the keeper asks, $1 the user's name: no row, or one row (rolpassword text, may be null for no
 * password). No row for: no such role, NOLOGIN, expired VALID UNTIL, superuser, reserved names (sekisho_*,
 * pg_*). */
#define PROVISION_QUERY "SELECT verifier FROM sekisho.verifier($1)"

/* Installs (or renews) schema, function and role in the tenant's auth database, over an administrator's
 * connection string for the instance (its superuser); sets the role's password to `password` (sent as a SCRAM
 * verifier, never in clear). The function: SECURITY DEFINER, SET search_path = pg_catalog, pg_temp; EXECUTE
 * for the role only. And the roles of the operators' scopes with these logins (provision_scope.h): in the
 * auth database all in one transaction, then what is needed in each other database. */
bool provision_install(const char *admin_conninfo, const struct tenant *t, const char *password,
                       const struct scope_login logins[SCOPE_COUNT], char why[512]);

/* The pg_hba.conf lines that admit nobody but the proxy: TLS, SCRAM and the proxy's client certificate
 * (clientcert=verify-ca), and reject everybody else. Printed for the instance's administrator. */
void provision_hba(struct writer *w, const struct tenant *t);

/* Makes a self-signed certificate authority of one certificate for this tenant's proxy-to-instance
 * connections: P-256, CN "sekisho proxy for <id>", ten years. The instance's ssl_ca_file is that certificate.
 * Fills the tenant's client_certificate and client_key. */
bool provision_client_certificate(struct tenant *t);

enum check_outcome { CHECK_OK, CHECK_WARNING, CHECK_FAILED };
/* name: "tls", "certificate", "auth role", "verifier function", "bypass without certificate", ... */
typedef void check_fn(void *arg, enum check_outcome outcome, const char *name, const char *detail);
/* Runs every check; false when any failed. password: the auth role's. */
bool provision_check(const struct tenant *t, const char *role, const char *password, check_fn *report,
                     void *arg);

#endif
