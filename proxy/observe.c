/* SPDX-License-Identifier: ISC
 *
 * See observe.h. This file: the observer's life, what it holds of the client's stream, and the line of
 * statements from held to answered. Whether a byte may go to the instance is decided in one place,
 * observe_outgoing: nothing behind the first statement whose records are not durable.
 */
#include "magic.h"
#include "observe_parts.h"
#include "secret.h"

#include <stdlib.h>
#include <string.h>

enum { HELD_FIRST = 16384, LINE_FIRST = 16 };

struct observe *observe_new(const struct observe_rules *rules, observe_record_fn *record, void *arg) {
    struct observe *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->magic = OBSERVE_MAGIC;
    o->rules = *rules;
    o->record = record;
    o->arg = arg;
    return o;
}

static void drop_held(struct observe *o) {
    if (o->held)
        secret_wipe(o->held, o->held_cap);
    free(o->held);
    o->held = NULL;
    o->held_at = o->held_len = o->held_cap = 0;
}

void observe_free(struct observe **pointer) {
    struct observe *o = *pointer;
    *pointer = NULL;
    if (!o)
        return;
    MAGIC_CHECK(o, OBSERVE_MAGIC);
    drop_held(o);
    free(o->line);
    EVP_MD_CTX_free(o->in.sha256);
    EVP_MD_CTX_free(o->out.sha256);
    secret_wipe(o, sizeof *o);
    free(o);
}

void observe_tell(struct observe *o, uint64_t number, struct record *r) {
    o->record(o->arg, ++o->tickets, number, r);
}

enum observe_result observe_refuse(struct observe *o, uint64_t number, const struct failure *f) {
    struct record r;
    record_begin(&r, EVENT_OPERATOR_RESULT, o->rules.session);
    if (number > 0)
        record_number(&r, FIELD_NUMBER, number);
    record_text(&r, FIELD_TAG, view_text("refused"));
    record_text(&r, FIELD_SQLSTATE, view_text(f->sqlstate));
    record_text(&r, FIELD_MESSAGE, view_text(f->sentence));
    observe_tell(o, number, &r);
    o->failure = *f;
    o->refused = true;
    return OBSERVE_REFUSE;
}

static size_t capacity_for(size_t len) {
    size_t cap = HELD_FIRST;
    while (cap < len)
        cap *= 2;
    return cap < OBSERVE_HELD_MAX ? cap : OBSERVE_HELD_MAX;
}

/* Statements may hold secrets: what is moved leaves nothing behind. */
static bool make_room(struct observe *o, size_t more) {
    size_t len = o->held_len - o->held_at;
    assert(more <= OBSERVE_HELD_MAX - len);
    if (o->held_len + more <= o->held_cap)
        return true;
    uint8_t *held = o->held;
    size_t cap = capacity_for(len + more);
    if (cap > o->held_cap) {
        held = malloc(cap);
        if (!held)
            return false;
    }
    if (len > 0)
        memmove(held, o->held + o->held_at, len);
    if (held != o->held) {
        drop_held(o);
        o->held = held;
        o->held_cap = cap;
    }
    o->held_at = 0;
    o->held_len = len;
    return true;
}

bool observe_hold(struct observe *o, struct view bytes) {
    if (!make_room(o, bytes.len))
        return false;
    memcpy(o->held + o->held_len, bytes.at, bytes.len);
    o->held_len += bytes.len;
    o->taken += bytes.len;
    return true;
}

struct asked *observe_asked(struct observe *o, size_t i) {
    assert(i < o->count);
    return &o->line[(o->first + i) % o->line_cap];
}

bool observe_room(struct observe *o) {
    assert(o->count < OBSERVE_OUTSTANDING_MAX);
    if (o->count < o->line_cap)
        return true;
    size_t cap = o->line_cap ? 2 * o->line_cap : LINE_FIRST;
    if (cap > OBSERVE_OUTSTANDING_MAX)
        cap = OBSERVE_OUTSTANDING_MAX;
    struct asked *line = calloc(cap, sizeof *line);
    if (!line)
        return false;
    for (size_t i = 0; i < o->count; i++)
        line[i] = *observe_asked(o, i);
    free(o->line);
    o->line = line;
    o->line_cap = cap;
    o->first = 0;
    return true;
}

