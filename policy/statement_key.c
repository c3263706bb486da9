/* SPDX-License-Identifier: ISC
 *
 * Ed25519 (RFC 8032) over a statement's text behind a prefix of its own, so that a signature made for
 * anything else is none of a statement, and none of a statement is one of anything else. Private keys as
 * PKCS#8 (RFC 5958) in PEM.
 */
#include "magic.h"
#include "secret.h"
#include "statement.h"
#include "text.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNING_KEY_MAGIC 0x516E1A6Bu
#define PEM_MAX 16384
#define PASSWORD_MAX 1024

static const uint8_t domain[] = "sekisho-statement-v1"; /* its NUL is part of it */

struct signing_key {
    uint32_t magic;
    EVP_PKEY *key;
};

void statement_digest(struct view text, uint8_t out[STATEMENT_DIGEST]) {
    if (!EVP_Digest(text.len ? text.at : domain, text.len, out, NULL, EVP_sha256(), NULL))
        abort(); /* without memory for a digest nothing can be trusted any more */
}

void statement_key_id(const uint8_t public[STATEMENT_PUBLIC], char out[STATEMENT_KEY_ID + 1]) {
    uint8_t digest[STATEMENT_DIGEST];
    statement_digest(view_of(public, STATEMENT_PUBLIC), digest);
    statement_short(digest, out);
}

/* What is signed. False when the text is too long. */
static bool signed_bytes(struct view text, struct writer *w) {
    writer_bytes(w, view_of(domain, sizeof domain));
    writer_bytes(w, text);
    return !w->bad;
}

bool statement_verify(const uint8_t public[STATEMENT_PUBLIC], struct view text, struct view signature) {
    uint8_t room[sizeof domain + STATEMENT_MAX];
    struct writer w = writer_of(room, sizeof room);
    if (signature.len != STATEMENT_SIGNATURE || !signed_bytes(text, &w))
        return false;
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, STATEMENT_PUBLIC);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool good = key && c && EVP_DigestVerifyInit(c, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestVerify(c, signature.at, signature.len, room, w.len) == 1;
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(key);
    return good;
}

static struct signing_key *key_of(EVP_PKEY *key) {
    struct signing_key *k = key ? calloc(1, sizeof *k) : NULL;
    if (!k) {
        EVP_PKEY_free(key);
        return NULL;
    }
    k->magic = SIGNING_KEY_MAGIC;
    k->key = key;
    return k;
}

struct signing_key *signing_key_make(void) {
    return key_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
}

static bool password_text(struct view password, char out[PASSWORD_MAX]) {
    return view_copy_text(password, out, PASSWORD_MAX);
}

struct signing_key *signing_key_read(struct view pem, struct view password, char why[STATEMENT_WHY]) {
    char secret[PASSWORD_MAX];
    why[0] = 0;
    if (pem.len > PEM_MAX || !password_text(password, secret)) {
        snprintf(why, STATEMENT_WHY, "the key file or its password is too long");
        return NULL;
    }
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
    /* With a text instead of a callback nobody is asked at the terminal. */
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, secret) : NULL;
    BIO_free(bio);
    secret_wipe(secret, sizeof secret);
    if (!key) {
        snprintf(why, STATEMENT_WHY, "%s",
                 password.len ? "this is no private key in PEM, or the password is wrong"
                              : "this is no private key in PEM, or it needs a password");
        return NULL;
    }
    if (EVP_PKEY_get_id(key) != EVP_PKEY_ED25519) {
        snprintf(why, STATEMENT_WHY, "the private key is not of kind Ed25519");
        EVP_PKEY_free(key);
        return NULL;
    }
    return key_of(key);
}

bool signing_key_write(const struct signing_key *k, struct view password, struct writer *pem) {
    MAGIC_CHECK(k, SIGNING_KEY_MAGIC);
    char secret[PASSWORD_MAX];
    BIO *bio = password_text(password, secret) ? BIO_new(BIO_s_secmem()) : NULL;
    const EVP_CIPHER *cipher = password.len ? EVP_aes_256_cbc() : NULL;
    bool good =
        bio && PEM_write_bio_PKCS8PrivateKey(bio, k->key, cipher, NULL, 0, NULL, cipher ? secret : NULL) == 1;
    char *text = NULL;
    long len = good ? BIO_get_mem_data(bio, &text) : 0;
    if (len > 0)
        writer_bytes(pem, view_of(text, (size_t)len));
    BIO_free(bio);
    secret_wipe(secret, sizeof secret);
    return len > 0 && !pem->bad;
}

void signing_key_public(const struct signing_key *k, uint8_t out[STATEMENT_PUBLIC]) {
    MAGIC_CHECK(k, SIGNING_KEY_MAGIC);
    size_t len = STATEMENT_PUBLIC;
    if (EVP_PKEY_get_raw_public_key(k->key, out, &len) != 1 || len != STATEMENT_PUBLIC)
        abort(); /* it was made or read as an Ed25519 key */
}

void signing_key_free(struct signing_key **k) {
    if (!*k)
        return;
    MAGIC_CHECK(*k, SIGNING_KEY_MAGIC);
    EVP_PKEY_free((*k)->key);
    (*k)->magic = 0;
    free(*k);
    *k = NULL;
}

bool statement_sign(const struct signing_key *k, struct view text, uint8_t signature[STATEMENT_SIGNATURE]) {
    MAGIC_CHECK(k, SIGNING_KEY_MAGIC);
    uint8_t room[sizeof domain + STATEMENT_MAX];
    struct writer w = writer_of(room, sizeof room);
    size_t len = STATEMENT_SIGNATURE;
    if (!signed_bytes(text, &w))
        return false;
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool good = c && EVP_DigestSignInit(c, NULL, NULL, NULL, k->key) == 1 &&
                EVP_DigestSign(c, signature, &len, room, w.len) == 1 && len == STATEMENT_SIGNATURE;
    EVP_MD_CTX_free(c);
    return good;
}
