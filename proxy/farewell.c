/* SPDX-License-Identifier: ISC
 *
 * How a session ends: what goes into the log, what the client is told, what the instance is told. Every
 * refusal and every close passes through here, once.
 */
#include "clock.h"
#include "magic.h"
#include "session.h"
#include "text.h"

#include <string.h>

static void describe_operation(const struct operation *o, struct record *r) {
    static char grant[17];
    record_text(r, FIELD_OPERATOR, view_text(o->operator));
    if (o->grant == 0)
        return;
    text_hex64(o->grant, grant);
    record_text(r, FIELD_GRANT, view_text(grant));
    record_text(r, FIELD_SCOPE, view_text(o->scope));
    record_text(r, FIELD_TICKET, view_text(o->ticket));
}

/* The fields every record of this session carries. The texts must outlive the record: static, as records are
 * composed one at a time and printed or sent before the next. */
static void describe(struct session *s, struct record *r) {
    static char client[ADDRESS_TEXT], local[ADDRESS_TEXT], via[ADDRESS_TEXT], tls[64];
    record_text(r, FIELD_USER, view_text(s->user));
    record_text(r, FIELD_DATABASE, view_text(s->database));
    if (s->login)
        record_text(r, FIELD_APPLICATION, s->login->startup.application_name);
    address_text_port(&s->client_address, client);
    record_text(r, FIELD_CLIENT, view_text(client));
    if (s->via.family) {
        address_text(&s->via, via);
        record_text(r, FIELD_VIA, view_text(via));
    }
    address_text_port(&s->local, local);
    record_text(r, FIELD_LISTENER, view_text(local));
    if (s->login) {
        record_text(r, FIELD_SERVER_NAME, view_text(s->login->server_name));
        record_text(r, FIELD_METHOD, view_text(s->login->method));
    }
    if (stream_is_open(&s->client) && s->client.ssl && SSL_is_init_finished(s->client.ssl)) {
        stream_tls_text(&s->client, tls);
        record_text(r, FIELD_TLS, view_text(tls));
    }
    record_text(r, FIELD_SERVICE, view_text(s->corridor->service));
    describe_operation(&s->operation, r);
}

void session_describe_open(struct session *s, struct record *r) {
    record_begin(r, EVENT_SESSION_OPEN, s->id);
    describe(s, r);
    record_text(r, FIELD_INSTANCE, view_text(s->console ? "console" : s->corridor->instance));
    record_number(r, FIELD_INSTANCE_PID, s->pid);
    int64_t now = clock_now().mono_us;
    record_number(r, FIELD_LOGIN_CLIENT_US, s->spent_us[BUCKET_CLIENT]);
    record_number(r, FIELD_LOGIN_DIRECTORY_US, s->spent_us[BUCKET_DIRECTORY]);
    record_number(r, FIELD_LOGIN_INSTANCE_US, s->spent_us[BUCKET_INSTANCE]);
    record_number(r, FIELD_LOGIN_PROXY_US, s->spent_us[BUCKET_PROXY] + (uint64_t)(now - s->stepped_us));
}

/* A client past its TLS handshake can read an ErrorResponse; whatever was collected for it but not sent is
 * dropped. */
static void tell_client(struct session *s, const struct failure *f) {
    if (!stream_is_open(&s->client) || !s->client.ssl || !SSL_is_init_finished(s->client.ssl) ||
        s->client.finished)
        return;
    uint8_t bytes[2048];
    struct writer w = writer_of(bytes, sizeof bytes);
    message_write_fatal(&w, f, s->id);
    size_t put = 0;
    if (!w.bad)
        stream_write(&s->client, bytes, w.len, &put);
}

static void hang_up(struct session *s) {
    if (stream_is_open(&s->client))
        stream_finish(&s->client);
    stream_end(&s->instance);
}

void session_farewell(struct session *s, const struct failure *f) {
    tell_client(s, f);
    hang_up(s);
}

enum step session_refuse(struct session *s, enum refusal refusal, const struct failure *f) {
    struct record r;
    record_begin(&r, EVENT_SESSION_REFUSED, s->id);
    describe(s, &r);
    record_text(&r, FIELD_REASON, view_text(refusal_name(refusal)));
    record_text(&r, FIELD_SQLSTATE, view_text(f->sqlstate));
    record_text(&r, FIELD_MESSAGE, view_text(f->sentence));
    record_text(&r, FIELD_CAUSE, view_text(f->cause));
    s->corridor->ports->record(s->corridor->arg, s, &r, false);
    stats_add((s->corridor->tenant[0] ? STATS_REFUSED : STATS_TURNED_AWAY) + refusal, 1);
    if (refusal != REFUSAL_TLS && refusal != REFUSAL_CLIENT_GONE)
        tell_client(s, f);
    hang_up(s);
    return refusal == REFUSAL_TLS || refusal == REFUSAL_CLIENT_GONE ? STEP_DONE : STEP_LINGER;
}

static void record_close(struct session *s, enum close_reason reason, const struct failure *f) {
    struct record r;
    record_begin(&r, EVENT_SESSION_CLOSE, s->id);
    record_text(&r, FIELD_USER, view_text(s->user));
    record_text(&r, FIELD_DATABASE, view_text(s->database));
    describe_operation(&s->operation, &r);
    record_text(&r, FIELD_REASON, view_text(close_reason_name(reason)));
    if (f) {
        record_text(&r, FIELD_SQLSTATE, view_text(f->sqlstate));
        record_text(&r, FIELD_MESSAGE, view_text(f->sentence));
        record_text(&r, FIELD_CAUSE, view_text(f->cause));
    }
    record_number(&r, FIELD_BYTES_IN, s->in.bytes);
    record_number(&r, FIELD_BYTES_OUT, s->out.bytes);
    record_number(&r, FIELD_TRANSACTIONS, s->out.frame.commits);
    record_number(&r, FIELD_DURATION_MS, (uint64_t)(clock_now().mono_us - s->opened_us) / 1000);
    s->corridor->ports->record(s->corridor->arg, s, &r, false);
    s->opened = false;
    session_count_in(s);
    session_count_out(s);
    stats_add(STATS_CLOSED + reason, 1);
    stats_sub(STATS_SESSIONS_OPEN, 1);
}

enum step session_close(struct session *s, enum close_reason reason, const struct failure *f) {
    assert(s->opened);
    record_close(s, reason, f);
    /* Our words only between messages, never inside one: the client would take them for data. */
    if (f && frame_at_boundary(&s->out.frame) && !s->out.held)
        tell_client(s, f);
    if (stream_is_open(&s->instance) && frame_at_boundary(&s->in.frame) && !s->in.held && !s->in.ended) {
        uint8_t bytes[8];
        struct writer w = writer_of(bytes, sizeof bytes);
        message_write_terminate(&w);
        size_t put;
        stream_write(&s->instance, bytes, w.len, &put);
        stream_finish(&s->instance);
    }
    hang_up(s);
    return STEP_LINGER;
}

void session_failure_password(struct session *s, struct failure *f) {
    failure_set(f, "28P01", NULL, "password authentication failed for user \"%s\"", s->user);
}

void session_failure_protocol(struct failure *f, const char *why) {
    failure_set(f, "08P01", NULL, "protocol violation");
    failure_cause(f, "%s", why);
}
