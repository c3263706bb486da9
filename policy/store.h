/* SPDX-License-Identifier: ISC
 *
 * The control store behind one small interface: a const struct per back end, each in its own file
 * (store_sqlite.c; a PostgreSQL one for fleets is to come). Used by the keeper (reads) and by sekishoctl
 * (reads and writes). May block. Not thread-safe. Every change is one transaction that also appends to the
 * outbox, from which the keeper writes the session log's admin.change records.
 */
#ifndef SEKISHO_STORE_H
#define SEKISHO_STORE_H

#include "directory.h"
#include "seal.h"

struct store;

enum store_result { STORE_OK, STORE_NOT_FOUND, STORE_CONFLICT, STORE_INVALID, STORE_UNAVAILABLE };

/* One administrative change, for the log. */
struct change {
    uint64_t id; /* grows */
    int64_t wall_us;
    char tenant[TENANT_ID_MAX + 1];
    char actor[64];   /* the local account that ran sekishoctl: "root", "uid 1000" */
    char action[64];  /* "tenant.add", "tenant.set", "tenant.suspend", ... */
    char detail[513]; /* "max_connections: 100 -> 200"; never a secret */
};

/* A row of the statement log, as it is: nothing in the store vouches for it. */
struct statement_row {
    uint64_t n; /* from 1, without gaps */
    struct view body;
    struct view signature;
};

struct store_driver {
    const char *name;
    /* location: a path (SQLite). create: make it and its schema when missing. NULL, with why. An older schema
     * is migrated when `create`, refused otherwise; a newer one is refused. */
    struct store *(*open)(const char *location, bool create, const uint8_t key[SEAL_KEY], char why[256]);
    void (*close)(struct store **s);
    /* Changes whenever anybody committed a change; cheap enough for five times a second. */
    enum store_result (*version)(struct store *s, uint64_t *out);
    /* Calls `each` for every tenant in the order of ids, secrets opened; `each` may take over what t owns.
     * False from `each` stops and is no error. */
    enum store_result (*tenants)(struct store *s, bool (*each)(void *arg, struct tenant *t), void *arg);
    enum store_result (*tenant)(struct store *s, const char *id, struct tenant *out);
    /* Inserts (CONFLICT when the id, a host name or a listen address is taken) or replaces (NOT_FOUND) one
     * whole tenant. */
    enum store_result (*put)(struct store *s, const struct tenant *t, bool insert, const struct change *why);
    enum store_result (*remove)(struct store *s, const char *id, const struct change *why);
    /* As remove, with everything that is kept about the tenant but what people signed; its id stays taken for
     * ever: `put` refuses to insert it again. NOT_FOUND also when it was erased before. */
    enum store_result (*erase)(struct store *s, const char *id, const struct change *why);
    /* The auth query's credentials: role and password, sealed. */
    enum store_result (*auth_set)(struct store *s, const char *id, const char *role, struct view password,
                                  const struct change *why);
    enum store_result (*auth_get)(struct store *s, const char *id, char role[64], char password[129]);
    /* Verifiers kept in the store, for instances without the function; text "" removes. */
    enum store_result (*verifier_set)(struct store *s, const char *id, struct view user, struct view text,
                                      const struct change *why);
    enum store_result (*verifier_get)(struct store *s, const char *id, struct view user, char text[257]);
    /* How the proxy logs in as sekisho_<scope>; kept sealed, part of what `tenant` and `tenants` give,
     * untouched by `put`. login->known false removes it. */
    enum store_result (*scope_set)(struct store *s, const char *id, enum scope scope,
                                   const struct scope_login *login, const struct change *why);
    /* Appends to the statement log; *n is the number it got. CONFLICT when the same bytes are there already.
     */
    enum store_result (*statement_add)(struct store *s, struct view body, struct view signature,
                                       const struct change *why, uint64_t *n);
    /* Rows with n > after, in order; false from `each` stops and is no error. */
    enum store_result (*statements)(struct store *s, uint64_t after,
                                    bool (*each)(void *arg, const struct statement_row *row), void *arg);
    /* Operators of the directory. Inserts (CONFLICT) or replaces (NOT_FOUND). */
    enum store_result (*operator_put)(struct store *s, const struct operator* o, bool insert,
                                      const struct change *why);
    enum store_result (*operator_remove)(struct store *s, const char *id, const struct change *why);
    enum store_result (*operators)(struct store *s, bool (*each)(void *arg, const struct operator* o),
                                   void *arg);
    /* The outbox: changes with id > after, in order. Then `settled` marks those up to `id` as written in the
     * log. */
    enum store_result (*changes)(struct store *s, bool (*each)(void *arg, const struct change *c), void *arg);
    enum store_result (*settled)(struct store *s, uint64_t id);
    /* A text for the last failure, valid until the next call. */
    const char *(*why)(struct store *s);
};

struct store {
    uint32_t magic;
    const struct store_driver *driver;
    /* the driver's own members follow */
};

extern const struct store_driver store_sqlite;

#endif
