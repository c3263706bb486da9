/* SPDX-License-Identifier: ISC
 *
 * The extended query protocol: prepared statements with parameters, portals that stop after some rows. Part
 * of console_talk.h; who can reach it and what is bounded: there.
 */
#include "console_talk_parts.h"
#include "console_words.h"
#include "magic.h"
#include "query.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* Types whose binary form is the text itself. */
enum { TYPE_NONE = 0, TYPE_TEXT = 25, TYPE_UNKNOWN = 705, TYPE_BPCHAR = 1042, TYPE_VARCHAR = 1043 };

static bool fail(struct failure *f, const char *sqlstate, const char *sentence) {
    failure_set(f, sqlstate, NULL, "%s", sentence);
    return false;
}

static bool malformed(struct failure *f) {
    return fail(f, "08P01", "invalid message format");
}

/* --- prepared statements --- */

struct talk_statement *statement_find(struct talk *t, struct view name) {
    struct talk_statement *s;
    LIST_FOREACH(s, &t->statements, next) {
        if (view_equal_text(name, s->name))
            return s;
    }
    return NULL;
}

void statement_remove(struct talk *t, struct talk_statement *s) {
    LIST_REMOVE(s, next);
    t->statement_count--;
    free(s);
}

void statements_clear(struct talk *t) {
    while (!LIST_EMPTY(&t->statements))
        statement_remove(t, LIST_FIRST(&t->statements));
}

/* One statement, or none. */
static bool plan_single(struct talk *t, struct view sql, struct plan *plan, struct failure *f) {
    struct view one, another;
    memset(plan, 0, sizeof *plan);
    if (!words_statement(&sql, &one)) {
        plan->kind = PLAN_EMPTY;
        return true;
    }
    if (words_statement(&sql, &another))
        return fail(f, "42601", "cannot insert multiple commands into a prepared statement");
    return plan_make(t, one, plan, f);
}

static bool read_types(struct talk_statement *s, struct view types, struct failure *f) {
    struct reader r = reader_of(types);
    s->types = types.len / sizeof(uint32_t);
    if (s->types > CONSOLE_PARAMETERS_MAX)
        return fail(f, "54023", "too many parameters");
    for (size_t i = 0; i < s->types; i++)
        s->type[i] = reader_u32(&r);
    return true;
}

static bool fill_statement(struct talk *t, struct talk_statement *s, const struct query_parse *q,
                           struct failure *f) {
    if (!view_copy_text(q->name, s->name, sizeof s->name))
        return fail(f, "42622", "the name of the prepared statement is too long");
    return plan_single(t, q->sql, &s->plan, f) && read_types(s, q->types, f);
}

static bool take_parse(struct talk *t, struct view body, struct writer *out, struct failure *f) {
    struct query_parse q;
    if (!query_read_parse(body, &q))
        return malformed(f);
    struct talk_statement *old = statement_find(t, q.name);
    if (old && q.name.len > 0)
        return fail(f, "42P05", "there is a prepared statement of this name already");
    if (!old && t->statement_count >= TALK_STATEMENTS_MAX)
        return fail(f, "54000", "too many prepared statements");
    struct talk_statement *s = calloc(1, sizeof *s);
    if (!s)
        return fail(f, "53200", "out of memory");
    if (!fill_statement(t, s, &q, f)) {
        free(s);
        return false;
    }
    if (old)
        statement_remove(t, old);
    LIST_INSERT_HEAD(&t->statements, s, next);
    t->statement_count++;
    reply_bare(out, '1');
    return true;
}

/* --- portals --- */

static struct talk_portal *portal_find(struct talk *t, struct view name) {
    struct talk_portal *p;
    LIST_FOREACH(p, &t->portals, next) {
        if (view_equal_text(name, p->name))
            return p;
    }
    return NULL;
}

static void portal_remove(struct talk *t, struct talk_portal *p) {
    portal_drop_job(t, p);
    LIST_REMOVE(p, next);
    t->portal_count--;
    free(p);
}

void portals_clear(struct talk *t) {
    while (!LIST_EMPTY(&t->portals))
        portal_remove(t, LIST_FIRST(&t->portals));
}

static bool text_like(uint32_t type) {
    return type == TYPE_NONE || type == TYPE_TEXT || type == TYPE_UNKNOWN || type == TYPE_BPCHAR ||
           type == TYPE_VARCHAR;
}

static bool bind_values(struct talk_portal *p, const struct talk_statement *s, struct query_values *values,
                        struct failure *f) {
    size_t wanted = p->plan.kind == PLAN_COMMAND ? p->plan.command.parameters : 0;
    struct query_value v;
    if (wanted < s->types)
        wanted = s->types;
    if (values->count != wanted) {
        failure_set(f, "08P01", NULL, "bind message supplies %zu parameters, but the statement has %zu",
                    values->count, wanted);
        return false;
    }
    for (size_t i = 0; query_next_value(values, i, &v); i++) {
        if (v.null)
            return fail(f, "22004", "a parameter is NULL");
        if (v.binary && !text_like(i < s->types ? s->type[i] : TYPE_NONE))
            return fail(f, "0A000", "parameters are texts here");
        if (p->plan.kind == PLAN_COMMAND &&
            !console_command_bind(&p->plan.command, (uint16_t)(i + 1), v.bytes, f))
            return false;
    }
    /* A gap: $2 without $1 is fine, as $1 was supplied and is not used. */
    return true;
}

