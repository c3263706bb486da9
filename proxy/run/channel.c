/* SPDX-License-Identifier: ISC
 *
 * See channel.h. The only file that reads or writes a channel's socket. A packet is two bytes (version, code)
 * and the body. A receiver believes nothing: version, code, direction, length and the presence of a
 * descriptor are checked against the table before the owner sees the message.
 */
#include "channel.h"
#include "log.h"
#include "magic.h"
#include "secret.h"
#include "stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHANNEL_MAGIC 0x5ec10001u
#define HEADER 2
#define DESCRIPTOR_COST                                                                                      \
    4096         /* of the queue's bytes: so few that no peer who does not read takes them all               \
                  */
#define BATCH 64 /* messages taken per turn of the loop, so that one loud peer does not starve the others */

struct packet {
    STAILQ_ENTRY(packet) next;
    int fd; /* ours, duplicated; -1 */
    size_t len;
    uint8_t bytes[];
};

struct channel {
    uint32_t magic;
    int fd;
    enum role us, them;
    struct event *readable, *writable;
    channel_message_fn *message;
    channel_ended_fn *ended;
    void *arg;
    STAILQ_HEAD(, packet) queue;
    size_t queued;
    bool paused;
    const char *broken; /* why it must end, from the next turn of the loop on */
    bool deaf;          /* the peer is gone, but may have left messages: they are read to the end */
    bool busy;          /* inside a callback: freeing waits */
    bool freed;
};

struct rule {
    const char *name;
    int from, to;
    size_t most;
    bool descriptor;
};

static const struct rule rules[M_COUNT] = {
#define MESSAGE(code, from, to, most, descriptor) [M_##code] = {#code, from, to, most, descriptor},
#include "messages.def"
#undef MESSAGE
};

const char *role_name(enum role r) {
    switch (r) {
    case R_SUPERVISOR:
        return "supervisor";
    case R_GATE:
        return "gate";
    case R_CELL:
        return "cell";
    case R_LOBBY:
        return "lobby";
    case R_BROKER:
        return "broker";
    case R_KEEPER:
        return "keeper";
    case R_LEDGER:
        return "ledger";
    case R_OPERATOR:
        return "operator";
    case R_CONSOLE:
        return "console";
    case R_NOTIFIER:
        return "notifier";
    case R_ANY:
        break;
    }
    return "unknown";
}

const char *message_name(enum message_code m) {
    return m < M_COUNT ? rules[m].name : "unknown";
}

static void packet_free(struct packet *p) {
    if (p->fd >= 0)
        close(p->fd);
    secret_wipe(p->bytes, p->len);
    free(p);
}

static void channel_destroy(struct channel *c) {
    stats_sub(STATS_QUEUED, c->queued);
    while (!STAILQ_EMPTY(&c->queue)) {
        struct packet *p = STAILQ_FIRST(&c->queue);
        STAILQ_REMOVE_HEAD(&c->queue, next);
        packet_free(p);
    }
    if (c->readable)
        event_free(c->readable);
    if (c->writable)
        event_free(c->writable);
    close(c->fd);
    c->magic = 0;
    free(c);
}

void channel_free(struct channel **c) {
    if (!*c)
        return;
    MAGIC_CHECK(*c, CHANNEL_MAGIC);
    if ((*c)->busy)
        (*c)->freed = true;
    else
        channel_destroy(*c);
    *c = NULL;
}

/* From here on the channel is dead; its owner is told in the loop's next turn. */
static void channel_break(struct channel *c, const char *why) {
    if (c->broken)
        return;
    c->broken = why;
    event_active(c->readable, EV_READ, 0);
}

static void channel_end(struct channel *c) {
    bool outermost = !c->busy;
    c->busy = true;
    channel_ended_fn *ended = c->ended;
    c->ended = NULL;
    if (ended && !c->freed)
        ended(c->arg, c, c->broken);
    if (outermost)
        channel_destroy(c);
}

/* The result of sendmsg for one packet: 1 sent, 0 try later, -1 dead. */
static int packet_send(int socket, const uint8_t *bytes, size_t len, int fd) {
    struct iovec io = {(void *)bytes, len};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
    if (fd >= 0) {
        memset(&control, 0, sizeof control);
        m.msg_control = control.space;
        m.msg_controllen = sizeof control.space;
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(h), &fd, sizeof fd);
    }
    for (;;) {
        if (sendmsg(socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return 1;
        if (errno == EINTR)
            continue;
        /* ETOOMANYREFS: too many descriptors in flight, until a receiver takes some. */
        if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS)
            return 0;
        return -1;
    }
}

