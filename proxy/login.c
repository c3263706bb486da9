/* SPDX-License-Identifier: ISC
 *
 * The steps in which a stranger becomes a known client: TLS, the startup message, SCRAM (RFC 5802, RFC 7677).
 * All of it works in the login's one block of memory and under the login's one deadline. Nothing here asks
 * the instance; nothing here knows a password. Whoever fails learns nothing but "password authentication
 * failed".
 */
#include "log.h"
#include "magic.h"
#include "secret.h"
#include "session.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

static enum step refuse_protocol(struct session *s, const char *why) {
    struct failure f;
    session_failure_protocol(&f, why);
    return session_refuse(s, REFUSAL_PROTOCOL, &f);
}

static enum step refuse_gone(struct session *s) {
    struct failure f;
    failure_set(&f, "08006", NULL, "the client went away");
    return session_refuse(s, REFUSAL_CLIENT_GONE, &f);
}

enum stream_result login_flush(struct session *s) {
    struct login *l = s->login;
    while (l->client_sent < l->to_client.len) {
        size_t put;
        enum stream_result r = stream_write(&s->client, l->to_client.at + l->client_sent,
                                            l->to_client.len - l->client_sent, &put);
        if (r != STREAM_OK)
            return r;
        l->client_sent += put;
    }
    l->to_client.len = l->client_sent = 0;
    return STREAM_OK;
}

enum stream_result login_read(struct session *s) {
    struct login *l = s->login;
    size_t got;
    if (l->client_len == sizeof l->client_in)
        return STREAM_FAILED; /* more than any login message may have */
    enum stream_result r =
        stream_read(&s->client, l->client_in + l->client_len, sizeof l->client_in - l->client_len, &got);
    l->client_len += got;
    return r;
}

static void consume(struct login *l, size_t n) {
    memmove(l->client_in, l->client_in + n, l->client_len - n);
    l->client_len -= n;
}

/* Sends what is due and waits for more; the step to go to when the client is gone, else the present one. */
static enum step wait_for_client(struct session *s) {
    enum stream_result sent = login_flush(s);
    if (sent == STREAM_FAILED || sent == STREAM_END)
        return refuse_gone(s);
    stream_want(&s->client, true, sent == STREAM_AGAIN);
    return s->step;
}

enum step login_tls(struct session *s) {
    if (!s->client.ssl && !stream_tls_accept(&s->client, s->corridor->server))
        return refuse_gone(s);
    enum stream_result r = stream_handshake(&s->client);
    if (r == STREAM_AGAIN)
        return STEP_TLS;
    if (r != STREAM_OK) {
        struct failure f;
        failure_set(&f, "08006", NULL, "the TLS handshake failed");
        failure_cause(&f, "%s", stream_why(&s->client));
        return session_refuse(s, REFUSAL_TLS, &f);
    }
    stream_binding(&s->client, true, &s->login->binding);
    stream_want(&s->client, true, false);
    return STEP_STARTUP;
}

/* A tenant named in the startup packet must be the one whose cell this is: "sekisho.tenant" as a parameter of
 * its own or as "-c sekisho.tenant=..." in options. */
static bool names_another_tenant(const struct session *s, const struct startup *p) {
    static const char key[] = "sekisho.tenant=";
    for (size_t i = 0; i < p->options; i++) {
        struct view name = p->option[i].name, value = p->option[i].value;
        if (view_equal_text(name, "sekisho.tenant") && !view_equal_text(value, s->corridor->tenant))
            return true;
        if (!view_equal_text(name, "options"))
            continue;
        const uint8_t *at;
        while ((at = memmem(value.at, value.len, key, sizeof key - 1))) {
            value = view_from(value, (size_t)(at - value.at) + sizeof key - 1);
            size_t n = 0;
            while (n < value.len && value.at[n] != ' ' && value.at[n] != '\t')
                n++;
            if (!view_equal_text(view_of(value.at, n), s->corridor->tenant))
                return true;
        }
    }
    return false;
}

