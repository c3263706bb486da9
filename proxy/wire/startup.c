/* SPDX-License-Identifier: ISC
 *
 * See startup.h. Takes and refuses what PostgreSQL 15 takes and refuses in its start-up packet, and refuses
 * beyond it what only an attacker sends: repeated names, names that PostgreSQL would cut, lengths that do not
 * fit the request.
 */
#include "startup.h"
#include "text.h"

#include <string.h>

/* The code in the second four bytes: 1234 in the high half marks a request, otherwise it is the major
 * version. */
enum { CODE_CANCEL = 80877102, CODE_SSL = 80877103, CODE_GSSENC = 80877104 };
enum { MAJOR = 3, PROTOCOL_3_0 = MAJOR << 16, LENGTH_LEAST = 8, LENGTH_CANCEL = 16 };

static const char violation[] = "08P01",
                  unsupported[] = "0A000"; /* protocol violation; feature not supported */
static const char extension[] = "_pq_.";   /* protocol options, not parameters */

enum replication { REPLICATION_OFF, REPLICATION_PHYSICAL, REPLICATION_DATABASE, REPLICATION_INVALID };

static void bad(struct startup *out, const char *sqlstate, const char *why) {
    memset(out, 0, sizeof *out);
    out->kind = STARTUP_BAD;
    out->sqlstate = sqlstate;
    out->why = why;
}

size_t startup_length(const uint8_t first[4]) {
    struct reader r = reader_of(view_of(first, 4));
    uint32_t length = reader_u32(&r);
    return length >= LENGTH_LEAST && length <= STARTUP_MAX ? length : 0;
}

/* A PostgreSQL boolean: any unambiguous beginning of its words, in either case, or a digit. */
static enum replication replication_mode(struct view value) {
    static const struct {
        const char *word;
        size_t least;
        enum replication mode;
    } words[] = {
        {"true", 1, REPLICATION_PHYSICAL}, {"yes", 1, REPLICATION_PHYSICAL}, {"on", 2, REPLICATION_PHYSICAL},
        {"1", 1, REPLICATION_PHYSICAL},    {"false", 1, REPLICATION_OFF},    {"no", 1, REPLICATION_OFF},
        {"off", 2, REPLICATION_OFF},       {"0", 1, REPLICATION_OFF},
    };
    if (view_equal_text(value, "database"))
        return REPLICATION_DATABASE;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct view word = view_text(words[i].word);
        if (value.len < words[i].least || value.len > word.len)
            continue;
        if (text_equal_nocase(value, view_of(word.at, value.len)))
            return words[i].mode;
    }
    return REPLICATION_INVALID;
}

static const struct view *find_option(const struct startup *s, struct view name) {
    for (size_t i = 0; i < s->options; i++)
        if (view_equal(s->option[i].name, name))
            return &s->option[i].value;
    return NULL;
}

static struct view option_or_empty(const struct startup *s, const char *name) {
    const struct view *value = find_option(s, view_text(name));
    return value ? *value : view_of(NULL, 0);
}

/* Pairs of terminated texts, then one zero byte that ends the packet. Returns why not, or NULL. */
static const char *read_options(struct reader *r, struct startup *out) {
    for (;;) {
        struct view name = reader_cstr(r, STARTUP_MAX);
        if (r->bad)
            return "startup packet without terminator";
        if (name.len == 0)
            return reader_done(r) ? NULL : "bytes behind the startup packet's terminator";
        struct view value = reader_cstr(r, STARTUP_MAX);
        if (r->bad)
            return "startup parameter without value";
        if (find_option(out, name))
            return "startup parameter sent twice";
        if (out->options == STARTUP_OPTIONS_MAX)
            return "too many startup parameters";
        out->option[out->options++] = (struct startup_option){name, value};
        if (view_starts(name, extension))
            out->negotiate = true;
    }
}

