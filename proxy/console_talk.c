/* SPDX-License-Identifier: ISC
 *
 * See console_talk.h: the conversation from the start-up message on, simple queries, and what becomes of a
 * command's rows. The extended protocol is in console_extended.c.
 */
#include "console_talk_parts.h"
#include "console_words.h"
#include "magic.h"
#include "message.h"
#include "query.h"
#include "startup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct talk *talk_new(const struct talk_host *host) {
    struct talk *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->magic = TALK_MAGIC;
    t->host = *host;
    t->status = 'I';
    LIST_INIT(&t->statements);
    LIST_INIT(&t->portals);
    return t;
}

void portal_drop_job(struct talk *t, struct talk_portal *p) {
    if (p->job)
        t->host.drop(p->job);
    p->job = NULL;
}

static void query_end(struct talk *t) {
    portal_drop_job(t, &t->simple);
    free(t->query);
    t->query = NULL;
    t->left = view_of(NULL, 0);
}

void talk_free(struct talk **t) {
    if (!*t)
        return;
    MAGIC_CHECK(*t, TALK_MAGIC);
    query_end(*t);
    portals_clear(*t);
    statements_clear(*t);
    (*t)->magic = 0;
    free(*t);
    *t = NULL;
}

bool talk_started(const struct talk *t) {
    MAGIC_CHECK(t, TALK_MAGIC);
    return t->phase != PHASE_STARTUP;
}

void talk_fatal(struct writer *out, const struct failure *f) {
    reply_error(out, "FATAL", f);
}

static enum talk_next over(struct talk *t, struct writer *out, const char *sqlstate, const char *hint,
                           const char *sentence) {
    struct failure f;
    failure_set(&f, sqlstate, hint, "%s", sentence);
    talk_fatal(out, &f);
    t->phase = PHASE_OVER;
    return TALK_OVER;
}

void talk_error(struct talk *t, struct writer *out, const struct failure *f) {
    reply_error(out, "ERROR", f);
    if (t->status == 'T')
        t->status = 'E';
    if (t->query) {
        query_end(t);
        reply_ready(out, t->status);
    } else {
        t->skipping = true;
    }
}

/* --- start-up --- */

static enum talk_next startup_message(struct talk *t, const struct startup *s, struct writer *out) {
    if (s->replication.len > 0)
        return over(t, out, "0A000", NULL, "the console does not replicate");
    if (!view_equal_text(s->database, CONSOLE_DATABASE_NAME))
        return over(t, out, "3D000", "connect with dbname=" CONSOLE_DATABASE_NAME,
                    "the only database here is \"" CONSOLE_DATABASE_NAME "\"");
    if (s->negotiate)
        startup_write_negotiate(out, s);
    reply_startup(out, t->host.user);
    t->phase = PHASE_OPEN;
    return TALK_SAID;
}

static enum talk_next take_startup(struct talk *t, struct view in, size_t *used, struct writer *out) {
    struct startup s;
    if (in.len < 4)
        return TALK_HUNGRY;
    size_t length = startup_length(in.at);
    if (length == 0)
        return over(t, out, "08P01", NULL, "invalid length of startup packet");
    if (in.len < length)
        return TALK_HUNGRY;
    *used = length;
    startup_parse(view_of(in.at, length), &s);
    switch (s.kind) {
    case STARTUP_MESSAGE:
        return startup_message(t, &s, out);
    case STARTUP_SSL:
    case STARTUP_GSSENC:
        if (!t->host.encryption_asked)
            break;
        writer_u8(out, 'N');
        return TALK_SAID;
    case STARTUP_CANCEL:
        t->phase = PHASE_OVER;
        return TALK_OVER;
    case STARTUP_BAD:
        return over(t, out, s.sqlstate, NULL, s.why);
    }
    return over(t, out, "08P01", NULL, "unexpected startup packet");
}

/* --- one statement --- */

bool plan_make(struct talk *t, struct view sql, struct plan *out, struct failure *f) {
    memset(out, 0, sizeof *out);
    courtesy_of(sql, t->host.user, &out->courtesy);
    if (out->courtesy.kind != COURTESY_NONE) {
        out->kind = PLAN_COURTESY;
        return true;
    }
    out->kind = PLAN_COMMAND;
    return console_command_parse(sql, &out->command, f);
}