struct asked *observe_push(struct observe *o, enum asked_kind kind) {
    assert(o->count < o->line_cap);
    struct asked *a = observe_asked(o, o->count++);
    memset(a, 0, sizeof *a);
    a->kind = kind;
    a->start = o->whole;
    a->end = o->taken;
    return a;
}

void observe_pop(struct observe *o) {
    assert(o->count > 0 && o->released > 0);
    o->first = (o->first + 1) % o->line_cap;
    o->count--;
    o->released--;
    if (o->count > 0)
        return;
    free(o->line);
    o->line = NULL;
    o->line_cap = o->first = 0;
}

void observe_drop_after_first(struct observe *o, size_t i) {
    assert(i < o->released);
    *observe_asked(o, i) = *observe_asked(o, 0);
    while (i-- > 0)
        observe_pop(o);
}

void observe_release(struct observe *o, int64_t now_us) {
    while (o->released < o->count) {
        struct asked *a = observe_asked(o, o->released);
        if (a->ticket > o->durable)
            return;
        a->since_us = now_us;
        o->released++;
        if (o->ignoring)
            observe_skip_to_sync(o, now_us);
    }
}

void observe_durable(struct observe *o, uint64_t ticket, int64_t now_us) {
    MAGIC_CHECK(o, OBSERVE_MAGIC);
    assert(ticket <= o->tickets);
    if (ticket > o->durable)
        o->durable = ticket;
    observe_release(o, now_us);
}

struct view observe_outgoing(const struct observe *o) {
    MAGIC_CHECK(o, OBSERVE_MAGIC);
    uint64_t limit = o->whole;
    if (o->released < o->count)
        limit = o->line[(o->first + o->released) % o->line_cap].start;
    assert(limit >= o->sent && limit <= o->taken);
    if (o->refused || limit == o->sent)
        return view_of(NULL, 0);
    return view_of(o->held + o->held_at, (size_t)(limit - o->sent));
}

void observe_sent(struct observe *o, size_t len) {
    MAGIC_CHECK(o, OBSERVE_MAGIC);
    assert(len <= observe_outgoing(o).len);
    o->held_at += len;
    o->sent += len;
    if (o->held_at == o->held_len)
        drop_held(o);
}

static void end_asked(struct observe *o, const struct asked *a) {
    if (a->number == 0 || a->answered || a->kind == ASKED_COPY_DONE || a->kind == ASKED_COPY_FAIL)
        return;
    observe_tell_outcome(o, a, a->end <= o->sent ? "outcome unknown" : "not sent");
}

void observe_end(struct observe *o, int64_t now_us) {
    MAGIC_CHECK(o, OBSERVE_MAGIC);
    observe_tell_broken_copy(o);
    for (size_t i = 0; i < o->count; i++)
        end_asked(o, observe_asked(o, i));
    free(o->line);
    o->line = NULL;
    o->line_cap = o->first = o->count = o->released = 0;
    drop_held(o);
    o->taken = o->whole = o->sent;
    o->refused = true;
}

bool observe_idle(const struct observe *o) {
    MAGIC_CHECK(o, OBSERVE_MAGIC);
    return o->taken == o->sent && o->count == 0 && !o->in.sha256 && o->answer_left == 0;
}

uint64_t observe_pending(const struct observe *o) {
    MAGIC_CHECK(o, OBSERVE_MAGIC);
    return o->tickets - o->durable;
}

uint64_t observe_statements(const struct observe *o) {
    MAGIC_CHECK(o, OBSERVE_MAGIC);
    return o->numbers;
}

bool tally_add(struct tally *t, struct view bytes) {
    if (!t->sha256) {
        t->sha256 = EVP_MD_CTX_new();
        t->bytes = 0;
        if (!t->sha256 || EVP_DigestInit_ex(t->sha256, EVP_sha256(), NULL) != 1)
            return false;
    }
    t->bytes += bytes.len;
    return bytes.len == 0 || EVP_DigestUpdate(t->sha256, bytes.at, bytes.len) == 1;
}

uint64_t tally_end(struct tally *t, uint8_t sha256[32]) {
    uint64_t bytes = t->bytes;
    /* A digest that was begun cannot fail to end; were it to, zeros are no digest of anything. */
    if (EVP_DigestFinal_ex(t->sha256, sha256, NULL) != 1)
        memset(sha256, 0, 32);
    EVP_MD_CTX_free(t->sha256);
    t->sha256 = NULL;
    t->bytes = 0;
    return bytes;
}
