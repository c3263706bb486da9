/* SPDX-License-Identifier: ISC
 *
 * The accounts of section [users], for a proxy that is started as root: what each of its processes becomes,
 * and whose its files are.
 */
#ifndef SEKISHO_USERS_H
#define SEKISHO_USERS_H

#include "settings.h"

#include <sys/types.h>

struct user {
    bool set;
    uid_t uid;
    gid_t gid;
};

struct users {
    struct user session, broker, ledger;
};

/* Looks the three up (a name of this host's, or a number that is user and group). The ledger gets the
 * broker's group, as those who may read the log are the broker's account. False, with why: a name that nobody
 * has, or root. Reads /etc/passwd or what else this host knows its accounts from. */
bool users_find(const struct settings *s, struct users *out, char why[256]);

#endif
