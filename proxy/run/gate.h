/* SPDX-License-Identifier: ISC
 *
 * The gate's rooms, for its own files only. A visitor is a connection whose tenant is not yet known or whose
 * cell is not yet there; a ward is a tenant as the gate sees it: its cells, and the visitors who wait for
 * one.
 */
#ifndef SEKISHO_GATE_H
#define SEKISHO_GATE_H

#include "bucket.h"
#include "gate_guess.h"
#include "greet.h"
#include "outbox.h"
#include "role.h"
#include "route.h"

#include <sys/queue.h>
#include <uthash.h>

#define GATE_MAGIC 0x6a7e0001u
#define VISITOR_MAGIC 0x6a7e0002u
#define WARD_MAGIC 0x6a7e0003u
#define GATE_CELL_MAGIC 0x6a7e0004u

struct gate;
struct gate_listener;
struct cancel_pid;
struct cancel_key;
struct crowd;
struct login_count;

TAILQ_HEAD(visitors, visitor);

struct visitor {
    uint32_t magic;
    struct gate *gate;
    int fd;
    struct event *readable;
    struct greet greet;
    uint64_t session;
    int64_t accepted_us; /* monotonic */
    struct address client, local, via;
    size_t least;      /* bytes the kernel shall wait for before it wakes us (SO_RCVLOWAT) */
    char *server_name; /* owned; NULL until the ClientHello was read */
    bool direct;
    bool operators;          /* it came in on the operators' plane */
    bool spoke;              /* bytes came from it */
    bool told;               /* refused by a limit, and it shall hear why */
    struct crowd *from, *to; /* gate_crowd.c: where it is counted; NULL: not yet */
    TAILQ_ENTRY(visitor) by_age;
    TAILQ_ENTRY(visitor) in_line;
    struct visitors *line; /* where it waits: a ward's, or the gate's; NULL while it greets */
};

struct gate_cell {
    uint32_t magic;
    struct gate *gate;
    struct ward *ward;
    struct channel *channel;
    uint32_t id, pid;
    uint64_t handed; /* connections given to it */
    bool retired;    /* was told that nothing more will come */
    uint32_t key_count;
    bool keys_full; /* said so in the log */
    LIST_HEAD(, cancel_key) keys;
    TAILQ_ENTRY(gate_cell) in_ward;
};

struct ward {
    uint32_t magic;
    char tenant[TENANT_ID_MAX + 2]; /* with an '@' before it: the tenant as operators reach it */
    TAILQ_HEAD(, gate_cell) cells;  /* the next one to use first */
    uint32_t open;                  /* of them, not retired */
    struct visitors waiting;
    int64_t asked_us; /* when the supervisor was asked for a cell; 0: no answer is awaited */
    UT_hash_handle hh;
};

struct route_tenant {
    char tenant[TENANT_ID_MAX + 1];
    uint32_t cells;
    UT_hash_handle hh;
};

struct routing { /* who is who; replaced as a whole */
    struct routes *table;
    struct route_tenant *tenants;
    struct route_tenant *last; /* the tenant whose routes are being told */
};

struct gate {
    uint32_t magic;
    const struct settings *settings;
    struct channel *broker, *ledger, *lobby;
    struct outbox *outbox;
    bool draining;

    LIST_HEAD(listener_set, gate_listener) listeners, coming; /* coming: the set being told */
    struct event *accept_again;
    int64_t pause_logged_us;

    struct visitors by_age; /* all of them, oldest first: they share one time limit */
    struct visitors held;   /* greeted, but there are no routes or there is no lobby */
    uint32_t visitor_count;
    uint32_t operator_count; /* of them, on the operators' plane */
    struct crowd *crowds;
    struct login_count *logins; /* unfinished ones that a cell has */
    TAILQ_HEAD(, login_count) logins_by_age;
    struct buckets *address_rates, *tenant_rates, *told_rates;
    uint64_t last_session;
    uint32_t session_salt;
    struct event *too_old;
    uint32_t shed, fast;     /* turned away since the last line about it: too many, too fast */
    struct event *shed_told; /* pending: a line was written within the last second */

