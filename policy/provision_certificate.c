/* SPDX-License-Identifier: ISC
 *
 * See provision_certificate.h. Also the proxy's own client certificate of one tenant, which is its own
 * authority.
 */
#include "provision_certificate.h"
#include "provision.h"
#include "secret.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool set_serial(X509 *certificate) {
    uint8_t random[16];
    secret_random(random, sizeof random);
    random[0] = (random[0] & 0x3F) | 0x40; /* positive, and always as long (RFC 5280 section 4.1.2.2) */
    BIGNUM *number = BN_bin2bn(random, sizeof random, NULL);
    bool good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return good;
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool good = extension && X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return good;
}

static bool add_extensions(X509 *certificate, X509 *issuer, const struct certificate_order *order) {
    const char *basic = order->authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE";
    /* An authority of one certificate is also what the proxy shows, so it may sign in a handshake too. */
    const char *usage =
        order->authority ? "critical,digitalSignature,keyCertSign" : "critical,digitalSignature";
    return add_extension(certificate, issuer, NID_basic_constraints, basic) &&
           add_extension(certificate, issuer, NID_key_usage, usage) &&
           add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, issuer, NID_authority_key_identifier, "keyid") &&
           (!order->usage || add_extension(certificate, issuer, NID_ext_key_usage, order->usage)) &&
           (!order->names || add_extension(certificate, issuer, NID_subject_alt_name, order->names));
}

static bool fill(X509 *certificate, EVP_PKEY *key, const struct certificate_order *order, X509 *issuer) {
    X509_NAME *name = X509_get_subject_name(certificate);
    return X509_set_version(certificate, 2) && set_serial(certificate) && X509_set_pubkey(certificate, key) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)order->common_name, -1, -1,
                                      0) &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) &&
           X509_time_adj_ex(X509_getm_notAfter(certificate), order->days, 0, NULL) &&
           X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) &&
           add_extensions(certificate, issuer, order);
}

bool certificate_issue(const struct certificate_order *order, X509 *issuer, EVP_PKEY *issuer_key,
                       X509 **certificate, EVP_PKEY **key) {
    EVP_PKEY *made_key = EVP_EC_gen("P-256");
    X509 *made = X509_new();
    if (made_key && made && fill(made, made_key, order, issuer ? issuer : made) &&
        X509_sign(made, issuer_key ? issuer_key : made_key, EVP_sha256()) > 0) {
        *certificate = made;
        *key = made_key;
        return true;
    }
    X509_free(made);
    EVP_PKEY_free(made_key);
    return false;
}

/* What was written to a memory BIO, as an allocated text. Frees the BIO, which OpenSSL made to wipe its
 * memory. */
static char *take_text(BIO *bio, bool written) {
    char *at = NULL;
    long len = written ? BIO_get_mem_data(bio, &at) : 0;
    char *text = len > 0 ? calloc(1, (size_t)len + 1) : NULL;
    if (text)
        memcpy(text, at, (size_t)len);
    BIO_free(bio);
    return text;
}

char *certificate_pem(X509 *certificate) {
    BIO *bio = BIO_new(BIO_s_mem());
    return bio ? take_text(bio, PEM_write_bio_X509(bio, certificate)) : NULL;
}

char *certificate_key_pem(EVP_PKEY *key) {
    BIO *bio = BIO_new(BIO_s_secmem());
    return bio ? take_text(bio, PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)) : NULL;
}

static void replace_secret(char **at, char *with) {
    if (*at) {
        secret_wipe(*at, strlen(*at));
        free(*at);
    }
    *at = with;
}

bool provision_client_certificate(struct tenant *t) {
    char name[64];
    snprintf(name, sizeof name, "sekisho proxy for %s", t->id);
    struct certificate_order order = {
        .common_name = name, .usage = "clientAuth", .authority = true, .days = 3653};
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    if (!certificate_issue(&order, NULL, NULL, &certificate, &key))
        return false;
    char *certificate_text = certificate_pem(certificate), *key_text = certificate_key_pem(key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    if (!certificate_text || !key_text) {
        free(certificate_text);
        replace_secret(&key_text, NULL);
        return false;
    }
    replace_secret(&t->client_certificate, certificate_text);
    replace_secret(&t->client_key, key_text);
    return true;
}
