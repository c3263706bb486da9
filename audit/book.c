/* SPDX-License-Identifier: ISC
 *
 * See book.h: the sessions and the rules about them. A session's record is in the table from its open
 * record's arrival to its close record's; it leaves it again when the open record turns out not to be
 * durable.
 */
#include "book.h"
#include "book_parts.h"
#include "log.h"
#include "magic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOOK_MAGIC 0x2CF84A91u
#define SESSION_ENTRY_MAGIC 0x70D9E3B8u

void book_owner_begin(struct book_owner *o, void *arg) {
    memset(o, 0, sizeof *o);
    o->magic = BOOK_OWNER_MAGIC;
    o->arg = arg;
}

static struct book_key key_of(const char *tenant, uint64_t session) {
    struct book_key key;
    memset(&key, 0, sizeof key);
    key.session = session;
    snprintf(key.tenant, sizeof key.tenant, "%s", tenant);
    return key;
}

static struct book_session *session_find(struct book *b, const char *tenant, uint64_t session) {
    struct book_key key = key_of(tenant, session);
    struct book_session *s;
    HASH_FIND(hh, b->sessions, &key, sizeof key, s);
    if (s)
        MAGIC_CHECK(s, SESSION_ENTRY_MAGIC);
    return s;
}

static void session_add(struct book *b, struct book_owner *owner, const char *tenant, uint64_t session,
                        struct view user, int64_t opened_wall_us, bool durable) {
    struct book_session *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->magic = SESSION_ENTRY_MAGIC;
    s->key = key_of(tenant, session);
    s->owner = owner;
    s->durable = durable;
    s->opened_wall_us = opened_wall_us;
    view_copy_text(user, s->user, sizeof s->user);
    HASH_ADD(hh, b->sessions, key, sizeof s->key, s);
    if (owner)
        owner->open++;
}

/* Out of the table; the caller frees it. */
static void session_take_out(struct book *b, struct book_session *s) {
    HASH_DEL(b->sessions, s);
    if (s->owner)
        s->owner->open--;
}

static void session_drop(struct book *b, struct book_session *s) {
    session_take_out(b, s);
    s->magic = 0;
    free(s);
}

/* What a new file begins with. */
static size_t book_carry(void *arg, const char *tenant, journal_carried_fn *each, void *each_arg) {
    struct book *b = arg;
    size_t count = book_carry_kept(b, tenant, each, each_arg);
    struct book_session *s, *next;
    HASH_ITER (hh, b->sessions, s, next) {
        if (!s->durable || strcmp(s->key.tenant, tenant) != 0)
            continue;
        count++;
        if (each)
            each(each_arg, s->key.session, view_text(s->user), s->opened_wall_us);
    }
    return count;
}

static void on_loaded(void *arg, const char *tenant, uint64_t session, struct view user,
                      int64_t opened_wall_us) {
    session_add(arg, NULL, tenant, session, user, opened_wall_us, true);
}

struct book *book_new(const char *folder, const struct journal_rules *rules, book_answer_fn *answer,
                      void *arg, struct moment now, char why[256]) {
    struct book *b = calloc(1, sizeof *b);
    if (!b)
        abort();
    b->magic = BOOK_MAGIC;
    b->refusals_a_second = BOOK_REFUSALS;
    b->answer = answer;
    b->arg = arg;
    b->journal = journal_new(folder, rules, why);
    if (b->journal)
        journal_set_carry(b->journal, book_carry, b);
    if (!b->journal || !journal_load(b->journal, on_loaded, b, now, why))
        book_free(&b);
    return b;
}

void book_free(struct book **b) {
    if (!*b)
        return;
    MAGIC_CHECK(*b, BOOK_MAGIC);
    struct book_session *s, *next;
    HASH_ITER (hh, (*b)->sessions, s, next) {
        HASH_DEL((*b)->sessions, s);
        free(s);
    }
    book_free_tenants(*b);
    journal_free(&(*b)->journal);
    (*b)->magic = 0;
    free(*b);
    *b = NULL;
}

