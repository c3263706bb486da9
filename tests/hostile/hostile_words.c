/* SPDX-License-Identifier: ISC
 *
 * What a taken-over cell or gate says to the others: forged, malformed, out of order, with descriptors, and
 * too much. Written to the channel's socket itself, past channel.c's own checks.
 */
#include "address.h"
#include "hostile.h"
#include "record.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MANY 100000

static uint8_t bytes[70000];

static bool say(enum role to, const struct writer *w, int fd) {
    char control[CMSG_SPACE(3 * sizeof(int))] = {0};
    struct iovec io = {w->at, w->len};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
    int fds[3] = {fd, fd, fd}, count = fd >= 0 ? 1 : 0;
    if (fd < -1) { /* three of them */
        fds[0] = fds[1] = fds[2] = -fd;
        count = 3;
    }
    if (count > 0) {
        m.msg_control = control;
        m.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
        memcpy(CMSG_DATA(h), fds, (size_t)count * sizeof(int));
    }
    return sendmsg(hostile_channel(to), &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

static struct writer begin(uint8_t version, unsigned code) {
    struct writer w = writer_of(bytes, sizeof bytes);
    writer_u8(&w, version);
    writer_u8(&w, (uint8_t)code);
    return w;
}

static void claim(struct writer *w, uint64_t session, const char *user) {
    struct address from;
    address_parse(view_text("127.0.0.1"), &from);
    writer_u64(w, session);
    writer_text16(w, view_text(user));
    writer_text16(w, view_text("app"));
    writer_text16(w, view_text("hostile"));
    writer_text16(w, view_text(""));
    address_write(w, &from);
}

static void write_event(struct writer *w, const char *tenant, enum audit_event event, uint64_t session) {
    struct record r;
    record_begin(&r, event, session);
    record_text(&r, FIELD_USER, view_text("forged"));
    writer_u64(w, 0);
    writer_text16(w, view_text(tenant));
    record_write(w, &r);
}

/* Records, of a session whose number the client handed over. */
static bool compose_record(const char *what, uint64_t number, struct writer *w) {
    const struct {
        const char *what;
        enum audit_event event;
        uint64_t session;
    } records[] = {{"event", EVENT_NODE_STOP, 0}, /* one that others say */
                   {"open", EVENT_SESSION_OPEN, number},
                   {"close", EVENT_SESSION_CLOSE, number},
                   {"said", EVENT_OPERATOR_STATEMENT, number},
                   {"ended", EVENT_OPERATOR_RESULT, number},
                   {"refused", EVENT_SESSION_REFUSED, 0}}; /* its own to say, under another's name */
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        if (strcmp(records[i].what, what) != 0)
            continue;
        *w = begin(CHANNEL_VERSION, M_RECORD);
        write_event(w, "globex", records[i].event, records[i].session);
        return true;
    }
    return false;
}

/* A message whose body is fine in itself. False: there is no such attempt. */
static bool compose(const char *what, uint64_t number, struct writer *w, int *fd) {
    struct address from;
    address_parse(view_text("127.0.0.1"), &from);
    const struct {
        const char *what;
        enum message_code code;
        unsigned numbers; /* how many times `number` follows */
    } plain[] = {{"release", M_RELEASE, 1},   {"cancel", M_CANCEL_SOCKET, 2},    {"resume", M_RESUME, 1},
                 {"tenant", M_TENANT, 0},     {"settings", M_SETTINGS, 0},       {"durable", M_DURABLE, 2},
                 {"cut", M_CUT, 1},           {"snapshot", M_SNAPSHOT_BEGIN, 1}, {"drain", M_DRAIN, 0},
                 {"control", M_CONTROL, 0},   {"retire", M_RETIRE, 0},           {"idle", M_IDLE, 1},
                 {"admitted", M_ADMITTED, 1}, {"statement", M_STATEMENT, 1},     {"listener", M_LISTENER, 0}};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (strcmp(plain[i].what, what) != 0)
            continue;
        *w = begin(CHANNEL_VERSION, plain[i].code);
        for (unsigned n = 0; n < plain[i].numbers; n++)
            writer_u64(w, number);
        return true;
    }
    if (strcmp(what, "opened") == 0) {
        *w = begin(CHANNEL_VERSION, M_OPENED);
        writer_u64(w, number);
        writer_u32(w, 1);
    } else if (strcmp(what, "kill") == 0) {
        *w = begin(CHANNEL_VERSION, M_KILL);
        writer_u32(w, (uint32_t)number);
    } else if (strcmp(what, "admit") == 0) {
        *w = begin(CHANNEL_VERSION, M_ADMIT);
        writer_u64(w, number);
        claim(w, number, "app");
    } else if (strcmp(what, "operator") == 0) {
        *w = begin(CHANNEL_VERSION, M_OPERATOR_ADMIT);
        writer_u64(w, number);
        claim(w, number, "alice");
    } else if (strcmp(what, "wanted") == 0) {
        *w = begin(CHANNEL_VERSION, M_CELL_WANTED);
        writer_text16(w, view_text("../globex"));
        writer_u32(w, 1);
    } else if (strcmp(what, "hold") == 0) { /* "I am let in already, under this grant" */
        *w = begin(CHANNEL_VERSION, M_OPERATOR_HOLD);
        claim(w, 0xbad, "amy");
        writer_u64(w, number);
    } else if (strcmp(what, "granted") == 0) { /* what only the broker says */
        *w = begin(CHANNEL_VERSION, M_GRANTED);
        writer_u64(w, number);
        *fd = 2;
    } else if (strcmp(what, "handover") == 0) { /* of something that is no connection */
        *w = begin(CHANNEL_VERSION, M_HANDOVER);
        writer_u64(w, 7);
        writer_u64(w, 7);
        writer_u8(w, 0);
        for (int i = 0; i < 3; i++)
            address_write(w, &from);
        writer_text16(w, view_text("globex.db.test"));
        writer_u8(w, 0);
        *fd = 2;
    } else if (strcmp(what, "key") == 0) {
        *w = begin(CHANNEL_VERSION, M_KEY_ADD);
        writer_u64(w, number);
    } else {
        return false;
    }
    return true;
}

