/* SPDX-License-Identifier: ISC
 *
 * The observer's client side: what an operator may say is a table; each statement is held whole, told, and
 * put into the line. COPY data is not held for its content, only counted and hashed: it changes nothing for
 * good before its CopyDone, which is told first as any statement. What is not in the table, too long or
 * malformed ends the session: PostgreSQL and this file must never read the same bytes differently.
 */
#include "digest.h"
#include "magic.h"
#include "message.h"
#include "observe_parts.h"
#include "text.h"

#include <string.h>

enum { HEADER = 5, LENGTH_ITSELF = 4 };

enum carry {
    CARRY_HELD,  /* a statement: told when it is whole */
    CARRY_EMPTY, /* nothing to tell */
    CARRY_DATA   /* counted, hashed and passed on as it comes */
};

/* A statement being told. */
struct telling {
    struct record record;
    const char *kind;
    struct view sql;
    char kind_room[16];
    uint8_t name_room[OBSERVE_NAME_MAX * 2 + 4], portal_room[OBSERVE_NAME_MAX * 2 + 4];
    uint8_t parameters_room[OBSERVE_PARAMETERS_MAX];
    char sha256_room[2 * DIGEST_LEN];
    uint8_t sha256[DIGEST_LEN];
    uint64_t bytes;
};

enum telling_result { TELLING_OK, TELLING_MALFORMED, TELLING_LONG_NAME };

typedef enum telling_result tell_fn(struct observe *o, struct view body, struct telling *t);

struct client_rule {
    char type;
    enum carry carry;
    enum asked_kind asked;
    uint32_t most; /* of the length field */
    const char *kind;
    tell_fn *tell;
};

static enum telling_result write_name(struct telling *t, enum field field, uint8_t *room, size_t cap,
                                      struct view name) {
    struct writer w = writer_of(room, cap);
    if (!observe_name(&w, name))
        return TELLING_LONG_NAME;
    record_text(&t->record, field, writer_view(&w));
    return TELLING_OK;
}

static enum telling_result tell_name(struct telling *t, struct view name) {
    return write_name(t, FIELD_NAME, t->name_room, sizeof t->name_room, name);
}

static enum telling_result tell_portal(struct telling *t, struct view portal) {
    return write_name(t, FIELD_PORTAL, t->portal_room, sizeof t->portal_room, portal);
}

static void tell_parameters(struct telling *t, struct query_values values) {
    struct writer w = writer_of(t->parameters_room, sizeof t->parameters_room);
    observe_parameters(&w, values);
    assert(!w.bad);
    record_text(&t->record, FIELD_PARAMETERS, writer_view(&w));
}

static enum telling_result tell_query(struct observe *o, struct view body, struct telling *t) {
    return query_read_query(body, &t->sql) ? TELLING_OK : TELLING_MALFORMED;
}

static enum telling_result tell_parse(struct observe *o, struct view body, struct telling *t) {
    struct query_parse parse;
    if (!query_read_parse(body, &parse))
        return TELLING_MALFORMED;
    t->sql = parse.sql;
    if (parse.types.len > 0) {
        struct writer w = writer_of(t->parameters_room, sizeof t->parameters_room);
        observe_types(&w, parse.types);
        assert(!w.bad);
        record_text(&t->record, FIELD_PARAMETERS, writer_view(&w));
    }
    return tell_name(t, parse.name);
}

static enum telling_result tell_bind(struct observe *o, struct view body, struct telling *t) {
    struct query_bind bind;
    if (!query_read_bind(body, &bind))
        return TELLING_MALFORMED;
    if (tell_name(t, bind.name) != TELLING_OK || tell_portal(t, bind.portal) != TELLING_OK)
        return TELLING_LONG_NAME;
    tell_parameters(t, bind.values);
    return TELLING_OK;
}

static enum telling_result tell_execute(struct observe *o, struct view body, struct telling *t) {
    struct view portal;
    uint32_t rows;
    if (!query_read_execute(body, &portal, &rows))
        return TELLING_MALFORMED;
    if (rows > 0)
        record_number(&t->record, FIELD_ROWS, rows);
    return tell_portal(t, portal);
}

