/* SPDX-License-Identifier: ISC
 *
 * The desk from another machine: the proxy's console, the virtual database `sekisho`, over libpq. Whoever
 * connects is known there by certificate (the provider's people) or password (a tenant's administrator); keys
 * stay here, and only signed statements travel.
 */
#ifndef SEKISHO_DESK_REMOTE_H
#define SEKISHO_DESK_REMOTE_H

#include "ctl.h"

struct remote_wish {  /* each may be NULL: then libpq's own environment and files count */
    const char *host; /* HOST or HOST:PORT, or the folder of a local socket */
    const char *service;
};

/* Connects, and reads the rules that grants are judged by into *rules: the settings, as far as they matter
 * here. CTL_DONE, or the exit code after saying why. Once a run. */
int desk_remote_connect(const struct remote_wish *wish, struct settings *rules);
void desk_remote_close(void);

#endif
