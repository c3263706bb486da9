/* SPDX-License-Identifier: ISC
 *
 * Who signs: a private key in a file that stays with its person, with what it is for in comments above the
 * PEM:
 *
 *   # sekisho-key name: alice
 *   # sekisho-key role: operator
 *   # sekisho-key tenant: -
 *   # sekisho-key not-before: 2026-11-24T00:00:00Z
 *   # sekisho-key not-after: 2027-11-24T00:00:00Z
 *
 * The comments are a help for the person only: what the key may sign is what the trust file on the proxy's
 * host says.
 */
#ifndef SEKISHO_PERSON_H
#define SEKISHO_PERSON_H

#include "ctl.h"
#include "trust.h"

struct person {
    uint32_t magic;
    struct signing_key *key;
    struct trust_key is; /* as the comments say; name, public and id are always filled in */
};

/* Nobody yet. */
void person_begin(struct person *p);
/* file: NULL for $SEKISHO_KEY. as: the name to sign with, NULL for the file's. False, after saying why, when
 * there is no key that can be used; person_end on any outcome. */
bool person_read(struct person *p, const char *command, const char *file, const char *as);
/* As person_read, for commands that only look: no key at all is fine (p->key NULL). */
bool person_read_optional(struct person *p, const char *command, const char *file, const char *as);
void person_end(struct person *p);

/* A new key's file: its comments and PEM, in text. False without memory. */
bool person_compose(const struct person *p, struct writer *text);

#endif
