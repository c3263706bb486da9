/* SPDX-License-Identifier: ISC
 *
 * See lean.h. Three things make a cell large that need not be there: the records that OpenSSL allocates and
 * frees with every message, the holes that logins leave in the heap, and tables of OpenSSL's that nobody asks
 * here. The first come from a pool of a few blocks, the last in first out, so that a busy cell works in the
 * same few pages all the time; the second are returned when it gets quiet; the third are not built.
 */
#include "lean.h"
#include "magic.h"
#include "role.h"
#include "secret.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* A record's buffer: 16 kB of plaintext, and what TLS puts around it. */
#define BLOCK 17408
#define BLOCK_LEAST 16000 /* less than this is malloc's business */
#define BLOCKS 8
#define PAGE 4096
#define QUIET_MS 1000
#define LARGE 65536 /* a login's memory: a mapping of its own, so that no hole is left in the heap */

static struct {
    alignas(PAGE) uint8_t block[BLOCKS][BLOCK];
    uint8_t *free[BLOCKS]; /* a stack */
    int free_count;
    struct event *quiet;
    bool stirred; /* since the last look */
} lean;

static bool is_block(const void *at) {
    return (const uint8_t *)at >= lean.block[0] && (const uint8_t *)at < lean.block[0] + sizeof lean.block;
}

static void *take(size_t size, const char *file, int line) {
    if (size >= BLOCK_LEAST && size <= BLOCK && lean.free_count > 0)
        return lean.free[--lean.free_count];
    return malloc(size);
}

static void give(void *at, const char *file, int line) {
    if (!is_block(at)) {
        secret_free(at);
        return;
    }
    assert(lean.free_count < BLOCKS);
    lean.free[lean.free_count++] = at;
}

static void *resize(void *at, size_t size, const char *file, int line) {
    if (!is_block(at))
        return secret_resize(at, size);
    void *fresh = take(size, file, line);
    if (!fresh)
        return NULL;
    memcpy(fresh, at, size < BLOCK ? size : BLOCK);
    give(at, file, line);
    return fresh;
}

void lean_begin(void) {
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, LARGE);
    for (int i = 0; i < BLOCKS; i++)
        lean.free[lean.free_count++] = lean.block[BLOCKS - 1 - i];
    /* No configuration file (what TLS may be used here is said in tls.c), and no table of error texts before
     * there is an error to explain (stream.c). */
    if (CRYPTO_set_mem_functions(take, resize, give) != 1 ||
        OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS, NULL) != 1 ||
        OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_SSL_STRINGS, NULL) != 1)
        abort();
}

static void return_pages(void) {
    malloc_trim(0);
    if (lean.free_count == BLOCKS)
        madvise(lean.block, sizeof lean.block / PAGE * PAGE, MADV_DONTNEED);
}

/* Quiet is a whole turn without anybody coming or going: a busy door is not to be slowed down. */
static void on_quiet(evutil_socket_t fd, short what, void *arg) {
    if (lean.stirred) {
        lean.stirred = false;
        return;
    }
    event_free(lean.quiet);
    lean.quiet = NULL;
    return_pages();
}

void lean_stir(void) {
    lean.stirred = true;
    if (!lean.quiet)
        lean.quiet = role_timer(QUIET_MS, true, on_quiet, NULL);
}
