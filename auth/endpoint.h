/* SPDX-License-Identifier: ISC
 *
 * tls-server-end-point (RFC 5929 section 4.1): the hash of a server certificate, by the hash function of its
 * signature, with MD5 and SHA-1 replaced by SHA-256.
 */
#ifndef SEKISHO_ENDPOINT_H
#define SEKISHO_ENDPOINT_H

#include "scram.h"

#include <openssl/x509.h>

/* Fills channel (tls_binding true). False, with tls_binding false, when the signature names no hash
 * (Ed25519). */
bool endpoint_binding(X509 *certificate, struct scram_channel *channel);

#endif
