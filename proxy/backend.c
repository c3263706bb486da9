/* SPDX-License-Identifier: ISC
 *
 * The steps towards the tenant's own instance: admission, TLS (verified, always), login there as the client
 * itself, with the ClientKey that the client's proof revealed, and the open record. The instance may be
 * hostile: every message is bounded and expected, it must prove that it knows ServerKey, and nothing weaker
 * than SCRAM is ever answered.
 */
#include "magic.h"
#include "secret.h"
#include "session.h"

#include <stdio.h>
#include <string.h>

static enum step refuse(struct session *s, enum refusal refusal, const char *sqlstate, const char *sentence,
                        const char *cause) {
    struct failure f;
    failure_set(&f, sqlstate, NULL, "%s", sentence);
    failure_cause(&f, "%s", cause ? cause : "");
    return session_refuse(s, refusal, &f);
}

static enum step refuse_protocol(struct session *s, const char *cause) {
    return refuse(s, REFUSAL_INSTANCE_PROTOCOL, "08P01", "the instance does not keep to the protocol", cause);
}

static enum step refuse_lost(struct session *s, const char *cause) {
    return refuse(s, REFUSAL_INSTANCE_UNREACHABLE, "08006", "the instance closed the connection during login",
                  cause);
}

enum step backend_admit(struct session *s) {
    return STEP_ADMIT; /* the broker answers through session_admitted or session_refused */
}

/* Sends what is due to the instance. STREAM_AGAIN: wait. */
static enum stream_result flush_instance(struct session *s) {
    struct login *l = s->login;
    while (l->instance_sent < l->to_instance.len) {
        size_t put;
        enum stream_result r = stream_write(&s->instance, l->to_instance.at + l->instance_sent,
                                            l->to_instance.len - l->instance_sent, &put);
        if (r != STREAM_OK)
            return r;
        l->instance_sent += put;
    }
    l->to_instance.len = l->instance_sent = 0;
    return STREAM_OK;
}

/* Sends, then waits for the instance: the present step, or where to go when it is gone. */
static enum step wait_for_instance(struct session *s) {
    enum stream_result sent = flush_instance(s);
    if (sent == STREAM_FAILED || sent == STREAM_END)
        return refuse_lost(s, stream_why(&s->instance));
    stream_want(&s->instance, true, sent == STREAM_AGAIN);
    return s->step;
}

enum step backend_ask(struct session *s) {
    struct login *l = s->login;
    if (!l->asked) {
        startup_write_ssl(&l->to_instance);
        l->asked = true;
        return wait_for_instance(s);
    }
    /* Exactly one byte: whatever the instance pushed in behind it is left to TLS, which will refuse it. */
    uint8_t answer;
    size_t got;
    enum stream_result r = stream_read(&s->instance, &answer, 1, &got);
    if (r == STREAM_AGAIN)
        return wait_for_instance(s);
    if (r != STREAM_OK)
        return refuse_lost(s, "closed instead of answering SSLRequest");
    if (answer == 'N')
        return refuse(s, REFUSAL_INSTANCE_TLS, "08006", "the instance refuses TLS",
                      "answered N to SSLRequest");
    if (answer != 'S')
        return refuse_protocol(s, "answered neither S nor N to SSLRequest");
    if (!stream_tls_connect(&s->instance, s->corridor->client, s->corridor->instance_name))
        return refuse(s, REFUSAL_INSTANCE_TLS, "08006", "TLS to the instance failed", "no TLS object");
    return STEP_INSTANCE_TLS;
}

enum step backend_tls(struct session *s) {
    struct login *l = s->login;
    enum stream_result r = stream_handshake(&s->instance);
    if (r == STREAM_AGAIN)
        return STEP_INSTANCE_TLS;
    if (r != STREAM_OK)
        return refuse(s, REFUSAL_INSTANCE_TLS, "08006", "TLS to the instance failed",
                      stream_why(&s->instance));
    stream_binding(&s->instance, false, &l->instance_binding);
    if (session_is_observed(s))
        operator_rewrite(s);
    startup_write(&l->to_instance, &l->startup);
    return STEP_INSTANCE_LOGIN;
}

enum step backend_console(struct session *s) {
    startup_write(&s->login->to_instance, &s->login->startup);
    s->login->instance_phase = INSTANCE_CHECKED; /* who is there is known from who handed us the socket */
    return STEP_INSTANCE_LOGIN;
}

