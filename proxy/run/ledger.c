/* SPDX-License-Identifier: ISC
 *
 * The ledger process: takes records from the other processes over their channels and makes them durable, one
 * flush for everything that arrived in a turn of the loop; whatever arrives while a flush runs goes into the
 * next. Owns the log's folder and is the only process that writes there; reaches no network. Its peers are
 * our own processes, cells among them that may have been taken over: whose session it is and which tenant's
 * is known from the channel, never from the message; a peer that breaks a rule is ended. The rules about
 * sessions are audit/book.h's. Holds the key that signs the log (ledger.key), read before anything else.
 */
#include "book.h"
#include "bucket.h"
#include "clock.h"
#include "files.h"
#include "ledger_clock.h"
#include "log.h"
#include "magic.h"
#include "role.h"
#include "stats.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define LEDGER_MAGIC 0xA6190FD3u
#define LEDGER_PEER_MAGIC 0x5B8E62C7u
#define RETRY_MS 1000 /* between two tries of chains that failed */
#define SAMPLES_MS 1000
#define PAUSE_MS 100      /* for a tenant's process that sends too much */
#define FLOOD_US 10000000 /* a flood is told once in so long, with its count */
#define TENANT_SLOTS 4096
#define TICK_MS 1000
#define GRACE_MS 2000 /* for cells to say what is still open, after a restart of the ledger alone */

struct peer {
    uint32_t magic;
    struct ledger *ledger;
    struct role_peer who;
    struct channel *channel;
    struct book_owner owner;
    struct event *pause; /* it sent too much: until then it is not listened to */
    uint64_t flood;      /* records since flood_us, when its flood began; 0: none */
    int64_t flood_us;
    LIST_ENTRY(peer) next;
};

struct ledger {
    uint32_t magic;
    struct book *book;
    struct event *flush, *retry, *grace, *samples, *tick;
    struct buckets *rates; /* records a second, of a tenant's cells and of its operators' */
    const struct settings *settings;
    struct journal_rules rules;
    struct checkpoint_key *key;
    struct ledger_clock clock;
    LIST_HEAD(, peer) peers;
    struct peer supervisor;
    char told[256]; /* why it is not well, as last told to the supervisor; "" for well */
    bool told_once; /* the supervisor may still believe what the ledger before us said */
    bool failed;    /* the log cannot be opened: leave */
    uint64_t due;   /* records since the last flush */
};

/* Whether records can be written: at first, and when it has changed. */
static void tell_state(struct ledger *l) {
    char why[256];
    bool healthy = book_healthy(l->book, why);
    if (healthy && l->clock.refuses) {
        healthy = false;
        snprintf(why, sizeof why, "the clock is not synchronised");
    }
    bool first = !l->told_once;
    stats_set(STATS_LEDGER_HEALTHY, healthy);
    if (!role_supervisor() || (!first && strcmp(why, l->told) == 0))
        return;
    l->told_once = true;
    snprintf(l->told, sizeof l->told, "%s", why);
    if (healthy && !first)
        log_info("every log is written again");
    else if (!healthy)
        log_error("sessions are refused, the log cannot be written: %s", why);
    struct writer w = channel_scratch();
    writer_u8(&w, healthy);
    writer_text16(&w, view_text(why));
    channel_send(role_supervisor(), M_LEDGER_STATE, &w, -1);
}

static void on_retry(evutil_socket_t fd, short what, void *arg) {
    struct ledger *l = arg;
    MAGIC_CHECK(l, LEDGER_MAGIC);
    bool well = book_recover(l->book, clock_now());
    tell_state(l);
    if (!well || !l->retry)
        return;
    event_free(l->retry);
    l->retry = NULL;
}

static void flush_now(struct ledger *l) {
    int64_t began_us = clock_now().mono_us;
    book_flush(l->book);
    if (l->due > 0)
        stats_time(STATS_FLUSH_TIME, clock_now().mono_us - began_us);
    l->due = 0;
    stats_set(STATS_LEDGER_BACKLOG, 0);
    char why[256];
    tell_state(l);
    if (!book_healthy(l->book, why) && !l->retry)
        l->retry = role_timer(RETRY_MS, true, on_retry, l);
}

/* Nothing waits for a flush between two turns of the loop but what flush_soon will take. */
static void on_tick(evutil_socket_t fd, short what, void *arg) {
    struct ledger *l = arg;
    MAGIC_CHECK(l, LEDGER_MAGIC);
    struct moment now = clock_now();
    ledger_clock_look(&l->clock, l->book, now);
    book_flush(l->book);
    book_tick(l->book, now);
    flush_now(l);
}

