/* SPDX-License-Identifier: ISC
 *
 * The operator's cell: ONE session of ONE operator with ONE tenant, under one grant. Everything a tenant's
 * cell may never do it may never do either (see cell.c); beyond that it forwards nothing to the instance
 * whose record is not on disk, and it ends with its grant, with the broker or with the ledger, whichever ends
 * first. Ending the session is ending this process: nothing can outlive it.
 *
 * Its secrets: the operators' certificate key, the tenant's client key towards the instance, and the scope
 * role's ClientKey for as long as the login lasts.
 */
#include "cancel.h"
#include "furnish.h"
#include "log.h"
#include "role.h"
#include "secret.h"
#include "sessions.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALONE_MS 4000 /* without a broker */
#define LEAVE_POLL_MS 10
#define CANCEL_GRACE_MS 1000 /* for the instance to take a cancel, after the session */
#define CANCEL_REQUEST (1ull << 63)

static struct {
    struct sessions all;
    struct channel *gate, *broker;
    int gate_fd;
    char ca[32768], crl[32768];
    size_t ca_len, crl_len;
    uint32_t cancel_pid, cancel_key;
    bool cancelling, served;
    struct event *alone, *leaving, *grace;
} op;

static struct session *only(void) {
    return op.all.table;
}

static struct writer with_request(uint64_t request) {
    struct writer w = channel_scratch();
    writer_u64(&w, request);
    return w;
}

static void cut(enum close_reason reason, const char *sqlstate, const char *sentence) {
    struct failure f;
    failure_set(&f, sqlstate, NULL, "%s", sentence);
    if (only())
        session_cut(only(), reason, &f);
}

/* --- ports --- */

static void write_claim(struct writer *w, const struct session *s) {
    struct view none = {NULL, 0};
    writer_u64(w, s->id);
    writer_text16(w, view_text(s->operation.operator));
    writer_text16(w, view_text(s->database));
    writer_text16(w, none);
    struct view replication = s->login ? s->login->startup.replication : none;
    writer_text16(w, view_of(replication.at, replication.len < 16 ? replication.len : 16));
    address_write(w, &s->client_address);
}

static void ask_admit(void *arg, struct session *s) {
    if (!op.broker)
        return;
    struct writer w = with_request(s->id);
    write_claim(&w, s);
    channel_send(op.broker, M_OPERATOR_ADMIT, &w, -1);
}

static void do_record(void *arg, struct session *s, const struct record *r, bool answered) {
    sessions_record(&op.all, s, r, answered);
}

static void do_statement(void *arg, struct session *s, const struct record *r, uint64_t ticket) {
    sessions_statement(&op.all, r, ticket);
}

static void say_key(struct session *s, enum message_code m) {
    if (!op.gate)
        return;
    struct writer w = channel_scratch();
    writer_u32(&w, s->pid);
    writer_u32(&w, s->key);
    channel_send(op.gate, m, &w, -1);
}

static void say_opened(struct session *s) {
    if (!op.broker)
        return;
    struct writer w = with_request(s->id);
    writer_u32(&w, s->pid);
    channel_send(op.broker, M_OPENED, &w, -1);
}

static void on_opened(void *arg, struct session *s) {
    say_key(s, M_KEY_ADD);
    say_opened(s);
}

/* A cancel request inside TLS comes on a connection of its own, so it is never ours: the gate knows whose. */
static void on_cancel(void *arg, struct session *from, uint32_t pid, uint32_t key) {
    if (!op.gate)
        return;
    struct writer w = channel_scratch();
    writer_u32(&w, pid);
    writer_u32(&w, key);
    address_write(&w, &from->client_address);
    channel_send(op.gate, M_CANCEL_ASK, &w, -1);
}

static void interrupt(void *arg, struct session *s) {
    if (!op.broker || op.cancelling)
        return;
    op.cancelling = true;
    op.cancel_pid = s->pid;
    op.cancel_key = s->instance_key;
    struct writer w = with_request(CANCEL_REQUEST);
    writer_u64(&w, s->id);
    channel_send(op.broker, M_CANCEL_SOCKET, &w, -1);
}

static void no_verifier(void *arg, struct session *s) {
}

static void no_guess(void *arg, struct session *s) {
}

static void say_doubt(void *arg, struct session *s) {
    log_error("the instance of %s does not know the role of the scope: sekishoctl tenant rotate",
              op.all.corridor.tenant);
}

