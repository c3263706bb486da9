/* SPDX-License-Identifier: ISC
 *
 * See tls.h.
 */
#include "tls.h"
#include "text.h"
#include "tls_verify.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sslerr_legacy.h>
#include <stdio.h>
#include <string.h>

#define CIPHERS_12                                                                                           \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"               \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

/* The same order as in 1.2: AES with 128 bits is as good as any here, and a quarter cheaper per byte. */
#define CIPHERS_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* Loaded on demand where lean_begin keeps OpenSSL from loading them all, and loaded already elsewhere. The
 * names are of OpenSSL 1.1 and marked as old; 3 has no other for "these now". */
void tls_error_text(unsigned long code, char *out, size_t cap) {
    static bool loaded;
    if (!loaded) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
        ERR_load_ERR_strings();
        ERR_load_SSL_strings();
        ERR_load_X509_strings();
        ERR_load_PEM_strings();
#pragma GCC diagnostic pop
        loaded = true;
    }
    ERR_error_string_n(code, out, cap);
}

static void explain(char why[256], const char *what) {
    char text[160] = "";
    unsigned long code = ERR_peek_last_error();
    if (code)
        tls_error_text(code, text, sizeof text);
    ERR_clear_error();
    snprintf(why, 256, "%s%s%s", what, text[0] ? ": " : "", text);
}

static SSL_CTX *common(const SSL_METHOD *method, const char *min_version) {
    SSL_CTX *c = SSL_CTX_new(method);
    if (!c)
        return NULL;
    SSL_CTX_set_min_proto_version(c, strcmp(min_version, "1.3") == 0 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(c, CIPHERS_12);
    SSL_CTX_set_ciphersuites(c, CIPHERS_13);
    SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(c, 0);
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(c, 1);
    return c;
}

/* The first certificate is the leaf, the rest its chain. */
static bool use_chain(SSL_CTX *c, struct view chain) {
    BIO *bio = BIO_new_mem_buf(chain.at, (int)chain.len);
    X509 *leaf = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    bool good = leaf && SSL_CTX_use_certificate(c, leaf) == 1;
    X509 *next;
    while (good && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
        if (SSL_CTX_add0_chain_cert(c, next) != 1) {
            X509_free(next);
            good = false;
        }
    if (good)
        ERR_clear_error(); /* the read that met the end */
    X509_free(leaf);
    BIO_free(bio);
    return good;
}

static bool use_key(SSL_CTX *c, struct view key) {
    BIO *bio = BIO_new_mem_buf(key.at, (int)key.len);
    EVP_PKEY *k = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    bool good = k && SSL_CTX_use_PrivateKey(c, k) == 1 && SSL_CTX_check_private_key(c) == 1;
    EVP_PKEY_free(k);
    BIO_free(bio);
    return good;
}

static bool use_identity(SSL_CTX *c, struct view chain, struct view key, char why[256]) {
    if (!use_chain(c, chain)) {
        explain(why, "the certificate chain is not readable");
        return false;
    }
    if (!use_key(c, key)) {
        explain(why, "the private key is not readable or does not fit the certificate");
        return false;
    }
    return true;
}

/* Chooses "postgresql" when offered (RFC 7301); other offers are ignored, as PostgreSQL before 17 does. */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in,
                       unsigned inlen, void *arg) {
    struct reader r = reader_of(view_of(in, inlen));
    while (reader_left(&r) > 0) {
        size_t n = reader_u8(&r);
        struct view name = reader_bytes(&r, n);
        if (!r.bad && view_equal_text(name, "postgresql")) {
            *out = name.at;
            *outlen = (unsigned char)name.len;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

SSL_CTX *tls_server(struct view chain, struct view key, const char *min_version, char why[256]) {
    SSL_CTX *c = common(TLS_server_method(), min_version);
    if (!c) {
        explain(why, "no TLS context");
        return NULL;
    }
    SSL_CTX_set_options(c, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_alpn_select_cb(c, choose_alpn, NULL);
    if (!use_identity(c, chain, key, why)) {
        SSL_CTX_free(c);
        return NULL;
    }
    return c;
}

static bool trust(SSL_CTX *c, struct view ca) {
    BIO *bio = BIO_new_mem_buf(ca.at, (int)ca.len);
    X509_STORE *store = SSL_CTX_get_cert_store(c);
    size_t count = 0;
    X509 *one;
    while (bio && (one = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        if (X509_STORE_add_cert(store, one) == 1)
            count++;
        X509_free(one);
    }
    ERR_clear_error();
    BIO_free(bio);
    return count > 0;
}

/* Every CRL of the text; false when there is a text and none in it. */
static bool withdraw(X509_STORE *store, struct view crl) {
    if (crl.len == 0)
        return true;
    BIO *bio = BIO_new_mem_buf(crl.at, (int)crl.len);
    size_t count = 0;
    X509_CRL *one;
    while (bio && (one = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL))) {
        if (X509_STORE_add_crl(store, one) == 1)
            count++;
        X509_CRL_free(one);
    }
    ERR_clear_error();
    BIO_free(bio);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    return count > 0;
}

bool tls_ask_certificate(SSL_CTX *c, struct view ca, struct view crl, char why[256]) {
    if (ca.len == 0 || !trust(c, ca)) {
        explain(why, "no certificate authority for operators");
        return false;
    }
    if (!withdraw(SSL_CTX_get_cert_store(c), crl)) {
        explain(why, "the list of withdrawn certificates is not readable");
        return false;
    }
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
    return true;
}

/* PostgreSQL knows prime256v1 only, unless it is told otherwise (ssl_ecdh_curve; until version 17): a first
 * key share of another group costs each login a refusal, a round trip and a second key. */
#define INSTANCE_GROUPS "P-256:X25519:P-384:P-521:X448"

SSL_CTX *tls_client(struct view ca, struct view certificate, struct view key, const char *min_version,
                    char why[256]) {
    SSL_CTX *c = common(TLS_client_method(), min_version);
    if (!c) {
        explain(why, "no TLS context");
        return NULL;
    }
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set1_groups_list(c, INSTANCE_GROUPS);
    bool good = trust(c, ca) && tls_verify_remembering(c);
    if (!good)
        explain(why, "no certificate authority for the instance");
    if (good && certificate.len > 0)
        good = use_identity(c, certificate, key, why);
    if (!good) {
        SSL_CTX_free(c);
        return NULL;
    }
    return c;
}
