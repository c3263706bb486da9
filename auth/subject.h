/* SPDX-License-Identifier: ISC
 *
 * Whose certificate it is: the common name of its subject (RFC 5280 section 4.1.2.6). Pure; whether the
 * certificate is any good is TLS's to say.
 */
#ifndef SEKISHO_SUBJECT_H
#define SEKISHO_SUBJECT_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

/* Copies the one common name with a NUL. False, with out empty, when there is none, more than one, one that
 * is empty, does not fit into cap bytes or holds a NUL, or one of a string type that has other bytes for the
 * same letters. */
bool subject_name(const X509_NAME *subject, char *out, size_t cap);

#endif
