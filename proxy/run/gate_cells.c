/* SPDX-License-Identifier: ISC
 *
 * Tenants as the gate sees them: the cells of each, who gets the next connection, who waits for a cell to
 * come up, and when a cell may leave. A cell asks to leave with the number of connections it has received;
 * only when that is all it was given can nothing be under way to it, and it is told so.
 */
#include "clock.h"
#include "gate.h"
#include "magic.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ASK_AGAIN_MS 1000
#define BACKLOG_MOST (CHANNEL_QUEUE_MAX / 2)

static struct ward *ward_find(struct gate *g, const char *tenant) {
    struct ward *w;
    HASH_FIND_STR(g->wards, tenant, w);
    return w;
}

static struct ward *ward_of(struct gate *g, const char *tenant) {
    struct ward *w = ward_find(g, tenant);
    if (w)
        return w;
    w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->magic = WARD_MAGIC;
    snprintf(w->tenant, sizeof w->tenant, "%s", tenant);
    TAILQ_INIT(&w->cells);
    TAILQ_INIT(&w->waiting);
    HASH_ADD_STR(g->wards, tenant, w);
    return w;
}

static void ward_leave_empty(struct gate *g, struct ward *w) {
    MAGIC_CHECK(w, WARD_MAGIC);
    if (!TAILQ_EMPTY(&w->cells) || !TAILQ_EMPTY(&w->waiting))
        return;
    HASH_DEL(g->wards, w);
    w->magic = 0;
    free(w);
}

/* Asks the supervisor for one more cell, but not again and again while the answer is awaited. */
static void ward_ask(struct gate *g, struct ward *w) {
    if (w->tenant[0] == '@')
        return; /* operators' cells are asked for one by one */
    int64_t now_us = clock_now().mono_us;
    if (g->draining || (w->asked_us != 0 && now_us - w->asked_us < ASK_AGAIN_MS * 1000 * 9 / 10))
        return;
    w->asked_us = now_us;
    struct writer body = channel_scratch();
    writer_text16(&body, view_text(w->tenant));
    writer_u32(&body, gate_cells_wanted(g, w->tenant));
    channel_send(role_supervisor(), M_CELL_WANTED, &body, -1);
}

static void on_ask_again(evutil_socket_t fd, short what, void *arg) {
    struct gate *g = arg;
    MAGIC_CHECK(g, GATE_MAGIC);
    bool somebody_waits = false;
    for (struct ward *w = g->wards, *next; w; w = next) {
        next = w->hh.next;
        visitors_place(&w->waiting);
        if (!TAILQ_EMPTY(&w->waiting)) {
            somebody_waits = true;
            ward_ask(g, w);
        } else {
            ward_leave_empty(g, w);
        }
    }
    struct timeval after = {ASK_AGAIN_MS / 1000, 0};
    if (somebody_waits)
        evtimer_add(g->ask_again, &after);
}

void wards_begin(struct gate *g) {
    g->ask_again = evtimer_new(role_base(), on_ask_again, g);
    if (!g->ask_again)
        abort();
}

/* The open cells in turn; NULL when there is none. One that does not take what it was given gets no more:
 * whom it keeps waiting waits here, where visitors are counted. */
static struct gate_cell *ward_next_cell(struct ward *w) {
    struct gate_cell *cell;
    TAILQ_FOREACH(cell, &w->cells, in_ward) {
        if (cell->retired || channel_backlog(cell->channel) > BACKLOG_MOST)
            continue;
        TAILQ_REMOVE(&w->cells, cell, in_ward);
        TAILQ_INSERT_TAIL(&w->cells, cell, in_ward);
        return cell;
    }
    return NULL;
}

void ward_place(struct gate *g, const char *tenant, struct visitor *v) {
    struct ward *w = ward_of(g, tenant);
    struct gate_cell *cell = ward_next_cell(w);
    if (w->open < gate_cells_wanted(g, tenant))
        ward_ask(g, w);
    if (cell) {
        cell->handed++;
        visitor_handover(&v, cell->channel, REFUSAL_NONE);
        return;
    }
    visitor_wait(v, &w->waiting);
    struct timeval after = {ASK_AGAIN_MS / 1000, 0};
    if (!evtimer_pending(g->ask_again, NULL))
        evtimer_add(g->ask_again, &after);
}

bool ward_tell(struct gate *g, const char *tenant, struct visitor *v, enum refusal refusal) {
    struct ward *w = ward_find(g, tenant);
    struct gate_cell *cell = w ? ward_next_cell(w) : NULL;
    if (!cell)
        return false;
    cell->handed++;
    visitor_handover(&v, cell->channel, refusal);
    return true;
}

