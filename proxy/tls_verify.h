/* SPDX-License-Identifier: ISC
 *
 * How an instance's certificate chain is verified: by OpenSSL, once in a while; in between it is remembered
 * (vouched.h). Following the chain is a tenth of a login's work.
 */
#ifndef SEKISHO_TLS_VERIFY_H
#define SEKISHO_TLS_VERIFY_H

#include <openssl/ssl.h>
#include <stdbool.h>

/* For a client context whose authorities do not change any more. False without memory. */
bool tls_verify_remembering(SSL_CTX *c);

#endif