static void forget(struct talk *t, const char *name) {
    struct talk_statement *s = name[0] ? statement_find(t, view_text(name)) : NULL;
    if (!name[0])
        statements_clear(t);
    else if (s)
        statement_remove(t, s);
}

static void run_courtesy(struct talk *t, struct talk_portal *p, struct writer *out) {
    const struct courtesy *c = &p->plan.courtesy;
    const char *tag = c->tag;
    reply_courtesy_row(out, &p->plan, p);
    switch (c->kind) {
    case COURTESY_BEGIN:
        t->status = 'T';
        break;
    case COURTESY_COMMIT:
        if (t->status == 'E')
            tag = "ROLLBACK";
        t->status = 'I';
        break;
    case COURTESY_ROLLBACK:
        t->status = 'I';
        break;
    case COURTESY_FORGET:
        forget(t, c->value);
        break;
    default:
        break;
    }
    reply_complete(out, tag);
}

static bool ends_transaction(const struct plan *p) {
    return p->kind == PLAN_COURTESY &&
           (p->courtesy.kind == COURTESY_COMMIT || p->courtesy.kind == COURTESY_ROLLBACK);
}

bool portal_run(struct talk *t, struct talk_portal *p, struct writer *out, struct failure *f) {
    if (t->status == 'E' && !ends_transaction(&p->plan) && p->plan.kind != PLAN_EMPTY) {
        failure_set(f, "25P02", NULL,
                    "current transaction is aborted, commands ignored until end of transaction block");
        return false;
    }
    if (p->plan.kind == PLAN_EMPTY) {
        reply_bare(out, 'I');
    } else if (p->done) {
        reply_complete(out, "SELECT 0");
    } else if (p->plan.kind == PLAN_COURTESY) {
        p->done = true;
        run_courtesy(t, p, out);
    } else {
        t->work = p;
        t->rows = 0;
        t->phase = PHASE_WORK;
    }
    return true;
}

/* --- simple queries --- */

/* The next statement of the query, or its end. */
static enum talk_next go_on(struct talk *t, struct writer *out) {
    struct view one;
    struct failure f;
    struct talk_portal *p = &t->simple;
    if (!words_statement(&t->left, &one)) {
        query_end(t);
        reply_ready(out, t->status);
        return TALK_SAID;
    }
    portal_drop_job(t, p);
    memset(p, 0, sizeof *p);
    t->limit = 0;
    bool good = plan_make(t, one, &p->plan, &f);
    if (good && p->plan.kind == PLAN_COMMAND && p->plan.command.parameters > 0) {
        failure_set(&f, "42P02", "$1 needs the extended protocol: write the text itself, in quotes",
                    "there is no parameter here");
        good = false;
    }
    bool shows =
        good && t->status != 'E' && (p->plan.kind == PLAN_COMMAND || p->plan.courtesy.kind == COURTESY_ROW);
    if (shows)
        reply_columns(out, &p->plan, p);
    if (!good || !portal_run(t, p, out, &f))
        talk_error(t, out, &f);
    return t->phase == PHASE_WORK ? TALK_WORK : TALK_SAID;
}

static enum talk_next take_query(struct talk *t, struct view body, struct writer *out) {
    struct view sql, one;
    if (!query_read_query(body, &sql))
        return over(t, out, "08P01", NULL, "invalid message format");
    struct view ahead = sql;
    portals_clear(t);
    if (!words_statement(&ahead, &one)) {
        reply_bare(out, 'I');
        reply_ready(out, t->status);
        return TALK_SAID;
    }
    t->query = malloc(sql.len);
    if (!t->query)
        return over(t, out, "53200", NULL, "out of memory");
    memcpy(t->query, sql.at, sql.len);
    t->left = view_of(t->query, sql.len);
    return go_on(t, out);
}

/* --- messages --- */