static enum step refuse_by_limit(struct session *s) {
    struct failure f;
    if (s->lobby == REFUSAL_RATE)
        failure_set(&f, "53300", "connect less often, or ask your database provider for a higher limit",
                    "too many connections a second for tenant \"%s\"", s->corridor->tenant);
    else
        failure_set(&f, "53300", "try again in a moment", "too many unfinished logins for tenant \"%s\"",
                    s->corridor->tenant);
    return session_refuse(s, s->lobby, &f);
}

static enum step refuse_without_tenant(struct session *s) {
    struct failure f;
    char hint[256];
    if (s->lobby == REFUSAL_RATE || s->lobby == REFUSAL_OVERLOAD)
        return refuse_by_limit(s);
    snprintf(hint, sizeof hint, "connect to <tenant>.%.170s, with a client that sends the server name (SNI)",
             s->corridor->settings->domain);
    if (s->lobby == REFUSAL_NO_TENANT)
        failure_set(&f, "08004", hint, "the connection does not name a tenant");
    else
        failure_set(&f, "08004", hint, "there is no such tenant here");
    return session_refuse(s, s->lobby, &f);
}

static enum step startup_message(struct session *s) {
    struct login *l = s->login;
    struct startup *p = &l->startup;
    view_copy_text(p->user, s->user, sizeof s->user);
    view_copy_text(p->database, s->database, sizeof s->database);
    s->console = strcmp(s->database, CONSOLE_DATABASE) == 0;
    if (s->lobby != REFUSAL_NONE)
        return refuse_without_tenant(s);
    if (s->corridor->draining) {
        struct failure f;
        failure_set(&f, "57P03", "connect again", "the proxy is shutting down");
        return session_refuse(s, REFUSAL_DRAINING, &f);
    }
    if (s->corridor->operators)
        return operator_startup(s);
    if (names_another_tenant(s, p)) {
        struct failure f;
        failure_set(&f, "08004", "leave sekisho.tenant out, or name the tenant of the host name",
                    "the connection's signals name different tenants");
        return session_refuse(s, REFUSAL_DISAGREE, &f);
    }
    if (p->negotiate)
        startup_write_negotiate(&l->to_client, p);
    message_write_sasl(&l->to_client, l->binding.tls_binding);
    s->corridor->ports->verifier(s->corridor->arg, s);
    return STEP_VERIFIER;
}

static enum step startup_packet(struct session *s, size_t length) {
    struct login *l = s->login;
    memcpy(l->packet, l->client_in, length);
    consume(l, length);
    startup_parse(view_of(l->packet, length), &l->startup);
    switch (l->startup.kind) {
    case STARTUP_MESSAGE:
        return startup_message(s);
    case STARTUP_CANCEL:
        if (s->lobby == REFUSAL_NONE)
            s->corridor->ports->cancel(s->corridor->arg, s, l->startup.cancel_pid, l->startup.cancel_key);
        stream_finish(&s->client);
        return STEP_DONE;
    case STARTUP_BAD: {
        struct failure f;
        failure_set(&f, l->startup.sqlstate, NULL, "%s", l->startup.why);
        return session_refuse(s, REFUSAL_PROTOCOL, &f);
    }
    default:
        return refuse_protocol(s, "an encryption request inside TLS");
    }
}

enum step login_startup(struct session *s) {
    struct login *l = s->login;
    for (;;) {
        size_t length = l->client_len >= 4 ? startup_length(l->client_in) : 4;
        if (length == 0)
            return refuse_protocol(s, "startup packet length out of bounds");
        if (l->client_len >= 4 && l->client_len >= length)
            return startup_packet(s, length);
        enum stream_result r = login_read(s);
        if (r == STREAM_AGAIN)
            return wait_for_client(s);
        if (r != STREAM_OK)
            return refuse_gone(s);
    }
}

/* Nothing is read meanwhile, so nothing to read may wake us: a client that sends early would keep us busy. */
enum step login_verifier(struct session *s) {
    if (s->login->verifier_known)
        return STEP_CHALLENGE;
    enum step next = wait_for_client(s);
    if (next == s->step)
        stream_want(&s->client, false, s->client.wants_write);
    return next;
}