static void try_to_leave(evutil_socket_t fd, short what, void *arg) {
    if (!only() && !op.grace && sessions_said(&op.all))
        role_leave();
}

static void on_grace_over(evutil_socket_t fd, short what, void *arg) {
    event_free(op.grace);
    op.grace = NULL;
}

static void leave_soon(void) {
    if (op.cancelling && !op.grace)
        op.grace = role_timer(CANCEL_GRACE_MS, false, on_grace_over, NULL);
    if (!op.leaving)
        op.leaving = role_timer(LEAVE_POLL_MS, true, try_to_leave, NULL);
}

static void on_session_ended(void *arg, struct session *s) {
    if (s->opened_us)
        say_key(s, M_KEY_REMOVE);
    if (op.broker && s->asked_admission) {
        struct writer w = with_request(s->id);
        channel_send(op.broker, M_RELEASE, &w, -1);
    }
    sessions_ended(&op.all, s);
}

static void on_emptied(struct sessions *all) {
    leave_soon();
}

static void on_answered(struct sessions *all, uint64_t ticket, bool durable) {
    if (only())
        operator_relay_durable(only(), ticket, durable);
}

static void on_ledger_lost(struct sessions *all) {
    cut(CLOSE_LEDGER_LOST, "58030", "terminating connection because the session log cannot be written");
}

static const struct ports ports = {
    .verifier = no_verifier,
    .guessed = no_guess,
    .doubt = say_doubt,
    .admit = ask_admit,
    .record = do_record,
    .statement = do_statement,
    .opened = on_opened,
    .cancel = on_cancel,
    .interrupt = interrupt,
    .ended = on_session_ended,
};

/* --- the gate --- */

static void on_gate_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    if (m == M_HANDOVER && !op.served) {
        op.served = true;
        sessions_arrive(&op.all, c, body, fd);
    } else if (m == M_CANCEL) {
        uint32_t pid = reader_u32(body), key = reader_u32(body);
        struct session *s = only();
        if (s && s->step == STEP_RELAY && s->pid == pid && secret_equal(&s->key, &key, sizeof key)) {
            op.cancelling = false; /* each request counts */
            interrupt(NULL, s);
        }
    } else if (m == M_RETIRE) {
        leave_soon();
    } else {
        if (fd >= 0)
            close(fd);
        channel_offend(c, "sent what a gate does not say to an operator's cell");
    }
}

static void on_gate_ended(void *arg, struct channel *c, const char *why) {
    op.gate = NULL;
    if (!op.served)
        leave_soon(); /* nobody will come any more */
}

static void open_gate(void) {
    if (op.gate_fd < 0 || !op.all.corridor.server || !op.all.corridor.client)
        return;
    channel_free(&op.gate);
    op.gate = channel_new(role_base(), op.gate_fd, R_OPERATOR, R_GATE, on_gate_message, on_gate_ended, NULL);
    op.gate_fd = -1;
    if (only() && only()->step == STEP_RELAY)
        say_key(only(), M_KEY_ADD);
}

/* --- the broker --- */

static bool take_authority(struct reader *body) {
    struct view ca = furnish_blob(body), crl = furnish_blob(body);
    if (!reader_done(body) || ca.len > sizeof op.ca || crl.len > sizeof op.crl)
        return false;
    op.ca_len = ca.len;
    op.crl_len = crl.len;
    memcpy(op.ca, ca.at, ca.len);
    memcpy(op.crl, crl.at, crl.len);
    return true;
}

static bool take_granted(struct reader *body, int fd) {
    struct pass p = {0};
    uint64_t request = reader_u64(body);
    p.grant = reader_u64(body);
    p.ends_us = (int64_t)reader_u64(body);
    reader_text16_into(body, p.scope, sizeof p.scope);
    reader_text16_into(body, p.role, sizeof p.role);
    reader_text16_into(body, p.ticket, sizeof p.ticket);
    bool good = verifier_read(body, &p.verifier);
    struct view key = reader_bytes(body, sizeof p.client_key);
    struct session *s = sessions_find(&op.all, request);
    if (good && reader_done(body) && s) {
        memcpy(p.client_key, key.at, key.len);
        session_granted(s, fd, &p);
        return true;
    }
    close(fd);
    return good && reader_done(body);
}

