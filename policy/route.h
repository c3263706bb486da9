/* SPDX-License-Identifier: ISC
 *
 * Which tenant a connection means: by server name (<id>.<domain>, or one of the tenant's own host names) and
 * by the address it came in at. Whole-name match only. Every signal that names a tenant must agree. The table
 * is built from routes that the broker sends the gate; it holds active tenants only, so that unknown,
 * suspended and retired are alike.
 */
#ifndef SEKISHO_ROUTE_H
#define SEKISHO_ROUTE_H

#include "directory.h"

struct routes;

enum route_result {
    ROUTE_FOUND,
    ROUTE_NO_SIGNAL, /* neither a server name nor a dedicated address */
    ROUTE_UNKNOWN,   /* a server name that is no active tenant's */
    ROUTE_DISAGREE   /* server name and dedicated address mean different tenants */
};

struct routes *routes_new(void);
void routes_free(struct routes **r);
/* Both false when the key is taken by another tenant. */
bool routes_add_name(struct routes *r, const char *name, const char *tenant);
bool routes_add_address(struct routes *r, const struct address *local, const char *tenant);
/* server_name: lower case, "" for none. local: the address the client connected to. On ROUTE_FOUND *tenant is
 * valid as long as the table. */
enum route_result routes_find(const struct routes *r, const char *server_name, const struct address *local,
                              const char **tenant);

#endif
