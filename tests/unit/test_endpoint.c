/* SPDX-License-Identifier: ISC
 *
 * endpoint.c: which hash a certificate is bound with.
 */
#include "endpoint.h"

#include <criterion/criterion.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

/* Self-signed; hash is NULL for Ed25519, which has none. pss: sign with RSASSA-PSS. */
static X509 *certificate(EVP_PKEY *key, const EVP_MD *hash, bool pss) {
    X509 *x = X509_new();
    cr_assert_not_null(key);
    cr_assert_not_null(x);
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"acme", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_set_pubkey(x, key);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *with = NULL;
    cr_assert_eq(EVP_DigestSignInit(context, &with, hash, NULL, key), 1);
    if (pss)
        cr_assert_eq(EVP_PKEY_CTX_set_rsa_padding(with, RSA_PKCS1_PSS_PADDING), 1);
    cr_assert_gt(X509_sign_ctx(x, context), 0);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return x;
}

static void check(EVP_PKEY *key, const EVP_MD *hash, bool pss, const EVP_MD *bound_with) {
    X509 *x = certificate(key, hash, pss);
    struct scram_channel channel;
    uint8_t expected[EVP_MAX_MD_SIZE];
    unsigned len;
    memset(&channel, 1, sizeof channel);
    cr_assert(endpoint_binding(x, &channel));
    cr_assert(channel.tls_binding);
    cr_assert_eq(X509_digest(x, bound_with, expected, &len), 1);
    cr_assert_eq(channel.binding_len, len);
    cr_assert_arr_eq(channel.binding, expected, len);
    X509_free(x);
}

Test(endpoint, uses_the_hash_of_the_signature) {
    check(EVP_RSA_gen(2048), EVP_sha256(), false, EVP_sha256());
    check(EVP_RSA_gen(2048), EVP_sha384(), false, EVP_sha384());
    check(EVP_RSA_gen(2048), EVP_sha512(), false, EVP_sha512());
    check(EVP_EC_gen("P-256"), EVP_sha256(), false, EVP_sha256());
    check(EVP_EC_gen("P-384"), EVP_sha384(), false, EVP_sha384());
}

Test(endpoint, puts_sha256_for_broken_hashes) {
    check(EVP_RSA_gen(2048), EVP_sha1(), false, EVP_sha256());
    check(EVP_RSA_gen(2048), EVP_md5(), false, EVP_sha256());
}

/* The name of a PSS signature names no hash; its parameters do. */
Test(endpoint, finds_the_hash_of_a_pss_signature) {
    check(EVP_RSA_gen(2048), EVP_sha256(), true, EVP_sha256());
    check(EVP_RSA_gen(2048), EVP_sha384(), true, EVP_sha384());
}

Test(endpoint, does_not_bind_ed25519) {
    X509 *x = certificate(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL, false);
    struct scram_channel channel;
    memset(&channel, 1, sizeof channel);
    cr_assert_not(endpoint_binding(x, &channel));
    cr_assert_not(channel.tls_binding);
    cr_assert_eq(channel.binding_len, 0);
    X509_free(x);
}