/* What follows the values in a Bind that was read well. */
static bool read_formats(struct talk_portal *p, struct view body, struct view values, struct failure *f) {
    struct view name[CONSOLE_COLUMNS_MAX];
    struct reader r = reader_of(view_from(body, (size_t)(values.at - body.at) + values.len));
    size_t count = reader_u16(&r), columns = 0;
    if (p->plan.kind == PLAN_COMMAND)
        columns = console_columns(console_declaration(p->plan.command.verb)->columns, name);
    else if (p->plan.kind == PLAN_COURTESY && p->plan.courtesy.kind == COURTESY_ROW)
        columns = 1;
    if (count > 1 && count != columns)
        return fail(f, "08P01", "bind message has result formats for another number of columns");
    for (size_t i = 0; i < count; i++) {
        unsigned format = reader_u16(&r);
        if (format > 1)
            return fail(f, "22023", "unsupported format code");
        p->formats[i] = (uint8_t)format;
    }
    p->format_count = count;
    return !r.bad || malformed(f);
}

static bool fill_portal(struct talk_portal *p, const struct talk_statement *s, struct query_bind *q,
                        struct view body, struct failure *f) {
    struct view values = q->values.bytes;
    p->plan = s->plan;
    if (!view_copy_text(q->portal, p->name, sizeof p->name))
        return fail(f, "42622", "the name of the portal is too long");
    return bind_values(p, s, &q->values, f) && read_formats(p, body, values, f);
}

static bool take_bind(struct talk *t, struct view body, struct writer *out, struct failure *f) {
    struct query_bind q;
    if (!query_read_bind(body, &q))
        return malformed(f);
    struct talk_statement *s = statement_find(t, q.name);
    if (!s)
        return fail(f, "26000", "there is no prepared statement of this name");
    struct talk_portal *old = portal_find(t, q.portal);
    if (old && q.portal.len > 0)
        return fail(f, "42P03", "there is a portal of this name already");
    if (old)
        portal_remove(t, old);
    if (t->portal_count >= TALK_PORTALS_MAX)
        return fail(f, "54000", "too many portals");
    struct talk_portal *p = calloc(1, sizeof *p);
    if (!p)
        return fail(f, "53200", "out of memory");
    if (!fill_portal(p, s, &q, body, f)) {
        free(p);
        return false;
    }
    LIST_INSERT_HEAD(&t->portals, p, next);
    t->portal_count++;
    reply_bare(out, '2');
    return true;
}

/* --- the rest --- */

static bool take_describe(struct talk *t, struct view body, struct writer *out, struct failure *f) {
    char what;
    struct view name;
    if (!query_read_target(body, &what, &name))
        return malformed(f);
    if (what == 'S') {
        struct talk_statement *s = statement_find(t, name);
        if (!s)
            return fail(f, "26000", "there is no prepared statement of this name");
        reply_parameters(out, s);
        reply_columns(out, &s->plan, NULL);
        return true;
    }
    struct talk_portal *p = portal_find(t, name);
    if (!p)
        return fail(f, "34000", "there is no portal of this name");
    reply_columns(out, &p->plan, p);
    return true;
}

static bool take_execute(struct talk *t, struct view body, struct writer *out, bool *work,
                         struct failure *f) {
    struct view name;
    uint32_t rows;
    if (!query_read_execute(body, &name, &rows))
        return malformed(f);
    struct talk_portal *p = portal_find(t, name);
    if (!p)
        return fail(f, "34000", "there is no portal of this name");
    t->limit = rows;
    if (!portal_run(t, p, out, f))
        return false;
    *work = t->phase == PHASE_WORK;
    return true;
}

static bool take_close(struct talk *t, struct view body, struct writer *out, struct failure *f) {
    char what;
    struct view name;
    if (!query_read_target(body, &what, &name))
        return malformed(f);
    struct talk_statement *s = what == 'S' ? statement_find(t, name) : NULL;
    struct talk_portal *p = what == 'P' ? portal_find(t, name) : NULL;
    if (s)
        statement_remove(t, s);
    if (p)
        portal_remove(t, p);
    reply_bare(out, '3');
    return true;
}

bool extended_take(struct talk *t, char type, struct view body, struct writer *out, bool *work,
                   struct failure *f) {
    switch (type) {
    case 'P':
        return take_parse(t, body, out, f);
    case 'B':
        return take_bind(t, body, out, f);
    case 'D':
        return take_describe(t, body, out, f);
    case 'E':
        return take_execute(t, body, out, work, f);
    default:
        assert(type == 'C');
        return take_close(t, body, out, f);
    }
}
