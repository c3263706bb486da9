/* SPDX-License-Identifier: ISC
 *
 * blind PORT BACKEND_PORT CERTIFICATE KEY CA: a TLS relay on loopback that does what every proxy between two
 * TLS connections must do, and nothing else: PostgreSQL's SSLRequest on both sides, two handshakes, and then
 * bytes both ways. It authenticates nobody, looks at no message, logs nothing, keeps no count. One process,
 * one epoll loop: the floor under the contestants, so it is written as tightly as OpenSSL allows: the two
 * handshakes run side by side; one read(2) takes as many records as there are (read-ahead); small records of
 * a bulk are written as full ones; bytes go from the buffer they were decrypted into straight into the next
 * encryption; epoll_ctl is called only when a side stops taking bytes; an idle connection holds no buffer.
 *
 * For measuring only: it gives up where a real proxy would explain.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORD 16384     /* the most one TLS record carries */
#define READ_AHEAD 65536 /* bytes one read(2) may take */
#define TURNS 16         /* full records in one direction before others get their turn */
#define EVENTS 128       /* per epoll_wait */
#define HEAP                                                                                                 \
    (64u << 20) /* below this the heap is neither trimmed nor mapped: no system call for a buffer            \
                 */
#define BACKLOG 4096

enum stage { STAGE_PLAIN, STAGE_HANDSHAKE, STAGE_OPEN };

struct side {
    struct pair *pair;
    struct side *other;
    int fd;
    enum stage stage;
    bool is_client;
    uint32_t events; /* what epoll waits for */
    SSL *ssl;
    uint8_t *held; /* read from the other side, not yet taken by this one */
    size_t held_at, held_len;
    bool ended; /* nothing more comes from it */
};

struct pair {
    struct side client, backend;
    bool dead;
    SLIST_ENTRY(pair) next_dead;
};

static const uint8_t ssl_request[8] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};
static SLIST_HEAD(, pair) dead = SLIST_HEAD_INITIALIZER(dead);
static SSL_CTX *towards_client, *towards_backend;
static struct sockaddr_in backend_address;
static int epoll_fd;

static void fail(const char *what) {
    fprintf(stderr, "blind: %s: %s\n", what, strerror(errno));
    ERR_print_errors_fp(stderr);
    exit(1);
}

/* The memory goes when the loop's turn is over: events of this turn may still point to it. */
static void pair_end(struct pair *p) {
    if (p->dead)
        return;
    p->dead = true;
    SLIST_INSERT_HEAD(&dead, p, next_dead);
}

static void side_free(struct side *s) {
    if (s->ssl && s->stage == STAGE_OPEN)
        SSL_shutdown(s->ssl);
    ERR_clear_error();
    SSL_free(s->ssl);
    if (s->fd >= 0)
        close(s->fd);
    free(s->held);
}

static void bury(void) {
    while (!SLIST_EMPTY(&dead)) {
        struct pair *p = SLIST_FIRST(&dead);
        SLIST_REMOVE_HEAD(&dead, next_dead);
        side_free(&p->client);
        side_free(&p->backend);
        free(p);
    }
}

static void await(struct side *s, uint32_t events) {
    if (s->events == events)
        return;
    struct epoll_event e = {.events = events, .data.ptr = s};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, s->fd, &e) < 0)
        fail("epoll_ctl");
    s->events = events;
}

static void watch(struct side *s, uint32_t events) {
    struct epoll_event e = {.events = events, .data.ptr = s};
    int on = 1;
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->fd, &e) < 0)
        fail("epoll_ctl");
    s->events = events;
}

/* --- bytes --- */

enum outcome { MOVED, WAITS, ENDED };

static enum outcome outcome_of(SSL *ssl, int returned) {
    int error = SSL_get_error(ssl, returned);
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? WAITS : ENDED;
}

/* Fills at with what is there, up to a full record; `got` is 0 unless MOVED. */
static enum outcome take(struct side *from, uint8_t at[RECORD], size_t *got) {
    *got = 0;
    do {
        size_t n;
        int done = SSL_read_ex(from->ssl, at + *got, RECORD - *got, &n);
        if (done != 1) {
            enum outcome o = outcome_of(from->ssl, done);
            from->ended = o == ENDED;
            return *got > 0 ? MOVED : o;
        }
        *got += n;
    } while (*got < RECORD && SSL_has_pending(from->ssl));
    return MOVED;
}

static bool hold(struct side *to, const uint8_t *at, size_t len) {
    to->held = malloc(len);
    if (!to->held)
        return false;
    memcpy(to->held, at, len);
    to->held_at = 0;
    to->held_len = len;
    return true;
}

static enum outcome give(struct side *to, const uint8_t *at, size_t len, size_t *put) {
    *put = 0;
    while (*put < len) {
        size_t n;
        int done = SSL_write_ex(to->ssl, at + *put, len - *put, &n);
        if (done != 1)
            return outcome_of(to->ssl, done);
        *put += n;
    }
    return MOVED;
}

/* What this side did not take earlier. True when nothing of it is left. */
static bool unload(struct side *to) {
    size_t put;
    enum outcome o = give(to, to->held + to->held_at, to->held_len - to->held_at, &put);
    to->held_at += put;
    if (o == ENDED)
        pair_end(to->pair);
    if (o != MOVED)
        return false;
    free(to->held);
    to->held = NULL;
    return true;
}

