/* SPDX-License-Identifier: ISC
 *
 * See console_http.h. (Debian's evhttp bounds neither the number of its connections nor the time of a whole
 * request; what is needed of HTTP is small.)
 */
#include "console_http.h"
#include "address.h"
#include "clock.h"
#include "console_stats.h"
#include "http_request.h"
#include "magic.h"
#include "role.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#define HTTP_LISTENER_MAGIC 0xC0457701u
#define HTTP_PEER_MAGIC 0xC0457702u
#define PEERS_MOST 8
#define REQUEST_S 5 /* from accepting to the last byte of the answer */

struct http_listener {
    uint32_t magic;
    int fd;
    struct event *readable;
    LIST_ENTRY(http_listener) next;
};

struct http_peer {
    uint32_t magic;
    struct bufferevent *stream;
    struct event *too_late;
    LIST_ENTRY(http_peer) next;
};

LIST_HEAD(http_listeners, http_listener);
static struct http_listeners listeners = LIST_HEAD_INITIALIZER(listeners),
                             coming = LIST_HEAD_INITIALIZER(coming);
static LIST_HEAD(, http_peer) peers = LIST_HEAD_INITIALIZER(peers);
static size_t peer_count;

static void peer_end(struct http_peer *p) {
    MAGIC_CHECK(p, HTTP_PEER_MAGIC);
    LIST_REMOVE(p, next);
    peer_count--;
    event_free(p->too_late);
    bufferevent_free(p->stream);
    p->magic = 0;
    free(p);
}

/* --- answers --- */

struct answer {
    int status;
    const char *phrase, *type;
    struct evbuffer *body;
};

static void add_line(void *arg, struct view line) {
    if (evbuffer_add(arg, line.at, line.len) < 0)
        abort();
}

static void add_metrics(struct evbuffer *body) {
    size_t count;
    struct stats_series *all = console_stats_collect(role_settings()->metrics_tenants, &count);
    stats_write(all, count, clock_now().mono_us, add_line, body);
    free(all);
}

static void say(struct answer *a, int status, const char *phrase, const char *words) {
    a->status = status;
    a->phrase = phrase;
    evbuffer_add_printf(a->body, "%s\n", words);
}

static void answer_path(struct answer *a, struct view path) {
    if (view_equal_text(path, "/metrics")) {
        a->type = "text/plain; version=0.0.4; charset=utf-8";
        add_metrics(a->body);
    } else if (view_equal_text(path, "/healthz")) {
        const char *dead = console_stats_dead();
        char why[48];
        snprintf(why, sizeof why, "the %s does not run", dead);
        if (dead[0])
            say(a, 503, "Service Unavailable", why);
        else
            say(a, 200, "OK", "every process runs");
    } else if (view_equal_text(path, "/readyz")) {
        const char *why = console_stats_unready(role_settings()->directory_max_age, clock_now().mono_us);
        if (why[0])
            say(a, 503, "Service Unavailable", why);
        else
            say(a, 200, "OK", "a new session would be served");
    } else {
        say(a, 404, "Not Found", "there is /metrics, /healthz and /readyz");
    }
}

static void send_answer(struct http_peer *p, struct answer *a, bool head) {
    struct evbuffer *out = bufferevent_get_output(p->stream);
    evbuffer_add_printf(out,
                        "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
                        "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
                        a->status, a->phrase, a->type, evbuffer_get_length(a->body),
                        a->status == 405 ? "Allow: GET, HEAD\r\n" : "");
    if (!head)
        evbuffer_add_buffer(out, a->body);
}

static void answer(struct http_peer *p, enum http_result result, const struct http_request *request) {
    struct answer a = {200, "OK", "text/plain; charset=utf-8", evbuffer_new()};
    if (!a.body)
        abort();
    stats_add(STATS_SCRAPES, 1);
    if (result == HTTP_OK)
        answer_path(&a, request->path);
    else if (result == HTTP_NOT_METHOD)
        say(&a, 405, "Method Not Allowed", "GET or HEAD");
    else if (result == HTTP_TOO_LONG)
        say(&a, 431, "Request Header Fields Too Large", "that is too long");
    else
        say(&a, 400, "Bad Request", "that is no request");
    send_answer(p, &a, result == HTTP_OK && request->head);
    evbuffer_free(a.body);
}

