/* SPDX-License-Identifier: ISC
 *
 * See keeper_statements.h.
 */
#include "keeper_statements.h"

#include <string.h>

#define BACKLOG_MAX (1u << 20)

static bool add_row(void *arg, const struct statement_row *row) {
    struct statement_log *log = arg;
    statement_log_push(log, row->n, row->body, row->signature);
    return true;
}

enum store_result statements_look(struct statements *s, struct store *store) {
    static const struct statement_head nothing;
    struct statement_log log;
    statement_log_begin(&log, &nothing);
    enum store_result r = store->driver->statements(store, 0, add_row, &log);
    if (r != STORE_OK)
        return r;
    if (!s->known || log.tampered || memcmp(&log.head, &s->head, sizeof log.head) != 0)
        s->due = true;
    s->known = true;
    s->head = log.head;
    return STORE_OK;
}

void statements_restart(struct statements *s) {
    s->due = s->known;
    s->sending = false;
}

struct sending {
    struct statements *s;
    struct channel *broker;
};

static bool send_row(void *arg, const struct statement_row *row) {
    struct sending *to = arg;
    struct writer w = channel_scratch();
    writer_u64(&w, row->n);
    writer_text16(&w, view_of(row->body.at, row->body.len < STATEMENT_MAX ? row->body.len : STATEMENT_MAX));
    writer_text16(&w, view_of(row->signature.at, row->signature.len < 256 ? row->signature.len : 256));
    channel_send(to->broker, M_STATEMENT, &w, -1);
    to->s->next = row->n;
    return channel_backlog(to->broker) < BACKLOG_MAX;
}

enum store_result statements_send(struct statements *s, struct store *store, struct channel *broker) {
    if (s->due && !s->sending) {
        s->due = false;
        s->sending = true;
        s->next = 0;
    }
    if (!s->sending)
        return STORE_OK;
    struct sending to = {s, broker};
    enum store_result r = store->driver->statements(store, s->next, send_row, &to);
    if (r != STORE_OK || channel_backlog(broker) >= BACKLOG_MAX)
        return r;
    struct writer w = channel_scratch();
    writer_u64(&w, s->next);
    channel_send(broker, M_STATEMENTS_END, &w, -1);
    s->sending = false;
    return STORE_OK;
}

static bool send_operator(void *arg, const struct operator* o) {
    struct channel *broker = arg;
    struct writer w = channel_scratch();
    operator_write(&w, o);
    channel_send(broker, M_SNAPSHOT_OPERATOR, &w, -1);
    return true;
}

enum store_result operators_send(struct store *store, struct channel *broker) {
    return store->driver->operators(store, send_operator, broker);
}
