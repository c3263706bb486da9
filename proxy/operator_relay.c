/* SPDX-License-Identifier: ISC
 *
 * The operators' relay: what a client sends is forwarded only once its record is on disk; what the instance
 * answers is followed and recorded. observe.c decides what may go; this file moves the bytes and waits for
 * the ledger. Slower than the tenants' relay by a disk flush per turn, and meant to be. The end of the grant
 * is the end of everything here: the instance's work is cancelled, and what the client has not read yet is
 * not sent any more.
 */
#include "clock.h"
#include "drop.h"
#include "magic.h"
#include "observe.h"
#include "secret.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

#define WATCH_MAGIC 0x5ec10009u
#define BUFFER 16384
#define TURNS 16

struct watch {
    uint32_t magic;
    struct observe *observe;
    struct drop
        notifications;        /* the tenant's NOTIFY payloads: PostgreSQL has no privilege for hearing them */
    bool busy;                /* inside the observer: an end from outside waits */
    enum close_reason doomed; /* that end */
    struct failure why;
    size_t in_len;                      /* read from the client, not yet taken by the observer */
    size_t out_len, out_may, out_at;    /* read from the instance; allowed of it; sent of that */
    uint8_t in[BUFFER], out[LOGIN_OUT]; /* out begins with what the login collected */
};

static void on_record(void *arg, uint64_t ticket, uint64_t number, struct record *r) {
    struct session *s = arg;
    MAGIC_CHECK(s, SESSION_MAGIC);
    record_text(r, FIELD_OPERATOR, view_text(s->operation.operator));
    s->corridor->ports->statement(s->corridor->arg, s, r, ticket);
}

static void doom(struct watch *w, enum close_reason reason, const struct failure *f) {
    if (w->doomed)
        return;
    w->doomed = reason;
    if (f)
        w->why = *f;
    else
        memset(&w->why, 0, sizeof w->why);
}

/* What waits for the observer is offered to it. False when nothing was taken. */
static bool offer_in(struct session *s, struct watch *w) {
    size_t used = 0;
    struct failure f;
    if (w->in_len == 0)
        return false;
    w->busy = true;
    if (observe_client(w->observe, view_of(w->in, w->in_len), clock_now().mono_us, &used, &f) ==
        OBSERVE_REFUSE)
        doom(w, CLOSE_STATEMENT_REFUSED, &f);
    w->busy = false;
    memmove(w->in, w->in + used, w->in_len - used);
    w->in_len -= used;
    s->in.bytes += used;
    return used > 0;
}

static bool offer_out(struct session *s, struct watch *w) {
    size_t used = 0;
    struct failure f;
    if (w->out_may == w->out_len)
        return false;
    w->busy = true;
    if (observe_instance(w->observe, view_of(w->out + w->out_may, w->out_len - w->out_may),
                         clock_now().mono_us, &used, &f) == OBSERVE_REFUSE)
        doom(w, CLOSE_STATEMENT_REFUSED, &f);
    w->busy = false;
    w->out_may += used;
    s->out.bytes += used;
    return used > 0;
}

/* Durable statements go to the instance. False when nothing moved. */
static bool send_in(struct session *s, struct watch *w) {
    struct view ready = observe_outgoing(w->observe);
    size_t put = 0;
    if (ready.len == 0)
        return false;
    enum stream_result r = stream_write(&s->instance, ready.at, ready.len, &put);
    if (r == STREAM_FAILED || r == STREAM_END) {
        doom(w, CLOSE_INSTANCE_LOST, NULL);
        return false;
    }
    frame_feed(&s->in.frame, view_of(ready.at, put));
    if (put > 0)
        observe_sent(w->observe, put);
    return put > 0;
}

static bool send_out(struct session *s, struct watch *w) {
    size_t put = 0;
    if (w->out_at == w->out_may)
        return false;
    enum stream_result r = stream_write(&s->client, w->out + w->out_at, w->out_may - w->out_at, &put);
    if (r == STREAM_FAILED || r == STREAM_END) {
        doom(w, CLOSE_CLIENT_GONE, NULL);
        return false;
    }
    frame_feed(&s->out.frame, view_of(w->out + w->out_at, put));
    w->out_at += put;
    if (w->out_at == w->out_may) {
        memmove(w->out, w->out + w->out_may, w->out_len - w->out_may);
        w->out_len -= w->out_may;
        w->out_may = w->out_at = 0;
    }
    return put > 0;
}

static bool read_in(struct session *s, struct watch *w) {
    size_t got;
    if (w->in_len > 0)
        return false;
    enum stream_result r = stream_read(&s->client, w->in, sizeof w->in, &got);
    w->in_len += got;
    if (r == STREAM_END || r == STREAM_FAILED)
        doom(w, s->in.frame.type == 'X' ? CLOSE_CLIENT_TERMINATED : CLOSE_CLIENT_GONE, NULL);
    return r == STREAM_OK;
}

