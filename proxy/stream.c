/* SPDX-License-Identifier: ISC
 *
 * See stream.h. Strangers' bytes come in here and go no further than OpenSSL and the caller's bounded buffer.
 * No buffer of our own: what OpenSSL holds is released when it is empty (SSL_MODE_RELEASE_BUFFERS, set in
 * tls.c).
 */
#include "stream.h"
#include "endpoint.h"
#include "magic.h"
#include "tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAM_MAGIC 0x5ec10002u

static char why[256];

static void arm(struct event *e, bool on) {
    if (on)
        event_add(e, NULL);
    else
        event_del(e);
}

static void on_event(evutil_socket_t fd, short what, void *arg) {
    struct stream *s = arg;
    MAGIC_CHECK(s, STREAM_MAGIC);
    if (!s->crossed && (what & EV_READ) && !s->wants_read) { /* see stream_want */
        arm(&s->readable, false);
        what &= ~EV_READ;
        if (!(what & EV_WRITE))
            return;
    }
    int can = (what & EV_READ ? STREAM_CAN_READ : 0) | (what & EV_WRITE ? STREAM_CAN_WRITE : 0);
    if (s->crossed) {
        s->crossed = false;
        can = STREAM_CAN_READ | STREAM_CAN_WRITE;
        arm(&s->readable, s->wants_read);
        arm(&s->writable, s->wants_write);
    }
    s->notify(s->arg, can);
}

static void on_again(evutil_socket_t fd, short what, void *arg) {
    struct stream *s = arg;
    MAGIC_CHECK(s, STREAM_MAGIC);
    s->notify(s->arg, STREAM_CAN_READ);
}

static void keep_alive(int fd, unsigned idle_s) {
    int on = 1, idle = (int)idle_s, interval = 10, count = 6;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

void stream_begin(struct stream *s, struct event_base *base, int fd, unsigned keepalive_s, stream_fn *notify,
                  void *arg) {
    memset(s, 0, sizeof *s);
    s->magic = STREAM_MAGIC;
    s->fd = fd;
    s->notify = notify;
    s->arg = arg;
    int on = 1;
    evutil_make_socket_nonblocking(fd);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    keep_alive(fd, keepalive_s);
    event_assign(&s->readable, base, fd, EV_READ | EV_PERSIST, on_event, s);
    event_assign(&s->writable, base, fd, EV_WRITE | EV_PERSIST, on_event, s);
    event_assign(&s->again, base, -1, 0, on_again, s);
}

void stream_end(struct stream *s) {
    if (s->magic != STREAM_MAGIC)
        return;
    event_del(&s->readable);
    event_del(&s->writable);
    event_del(&s->again);
    SSL_free(s->ssl);
    close(s->fd);
    memset(s, 0, sizeof *s);
}

bool stream_is_open(const struct stream *s) {
    return s->magic == STREAM_MAGIC;
}

bool stream_tls_accept(struct stream *s, SSL_CTX *context) {
    MAGIC_CHECK(s, STREAM_MAGIC);
    s->ssl = SSL_new(context);
    if (!s->ssl || SSL_set_fd(s->ssl, s->fd) != 1)
        return false;
    SSL_set_accept_state(s->ssl);
    return true;
}

bool stream_tls_connect(struct stream *s, SSL_CTX *context, const char *name) {
    MAGIC_CHECK(s, STREAM_MAGIC);
    s->ssl = name[0] ? SSL_new(context) : NULL; /* without a name OpenSSL would check none */
    if (!s->ssl || SSL_set_fd(s->ssl, s->fd) != 1)
        return false;
    X509_VERIFY_PARAM *verify = SSL_get0_param(s->ssl);
    /* An address is matched against the certificate's address entries, a name against its names. */
    if (X509_VERIFY_PARAM_set1_ip_asc(verify, name) != 1) {
        X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        if (X509_VERIFY_PARAM_set1_host(verify, name, 0) != 1 || SSL_set_tlsext_host_name(s->ssl, name) != 1)
            return false;
    }
    ERR_clear_error();
    SSL_set_connect_state(s->ssl);
    return true;
}

static void explain(const struct stream *s, int error) {
    unsigned long code = ERR_get_error();
    long verified = s->ssl ? SSL_get_verify_result(s->ssl) : X509_V_OK;
    if (verified != X509_V_OK)
        snprintf(why, sizeof why, "certificate: %s", X509_verify_cert_error_string(verified));
    else if (code != 0)
        tls_error_text(code, why, sizeof why);
    else if (error == SSL_ERROR_SYSCALL && errno != 0)
        snprintf(why, sizeof why, "%s", strerror(errno));
    else
        snprintf(why, sizeof why, "closed in the middle");
    ERR_clear_error();
}

/* A stale entry would be taken for the next call's. Looking whether there is one costs a sixth of clearing,
 * which goes through every place of the queue. */
static void forget_errors(void) {
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* Turns OpenSSL's answer into ours. When TLS needs the other direction first, that is all that is waited for:
 * bytes that cannot be read yet would wake us again and again. */
static enum stream_result settle(struct stream *s, int returned, bool reading) {
    int error = SSL_get_error(s->ssl, returned);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        bool needs_read = error == SSL_ERROR_WANT_READ;
        if (needs_read != reading) {
            s->crossed = true;
            arm(&s->readable, needs_read);
            arm(&s->writable, !needs_read);
        }
        return STREAM_AGAIN;
    }
    if (error == SSL_ERROR_ZERO_RETURN)
        return STREAM_END;
    /* Many clients close without close_notify; between PostgreSQL messages that is an ordinary end. */
    if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        explain(s, error);
        return STREAM_END;
    }
    explain(s, error);
    return STREAM_FAILED;
}