static size_t packet_cost(size_t len, int fd) {
    return len + (fd >= 0 ? DESCRIPTOR_COST : 0);
}

static void packet_queue(struct channel *c, const uint8_t *bytes, size_t len, int fd) {
    size_t cost = packet_cost(len, fd);
    struct packet *p = c->queued + cost <= CHANNEL_QUEUE_MAX ? malloc(sizeof *p + len) : NULL;
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
    if (!p || (fd >= 0 && copy < 0)) {
        free(p);
        if (copy >= 0)
            close(copy);
        channel_break(c, "does not take what it is sent");
        return;
    }
    p->fd = copy;
    p->len = len;
    memcpy(p->bytes, bytes, len);
    STAILQ_INSERT_TAIL(&c->queue, p, next);
    c->queued += cost;
    stats_add(STATS_QUEUED, cost);
    event_add(c->writable, NULL);
}

void channel_send(struct channel *c, enum message_code m, const struct writer *body, int fd) {
    MAGIC_CHECK(c, CHANNEL_MAGIC);
    size_t len = body ? body->len : 0;
    assert((rules[m].from & (int)c->us) && (rules[m].to & (int)c->them));
    assert(!(body && body->bad) && len <= rules[m].most && rules[m].descriptor == (fd >= 0));
    if (c->broken || c->freed || c->deaf)
        return;
    static uint8_t bytes[HEADER + CHANNEL_BODY_MAX];
    bytes[0] = CHANNEL_VERSION;
    bytes[1] = (uint8_t)m;
    if (len > 0)
        memcpy(bytes + HEADER, body->at, len);
    int sent = STAILQ_EMPTY(&c->queue) ? packet_send(c->fd, bytes, HEADER + len, fd) : 0;
    if (sent == 0)
        packet_queue(c, bytes, HEADER + len, fd);
    c->deaf = sent < 0;
    secret_wipe(bytes, HEADER + len); /* keys and verifiers among them */
}

static void on_writable(evutil_socket_t socket, short what, void *arg) {
    struct channel *c = arg;
    MAGIC_CHECK(c, CHANNEL_MAGIC);
    while (!c->broken && !STAILQ_EMPTY(&c->queue)) {
        struct packet *p = STAILQ_FIRST(&c->queue);
        int sent = packet_send(socket, p->bytes, p->len, p->fd);
        if (sent == 0)
            break;
        if (sent < 0) {
            c->deaf = true;
            return;
        }
        STAILQ_REMOVE_HEAD(&c->queue, next);
        c->queued -= packet_cost(p->len, p->fd);
        stats_sub(STATS_QUEUED, packet_cost(p->len, p->fd));
        packet_free(p);
    }
    if (!STAILQ_EMPTY(&c->queue))
        event_add(c->writable, NULL);
}

/* Takes the descriptors out of a received packet: the first into *fd, any further one is closed. Returns how
 * many. */
static int take_descriptors(struct msghdr *m, int *fd) {
    int count = 0;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int one;
            memcpy(&one, CMSG_DATA(h) + i * sizeof one, sizeof one);
            if (count++ == 0)
                *fd = one;
            else
                close(one);
        }
    }
    return count;
}

