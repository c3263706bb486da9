/* SPDX-License-Identifier: ISC
 *
 * The corridor: the table of steps, the one function that moves between them, the one exit. What happens in a
 * step is in the step's file (login.c, backend.c, relay.c). See session.h for the way through.
 */
#include "session.h"
#include "clock.h"
#include "magic.h"
#include "secret.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINGER_MS 2000 /* how long a client that was told goodbye may take to hang up */

#define TO(step) (1u << (step))
#define ENDS (TO(STEP_LINGER) | TO(STEP_DONE))

struct step_rule {
    const char *name;
    step_fn *run;
    enum bucket bucket; /* whose time it is */
    unsigned next;      /* legal moves */
};

static const struct step_rule steps[STEP_COUNT] = {
    [STEP_TLS] = {"tls", login_tls, BUCKET_CLIENT, TO(STEP_STARTUP) | ENDS},
    [STEP_STARTUP] = {"startup", login_startup, BUCKET_CLIENT, TO(STEP_VERIFIER) | TO(STEP_ADMIT) | ENDS},
    [STEP_VERIFIER] = {"verifier", login_verifier, BUCKET_DIRECTORY, TO(STEP_CHALLENGE) | ENDS},
    [STEP_CHALLENGE] = {"challenge", login_challenge, BUCKET_CLIENT, TO(STEP_PROOF) | ENDS},
    [STEP_PROOF] = {"proof", login_proof, BUCKET_CLIENT, TO(STEP_ADMIT) | TO(STEP_TURN) | ENDS},
    [STEP_TURN] = {"turn", login_turn, BUCKET_DIRECTORY, ENDS},
    [STEP_ADMIT] = {"admit", backend_admit, BUCKET_DIRECTORY,
                    TO(STEP_INSTANCE_ASK) | TO(STEP_INSTANCE_LOGIN) | ENDS},
    [STEP_INSTANCE_ASK] = {"instance ask", backend_ask, BUCKET_INSTANCE, TO(STEP_INSTANCE_TLS) | ENDS},
    [STEP_INSTANCE_TLS] = {"instance tls", backend_tls, BUCKET_INSTANCE, TO(STEP_INSTANCE_LOGIN) | ENDS},
    [STEP_INSTANCE_LOGIN] = {"instance login", backend_login, BUCKET_INSTANCE, TO(STEP_RECORD) | ENDS},
    [STEP_RECORD] = {"record", backend_record, BUCKET_PROXY, TO(STEP_RELAY) | ENDS},
    [STEP_RELAY] = {"relay", relay_run, BUCKET_PROXY, ENDS},
    [STEP_LINGER] = {"linger", relay_linger, BUCKET_PROXY, TO(STEP_DONE)},
    [STEP_DONE] = {"done", NULL, BUCKET_PROXY, 0},
};

const char *close_reason_name(enum close_reason r) {
    static const char *const names[CLOSE_COUNT] = {
#define CLOSE(code, name) [CLOSE_##code] = name,
#include "close_reasons.def"
#undef CLOSE
    };
    return r < CLOSE_COUNT ? names[r] : "unknown";
}

bool session_is_observed(const struct session *s) {
    return s->corridor->operators && !s->console;
}

static void on_client(void *arg, int what) {
    struct session *s = arg;
    MAGIC_CHECK(s, SESSION_MAGIC);
    if (s->step == STEP_RELAY && session_is_observed(s))
        operator_relay_client(s, what);
    else if (s->step == STEP_RELAY)
        relay_client_event(s, what);
    else
        session_run(s);
}

void session_deadline(struct session *s, uint32_t ms) {
    struct timeval after = {ms / 1000, (ms % 1000) * 1000};
    event_add(&s->deadline, &after);
}

/* What is left of the login's time, at least 1 ms. */
static uint32_t login_left_ms(const struct session *s) {
    int64_t left =
        s->accepted_us + (int64_t)s->corridor->settings->login_timeout * 1000 - clock_now().mono_us;
    return left < 1000 ? 1 : (uint32_t)(left / 1000);
}

void session_hold(struct session *s, uint32_t ms) {
    uint32_t left = login_left_ms(s);
    session_deadline(s, ms < left ? ms : left);
}

static void session_destroy(struct session *s) {
    s->corridor->ports->ended(s->corridor->arg, s);
    stats_sub(STATS_CONNECTIONS_OPEN, 1);
    relay_end(s);
    operator_relay_end(s);
    session_login_free(s);
    event_del(&s->deadline);
    stream_end(&s->client);
    stream_end(&s->instance);
    secret_wipe(s, sizeof *s);
    free(s);
}

