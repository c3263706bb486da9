/* SPDX-License-Identifier: ISC
 *
 * See cancel.h.
 */
#include "cancel.h"
#include "log.h"
#include "magic.h"
#include "secret.h"

#include <stdlib.h>
#include <unistd.h>

#define CANCEL_MAGIC 0x5ec10005u

struct cancel {
    uint32_t magic;
    struct corridor *corridor;
    struct stream instance;
    struct event deadline;
    enum { CANCEL_ASK, CANCEL_ANSWER, CANCEL_TLS, CANCEL_SAY, CANCEL_END } at;
    uint8_t bytes[16];
    struct writer packet;
};

static void cancel_free(struct cancel *c) {
    event_del(&c->deadline);
    stream_end(&c->instance);
    secret_wipe(c, sizeof *c);
    free(c);
}

/* One step: STREAM_OK when done with it and the next may be tried. */
static enum stream_result cancel_step(struct cancel *c) {
    uint8_t answer;
    size_t n;
    uint8_t ask[8];
    struct writer w = writer_of(ask, sizeof ask);
    switch (c->at) {
    case CANCEL_ASK:
        startup_write_ssl(&w);
        return stream_write(&c->instance, ask, w.len, &n);
    case CANCEL_ANSWER: {
        enum stream_result r = stream_read(&c->instance, &answer, 1, &n);
        if (r != STREAM_OK)
            return r;
        return answer == 'S' &&
                       stream_tls_connect(&c->instance, c->corridor->client, c->corridor->instance_name)
                   ? STREAM_OK
                   : STREAM_FAILED;
    }
    case CANCEL_TLS:
        return stream_handshake(&c->instance);
    case CANCEL_SAY:
        return stream_write(&c->instance, c->packet.at, c->packet.len, &n);
    case CANCEL_END:
        /* The instance hangs up once it has signalled: wait for that, so that the request is never lost. */
        return stream_read(&c->instance, &answer, 1, &n);
    }
    return STREAM_FAILED;
}

static void on_event(void *arg, int what) {
    struct cancel *c = arg;
    MAGIC_CHECK(c, CANCEL_MAGIC);
    enum stream_result r;
    while ((r = cancel_step(c)) == STREAM_OK && c->at != CANCEL_END) {
        c->at++;
        if (c->at != CANCEL_TLS)
            stream_want(&c->instance, true, false);
    }
    if (r == STREAM_AGAIN)
        return;
    if (c->at != CANCEL_END)
        log_warning("a cancel request did not reach the instance: %s", stream_why(&c->instance));
    cancel_free(c);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg) {
    struct cancel *c = arg;
    MAGIC_CHECK(c, CANCEL_MAGIC);
    log_warning("a cancel request timed out at the instance");
    cancel_free(c);
}

void cancel_send(struct corridor *corridor, int fd, uint32_t pid, uint32_t key) {
    struct cancel *c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        return;
    }
    c->magic = CANCEL_MAGIC;
    c->corridor = corridor;
    c->packet = writer_of(c->bytes, sizeof c->bytes);
    startup_write_cancel(&c->packet, pid, key);
    stream_begin(&c->instance, corridor->base, fd, corridor->settings->tcp_keepalive / 1000, on_event, c);
    event_assign(&c->deadline, corridor->base, -1, 0, on_deadline, c);
    uint32_t ms = corridor->settings->connect_timeout;
    struct timeval after = {ms / 1000, (ms % 1000) * 1000};
    event_add(&c->deadline, &after);
    stream_want(&c->instance, true, false);
    on_event(c, STREAM_CAN_WRITE);
}