static enum telling_result tell_target(struct observe *o, struct view body, struct telling *t) {
    char what;
    struct view name;
    if (!query_read_target(body, &what, &name))
        return TELLING_MALFORMED;
    record_text(&t->record, FIELD_DETAIL, view_text(what == 'S' ? "statement" : "portal"));
    return what == 'S' ? tell_name(t, name) : tell_portal(t, name);
}

static enum telling_result tell_call(struct observe *o, struct view body, struct telling *t) {
    struct query_call call;
    if (!query_read_call(body, &call))
        return TELLING_MALFORMED;
    struct writer w = writer_of(t->name_room, sizeof t->name_room);
    writer_format(&w, "%lu", (unsigned long)call.function);
    record_text(&t->record, FIELD_NAME, writer_view(&w));
    tell_parameters(t, call.values);
    return TELLING_OK;
}

static void tell_copied(struct observe *o, struct telling *t) {
    if (o->in.sha256)
        t->bytes = tally_end(&o->in, t->sha256);
    else
        digest_sha256(view_of(NULL, 0), t->sha256);
    struct writer w = writer_of(t->sha256_room, sizeof t->sha256_room);
    text_hex(&w, view_of(t->sha256, sizeof t->sha256));
    record_number(&t->record, FIELD_BYTES, t->bytes);
    record_text(&t->record, FIELD_SHA256, writer_view(&w));
}

static enum telling_result tell_copy_done(struct observe *o, struct view body, struct telling *t) {
    if (body.len > 0)
        return TELLING_MALFORMED;
    tell_copied(o, t);
    return TELLING_OK;
}

static enum telling_result tell_copy_fail(struct observe *o, struct view body, struct telling *t) {
    struct view message;
    if (!query_read_copy_fail(body, &message))
        return TELLING_MALFORMED;
    tell_copied(o, t);
    record_text(&t->record, FIELD_MESSAGE, message);
    return TELLING_OK;
}

/* clang-format off */
static const struct client_rule rules[] = {
    {'Q', CARRY_HELD,  ASKED_QUERY,     OBSERVE_STATEMENT_MAX, "query",         tell_query},
    {'P', CARRY_HELD,  ASKED_PARSE,     OBSERVE_STATEMENT_MAX, "parse",         tell_parse},
    {'B', CARRY_HELD,  ASKED_BIND,      OBSERVE_STATEMENT_MAX, "bind",          tell_bind},
    {'E', CARRY_HELD,  ASKED_EXECUTE,   OBSERVE_STATEMENT_MAX, "execute",       tell_execute},
    {'D', CARRY_HELD,  ASKED_DESCRIBE,  OBSERVE_STATEMENT_MAX, "describe",      tell_target},
    {'C', CARRY_HELD,  ASKED_CLOSE,     OBSERVE_STATEMENT_MAX, "close",         tell_target},
    {'F', CARRY_HELD,  ASKED_CALL,      OBSERVE_STATEMENT_MAX, "function-call", tell_call},
    {'c', CARRY_HELD,  ASKED_COPY_DONE, LENGTH_ITSELF,         "copy-done",     tell_copy_done},
    {'f', CARRY_HELD,  ASKED_COPY_FAIL, OBSERVE_STATEMENT_MAX, "copy-fail",     tell_copy_fail},
    {'S', CARRY_EMPTY, ASKED_SYNC,      LENGTH_ITSELF,         "sync",          NULL},
    {'H', CARRY_EMPTY, ASKED_NOTHING,   LENGTH_ITSELF,         "flush",         NULL},
    {'X', CARRY_EMPTY, ASKED_NOTHING,   LENGTH_ITSELF,         "terminate",     NULL},
    {'d', CARRY_DATA,  ASKED_NOTHING,   MESSAGE_MAX,           "copy",          NULL},
};
/* clang-format on */

static const struct client_rule *rule_of(char type) {
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].type == type)
            return &rules[i];
    return NULL;
}