/* --- connections --- */

/* What the client still sends is taken and thrown away: closing over it would be a reset, which may overtake
 * the answer. */
static void on_rest(struct bufferevent *b, void *arg) {
    struct evbuffer *in = bufferevent_get_input(b);
    evbuffer_drain(in, evbuffer_get_length(in));
}

static void on_written(struct bufferevent *b, void *arg) {
    shutdown(bufferevent_getfd(b), SHUT_WR);
}

static void on_event(struct bufferevent *b, short what, void *arg) {
    peer_end(arg);
}

static void on_too_late(evutil_socket_t fd, short what, void *arg) {
    peer_end(arg);
}

static void on_readable(struct bufferevent *b, void *arg) {
    struct http_peer *p = arg;
    MAGIC_CHECK(p, HTTP_PEER_MAGIC);
    struct evbuffer *in = bufferevent_get_input(b);
    size_t len = evbuffer_get_length(in);
    struct http_request request = {0};
    enum http_result result = http_request_read(view_of(evbuffer_pullup(in, -1), len), &request);
    if (result == HTTP_MORE)
        return;
    bufferevent_setcb(b, on_rest, on_written, on_event, p);
    answer(p, result, &request);
    on_rest(b, p);
}

static void peer_begin(int fd) {
    static const struct timeval patience = {REQUEST_S, 0};
    struct http_peer *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->magic = HTTP_PEER_MAGIC;
    p->stream = bufferevent_socket_new(role_base(), fd, BEV_OPT_CLOSE_ON_FREE);
    p->too_late = evtimer_new(role_base(), on_too_late, p);
    if (!p->stream || !p->too_late || evtimer_add(p->too_late, &patience) < 0)
        abort();
    bufferevent_setwatermark(p->stream, EV_READ, 0, HTTP_HEAD_MAX);
    bufferevent_setcb(p->stream, on_readable, NULL, on_event, p);
    bufferevent_enable(p->stream, EV_READ | EV_WRITE);
    LIST_INSERT_HEAD(&peers, p, next);
    peer_count++;
}

static void on_connection(evutil_socket_t listener, short what, void *arg) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && peer_count < PEERS_MOST)
        peer_begin(fd);
    else if (fd >= 0)
        close(fd);
}

/* --- listeners --- */

static void listener_end(struct http_listener *l) {
    MAGIC_CHECK(l, HTTP_LISTENER_MAGIC);
    LIST_REMOVE(l, next);
    event_free(l->readable);
    close(l->fd);
    l->magic = 0;
    free(l);
}

static void set_end(struct http_listeners *set) {
    while (!LIST_EMPTY(set))
        listener_end(LIST_FIRST(set));
}

static bool take_listener(struct reader *body, int fd) {
    struct address address;
    reader_u8(body); /* the plane: metrics */
    if (!address_read(body, &address) || !reader_done(body)) {
        close(fd);
        return false;
    }
    struct http_listener *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    *l = (struct http_listener){.magic = HTTP_LISTENER_MAGIC, .fd = fd};
    l->readable = event_new(role_base(), fd, EV_READ | EV_PERSIST, on_connection, l);
    if (!l->readable)
        abort();
    LIST_INSERT_HEAD(&coming, l, next);
    return true;
}

/* What waits in the backlog of one that is kept stays there. */
static void replace_set(void) {
    set_end(&listeners);
    while (!LIST_EMPTY(&coming)) {
        struct http_listener *l = LIST_FIRST(&coming);
        LIST_REMOVE(l, next);
        LIST_INSERT_HEAD(&listeners, l, next);
        event_add(l->readable, NULL);
    }
}

bool console_http_message(enum message_code m, struct reader *body, int fd) {
    switch (m) {
    case M_LISTENERS_BEGIN:
        set_end(&coming);
        return true;
    case M_LISTENER:
        return take_listener(body, fd);
    default:
        replace_set();
        return m == M_LISTENERS_END;
    }
}

void console_http_end(void) {
    while (!LIST_EMPTY(&peers))
        peer_end(LIST_FIRST(&peers));
    set_end(&coming);
    set_end(&listeners);
}
