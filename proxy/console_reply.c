/* SPDX-License-Identifier: ISC
 *
 * The messages that the console answers with (PostgreSQL protocol, "Message Formats"). Every column is text
 * but one: SELECT 1 is an int4, as drivers ask it to see whether anybody is there.
 */
#include "console_talk_parts.h"
#include "message.h"
#include "secret.h"

enum { TYPE_INT4 = 23, TYPE_TEXT = 25, NULL_LENGTH = 0xffffffff };

static size_t begin(struct writer *w, char type) {
    writer_u8(w, (uint8_t)type);
    size_t where = w->len;
    writer_u32(w, 0);
    return where;
}

static void end(struct writer *w, size_t where) {
    if (!w->bad)
        writer_patch_u32(w, where, (uint32_t)(w->len - where));
}

void reply_bare(struct writer *out, char type) {
    end(out, begin(out, type));
}

static void parameter(struct writer *out, const char *name, const char *value) {
    size_t where = begin(out, 'S');
    writer_cstr(out, name);
    writer_cstr(out, value);
    end(out, where);
}

void reply_startup(struct writer *out, const char *user) {
    static const char *const parameters[][2] = {{"server_version", CONSOLE_VERSION},
                                                {"server_encoding", "UTF8"},
                                                {"client_encoding", "UTF8"},
                                                {"DateStyle", "ISO, MDY"},
                                                {"IntervalStyle", "postgres"},
                                                {"TimeZone", "UTC"},
                                                {"standard_conforming_strings", "on"},
                                                {"integer_datetimes", "on"},
                                                {"is_superuser", "off"},
                                                {"in_hot_standby", "off"},
                                                {"default_transaction_read_only", "off"},
                                                {"application_name", ""}};
    uint32_t key[2];
    message_write_auth_ok(out);
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++)
        parameter(out, parameters[i][0], parameters[i][1]);
    parameter(out, "session_authorization", user);
    /* Nothing here runs long enough to be cancelled: a key that leads nowhere. */
    secret_random(key, sizeof key);
    message_write_backend_key(out, key[0] & 0x7fffffff, key[1]);
    reply_ready(out, 'I');
}

void reply_ready(struct writer *out, char status) {
    size_t where = begin(out, 'Z');
    writer_u8(out, (uint8_t)status);
    end(out, where);
}

static void error_field(struct writer *w, char type, const char *text) {
    writer_u8(w, (uint8_t)type);
    writer_cstr(w, text);
}

static void reply_problem(struct writer *out, char type, const char *severity, const struct failure *f) {
    size_t where = begin(out, type);
    error_field(out, 'S', severity);
    error_field(out, 'V', severity);
    error_field(out, 'C', f->sqlstate);
    error_field(out, 'M', f->sentence);
    if (f->hint[0])
        error_field(out, 'H', f->hint);
    writer_u8(out, 0);
    end(out, where);
}

void reply_error(struct writer *out, const char *severity, const struct failure *f) {
    reply_problem(out, 'E', severity, f);
}

void reply_warning(struct writer *out, const struct failure *f) {
    reply_problem(out, 'N', "WARNING", f);
}

bool portal_binary(const struct talk_portal *p, size_t column) {
    if (!p || p->format_count == 0)
        return false;
    return p->formats[p->format_count == 1 ? 0 : column] == 1;
}

static void column(struct writer *out, struct view name, bool number, bool binary) {
    writer_bytes(out, name);
    writer_u8(out, 0);
    writer_u32(out, 0); /* of no table */
    writer_u16(out, 0);
    writer_u32(out, number ? TYPE_INT4 : TYPE_TEXT);
    writer_u16(out, number ? 4 : UINT16_MAX);
    writer_u32(out, UINT32_MAX);
    writer_u16(out, binary);
}

void reply_columns(struct writer *out, const struct plan *plan, const struct talk_portal *portal) {
    struct view name[CONSOLE_COLUMNS_MAX];
    size_t count;
    bool number = false;
    if (plan->kind == PLAN_COMMAND) {
        count = console_columns(console_declaration(plan->command.verb)->columns, name);
    } else if (plan->kind == PLAN_COURTESY && plan->courtesy.kind == COURTESY_ROW) {
        count = 1;
        name[0] = view_text(plan->courtesy.column);
        number = plan->courtesy.number;
    } else {
        reply_bare(out, 'n');
        return;
    }
    size_t where = begin(out, 'T');
    writer_u16(out, (uint16_t)count);
    for (size_t i = 0; i < count; i++)
        column(out, name[i], number, portal_binary(portal, i));
    end(out, where);
}

void reply_parameters(struct writer *out, const struct talk_statement *s) {
    size_t count = s->plan.kind == PLAN_COMMAND ? s->plan.command.parameters : 0;
    if (count < s->types)
        count = s->types;
    size_t where = begin(out, 't');
    writer_u16(out, (uint16_t)count);
    for (size_t i = 0; i < count; i++)
        writer_u32(out, i < s->types && s->type[i] != 0 ? s->type[i] : TYPE_TEXT);
    end(out, where);
}

void reply_row(struct writer *out, const struct view *cell, size_t cells) {
    size_t where = begin(out, 'D');
    writer_u16(out, (uint16_t)cells);
    for (size_t i = 0; i < cells; i++) {
        writer_u32(out, cell[i].at ? (uint32_t)cell[i].len : NULL_LENGTH);
        if (cell[i].at)
            writer_bytes(out, cell[i]);
    }
    end(out, where);
}

void reply_complete(struct writer *out, const char *tag) {
    size_t where = begin(out, 'C');
    writer_cstr(out, tag);
    end(out, where);
}

void reply_courtesy_row(struct writer *out, const struct plan *plan, const struct talk_portal *portal) {
    static const uint8_t one[4] = {0, 0, 0, 1};
    if (plan->courtesy.kind != COURTESY_ROW)
        return;
    struct view value = view_text(plan->courtesy.value);
    if (plan->courtesy.number && portal_binary(portal, 0))
        value = view_of(one, sizeof one);
    reply_row(out, &value, 1);
}
