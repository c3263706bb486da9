/* SPDX-License-Identifier: ISC
 *
 * The two primitives everything in this room is made of: SHA-256 (FIPS 180-4) and HMAC with it (RFC 2104).
 * For this room's own files. Neither can fail but for want of memory, and then the process ends: no key is
 * ever left half made.
 */
#ifndef SEKISHO_DIGEST_H
#define SEKISHO_DIGEST_H

#include "bytes.h"

#define DIGEST_LEN 32 /* bytes: SHA-256, and every key used here */

void digest_sha256(struct view v, uint8_t out[DIGEST_LEN]);
/* Over the parts one after the other, without separators. */
void digest_hmac(const uint8_t key[DIGEST_LEN], const struct view *parts, size_t count,
                 uint8_t out[DIGEST_LEN]);

#endif
