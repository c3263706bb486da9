/* SPDX-License-Identifier: ISC
 *
 * When the outcome of a password's proof may be told: at once as long as nobody guesses, else one after the
 * other, each after a delay (auth/penalty.h). A wrong one's cell is told how long to wait; a right one's
 * admission is held back here, as if it were wrong: who has opened a thousand connections hears no sooner
 * which of a thousand guesses was right than who tries them one by one. The state is the broker's, so it is
 * the same for all cells of a tenant and outlives each of them.
 */
#include "broker.h"
#include "magic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELD_MAGIC 0x5ec1001au
#define HELD_MAX 4096 /* admissions of one cell; a cell has no more unfinished logins than that */

struct held {
    uint32_t magic;
    struct holding_key key;
    uint64_t request;
    char user[64], database[64], application[65], replication[17];
    struct address client;
    struct event *turn;
    UT_hash_handle hh;
};

static struct held *all;

/* The whole of it must fit into the login's time, some of which is over by now. */
static uint32_t longest_ms(void) {
    return broker.settings->login_timeout / 2;
}

static void refuse(struct broker_cell *c, uint64_t request, struct view user, const struct address *from) {
    char network[ADDRESS_TEXT];
    struct failure f;
    address_text(from, network);
    failure_set(&f, "53300", "wait a moment, then try again with the right password",
                "too many wrong passwords for user \"%.*s\" from this network", (int)user.len,
                (const char *)user.at);
    failure_cause(&f, "from %s: more guesses wait than the login's time allows", network);
    cells_refuse(c, request, REFUSAL_GUESSING, &f);
}

bool turns_refuse_crowd(struct broker_cell *c, uint64_t request, struct view user,
                        const struct address *from) {
    if (!penalty_crowded(broker.penalty, c->tenant, user, from, longest_ms(), clock_now().mono_us))
        return false;
    refuse(c, request, user, from);
    return true;
}

void turns_wrong(struct broker_cell *c, uint64_t request, struct view user, const struct address *from) {
    int64_t now_us = clock_now().mono_us;
    uint32_t wait_ms;
    bool told = penalty_turn(broker.penalty, c->tenant, user, from, longest_ms(), now_us, &wait_ms);
    penalty_failed(broker.penalty, c->tenant, user, from, now_us);
    if (!told) {
        refuse(c, request, user, from);
        return;
    }
    struct writer w = channel_scratch();
    writer_u64(&w, request);
    writer_u32(&w, wait_ms);
    channel_send(c->channel, M_TURN, &w, -1);
}

static void held_free(struct held *h) {
    MAGIC_CHECK(h, HELD_MAGIC);
    struct broker_cell *c = cells_find((uint32_t)h->key.cell);
    if (c)
        c->held--;
    HASH_DEL(all, h);
    event_free(h->turn);
    h->magic = 0;
    free(h);
}

static void pass(struct broker_cell *c, uint64_t request, uint64_t session,
                 const struct admission_request *q) {
    penalty_passed(broker.penalty, c->tenant, q->user, &q->client, clock_now().mono_us);
    cells_admit(c, request, session, q);
}

static void on_turn(evutil_socket_t fd, short what, void *arg) {
    struct held *h = arg;
    MAGIC_CHECK(h, HELD_MAGIC);
    struct held gone = *h;
    struct broker_cell *c = cells_find((uint32_t)h->key.cell);
    held_free(h);
    if (!c || holding_find(c, gone.key.session))
        return;
    struct admission_request q = {.tenant = c->tenant,
                                  .user = view_text(gone.user),
                                  .database = view_text(gone.database),
                                  .application = view_text(gone.application),
                                  .replication = view_text(gone.replication),
                                  .client = gone.client};
    pass(c, gone.request, gone.key.session, &q);
}

static struct held *held_find(const struct broker_cell *c, uint64_t session) {
    struct holding_key key = {session, c->id};
    struct held *h;
    HASH_FIND(hh, all, &key, sizeof key, h);
    return h;
}

static void hold(struct broker_cell *c, uint64_t request, uint64_t session, const struct admission_request *q,
                 uint32_t wait_ms) {
    struct held *h = calloc(1, sizeof *h);
    if (!h)
        abort();
    *h = (struct held){.magic = HELD_MAGIC, .key = {session, c->id}, .request = request, .client = q->client};
    view_copy_text(q->user, h->user, sizeof h->user);
    view_copy_text(q->database, h->database, sizeof h->database);
    view_copy_text(q->application, h->application, sizeof h->application);
    view_copy_text(q->replication, h->replication, sizeof h->replication);
    HASH_ADD(hh, all, key, sizeof h->key, h);
    c->held++;
    h->turn = role_timer(wait_ms, false, on_turn, h);
}

bool turns_right(struct broker_cell *c, uint64_t request, uint64_t session,
                 const struct admission_request *q) {
    if (held_find(c, session) || c->held >= HELD_MAX)
        return false;
    uint32_t wait_ms;
    if (!penalty_turn(broker.penalty, c->tenant, q->user, &q->client, longest_ms(), clock_now().mono_us,
                      &wait_ms))
        refuse(c, request, q->user, &q->client);
    else if (wait_ms > 0)
        hold(c, request, session, q, wait_ms);
    else
        pass(c, request, session, q);
    return true;
}

void turns_forget(const struct broker_cell *c, uint64_t session) {
    struct held *h = held_find(c, session);
    if (h)
        held_free(h);
}

void turns_cell_gone(const struct broker_cell *c) {
    struct held *h, *next;
    HASH_ITER (hh, all, h, next) {
        if (h->key.cell == c->id)
            held_free(h);
    }
}