/* From one side to the other until there is nothing more, or no more is taken. */
static void pump(struct side *from) {
    static uint8_t buffer[RECORD];
    struct side *to = from->other;
    for (int i = 0; i < TURNS && !to->held && !from->ended; i++) {
        size_t got, put;
        if (take(from, buffer, &got) != MOVED)
            break;
        enum outcome o = give(to, buffer, got, &put);
        if (o == ENDED || (o == WAITS && !hold(to, buffer + put, got - put))) {
            pair_end(from->pair);
            return;
        }
        if (!SSL_has_pending(from->ssl) && got < RECORD)
            break; /* the socket is empty: no read that would only say so */
    }
    if (from->ended && !to->held)
        pair_end(from->pair);
}

static void rearm(struct side *s) {
    await(s, (s->other->held || s->ended ? 0 : EPOLLIN) | (s->held ? EPOLLOUT : 0));
}

static void on_open(struct side *s, uint32_t events) {
    struct side *other = s->other;
    if (other->stage != STAGE_OPEN)
        return;
    if ((events & EPOLLOUT) && s->held && unload(s))
        pump(other); /* it was not listened to meanwhile, and OpenSSL may hold bytes of it */
    if (!s->pair->dead && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
        pump(s);
    if (s->pair->dead)
        return;
    rearm(s);
    rearm(other);
}

/* --- before the bytes --- */

static void handshake(struct side *s) {
    int done = SSL_do_handshake(s->ssl);
    if (done != 1) {
        bool writes = SSL_want_write(s->ssl);
        if (outcome_of(s->ssl, done) == ENDED)
            pair_end(s->pair);
        else
            await(s, writes ? EPOLLOUT : EPOLLIN);
        return;
    }
    s->stage = STAGE_OPEN;
    await(s, 0);
    if (s->other->stage != STAGE_OPEN)
        return;
    on_open(s, EPOLLIN);
    if (!s->pair->dead)
        on_open(s->other, EPOLLIN);
}

static void tls_begin(struct side *s, SSL_CTX *context) {
    s->ssl = SSL_new(context);
    if (!s->ssl || SSL_set_fd(s->ssl, s->fd) != 1)
        fail("SSL_new");
    if (s->is_client)
        SSL_set_accept_state(s->ssl);
    else
        SSL_set_connect_state(s->ssl);
    s->stage = STAGE_HANDSHAKE;
    handshake(s);
}

static void on_plain_client(struct side *s) {
    uint8_t request[sizeof ssl_request];
    if (recv(s->fd, request, sizeof request, MSG_DONTWAIT) != sizeof request ||
        memcmp(request, ssl_request, sizeof request) != 0 || send(s->fd, "S", 1, MSG_NOSIGNAL) != 1)
        pair_end(s->pair);
    else
        await(s, EPOLLIN);
    if (!s->pair->dead)
        tls_begin(s, towards_client);
}

static void on_plain_backend(struct side *s) {
    uint8_t answer;
    if (s->events & EPOLLOUT) {
        if (send(s->fd, ssl_request, sizeof ssl_request, MSG_NOSIGNAL) != sizeof ssl_request)
            pair_end(s->pair);
        else
            await(s, EPOLLIN);
    } else if (recv(s->fd, &answer, 1, MSG_DONTWAIT) != 1 || answer != 'S') {
        pair_end(s->pair);
    } else {
        tls_begin(s, towards_backend);
    }
}

static void on_side(struct side *s, uint32_t events) {
    if (s->stage == STAGE_OPEN)
        on_open(s, events);
    else if (s->stage == STAGE_HANDSHAKE)
        handshake(s);
    else if (s->is_client)
        on_plain_client(s);
    else
        on_plain_backend(s);
}

static void on_accept(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct pair *p = calloc(1, sizeof *p);
    if (!p)
        fail("memory");
    p->client = (struct side){.pair = p, .other = &p->backend, .fd = fd, .is_client = true};
    p->backend = (struct side){.pair = p, .other = &p->client};
    p->backend.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->backend.fd < 0)
        fail("socket");
    if (connect(p->backend.fd, (struct sockaddr *)&backend_address, sizeof backend_address) < 0 &&
        errno != EINPROGRESS) {
        pair_end(p);
        return;
    }
    watch(&p->client, EPOLLIN);
    watch(&p->backend, EPOLLOUT);
}

/* --- the start --- */

static SSL_CTX *context_new(const SSL_METHOD *method) {
    SSL_CTX *c = SSL_CTX_new(method);
    if (!c || SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) != 1)
        fail("SSL_CTX_new");
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(c, 1);
    SSL_CTX_set_default_read_buffer_len(c, READ_AHEAD);
    return c;
}

static void contexts_begin(const char *certificate, const char *key, const char *ca) {
    towards_client = context_new(TLS_server_method());
    towards_backend = context_new(TLS_client_method());
    SSL_CTX_set_num_tickets(towards_client, 0);
    SSL_CTX_set_verify(towards_backend, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_use_certificate_chain_file(towards_client, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(towards_client, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_load_verify_locations(towards_backend, ca, NULL) != 1)
        fail("certificates");
}

static struct sockaddr_in loopback(const char *port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int listen_on(const char *port) {
    struct sockaddr_in address = loopback(port);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0)
        fail("listen");
    return fd;
}

static void serve(int listener) {
    struct epoll_event events[EVENTS], e = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e) < 0)
        fail("epoll_ctl");
    for (;;) {
        int n = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct side *s = events[i].data.ptr;
            if (!s)
                on_accept(listener);
            else if (!s->pair->dead)
                on_side(s, events[i].events);
        }
        bury();
    }
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "usage: blind PORT BACKEND_PORT CERTIFICATE KEY CA\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    mallopt(M_TRIM_THRESHOLD, HEAP);
    mallopt(M_MMAP_THRESHOLD, HEAP / 2);
    contexts_begin(argv[3], argv[4], argv[5]);
    backend_address = loopback(argv[2]);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        fail("epoll_create1");
    serve(listen_on(argv[1]));
}
