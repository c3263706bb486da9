/* SPDX-License-Identifier: ISC
 *
 * The relay: bytes from one side to the other, both ways at once, until one ends. It parses nothing but
 * message boundaries. Per message: no allocation, no lock, no log line, no system call beyond one read and
 * one write. There is one scratch buffer for the whole process, used within one call; a session borrows
 * memory only for bytes that the other side could not take yet, and then nothing more is read from the first
 * (back-pressure). An idle session holds no buffer at all.
 */
#include "clock.h"
#include "magic.h"
#include "secret.h"
#include "session.h"

#include <stdlib.h>
#include <string.h>

#define SCRATCH 16384 /* one TLS record */
#define TURNS 16      /* records per direction before other sessions get their turn */

enum pump { PUMP_FINE, PUMP_SOURCE_FAILED, PUMP_SINK_FAILED, PUMP_BAD_FRAME, PUMP_NO_MEMORY };

static void release(struct flow *f) {
    if (!f->held)
        return;
    secret_wipe(f->held, f->held_len);
    free(f->held);
    f->held = NULL;
    f->held_len = f->held_at = 0;
}

static bool hold(struct flow *f, const uint8_t *at, size_t len) {
    f->held = malloc(len);
    if (!f->held)
        return false;
    memcpy(f->held, at, len);
    f->held_len = (uint32_t)len;
    f->held_at = 0;
    return true;
}

/* Writes what is held. True when nothing is left. */
static bool unload(struct flow *f, struct stream *to, enum pump *result) {
    while (f->held_at < f->held_len) {
        size_t put;
        enum stream_result r = stream_write(to, f->held + f->held_at, f->held_len - f->held_at, &put);
        f->held_at += (uint32_t)put;
        if (r == STREAM_AGAIN)
            return false;
        if (r != STREAM_OK) {
            *result = PUMP_SINK_FAILED;
            return false;
        }
    }
    release(f);
    return true;
}

/* Passes on what was just read; what the other side can't take is held. True when all went through. */
static bool forward(struct flow *f, struct stream *to, const uint8_t *at, size_t len, enum pump *result) {
    while (len > 0) {
        size_t put;
        enum stream_result r = stream_write(to, at, len, &put);
        at += put;
        len -= put;
        if (r == STREAM_OK)
            continue;
        if (r != STREAM_AGAIN)
            *result = PUMP_SINK_FAILED;
        else if (!hold(f, at, len)) {
            f->frame.bad = true; /* the rest of a message is lost: nothing of ours may follow */
            *result = PUMP_NO_MEMORY;
        }
        return false;
    }
    return true;
}

/* One record from `from` to `to`. True when there may be another one to move now. */
static bool pump_once(struct flow *f, struct stream *from, struct stream *to, enum pump *result) {
    static uint8_t scratch[SCRATCH];
    size_t got;
    if (f->held && !unload(f, to, result))
        return false;
    if (f->ended)
        return false;
    enum stream_result r = stream_read(from, scratch, sizeof scratch, &got);
    if (r == STREAM_OK) {
        f->bytes += got;
        frame_feed(&f->frame, view_of(scratch, got));
        if (f->frame.bad) {
            *result = PUMP_BAD_FRAME;
            return false;
        }
        return forward(f, to, scratch, got, result) && (stream_pending(from) || got == sizeof scratch);
    }
    if (r == STREAM_END)
        f->ended = true;
    else if (r == STREAM_FAILED)
        *result = PUMP_SOURCE_FAILED;
    return false;
}

static enum pump pump(struct flow *f, struct stream *from, struct stream *to) {
    enum pump result = PUMP_FINE;
    int turn = 0;
    while (turn < TURNS && pump_once(f, from, to, &result))
        turn++;
    if (turn == TURNS)
        stream_again(from);
    return result;
}

/* What each side is to be waited for, given what each direction holds. */
static void rearm(struct session *s) {
    stream_want(&s->client, !s->in.ended && !s->in.held, s->out.held != NULL);
    stream_want(&s->instance, !s->out.ended && !s->out.held, s->in.held != NULL);
}

static enum step lost(struct session *s, bool instance) {
    if (!instance)
        return session_close(s, CLOSE_CLIENT_GONE, NULL);
    /* After an error of its own, or the client's goodbye, the instance's end needs no words of ours. */
    if (s->in.frame.type == 'X' && frame_at_boundary(&s->in.frame))
        return session_close(s, CLOSE_CLIENT_TERMINATED, NULL);
    if (s->in.ended)
        return session_close(s, CLOSE_CLIENT_GONE, NULL);
    if (s->out.frame.type == 'E' && frame_at_boundary(&s->out.frame))
        return session_close(s, CLOSE_INSTANCE_CLOSED, NULL);
    struct failure f;
    failure_set(&f, "08006", "connect again", "the instance closed the connection");
    failure_cause(&f, "%s", stream_why(&s->instance));
    return session_close(s, CLOSE_INSTANCE_LOST, &f);
}

static enum step pumped(struct session *s, enum pump result, bool from_client) {
    struct failure f;
    switch (result) {
    case PUMP_FINE:
        return STEP_RELAY;
    case PUMP_SOURCE_FAILED:
        return lost(s, !from_client);
    case PUMP_SINK_FAILED:
        return lost(s, from_client);
    case PUMP_NO_MEMORY:
        failure_set(&f, "53200", NULL, "out of memory");
        return session_close(s, from_client ? CLOSE_CLIENT_GONE : CLOSE_INSTANCE_LOST, &f);
    case PUMP_BAD_FRAME:
        break;
    }
    session_failure_protocol(&f, from_client ? "a message length under 4 from the client"
                                             : "a message length under 4 from the instance");
    return session_close(s, from_client ? CLOSE_CLIENT_PROTOCOL : CLOSE_INSTANCE_PROTOCOL, &f);
}

