/* SPDX-License-Identifier: ISC
 *
 * Asks an instance for TLS 1.1 with a ClientHello written by hand, because our own OpenSSL refuses to offer
 * it.
 */
#ifndef SEKISHO_PROVISION_HELLO_H
#define SEKISHO_PROVISION_HELLO_H

#include "address.h"

enum hello_answer { HELLO_REFUSED, HELLO_ACCEPTED, HELLO_UNKNOWN };

/* Blocking, at most about 10 seconds. why: for HELLO_UNKNOWN. */
enum hello_answer provision_hello(const struct address *instance, char why[256]);

#endif