/* NULL when the packet keeps every rule of the table. */
static const char *packet_fault(const struct channel *c, const struct msghdr *m, const uint8_t *bytes,
                                size_t len, int descriptors) {
    if ((m->msg_flags & MSG_CTRUNC) && descriptors == 0)
        return "sent a descriptor, and this process can have no more";
    if (m->msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        return "sent more than a packet may hold";
    if (len < HEADER || bytes[0] != CHANNEL_VERSION || bytes[1] >= M_COUNT)
        return "sent an unknown message";
    const struct rule *rule = &rules[bytes[1]];
    if (!(rule->from & (int)c->them) || !(rule->to & (int)c->us))
        return "sent a message it may not send";
    if (len - HEADER > rule->most)
        return "sent a message longer than allowed";
    if (descriptors != (rule->descriptor ? 1 : 0))
        return "sent a wrong number of descriptors";
    return NULL;
}

static void deliver(struct channel *c, const struct msghdr *m, const uint8_t *bytes, size_t len, int fd,
                    int descriptors) {
    const char *fault = packet_fault(c, m, bytes, len, descriptors);
    if (fault) {
        log_error("the %s %s%s%s: ended", role_name(c->them), fault, len >= HEADER ? " " : "",
                  len >= HEADER ? message_name(bytes[1]) : "");
        if (fd >= 0)
            close(fd);
        channel_break(c, fault);
        return;
    }
    struct reader body = reader_of(view_of(bytes + HEADER, len - HEADER));
    c->message(c->arg, c, bytes[1], &body, fd);
}

/* One packet; false when there is none, or the channel is at its end. */
static bool receive(struct channel *c) {
    static uint8_t bytes[HEADER + CHANNEL_BODY_MAX];
    struct iovec io = {bytes, sizeof bytes};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct msghdr m = {.msg_iov = &io,
                       .msg_iovlen = 1,
                       .msg_control = control.space,
                       .msg_controllen = sizeof control.space};
    ssize_t n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    /* The kernel says once that the peer left unread messages of ours behind; its own are still there. */
    if (n < 0 && errno == ECONNRESET)
        n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n < 0 || (n == 0 && m.msg_controllen == 0)) {
        channel_break(c, "closed");
        return false;
    }
    int fd = -1;
    int descriptors = take_descriptors(&m, &fd);
    deliver(c, &m, bytes, (size_t)n, fd, descriptors);
    secret_wipe(bytes, (size_t)n);
    return !c->broken && !c->freed;
}

static void on_readable(evutil_socket_t socket, short what, void *arg) {
    struct channel *c = arg;
    MAGIC_CHECK(c, CHANNEL_MAGIC);
    c->busy = true;
    for (int i = 0; i < BATCH && !c->broken && !c->freed && !c->paused; i++)
        if (!receive(c))
            break;
    c->busy = false;
    if (c->freed)
        channel_destroy(c);
    else if (c->broken)
        channel_end(c);
}

struct channel *channel_new(struct event_base *base, int fd, enum role us, enum role them,
                            channel_message_fn *message, channel_ended_fn *ended, void *arg) {
    struct channel *c = calloc(1, sizeof *c);
    if (!c)
        abort(); /* a process without its channel is of no use; the supervisor starts it again */
    *c = (struct channel){.magic = CHANNEL_MAGIC,
                          .fd = fd,
                          .us = us,
                          .them = them,
                          .message = message,
                          .ended = ended,
                          .arg = arg};
    STAILQ_INIT(&c->queue);
    evutil_make_socket_nonblocking(fd);
    evutil_make_socket_closeonexec(fd);
    c->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
    c->writable = event_new(base, fd, EV_WRITE, on_writable, c);
    if (!c->readable || !c->writable || event_add(c->readable, NULL) < 0)
        abort();
    return c;
}

enum role channel_peer(const struct channel *c) {
    MAGIC_CHECK(c, CHANNEL_MAGIC);
    return c->them;
}

void channel_pause(struct channel *c, bool paused) {
    MAGIC_CHECK(c, CHANNEL_MAGIC);
    c->paused = paused;
    if (paused)
        event_del(c->readable);
    else
        event_add(c->readable, NULL);
}

size_t channel_backlog(const struct channel *c) {
    MAGIC_CHECK(c, CHANNEL_MAGIC);
    return c->queued;
}

void channel_offend(struct channel *c, const char *why) {
    MAGIC_CHECK(c, CHANNEL_MAGIC);
    log_error("the %s %s: ended", role_name(c->them), why);
    channel_break(c, why);
}

struct writer channel_scratch(void) {
    static uint8_t scratch[CHANNEL_BODY_MAX];
    return writer_of(scratch, sizeof scratch);
}

bool channel_first(int fd, enum message_code m, struct view *body) {
    static uint8_t bytes[HEADER + CHANNEL_BODY_MAX];
    struct iovec io = {bytes, sizeof bytes};
    struct msghdr h = {.msg_iov = &io, .msg_iovlen = 1};
    ssize_t n;
    do {
        n = recvmsg(fd, &h, MSG_PEEK);
    } while (n < 0 && errno == EINTR);
    if (n < HEADER || bytes[0] != CHANNEL_VERSION || bytes[1] != m)
        return false;
    *body = view_of(bytes + HEADER, (size_t)n - HEADER);
    return true;
}

void channel_drain(struct channel *c) {
    MAGIC_CHECK(c, CHANNEL_MAGIC);
    assert(!c->busy);
    c->busy = true;
    while (!c->broken && !c->freed && receive(c)) {
    }
    c->busy = false;
}
