/* SPDX-License-Identifier: ISC
 *
 * What operators may, as the broker knows it: statements come from the keeper, row by row, and count only
 * when they are signed with keys of the trust folder and fit the chain whose head this host remembers
 * (statement_log.h). Time never goes back here (clock_guard.h). Every change is an event in the tenant's log.
 */
#include "broker_grants.h"
#include "clock_guard.h"
#include "log.h"
#include "magic.h"
#include "outbox.h"
#include "statement_log.h"
#include "stats.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICK_MS 200
#define TRUST_LOOK_US 2000000
#define ALIVE_US 5000000
#define COUNT_TICKS 5 /* grants are counted each so many ticks */
#define RECORDS_KEPT 4096

static struct {
    struct trust *trust;
    struct grants *grants;
    struct statement_log log;    /* the pass under way, or the last one */
    struct statement_head start; /* what this host had accepted when the broker started */
    struct statement_head kept;  /* what its file has */
    struct statement_head seen;  /* the last row that is in `grants`, of an unfinished pass or not */
    bool passing, ready, whole;  /* whole: the last finished pass fits what was accepted */
    bool head_bad; /* this host does not know any more what it had accepted: an administrator must say */
    char tampering[STATEMENT_WHY]; /* why operators are kept out; "" */
    struct clock_guard clock;
    int64_t ahead_us; /* how far the system's clock was set ahead, since our start */
    struct outbox *outbox;
    struct channel *ledger;
    struct event *tick;
    int alive_fd;         /* a file whose time says until when this host was awake to grants; -1 */
    int64_t alive_us;     /* the time it has */
    int64_t was_alive_us; /* the time it had at our start; 0: never */
    uint64_t trust_mark;
    int64_t trust_looked_us;
} op;

/* --- events --- */

static void record_event(void *arg, const struct grants_event *e) {
    struct record r;
    record_begin(&r, e->tampering ? EVENT_TAMPERING : EVENT_GRANT_CHANGE, 0);
    record_text(&r, FIELD_GRANT, view_text(e->grant));
    record_text(&r, FIELD_ACTOR, view_text(e->actor));
    record_text(&r, FIELD_ACTION, view_text(e->action));
    record_text(&r, FIELD_STATE, view_text(e->state));
    record_text(&r, FIELD_OPERATOR, view_text(e->operator));
    record_text(&r, FIELD_SCOPE, view_text(e->scope));
    record_text(&r, FIELD_CLASS, view_text(e->class));
    record_text(&r, FIELD_TICKET, view_text(e->ticket));
    record_text(&r, FIELD_DETAIL, view_text(e->detail));
    outbox_record(op.outbox, 0, e->tenant, &r);
    op.alive_us = 0; /* what was told now must not be told again after a restart */
}

static void on_ledger_message(void *arg, struct channel *c, enum message_code m, struct reader *body,
                              int fd) {
    /* DURABLE for request 0 does not come: nothing here waits for the log. */
    if (m == M_ERASED && !erase_done(body))
        channel_offend(c, "spoke wrongly of an erasure");
}

static void on_ledger_ended(void *arg, struct channel *c, const char *why) {
    op.ledger = NULL;
    outbox_ledger(op.outbox, NULL);
}

void operators_ledger(int fd) {
    channel_free(&op.ledger);
    op.ledger = channel_new(role_base(), fd, R_BROKER, R_LEDGER, on_ledger_message, on_ledger_ended, NULL);
    outbox_ledger(op.outbox, op.ledger);
}

/* Nobody gets in until it is repaired; said once for each reason. */
static void close_all(const char *why) {
    if (strcmp(op.tampering, why) == 0)
        return;
    snprintf(op.tampering, sizeof op.tampering, "%s", why);
    grants_close(op.grants, why);
    if (why[0] == 0) {
        log_warning("the statement log is whole again: operators are judged by it");
        return;
    }
    log_error("tampering with the statement log: %s; no operator is let in", why);
    struct record r;
    record_begin(&r, EVENT_TAMPERING, 0);
    record_text(&r, FIELD_DETAIL, view_text(why));
    outbox_record(op.outbox, 0, "", &r);
}

/* --- time --- */

static int64_t wall_now(void) {
    int64_t jump_us;
    int64_t now = clock_guard_wall(&op.clock, clock_now(), &jump_us);
    if (jump_us > 0)
        op.ahead_us += jump_us;
    if (jump_us != 0) {
        char detail[96];
        snprintf(detail, sizeof detail, "the system clock was set %s by %lld s",
                 jump_us < 0 ? "back" : "ahead", (long long)((jump_us < 0 ? -jump_us : jump_us) / 1000000));
        log_warning("%s", detail);
        struct record r;
        record_begin(&r, EVENT_CLOCK_JUMP, 0);
        record_text(&r, FIELD_DETAIL, view_text(detail));
        outbox_record(op.outbox, 0, "", &r);
    }
    return now;
}

