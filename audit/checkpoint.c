/* SPDX-License-Identifier: ISC
 *
 * See checkpoint.h.
 */
#include "checkpoint.h"
#include "files.h"
#include "magic.h"
#include "secret.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECKPOINT_KEY_MAGIC 0x1E6C5A93u
#define TEXT_MAX 256 /* of what is signed */

struct checkpoint_key {
    uint32_t magic;
    EVP_PKEY *key;
};

/* Takes over key; NULL when it is not one of ours. */
static struct checkpoint_key *key_of(EVP_PKEY *key) {
    struct checkpoint_key *k = key && EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 ? calloc(1, sizeof *k) : NULL;
    if (!k) {
        EVP_PKEY_free(key);
        return NULL;
    }
    k->magic = CHECKPOINT_KEY_MAGIC;
    k->key = key;
    return k;
}

struct checkpoint_key *checkpoint_key_make(void) {
    return key_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
}

/* A file's text of at most CHECKPOINT_PEM_MAX - 1 bytes. False with why. */
static bool read_pem(const char *path, char text[CHECKPOINT_PEM_MAX], size_t *len, char why[256]) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, CHECKPOINT_PEM_MAX) : -1;
    if (n < 0)
        snprintf(why, 256, "%.180s: %s", path, strerror(errno));
    else if (n == CHECKPOINT_PEM_MAX)
        snprintf(why, 256, "%.180s is longer than an Ed25519 key", path);
    if (fd >= 0)
        close(fd);
    *len = n > 0 ? (size_t)n : 0;
    return n >= 0 && n < CHECKPOINT_PEM_MAX;
}

/* Nobody is at a terminal to be asked. */
static int no_password(char *out, int cap, int writing, void *arg) {
    return -1;
}

struct checkpoint_key *checkpoint_key_read(const char *path, char why[256]) {
    char text[CHECKPOINT_PEM_MAX];
    size_t len;
    struct checkpoint_key *k = NULL;
    if (read_pem(path, text, &len, why)) {
        BIO *bio = BIO_new_mem_buf(text, (int)len);
        k = key_of(bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL);
        BIO_free(bio);
        if (!k)
            snprintf(why, 256, "%.180s is not an Ed25519 private key in PEM", path);
    }
    secret_wipe(text, sizeof text);
    return k;
}

void checkpoint_key_free(struct checkpoint_key **k) {
    if (!*k)
        return;
    MAGIC_CHECK(*k, CHECKPOINT_KEY_MAGIC);
    EVP_PKEY_free((*k)->key); /* wipes it */
    (*k)->magic = 0;
    free(*k);
    *k = NULL;
}

static bool take_pem(BIO *bio, char out[CHECKPOINT_PEM_MAX]) {
    char *at;
    long len = BIO_get_mem_data(bio, &at);
    if (len <= 0 || len >= CHECKPOINT_PEM_MAX)
        return false;
    memcpy(out, at, (size_t)len);
    out[len] = 0;
    return true;
}

bool checkpoint_key_write(const struct checkpoint_key *k, char private[CHECKPOINT_PEM_MAX],
                          char public[CHECKPOINT_PEM_MAX]) {
    MAGIC_CHECK(k, CHECKPOINT_KEY_MAGIC);
    BIO *secret = BIO_new(BIO_s_secmem()), *open = BIO_new(BIO_s_mem());
    bool good = secret && open && PEM_write_bio_PKCS8PrivateKey(secret, k->key, NULL, NULL, 0, NULL, NULL) &&
                PEM_write_bio_PUBKEY(open, k->key) && take_pem(secret, private) && take_pem(open, public);
    BIO_free(secret);
    BIO_free(open);
    return good;
}

void checkpoint_key_public(const struct checkpoint_key *k, uint8_t out[CHECKPOINT_PUBLIC]) {
    MAGIC_CHECK(k, CHECKPOINT_KEY_MAGIC);
    size_t len = CHECKPOINT_PUBLIC;
    if (EVP_PKEY_get_raw_public_key(k->key, out, &len) != 1 || len != CHECKPOINT_PUBLIC)
        abort(); /* an Ed25519 key has one */
}

