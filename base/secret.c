/* SPDX-License-Identifier: ISC
 *
 * See secret.h.
 */
#include "secret.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void secret_wipe(void *at, size_t len) {
    OPENSSL_cleanse(at, len);
}

void secret_free(void *at) {
    if (at)
        secret_wipe(at, malloc_usable_size(at));
    free(at);
}

void *secret_resize(void *at, size_t size) {
    size_t had = at ? malloc_usable_size(at) : 0;
    if (size == 0) {
        secret_free(at);
        return NULL;
    }
    void *fresh = malloc(size);
    if (fresh && at) {
        memcpy(fresh, at, had < size ? had : size);
        secret_free(at);
    }
    return fresh;
}

static void *take(size_t size, const char *file, int line) {
    return malloc(size);
}

static void *resize(void *at, size_t size, const char *file, int line) {
    return secret_resize(at, size);
}

static void give(void *at, const char *file, int line) {
    secret_free(at);
}

void secret_begin(void) {
    if (CRYPTO_set_mem_functions(take, resize, give) != 1)
        abort();
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