/* The client's next 'p' message: its body in *body (valid until consume), or false with *next where to go. */
static bool sasl_message(struct session *s, struct view *body, size_t *used, enum step *next) {
    struct login *l = s->login;
    for (;;) {
        struct message m;
        enum message_result r =
            message_next(view_of(l->client_in, l->client_len), SCRAM_MESSAGE_MAX + 128, &m, used);
        if (r == MESSAGE_BAD || (r == MESSAGE_OK && m.type != 'p')) {
            *next = refuse_protocol(s, "expected a SASL response");
            return false;
        }
        if (r == MESSAGE_OK) {
            *body = m.body;
            return true;
        }
        if (l->to_client.len > 0 && !stream_pending(&s->client)) {
            *next = wait_for_client(s); /* it says nothing before it has heard us */
            return false;
        }
        enum stream_result got = login_read(s);
        if (got == STREAM_OK)
            continue;
        *next = got == STREAM_AGAIN ? wait_for_client(s) : refuse_gone(s);
        return false;
    }
}

/* One answer for whoever is not who they say: unknown, locked, expired, wrong password, wrong binding. */
static enum step refuse_password(struct session *s, const char *why) {
    struct login *l = s->login;
    struct failure f;
    session_failure_password(s, &f);
    failure_cause(&f, "%s", why);
    enum refusal refusal = l->verifier_refusal != REFUSAL_NONE ? l->verifier_refusal : REFUSAL_WRONG_PASSWORD;
    return session_refuse(s, refusal, &f);
}

static enum step refuse_scram(struct session *s, enum scram_result r, const char *why) {
    return r == SCRAM_MALFORMED ? refuse_protocol(s, why) : refuse_password(s, why);
}

enum step login_challenge(struct session *s) {
    struct login *l = s->login;
    struct view body, mechanism, data;
    size_t used;
    enum step next;
    if (!sasl_message(s, &body, &used, &next))
        return next;
    if (!message_read_sasl_initial(body, &mechanism, &data))
        return refuse_protocol(s, "malformed SASLInitialResponse");
    uint8_t first[SCRAM_MESSAGE_MAX];
    struct writer w = writer_of(first, sizeof first);
    enum scram_result r = scram_server_first(&l->server, mechanism, data, &l->binding, &l->verifier, &w);
    if (r != SCRAM_OK)
        return refuse_scram(s, r, l->server.why);
    snprintf(l->method, sizeof l->method, "%s", l->server.plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256");
    consume(l, used);
    message_write_sasl_continue(&l->to_client, writer_view(&w));
    return STEP_PROOF;
}

/* Right or wrong, the outcome is told when it is this guess's turn: nothing here may be quicker for one of
 * them. */
static enum step wrong_password(struct session *s, const char *why) {
    s->login->wrong = why;
    s->corridor->ports->guessed(s->corridor->arg, s);
    return STEP_TURN;
}

enum step login_turn(struct session *s) {
    stream_want(&s->client, false, false);
    return STEP_TURN; /* the deadline's event, or the broker's refusal, ends it */
}

enum step login_told(struct session *s) {
    return refuse_password(s, s->login->wrong);
}

enum step login_proof(struct session *s) {
    struct login *l = s->login;
    struct view body;
    size_t used;
    enum step next;
    if (!sasl_message(s, &body, &used, &next))
        return next;
    struct writer w = writer_of(l->final, sizeof l->final);
    enum scram_result r = scram_server_final(&l->server, body, &l->binding, l->client_key, &w);
    bool real = l->verifier_refusal == REFUSAL_NONE;
    if (r == SCRAM_MALFORMED)
        return refuse_protocol(s, l->server.why);
    if (r != SCRAM_OK)
        return wrong_password(s, l->server.why);
    if (!real) /* nobody's password fits a mock; if it did, it would still open nothing */
        return wrong_password(s, "mock verifier");
    l->final_len = w.len;
    consume(l, used);
    scram_server_wipe(&l->server);
    stream_want(&s->client, false, false);
    s->asked_admission = true;
    s->corridor->ports->admit(s->corridor->arg, s);
    return STEP_ADMIT;
}
