/* SPDX-License-Identifier: ISC
 *
 * See notifier_syslog.h. At least once: after a connection broke, the batch that was under way is sent again,
 * with the same numbers. Of each chain the errand TARGET_SYSLOG says how far it is; `busy` while lines of it
 * are in the batch.
 */
#include "notifier_syslog.h"
#include "clock.h"
#include "files.h"
#include "log.h"
#include "magic.h"
#include "notice.h"
#include "notifier_tail.h"
#include "role.h"
#include "syslog_frame.h"
#include "syslog_link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_MAX (512u << 10)
#define BLOCK_MAX (2 * RECORD_LINE_MAX)
#define BACKOFF_FIRST_MS 500
#define BACKOFF_MOST_MS 60000

static struct {
    const struct settings *settings;
    struct chains *chains;
    void (*moved)(void *arg);
    void *arg;
    bool usable;
    char target[256], ca[256]; /* of the link */
    char host[256];
    struct syslog_link *link;
    bool up, busy, told_down;
    uint32_t backoff_ms;
    int64_t not_before_us;
    struct channel *ledger;
    uint64_t missing; /* before what is in the batch */
    char missing_why[160];
    uint64_t lost; /* since the provider's log was told */
    char lost_why[160];
    size_t len;
    uint8_t *batch, *block;
} copy;

/* --- what got lost --- */

static void lose(uint64_t count, const char *why) {
    if (count == 0)
        return;
    log_error("the copy to syslog lacks %" PRIu64 " records: %s", count, why);
    copy.lost += count;
    snprintf(copy.lost_why, sizeof copy.lost_why, "%s", why);
}

static void tell_lost(void) {
    struct record r;
    if (copy.lost == 0 || !copy.ledger || channel_backlog(copy.ledger) > 0)
        return;
    record_begin(&r, EVENT_SYSLOG_LOST, 0);
    record_number(&r, FIELD_TIMES, copy.lost);
    record_text(&r, FIELD_CAUSE, view_text(copy.lost_why));
    struct writer w = channel_scratch();
    writer_u64(&w, 0);
    writer_text16(&w, view_text(""));
    record_write(&w, &r);
    channel_send(copy.ledger, M_RECORD, &w, -1);
    copy.lost = 0;
}

static void on_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    channel_offend(c, "answers what was not asked");
}

static void on_ended(void *arg, struct channel *c, const char *why) {
    copy.ledger = NULL;
}

void syslog_ledger(int fd) {
    channel_free(&copy.ledger);
    copy.ledger = channel_new(role_base(), fd, R_NOTIFIER, R_LEDGER, on_message, on_ended, NULL);
}

/* --- a batch --- */

static struct errand *errand_of(struct tale *t) {
    return &t->errand[TARGET_SYSLOG];
}

/* The lines that fit; e->after stands behind the last of them. */
static void frame_lines(struct writer *w, struct errand *e, struct view lines) {
    const char *tenant = e->tale->tenant;
    uint64_t offset = e->after.offset - lines.len;
    while (lines.len > 0) {
        size_t len = (size_t)((const uint8_t *)memchr(lines.at, '\n', lines.len) - lines.at);
        struct view line = view_of(lines.at, len);
        if (writer_left(w) < len + SYSLOG_HEAD_MAX)
            break;
        uint64_t n = notice_number(line);
        if (e->skipped && n > e->after.n + 1 && e->after.n != 0) {
            copy.missing += n - e->after.n - 1;
            snprintf(copy.missing_why, sizeof copy.missing_why,
                     "%" PRIu64 " to %" PRIu64 " of %s were gone before they were sent", e->after.n + 1,
                     n - 1, files_folder(tenant));
        }
        if (n == 0 || n > e->after.n) /* else it was sent before the file was cut back */
            syslog_frame(w, copy.host, tenant, line);
        e->after.n = n > e->after.n ? n : e->after.n;
        lines = view_from(lines, len + 1);
        offset += len + 1;
    }
    e->after.offset = offset;
}

static void frame_chain(struct writer *w, struct errand *e) {
    struct tail_room room = {copy.block, BLOCK_MAX};
    struct tail_lines found = {.skipped = e->skipped};
    enum tail_state state;
    do
        state = tail_block(copy.chains->ledger, e->tale->tenant, &e->cursor, &room, &found);
    while (state == TAIL_MORE);
    e->skipped = found.skipped;
    if (state == TAIL_FAILED)
        log_warning("the log of %s is not copied to syslog: %s", files_folder(e->tale->tenant),
                    strerror(errno));
    if (state != TAIL_FOUND)
        return;
    e->after = found.after;
    frame_lines(w, e, found.lines);
    e->busy = e->after.offset != e->cursor.offset;
}