static void on_flush(evutil_socket_t fd, short what, void *arg) {
    struct ledger *l = arg;
    MAGIC_CHECK(l, LEDGER_MAGIC);
    flush_now(l);
}

/* After everything that is readable in this turn of the loop. */
static void flush_soon(struct ledger *l) {
    event_active(l->flush, EV_TIMEOUT, 0);
}

static void on_answer(void *arg, struct book_owner *owner, uint64_t request, bool durable) {
    struct peer *p = owner->arg;
    MAGIC_CHECK(p, LEDGER_PEER_MAGIC);
    if (!p->channel)
        return;
    uint8_t bytes[16];
    struct writer w = writer_of(bytes, sizeof bytes);
    writer_u64(&w, request);
    writer_u8(&w, durable);
    channel_send(p->channel, M_DURABLE, &w, -1);
}

/* The bit of record.h for a role; the two enumerations agree. */
static enum audit_source source_of(enum role role) {
    _Static_assert((int)R_SUPERVISOR == (int)AUDIT_SUPERVISOR && (int)R_GATE == (int)AUDIT_GATE &&
                       (int)R_CELL == (int)AUDIT_CELL && (int)R_LOBBY == (int)AUDIT_LOBBY &&
                       (int)R_KEEPER == (int)AUDIT_KEEPER && (int)R_BROKER == (int)AUDIT_BROKER &&
                       (int)R_CONSOLE == (int)AUDIT_CONSOLE && (int)R_OPERATOR == (int)AUDIT_OPERATOR &&
                       (int)R_NOTIFIER == (int)AUDIT_NOTIFIER,
                   "roles and sources of records must agree");
    return (enum audit_source)role;
}

/* --- floods --- */

static void flood_tell(struct peer *p, const char *tenant) {
    struct moment now = clock_now();
    struct record r;
    if (p->flood == 0)
        return;
    record_begin(&r, EVENT_LEDGER_FLOOD, 0);
    record_text(&r, FIELD_PROCESS, view_text(role_name(p->who.role)));
    record_number(&r, FIELD_PID, p->who.pid);
    record_number(&r, FIELD_TIMES, p->flood);
    record_number(&r, FIELD_PERIOD_MS, (uint64_t)(now.mono_us - p->flood_us) / 1000);
    log_warning("%s %s (%u) sent %llu records, more than tenant_log_rate: it waits", role_name(p->who.role),
                tenant, p->who.pid, (unsigned long long)p->flood);
    book_record(p->ledger->book, &p->ledger->supervisor.owner, 0, tenant, &r, now);
    flush_soon(p->ledger);
    p->flood = 0;
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg) {
    struct peer *p = arg;
    MAGIC_CHECK(p, LEDGER_PEER_MAGIC);
    event_free(p->pause);
    p->pause = NULL;
    if (p->channel)
        channel_pause(p->channel, false);
}

/* Only a tenant's own processes can be taken over by what a client sends; each tenant has a rate of its own,
 * its operators' another. Nothing is lost: the process waits, with its clients. */
static void flood_slow(struct peer *p, const char *tenant) {
    struct ledger *l = p->ledger;
    int64_t now_us = clock_now().mono_us;
    char key[48];
    if (p->who.role != R_CELL && p->who.role != R_OPERATOR)
        return;
    snprintf(key, sizeof key, "%s%s", p->who.role == R_OPERATOR ? "@" : "", tenant);
    p->flood += p->flood > 0;
    if (p->flood > 0 && now_us - p->flood_us > FLOOD_US)
        flood_tell(p, tenant);
    uint32_t rate = l->settings->tenant_log_rate;
    if (p->pause || buckets_take(l->rates, view_text(key), rate, 2 * rate, now_us))
        return;
    if (p->flood == 0) {
        p->flood = 1;
        p->flood_us = now_us;
    }
    channel_pause(p->channel, true);
    p->pause = role_timer(PAUSE_MS, false, on_pause_over, p);
}

/* --- records --- */

