/* SPDX-License-Identifier: ISC
 *
 * Which cell a cancel key belongs to. Cells tell their keys; a request with the right one is passed to the
 * cell, and to nobody else. Found by the process id, which is no secret; the key itself is compared in
 * constant time. A wrong key is answered like a right one, with silence; who keeps guessing is no longer
 * looked at.
 */
#include "clock.h"
#include "gate.h"
#include "log.h"
#include "magic.h"
#include "secret.h"

#include <stdlib.h>
#include <string.h>

struct cancel_key {
    LIST_ENTRY(cancel_key) of_pid, of_cell;
    struct cancel_pid *owner;
    struct gate_cell *cell;
    uint32_t key;
};

struct cancel_pid { /* backends of different instances may well have the same process id */
    uint32_t pid;
    LIST_HEAD(, cancel_key) keys;
    UT_hash_handle hh;
};

void gate_keys_begin(struct gate *g) {
    g->guesses = guesses_new();
    if (!g->guesses)
        abort();
}

static struct cancel_pid *pid_find(struct gate *g, uint32_t pid) {
    struct cancel_pid *p;
    HASH_FIND(hh, g->keys, &pid, sizeof pid, p);
    return p;
}

void gate_key_add(struct gate_cell *cell, uint32_t pid, uint32_t key) {
    MAGIC_CHECK(cell, GATE_CELL_MAGIC);
    struct gate *g = cell->gate;
    if (cell->key_count >= g->settings->max_connections) {
        if (!cell->keys_full)
            log_error("a cell of %s has more cancel keys than there may be sessions: ignored",
                      cell->ward->tenant);
        cell->keys_full = true;
        return;
    }
    struct cancel_pid *p = pid_find(g, pid);
    if (!p) {
        p = calloc(1, sizeof *p);
        if (!p)
            abort();
        p->pid = pid;
        HASH_ADD(hh, g->keys, pid, sizeof p->pid, p);
    }
    struct cancel_key *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    *k = (struct cancel_key){.owner = p, .cell = cell, .key = key};
    LIST_INSERT_HEAD(&p->keys, k, of_pid);
    LIST_INSERT_HEAD(&cell->keys, k, of_cell);
    cell->key_count++;
}

static void key_end(struct gate *g, struct cancel_key *k) {
    struct cancel_pid *p = k->owner;
    LIST_REMOVE(k, of_pid);
    LIST_REMOVE(k, of_cell);
    k->cell->key_count--;
    secret_wipe(k, sizeof *k);
    free(k);
    if (LIST_EMPTY(&p->keys)) {
        HASH_DEL(g->keys, p);
        free(p);
    }
}

void gate_key_remove(struct gate_cell *cell, uint32_t pid, uint32_t key) {
    MAGIC_CHECK(cell, GATE_CELL_MAGIC);
    struct cancel_pid *p = pid_find(cell->gate, pid);
    struct cancel_key *k;
    if (!p)
        return;
    LIST_FOREACH(k, &p->keys, of_pid) {
        if (k->cell == cell && secret_equal(&k->key, &key, sizeof key)) {
            key_end(cell->gate, k);
            return;
        }
    }
}

void gate_keys_forget(struct gate_cell *cell) {
    MAGIC_CHECK(cell, GATE_CELL_MAGIC);
    while (!LIST_EMPTY(&cell->keys))
        key_end(cell->gate, LIST_FIRST(&cell->keys));
}

static struct gate_cell *holder_of(struct gate *g, const char *only, uint32_t pid, uint32_t key) {
    struct cancel_pid *p = pid_find(g, pid);
    struct gate_cell *holder = NULL;
    struct cancel_key *k;
    if (!p)
        return NULL;
    LIST_FOREACH(k, &p->keys, of_pid) {
        if (secret_equal(&k->key, &key, sizeof key) && (!only || strcmp(k->cell->ward->tenant, only) == 0))
            holder = k->cell;
    }
    return holder;
}

static void wrong_key(struct gate *g, const char *scope, const char *only, uint32_t pid,
                      const struct address *client) {
    if (!guesses_wrong(g->guesses, scope, client, clock_now().mono_us))
        return;
    char text[ADDRESS_TEXT];
    address_text_port(client, text);
    struct record r;
    record_begin(&r, EVENT_SESSION_CANCEL, 0);
    record_text(&r, FIELD_CLIENT, view_text(text));
    record_text(&r, FIELD_REASON, view_text("unknown key"));
    outbox_record(g->outbox, 0, only ? only : "", &r);
}

void gate_cancel(struct gate *g, const char *scope, const char *only, uint32_t pid, uint32_t key,
                 const struct address *client) {
    MAGIC_CHECK(g, GATE_MAGIC);
    if (guesses_blocked(g->guesses, scope, client, clock_now().mono_us))
        return;
    struct gate_cell *cell = holder_of(g, only, pid, key);
    if (!cell) {
        wrong_key(g, scope, only, pid, client);
        return;
    }
    struct writer w = channel_scratch();
    writer_u32(&w, pid);
    writer_u32(&w, key);
    address_write(&w, client);
    channel_send(cell->channel, M_CANCEL, &w, -1);
}