    struct routing routing, fresh;
    struct ward *wards;
    struct event *ask_again;

    struct cancel_pid *keys;
    struct guesses *guesses;
};

/* gate_accept.c: listening sockets */
void gate_listeners_message(struct gate *g, struct channel *c, enum message_code m, struct reader *body,
                            int fd);
void gate_listeners_close(struct gate *g);

/* gate_crowd.c: how many, and how fast. REFUSAL_NONE, REFUSAL_OVERLOAD or REFUSAL_RATE. */
void crowds_begin(struct gate *g);
enum refusal crowd_arrives(struct visitor *v);
/* The client's address is known: counted there. */
enum refusal crowd_comes_from(struct visitor *v);
/* The tenant is known ("" for none): counted there, once, also when refused. */
enum refusal crowd_goes_to(struct visitor *v, const char *tenant);
/* A cell or the lobby has it now: counted until that is over. */
void crowd_hands_over(struct visitor *v, const struct channel *with);
void crowd_leaves(struct visitor *v);
void crowd_login_over(struct gate *g, const struct channel *with, uint64_t session);
void crowd_cell_gone(struct gate *g, const struct channel *with);

/* gate_visitor.c: from accept to a tenant, or to the way out */
void visitors_begin(struct gate *g);
/* fd is the visitor's from now on, or closed. */
void visitor_arrives(struct gate *g, int fd, const struct address *peer, bool operators);
/* Gives the socket to a cell or the lobby. */
void visitor_handover(struct visitor **v, struct channel *to, enum refusal refusal);
/* A limit of its tenant's ("": none) speaks against it: gone, with a TLS alert. */
void visitor_limited(struct visitor *v, const char *tenant, enum refusal refusal);
/* Puts it at the end of a line, out of any other. */
void visitor_wait(struct visitor *v, struct visitors *line);
/* New connections are refused; those under way are sent off. */
void visitors_drain(struct gate *g);
/* Arms the timer for whoever has waited longest; again when the login timeout has changed. */
void visitors_await(struct gate *g);

/* gate_route.c: whose visitor is it */
void gate_routes_message(struct gate *g, struct channel *c, enum message_code m, struct reader *body);
void gate_routes_forget_fresh(struct gate *g);
/* A greeted visitor goes to its tenant's cell, to the lobby, or waits. */
void visitor_place(struct visitor *v);
/* Tries again for everybody in the line. */
void visitors_place(struct visitors *line);
/* The tenant that owns the address, or NULL. */
const char *gate_dedicated(const struct gate *g, const struct address *local);
uint32_t gate_cells_wanted(const struct gate *g, const char *tenant);

/* gate_cells.c: cells, and who waits for one */
void wards_begin(struct gate *g);
void gate_cell_arrives(struct gate *g, const struct role_peer *peer, int fd);
void ward_place(struct gate *g, const char *tenant, struct visitor *v);
/* Lets a cell tell it why not; false when there is no cell now. */
bool ward_tell(struct gate *g, const char *tenant, struct visitor *v, enum refusal refusal);
void wards_place_again(struct gate *g);
/* An operator's visitor waits for a cell of its own; the cell that arrives takes the one who waited longest.
 */
void ward_place_operator(struct gate *g, const char *tenant, struct visitor *v);
void gate_operator_arrives(struct gate *g, const struct role_peer *peer, int fd);

/* gate_keys.c: cancel keys */
void gate_keys_begin(struct gate *g);
/* Ignored when the cell has more keys than there may be sessions. */
void gate_key_add(struct gate_cell *cell, uint32_t pid, uint32_t key);
void gate_key_remove(struct gate_cell *cell, uint32_t pid, uint32_t key);
void gate_keys_forget(struct gate_cell *cell);
/* scope: "" for a request in plaintext, the asking cell's tenant otherwise. only: whose cells may match;
 * NULL: any. */
void gate_cancel(struct gate *g, const char *scope, const char *only, uint32_t pid, uint32_t key,
                 const struct address *client);

#endif
