/* SPDX-License-Identifier: ISC
 *
 * See sessions.h.
 */
#include "sessions.h"
#include "clock.h"
#include "lean.h"
#include "log.h"
#include "magic.h"
#include "role.h"
#include "stats.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SESSIONS_MAGIC 0x5ec10006u
#define WAITING_MAX 10000
#define LOGINS_MOST 4096 /* unfinished at once: each holds a login's memory (session.h) */
#define SECOND_US 1000000

struct waiting {
    struct waiting *next;
    uint64_t session;
    bool close; /* a close record: the new ledger must be told first that we own that session */
    size_t len;
    uint8_t bytes[];
};

void sessions_begin(struct sessions *all, enum role role, const struct ports *ports) {
    memset(all, 0, sizeof *all);
    all->magic = SESSIONS_MAGIC;
    all->role = role;
    all->corridor.ports = ports;
    all->corridor.arg = all;
    /* Each session needs a second socket later: half of the descriptors are left for those. */
    struct rlimit most;
    bool known = getrlimit(RLIMIT_NOFILE, &most) == 0 && most.rlim_cur < INT_MAX;
    all->descriptors_most = known ? (int)(most.rlim_cur / 2) : INT_MAX;
}

static bool read_arrival(struct reader *body, struct arrival *a) {
    a->session = reader_u64(body);
    a->accepted_us = (int64_t)reader_u64(body);
    a->refusal = reader_u8(body);
    bool good =
        address_read(body, &a->client) && address_read(body, &a->local) && address_read(body, &a->via);
    reader_text16_into(body, a->server_name, sizeof a->server_name);
    reader_u8(body); /* direct TLS or not: the same from here on */
    return good && reader_done(body) && a->refusal < REFUSAL_COUNT && a->session != 0;
}

/* Without a descriptor to take the next one our channels would break. One line a second about it. */
static void turn_away(struct sessions *all, int fd) {
    close(fd);
    all->turned_away++;
    stats_add((all->role == R_LOBBY ? STATS_TURNED_AWAY : STATS_REFUSED) + REFUSAL_OVERLOAD, 1);
    int64_t now_us = clock_now().mono_us;
    if (now_us - all->turned_away_us < SECOND_US)
        return;
    log_warning("%u unfinished logins: connections are turned away", all->corridor.logins);
    struct record r;
    record_begin(&r, EVENT_SESSION_REFUSED, 0);
    record_text(&r, FIELD_REASON, view_text(refusal_name(REFUSAL_OVERLOAD)));
    record_number(&r, FIELD_TIMES, all->turned_away);
    sessions_note(all, &r);
    all->turned_away = 0;
    all->turned_away_us = now_us;
}

void sessions_login_over(struct channel *gate, uint64_t session) {
    uint8_t bytes[8];
    struct writer w = writer_of(bytes, sizeof bytes);
    writer_u64(&w, session);
    if (gate)
        channel_send(gate, M_LOGIN_OVER, &w, -1);
}

/* A cell gets, beside its own, those whom it shall tell about a limit; the lobby only such as have no tenant.
 */
static bool is_expected(const struct sessions *all, enum refusal refusal) {
    if (refusal == REFUSAL_OVERLOAD || refusal == REFUSAL_RATE)
        return true;
    return (refusal != REFUSAL_NONE) == (all->role == R_LOBBY);
}

void sessions_arrive(struct sessions *all, struct channel *gate, struct reader *body, int fd) {
    struct arrival a = {0};
    if (!read_arrival(body, &a) || !is_expected(all, a.refusal) || sessions_find(all, a.session)) {
        close(fd);
        channel_offend(gate, "handed a connection over wrongly");
        return;
    }
    all->handed_over++;
    lean_stir();
    if (fd > all->descriptors_most || all->corridor.logins >= LOGINS_MOST) {
        turn_away(all, fd);
        sessions_login_over(gate, a.session);
        return;
    }
    struct session *s = session_new(&all->corridor, &a, fd);
    if (!s) {
        log_error("out of memory: a connection was dropped");
        sessions_login_over(gate, a.session);
        return;
    }
    HASH_ADD(hh, all->table, id, sizeof s->id, s);
    session_run(s);
}

struct session *sessions_find(struct sessions *all, uint64_t id) {
    struct session *s;
    HASH_FIND(hh, all->table, &id, sizeof id, s);
    return s;
}