static enum observe_result no_memory(struct observe *o) {
    struct failure f;
    failure_set(&f, "53200", NULL, "out of memory");
    return observe_refuse(o, 0, &f);
}

/* Refuses what was not understood, or not read to its end: the attempt is told, and why. */
static void refuse_message(struct observe *o, const struct failure *f) {
    struct record r;
    record_begin(&r, EVENT_OPERATOR_STATEMENT, o->rules.session);
    uint64_t number = ++o->numbers;
    record_number(&r, FIELD_NUMBER, number);
    record_text(&r, FIELD_KIND, view_text(o->rule ? o->rule->kind : "unknown"));
    record_number(&r, FIELD_BYTES, (uint64_t)o->length + 1);
    observe_tell(o, number, &r);
    observe_refuse(o, number, f);
}

static void refuse_malformed(struct observe *o) {
    struct failure f;
    failure_set(&f, "08P01", NULL, "malformed message of type \"%s\" from the client", o->rule->kind);
    refuse_message(o, &f);
}

/* Tells one record, or one for each part of a long text. The ticket of the last one counts. */
static void tell_parts(struct observe *o, uint64_t number, struct telling *t) {
    struct parts p;
    parts_begin(&p, t->sql);
    size_t parts = parts_count(p);
    struct writer kind = writer_of(t->kind_room, sizeof t->kind_room);
    writer_format(&kind, "%s%s", t->kind, p.hex ? "-hex" : "");
    record_number(&t->record, FIELD_NUMBER, number);
    record_text(&t->record, FIELD_KIND, writer_view(&kind));
    if (parts > 1)
        record_number(&t->record, FIELD_PARTS, parts);
    for (size_t part = 1; part <= parts || part == 1; part++) {
        uint8_t room[OBSERVE_TEXT_MAX];
        struct writer w = writer_of(room, sizeof room);
        struct record r = t->record;
        if (parts_next(&p, &w))
            record_text(&r, FIELD_SQL, writer_view(&w));
        if (parts > 1)
            record_number(&r, FIELD_PART, part);
        observe_tell(o, number, &r);
    }
}

void observe_tell_broken_copy(struct observe *o) {
    if (!o->in.sha256)
        return;
    struct telling t = {.kind = "copy"};
    record_begin(&t.record, EVENT_OPERATOR_STATEMENT, o->rules.session);
    tell_copied(o, &t);
    tell_parts(o, ++o->numbers, &t);
}

static void refuse_call(struct observe *o, uint64_t number) {
    struct failure f;
    failure_set(&f, "42501", "call the function in a SELECT",
                "the function call message is not allowed in an operator's session of this scope");
    observe_refuse(o, number, &f);
}

static void refuse_name(struct observe *o) {
    struct failure f;
    failure_set(&f, "42622", "use a name of at most 63 bytes",
                "the name of a statement or portal is too long for an operator's session");
    refuse_message(o, &f);
}

static void finish_statement(struct observe *o, struct view body) {
    const struct client_rule *rule = o->rule;
    bool ends_copy = rule->asked == ASKED_COPY_DONE || rule->asked == ASKED_COPY_FAIL;
    struct telling t = {.kind = rule->kind};
    if (!ends_copy)
        observe_tell_broken_copy(o);
    record_begin(&t.record, EVENT_OPERATOR_STATEMENT, o->rules.session);
    enum telling_result told = rule->tell(o, body, &t);
    if (told == TELLING_MALFORMED) {
        refuse_malformed(o);
        return;
    }
    if (told == TELLING_LONG_NAME) {
        refuse_name(o);
        return;
    }
    uint64_t number = ++o->numbers;
    tell_parts(o, number, &t);
    if (rule->asked == ASKED_CALL && !o->rules.allow_replication_and_function_call) {
        refuse_call(o, number);
        return;
    }
    struct asked *a = observe_push(o, rule->asked);
    a->number = number;
    a->ticket = o->tickets;
    a->bytes = t.bytes;
    memcpy(a->sha256, t.sha256, sizeof a->sha256);
    o->copied = ends_copy;
}

