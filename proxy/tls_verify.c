/* SPDX-License-Identifier: ISC
 *
 * See tls_verify.h. Reached by the bytes of an instance, which may be hostile: what is remembered is bound to
 * the certificate's digest, to the name that was asked for, to this context's authorities, and ends with the
 * first certificate of the chain. The verified chain itself is not kept: nobody asks for it, and every
 * session would hold one.
 */
#include "tls_verify.h"
#include "clock.h"
#include "vouched.h"

#include <stdio.h>
#include <time.h>

#define NAME_MAX_TEXT 254

static void free_vouched(void *parent, void *ptr, CRYPTO_EX_DATA *data, int index, long argl, void *argp) {
    struct vouched *v = ptr;
    vouched_free(&v);
}

/* The one name or address that stream_tls_connect asked for; false when there is none. */
static bool expected_name(X509_STORE_CTX *x, char out[NAME_MAX_TEXT]) {
    X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(x);
    const char *host = X509_VERIFY_PARAM_get0_host(p, 0);
    char *ip = host ? NULL : X509_VERIFY_PARAM_get1_ip_asc(p);
    int n = snprintf(out, NAME_MAX_TEXT, "%s", host ? host : ip ? ip : "");
    OPENSSL_free(ip);
    return n > 0 && n < NAME_MAX_TEXT;
}

/* When the first certificate of the verified chain ends, in microseconds of the wall clock; 0 when one does
 * not say. */
static int64_t chain_end(X509_STORE_CTX *x) {
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(x);
    int64_t first_us = INT64_MAX;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        struct tm tm;
        if (ASN1_TIME_to_tm(X509_get0_notAfter(sk_X509_value(chain, i)), &tm) != 1)
            return 0;
        int64_t end_us = (int64_t)timegm(&tm) * 1000000;
        first_us = end_us < first_us ? end_us : first_us;
    }
    return first_us == INT64_MAX ? 0 : first_us;
}

static int verify(X509_STORE_CTX *x, void *arg) {
    struct vouched *v = arg;
    uint8_t leaf[VOUCHED_DIGEST];
    char name[NAME_MAX_TEXT];
    int64_t now_us = clock_now().wall_us;
    X509 *first = X509_STORE_CTX_get0_cert(x);
    bool named = first && expected_name(x, name) && X509_digest(first, EVP_sha256(), leaf, NULL) == 1;
    if (named && vouched_knows(v, leaf, name, now_us)) {
        X509_STORE_CTX_set_error(x, X509_V_OK);
        return 1;
    }
    bool good = X509_verify_cert(x) > 0;
    if (good && named)
        vouched_keep(v, leaf, name, now_us, chain_end(x));
    X509_STORE_CTX_set0_verified_chain(x, NULL);
    return good;
}

bool tls_verify_remembering(SSL_CTX *c) {
    static int place = -1;
    if (place < 0)
        place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_vouched);
    struct vouched *v = vouched_new();
    if (place < 0 || !v || SSL_CTX_set_ex_data(c, place, v) != 1) {
        vouched_free(&v);
        return false;
    }
    SSL_CTX_set_cert_verify_callback(c, verify, v);
    return true;
}
