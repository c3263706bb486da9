/* SPDX-License-Identifier: ISC
 *
 * See book_parts.h: group commit, and the records that wait in memory while a chain cannot be written.
 */
#include "book_parts.h"
#include "files.h"
#include "log.h"
#include "magic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TENANT_STATE_MAGIC 0xE9075C36u

struct book_tenant *book_tenant_get(struct book *b, const char *tenant) {
    struct book_tenant *t;
    HASH_FIND_STR(b->tenants, tenant, t);
    if (t) {
        MAGIC_CHECK(t, TENANT_STATE_MAGIC);
        return t;
    }
    t = calloc(1, sizeof *t);
    if (!t)
        abort(); /* the supervisor starts us again; cells tell what is open */
    t->magic = TENANT_STATE_MAGIC;
    snprintf(t->tenant, sizeof t->tenant, "%s", tenant);
    HASH_ADD_STR(b->tenants, tenant, t);
    return t;
}

static struct book_kept *kept_new(const struct record *r) {
    uint8_t bytes[RECORD_BINARY_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    record_write(&w, r);
    assert(!w.bad);
    struct book_kept *k = malloc(sizeof *k + w.len);
    if (!k)
        abort();
    k->next = NULL;
    k->len = w.len;
    memcpy(k->bytes, bytes, w.len);
    return k;
}

/* Takes over k: queues it, or drops it when there is no room left. */
static void keep_last(struct book *b, struct book_tenant *t, struct book_kept *k) {
    if (t->kept >= BOOK_KEPT_MAX || b->kept_bytes + k->len > BOOK_KEPT_BYTES_MAX) {
        if (!t->dropping)
            log_error("the log of %s: too many records wait in memory: dropping", files_folder(t->tenant));
        t->dropping = true;
        free(k);
        return;
    }
    k->next = NULL;
    if (t->last)
        t->last->next = k;
    else
        t->first = k;
    t->last = k;
    t->kept++;
    b->kept_bytes += k->len;
}

static struct book_kept *keep_pop(struct book *b, struct book_tenant *t) {
    struct book_kept *k = t->first;
    t->first = k->next;
    if (!t->first)
        t->last = NULL;
    t->kept--;
    b->kept_bytes -= k->len;
    k->next = NULL;
    return k;
}

void book_forget_kept(struct book *b, const char *tenant) {
    struct book_tenant *t = book_tenant_get(b, tenant);
    while (t->first)
        free(keep_pop(b, t));
}

size_t book_carry_kept(struct book *b, const char *tenant, journal_carried_fn *each, void *each_arg) {
    size_t count = 0;
    for (struct book_kept *k = book_tenant_get(b, tenant)->first; k; k = k->next) {
        struct reader bytes = reader_of(view_of(k->bytes, k->len));
        struct record r;
        bool read = record_read(&bytes, &r);
        assert(read); /* we wrote it */
        if (!read || r.event != EVENT_SESSION_CLOSE)
            continue;
        count++;
        if (each)
            each(each_arg, r.session, view_of(NULL, 0), 0);
    }
    return count;
}

void book_free_tenants(struct book *b) {
    for (size_t i = 0; i < b->waiting; i++)
        free(b->batch[i].kept);
    struct book_tenant *t, *next;
    HASH_ITER (hh, b->tenants, t, next) {
        while (t->first)
            free(keep_pop(b, t));
        HASH_DEL(b->tenants, t);
        free(t);
    }
}

void book_forget_owner(struct book *b, const struct book_owner *owner) {
    for (size_t i = 0; i < b->waiting; i++)
        if (b->batch[i].owner == owner)
            b->batch[i].owner = NULL;
}

static void answer(struct book *b, struct book_owner *owner, uint64_t request, bool durable) {
    if (owner && request != 0)
        b->answer(b->arg, owner, request, durable);
}

static void on_settled(void *arg, const char *tenant, bool durable) {
    struct book *b = arg;
    book_tenant_get(b, tenant)->durable = durable;
}

void book_flush(struct book *b) {
    journal_flush(b->journal, on_settled, b);
    size_t count = b->waiting;
    b->waiting = 0;
    for (size_t i = 0; i < count; i++) {
        struct book_entry e = b->batch[i];
        bool durable = e.tenant->durable;
        if (e.session != 0)
            book_opened(b, e.tenant->tenant, e.owner, e.session, durable);
        if (e.kept && !durable)
            keep_last(b, e.tenant, e.kept);
        else
            free(e.kept);
        answer(b, e.owner, e.request, durable);
    }
}

static void enqueue(struct book *b, struct book_entry e) {
    b->batch[b->waiting++] = e;
    if (b->waiting == BOOK_BATCH_MAX)
        book_flush(b);
}

bool book_post(struct book *b, struct book_owner *owner, uint64_t request, const char *tenant,
               const struct record *r, bool keep, struct moment now) {
    struct book_tenant *t = book_tenant_get(b, tenant);
    struct book_kept *kept = keep ? kept_new(r) : NULL;
    /* While records are kept the chain is failed, so none can overtake them. */
    if (!journal_append(b->journal, tenant, r, now)) {
        if (kept)
            keep_last(b, t, kept);
        answer(b, owner, request, false);
        return false;
    }
    uint64_t opens = r->event == EVENT_SESSION_OPEN ? r->session : 0;
    enqueue(b, (struct book_entry){t, owner, request, opens, kept});
    return true;
}

static void write_kept(struct book *b, struct book_tenant *t, struct moment now) {
    while (t->first) {
        /* In its place until it is appended: a file that begins just now carries it over. */
        struct reader bytes = reader_of(view_of(t->first->bytes, t->first->len));
        struct record r;
        bool read = record_read(&bytes, &r);
        assert(read); /* we wrote it */
        if (!read || !journal_append(b->journal, t->tenant, &r, now))
            return;
        enqueue(b, (struct book_entry){t, NULL, 0, 0, keep_pop(b, t)});
    }
    t->dropping = false;
}

bool book_recover(struct book *b, struct moment now) {
    size_t failed = journal_recover(b->journal, now);
    struct book_tenant *t, *next;
    HASH_ITER (hh, b->tenants, t, next)
        write_kept(b, t, now);
    book_flush(b);
    return failed == 0;
}
