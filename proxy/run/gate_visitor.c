/* SPDX-License-Identifier: ISC
 *
 * A connection from accept until a cell has it, or it is turned away. Bytes are peeked, never taken, but for
 * the few packets that the gate answers itself; greet.c decides, this file does. One time limit from accept
 * on, for everything. A visitor that waits for more bytes sleeps in the kernel (SO_RCVLOWAT): one byte at a
 * time wakes nobody.
 */
#include "clock.h"
#include "gate.h"
#include "log.h"
#include "magic.h"
#include "message.h"
#include "secret.h"
#include "stats.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint8_t peeked[GREET_PEEK]; /* scratch of one look */
static const struct timeval second = {1, 0};

static void visitor_end(struct visitor **v) {
    struct visitor *gone = *v;
    MAGIC_CHECK(gone, VISITOR_MAGIC);
    *v = NULL;
    if (gone->line)
        TAILQ_REMOVE(gone->line, gone, in_line);
    TAILQ_REMOVE(&gone->gate->by_age, gone, by_age);
    stats_set(STATS_GREETINGS, --gone->gate->visitor_count);
    crowd_leaves(gone);
    event_free(gone->readable);
    close(gone->fd);
    free(gone->server_name);
    gone->magic = 0;
    free(gone);
}

static void visitor_record_for(struct visitor *v, const char *tenant, enum refusal refusal,
                               const struct failure *f) {
    stats_add(STATS_TURNED_AWAY + refusal, 1);
    char client[ADDRESS_TEXT], local[ADDRESS_TEXT], via[ADDRESS_TEXT];
    address_text_port(&v->client, client);
    address_text_port(&v->local, local);
    address_text_port(&v->via, via);
    struct record r;
    record_begin(&r, EVENT_SESSION_REFUSED, v->session);
    record_text(&r, FIELD_CLIENT, view_text(client));
    if (v->via.family != 0)
        record_text(&r, FIELD_VIA, view_text(via));
    record_text(&r, FIELD_LISTENER, view_text(local));
    record_text(&r, FIELD_SERVER_NAME, view_text(v->server_name ? v->server_name : ""));
    record_text(&r, FIELD_REASON, view_text(refusal_name(refusal)));
    record_text(&r, FIELD_SQLSTATE, view_text(f->sqlstate));
    record_text(&r, FIELD_MESSAGE, view_text(f->sentence));
    record_text(&r, FIELD_CAUSE, view_text(f->cause));
    outbox_record(v->gate->outbox, 0, tenant, &r);
}

static void visitor_record(struct visitor *v, enum refusal refusal, const struct failure *f) {
    const char *tenant = gate_dedicated(v->gate, &v->local);
    visitor_record_for(v, tenant ? tenant : "", refusal, f);
}

/* What is still unread is taken first: closing over unread bytes makes the kernel send a reset, which may
 * overtake our words. */