static void take_record(struct peer *p, struct channel *c, struct reader *body) {
    char tenant[41];
    struct record r;
    uint64_t request = reader_u64(body);
    reader_text16_into(body, tenant, sizeof tenant);
    if (!record_read(body, &r) || !reader_done(body)) {
        channel_offend(c, "sent a record that does not parse");
        return;
    }
    if (!event_allowed(r.event, source_of(p->who.role))) {
        channel_offend(c, "sent a record it may not say");
        return;
    }
    if (p->who.role == R_CELL || p->who.role == R_OPERATOR || p->who.role == R_LOBBY)
        snprintf(tenant, sizeof tenant, "%s", p->who.tenant);
    if (tenant[0] && !files_tenant_valid(tenant)) {
        channel_offend(c, "named a tenant wrongly");
        return;
    }
    flood_slow(p, tenant);
    bool operators = p->who.role == R_OPERATOR;
    if (r.event == EVENT_SESSION_REFUSED && request == 0 &&
        !book_samples(p->ledger->book, tenant, operators, &r, clock_now()))
        return;
    stats_add(STATS_LEDGER_RECORDS, 1);
    stats_set(STATS_LEDGER_BACKLOG, ++p->ledger->due);
    const char *broken = book_record(p->ledger->book, &p->owner, request, tenant, &r, clock_now());
    if (broken)
        channel_offend(c, broken);
    flush_soon(p->ledger);
}

static void take_resume(struct peer *p, struct channel *c, struct reader *body) {
    uint64_t session = reader_u64(body);
    const char *broken = reader_done(body) ? book_resume(p->ledger->book, &p->owner, p->who.tenant, session)
                                           : "resumed wrongly";
    if (broken)
        channel_offend(c, broken);
}

static void take_erase(struct peer *p, struct channel *c, struct reader *body) {
    char tenant[41], who[128];
    reader_text16_into(body, tenant, sizeof tenant);
    reader_text16_into(body, who, sizeof who);
    if (!reader_done(body) || !files_tenant_valid(tenant)) {
        channel_offend(c, "asked wrongly for an erasure");
        return;
    }
    bool gone = book_erase(p->ledger->book, tenant, who, clock_now());
    flush_soon(p->ledger);
    if (!gone)
        return; /* the broker asks again */
    struct writer w = channel_scratch();
    writer_text16(&w, view_text(tenant));
    channel_send(c, M_ERASED, &w, -1);
}

static void on_peer_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    struct peer *p = arg;
    MAGIC_CHECK(p, LEDGER_PEER_MAGIC);
    if (p->ledger->failed)
        return; /* on our way out */
    if (m == M_RECORD)
        take_record(p, c, body);
    else if (m == M_RESUME)
        take_resume(p, c, body);
    else if (m == M_ERASE)
        take_erase(p, c, body);
    else
        channel_offend(c, "sent a message the ledger does not take");
}

/* What a process still had open when its channel ended, it can no longer close itself. */
static void on_peer_ended(void *arg, struct channel *c, const char *why) {
    struct peer *p = arg;
    MAGIC_CHECK(p, LEDGER_PEER_MAGIC);
    struct ledger *l = p->ledger;
    p->channel = NULL;
    if (p->pause)
        event_free(p->pause);
    p->pause = NULL;
    if (l->book)
        flood_tell(p, p->who.tenant);
    role_condemn(p->who.id, why);
    if (p->owner.open > 0)
        log_warning("the %s %s (%u) left %zu sessions open: %s", role_name(p->who.role), p->who.tenant,
                    p->who.pid, p->owner.open, why);
    if (l->book) {
        book_owner_gone(l->book, &p->owner, "cell crash", clock_now());
        flush_soon(l);
    }
    LIST_REMOVE(p, next);
    p->magic = 0;
    free(p);
}

static void peer_begin(struct peer *p, struct ledger *l) {
    p->magic = LEDGER_PEER_MAGIC;
    p->ledger = l;
    book_owner_begin(&p->owner, p);
}

static void on_peer(void *arg, const struct role_peer *who, int fd) {
    struct ledger *l = arg;
    MAGIC_CHECK(l, LEDGER_MAGIC);
    struct peer *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    peer_begin(p, l);
    p->who = *who;
    LIST_INSERT_HEAD(&l->peers, p, next);
    p->channel = channel_new(role_base(), fd, R_LEDGER, who->role, on_peer_message, on_peer_ended, p);
}

static void on_samples(evutil_socket_t fd, short what, void *arg) {
    struct ledger *l = arg;
    MAGIC_CHECK(l, LEDGER_MAGIC);
    struct peer *p;
    int64_t now_us = clock_now().mono_us;
    LIST_FOREACH(p, &l->peers, next) {
        if (p->flood > 0 && now_us - p->flood_us > FLOOD_US)
            flood_tell(p, p->who.tenant);
    }
    if (book_tell_samples(l->book, false, clock_now()))
        flush_soon(l);
}

