/* SPDX-License-Identifier: ISC
 *
 * See console_record.h.
 */
#include "console_record.h"
#include "magic.h"
#include "record.h"
#include "role.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define BACKLOG_MOST (1u << 20)

struct reader_wait {
    uint64_t request;
    struct reading *reading;
    LIST_ENTRY(reader_wait) next;
    UT_hash_handle hh;
};

static struct {
    struct channel *ledger;
    struct reader_wait *waits;
    uint64_t requests;
} records;

void reading_begin(struct reading *r, void (*settled)(void *arg), void *arg) {
    memset(r, 0, sizeof *r);
    r->magic = READER_MAGIC;
    r->settled = settled;
    r->arg = arg;
    LIST_INIT(&r->waits);
}

static void forget(struct reader_wait *w) {
    HASH_DEL(records.waits, w);
    LIST_REMOVE(w, next);
    free(w);
}

void reading_end(struct reading *r) {
    MAGIC_CHECK(r, READER_MAGIC);
    while (!LIST_EMPTY(&r->waits))
        forget(LIST_FIRST(&r->waits));
    r->magic = 0;
}

static void settle(struct reader_wait *w, bool durable) {
    struct reading *r = w->reading;
    MAGIC_CHECK(r, READER_MAGIC);
    forget(w);
    r->failed |= !durable;
    if (--r->pending == 0)
        r->settled(r->arg);
}

static void send_record(uint64_t request, uint64_t session, const struct console_person *p,
                        const char *tenant, const char *what) {
    struct record r;
    char who[96], detail[160];
    console_person_text(p, who);
    snprintf(detail, sizeof detail, "at the console, by: %s", who);
    record_begin(&r, EVENT_LOG_READ, session);
    record_text(&r, FIELD_ACTOR, view_text(p->name));
    record_text(&r, FIELD_ACTION, view_text(what));
    record_text(&r, FIELD_DETAIL, view_text(detail));
    struct writer w = channel_scratch();
    writer_u64(&w, request);
    writer_text16(&w, view_text(tenant));
    record_write(&w, &r);
    channel_send(records.ledger, M_RECORD, &w, -1);
}

void reading_record(struct reading *r, uint64_t session, const struct console_person *p, const char *tenant,
                    const char *what) {
    MAGIC_CHECK(r, READER_MAGIC);
    struct reader_wait *w = calloc(1, sizeof *w);
    if (!w || !records.ledger || channel_backlog(records.ledger) > BACKLOG_MOST) {
        free(w);
        r->failed = true;
        return;
    }
    w->request = ++records.requests;
    w->reading = r;
    LIST_INSERT_HEAD(&r->waits, w, next);
    HASH_ADD(hh, records.waits, request, sizeof w->request, w);
    r->pending++;
    send_record(w->request, session, p, tenant, what);
}

static void on_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    uint64_t request = reader_u64(body);
    bool durable = reader_u8(body) == 1;
    struct reader_wait *w;
    if (m != M_DURABLE || !reader_done(body)) {
        channel_offend(c, "sent what a ledger does not say to a console");
        return;
    }
    HASH_FIND(hh, records.waits, &request, sizeof request, w);
    if (w) /* else the reader left meanwhile */
        settle(w, durable);
}

/* Whether what was under way is on disk nobody can say: it is not shown. */
static void fail_all(void) {
    while (records.waits)
        settle(records.waits, false);
}

static void on_ended(void *arg, struct channel *c, const char *why) {
    records.ledger = NULL;
    fail_all();
}

void reading_ledger(int fd) {
    channel_free(&records.ledger);
    fail_all();
    records.ledger = channel_new(role_base(), fd, R_CONSOLE, R_LEDGER, on_message, on_ended, NULL);
}