/* What breaks the form of a packet. */
static bool malform(const char *what, struct writer *w, int *fd) {
    if (strcmp(what, "version") == 0)
        *w = begin(CHANNEL_VERSION + 1, M_READY);
    else if (strcmp(what, "unknown") == 0)
        *w = begin(CHANNEL_VERSION, 255);
    else if (strcmp(what, "short") == 0)
        *w = writer_of(bytes, 1), writer_u8(w, CHANNEL_VERSION);
    else if (strcmp(what, "truncated") == 0)
        *w = begin(CHANNEL_VERSION, M_ADMIT), writer_u16(w, 9);
    else if (strcmp(what, "long") == 0) {
        *w = begin(CHANNEL_VERSION, M_RELEASE);
        for (int i = 0; i < 60000; i++)
            writer_u8(w, 'x');
    } else if (strcmp(what, "descriptor") == 0) {
        *w = begin(CHANNEL_VERSION, M_RELEASE), writer_u64(w, 1);
        *fd = 2;
    } else if (strcmp(what, "descriptors") == 0) {
        *w = begin(CHANNEL_VERSION, M_RELEASE), writer_u64(w, 1);
        *fd = -2;
    } else {
        return false;
    }
    return true;
}

/* flood-WHAT: as fast as the socket takes it. */
bool hostile_words(enum role to, const char *what, uint64_t number) {
    struct writer w;
    int fd = -1;
    bool flood = strncmp(what, "flood-", 6) == 0;
    what += flood ? 6 : 0;
    if (hostile_channel(to) < 0 ||
        (!compose(what, number, &w, &fd) && !compose_record(what, number, &w) && !malform(what, &w, &fd)))
        return false;
    for (int i = 0; i < (flood ? MANY : 1); i++)
        while (!say(to, &w, fd) && flood && i < MANY / 2) {
        }
    return true;
}