/* Whoever is in this batch is last in the next. */
static void fill_batch(struct writer *w) {
    struct tales taken = TAILQ_HEAD_INITIALIZER(taken);
    struct tale *t, *next;
    for (t = TAILQ_FIRST(&copy.chains->order); t; t = next) {
        next = TAILQ_NEXT(t, next);
        struct errand *e = errand_of(t);
        if (writer_left(w) < RECORD_LINE_MAX + SYSLOG_HEAD_MAX)
            break;
        if (!tail_grown(copy.chains->ledger, t->tenant, &e->cursor))
            continue;
        frame_chain(w, e);
        if (!e->busy)
            continue;
        TAILQ_REMOVE(&copy.chains->order, t, next);
        TAILQ_INSERT_TAIL(&taken, t, next);
    }
    TAILQ_CONCAT(&copy.chains->order, &taken, next);
}

static void settle(bool sent) {
    struct tale *t;
    copy.busy = false;
    TAILQ_FOREACH(t, &copy.chains->order, next) {
        struct errand *e = errand_of(t);
        if (e->busy && sent) {
            e->skipped = false;
            if (!e->moved)
                e->cursor = e->after;
        }
        e->busy = e->moved = false;
    }
    if (sent) {
        lose(copy.missing, copy.missing_why);
        copy.moved(copy.arg);
    }
    copy.missing = 0;
}

static void send_more(void) {
    if (!copy.up || copy.busy)
        return;
    struct writer w = writer_of(copy.batch, BATCH_MAX);
    fill_batch(&w);
    assert(!w.bad);
    copy.busy = true;
    if (w.len > 0)
        syslog_link_give(copy.link, writer_view(&w));
    else
        settle(true); /* nothing, or only what had been sent before */
}

/* --- the link --- */

static void hang_up(void) {
    syslog_link_close(&copy.link);
    copy.up = false;
    if (copy.busy)
        settle(false);
}

static void put_off(const char *why) {
    if (!copy.told_down)
        log_warning("syslog_target %s; the copy waits", why);
    copy.told_down = true;
    uint32_t twice = copy.backoff_ms * 2;
    copy.backoff_ms = copy.backoff_ms == 0      ? BACKOFF_FIRST_MS
                      : twice < BACKOFF_MOST_MS ? twice
                                                : BACKOFF_MOST_MS;
    copy.not_before_us = clock_now().mono_us + (int64_t)copy.backoff_ms * 1000;
}

static void on_up(void *arg) {
    copy.up = true;
    send_more();
}

static void on_taken(void *arg, uint64_t lost) {
    if (copy.told_down)
        log_info("the copy to syslog goes on");
    copy.told_down = false;
    copy.backoff_ms = 0;
    lose(lost, "they are longer than the receiver's socket takes");
    settle(true);
    send_more();
}

static void on_down(void *arg, const char *why) {
    hang_up();
    put_off(why);
}

static void connect_now(void) {
    static const struct link_hooks hooks = {.up = on_up, .taken = on_taken, .down = on_down};
    char why[LINK_WHY];
    if (clock_now().mono_us < copy.not_before_us)
        return;
    copy.link = syslog_link_open(copy.target, copy.ca, &hooks, NULL, why);
    if (!copy.link)
        put_off(why);
}

void syslog_look(void) {
    if (!copy.usable)
        return;
    tell_lost();
    if (!copy.link)
        connect_now();
    else
        send_more();
}

/* --- the frame --- */

static void make_room(void) {
    if (copy.batch)
        return;
    copy.batch = malloc(BATCH_MAX);
    copy.block = malloc(BLOCK_MAX);
    if (!copy.batch || !copy.block)
        abort();
}

bool syslog_settings(const struct settings *s, struct chains *chains, void (*moved)(void *arg), void *arg) {
    const char *why;
    bool same = strcmp(copy.target, s->syslog_target) == 0 && strcmp(copy.ca, s->syslog_ca) == 0;
    copy.chains = chains;
    copy.moved = moved;
    copy.arg = arg;
    if (!same)
        hang_up();
    snprintf(copy.target, sizeof copy.target, "%s", s->syslog_target);
    snprintf(copy.ca, sizeof copy.ca, "%s", s->syslog_ca);
    copy.not_before_us = 0;
    copy.usable = copy.target[0] && syslog_target_good(copy.target, &why);
    if (copy.target[0] && !copy.usable)
        log_error("syslog_target %s: nothing is copied", why);
    if (copy.usable)
        make_room();
    if (gethostname(copy.host, sizeof copy.host) < 0 || copy.host[strcspn(copy.host, " \t\n")] != 0)
        copy.host[0] = 0;
    copy.host[sizeof copy.host - 1] = 0;
    return copy.usable;
}

void syslog_end(void) {
    if (copy.chains)
        hang_up();
    channel_free(&copy.ledger);
    free(copy.batch);
    free(copy.block);
    copy.batch = copy.block = NULL;
}
