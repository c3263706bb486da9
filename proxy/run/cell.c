/* SPDX-License-Identifier: ISC
 *
 * The cell: TLS, login and relay of ONE tenant's sessions.
 *
 * It may: use the descriptors it was given (its channels, the sockets the gate hands over, the instance
 * sockets the broker hands over), and ask over those channels for what only concerns its own tenant. It may
 * never: open a socket or a file; name an address or a tenant (the others know whose cell this is from which
 * channel it speaks on); hold another tenant's bytes, keys or verifiers; write a log.
 *
 * Everybody on the network can reach it, so it counts as taken over: what it says is checked by those who
 * hear it. It comes to life with its tenant's first connection and leaves when it has had none for a while.
 * Its secrets: the tenant's certificate key, the tenant's client key towards the instance, and each login's
 * ClientKey for as long as that login lasts.
 */
#include "cancel.h"
#include "furnish.h"
#include "log.h"
#include "magic.h"
#include "role.h"
#include "secret.h"
#include "sessions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CANCELS_MAX 64
#define CANCEL_BIT (1ull << 63) /* request numbers of cancels: no session has such an id */
#define LEAVE_POLL_MS 10
#define UNFURNISHED_MS 5000 /* for the broker to say what we need to serve */

struct cancel_ask { /* a cancel that waits for its socket */
    uint64_t request;
    uint32_t pid, key;
};

static struct {
    struct sessions all;
    struct channel *gate, *broker;
    int gate_fd; /* a gate introduced before we can serve; -1 */
    struct cancel_ask cancels[CANCELS_MAX];
    uint64_t cancel_count;
    struct event *idle, *leaving, *drain_end, *idle_check, *unfurnished;
    bool draining;
} cell;

static struct writer with_request(uint64_t request) {
    struct writer w = channel_scratch();
    writer_u64(&w, request);
    return w;
}

/* --- ports: what sessions ask --- */

static void ask_verifier(void *arg, struct session *s) {
    if (!cell.broker)
        return; /* asked again when it is back */
    struct writer w = with_request(s->id);
    writer_text16(&w, view_text(s->user));
    address_write(&w, &s->client_address);
    channel_send(cell.broker, M_VERIFIER, &w, -1);
}

static void say_guess(struct session *s, uint64_t request) {
    if (!cell.broker)
        return;
    struct writer w = with_request(request);
    writer_text16(&w, view_text(s->user));
    address_write(&w, &s->client_address);
    channel_send(cell.broker, M_GUESSED, &w, -1);
}

static void say_guessed(void *arg, struct session *s) {
    say_guess(s, s->id);
}

static void say_doubt(void *arg, struct session *s) {
    say_guess(s, 0);
}

static void write_claim(struct writer *w, const struct session *s) {
    struct view none = {NULL, 0};
    writer_u64(w, s->id);
    writer_text16(w, view_text(s->user));
    writer_text16(w, view_text(s->database));
    struct view application = s->login ? s->login->startup.application_name : none;
    writer_text16(w, view_of(application.at, application.len < 64 ? application.len : 64));
    struct view replication = s->login ? s->login->startup.replication : none;
    writer_text16(w, view_of(replication.at, replication.len < 16 ? replication.len : 16));
    address_write(w, &s->client_address);
}

static void ask_admit(void *arg, struct session *s) {
    if (!cell.broker)
        return;
    struct writer w = with_request(s->id);
    write_claim(&w, s);
    channel_send(cell.broker, M_ADMIT, &w, -1);
}

static void do_record(void *arg, struct session *s, const struct record *r, bool answered) {
    sessions_record(&cell.all, s, r, answered);
}

static void say_key(struct session *s, enum message_code m) {
    if (!cell.gate)
        return;
    struct writer w = channel_scratch();
    writer_u32(&w, s->pid);
    writer_u32(&w, s->key);
    channel_send(cell.gate, m, &w, -1);
}

