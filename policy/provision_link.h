/* SPDX-License-Identifier: ISC
 *
 * How libpq is told to reach one tenant's instance: TLS verified in full, our client certificate, an address
 * instead of a look-up, and nothing from the environment or a home folder. libpq wants files for
 * certificates: they are memory files (memfd_create) of this process, so that no key touches a disk.
 */
#ifndef SEKISHO_PROVISION_LINK_H
#define SEKISHO_PROVISION_LINK_H

#include "directory.h"

#define LINK_PARAMETERS_MAX 24

struct link {
    uint32_t magic;
    int ca, certificate, key; /* memory files; -1: none */
    char ca_path[64], certificate_path[64], key_path[64];
    char hosts[TENANT_ADDRESSES_MAX * (TENANT_NAME_MAX + 1)], addresses[TENANT_ADDRESSES_MAX * ADDRESS_TEXT];
    char ports[TENANT_ADDRESSES_MAX * 8];
    size_t count;
    const char *keyword[LINK_PARAMETERS_MAX + 1]; /* for PQconnectStartParams, NULL at the end */
    const char *value[LINK_PARAMETERS_MAX + 1];
};

enum link_trust {
    LINK_OURS,  /* with the tenant's client certificate */
    LINK_NAKED, /* TLS without a client certificate, as somebody who comes past the proxy */
    LINK_PLAIN  /* without TLS, as somebody who comes past the proxy */
};

/* Forgets PG* variables and the home folder: what is not in the link must not come from elsewhere. */
void link_clean_environment(void);
/* Fills the link; user, database and password must live as long as it is used. password NULL: none. first:
 * which of the tenant's addresses (there must be one) is tried first. False without memory files; link_end on
 * any outcome. */
bool link_begin(struct link *l, enum link_trust trust, const struct tenant *t, size_t first, const char *user,
                const char *database, const char *password);
/* The file of the system's certificate authorities, for instances that have none of their own. */
const char *link_system_authorities(void);
/* One more parameter, before connecting. */
void link_add(struct link *l, const char *keyword, const char *value);
/* Closes the memory files, whose content goes with them; safe to call twice. */
void link_end(struct link *l);

#endif