void book_set_rules(struct book *b, const struct journal_rules *rules) {
    MAGIC_CHECK(b, BOOK_MAGIC);
    journal_set_rules(b->journal, rules);
}

void book_tick(struct book *b, struct moment now) {
    MAGIC_CHECK(b, BOOK_MAGIC);
    journal_tick(b->journal, now);
}

void book_stop(struct book *b, struct moment now) {
    MAGIC_CHECK(b, BOOK_MAGIC);
    journal_stop(b->journal, now);
}

size_t book_open_sessions(const struct book *b) {
    MAGIC_CHECK(b, BOOK_MAGIC);
    return HASH_COUNT(b->sessions);
}

bool book_healthy(const struct book *b, char why[256]) {
    MAGIC_CHECK(b, BOOK_MAGIC);
    return journal_healthy(b->journal, why);
}

static struct view record_user(const struct record *r) {
    for (size_t i = 0; i < r->count; i++)
        if (r->item[i].field == FIELD_USER)
            return r->item[i].text;
    return view_of(NULL, 0);
}

static void remember_refused(struct book_owner *o, uint64_t session) {
    o->refused[o->refused_next] = session;
    o->refused_next = (o->refused_next + 1) % BOOK_REFUSED_MAX;
}

static bool was_refused(const struct book_owner *o, uint64_t session) {
    for (size_t i = 0; i < BOOK_REFUSED_MAX; i++)
        if (o->refused[i] == session)
            return true;
    return false;
}

void book_opened(struct book *b, const char *tenant, struct book_owner *owner, uint64_t session,
                 bool durable) {
    struct book_session *s = session_find(b, tenant, session);
    if (!s)
        return; /* closed in the same batch */
    if (durable) {
        s->durable = true;
        return;
    }
    if (owner)
        remember_refused(owner, session);
    session_drop(b, s);
}

static const char *take_open(struct book *b, struct book_owner *owner, uint64_t request, const char *tenant,
                             const struct record *r, struct moment now) {
    if (r->session == 0)
        return "opened a session without an id";
    if (session_find(b, tenant, r->session))
        return "opened a session that is open";
    if (owner->open >= BOOK_SESSIONS_MAX)
        return "opened too many sessions";
    if (b->refusing) {
        remember_refused(owner, r->session);
        if (request != 0)
            b->answer(b->arg, owner, request, false);
        return NULL;
    }
    session_add(b, owner, tenant, r->session, record_user(r), now.wall_us, false);
    if (!book_post(b, owner, request, tenant, r, false, now))
        book_opened(b, tenant, owner, r->session, false);
    return NULL;
}

static const char *take_close(struct book *b, struct book_owner *owner, uint64_t request, const char *tenant,
                              const struct record *r, struct moment now) {
    struct book_session *s = session_find(b, tenant, r->session);
    if (!s && r->session != 0 && was_refused(owner, r->session)) {
        /* It never opened, so there is nothing to close: our refusal and this record crossed. */
        if (request != 0)
            b->answer(b->arg, owner, request, false);
        return NULL;
    }
    if (!s || s->owner != owner)
        return "closed a session that is not its own";
    /* Kept only when the log has its opening: else both are lost together and it never was. */
    bool keep = s->durable;
    session_drop(b, s);
    book_post(b, owner, request, tenant, r, keep, now);
    return NULL;
}

/* What an operator did is said under a session that is the sender's own, and open: nobody writes into another
 * one's trail. */
static const char *take_trail(struct book *b, struct book_owner *owner, uint64_t request, const char *tenant,
                              const struct record *r, struct moment now) {
    struct book_session *s = session_find(b, tenant, r->session);
    if (!s || s->owner != owner)
        return "recorded a statement of a session that is not its own";
    book_post(b, owner, request, tenant, r, request == 0, now);
    return NULL;
}

