/* SPDX-License-Identifier: ISC
 *
 * One tenant's desk for look-ups: its queue, and its connection to the tenant's instance. For lookup.c only.
 */
#ifndef SEKISHO_LOOKUP_DESK_H
#define SEKISHO_LOOKUP_DESK_H

#include "lookup.h"
#include "provision_link.h"

#include <libpq-fe.h>
#include <uthash.h>

struct ask { /* one look-up that waits */
    struct ask *prev, *next;
    uint64_t request;
    int64_t until_us; /* answered LOOKUP_UNAVAILABLE then */
    bool answered;    /* too late, but its query still runs */
    bool retried;     /* its connection died under it once */
    char user[64];
};

enum desk_state {
    DESK_CLOSED,
    DESK_CONNECTING,
    DESK_READY, /* logged in, nobody is served */
    DESK_ASKING /* `current` is served */
};

struct desk {
    UT_hash_handle hh;
    uint32_t magic;
    char id[TENANT_ID_MAX + 1];
    bool named; /* in the directory that is being read */
    struct event_base *base;
    lookup_answer_fn *answer;
    void *arg;
    const struct tenant *tenant; /* the keeper's */
    size_t address_count;        /* its addresses as they were: the keeper changes them in place */
    struct address address[TENANT_ADDRESSES_MAX];
    char role[64], password[129];

    enum desk_state state;
    PGconn *conn;
    struct link link;
    struct event *io;      /* the connection's socket */
    struct event *timer;   /* whatever is due first */
    int64_t operation_us;  /* the connecting's or the query's end */
    int64_t ready_us;      /* unused since */
    int64_t not_before_us; /* after a failure: no new connection before */
    uint32_t back_off_ms;
    size_t first;        /* the address to start with */
    uint64_t received;   /* bytes of the connection when the operation began */
    bool complained;     /* the log has the failure that goes on */
    bool result_seen;    /* of the query that runs */
    enum lookup outcome; /* its result */
    char text[257];

    struct ask *current;
    struct ask *queue; /* in the order of their deadlines */
    size_t pending;    /* all of them, with current */
};

/* Ends the process without memory. */
struct desk *desk_new(struct event_base *base, const char *id, lookup_answer_fn *answer, void *arg);
void desk_free(struct desk **d);
void desk_serve(struct desk *d, const struct tenant *t, const char *role, const char *password);
void desk_ask(struct desk *d, uint64_t request, struct view user);

/* Between the desk's two files. */
void desk_close(struct desk *d);                  /* the connection, if there is one */
void desk_connect(struct desk *d);                /* begins */
void desk_query(struct desk *d);                  /* begins to serve `current` */
void desk_logged_in(struct desk *d);              /* the connection is there */
void desk_served(struct desk *d);                 /* the query is over: outcome and text */
void desk_lost(struct desk *d, const char *why);  /* the connection died by itself */
void desk_fault(struct desk *d, const char *why); /* the instance did what it must not, or nothing in time */

#endif
