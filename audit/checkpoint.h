/* SPDX-License-Identifier: ISC
 *
 * Checkpoints: a record whose signature covers, through its prev, everything before it in its chain. Ed25519
 * (RFC 8032) over these bytes, each line ended by a newline:
 *
 *   sekisho checkpoint v1
 *   acme                     the chain: the tenant, or _provider
 *   1234                     n of the checkpoint's line
 *   2026-11-24T21:30:00...   its time, as printed in the line
 *   <64 hexadecimal digits>  its prev
 *
 * The private key is the ledger's alone; the public half is a file that travels.
 */
#ifndef SEKISHO_CHECKPOINT_H
#define SEKISHO_CHECKPOINT_H

#include "bytes.h"

#define CHECKPOINT_KEY_FILE "ledger.key" /* in the state folder */
#define CHECKPOINT_PUBLIC_FILE "ledger.pub"
#define CHECKPOINT_PUBLIC 32
#define CHECKPOINT_SIGNATURE 64
#define CHECKPOINT_SIGNATURE_TEXT 88 /* in base64 */
#define CHECKPOINT_KEY_ID 16         /* hexadecimal digits of SHA-256 of the raw public key */
#define CHECKPOINT_PEM_MAX 512

/* A private key. */
struct checkpoint_key;

/* New. NULL when the library cannot. */
struct checkpoint_key *checkpoint_key_make(void);
/* From a PEM file (PKCS#8, not encrypted). NULL with why. */
struct checkpoint_key *checkpoint_key_read(const char *path, char why[256]);
void checkpoint_key_free(struct checkpoint_key **k);
/* PEM of the private half (PKCS#8) and of the public half (SubjectPublicKeyInfo), with a NUL. False when the
 * library cannot. */
bool checkpoint_key_write(const struct checkpoint_key *k, char private[CHECKPOINT_PEM_MAX],
                          char public[CHECKPOINT_PEM_MAX]);
void checkpoint_key_public(const struct checkpoint_key *k, uint8_t out[CHECKPOINT_PUBLIC]);

/* PEM with a NUL. */
bool checkpoint_public_write(const uint8_t public[CHECKPOINT_PUBLIC], char pem[CHECKPOINT_PEM_MAX]);
/* From a PEM file. False with why. */
bool checkpoint_public_read(const char *path, uint8_t out[CHECKPOINT_PUBLIC], char why[256]);
void checkpoint_key_id(const uint8_t public[CHECKPOINT_PUBLIC], char out[CHECKPOINT_KEY_ID + 1]);

/* What a checkpoint says, but for its signature. */
struct checkpoint {
    const char *tenant; /* "" for the provider */
    uint64_t n;
    struct view time;
    const uint8_t *prev; /* 32 bytes */
};

/* The signature in base64, with a NUL. False when the library cannot. */
bool checkpoint_sign(const struct checkpoint_key *k, const struct checkpoint *c,
                     char signature[CHECKPOINT_SIGNATURE_TEXT + 1]);
/* signature: as in the line. */
bool checkpoint_verify(const uint8_t public[CHECKPOINT_PUBLIC], const struct checkpoint *c,
                       struct view signature);

#endif
