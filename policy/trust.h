/* SPDX-License-Identifier: ISC
 *
 * Whose signatures count: public keys in files (*.key) of the folder `trust_dir` on the proxy's host, and
 * nothing else. Only trust_load touches files. A key file is never deleted when a person leaves: a time is
 * set in `withdrawn`.
 *
 *   sekisho-key 1
 *   name: bob
 *   role: provider-approver
 *   tenant: -
 *   not-before: 2026-01-01T00:00:00Z
 *   not-after: 2027-01-01T00:00:00Z
 *   withdrawn: -
 *   public: <base64 of 32 bytes>
 */
#ifndef SEKISHO_TRUST_H
#define SEKISHO_TRUST_H

#include "statement.h"

#define TRUST_KEYS_MAX 4096
#define TRUST_FILE_MAX 1024
#define TRUST_NEVER INT64_MAX

/* A bit each. */
enum trust_role { TRUST_OPERATOR = 1, TRUST_PROVIDER_APPROVER = 2, TRUST_TENANT_APPROVER = 4 };

struct trust_key {
    char name[PERSON_MAX + 1];
    enum trust_role role;
    char tenant[TENANT_ID_MAX + 1]; /* of a tenant approver; "" for the others */
    int64_t not_before, not_after;  /* signatures made from .. before */
    int64_t withdrawn;              /* no signature counts from this time on; TRUST_NEVER */
    uint8_t public[STATEMENT_PUBLIC];
    char id[STATEMENT_KEY_ID + 1];
};

struct trust;

/* NULL without memory. */
struct trust *trust_new(void);
void trust_free(struct trust **t);
/* One file's text. False, with why, when it does not count: it does not parse, its public key is already
 * another name's (then that other's does not count either), it is there twice, or there are too many. */
bool trust_add(struct trust *t, struct view text, char why[STATEMENT_WHY]);
bool trust_parse(struct view text, struct trust_key *out, char why[STATEMENT_WHY]);
bool trust_compose(const struct trust_key *k, struct writer *w);

/* Reads every *.key of the folder in the order of names. Each file that does not count is told to `problem`
 * and left out; a file that others than its owner may write too. NULL, with why, when the folder cannot be
 * read. */
typedef void trust_problem_fn(void *arg, const char *file, const char *why);
struct trust *trust_load(const char *folder, trust_problem_fn *problem, void *arg, char why[256]);

/* Another number when the folder or anything in it came, went, was written, or changed its owner or mode. */
uint64_t trust_mark(const char *folder);

size_t trust_count(const struct trust *t);
const struct trust_key *trust_at(const struct trust *t, size_t index);
/* Is there any file for this person's key, whatever its dates? */
bool trust_knows(const struct trust *t, const char *name, const char *key);
/* Roles of that key of that person for statements about that tenant (a bit each), for a signature made `at`;
 * not looking at withdrawal. 0: none. */
unsigned trust_roles(const struct trust *t, const char *name, const uint8_t public[STATEMENT_PUBLIC],
                     const char *tenant, int64_t at);
/* When the key was or will be withdrawn: the earliest of its files; TRUST_NEVER. */
int64_t trust_withdrawn(const struct trust *t, const char *name, const uint8_t public[STATEMENT_PUBLIC]);
/* Roles the person has now, with any key, for that tenant ("" : for the provider as a whole). */
unsigned trust_person(const struct trust *t, const char *name, const char *tenant, int64_t now);

const char *trust_role_name(enum trust_role role);
bool trust_role_by_name(struct view name, enum trust_role *out);

#endif