static bool take_cancel_socket(struct reader *body, int fd) {
    uint64_t request = reader_u64(body);
    if (!reader_done(body) || request != CANCEL_REQUEST) {
        close(fd);
        return false;
    }
    cancel_send(&op.all.corridor, fd, op.cancel_pid, op.cancel_key);
    return true;
}

static bool take_failure(struct reader *body, bool refusal) {
    struct failure f;
    uint64_t id = reader_u64(body);
    uint8_t code = reader_u8(body);
    if (!failure_read(body, &f) || !reader_done(body) ||
        code >= (refusal ? (int)REFUSAL_COUNT : (int)CLOSE_COUNT))
        return false;
    struct session *s = sessions_find(&op.all, id);
    if (s && refusal)
        session_refused(s, code, &f);
    else if (s)
        session_cut(s, code, &f);
    return true;
}

/* A broker that speaks to us has read the statements and judges; a channel alone says nothing. */
static void is_judged_again(void) {
    if (op.alone)
        event_free(op.alone);
    op.alone = NULL;
}

static void on_broker_message(void *arg, struct channel *c, enum message_code m, struct reader *body,
                              int fd) {
    bool good = false;
    is_judged_again();
    if (m == M_TENANT)
        good = furnish_tenant(&op.all.corridor, body);
    else if (m == M_OPERATOR_TRUST)
        good = take_authority(body);
    else if (m == M_IDENTITY)
        good = furnish_operator_identity(&op.all.corridor, body, view_of(op.ca, op.ca_len),
                                         view_of(op.crl, op.crl_len));
    else if (m == M_SYSTEM_TRUST)
        good = furnish_system_trust(fd);
    else if (m == M_INSTANCE_TRUST)
        good = furnish_trust(&op.all.corridor, body);
    else if (m == M_GRANTED)
        good = take_granted(body, fd);
    else if (m == M_ADMITTED)
        good = take_cancel_socket(body, fd);
    else if (m == M_REFUSED || m == M_CUT)
        good = take_failure(body, m == M_REFUSED);
    if (good)
        open_gate();
    else
        channel_offend(c, "sent what a broker does not say to an operator's cell");
}

static void on_alone(evutil_socket_t fd, short what, void *arg) {
    cut(CLOSE_BROKER_LOST, "57P01", "terminating connection because the grant cannot be checked any more");
}

static void on_broker_ended(void *arg, struct channel *c, const char *why) {
    op.broker = NULL;
    if (!op.alone)
        op.alone = role_timer(ALONE_MS, false, on_alone, NULL);
}

static void open_broker(int fd) {
    channel_free(&op.broker);
    op.broker = channel_new(role_base(), fd, R_OPERATOR, R_BROKER, on_broker_message, on_broker_ended, NULL);
    struct session *s = only();
    if (s && s->step > STEP_ADMIT && s->step <= STEP_RELAY) {
        struct writer w = channel_scratch();
        write_claim(&w, s);
        writer_u64(&w, s->operation.grant);
        channel_send(op.broker, M_OPERATOR_HOLD, &w, -1);
        if (s->step == STEP_RELAY)
            say_opened(s);
    } else if (s) {
        session_ask_again(s);
    }
}

/* --- the frame --- */

static void on_settings(void *arg, const struct settings *s) {
    op.all.corridor.settings = s;
    op.all.corridor.base = role_base();
}

static void on_peer(void *arg, const struct role_peer *peer, int fd) {
    if (peer->role == R_GATE) {
        if (op.gate_fd >= 0)
            close(op.gate_fd);
        op.gate_fd = fd;
        open_gate();
    } else if (peer->role == R_BROKER) {
        open_broker(fd);
    } else if (peer->role == R_LEDGER) {
        sessions_ledger(&op.all, fd);
    } else {
        close(fd);
    }
}

static void on_drain(void *arg) {
    sessions_drain(&op.all);
    leave_soon();
}

static const struct role_hooks hooks = {.settings = on_settings, .peer = on_peer, .drain = on_drain};

int operator_main(void) {
    sessions_begin(&op.all, R_OPERATOR, &ports);
    op.all.corridor.operators = true;
    op.all.emptied = on_emptied;
    op.all.answered = on_answered;
    op.all.ledger_lost = on_ledger_lost;
    op.gate_fd = -1;
    return role_run(R_OPERATOR, &hooks, NULL);
}