static void instance_ended(struct session *s, struct watch *w) {
    struct failure f;
    if (s->in.frame.type == 'X') {
        doom(w, CLOSE_CLIENT_TERMINATED, NULL);
    } else if (s->out.frame.type == 'E') {
        doom(w, CLOSE_INSTANCE_CLOSED, NULL);
    } else {
        failure_set(&f, "08006", "connect again", "the instance closed the connection");
        doom(w, CLOSE_INSTANCE_LOST, &f);
    }
}

static bool read_out(struct session *s, struct watch *w) {
    static uint8_t scratch[BUFFER];
    size_t room = sizeof w->out - w->out_len, got;
    if (room <= DROP_HELD || w->out_at < w->out_may)
        return false;
    room -= DROP_HELD;
    enum stream_result r =
        stream_read(&s->instance, scratch, room < sizeof scratch ? room : sizeof scratch, &got);
    struct writer kept = writer_of(w->out + w->out_len, sizeof w->out - w->out_len);
    drop_messages(&w->notifications, 'A', view_of(scratch, got), &kept);
    w->out_len += kept.len;
    if (r == STREAM_END || r == STREAM_FAILED)
        instance_ended(s, w);
    return r == STREAM_OK;
}

static void rearm(struct session *s, struct watch *w) {
    stream_want(&s->client, w->in_len == 0, w->out_at < w->out_may);
    stream_want(&s->instance, sizeof w->out - w->out_len > DROP_HELD && w->out_at == w->out_may,
                observe_outgoing(w->observe).len > 0);
}

static enum step finish(struct session *s, struct watch *w) {
    bool unread = w->out_at < w->out_may;
    bool told = w->why.sqlstate[0] != 0;
    if (!observe_idle(w->observe) || s->out.frame.status != 'I')
        s->corridor->ports->interrupt(s->corridor->arg, s);
    w->busy = true;
    observe_end(w->observe, clock_now().mono_us);
    w->busy = false;
    if (unread)
        stream_abort(&s->client); /* what the kernel still holds for it is dropped too */
    enum step next = session_close(s, w->doomed, told ? &w->why : NULL);
    return unread ? STEP_DONE : next;
}

/* Moves whatever can be moved, in both directions. */
static void turn(struct session *s) {
    struct watch *w = s->operation.watch;
    MAGIC_CHECK(w, WATCH_MAGIC);
    int left = TURNS;
    bool moved = true;
    while (moved && !w->doomed && left-- > 0) {
        moved = offer_in(s, w);
        moved |= !w->doomed && send_in(s, w);
        moved |= !w->doomed && offer_out(s, w);
        moved |= !w->doomed && send_out(s, w);
        moved |= !w->doomed && read_in(s, w);
        moved |= !w->doomed && read_out(s, w);
    }
    session_count_in(s);
    session_count_out(s);
    if (w->doomed) {
        session_leave_relay(s, finish(s, w));
        return;
    }
    rearm(s, w);
    if (moved)
        stream_again(&s->client);
}

void operator_relay_client(struct session *s, int what) {
    turn(s);
}

void operator_relay_instance(struct session *s, int what) {
    turn(s);
}

void operator_relay_durable(struct session *s, uint64_t ticket, bool durable) {
    struct watch *w = s->operation.watch;
    struct failure f;
    if (s->step != STEP_RELAY || !w)
        return;
    if (durable) {
        w->busy = true;
        observe_durable(w->observe, ticket, clock_now().mono_us);
        w->busy = false;
    } else {
        failure_set(&f, "58030", NULL, "terminating connection because the session log cannot be written");
        doom(w, CLOSE_LEDGER_LOST, &f);
    }
    turn(s);
}

void operator_cut(struct session *s, enum close_reason reason, const struct failure *f) {
    struct watch *w = s->operation.watch;
    doom(w, reason, f);
    if (!w->busy)
        turn(s);
}

/* What the login collected for the client goes out as if the instance had just said it, and was followed by
 * nothing. */
bool operator_relay_begin(struct session *s) {
    struct watch *w = calloc(1, sizeof *w);
    struct observe_rules rules = {s->id, strcmp(s->operation.scope, "admin") == 0};
    s->operation.watch = w;
    if (!w)
        return false;
    w->magic = WATCH_MAGIC;
    w->observe = observe_new(&rules, on_record, s);
    size_t len = s->out.held_len - s->out.held_at;
    if (!w->observe || len > sizeof w->out || s->in.held_len > sizeof w->in)
        return false;
    memcpy(w->out, s->out.held + s->out.held_at, len);
    w->out_len = w->out_may = len;
    if (s->in.held) {
        memcpy(w->in, s->in.held, s->in.held_len);
        w->in_len = s->in.held_len;
    }
    relay_end(s); /* what it held is here now */
    frame_begin(&s->in.frame);
    frame_begin(&s->out.frame);
    s->out.frame.status = 'I';
    s->in.bytes = 0;
    stream_again(&s->client);
    return true;
}

void operator_relay_end(struct session *s) {
    struct watch *w = s->operation.watch;
    if (event_initialized(&s->operation.ends))
        event_del(&s->operation.ends);
    if (!w)
        return;
    observe_free(&w->observe);
    secret_wipe(w, sizeof *w);
    free(w);
    s->operation.watch = NULL;
}