static bool read_key(struct ledger *l, const struct settings *s, char why[256]) {
    char path[300];
    snprintf(path, sizeof path, "%s/" CHECKPOINT_KEY_FILE, s->state_dir);
    l->key = checkpoint_key_read(path, why);
    l->rules.key = l->key;
    return l->key != NULL;
}

static void open_log(struct ledger *l, const struct settings *s) {
    char why[256];
    l->flush = event_new(role_base(), -1, 0, on_flush, l);
    if (!l->flush)
        abort();
    if (read_key(l, s, why))
        l->book = book_new(s->ledger_dir, &l->rules, on_answer, l, clock_now(), why);
    if (l->book) {
        l->rates = buckets_new(TENANT_SLOTS);
        if (!l->rates)
            abort();
        l->samples = role_timer(SAMPLES_MS, true, on_samples, l);
        l->tick = role_timer(TICK_MS, true, on_tick, l);
        return;
    }
    log_error("the session log cannot be opened, so no session is let in: %s", why);
    l->failed = true;
    role_leave();
}

static void take_rules(struct ledger *l, const struct settings *s) {
    if (!zone_take(view_text(s->time_zone), &l->rules.zone))
        log_error("time_zone \"%s\" cannot be read: times stay in the zone they are in", s->time_zone);
    l->rules.checkpoint_records = s->checkpoint_records;
    l->rules.checkpoint_us = (int64_t)s->checkpoint_interval * 1000;
    l->rules.rotate_bytes = s->rotate_bytes;
    l->rules.retention_days = s->retention_days;
    l->clock.refuse = strcmp(s->clock_unsynchronised, "refuse") == 0;
}

static void on_settings(void *arg, const struct settings *s) {
    struct ledger *l = arg;
    MAGIC_CHECK(l, LEDGER_MAGIC);
    take_rules(l, s);
    l->settings = s;
    if (l->book)
        book_set_rules(l->book, &l->rules);
    else if (!l->failed)
        open_log(l, s);
    if (l->book)
        book_set_sampling(l->book, s->refused_log_rate);
}

static void on_go(void *arg, bool fresh) {
    struct ledger *l = arg;
    MAGIC_CHECK(l, LEDGER_MAGIC);
    if (!l->book)
        return;
    if (fresh)
        book_close_unclaimed(l->book, "node restart", clock_now());
    ledger_clock_look(&l->clock, l->book, clock_now());
    flush_now(l);
}

static void on_grace(evutil_socket_t fd, short what, void *arg) {
    struct ledger *l = arg;
    MAGIC_CHECK(l, LEDGER_MAGIC);
    book_close_unclaimed(l->book, "outcome unknown", clock_now());
    flush_now(l);
}

static void on_supervisor(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    struct ledger *l = arg;
    MAGIC_CHECK(l, LEDGER_MAGIC);
    l->supervisor.channel = c;
    if (m == M_RECORD && l->book)
        take_record(&l->supervisor, c, body);
    else if (m == M_RESUMED && l->book && !l->grace)
        l->grace = role_timer(GRACE_MS, false, on_grace, l);
}

static void ledger_end(struct ledger *l) {
    if (l->book) {
        book_tell_samples(l->book, true, clock_now());
        book_flush(l->book);
        book_stop(l->book, clock_now());
    }
    while (!LIST_EMPTY(&l->peers)) {
        struct peer *p = LIST_FIRST(&l->peers);
        LIST_REMOVE(p, next);
        channel_free(&p->channel);
        if (p->pause)
            event_free(p->pause);
        free(p);
    }
    struct event *events[] = {l->flush, l->retry, l->grace, l->samples, l->tick};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (events[i])
            event_free(events[i]);
    book_free(&l->book);
    buckets_free(&l->rates);
    checkpoint_key_free(&l->key);
}

int ledger_main(void) {
    static const struct role_hooks hooks = {
        .settings = on_settings, .peer = on_peer, .go = on_go, .message = on_supervisor};
    struct ledger l = {.magic = LEDGER_MAGIC};
    LIST_INIT(&l.peers);
    peer_begin(&l.supervisor, &l);
    l.supervisor.who.role = R_SUPERVISOR;
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is a failed write, not our end */
    int code = role_run(R_LEDGER, &hooks, &l);
    ledger_end(&l);
    return l.failed ? 1 : code;
}
