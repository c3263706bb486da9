/* SPDX-License-Identifier: ISC
 *
 * The listening sockets, which the supervisor binds and hands over in whole sets, and the accept loop. Takes
 * a bounded number of connections a turn, so that a flood at the door does not starve the channels; without
 * descriptors it stops for a moment instead of spinning.
 */
#include "clock.h"
#include "gate.h"
#include "log.h"
#include "magic.h"
#include "stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTENER_MAGIC 0x6a7e0005u
#define ACCEPT_BATCH 64
#define PAUSE_MS 100
#define SECOND_US 1000000

struct gate_listener {
    uint32_t magic;
    struct gate *gate;
    int fd;
    bool operators;
    struct event *readable;
    LIST_ENTRY(gate_listener) next;
};

static void close_set(struct listener_set *set) {
    while (!LIST_EMPTY(set)) {
        struct gate_listener *l = LIST_FIRST(set);
        MAGIC_CHECK(l, LISTENER_MAGIC);
        LIST_REMOVE(l, next);
        if (l->readable)
            event_free(l->readable);
        close(l->fd);
        free(l);
    }
}

static void count_listeners(const struct gate *g) {
    const struct gate_listener *l;
    uint64_t tenants = 0;
    LIST_FOREACH(l, &g->listeners, next) {
        tenants += !l->operators;
    }
    stats_set(STATS_LISTENERS, tenants);
}

void gate_listeners_close(struct gate *g) {
    close_set(&g->listeners);
    count_listeners(g);
    close_set(&g->coming);
    if (g->accept_again)
        event_free(g->accept_again);
    g->accept_again = NULL;
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg) {
    struct gate *g = arg;
    MAGIC_CHECK(g, GATE_MAGIC);
    event_free(g->accept_again);
    g->accept_again = NULL;
    struct gate_listener *l;
    LIST_FOREACH(l, &g->listeners, next) {
        event_add(l->readable, NULL);
    }
}

static void pause_accepting(struct gate *g, int error) {
    int64_t now_us = clock_now().mono_us;
    if (now_us - g->pause_logged_us >= SECOND_US) {
        log_error("cannot accept connections for now: %s", strerror(error));
        g->pause_logged_us = now_us;
    }
    struct gate_listener *l;
    LIST_FOREACH(l, &g->listeners, next) {
        event_del(l->readable);
    }
    if (!g->accept_again)
        g->accept_again = role_timer(PAUSE_MS, false, on_accept_again, g);
}

static bool is_shortage(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void on_connection(evutil_socket_t fd, short what, void *arg) {
    struct gate_listener *l = arg;
    MAGIC_CHECK(l, LISTENER_MAGIC);
    struct gate *g = l->gate;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sockaddr_storage from;
        socklen_t len = sizeof from;
        int client = accept4(fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client < 0) {
            if (is_shortage(errno))
                pause_accepting(g, errno);
            if (errno == ECONNABORTED || errno == EINTR)
                continue;
            return;
        }
        struct address peer;
        if (address_from_sockaddr((struct sockaddr *)&from, &peer))
            visitor_arrives(g, client, &peer, l->operators);
        else
            close(client);
    }
}

static void take_listener(struct gate *g, struct channel *c, struct reader *body, int fd) {
    struct address address;
    uint8_t plane = reader_u8(body);
    if (!address_read(body, &address) || !reader_done(body)) {
        close(fd);
        channel_offend(c, "sent a listener without its address");
        return;
    }
    struct gate_listener *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    *l = (struct gate_listener){.magic = LISTENER_MAGIC, .gate = g, .fd = fd, .operators = plane == 1};
    l->readable = event_new(role_base(), fd, EV_READ | EV_PERSIST, on_connection, l);
    if (!l->readable)
        abort();
    LIST_INSERT_HEAD(&g->coming, l, next);
}

/* The kept ones come again in the new set, and what waits in their backlog stays there: nothing is dropped.
 */
static void replace_set(struct gate *g) {
    close_set(&g->listeners);
    while (!LIST_EMPTY(&g->coming)) {
        struct gate_listener *l = LIST_FIRST(&g->coming);
        LIST_REMOVE(l, next);
        LIST_INSERT_HEAD(&g->listeners, l, next);
        if (!g->accept_again)
            event_add(l->readable, NULL);
    }
}

void gate_listeners_message(struct gate *g, struct channel *c, enum message_code m, struct reader *body,
                            int fd) {
    MAGIC_CHECK(g, GATE_MAGIC);
    switch (m) {
    case M_LISTENERS_BEGIN:
        close_set(&g->coming);
        return;
    case M_LISTENER:
        take_listener(g, c, body, fd);
        return;
    default:
        assert(m == M_LISTENERS_END);
        if (g->draining)
            close_set(&g->coming);
        else
            replace_set(g);
        count_listeners(g);
    }
}