const char *book_record(struct book *b, struct book_owner *owner, uint64_t request, const char *tenant,
                        const struct record *r, struct moment now) {
    MAGIC_CHECK(b, BOOK_MAGIC);
    MAGIC_CHECK(owner, BOOK_OWNER_MAGIC);
    switch (r->event) {
    case EVENT_SESSION_OPEN:
        return take_open(b, owner, request, tenant, r, now);
    case EVENT_SESSION_CLOSE:
        return take_close(b, owner, request, tenant, r, now);
    case EVENT_OPERATOR_STATEMENT:
    case EVENT_OPERATOR_RESULT:
        return take_trail(b, owner, request, tenant, r, now);
    default:
        /* When somebody is told that it failed, it must not appear later. */
        book_post(b, owner, request, tenant, r, request == 0, now);
        return NULL;
    }
}

bool book_erase(struct book *b, const char *tenant, const char *who, struct moment now) {
    MAGIC_CHECK(b, BOOK_MAGIC);
    struct book_session *s, *next;
    HASH_ITER (hh, b->sessions, s, next)
        if (strcmp(s->key.tenant, tenant) == 0) {
            log_warning("the log of %s is not erased: a session of its is open", tenant);
            return false;
        }
    book_flush(b);
    bool gone = journal_erase(b->journal, tenant, who, now);
    if (gone)
        book_forget_kept(b, tenant);
    return gone;
}

void book_say(struct book *b, const char *tenant, const struct record *r, struct moment now) {
    MAGIC_CHECK(b, BOOK_MAGIC);
    book_post(b, NULL, 0, tenant, r, true, now);
}

void book_refuse_opens(struct book *b, bool refuse) {
    MAGIC_CHECK(b, BOOK_MAGIC);
    b->refusing = refuse;
}

const char *book_resume(struct book *b, struct book_owner *owner, const char *tenant, uint64_t session) {
    MAGIC_CHECK(b, BOOK_MAGIC);
    MAGIC_CHECK(owner, BOOK_OWNER_MAGIC);
    struct book_session *s = session_find(b, tenant, session);
    if (session == 0 || (s && s->owner && s->owner != owner))
        return "resumed a session that is not its own";
    if (s && s->owner == owner)
        return NULL;
    if (owner->open >= BOOK_SESSIONS_MAX)
        return "resumed too many sessions";
    if (!s) {
        log_warning("a session of %s goes on whose open record is not in the log", tenant);
        session_add(b, owner, tenant, session, view_of(NULL, 0), 0, true);
        return NULL;
    }
    s->owner = owner;
    owner->open++;
    return NULL;
}

static void close_session(struct book *b, const struct book_session *s, const char *reason,
                          struct moment now) {
    struct record r;
    record_begin(&r, EVENT_SESSION_CLOSE, s->key.session);
    record_text(&r, FIELD_USER, view_text(s->user));
    record_text(&r, FIELD_REASON, view_text(reason));
    if (s->opened_wall_us > 0 && now.wall_us >= s->opened_wall_us)
        record_number(&r, FIELD_DURATION_MS, (uint64_t)(now.wall_us - s->opened_wall_us) / 1000);
    book_post(b, NULL, 0, s->key.tenant, &r, s->durable, now);
}

/* Taken out of the table first: posting may flush, and that may change the table. */
static void close_all_of(struct book *b, const struct book_owner *owner, const char *reason,
                         struct moment now) {
    struct book_session *list = NULL, *s, *next;
    HASH_ITER (hh, b->sessions, s, next) {
        if (s->owner != owner)
            continue;
        session_take_out(b, s);
        s->next = list;
        list = s;
    }
    while ((s = list)) {
        list = s->next;
        close_session(b, s, reason, now);
        s->magic = 0;
        free(s);
    }
}

void book_owner_gone(struct book *b, struct book_owner *owner, const char *reason, struct moment now) {
    MAGIC_CHECK(b, BOOK_MAGIC);
    MAGIC_CHECK(owner, BOOK_OWNER_MAGIC);
    book_forget_owner(b, owner);
    close_all_of(b, owner, reason, now);
}

void book_close_unclaimed(struct book *b, const char *reason, struct moment now) {
    MAGIC_CHECK(b, BOOK_MAGIC);
    close_all_of(b, NULL, reason, now);
}