static int64_t seconds_now(void) {
    return wall_now() / 1000000;
}

/* Until when the last broker watched: what time changed since is still to be logged, and time is never before
 * it. */
static void read_alive(void) {
    char path[300];
    struct stat st;
    snprintf(path, sizeof path, "%s/operators.alive", broker.settings->state_dir);
    op.alive_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (op.alive_fd < 0)
        log_error("%s: %s; a clock set back over a restart will not be noticed", path, strerror(errno));
    else if (fstat(op.alive_fd, &st) == 0)
        op.was_alive_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
}

static void say_alive(int64_t now_us) {
    if (op.alive_fd < 0 || now_us - op.alive_us < ALIVE_US)
        return;
    op.alive_us = now_us;
    const struct timespec at[2] = {{.tv_nsec = UTIME_OMIT}, {now_us / 1000000, now_us % 1000000 * 1000}};
    futimens(op.alive_fd, at);
}

/* --- trust --- */

static void on_problem(void *arg, const char *file, const char *why) {
    log_error("trust file %s does not count: %s", file, why);
}

static struct trust *read_trust(void) {
    char why[256];
    struct trust *t = trust_load(broker.settings->trust_dir, on_problem, NULL, why);
    if (t)
        return t;
    log_error("%s: no signature counts", why);
    t = trust_new();
    if (!t)
        abort();
    return t;
}

static void look_at_trust(bool always) {
    int64_t now_us = clock_now().mono_us;
    if (!always && now_us - op.trust_looked_us < TRUST_LOOK_US)
        return;
    op.trust_looked_us = now_us;
    uint64_t mark = trust_mark(broker.settings->trust_dir);
    if (!always && mark == op.trust_mark)
        return;
    op.trust_mark = mark;
    struct trust *fresh = read_trust(), *old = op.trust;
    grants_trust(op.grants, fresh, seconds_now(), record_event, NULL);
    op.trust = fresh;
    trust_free(&old);
}

/* --- the head --- */

static void head_path(char path[300]) {
    snprintf(path, 300, "%s/statements.head", broker.settings->state_dir);
}

/* What was accepted is on disk before anybody gets in by it: a shorter log could pass for whole after a
 * restart. */
static void keep_head(void) {
    char path[300], why[256];
    if (op.log.accepted.n > op.kept.n) {
        head_path(path);
        if (!statement_head_write(path, &op.log.accepted, why)) {
            close_all(why);
            return;
        }
        op.kept = op.log.accepted;
    }
    close_all("");
}

/* --- the frame --- */

static bool count_active(void *arg, const struct grant_view *v) {
    *(uint64_t *)arg += v->state == GRANT_ACTIVE && !v->locked;
    return true;
}

static void count_grants(void) {
    uint64_t active = 0;
    if (op.ready && !op.tampering[0])
        grants_each(op.grants, NULL, NULL, seconds_now(), count_active, &active);
    stats_set(STATS_GRANTS_ACTIVE, active);
}

static void on_tick(evutil_socket_t fd, short what, void *arg) {
    static unsigned ticks;
    if (ticks++ % COUNT_TICKS == 0)
        count_grants();
    look_at_trust(false);
    if (op.whole && !op.passing && op.log.accepted.n > op.kept.n)
        keep_head();
    if (op.ready) {
        grants_tick(op.grants, seconds_now(), record_event, NULL);
        say_alive(wall_now());
    }
    operators_judge();
}

static void begin_grants(void) {
    struct grants_limits limits;
    grants_limits_from(broker.settings, &limits);
    grants_free(&op.grants);
    op.grants = grants_new(broker.settings->environment, &limits, op.trust);
    if (!op.grants)
        abort();
    grants_close(op.grants, op.tampering);
    op.seen = (struct statement_head){0};
}

static void begin(void) {
    char path[300], why[256] = "";
    op.outbox = outbox_new(RECORDS_KEPT);
    op.trust = read_trust();
    op.trust_mark = trust_mark(broker.settings->trust_dir);
    begin_grants();
    read_alive();
    clock_guard_begin(&op.clock, clock_now(), op.was_alive_us);
    head_path(path);
    op.head_bad = !statement_head_read(path, &op.start, why);
    if (op.head_bad)
        close_all(why);
    op.kept = op.start;
    statement_log_begin(&op.log, &op.start);
}