static void on_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    struct sessions *all = arg;
    MAGIC_CHECK(all, SESSIONS_MAGIC);
    uint64_t request = reader_u64(body);
    bool durable = reader_u8(body) == 1;
    if (m != M_DURABLE || !reader_done(body)) {
        channel_offend(c, "answered wrongly");
        return;
    }
    struct session *s = sessions_find(all, request);
    if (s)
        session_recorded(s, durable);
    else if (all->answered)
        all->answered(all, request, durable);
}

/* What a ledger that is gone was asked and did not answer counts as not written. */
static void answer_nobody(struct sessions *all) {
    struct session *s, *next;
    HASH_ITER (hh, all->table, s, next)
        session_recorded(s, false);
}

static void on_ended(void *arg, struct channel *c, const char *why) {
    struct sessions *all = arg;
    MAGIC_CHECK(all, SESSIONS_MAGIC);
    all->ledger = NULL;
    log_warning("the ledger is away: %s", why);
    answer_nobody(all);
    if (all->ledger_lost)
        all->ledger_lost(all);
}

static void send_resume(struct sessions *all, uint64_t id) {
    struct writer w = channel_scratch();
    writer_u64(&w, id);
    channel_send(all->ledger, M_RESUME, &w, -1);
}

void sessions_ledger(struct sessions *all, int fd) {
    if (all->ledger) { /* the new one was introduced before we saw the old one's end */
        channel_free(&all->ledger);
        answer_nobody(all);
        if (all->ledger_lost)
            all->ledger_lost(all);
    }
    all->ledger = channel_new(role_base(), fd, all->role, R_LEDGER, on_message, on_ended, all);
    struct session *s, *next;
    if (all->role != R_LOBBY)
        HASH_ITER (hh, all->table, s, next)
            if (s->opened)
                send_resume(all, s->id);
    while (all->first) {
        struct waiting *w = all->first;
        struct writer body = {w->bytes, w->len, w->len, false};
        if (w->close)
            send_resume(all, w->session);
        channel_send(all->ledger, M_RECORD, &body, -1);
        all->first = w->next;
        all->waiting--;
        free(w);
    }
    all->last = NULL;
}

static bool keep(struct sessions *all, const struct record *r, struct view body) {
    struct waiting *w = all->waiting < WAITING_MAX ? malloc(sizeof *w + body.len) : NULL;
    if (!w)
        return false;
    *w = (struct waiting){.session = r->session, .close = r->event == EVENT_SESSION_CLOSE, .len = body.len};
    memcpy(w->bytes, body.at, body.len);
    if (all->last)
        all->last->next = w;
    else
        all->first = w;
    all->last = w;
    all->waiting++;
    return true;
}

static bool say(struct sessions *all, uint64_t request, const struct record *r) {
    struct writer w = channel_scratch();
    writer_u64(&w, request);
    writer_text16(&w, view_text(all->corridor.tenant));
    record_write(&w, r);
    if (all->ledger)
        channel_send(all->ledger, M_RECORD, &w, -1);
    else if (!keep(all, r, writer_view(&w))) {
        log_error("the ledger is away and too many records wait for it: one was dropped");
        return false;
    }
    return true;
}

void sessions_record(struct sessions *all, struct session *s, const struct record *r, bool answered) {
    if (!say(all, answered ? s->id : 0, r) && answered)
        session_recorded(s, false);
}

void sessions_statement(struct sessions *all, const struct record *r, uint64_t ticket) {
    if (!all->ledger || !say(all, ticket, r))
        all->ledger_lost(all); /* what cannot be recorded is not forwarded */
}

void sessions_note(struct sessions *all, const struct record *r) {
    say(all, 0, r);
}

void sessions_ended(struct sessions *all, struct session *s) {
    HASH_DEL(all->table, s);
    lean_stir();
    if (!all->table && all->emptied)
        all->emptied(all);
}

void sessions_drain(struct sessions *all) {
    all->corridor.draining = true;
    struct session *s, *next;
    HASH_ITER (hh, all->table, s, next)
        session_drain(s);
    if (!all->table && all->emptied)
        all->emptied(all);
}

void sessions_cut_all(struct sessions *all) {
    struct failure f;
    failure_set(&f, "57P01", "connect again", "terminating connection because the proxy is shutting down");
    struct session *s, *next;
    HASH_ITER (hh, all->table, s, next)
        session_cut(s, CLOSE_DRAINED, &f);
}

void sessions_idle_check(struct sessions *all) {
    int64_t now = clock_now().mono_us;
    struct session *s, *next;
    HASH_ITER (hh, all->table, s, next)
        session_idle_check(s, now);
}

bool sessions_said(const struct sessions *all) {
    return !all->first && (!all->ledger || channel_backlog(all->ledger) == 0);
}
