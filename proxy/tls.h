/* SPDX-License-Identifier: ISC
 *
 * TLS contexts (RFC 8446; TLS 1.2 with forward secrecy and AEAD only), made from PEM texts in memory: a cell
 * opens no file. No tickets and no session cache: nothing of one tenant's TLS could ever be resumed anywhere
 * else.
 */
#ifndef SEKISHO_TLS_H
#define SEKISHO_TLS_H

#include "bytes.h"

#include <openssl/ssl.h>

/* Towards clients. min_version: "1.2" or "1.3". NULL, with why, when chain or key are not good or do not fit.
 */
SSL_CTX *tls_server(struct view chain, struct view key, const char *min_version, char why[256]);
/* Makes a server context ask clients for a certificate of ca's (PEM); crl (PEM, may be empty): those that
 * were withdrawn. A client without one still completes the handshake, so that it can be told; one with a
 * wrong one does not. */
bool tls_ask_certificate(SSL_CTX *c, struct view ca, struct view crl, char why[256]);
/* Towards an instance: verified, always. ca: PEM. certificate, key: what we
 * show, may be empty. */
SSL_CTX *tls_client(struct view ca, struct view certificate, struct view key, const char *min_version,
                    char why[256]);

/* An error of OpenSSL's in words, for the log. The texts' table is filled by the first call. */
void tls_error_text(unsigned long code, char *out, size_t cap);

#endif
