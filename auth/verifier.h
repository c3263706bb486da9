/* SPDX-License-Identifier: ISC
 *
 * What PostgreSQL keeps instead of a password (pg_authid.rolpassword):
 * "SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>: <ServerKey>", base64 (RFC 5803 as PostgreSQL writes it).
 */
#ifndef SEKISHO_VERIFIER_H
#define SEKISHO_VERIFIER_H

#include "bytes.h"

#define VERIFIER_SALT_MAX 64
#define VERIFIER_ITERATIONS_MIN 4096
#define VERIFIER_ITERATIONS_MAX 10000000
#define SCRAM_KEY 32 /* bytes: SHA-256 */

struct verifier {
    uint32_t iterations;
    uint8_t salt_len;
    uint8_t salt[VERIFIER_SALT_MAX];
    uint8_t stored_key[SCRAM_KEY];
    uint8_t server_key[SCRAM_KEY];
};

/* False for anything else (md5 hashes, plain text, wrong lengths, iterations out of bounds). */
bool verifier_parse(struct view text, struct verifier *out);
/* The verifier of a password (used by tests and provisioning; SASLprep is the caller's: ASCII only is
 * accepted). */
bool verifier_make(struct view password, struct view salt, uint32_t iterations, struct verifier *out);
void verifier_text(struct writer *w, const struct verifier *v);
/* A verifier nobody's password fits, for users that do not exist: the salt is HMAC-SHA-256(secret, "sekisho
 * mock" 0 tenant 0 user)'s first 16 bytes, the same after a restart and on every node; the keys are random.
 */
void verifier_mock(const uint8_t secret[32], const char *tenant, struct view user, uint32_t iterations,
                   struct verifier *out);
void verifier_write(struct writer *w, const struct verifier *v);
bool verifier_read(struct reader *r, struct verifier *v);

#endif