void operators_settings(const struct settings *s) {
    if (!op.grants) {
        begin();
    } else {
        struct grants_limits limits;
        grants_limits_from(s, &limits);
        grants_limits_set(op.grants, &limits, seconds_now(), record_event, NULL);
        look_at_trust(true);
    }
    if (s->operator_listen.count > 0 && !op.tick)
        op.tick = role_timer(TICK_MS, true, on_tick, NULL);
}

bool operators_ready(void) {
    return op.ready;
}

/* For everything else a clock that was set ahead is the careful choice; not for what cannot be undone. */
bool operators_erasure(const char *tenant, struct erasure_view *out) {
    int64_t now = (wall_now() - op.ahead_us) / 1000000;
    return op.ready && op.whole && !op.tampering[0] && grants_erasure(op.grants, tenant, now, out);
}

struct channel *operators_log(void) {
    return op.ledger;
}

void operators_look(void) {
    look_at_trust(false);
}

/* --- statements --- */

/* The log only grows: rows of a pass that nobody finished have to be there in the next one, too. But rows
 * that never reached what was accepted may have been anybody's: they are read anew. */
static void begin_pass(void) {
    if (op.seen.n < op.log.accepted.n)
        begin_grants();
    struct statement_head least = op.seen.n > op.log.accepted.n ? op.seen : op.log.accepted;
    statement_log_begin(&op.log, &least);
}

bool operators_statement(struct reader *body) {
    uint64_t n = reader_u64(body);
    struct view text = reader_text16(body, STATEMENT_MAX), signature = reader_text16(body, 256);
    char why[STATEMENT_WHY];
    if (!reader_done(body))
        return false;
    if (n == 1 || !op.passing)
        begin_pass();
    op.passing = true;
    if (!statement_log_push(&op.log, n, text, signature) || n <= op.seen.n)
        return true; /* what does not fit is said at the end of the pass */
    /* Rows from before the start were logged when they came. */
    grants_event_fn *each = n > op.start.n ? record_event : NULL;
    op.seen = op.log.head;
    if (grants_add(op.grants, text, signature, n, seconds_now(), each, NULL, why) != GRANTS_TAKEN)
        log_warning("statement %llu has no effect: %s", (unsigned long long)n, why);
    return true;
}

bool operators_statements_end(struct reader *body) {
    uint64_t last = reader_u64(body);
    if (!reader_done(body))
        return false;
    if (!op.passing || last == 0) /* an empty log has no row 1 */
        begin_pass();
    op.passing = false;
    if (!op.log.tampered && op.log.head.n != last)
        return false; /* of another pass */
    op.whole = statement_log_end(&op.log) && !op.head_bad;
    if (op.whole) {
        statement_log_accept(&op.log);
        keep_head();
    } else if (!op.head_bad) { /* else it stays closed: whatever list the store has would do */
        close_all(op.log.why);
    }
    clock_guard_floor(&op.clock, grants_newest(op.grants) * 1000000);
    if (!op.ready && op.was_alive_us > 0)
        grants_resume(op.grants, op.was_alive_us / 1000000);
    op.ready = true;
    grants_tick(op.grants, seconds_now(), record_event, NULL);
    say_alive(wall_now());
    operators_judge();
    return true;
}

/* --- what the operators' cells ask (broker_operators.c) need of this --- */

void operators_decide(const char *operator, const char * tenant, const char *database,
                      struct grant_verdict *out, int64_t *ends_us) {
    int64_t now_us = wall_now();
    grants_decide(op.grants, operator, tenant, database, now_us / 1000000, out);
    *ends_us = clock_now().mono_us + (out->not_after * 1000000 - now_us);
}

bool operators_still(const char *grant, const char *operator, const char * tenant, struct failure *f) {
    struct grant_view v;
    if (grants_find(op.grants, grant, seconds_now(), &v) && strcmp(v.request->tenant, tenant) != 0) {
        failure_set(f, "57P01", NULL, "break-glass grant %s is for another tenant", v.id);
        return false;
    }
    return grants_still(op.grants, grant, operator, seconds_now(), f);
}

int64_t operators_end_of(const char *grant) {
    struct grant_view v;
    int64_t now_us = wall_now();
    if (!grants_find(op.grants, grant, now_us / 1000000, &v))
        return 0;
    return clock_now().mono_us + (v.ends * 1000000 - now_us);
}

bool operators_know(const char *person) {
    return op.trust && trust_person(op.trust, person, "", seconds_now()) != 0;
}