static void finish_message(struct observe *o, int64_t now_us) {
    size_t len = (size_t)(o->taken - o->whole);
    struct view message = view_of(o->held + o->held_len - len, len);
    if (o->rule->asked != ASKED_NOTHING && !observe_room(o)) {
        no_memory(o);
        return;
    }
    if (o->rule->carry == CARRY_HELD)
        finish_statement(o, view_from(message, HEADER));
    else if (o->rule->asked == ASKED_SYNC)
        observe_push(o, ASKED_SYNC)->early = !o->copied;
    o->whole = o->taken;
    o->header = 0;
    if (!o->refused)
        observe_release(o, now_us);
}

static void refuse_long(struct observe *o) {
    struct failure f;
    if (o->rule->carry == CARRY_HELD && o->rule->most == OBSERVE_STATEMENT_MAX)
        failure_set(&f, "54000", "send it in smaller pieces", "statement too long for an operator's session");
    else
        failure_set(&f, "08P01", NULL, "message of type \"%s\" from the client is too long", o->rule->kind);
    refuse_message(o, &f);
}

/* The header is whole. */
static void begin_message(struct observe *o) {
    struct failure f;
    const uint8_t *header = o->held + o->held_len - HEADER;
    struct reader r = reader_of(view_of(header, HEADER));
    char type = (char)reader_u8(&r);
    o->length = reader_u32(&r);
    o->rule = rule_of(type);
    if (!o->rule) {
        failure_set(&f, "08P01", NULL, "unknown message type 0x%02x from the client",
                    (unsigned)(uint8_t)type);
        refuse_message(o, &f);
    } else if (o->length < LENGTH_ITSELF) {
        refuse_malformed(o);
    } else if (o->length > o->rule->most) {
        refuse_long(o);
    } else {
        o->left = o->length - LENGTH_ITSELF;
        if (o->rule->carry != CARRY_DATA)
            return;
        o->whole = o->taken;
        o->copied = true;
        if (!tally_add(&o->in, view_of(NULL, 0)))
            no_memory(o);
    }
}

static bool may_begin(const struct observe *o) {
    return observe_pending(o) < OBSERVE_RECORDS_MAX && o->count < OBSERVE_OUTSTANDING_MAX;
}

static void take_header(struct observe *o, size_t len) {
    o->header = (uint8_t)(o->header + len);
    if (o->header == HEADER)
        begin_message(o);
}

static void take_body(struct observe *o, struct view bytes) {
    o->left -= bytes.len;
    if (o->rule->carry != CARRY_DATA)
        return;
    o->whole = o->taken;
    if (!tally_add(&o->in, bytes))
        no_memory(o);
}

/* Takes as much as belongs to one header or one body, and fits. */
static size_t take(struct observe *o, struct view bytes, int64_t now_us) {
    if (o->header == 0 && !may_begin(o))
        return 0;
    bool in_header = o->header < HEADER;
    uint64_t len = in_header ? (uint64_t)(HEADER - o->header) : o->left;
    size_t room = OBSERVE_HELD_MAX - (o->held_len - o->held_at);
    if (len > bytes.len)
        len = bytes.len;
    if (len > room)
        len = room;
    if (len == 0)
        return 0;
    struct view taken = view_of(bytes.at, (size_t)len);
    if (!observe_hold(o, taken)) {
        no_memory(o);
        return 0;
    }
    if (in_header)
        take_header(o, taken.len);
    else
        take_body(o, taken);
    if (!o->refused && o->header == HEADER && o->left == 0)
        finish_message(o, now_us);
    return taken.len;
}

enum observe_result observe_client(struct observe *o, struct view bytes, int64_t now_us, size_t *used,
                                   struct failure *why) {
    MAGIC_CHECK(o, OBSERVE_MAGIC);
    *used = 0;
    while (!o->refused && *used < bytes.len) {
        size_t took = take(o, view_from(bytes, *used), now_us);
        if (took == 0)
            break;
        *used += took;
    }
    if (!o->refused)
        return OBSERVE_OK;
    *why = o->failure;
    return OBSERVE_REFUSE;
}