static void say_opened(struct session *s) {
    if (!cell.broker)
        return;
    struct writer w = with_request(s->id);
    writer_u32(&w, s->pid);
    channel_send(cell.broker, M_OPENED, &w, -1);
}

static void on_opened(void *arg, struct session *s) {
    sessions_login_over(cell.gate, s->id);
    say_key(s, M_KEY_ADD);
    say_opened(s);
}

static struct session *session_with_key(uint32_t pid, uint32_t key) {
    struct session *s, *next;
    HASH_ITER (hh, cell.all.table, s, next)
        if (s->step == STEP_RELAY && s->pid == pid && secret_equal(&s->key, &key, sizeof key))
            return s;
    return NULL;
}

static void note_cancel(const struct session *s) {
    struct record r;
    record_begin(&r, EVENT_SESSION_CANCEL, s->id);
    record_text(&r, FIELD_USER, view_text(s->user));
    record_text(&r, FIELD_REASON, view_text("obeyed"));
    sessions_note(&cell.all, &r);
}

/* A cancel for one of our sessions: the broker knows the instance and opens the connection. */
static void interrupt(void *arg, struct session *s) {
    if (!cell.broker)
        return;
    struct cancel_ask *ask = &cell.cancels[cell.cancel_count % CANCELS_MAX];
    *ask = (struct cancel_ask){CANCEL_BIT | ++cell.cancel_count, s->pid, s->instance_key};
    struct writer w = with_request(ask->request);
    writer_u64(&w, s->id);
    channel_send(cell.broker, M_CANCEL_SOCKET, &w, -1);
}

static void cancel_session(struct session *s) {
    if (!cell.broker)
        return;
    note_cancel(s);
    interrupt(NULL, s);
}

static void on_cancel(void *arg, struct session *from, uint32_t pid, uint32_t key) {
    struct session *s = session_with_key(pid, key);
    if (s) {
        cancel_session(s);
        return;
    }
    if (!cell.gate)
        return;
    struct writer w = channel_scratch(); /* perhaps a sister cell's: the gate knows */
    writer_u32(&w, pid);
    writer_u32(&w, key);
    address_write(&w, &from->client_address);
    channel_send(cell.gate, M_CANCEL_ASK, &w, -1);
}

static void on_session_ended(void *arg, struct session *s) {
    if (s->login)
        sessions_login_over(cell.gate, s->id);
    if (s->opened_us)
        say_key(s, M_KEY_REMOVE);
    if (cell.broker && s->asked_admission) {
        struct writer w = with_request(s->id);
        channel_send(cell.broker, M_RELEASE, &w, -1);
    }
    sessions_ended(&cell.all, s);
}

static const struct ports ports = {
    .verifier = ask_verifier,
    .guessed = say_guessed,
    .doubt = say_doubt,
    .admit = ask_admit,
    .record = do_record,
    .opened = on_opened,
    .cancel = on_cancel,
    .interrupt = interrupt,
    .ended = on_session_ended,
};

/* --- leaving --- */

static void try_to_leave(evutil_socket_t fd, short what, void *arg) {
    if (cell.all.table || !sessions_said(&cell.all))
        return;
    role_leave();
}

static void leave_soon(void) {
    if (!cell.leaving)
        cell.leaving = role_timer(LEAVE_POLL_MS, true, try_to_leave, NULL);
}

static void watch_idleness(void);

static void on_idle(evutil_socket_t fd, short what, void *arg) {
    event_free(cell.idle);
    cell.idle = NULL;
    if (cell.all.table)
        return;
    if (!cell.gate) { /* a gate that gave us up does not come back, and our place is another cell's */
        if (sessions_said(&cell.all))
            role_leave();
        else
            watch_idleness();
        return;
    }
    struct writer w = with_request(cell.all.handed_over);
    channel_send(cell.gate, M_IDLE, &w, -1);
}

static void watch_idleness(void) {
    if (cell.idle)
        event_free(cell.idle);
    cell.idle = role_timer(role_settings()->cell_idle_timeout, false, on_idle, NULL);
}