/* The only place where a session's step changes. */
static void session_move(struct session *s, enum step next) {
    assert(steps[s->step].next & TO(next));
    int64_t now = clock_now().mono_us;
    if (s->step < STEP_RELAY)
        s->spent_us[steps[s->step].bucket] += (uint64_t)(now - s->stepped_us);
    s->stepped_us = now;
    s->step = next;
    if (next == STEP_ADMIT)
        s->asked_us = now;
    else if (next == STEP_RECORD && !s->console)
        stats_time(STATS_CONNECT_TIME, now - s->asked_us);
    if (next == STEP_RELAY)
        event_del(&s->deadline);
    else if (next == STEP_LINGER)
        session_deadline(s, LINGER_MS);
}

void session_run(struct session *s) {
    MAGIC_CHECK(s, SESSION_MAGIC);
    if (s->running)
        return;
    s->running = true;
    while (s->step != STEP_DONE) {
        enum step before = s->step, next = steps[before].run(s);
        if (s->step != before)
            continue; /* a port answered at once, and the session went on from there */
        if (next == before)
            break;
        session_move(s, next);
    }
    s->running = false;
    if (s->step == STEP_DONE)
        session_destroy(s);
}

/* For events from outside: goes where `next` says, then on. */
static void session_go(struct session *s, enum step next) {
    if (s->step == STEP_DONE)
        return;
    if (next != s->step)
        session_move(s, next);
    session_run(s);
}

/* An open record is on its way to the log and cannot be called back: the client is let go now, and the
 * session ends (with its close record) as soon as the ledger has answered. */
static bool session_abandon(struct session *s, enum close_reason reason, const struct failure *f) {
    if (s->step != STEP_RECORD || !s->waiting_record)
        return false;
    if (!s->abandoned)
        session_farewell(s, f);
    s->abandoned = reason;
    return true;
}

void session_leave_relay(struct session *s, enum step next) {
    session_go(s, next);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg) {
    struct session *s = arg;
    MAGIC_CHECK(s, SESSION_MAGIC);
    if (s->step == STEP_LINGER) {
        session_go(s, STEP_DONE);
        return;
    }
    /* A held-back answer's time has come, or the login took too long. */
    if (s->step == STEP_TURN && s->login->turn_known && login_left_ms(s) > 1) {
        session_go(s, login_told(s));
        return;
    }
    struct failure f;
    failure_set(&f, "57014", NULL, "login timed out");
    failure_cause(&f, "at step %s", steps[s->step].name);
    if (session_abandon(s, CLOSE_CLIENT_GONE, &f))
        return;
    session_go(s, session_refuse(s, REFUSAL_TIMEOUT, &f));
}

static struct login *login_new(const struct arrival *a) {
    struct login *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->magic = LOGIN_MAGIC;
    l->to_client = writer_of(l->to_client_bytes, sizeof l->to_client_bytes);
    l->to_instance = writer_of(l->to_instance_bytes, sizeof l->to_instance_bytes);
    snprintf(l->server_name, sizeof l->server_name, "%s", a->server_name);
    return l;
}

struct session *session_new(struct corridor *c, const struct arrival *a, int fd) {
    struct session *s = calloc(1, sizeof *s);
    struct login *l = s ? login_new(a) : NULL;
    if (!l) {
        free(s);
        close(fd);
        return NULL;
    }
    s->magic = SESSION_MAGIC;
    s->corridor = c;
    s->login = l;
    c->logins++;
    stats_add(STATS_CONNECTIONS, 1);
    stats_add(STATS_CONNECTIONS_OPEN, 1);
    s->id = a->session;
    s->accepted_us = a->accepted_us;
    s->stepped_us = clock_now().mono_us;
    s->spent_us[BUCKET_CLIENT] =
        s->stepped_us > s->accepted_us ? (uint64_t)(s->stepped_us - s->accepted_us) : 0;
    s->client_address = a->client;
    s->local = a->local;
    s->via = a->via;
    s->lobby = a->refusal;
    stream_begin(&s->client, c->base, fd, c->settings->tcp_keepalive / 1000, on_client, s);
    event_assign(&s->deadline, c->base, -1, 0, on_deadline, s);
    session_deadline(s, login_left_ms(s));
    return s;
}

void session_login_free(struct session *s) {
    if (!s->login)
        return;
    MAGIC_CHECK(s->login, LOGIN_MAGIC);
    secret_wipe(s->login, sizeof *s->login);
    free(s->login);
    s->login = NULL;
    s->corridor->logins--;
}

void session_verifier(struct session *s, enum refusal refusal, const struct verifier *v) {
    MAGIC_CHECK(s, SESSION_MAGIC);
    if (s->step != STEP_VERIFIER || s->login->verifier_known)
        return;
    s->login->verifier = *v;
    s->login->verifier_refusal = refusal;
    s->login->verifier_known = true;
    session_run(s);
}