void wards_place_again(struct gate *g) {
    for (struct ward *w = g->wards; w; w = w->hh.next)
        if (w->tenant[0] != '@') /* for those a cell each is already on its way */
            visitors_place(&w->waiting);
}

static void cell_end(struct gate_cell *cell, const struct channel *c) {
    MAGIC_CHECK(cell, GATE_CELL_MAGIC);
    crowd_cell_gone(cell->gate, c);
    struct gate *g = cell->gate;
    struct ward *w = cell->ward;
    gate_keys_forget(cell);
    TAILQ_REMOVE(&w->cells, cell, in_ward);
    if (!cell->retired)
        w->open--;
    channel_free(&cell->channel);
    cell->magic = 0;
    free(cell);
    if (TAILQ_EMPTY(&w->waiting))
        ward_leave_empty(g, w);
    else
        ward_ask(g, w);
}

static void on_cell_ended(void *arg, struct channel *c, const char *why) {
    struct gate_cell *cell = arg;
    role_condemn(cell->id, why);
    cell->channel = NULL; /* freed by the channel itself */
    cell_end(cell, c);
}

static void cell_idle(struct gate_cell *cell, uint64_t received) {
    if (cell->retired || received != cell->handed)
        return;
    cell->retired = true;
    cell->ward->open--;
    channel_send(cell->channel, M_RETIRE, NULL, -1);
}

static void on_cell_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    struct gate_cell *cell = arg;
    MAGIC_CHECK(cell, GATE_CELL_MAGIC);
    if (m == M_IDLE) {
        uint64_t received = reader_u64(body);
        if (reader_done(body))
            cell_idle(cell, received);
        else
            channel_offend(c, "sent IDLE wrongly");
        return;
    }
    if (m == M_LOGIN_OVER) {
        crowd_login_over(cell->gate, c, reader_u64(body));
        return;
    }
    uint32_t pid = reader_u32(body), key = reader_u32(body);
    struct address client = {0};
    bool good = m != M_CANCEL_ASK || address_read(body, &client);
    if (!good || !reader_done(body)) {
        channel_offend(c, "spoke of a cancel key wrongly");
        return;
    }
    if (m == M_KEY_REMOVE)
        gate_key_remove(cell, pid, key);
    else if (m == M_CANCEL_ASK)
        gate_cancel(cell->gate, cell->ward->tenant, cell->ward->tenant, pid, key, &client);
    else
        gate_key_add(cell, pid, key);
}

static struct gate_cell *cell_begin(struct gate *g, struct ward *w, const struct role_peer *peer, int fd) {
    struct gate_cell *cell = calloc(1, sizeof *cell);
    if (!cell)
        abort();
    *cell =
        (struct gate_cell){.magic = GATE_CELL_MAGIC, .gate = g, .ward = w, .id = peer->id, .pid = peer->pid};
    LIST_INIT(&cell->keys);
    cell->channel = channel_new(role_base(), fd, R_GATE, peer->role, on_cell_message, on_cell_ended, cell);
    TAILQ_INSERT_HEAD(&w->cells, cell, in_ward);
    return cell;
}

static struct ward *ward_of_operators(struct gate *g, const char *tenant) {
    char name[TENANT_ID_MAX + 2];
    snprintf(name, sizeof name, "@%.40s", tenant);
    return ward_of(g, name);
}

void ward_place_operator(struct gate *g, const char *tenant, struct visitor *v) {
    visitor_wait(v, &ward_of_operators(g, tenant)->waiting);
    struct writer body = channel_scratch();
    writer_text16(&body, view_text(tenant));
    channel_send(role_supervisor(), M_OPERATOR_WANTED, &body, -1);
}

void gate_operator_arrives(struct gate *g, const struct role_peer *peer, int fd) {
    MAGIC_CHECK(g, GATE_MAGIC);
    struct ward *w = ward_of_operators(g, peer->tenant);
    struct gate_cell *cell = cell_begin(g, w, peer, fd);
    struct visitor *first = TAILQ_FIRST(&w->waiting);
    cell->retired = true; /* one session, and nothing after it */
    if (first)
        visitor_handover(&first, cell->channel, REFUSAL_NONE);
    else
        channel_send(cell->channel, M_RETIRE, NULL, -1);
}

void gate_cell_arrives(struct gate *g, const struct role_peer *peer, int fd) {
    MAGIC_CHECK(g, GATE_MAGIC);
    struct ward *w = ward_of(g, peer->tenant);
    cell_begin(g, w, peer, fd);
    w->open++;
    w->asked_us = 0;
    visitors_place(&w->waiting);
}
