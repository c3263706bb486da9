/* SPDX-License-Identifier: ISC
 *
 * Secrets at rest in the control store: AES-256-GCM with a key file that is not in the store, bound to what
 * the secret is for, so that a sealed value moved to another row does not open. Form: "seal1:" base64(nonce
 * 12, text, tag 16).
 */
#ifndef SEKISHO_SEAL_H
#define SEKISHO_SEAL_H

#include "bytes.h"

#define SEAL_KEY 32
/* Sealed length of a text of n bytes, without a NUL. */
#define SEAL_LENGTH(n) (6 + 4 * (((n) + 28 + 2) / 3))

/* Reads a key file of exactly 64 hex digits and a newline, mode 0600 or stricter. False, with why. */
bool seal_key_read(const char *path, uint8_t key[SEAL_KEY], char why[256]);
/* Makes one with random content; fails when the file exists. */
bool seal_key_make(const char *path, char why[256]);
/* purpose: "acme/auth_password", authenticated but not stored. */
void seal_close(struct writer *w, const uint8_t key[SEAL_KEY], const char *purpose, struct view text);
bool seal_open(struct writer *w, const uint8_t key[SEAL_KEY], const char *purpose, struct view sealed);

#endif