void session_turn(struct session *s, uint32_t wait_ms) {
    MAGIC_CHECK(s, SESSION_MAGIC);
    /* "At once" may come from within the step that asked. */
    bool asked = s->step == STEP_TURN || (s->step == STEP_PROOF && s->login->wrong);
    if (!asked || s->login->turn_known)
        return;
    s->login->turn_known = true;
    session_hold(s, wait_ms);
}

static void on_instance(void *arg, int what) {
    struct session *s = arg;
    MAGIC_CHECK(s, SESSION_MAGIC);
    if (s->step == STEP_RELAY && session_is_observed(s))
        operator_relay_instance(s, what);
    else if (s->step == STEP_RELAY)
        relay_instance_event(s, what);
    else
        session_run(s);
}

void session_connected(struct session *s, int fd) {
    stream_begin(&s->instance, s->corridor->base, fd, s->corridor->settings->tcp_keepalive / 1000,
                 on_instance, s);
    session_go(s, s->console ? backend_console(s) : STEP_INSTANCE_ASK);
}

void session_admitted(struct session *s, int fd) {
    MAGIC_CHECK(s, SESSION_MAGIC);
    if (s->step != STEP_ADMIT || s->corridor->operators || stream_is_open(&s->instance))
        close(fd);
    else
        session_connected(s, fd);
}

void session_refused(struct session *s, enum refusal refusal, const struct failure *f) {
    MAGIC_CHECK(s, SESSION_MAGIC);
    if (s->step == STEP_ADMIT || s->step == STEP_VERIFIER || s->step == STEP_TURN)
        session_go(s, session_refuse(s, refusal, f));
}

void session_recorded(struct session *s, bool durable) {
    MAGIC_CHECK(s, SESSION_MAGIC);
    if (s->step != STEP_RECORD || !s->waiting_record)
        return;
    s->waiting_record = false;
    s->opened = durable;
    s->opened_us = clock_now().mono_us;
    if (durable) {
        stats_add(STATS_LOGINS, 1);
        stats_add(STATS_SESSIONS_OPEN, 1);
        stats_time(STATS_LOGIN_TIME, s->opened_us - s->accepted_us);
    }
    if (durable && s->abandoned) {
        session_go(s, session_close(s, s->abandoned, NULL));
        return;
    }
    if (durable) {
        session_run(s);
        return;
    }
    struct failure f;
    failure_set(&f, "58030", "try again later; the provider has been told",
                "the session log cannot be written");
    session_go(s, session_refuse(s, REFUSAL_LEDGER, &f));
}

void session_ask_again(struct session *s) {
    if (s->step == STEP_VERIFIER && !s->login->verifier_known)
        s->corridor->ports->verifier(s->corridor->arg, s);
    else if (s->step == STEP_TURN && !s->login->turn_known)
        s->corridor->ports->guessed(s->corridor->arg, s);
    else if (s->step == STEP_ADMIT)
        s->corridor->ports->admit(s->corridor->arg, s);
}

void session_cut(struct session *s, enum close_reason reason, const struct failure *f) {
    MAGIC_CHECK(s, SESSION_MAGIC);
    if (s->step == STEP_RELAY && session_is_observed(s))
        operator_cut(s, reason, f);
    else if (s->step == STEP_RELAY)
        relay_cut(s, reason, f);
    else if (s->step < STEP_RELAY && !session_abandon(s, reason, f))
        session_go(s, session_refuse(s, reason == CLOSE_ADDRESS ? REFUSAL_ADDRESS : REFUSAL_TENANT_STATE, f));
}

void session_drain(struct session *s) {
    MAGIC_CHECK(s, SESSION_MAGIC);
    struct failure f;
    failure_set(&f, "57P01", "connect again", "terminating connection because the proxy is shutting down");
    s->draining = true;
    if (s->step < STEP_RECORD)
        session_go(s, session_refuse(s, REFUSAL_DRAINING, &f));
    else if (s->step == STEP_RELAY && session_is_observed(s))
        operator_cut(s, CLOSE_DRAINED, &f);
    else if (s->step == STEP_RELAY && relay_is_idle(s))
        session_go(s, session_close(s, CLOSE_DRAINED, &f));
}

void session_idle_check(struct session *s, int64_t mono_us) {
    if (s->step != STEP_RELAY)
        return;
    uint64_t moved = s->in.bytes + s->out.bytes;
    if (session_is_observed(s))
        return; /* a grant has an end of its own */
    if (moved != s->idle_mark || !relay_is_idle(s)) {
        s->idle_mark = moved;
        s->idle_since_us = mono_us;
        return;
    }
    if (mono_us - s->idle_since_us < (int64_t)s->corridor->settings->idle_timeout * 1000)
        return;
    struct failure f;
    failure_set(&f, "57P05", NULL, "terminating connection due to idle-session timeout");
    session_go(s, session_close(s, CLOSE_IDLE, &f));
}