static enum step instance_sasl(struct session *s, const struct auth *a) {
    struct login *l = s->login;
    if (l->instance_phase != INSTANCE_START || !a->scram)
        return refuse_protocol(s, "asked for SASL without SCRAM-SHA-256, or twice");
    uint8_t bytes[SCRAM_MESSAGE_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    scram_client_first(&l->client, a->plus, &l->instance_binding, &w);
    message_write_sasl_initial(&l->to_instance, scram_client_mechanism(&l->client), writer_view(&w));
    l->instance_phase = INSTANCE_FIRST;
    return s->step;
}

/* The instance's verifier is not the one the client's key belongs to any more, or it is not the instance at
 * all. */
static enum step refuse_login(struct session *s, enum scram_result r) {
    if (r == SCRAM_MALFORMED)
        return refuse_protocol(s, s->login->client.why);
    s->corridor->ports->doubt(s->corridor->arg, s);
    struct failure f;
    session_failure_password(s, &f);
    failure_cause(&f, "towards the instance: %s", s->login->client.why);
    return session_refuse(s, REFUSAL_INSTANCE_AUTH, &f);
}

static enum step instance_continue(struct session *s, const struct auth *a) {
    struct login *l = s->login;
    if (l->instance_phase != INSTANCE_FIRST)
        return refuse_protocol(s, "SASLContinue out of turn");
    uint8_t bytes[SCRAM_MESSAGE_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    enum scram_result r =
        scram_client_final(&l->client, a->data, &l->instance_binding, &l->verifier, l->client_key, &w);
    secret_wipe(l->client_key, sizeof l->client_key);
    if (r != SCRAM_OK)
        return refuse_login(s, r);
    message_write_sasl_response(&l->to_instance, writer_view(&w));
    l->instance_phase = INSTANCE_FINAL;
    return s->step;
}

static enum step instance_auth(struct session *s, struct view body) {
    struct login *l = s->login;
    struct auth a;
    char cause[96];
    message_read_auth(body, &a);
    switch (a.request) {
    case AUTH_REQUEST_SASL:
        return instance_sasl(s, &a);
    case AUTH_REQUEST_SASL_CONTINUE:
        return instance_continue(s, &a);
    case AUTH_REQUEST_SASL_FINAL:
        if (l->instance_phase != INSTANCE_FINAL)
            return refuse_protocol(s, "SASLFinal out of turn");
        if (scram_client_check(&l->client, a.data) != SCRAM_OK)
            return refuse(s, REFUSAL_INSTANCE_AUTH, "28000", "the instance could not prove its identity",
                          l->client.why);
        l->instance_phase = INSTANCE_CHECKED;
        return s->step;
    case AUTH_REQUEST_OK:
        if (l->instance_phase != INSTANCE_CHECKED)
            return refuse_protocol(s, "let us in without SCRAM");
        l->instance_phase = INSTANCE_IN;
        scram_client_wipe(&l->client);
        if (l->final_len > 0) /* an operator came by certificate */
            message_write_sasl_final(&l->to_client, view_of(l->final, l->final_len));
        message_write_auth_ok(&l->to_client);
        return s->step;
    case AUTH_REQUEST_OTHER:
        snprintf(cause, sizeof cause, "asked for %s authentication", a.name);
        return refuse_protocol(s, cause);
    case AUTH_REQUEST_BAD:
        break;
    }
    return refuse_protocol(s, "malformed authentication request");
}

/* The instance's own refusal reaches the client as it is, once it is well-formed; the log has it too. */
static enum step instance_error(struct session *s, struct view body) {
    struct error_fields e;
    struct failure f;
    if (!message_read_error(body, &e))
        return refuse_protocol(s, "malformed ErrorResponse");
    char sqlstate[6], hint[256] = "";
    view_copy_text(e.sqlstate, sqlstate, sizeof sqlstate);
    view_copy_text(view_of(e.hint.at, e.hint.len < 255 ? e.hint.len : 255), hint, sizeof hint);
    int shown = e.message.len < 255 ? (int)e.message.len : 255;
    failure_set(&f, sqlstate, hint, "%.*s", shown, (const char *)e.message.at);
    bool in = s->login->instance_phase == INSTANCE_IN;
    if (!in && strcmp(sqlstate, "28P01") == 0)
        s->corridor->ports->doubt(s->corridor->arg, s);
    failure_cause(&f, in ? "the instance's own error" : "the instance's own error, before login");
    return session_refuse(s, in ? REFUSAL_INSTANCE_ERROR : REFUSAL_INSTANCE_AUTH, &f);
}

/* Keeps a message for the client, as it came. */
static enum step pass(struct session *s, const struct message *m) {
    struct login *l = s->login;
    writer_u8(&l->to_client, (uint8_t)m->type);
    writer_u32(&l->to_client, (uint32_t)m->body.len + 4);
    writer_bytes(&l->to_client, m->body);
    return l->to_client.bad ? refuse_protocol(s, "more parameters and notices than a login holds") : s->step;
}

static enum step instance_key(struct session *s, struct view body) {
    struct login *l = s->login;
    if (l->key_known || !message_read_backend_key(body, &s->pid, &s->instance_key))
        return refuse_protocol(s, "malformed BackendKeyData");
    l->key_known = true;
    secret_random(&s->key, sizeof s->key);
    message_write_backend_key(&l->to_client, s->pid, s->key);
    return s->step;
}

static enum step instance_ready(struct session *s, const struct message *m) {
    if (!s->login->key_known || m->body.len != 1)
        return refuse_protocol(s, "ReadyForQuery without BackendKeyData");
    enum step next = pass(s, m);
    return next == s->step ? STEP_RECORD : next;
}

static enum step instance_message(struct session *s, const struct message *m) {
    struct view name, value;
    if (m->type == 'E')
        return instance_error(s, m->body);
    if (s->login->instance_phase != INSTANCE_IN)
        return m->type == 'R' ? instance_auth(s, m->body)
                              : refuse_protocol(s, "unexpected message before login");
    switch (m->type) {
    case 'S':
        if (!message_read_parameter(m->body, &name, &value))
            return refuse_protocol(s, "malformed ParameterStatus");
        return pass(s, m);
    case 'N':
        return pass(s, m);
    case 'K':
        return instance_key(s, m->body);
    case 'Z':
        return instance_ready(s, m);
    default:
        return refuse_protocol(s, "unexpected message after login");
    }
}

/* Handles every whole message that is here; the present step when more is needed. */
static enum step instance_messages(struct session *s) {
    struct login *l = s->login;
    size_t done = 0;
    enum step next = s->step;
    while (next == s->step) {
        struct message m;
        size_t used;
        enum message_result r =
            message_next(view_of(l->instance_in + done, l->instance_len - done), LOGIN_IN, &m, &used);
        if (r == MESSAGE_MORE)
            break;
        if (r == MESSAGE_BAD)
            return refuse_protocol(s, "a message too long or too short for a login");
        done += used;
        next = instance_message(s, &m);
    }
    memmove(l->instance_in, l->instance_in + done, l->instance_len - done);
    l->instance_len -= done;
    return next;
}

enum step backend_login(struct session *s) {
    struct login *l = s->login;
    for (;;) {
        enum step next = instance_messages(s);
        if (next != s->step)
            return next;
        if (l->to_instance.len > 0 && !stream_pending(&s->instance))
            return wait_for_instance(s); /* it says nothing before it has heard us */
        if (l->instance_len == sizeof l->instance_in)
            return refuse_protocol(s, "a message too long for a login");
        size_t got;
        enum stream_result r = stream_read(&s->instance, l->instance_in + l->instance_len,
                                           sizeof l->instance_in - l->instance_len, &got);
        l->instance_len += got;
        if (r == STREAM_AGAIN)
            return wait_for_instance(s);
        if (r != STREAM_OK)
            return refuse_lost(s, stream_why(&s->instance));
    }
}

/* Nothing that the instance said reaches the client before the open record is on disk. */
enum step backend_record(struct session *s) {
    if (s->opened)
        return STEP_RELAY;
    if (!s->waiting_record && !s->abandoned) {
        struct record r;
        session_describe_open(s, &r);
        s->waiting_record = true;
        stream_want(&s->instance, false, false);
        s->corridor->ports->record(s->corridor->arg, s, &r, true);
    }
    return STEP_RECORD;
}