static void on_emptied(struct sessions *all) {
    if (cell.draining)
        leave_soon();
    else
        watch_idleness();
}

static void on_drain_end(evutil_socket_t fd, short what, void *arg) {
    sessions_cut_all(&cell.all);
}

static void on_drain(void *arg) {
    cell.draining = true;
    uint32_t ms = role_settings()->drain_timeout;
    if (!cell.drain_end)
        cell.drain_end = role_timer(ms ? ms : 1, false, on_drain_end, NULL);
    sessions_drain(&cell.all);
}

/* --- the gate --- */

static void on_gate_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    switch (m) {
    case M_HANDOVER:
        sessions_arrive(&cell.all, c, body, fd);
        return;
    case M_CANCEL: {
        uint32_t pid = reader_u32(body), key = reader_u32(body);
        struct session *s = session_with_key(pid, key);
        if (s)
            cancel_session(s);
        return;
    }
    case M_RETIRE:
        cell.draining = true;
        leave_soon();
        return;
    default:
        channel_offend(c, "sent what a gate does not say to a cell");
    }
}

static void on_gate_ended(void *arg, struct channel *c, const char *why) {
    cell.gate = NULL;
    cell.all.handed_over = 0;
    if (!cell.all.table)
        watch_idleness();
}

/* The tenant may have gone from the directory while its cell was started: who waits for it here is better let
 * go. */
static void on_unfurnished(evutil_socket_t fd, short what, void *arg) {
    if (cell.all.corridor.server && cell.all.corridor.client)
        return;
    log_warning("nobody says whose cell this is: leaving");
    role_leave();
}

/* The gate's connections are taken only once there is a certificate to show and an instance to go to. */
static void open_gate(void) {
    if (cell.gate_fd < 0 || !cell.all.corridor.server || !cell.all.corridor.client)
        return;
    channel_free(&cell.gate);
    cell.all.handed_over = 0;
    cell.gate = channel_new(role_base(), cell.gate_fd, R_CELL, R_GATE, on_gate_message, on_gate_ended, NULL);
    cell.gate_fd = -1;
    struct session *s, *next;
    HASH_ITER (hh, cell.all.table, s, next)
        if (s->step == STEP_RELAY)
            say_key(s, M_KEY_ADD);
    if (!cell.all.table)
        watch_idleness();
}

/* --- the broker --- */

static bool take_verifier(struct reader *body) {
    struct verifier v;
    uint64_t request = reader_u64(body);
    enum refusal refusal = reader_u8(body);
    if (!verifier_read(body, &v) || !reader_done(body) || refusal >= REFUSAL_COUNT)
        return false;
    struct session *s = sessions_find(&cell.all, request);
    if (s)
        session_verifier(s, refusal, &v);
    secret_wipe(&v, sizeof v);
    return true;
}

static bool take_turn(struct reader *body) {
    uint64_t request = reader_u64(body);
    uint32_t wait_ms = reader_u32(body);
    if (!reader_done(body))
        return false;
    struct session *s = sessions_find(&cell.all, request);
    if (s)
        session_turn(s, wait_ms);
    return true;
}

static bool take_socket(struct reader *body, int fd) {
    uint64_t request = reader_u64(body);
    if (!reader_done(body)) {
        close(fd);
        return false;
    }
    if (request & CANCEL_BIT) {
        struct cancel_ask *ask = &cell.cancels[((request & ~CANCEL_BIT) - 1) % CANCELS_MAX];
        if (ask->request == request)
            cancel_send(&cell.all.corridor, fd, ask->pid, ask->key);
        else
            close(fd);
        return true;
    }
    struct session *s = sessions_find(&cell.all, request);
    if (s)
        session_admitted(s, fd);
    else
        close(fd);
    return true;
}

static bool take_refusal(struct reader *body) {
    struct failure f;
    uint64_t request = reader_u64(body);
    enum refusal refusal = reader_u8(body);
    if (!failure_read(body, &f) || !reader_done(body) || refusal >= REFUSAL_COUNT)
        return false;
    struct session *s = sessions_find(&cell.all, request);
    if (s)
        session_refused(s, refusal, &f);
    return true;
}