/* What the ends of the two directions mean together. */
static enum step ends(struct session *s) {
    if (s->in.ended && !s->in.held && !s->instance.finished)
        stream_finish(&s->instance); /* half-close: the instance may still answer */
    if (s->out.ended && !s->out.held)
        return lost(s, true);
    return STEP_RELAY;
}

static enum step settle(struct session *s, enum pump result, bool from_client) {
    enum step next = pumped(s, result, from_client);
    if (next == STEP_RELAY && (s->in.ended || s->out.ended))
        next = ends(s);
    if (next == STEP_RELAY)
        rearm(s);
    return next;
}

static enum step pump_in(struct session *s) {
    enum pump result = pump(&s->in, &s->client, &s->instance);
    session_count_in(s);
    return settle(s, result, true);
}

static enum step pump_out(struct session *s) {
    enum pump result = pump(&s->out, &s->instance, &s->client);
    session_count_out(s);
    return settle(s, result, false);
}

static enum step drained(struct session *s) {
    if (!s->draining || !relay_is_idle(s))
        return STEP_RELAY;
    struct failure f;
    failure_set(&f, "57P01", "connect again", "terminating connection because the proxy is shutting down");
    return session_close(s, CLOSE_DRAINED, &f);
}

void relay_client_event(struct session *s, int what) {
    enum step next = STEP_RELAY;
    if (what & STREAM_CAN_READ)
        next = pump_in(s);
    if (next == STEP_RELAY && (what & STREAM_CAN_WRITE) && s->out.held)
        next = pump_out(s);
    if (next == STEP_RELAY)
        next = drained(s);
    if (next != STEP_RELAY)
        session_leave_relay(s, next);
}

void relay_instance_event(struct session *s, int what) {
    enum step next = STEP_RELAY;
    if (what & STREAM_CAN_READ)
        next = pump_out(s);
    if (next == STEP_RELAY && (what & STREAM_CAN_WRITE) && s->in.held)
        next = pump_in(s);
    if (next == STEP_RELAY)
        next = drained(s);
    if (next != STEP_RELAY)
        session_leave_relay(s, next);
}

/* Messages of the extended protocol whose Sync has not come: the instance works on them, or will. */
static bool is_unsynced(const struct frame *f) {
    return f->type != 0 && strchr("PBDECH", f->type);
}

bool relay_is_idle(const struct session *s) {
    return !is_unsynced(&s->in.frame) && s->out.frame.status == 'I' &&
           s->in.frame.asks <= s->out.frame.ready && frame_at_boundary(&s->in.frame) &&
           frame_at_boundary(&s->out.frame) && !s->in.held && !s->out.held;
}

void relay_cut(struct session *s, enum close_reason reason, const struct failure *f) {
    if (!relay_is_idle(s) && s->corridor->ports->interrupt)
        s->corridor->ports->interrupt(s->corridor->arg, s);
    session_leave_relay(s, session_close(s, reason, f));
}

/* The login's leftovers become the relay's first bytes: what was collected for the client, and whatever
 * either side sent early. */
static bool begin(struct session *s) {
    struct login *l = s->login;
    frame_begin(&s->in.frame);
    frame_begin(&s->out.frame);
    s->out.frame.status = 'I';
    s->idle_since_us = clock_now().mono_us;
    writer_bytes(&l->to_client, view_of(l->instance_in, l->instance_len));
    if (l->to_client.bad || !hold(&s->out, l->to_client.at, l->to_client.len))
        return false;
    frame_feed(&s->out.frame, view_of(l->instance_in, l->instance_len));
    if (l->client_len > 0 && !hold(&s->in, l->client_in, l->client_len))
        return false;
    frame_feed(&s->in.frame, view_of(l->client_in, l->client_len));
    s->in.bytes = l->client_len;
    s->out.bytes = l->to_client.len;
    return true;
}

enum step relay_run(struct session *s) {
    if (!s->login)
        return STEP_RELAY;
    bool good = begin(s);
    session_login_free(s);
    if (!good) {
        struct failure f;
        failure_set(&f, "53200", NULL, "out of memory");
        return session_close(s, CLOSE_INSTANCE_LOST, &f);
    }
    s->corridor->ports->opened(s->corridor->arg, s);
    if (session_is_observed(s))
        return operator_relay_begin(s) ? STEP_RELAY : session_close(s, CLOSE_INSTANCE_LOST, NULL);
    enum step next = pump_out(s);
    if (next == STEP_RELAY)
        next = pump_in(s);
    return next == STEP_RELAY ? drained(s) : next;
}

void relay_end(struct session *s) {
    release(&s->in);
    release(&s->out);
}

enum step relay_linger(struct session *s) {
    uint8_t rest[4096];
    size_t got;
    if (!stream_is_open(&s->client))
        return STEP_DONE;
    /* What the client still sends is thrown away; a bounded amount, as the deadline runs. */
    for (int i = 0; i < TURNS; i++) {
        enum stream_result r = s->client.ssl && !SSL_is_init_finished(s->client.ssl)
                                   ? STREAM_END
                                   : stream_read(&s->client, rest, sizeof rest, &got);
        if (r == STREAM_AGAIN) {
            stream_want(&s->client, true, false);
            return STEP_LINGER;
        }
        if (r != STREAM_OK)
            return STEP_DONE;
    }
    stream_again(&s->client);
    return STEP_LINGER;
}