bool checkpoint_public_write(const uint8_t public[CHECKPOINT_PUBLIC], char pem[CHECKPOINT_PEM_MAX]) {
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, CHECKPOINT_PUBLIC);
    BIO *bio = BIO_new(BIO_s_mem());
    bool good = key && bio && PEM_write_bio_PUBKEY(bio, key) && take_pem(bio, pem);
    BIO_free(bio);
    EVP_PKEY_free(key);
    return good;
}

bool checkpoint_public_read(const char *path, uint8_t out[CHECKPOINT_PUBLIC], char why[256]) {
    char text[CHECKPOINT_PEM_MAX];
    size_t len;
    if (!read_pem(path, text, &len, why))
        return false;
    BIO *bio = BIO_new_mem_buf(text, (int)len);
    struct checkpoint_key *k = key_of(bio ? PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL) : NULL);
    BIO_free(bio);
    if (!k) {
        snprintf(why, 256, "%.180s is not an Ed25519 public key in PEM", path);
        return false;
    }
    checkpoint_key_public(k, out);
    checkpoint_key_free(&k);
    return true;
}

void checkpoint_key_id(const uint8_t public[CHECKPOINT_PUBLIC], char out[CHECKPOINT_KEY_ID + 1]) {
    uint8_t hash[32];
    if (!EVP_Digest(public, CHECKPOINT_PUBLIC, hash, NULL, EVP_sha256(), NULL))
        abort();
    struct writer w = writer_of(out, CHECKPOINT_KEY_ID + 1);
    text_hex(&w, view_of(hash, CHECKPOINT_KEY_ID / 2));
    writer_u8(&w, 0);
}

static bool write_signed(struct writer *w, const struct checkpoint *c) {
    writer_format(w, "sekisho checkpoint v1\n%s\n%" PRIu64 "\n", files_folder(c->tenant), c->n);
    writer_bytes(w, c->time);
    writer_u8(w, '\n');
    text_hex(w, view_of(c->prev, 32));
    writer_u8(w, '\n');
    return !w->bad;
}

bool checkpoint_sign(const struct checkpoint_key *k, const struct checkpoint *c,
                     char signature[CHECKPOINT_SIGNATURE_TEXT + 1]) {
    MAGIC_CHECK(k, CHECKPOINT_KEY_MAGIC);
    uint8_t bytes[TEXT_MAX], raw[CHECKPOINT_SIGNATURE] = {0};
    size_t len = sizeof raw;
    struct writer w = writer_of(bytes, sizeof bytes);
    EVP_MD_CTX *m = EVP_MD_CTX_new();
    bool good = write_signed(&w, c) && m && EVP_DigestSignInit(m, NULL, NULL, NULL, k->key) == 1 &&
                EVP_DigestSign(m, raw, &len, bytes, w.len) == 1 && len == sizeof raw;
    EVP_MD_CTX_free(m);
    struct writer out = writer_of(signature, CHECKPOINT_SIGNATURE_TEXT + 1);
    text_base64(&out, view_of(raw, len));
    writer_u8(&out, 0);
    return good && !out.bad;
}

bool checkpoint_verify(const uint8_t public[CHECKPOINT_PUBLIC], const struct checkpoint *c,
                       struct view signature) {
    uint8_t bytes[TEXT_MAX], raw[CHECKPOINT_SIGNATURE];
    struct writer w = writer_of(bytes, sizeof bytes), decoded = writer_of(raw, sizeof raw);
    if (!write_signed(&w, c) || !text_unbase64(&decoded, signature) || decoded.len != sizeof raw)
        return false;
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, CHECKPOINT_PUBLIC);
    EVP_MD_CTX *m = EVP_MD_CTX_new();
    bool good = key && m && EVP_DigestVerifyInit(m, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestVerify(m, raw, sizeof raw, bytes, w.len) == 1;
    EVP_MD_CTX_free(m);
    EVP_PKEY_free(key);
    return good;
}