static bool take_cut(struct reader *body) {
    struct failure f;
    uint64_t id = reader_u64(body);
    enum close_reason reason = reader_u8(body);
    if (!failure_read(body, &f) || !reader_done(body) || reason >= CLOSE_COUNT)
        return false;
    struct session *s = sessions_find(&cell.all, id);
    if (s)
        session_cut(s, reason, &f);
    return true;
}

static void on_broker_message(void *arg, struct channel *c, enum message_code m, struct reader *body,
                              int fd) {
    bool good = false;
    switch (m) {
    case M_TENANT:
        good = furnish_tenant(&cell.all.corridor, body);
        break;
    case M_IDENTITY:
        good = furnish_identity(&cell.all.corridor, body);
        break;
    case M_SYSTEM_TRUST:
        good = furnish_system_trust(fd);
        break;
    case M_INSTANCE_TRUST:
        good = furnish_trust(&cell.all.corridor, body);
        break;
    case M_VERIFIER_IS:
        good = take_verifier(body);
        break;
    case M_TURN:
        good = take_turn(body);
        break;
    case M_ADMITTED:
        good = take_socket(body, fd);
        break;
    case M_REFUSED:
        good = take_refusal(body);
        break;
    case M_CUT:
        good = take_cut(body);
        break;
    default:
        break;
    }
    if (!good)
        channel_offend(c, "sent what a broker does not say to a cell");
    else
        open_gate();
}

static void on_broker_ended(void *arg, struct channel *c, const char *why) {
    cell.broker = NULL;
    log_warning("the broker is away: %s", why);
}

/* A new broker knows nothing of us: who is in, then what was asked of the old one. */
static void open_broker(int fd) {
    channel_free(&cell.broker);
    cell.broker = channel_new(role_base(), fd, R_CELL, R_BROKER, on_broker_message, on_broker_ended, NULL);
    struct session *s, *next;
    HASH_ITER (hh, cell.all.table, s, next) {
        if (s->step > STEP_ADMIT && s->step <= STEP_RELAY) {
            struct writer w = channel_scratch();
            write_claim(&w, s);
            channel_send(cell.broker, M_HOLD, &w, -1);
            if (s->step == STEP_RELAY)
                say_opened(s);
        }
        session_ask_again(s);
    }
}

/* --- the frame --- */

static void on_idle_check(evutil_socket_t fd, short what, void *arg) {
    sessions_idle_check(&cell.all);
}

static void on_settings(void *arg, const struct settings *s) {
    cell.all.corridor.settings = s;
    cell.all.corridor.base = role_base();
    if (!cell.unfurnished)
        cell.unfurnished = role_timer(UNFURNISHED_MS, false, on_unfurnished, NULL);
    if (s->idle_timeout > 0 && !cell.idle_check)
        cell.idle_check = role_timer(1000, true, on_idle_check, NULL);
    else if (s->idle_timeout == 0 && cell.idle_check) {
        event_free(cell.idle_check);
        cell.idle_check = NULL;
    }
    if (cell.idle)
        watch_idleness(); /* the timeout may have changed */
}

static void on_peer(void *arg, const struct role_peer *peer, int fd) {
    switch (peer->role) {
    case R_GATE:
        if (cell.gate_fd >= 0)
            close(cell.gate_fd);
        cell.gate_fd = fd;
        open_gate();
        return;
    case R_BROKER:
        open_broker(fd);
        return;
    case R_LEDGER:
        sessions_ledger(&cell.all, fd);
        return;
    default:
        close(fd);
    }
}

static const struct role_hooks hooks = {.settings = on_settings, .peer = on_peer, .drain = on_drain};

int cell_main(void) {
    sessions_begin(&cell.all, R_CELL, &ports);
    cell.all.emptied = on_emptied;
    cell.gate_fd = -1;
    return role_run(R_CELL, &hooks, NULL);
}
