/* SPDX-License-Identifier: ISC
 *
 * See digest.h.
 */
#include "digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>

static void insist(int succeeded) {
    if (succeeded == 1)
        return;
    fputs("sekisho: no SHA-256 from OpenSSL\n", stderr);
    abort();
}

void digest_sha256(struct view v, uint8_t out[DIGEST_LEN]) {
    insist(EVP_Digest(v.at, v.len, out, NULL, EVP_sha256(), NULL));
}

void digest_hmac(const uint8_t key[DIGEST_LEN], const struct view *parts, size_t count,
                 uint8_t out[DIGEST_LEN]) {
    char name[] = "SHA256";
    OSSL_PARAM with[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                         OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    insist(mac != NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    insist(context != NULL);
    insist(EVP_MAC_init(context, key, DIGEST_LEN, with));
    for (size_t i = 0; i < count; i++)
        if (parts[i].len > 0)
            insist(EVP_MAC_update(context, parts[i].at, parts[i].len));
    size_t written;
    insist(EVP_MAC_final(context, out, &written, DIGEST_LEN));
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
}