enum stream_result stream_handshake(struct stream *s) {
    MAGIC_CHECK(s, STREAM_MAGIC);
    ERR_clear_error();
    errno = 0;
    int done = SSL_do_handshake(s->ssl);
    if (done == 1)
        return STREAM_OK;
    int error = SSL_get_error(s->ssl, done);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        stream_want(s, error == SSL_ERROR_WANT_READ, error == SSL_ERROR_WANT_WRITE);
        return STREAM_AGAIN;
    }
    explain(s, error);
    return STREAM_FAILED;
}

static enum stream_result settle_plain(ssize_t n, size_t *moved) {
    if (n > 0) {
        *moved = (size_t)n;
        return STREAM_OK;
    }
    if (n == 0)
        return STREAM_END;
    if (errno == EAGAIN || errno == EINTR)
        return STREAM_AGAIN;
    snprintf(why, sizeof why, "%s", strerror(errno));
    return STREAM_FAILED;
}

enum stream_result stream_read(struct stream *s, uint8_t *at, size_t cap, size_t *got) {
    MAGIC_CHECK(s, STREAM_MAGIC);
    *got = 0;
    if (!s->ssl)
        return settle_plain(recv(s->fd, at, cap, 0), got);
    forget_errors();
    int done = SSL_read_ex(s->ssl, at, cap, got);
    return done == 1 ? STREAM_OK : settle(s, done, true);
}

enum stream_result stream_write(struct stream *s, const uint8_t *at, size_t len, size_t *put) {
    MAGIC_CHECK(s, STREAM_MAGIC);
    *put = 0;
    if (!s->ssl)
        return settle_plain(send(s->fd, at, len, MSG_NOSIGNAL), put);
    forget_errors();
    int done = SSL_write_ex(s->ssl, at, len, put);
    return done == 1 ? STREAM_OK : settle(s, done, false);
}

bool stream_pending(const struct stream *s) {
    return s->ssl && SSL_has_pending(s->ssl);
}

/* Who is not to be read stays watched until it does speak: between question and answer hardly anybody does,
 * and stopping to watch and watching again would be two system calls. */
void stream_want(struct stream *s, bool read, bool write) {
    MAGIC_CHECK(s, STREAM_MAGIC);
    if (!s->crossed && read && !s->wants_read)
        arm(&s->readable, true);
    if (!s->crossed && write != s->wants_write)
        arm(&s->writable, write);
    s->wants_read = read;
    s->wants_write = write;
}

/* An event of its own: libevent does not watch the socket of an event that is added while it is active.
 * And what a callback makes active runs before the loop looks at sockets and timers again: the loop is sent
 * there, or one busy connection would have it for itself. */
void stream_again(struct stream *s) {
    MAGIC_CHECK(s, STREAM_MAGIC);
    event_active(&s->again, EV_TIMEOUT, 0);
    event_base_loopcontinue(event_get_base(&s->again));
}

void stream_finish(struct stream *s) {
    MAGIC_CHECK(s, STREAM_MAGIC);
    if (s->finished)
        return;
    s->finished = true;
    if (s->ssl) {
        ERR_clear_error();
        SSL_shutdown(s->ssl);
        ERR_clear_error();
    }
    shutdown(s->fd, SHUT_WR);
}

void stream_abort(struct stream *s) {
    MAGIC_CHECK(s, STREAM_MAGIC);
    struct linger now = {1, 0};
    setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    s->finished = true;
}

void stream_tls_text(const struct stream *s, char out[64]) {
    out[0] = 0;
    if (s->ssl)
        snprintf(out, 64, "%s %s", SSL_get_version(s->ssl), SSL_get_cipher_name(s->ssl));
}

void stream_binding(const struct stream *s, bool accepting, struct scram_channel *out) {
    memset(out, 0, sizeof *out);
    X509 *certificate = accepting ? SSL_get_certificate(s->ssl) : SSL_get1_peer_certificate(s->ssl);
    if (certificate)
        endpoint_binding(certificate, out);
    if (!accepting)
        X509_free(certificate);
}

const char *stream_why(const struct stream *s) {
    return why;
}
