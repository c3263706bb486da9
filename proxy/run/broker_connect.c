/* SPDX-License-Identifier: ISC
 *
 * Sockets to instances: the only connect(2) on the data path. Non-blocking, one address after the other, one
 * deadline for all of them. The address is the directory's; no cell can name one.
 */
#include "broker_grants.h"
#include "log.h"
#include "magic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MAGIC 0x5ec10008u

struct connecting {
    uint32_t magic;
    struct connecting *previous, *next;
    uint32_t cell;
    uint64_t request, session;
    size_t count, tried;
    struct address address[TENANT_ADDRESSES_MAX];
    int fd;
    struct event *writable, *deadline;
    char why[128];
};

static struct connecting *all;

static void connecting_free(struct connecting *c) {
    struct broker_cell *cell = cells_find(c->cell);
    if (cell && c->session == 0)
        cell->cancels--;
    if (c->previous)
        c->previous->next = c->next;
    else
        all = c->next;
    if (c->next)
        c->next->previous = c->previous;
    if (c->writable)
        event_free(c->writable);
    event_free(c->deadline);
    if (c->fd >= 0)
        close(c->fd);
    c->magic = 0;
    free(c);
}

static struct holding *holding_of(const struct connecting *c) {
    const struct broker_cell *cell = c->session ? cells_find(c->cell) : NULL;
    return cell ? holding_find(cell, c->session) : NULL;
}

static void fail(struct connecting *c) {
    struct broker_cell *cell = cells_find(c->cell);
    struct holding *h = holding_of(c);
    struct failure f;
    failure_set(&f, "08001", "try again in a moment", "the instance does not answer");
    failure_cause(&f, "%s", c->why);
    if (h)
        holding_remove(h);
    if (cell && c->session)
        cells_refuse(cell, c->request, REFUSAL_INSTANCE_UNREACHABLE, &f);
    connecting_free(c);
}

static void succeed(struct connecting *c) {
    struct broker_cell *cell = cells_find(c->cell);
    struct holding *h = holding_of(c);
    if (h)
        h->instance = c->address[c->tried - 1];
    if (cell && h && h->grant[0]) {
        operators_connected(cell, c->request, h, c->fd);
    } else if (cell && (h || c->session == 0)) {
        struct writer w = channel_scratch();
        writer_u64(&w, c->request);
        channel_send(cell->channel, M_ADMITTED, &w, c->fd);
    }
    connecting_free(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg);

/* Starts on the next address; false when there is none left. */
static bool try_next(struct connecting *c) {
    if (c->writable)
        event_free(c->writable);
    c->writable = NULL;
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    while (c->tried < c->count) {
        struct sockaddr_storage to;
        socklen_t len = address_to_sockaddr(&c->address[c->tried++], &to);
        c->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (c->fd >= 0 && (connect(c->fd, (struct sockaddr *)&to, len) == 0 || errno == EINPROGRESS)) {
            c->writable = event_new(role_base(), c->fd, EV_WRITE, on_writable, c);
            if (!c->writable || event_add(c->writable, NULL) < 0)
                abort();
            return true;
        }
        snprintf(c->why, sizeof c->why, "%s", strerror(errno));
        if (c->fd >= 0)
            close(c->fd);
        c->fd = -1;
    }
    return false;
}

static void on_writable(evutil_socket_t fd, short what, void *arg) {
    struct connecting *c = arg;
    MAGIC_CHECK(c, CONNECT_MAGIC);
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error == 0) {
        succeed(c);
        return;
    }
    snprintf(c->why, sizeof c->why, "%s", strerror(error));
    if (!try_next(c))
        fail(c);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg) {
    struct connecting *c = arg;
    MAGIC_CHECK(c, CONNECT_MAGIC);
    snprintf(c->why, sizeof c->why, "connect timed out");
    fail(c);
}

void connect_begin(struct broker_cell *cell, uint64_t request, uint64_t session, const struct tenant *t,
                   const struct address *only) {
    struct connecting *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    *c = (struct connecting){
        .magic = CONNECT_MAGIC, .cell = cell->id, .request = request, .session = session, .fd = -1};
    cell->cancels += session == 0;
    snprintf(c->why, sizeof c->why, "no address is known");
    c->count = only ? 1 : t->address_count;
    for (size_t i = 0; i < c->count; i++)
        c->address[i] = only ? *only : t->address[i];
    c->next = all;
    if (all)
        all->previous = c;
    all = c;
    c->deadline = role_timer(broker.settings->connect_timeout, false, on_deadline, c);
    if (!try_next(c))
        fail(c);
}

void connect_cell_gone(const struct broker_cell *cell) {
    for (struct connecting *c = all, *next; c; c = next) {
        next = c->next;
        if (c->cell == cell->id)
            connecting_free(c);
    }
}

void connect_forget(const struct broker_cell *cell, uint64_t session) {
    for (struct connecting *c = all, *next; c; c = next) {
        next = c->next;
        if (c->session == session && c->cell == cell->id)
            connecting_free(c);
    }
}