/* What the packet says of user, database and replication. Returns why it may not, or NULL. */
static const char *read_names(struct startup *out) {
    out->user = option_or_empty(out, "user");
    out->database = option_or_empty(out, "database");
    out->application_name = option_or_empty(out, "application_name");
    out->replication = option_or_empty(out, "replication");
    if (out->user.len == 0)
        return "no user name in the startup packet";
    if (out->user.len > STARTUP_NAME_MAX)
        return "user name is too long";
    if (out->database.len > STARTUP_NAME_MAX)
        return "database name is too long";
    enum replication mode = REPLICATION_OFF;
    if (find_option(out, view_text("replication")))
        mode = replication_mode(out->replication);
    if (mode == REPLICATION_INVALID)
        return "invalid value for parameter \"replication\"";
    if (mode == REPLICATION_PHYSICAL)
        out->database =
            view_of(NULL, 0); /* PostgreSQL forgets the name here as well: it streams all databases */
    else if (out->database.len == 0)
        out->database = out->user;
    return NULL;
}

static void parse_message(struct reader *r, uint32_t code, struct startup *out) {
    out->kind = STARTUP_MESSAGE;
    out->minor = (uint16_t)code;
    out->negotiate = out->minor > 0;
    const char *why = read_options(r, out);
    if (!why)
        why = read_names(out);
    if (why)
        bad(out, violation, why);
}

/* The requests have one length each: bytes behind them would be smuggled past whoever reads on. */
static void parse_request(struct reader *r, enum startup_kind kind, struct startup *out) {
    out->kind = kind;
    if (kind == STARTUP_CANCEL) {
        out->cancel_pid = reader_u32(r);
        out->cancel_key = reader_u32(r);
    }
    if (!reader_done(r))
        bad(out, violation, "request of a wrong length");
}

void startup_parse(struct view packet, struct startup *out) {
    memset(out, 0, sizeof *out);
    if (packet.len < LENGTH_LEAST || startup_length(packet.at) != packet.len) {
        bad(out, violation, "invalid length of startup packet");
        return;
    }
    struct reader r = reader_of(view_from(packet, 4));
    uint32_t code = reader_u32(&r);
    if (code == CODE_SSL)
        parse_request(&r, STARTUP_SSL, out);
    else if (code == CODE_GSSENC)
        parse_request(&r, STARTUP_GSSENC, out);
    else if (code == CODE_CANCEL)
        parse_request(&r, STARTUP_CANCEL, out);
    else if (code >> 16 == MAJOR)
        parse_message(&r, code, out);
    else
        bad(out, unsupported, "unsupported frontend protocol");
}

void startup_write(struct writer *w, const struct startup *s) {
    size_t start = w->len;
    writer_u32(w, 0);
    writer_u32(w, PROTOCOL_3_0);
    for (size_t i = 0; i < s->options; i++) {
        if (view_starts(s->option[i].name, extension))
            continue;
        writer_bytes(w, s->option[i].name);
        writer_u8(w, 0);
        writer_bytes(w, s->option[i].value);
        writer_u8(w, 0);
    }
    writer_u8(w, 0);
    writer_patch_u32(w, start, (uint32_t)(w->len - start));
}

void startup_write_negotiate(struct writer *w, const struct startup *s) {
    uint32_t unknown = 0;
    writer_u8(w, 'v');
    size_t start = w->len;
    writer_u32(w, 0);
    writer_u32(w, PROTOCOL_3_0); /* the whole version, as PostgreSQL sends it and libpq reads it */
    size_t count = w->len;
    writer_u32(w, 0);
    for (size_t i = 0; i < s->options; i++) {
        if (!view_starts(s->option[i].name, extension))
            continue;
        writer_bytes(w, s->option[i].name);
        writer_u8(w, 0);
        unknown++;
    }
    writer_patch_u32(w, count, unknown);
    writer_patch_u32(w, start, (uint32_t)(w->len - start));
}

void startup_write_ssl(struct writer *w) {
    writer_u32(w, LENGTH_LEAST);
    writer_u32(w, CODE_SSL);
}

void startup_write_cancel(struct writer *w, uint32_t pid, uint32_t key) {
    writer_u32(w, LENGTH_CANCEL);
    writer_u32(w, CODE_CANCEL);
    writer_u32(w, pid);
    writer_u32(w, key);
}
