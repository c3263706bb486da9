/* SPDX-License-Identifier: ISC
 *
 * The directory: what the control store says about tenants, as one immutable snapshot in memory. Built whole
 * by the keeper's messages, then swapped in; readers never see half of it.
 */
#ifndef SEKISHO_DIRECTORY_H
#define SEKISHO_DIRECTORY_H

#include "address.h"
#include "clock.h"
#include "verifier.h"

#define TENANT_ID_MAX 40     /* [a-z0-9][a-z0-9-]*, as it is a DNS label */
#define TENANT_HOSTS_MAX 8   /* custom host names and dedicated addresses, each */
#define TENANT_NAME_MAX 253  /* a host name */
#define TENANT_PEM_MAX 16384 /* bytes of any one PEM text */
#define TENANT_ADDRESSES_MAX 4
#define TENANT_WIRE_MAX 60000 /* bytes tenant_write makes at most */
#define TENANT_MAGIC 0x7E4A17D1u
#define PERSON_MAX 40 /* an operator's or approver's name: [a-z0-9][a-z0-9._-]* */
#define OPERATOR_MAGIC 0x09E4A704u
#define OPERATOR_NOTE_MAX 255
#define OPERATOR_WIRE_MAX 2048 /* bytes operator_write makes at most */

/* What an operator may do: each is a role sekisho_<scope> on the instance. A higher one includes the lower.
 */
enum scope { SCOPE_DIAGNOSE, SCOPE_READ, SCOPE_WRITE, SCOPE_ADMIN, SCOPE_COUNT };

/* How the proxy logs in as sekisho_<scope>: nobody knows the password any more. */
struct scope_login {
    bool known;
    struct verifier verifier;      /* as installed on the instance */
    uint8_t client_key[SCRAM_KEY]; /* secret */
};

enum tenant_state { TENANT_ACTIVE = 1, TENANT_SUSPENDED = 2, TENANT_RETIRED = 3 };

struct tenant {
    uint32_t magic;
    char id[TENANT_ID_MAX + 1];
    char service[64]; /* service code (control 4.2); may be empty */
    char labels[256]; /* "key=value,key=value"; may be empty */
    enum tenant_state state;
    uint32_t max_connections; /* 0: the configuration's tenant_max_connections */
    uint32_t cells;           /* 0: the configuration's cells_per_tenant */
    size_t host_count;
    char host[TENANT_HOSTS_MAX][TENANT_NAME_MAX + 1]; /* custom host names, lower case */
    size_t listen_count;
    struct address listen[TENANT_HOSTS_MAX]; /* dedicated addresses, with port */
    struct ranges allowed;                   /* client addresses; count 0: any */
    char instance_host[TENANT_NAME_MAX + 1]; /* name or address to connect to */
    uint16_t instance_port;
    char instance_name[TENANT_NAME_MAX +
                       1];  /* name the instance's certificate must carry; empty: instance_host */
    char admins[256];       /* roles of the tenant's that may use the console, separated by commas */
    char auth_database[64]; /* where the verifier function lives; default "postgres" */
    size_t address_count;   /* instance_host resolved by the keeper; none: unreachable */
    struct address address[TENANT_ADDRESSES_MAX];
    char *instance_ca;        /* PEM, owned; "" : the system's trust store */
    char *client_certificate; /* PEM the proxy shows to the instance, owned; may be "" */
    char *client_key;         /* its key, PEM, owned, secret */
    struct scope_login scope[SCOPE_COUNT];
};

/* Being here is necessary for an operator to get in, and never sufficient. */
struct operator{
    uint32_t magic;
    char id[PERSON_MAX + 1]; /* the common name of the certificate */
    char note[OPERATOR_NOTE_MAX + 1];
    struct ranges allowed; /* addresses to come from; count 0: any */
};

/* Checks one tenant by itself: id, names, port, state. *why is a short text when it is not good. */
bool tenant_check(const struct tenant *t, const char **why);
bool tenant_id_valid(struct view id);
/* A lower-case DNS name of at most TENANT_NAME_MAX bytes, whole labels, no trailing dot. */
bool host_name_valid(struct view name);

/* Makes the owned texts empty and the rest zero, but auth_database its default. */
void tenant_begin(struct tenant *t);
/* Replaces one of the owned texts by a copy of v; the old one is wiped. False, with nothing changed, when v
 * is longer than TENANT_PEM_MAX or holds a NUL. */
bool tenant_text(char **text, struct view v);
/* Frees and wipes what it owns. */
void tenant_end(struct tenant *t);
/* For the keeper's message: everything but nothing else; secrets included, as the channel is between trusted
 * processes. tenant_read allocates the owned texts: tenant_end on any outcome. At most 60,000 bytes. */
void tenant_write(struct writer *w, const struct tenant *t);
bool tenant_read(struct reader *r, struct tenant *t);

bool person_valid(struct view name);
/* The id and the note. */
bool operator_check(const struct operator* o, const char **why);
void operator_write(struct writer *w, const struct operator* o);
bool operator_read(struct reader *r, struct operator* o);

struct snapshot;

/* taken: when the keeper read it. Owned by the caller until snapshot_free. NULL without memory. */
struct snapshot *snapshot_new(uint64_t version, struct moment taken);
void snapshot_free(struct snapshot **s);
/* Before the first snapshot_add: without it the rule about names under `domain` is not checked. */
void snapshot_domain(struct snapshot *s, const char *domain);
/* Takes over what *t owns (even when it fails) and empties it; only its id stays after a failure, for the
 * message. False, with *why, when the tenant is not good, or its id, a host name or a listen address is
 * already another's, or a host name equals another tenant's name under `domain`. */
bool snapshot_add(struct snapshot *s, struct tenant *t, const char **why);
uint64_t snapshot_version(const struct snapshot *s);
struct moment snapshot_taken(const struct snapshot *s);
size_t snapshot_count(const struct snapshot *s);
/* NULL when there is none. Valid as long as the snapshot. */
const struct tenant *snapshot_tenant(const struct snapshot *s, const char *id);
/* In the order of ids; index < snapshot_count. */
const struct tenant *snapshot_at(const struct snapshot *s, size_t index);
/* Copies. False, with *why, when the operator is not good or already there. */
bool snapshot_add_operator(struct snapshot *s, const struct operator* o, const char **why);
size_t snapshot_operators(const struct snapshot *s);
/* NULL when there is none: nobody of that name gets in. */
const struct operator* snapshot_operator(const struct snapshot *s, const char *id);

#endif
