/* SPDX-License-Identifier: ISC
 *
 * The TLS ClientHello, read without consuming or decrypting anything (RFC 8446 4.1.2, RFC 6066 3, RFC 7301):
 * the gate needs the server name to know whose cell gets the socket. Strangers reach this before anything
 * else, so it is pure, bounded and fuzzed. The hello may span several TCP segments and several TLS records.
 */
#ifndef SEKISHO_HELLO_H
#define SEKISHO_HELLO_H

#include "bytes.h"

/* The longest run of bytes that may hold the hello: records and their headers together. */
#define HELLO_MAX 16384
/* A DNS name (RFC 1035), without a trailing dot. */
#define HELLO_NAME_MAX 253

enum hello_result {
    HELLO_OK,
    HELLO_MORE, /* a good beginning; `needed` bytes in all are needed before another try makes sense */
    HELLO_BAD
};

struct hello {
    size_t needed;                        /* with HELLO_MORE: total bytes, > the length given, <= HELLO_MAX */
    char server_name[HELLO_NAME_MAX + 1]; /* lower-cased; empty when none was sent */
    bool alpn_postgresql;                 /* ALPN offers "postgresql" */
    const char *why;                      /* with HELLO_BAD: a short static text for the log */
};

/* Reads the hello at the start of `bytes`. A server name with anything but letters, digits, '-', '_' and '.',
 * an empty label, a trailing dot, a NUL, more than one host_name, an IP address literal's ':' or a second
 * server_name extension is HELLO_BAD. */
enum hello_result hello_parse(struct view bytes, struct hello *out);

#endif
