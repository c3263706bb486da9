/* SPDX-License-Identifier: ISC
 *
 * Starts one of our processes: a fresh address space, named for ps, with an environment of the few variables
 * below and no descriptor but the standard three, its channel as number 3 and its statistics page as number
 * 5. It is this very program again, or sekisho-session, which lies beside it or where it was installed. Both
 * are the files that were there when the guard started: an upgrade underneath does not mix versions.
 */
#ifndef SEKISHO_SUPERVISOR_SPAWN_H
#define SEKISHO_SUPERVISOR_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#define SPAWN_ROLE "SEKISHO_ROLE"
#define SPAWN_TENANT "SEKISHO_TENANT"
#define SPAWN_CONFIG "SEKISHO_CONFIG"
#define SPAWN_CHANNEL_FD 3
#define SPAWN_PROGRAM_FD 4 /* in sekisho-session at birth: its own file */
#define SPAWN_PROGRAM_PATH "/proc/self/fd/4"
#define SPAWN_PAGE_FD 5

struct spawn {
    const char *role;
    const char *tenant; /* of a cell; NULL */
    const char *config; /* path, for the supervisor; NULL */
    const char *ids;    /* "uid:gid" that it becomes; "" or NULL: stays who we are */
    int channel;        /* becomes SPAWN_CHANNEL_FD; -1: none. The supervisor's is the program of cells */
    int program;        /* of spawn_open_session, above SPAWN_PROGRAM_FD; -1: this very program */
    int page;           /* becomes SPAWN_PAGE_FD; above it, or else there is none */
    bool own_group;     /* out of the terminal's foreground group: Ctrl-C is for the guard alone */
    bool notify;        /* keeps NOTIFY_SOCKET */
};

/* sekisho-session as a descriptor to start it by, or -1 with errno set. */
int spawn_open_session(void);

/* The process id, or -1 with errno set. */
pid_t spawn(const struct spawn *what);

#endif