static void send_fatal(struct visitor *v, const struct failure *f) {
    uint8_t bytes[1024];
    struct writer w = writer_of(bytes, sizeof bytes);
    message_write_fatal(&w, f, v->session);
    if (w.bad || recv(v->fd, peeked, sizeof peeked, MSG_DONTWAIT) == 0)
        return;
    if (send(v->fd, w.at, w.len, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        shutdown(v->fd, SHUT_WR);
}

static void visitor_refuse(struct visitor **v, enum refusal refusal, const struct failure *f, bool aloud) {
    visitor_record(*v, refusal, f);
    if (aloud)
        send_fatal(*v, f);
    visitor_end(v);
}

/* Who came, said nothing and went (a load balancer's health check, a port scan) was not turned away. */
static void visitor_left(struct visitor **v, const char *cause) {
    if ((*v)->spoke) {
        struct failure f;
        memset(&f, 0, sizeof f);
        failure_cause(&f, "%s", cause);
        visitor_record(*v, REFUSAL_CLIENT_GONE, &f);
    }
    visitor_end(v);
}

static void set_least(struct visitor *v, size_t bytes) {
    if (v->least == bytes)
        return;
    int value = (int)bytes;
    if (setsockopt(v->fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value) == 0)
        v->least = bytes;
}

void visitor_handover(struct visitor **v, struct channel *to, enum refusal refusal) {
    struct visitor *guest = *v;
    MAGIC_CHECK(guest, VISITOR_MAGIC);
    set_least(guest, 1);
    struct writer w = channel_scratch();
    writer_u64(&w, guest->session);
    writer_u64(&w, (uint64_t)guest->accepted_us);
    writer_u8(&w, (uint8_t)refusal);
    address_write(&w, &guest->client);
    address_write(&w, &guest->local);
    address_write(&w, &guest->via);
    writer_text16(&w, view_text(guest->server_name));
    writer_u8(&w, guest->direct);
    channel_send(to, M_HANDOVER, &w, guest->fd);
    crowd_hands_over(guest, to);
    visitor_end(v);
}

/* Cheaply, before any TLS: RFC 8446 6.2, internal_error. The few who shall hear why go on to their cell. */
void visitor_limited(struct visitor *v, const char *tenant, enum refusal refusal) {
    static const uint8_t alert[] = {0x15, 3, 3, 0, 2, 2, 80};
    struct failure f;
    MAGIC_CHECK(v, VISITOR_MAGIC);
    if (v->told && ward_tell(v->gate, tenant, v, refusal))
        return;
    failure_set(&f, "53300", NULL, "%s", refusal_name(refusal));
    visitor_record_for(v, tenant, refusal, &f);
    if (recv(v->fd, peeked, sizeof peeked, MSG_DONTWAIT) > 0 &&
        send(v->fd, alert, sizeof alert, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        shutdown(v->fd, SHUT_WR);
    visitor_end(&v);
}

void visitor_wait(struct visitor *v, struct visitors *line) {
    MAGIC_CHECK(v, VISITOR_MAGIC);
    if (v->line)
        TAILQ_REMOVE(v->line, v, in_line);
    v->line = line;
    if (line)
        TAILQ_INSERT_TAIL(line, v, in_line);
}

static bool consume(struct visitor *v, size_t bytes) {
    return bytes == 0 || recv(v->fd, peeked, bytes, MSG_DONTWAIT) == (ssize_t)bytes;
}

static bool is_shed(struct visitor *v, enum refusal refusal);

/* False: a limit of that address turned it away. */
static bool told_address(struct visitor *v, const struct proxy2 *proxy) {
    if (proxy->local) {
        v->spoke = false; /* the load balancer's own words: a health check, until more comes */
        return true;
    }
    v->via = v->client;
    memset(&v->client, 0, sizeof v->client);
    v->client.family = proxy->family;
    v->client.port = proxy->source_port;
    memcpy(v->client.bytes, proxy->source, proxy->family == 4 ? 4 : 16);
    if (!is_shed(v, crowd_comes_from(v)))
        return true;
    visitor_end(&v);
    return false;
}

static void greeted(struct visitor *v, const struct greet_step *step) {
    v->server_name = strdup(step->hello.server_name);
    if (!v->server_name)
        abort();
    v->direct = step->direct;
    event_del(v->readable);
    visitor_place(v);
}

/* True when the visitor is still here and should be looked at again at once. */
static bool visitor_step(struct visitor *v, const struct greet_step *step) {
    struct gate *g = v->gate;
    if ((step->action == GREET_PROXIED || step->action == GREET_REPLY || step->action == GREET_CANCEL) &&
        !consume(v, step->bytes)) {
        visitor_left(&v, "the connection broke");
        return false;
    }
    switch (step->action) {
    case GREET_WAIT:
        set_least(v, step->bytes);
        return false;
    case GREET_PROXIED:
        return told_address(v, &step->proxy);
    case GREET_REPLY:
        if (send(v->fd, &step->reply, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
            return true;
        visitor_left(&v, "the connection broke");
        return false;
    case GREET_HANDOVER:
        greeted(v, step);
        return false;
    case GREET_CANCEL:
        gate_cancel(g, "", gate_dedicated(g, &v->local), step->cancel_pid, step->cancel_key, &v->client);
        visitor_end(&v);
        return false;
    case GREET_REFUSE:
        visitor_refuse(&v, step->refusal, &step->failure, step->aloud);
        return false;
    }
    return false;
}

static bool is_hung_up(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0;
}

/* Woken with fewer bytes than asked for: either no more will come, or the kernel is short of memory for them.
 */
static void visitor_stuck(struct visitor *v) {
    struct failure f;
    memset(&f, 0, sizeof f);
    if (is_hung_up(v->fd)) {
        visitor_left(&v, "the client hung up in the middle of its greeting");
        return;
    }
    failure_cause(&f, "no memory for its packets");
    visitor_refuse(&v, REFUSAL_OVERLOAD, &f, false);
}

static void on_words(evutil_socket_t fd, short what, void *arg) {
    struct visitor *v = arg;
    MAGIC_CHECK(v, VISITOR_MAGIC);
    struct greet_step step;
    for (bool woken = true;; woken = false) {
        ssize_t n = recv(fd, peeked, sizeof peeked, MSG_PEEK | MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            visitor_left(&v, n == 0 ? "the client hung up" : strerror(errno));
            return;
        }
        if (woken && n > 0 && (size_t)n < v->least) {
            visitor_stuck(v);
            return;
        }
        v->spoke |= n > 0;
        greet_look(&v->greet, view_of(peeked, n > 0 ? (size_t)n : 0), &step);
        if (!visitor_step(v, &step))
            return;
    }
}

static int64_t deadline_us(const struct visitor *v) {
    return v->accepted_us + (int64_t)v->gate->settings->login_timeout * 1000;
}

void visitors_await(struct gate *g) {
    struct visitor *oldest = TAILQ_FIRST(&g->by_age);
    if (!oldest) {
        evtimer_del(g->too_old);
        return;
    }
    int64_t left_us = deadline_us(oldest) - clock_now().mono_us;
    if (left_us < 1000)
        left_us = 1000;
    struct timeval after = {left_us / 1000000, left_us % 1000000};
    evtimer_add(g->too_old, &after);
}

static void on_too_old(evutil_socket_t fd, short what, void *arg) {
    struct gate *g = arg;
    MAGIC_CHECK(g, GATE_MAGIC);
    int64_t now_us = clock_now().mono_us;
    struct visitor *v;
    while ((v = TAILQ_FIRST(&g->by_age)) && deadline_us(v) <= now_us) {
        struct failure f;
        memset(&f, 0, sizeof f);
        failure_cause(&f, "%s",
                      v->line == &g->held ? "no directory yet"
                      : v->line           ? "no cell came up for it"
                                          : "the client did not finish its greeting");
        visitor_refuse(&v, REFUSAL_TIMEOUT, &f, false);
    }
    visitors_await(g);
}

/* Unique over restarts: the time in milliseconds and, for a clock that was set back meanwhile, 20 bits that
 * begin anywhere; a counter within one start. Never 0. */
static uint64_t next_session(struct gate *g, int64_t wall_us) {
    if (g->last_session == 0)
        secret_random(&g->session_salt, sizeof g->session_salt);
    uint64_t id = (uint64_t)(wall_us / 1000) << 20 | (g->session_salt & 0xfffff);
    g->last_session = id > g->last_session ? id : g->last_session + 1;
    return g->last_session;
}

static void tell_shed(struct gate *g, enum refusal refusal, uint32_t *count) {
    if (*count == 0)
        return;
    log_warning("%u connections were turned away: %s", *count, refusal_name(refusal));
    struct record r;
    record_begin(&r, EVENT_SESSION_REFUSED, 0);
    record_text(&r, FIELD_REASON, view_text(refusal_name(refusal)));
    record_number(&r, FIELD_TIMES, *count);
    record_number(&r, FIELD_PERIOD_MS, 1000);
    outbox_record(g->outbox, 0, "", &r);
    *count = 0;
    evtimer_add(g->shed_told, &second);
}

/* What came after the first of a flood, as one line a second. */
static void on_shed(evutil_socket_t fd, short what, void *arg) {
    struct gate *g = arg;
    MAGIC_CHECK(g, GATE_MAGIC);
    tell_shed(g, REFUSAL_OVERLOAD, &g->shed);
    tell_shed(g, REFUSAL_RATE, &g->fast);
}

/* The newest is turned away: those who are under way have waited longer. */
static bool is_shed(struct visitor *v, enum refusal refusal) {
    struct gate *g = v->gate;
    if (refusal == REFUSAL_NONE)
        return false;
    stats_add(STATS_SHED, 1);
    if (evtimer_pending(g->shed_told, NULL)) {
        *(refusal == REFUSAL_RATE ? &g->fast : &g->shed) += 1;
        stats_add(STATS_TURNED_AWAY + refusal, 1);
        return true;
    }
    struct failure f;
    char client[ADDRESS_TEXT];
    address_text(&v->client, client);
    failure_set(&f, "53300", NULL, "%s", refusal_name(refusal));
    log_warning("%s: a connection from %s is turned away", refusal_name(refusal), client);
    visitor_record(v, refusal, &f);
    evtimer_add(g->shed_told, &second);
    return true;
}

void visitors_begin(struct gate *g) {
    TAILQ_INIT(&g->by_age);
    TAILQ_INIT(&g->held);
    g->too_old = evtimer_new(role_base(), on_too_old, g);
    g->shed_told = evtimer_new(role_base(), on_shed, g);
    if (!g->too_old || !g->shed_told)
        abort();
}

static bool local_address(int fd, struct address *out) {
    struct sockaddr_storage here;
    socklen_t len = sizeof here;
    return getsockname(fd, (struct sockaddr *)&here, &len) == 0 &&
           address_from_sockaddr((struct sockaddr *)&here, out);
}

void visitor_arrives(struct gate *g, int fd, const struct address *peer, bool operators) {
    MAGIC_CHECK(g, GATE_MAGIC);
    struct moment now = clock_now();
    stats_add(STATS_ACCEPTED, 1);
    struct visitor *v = calloc(1, sizeof *v);
    if (v)
        *v = (struct visitor){.magic = VISITOR_MAGIC, .gate = g, .fd = fd, .client = *peer, .least = 1};
    if (!v || !local_address(fd, &v->local)) {
        close(fd);
        free(v);
        return;
    }
    v->accepted_us = now.mono_us;
    v->session = next_session(g, now.wall_us);
    v->operators = operators;
    bool balanced = !operators && ranges_contain(&g->settings->proxy_protocol_from, peer);
    bool refused = is_shed(v, crowd_arrives(v)) || (!balanced && is_shed(v, crowd_comes_from(v)));
    v->readable = refused ? NULL : event_new(role_base(), fd, EV_READ | EV_PERSIST, on_words, v);
    if (!v->readable || event_add(v->readable, NULL) < 0) {
        if (v->readable)
            event_free(v->readable);
        crowd_leaves(v);
        close(fd);
        free(v);
        return;
    }
    greet_begin(&v->greet, balanced);
    TAILQ_INSERT_TAIL(&g->by_age, v, by_age);
    stats_set(STATS_GREETINGS, ++g->visitor_count);
    if (!evtimer_pending(g->too_old, NULL))
        visitors_await(g);
}

void visitors_drain(struct gate *g) {
    struct failure f;
    struct visitor *v;
    while ((v = TAILQ_FIRST(&g->by_age))) {
        failure_set(&f, "57P03", "try again in a moment", "the proxy is shutting down");
        visitor_refuse(&v, REFUSAL_DRAINING, &f, greet_plaintext(&v->greet));
    }
}
