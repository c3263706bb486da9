/* SPDX-License-Identifier: ISC
 *
 * One TCP connection, in clear first and under TLS later. stream.c is the only file that touches a session's
 * sockets and SSL objects; what it reports are meanings: bytes, nothing yet, ended in order, failed.
 */
#ifndef SEKISHO_STREAM_H
#define SEKISHO_STREAM_H

#include "bytes.h"
#include "scram.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/ssl.h>

enum stream_result {
    STREAM_OK,
    STREAM_AGAIN, /* nothing now; the notification will come */
    STREAM_END,   /* the peer ended in order (close_notify, or FIN) */
    STREAM_FAILED /* reset, TLS error, ...: stream_why() */
};

enum { STREAM_CAN_READ = 1, STREAM_CAN_WRITE = 2 };

/* what: STREAM_CAN_READ and/or STREAM_CAN_WRITE. */
typedef void stream_fn(void *arg, int what);

struct stream {
    uint32_t magic;
    int fd; /* owned */
    SSL *ssl;
    struct event readable, writable, again;
    stream_fn *notify;
    void *arg;
    bool wants_read, wants_write; /* what the owner asked for */
    bool crossed;                 /* TLS needs the other direction before it can go on */
    bool finished;                /* our side was ended */
};

/* Takes over fd; non-blocking, TCP_NODELAY, keep-alive after keepalive_s seconds idle. Nothing is waited for
 * yet. */
void stream_begin(struct stream *s, struct event_base *base, int fd, unsigned keepalive_s, stream_fn *notify,
                  void *arg);
/* Closes; safe on a zeroed stream and twice. */
void stream_end(struct stream *s);
bool stream_is_open(const struct stream *s);

/* Prepares TLS on the connection; then call stream_handshake until it is OK. name: what the peer's
 * certificate must carry (a host name or an address), also sent as server name when it is a host name. False
 * without memory. */
bool stream_tls_accept(struct stream *s, SSL_CTX *context);
bool stream_tls_connect(struct stream *s, SSL_CTX *context, const char *name);
enum stream_result stream_handshake(struct stream *s);

/* got/put: bytes moved, > 0 with STREAM_OK. */
enum stream_result stream_read(struct stream *s, uint8_t *at, size_t cap, size_t *got);
enum stream_result stream_write(struct stream *s, const uint8_t *at, size_t len, size_t *put);
/* Bytes are already here, read from the kernel but not yet by the owner. */
bool stream_pending(const struct stream *s);

/* What to be notified of from now on. */
void stream_want(struct stream *s, bool read, bool write);
/* Notifies as readable in the loop's next turn even without new bytes: for going on fairly. */
void stream_again(struct stream *s);
/* Ends our direction: close_notify and FIN; the peer may still send. */
void stream_finish(struct stream *s);
/* Closing it from now on resets the connection: what the peer has not been sent yet never will be. */
void stream_abort(struct stream *s);

/* "TLSv1.3 TLS_AES_256_GCM_SHA384"; "" without TLS. */
void stream_tls_text(const struct stream *s, char out[64]);
/* The tls-server-end-point of our own (accepting) or the peer's (connecting) certificate. */
void stream_binding(const struct stream *s, bool accepting, struct scram_channel *out);
/* A text for the log about the last failure on this thread of control; static buffer. */
const char *stream_why(const struct stream *s);

#endif
