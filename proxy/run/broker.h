/* SPDX-License-Identifier: ISC
 *
 * The broker's own parts, for its files only: broker.c (frame, keeper, gate), broker_cells.c (what cells
 * ask), broker_turns.c (guessers wait), broker_verifiers.c (verifiers, from the keeper, kept for a while),
 * broker_connect.c (sockets to instances), broker_control.c (the control socket), broker_operators.c,
 * broker_grants.c and broker_erase.c (operators and what people signed: broker_grants.h).
 */
#ifndef SEKISHO_BROKER_H
#define SEKISHO_BROKER_H

#include "admission.h"
#include "channel.h"
#include "penalty.h"
#include "role.h"
#include "session.h"

#include <uthash.h>

/* A session the broker has let in, or is letting in. */
struct holding {
    struct holding_key {
        uint64_t session, cell; /* a cell can guess others' ids: naming one must not touch them */
    } key;
    struct broker_cell *cell;
    struct address client, instance;              /* instance: where it was connected to */
    int64_t since_us;                             /* wall */
    uint32_t pid;                                 /* the instance's process; 0 until logged in */
    char user[64], database[64], application[65]; /* user: the operator, for one */
    char grant[17], ticket[129];                  /* of an operator's session; "" for a tenant's */
    enum scope scope;
    int64_t ends_us, cut_us; /* mono: the grant's end; when it was told to go, or 0 */
    UT_hash_handle hh;
};

struct broker_cell {
    uint32_t magic;
    enum role role; /* R_CELL, or R_OPERATOR */
    uint32_t id, pid;
    char tenant[TENANT_ID_MAX + 1];
    struct channel *channel;
    uint32_t asking;  /* verifiers it waits for */
    uint32_t held;    /* admissions whose turn has not come */
    uint32_t cancels; /* connections for cancel requests that are being made */
    uint64_t told;    /* fingerprint of the TENANT and INSTANCE_TRUST last sent */
    /* Of an operator's cell, whose one session it is: */
    bool asked;
    char operator[64], grant[17]; /* what it was let in with, whatever it says later; "" */
    int64_t ends_us, over_us;     /* mono: the grant's end; when it was seen to be over, or 0 */
    UT_hash_handle hh;            /* by id */
};

struct tenant_count {
    char tenant[TENANT_ID_MAX + 1];
    uint32_t sessions;
    UT_hash_handle hh;
};

struct broker {
    const struct settings *settings;
    struct snapshot *snapshot; /* NULL until the keeper's first */
    struct snapshot *building;
    struct moment fresh; /* when the keeper last said that the snapshot is the store's state */
    struct channel *keeper, *gate, *console;
    struct broker_cell *cells;
    struct holding *holdings;
    struct tenant_count *counts;
    uint32_t sessions;  /* of tenants */
    uint32_t operators; /* sessions of theirs */
    struct penalty *penalty;
    uint8_t fleet_secret[32];
    bool secret_known;
};
extern struct broker broker;

/* broker_cells.c */
void cells_add(const struct role_peer *peer, int fd);
struct broker_cell *cells_find(uint32_t id);
/* Tells a cell who its tenant is, when that has changed or `always`. */
void cells_tell(struct broker_cell *c, bool always);
/* After a new snapshot: tells all cells, cuts the sessions that may not go on. */
void cells_snapshot(void);
void cells_identities(void);
void cells_cut(struct holding *h, enum close_reason reason, const struct failure *f);
void cells_refuse(struct broker_cell *c, uint64_t request, enum refusal refusal, const struct failure *f);
struct holding *holding_find(const struct broker_cell *c, uint64_t session);
struct holding *holding_add(struct broker_cell *c, uint64_t session, const struct admission_request *q);
void holding_remove(struct holding *h);
/* A 32-bit length and the bytes: what furnish_blob reads. */
void write_blob(struct writer *w, struct view v);
/* The bytes of a file; 0 when it cannot be read, is empty, or does not fit. */
size_t read_file(const char *path, uint8_t *at, size_t cap);

/* An admission whose turn has come. */
void cells_admit(struct broker_cell *c, uint64_t request, uint64_t session,
                 const struct admission_request *q);

/* broker_turns.c: when the outcome of a password's proof may be told */
/* True when no further guess at this user from there would be told: refused, before any proof. */
bool turns_refuse_crowd(struct broker_cell *c, uint64_t request, struct view user,
                        const struct address *from);
void turns_wrong(struct broker_cell *c, uint64_t request, struct view user, const struct address *from);
/* Admits now or later. False when the cell asks what it may not. */
bool turns_right(struct broker_cell *c, uint64_t request, uint64_t session,
                 const struct admission_request *q);
/* The session is over before its turn. */
void turns_forget(const struct broker_cell *c, uint64_t session);
void turns_cell_gone(const struct broker_cell *c);

/* broker_verifiers.c */
void verifiers_ask(struct broker_cell *c, uint64_t request, struct view user, const struct address *from);
void verifiers_told(struct channel *keeper, struct reader *body);
/* A login failed with what we had for this user: look again next time. */
void verifiers_doubt(const char *tenant, struct view user);
/* To a new keeper: everything still unanswered. */
void verifiers_ask_again(void);

/* broker_connect.c */
/* Connects to one of the tenant's addresses (or just to *only when not NULL) and answers the cell's request
 * with the socket, or with a refusal; removes the holding of `session` then, unless session is 0. */
void connect_begin(struct broker_cell *c, uint64_t request, uint64_t session, const struct tenant *t,
                   const struct address *only);
void connect_cell_gone(const struct broker_cell *c);
/* The session is over before its connection was made. */
void connect_forget(const struct broker_cell *c, uint64_t session);

/* broker_console.c */
void console_peer(uint32_t id, int fd);
/* A socket whose other end the console has got, told who is there; -1 while there is no console. */
int console_connect(uint64_t session, enum console_kind kind, const char *name, const char *tenant);

/* broker_control.c */
void control_accept(int fd);
void control_process(struct channel *supervisor, struct reader *body);

#endif
