/* SPDX-License-Identifier: ISC
 *
 * Makes X.509 certificates (RFC 5280) on P-256: the client certificate the proxy shows to one instance, and
 * the sample authority and server certificate for trying Sekisho out.
 */
#ifndef SEKISHO_PROVISION_CERTIFICATE_H
#define SEKISHO_PROVISION_CERTIFICATE_H

#include "bytes.h"

#include <openssl/x509.h>

struct certificate_order {
    const char *common_name;
    const char *names; /* subjectAltName as OpenSSL reads it ("DNS:a,DNS:b"); NULL for none */
    const char *usage; /* extendedKeyUsage ("serverAuth"); NULL for none */
    bool authority;    /* may sign others */
    int days;
};

/* Makes a key and its certificate. issuer and issuer_key: who signs; both NULL: it signs itself. The
 * certificate is valid from an hour ago, so that clocks may differ. False when OpenSSL fails; then nothing is
 * owned. */
bool certificate_issue(const struct certificate_order *order, X509 *issuer, EVP_PKEY *issuer_key,
                       X509 **certificate, EVP_PKEY **key);
/* PEM as allocated, NUL-terminated texts; NULL when OpenSSL fails. A key's text is the caller's to wipe. */
char *certificate_pem(X509 *certificate);
char *certificate_key_pem(EVP_PKEY *key);

#endif