static enum talk_next take_extended(struct talk *t, const struct message *m, struct writer *out) {
    struct failure f;
    bool work = false;
    if (t->skipping)
        return TALK_SAID;
    size_t start = out->len;
    if (!extended_take(t, m->type, m->body, out, &work, &f)) {
        out->len = start;
        talk_error(t, out, &f);
    }
    return work ? TALK_WORK : TALK_SAID;
}

static enum talk_next take_message(struct talk *t, const struct message *m, struct writer *out) {
    struct failure f;
    switch (m->type) {
    case 'Q':
        t->skipping = false;
        return take_query(t, m->body, out);
    case 'P':
    case 'B':
    case 'D':
    case 'E':
    case 'C':
        return take_extended(t, m, out);
    case 'S':
        t->skipping = false;
        if (t->status == 'I')
            portals_clear(t);
        reply_ready(out, t->status);
        return TALK_SAID;
    case 'H': /* everything is sent at once anyway */
    case 'd':
    case 'c':
    case 'f': /* of a COPY that failed before it began */
        return TALK_SAID;
    case 'F':
        failure_set(&f, "0A000", NULL, "the console has no functions to call");
        reply_error(out, "ERROR", &f);
        reply_ready(out, t->status);
        return TALK_SAID;
    case 'X':
        t->phase = PHASE_OVER;
        return TALK_OVER;
    default:
        return over(t, out, "08P01", NULL, "invalid frontend message type");
    }
}

enum talk_next talk_take(struct talk *t, struct view in, size_t *used, struct writer *out) {
    MAGIC_CHECK(t, TALK_MAGIC);
    struct message m;
    *used = 0;
    assert(t->phase != PHASE_WORK);
    if (t->phase == PHASE_OVER)
        return TALK_OVER;
    if (t->query)
        return go_on(t, out);
    if (t->phase == PHASE_STARTUP)
        return take_startup(t, in, used, out);
    switch (message_next(in, TALK_MESSAGE_MAX, &m, used)) {
    case MESSAGE_MORE:
        return TALK_HUNGRY;
    case MESSAGE_BAD:
        return over(t, out, "08P01", "no message here has more than 64 kB", "invalid message length");
    case MESSAGE_OK:
        break;
    }
    return take_message(t, &m, out);
}

/* --- work --- */

const struct console_command *talk_command(const struct talk *t) {
    MAGIC_CHECK(t, TALK_MAGIC);
    assert(t->phase == PHASE_WORK);
    return &t->work->plan.command;
}

void **talk_job(struct talk *t) {
    MAGIC_CHECK(t, TALK_MAGIC);
    assert(t->phase == PHASE_WORK);
    return &t->work->job;
}

bool talk_row(struct talk *t, struct writer *out, const struct view *cell, size_t cells) {
    MAGIC_CHECK(t, TALK_MAGIC);
    assert(t->phase == PHASE_WORK && cells <= CONSOLE_COLUMNS_MAX);
    reply_row(out, cell, cells);
    t->rows++;
    if (t->limit == 0 || t->rows < t->limit)
        return true;
    reply_bare(out, 's');
    t->phase = PHASE_OPEN;
    return false;
}

void talk_done(struct talk *t, struct writer *out) {
    MAGIC_CHECK(t, TALK_MAGIC);
    assert(t->phase == PHASE_WORK);
    const struct console_declaration *d = console_declaration(t->work->plan.command.verb);
    char tag[64];
    snprintf(tag, sizeof tag, "%s %llu", d->kinds ? d->words : "SELECT", (unsigned long long)t->rows);
    reply_complete(out, tag);
    t->work->done = true;
    t->phase = PHASE_OPEN;
}

void talk_warned(struct talk *t, struct writer *out, const struct failure *f) {
    MAGIC_CHECK(t, TALK_MAGIC);
    assert(t->phase == PHASE_WORK);
    reply_warning(out, f);
}

void talk_failed(struct talk *t, struct writer *out, const struct failure *f) {
    MAGIC_CHECK(t, TALK_MAGIC);
    assert(t->phase == PHASE_WORK);
    t->work->done = true;
    t->phase = PHASE_OPEN;
    talk_error(t, out, f);
}
