/* SPDX-License-Identifier: ISC
 *
 * Starts this very program again, as one of its roles: a fresh address space, named for ps, with an
 * environment of the few variables below and no descriptor but the standard three and, as number 3, its
 * channel.
 */
#ifndef SEKISHO_SUPERVISOR_SPAWN_H
#define SEKISHO_SUPERVISOR_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#define SPAWN_ROLE "SEKISHO_ROLE"
#define SPAWN_TENANT "SEKISHO_TENANT"
#define SPAWN_CONFIG "SEKISHO_CONFIG"
#define SPAWN_CHANNEL_FD 3

struct spawn {
    const char *role;
    const char *tenant; /* of a cell; NULL */
    const char *config; /* path, for the supervisor; NULL */
    int channel;        /* becomes SPAWN_CHANNEL_FD; -1: none */
    bool own_group;     /* out of the terminal's foreground group: Ctrl-C is for the guard alone */
    bool notify;        /* keeps NOTIFY_SOCKET */
};

/* The process id, or -1 with errno set. */
pid_t spawn(const struct spawn *what);

#endif
