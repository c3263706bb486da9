/* SPDX-License-Identifier: ISC
 *
 * See secret.h.
 */
#include "secret.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

void secret_wipe(void *at, size_t len) {
    OPENSSL_cleanse(at, len);
}

bool secret_equal(const void *a, const void *b, size_t len) {
    return CRYPTO_memcmp(a, b, len) == 0;
}

void secret_random(void *at, size_t len) {
    if (RAND_bytes(at, (int)len) != 1) {
        fputs("sekisho: no random numbers from the system\n", stderr);
        abort();
    }
}
