/* SPDX-License-Identifier: ISC
 *
 * Secrets: wiped so that the compiler cannot skip it, compared in constant time, drawn from the system's
 * generator. And what libraries free is wiped first: OpenSSL decodes a private key through buffers of its
 * own, and does not wipe each of them.
 */
#ifndef SEKISHO_SECRET_H
#define SEKISHO_SECRET_H

#include "bytes.h"

void secret_wipe(void *at, size_t len);
/* Frees what malloc gave, all of it wiped. */
void secret_free(void *at);
/* As realloc; what moves leaves nothing behind. */
void *secret_resize(void *at, size_t size);
/* From here on OpenSSL frees in this way: before anything of it allocates. */
void secret_begin(void);
/* Constant time in len. */
bool secret_equal(const void *a, const void *b, size_t len);
/* Fills at with random bytes; ends the process when the generator fails: nothing here goes on without it. */
void secret_random(void *at, size_t len);

#endif
