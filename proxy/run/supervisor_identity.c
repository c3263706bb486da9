/* SPDX-License-Identifier: ISC
 *
 * See supervisor_identity.h.
 */
#include "supervisor_identity.h"
#include "magic.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define IDENTITY_MAGIC 0x1de9717bu

static bool read_file(const char *path, char out[IDENTITY_PEM_MAX + 1], size_t *len, char why[IDENTITY_WHY]) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *len = 0;
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0 && *len <= IDENTITY_PEM_MAX) {
        n = read(fd, out + *len, IDENTITY_PEM_MAX + 1 - *len);
        *len += n > 0 ? (size_t)n : 0;
    }
    if (n < 0)
        snprintf(why, IDENTITY_WHY, "%s: %s", path, strerror(errno));
    else if (*len > IDENTITY_PEM_MAX)
        snprintf(why, IDENTITY_WHY, "%s: longer than %d bytes", path, IDENTITY_PEM_MAX);
    if (fd >= 0)
        close(fd);
    return n == 0;
}

/* A passphrase would have to be typed: there is nobody to ask. */
static int no_passphrase(char *buffer, int size, int writing, void *arg) {
    return -1;
}

static X509 *first_certificate(const struct identity *i, size_t *count) {
    BIO *bio = BIO_new_mem_buf(i->chain, (int)i->chain_len);
    X509 *first = NULL, *next;
    *count = 0;
    while (bio && (next = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL))) {
        if ((*count)++ == 0)
            first = next;
        else
            X509_free(next);
    }
    BIO_free(bio);
    return first;
}

static bool matches(const struct identity *i, const char *chain_path, const char *key_path,
                    char why[IDENTITY_WHY]) {
    size_t count;
    X509 *certificate = first_certificate(i, &count);
    BIO *bio = BIO_new_mem_buf(i->key, (int)i->key_len);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    bool good = certificate && key && X509_check_private_key(certificate, key) == 1;
    if (!certificate)
        snprintf(why, IDENTITY_WHY, "%s: no certificate in PEM found", chain_path);
    else if (!key)
        snprintf(why, IDENTITY_WHY, "%s: no private key in PEM, without passphrase, found", key_path);
    else if (!good)
        snprintf(why, IDENTITY_WHY, "%s: not the key of the certificate in %s", key_path, chain_path);
    ERR_clear_error(); /* the end of the chain file is an error to the PEM reader */
    EVP_PKEY_free(key);
    BIO_free(bio);
    X509_free(certificate);
    return good;
}

bool identity_read(struct identity *out, const char *chain_path, const char *key_path,
                   char why[IDENTITY_WHY]) {
    memset(out, 0, sizeof *out);
    out->magic = IDENTITY_MAGIC;
    return read_file(chain_path, out->chain, &out->chain_len, why) &&
           read_file(key_path, out->key, &out->key_len, why) && matches(out, chain_path, key_path, why);
}

void identity_write(struct writer *w, const struct identity *identity) {
    MAGIC_CHECK(identity, IDENTITY_MAGIC);
    writer_u32(w, (uint32_t)identity->chain_len);
    writer_bytes(w, view_of(identity->chain, identity->chain_len));
    writer_u32(w, (uint32_t)identity->key_len);
    writer_bytes(w, view_of(identity->key, identity->key_len));
}

void identity_wipe(struct identity *identity) {
    MAGIC_CHECK(identity, IDENTITY_MAGIC);
    secret_wipe(identity, sizeof *identity);
}
