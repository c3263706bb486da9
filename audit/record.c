/* SPDX-License-Identifier: ISC
 *
 * See record.h: composing a record and its binary form between processes. The form is: u16 event, u64
 * session, u16 count, then for each item u16 field and either text16 or u64.
 */
#include "record.h"
#include "magic.h"
#include "record_field.h"

#include <string.h>

struct event_rule {
    const char *name;
    unsigned sources;
};

static const struct event_rule events[EVENT_COUNT] = {
#define EVENT(code, name, sources, meaning) [EVENT_##code] = {name, sources},
#include "events.def"
#undef EVENT
};

enum kind { KIND_NUMBER, KIND_TEXT };

static const struct field_rule fields[FIELD_COUNT] = {
#define FIELD(code, name, kind, most) [FIELD_##code] = {name, KIND_##kind == KIND_TEXT, most},
#include "fields.def"
#undef FIELD
};

const char *event_name(enum audit_event e) {
    assert(e < EVENT_COUNT);
    return events[e].name;
}

bool event_by_name(struct view name, enum audit_event *out) {
    for (unsigned e = 0; e < EVENT_COUNT; e++)
        if (view_equal_text(name, events[e].name)) {
            *out = (enum audit_event)e;
            return true;
        }
    return false;
}

bool event_allowed(enum audit_event e, enum audit_source source) {
    assert(e < EVENT_COUNT);
    return (events[e].sources & (unsigned)source) != 0;
}

const struct field_rule *field_rule(enum field f) {
    assert(f < FIELD_COUNT);
    return &fields[f];
}

const char *field_name(enum field f) {
    return field_rule(f)->name;
}

struct view field_keep(enum field f, struct view text, bool *cut) {
    size_t most = field_rule(f)->most;
    *cut = text.len > most;
    if (!*cut)
        return text;
    size_t len = most - 3;
    /* The bytes after the first one of a UTF-8 character are 10xxxxxx; no character has more than three. */
    for (int i = 0; i < 3 && len > 0 && (text.at[len] & 0xC0) == 0x80; i++)
        len--;
    return view_of(text.at, len);
}

static bool record_has(const struct record *r, enum field field) {
    for (size_t i = 0; i < r->count; i++)
        if (r->item[i].field == field)
            return true;
    return false;
}

void record_begin(struct record *r, enum audit_event event, uint64_t session) {
    assert(event < EVENT_COUNT);
    memset(r, 0, sizeof *r);
    r->magic = RECORD_MAGIC;
    r->event = event;
    r->session = session;
}

static void record_add(struct record *r, enum field field, uint64_t number, struct view text) {
    assert(r->count < RECORD_FIELDS_MAX && !record_has(r, field));
    r->item[r->count].field = field;
    r->item[r->count].number = number;
    r->item[r->count].text = text;
    r->count++;
}

void record_text(struct record *r, enum field field, struct view text) {
    MAGIC_CHECK(r, RECORD_MAGIC);
    assert(field_rule(field)->is_text);
    if (text.len > 0)
        record_add(r, field, 0, text);
}

void record_number(struct record *r, enum field field, uint64_t number) {
    MAGIC_CHECK(r, RECORD_MAGIC);
    assert(!field_rule(field)->is_text);
    record_add(r, field, number < RECORD_NUMBER_MAX ? number : RECORD_NUMBER_MAX, view_of(NULL, 0));
}

static void write_text(struct writer *w, enum field field, struct view text) {
    bool cut;
    struct view kept = field_keep(field, text, &cut);
    writer_u16(w, (uint16_t)(kept.len + (cut ? 3 : 0)));
    writer_bytes(w, kept);
    if (cut)
        writer_text(w, "...");
}

void record_write(struct writer *w, const struct record *r) {
    MAGIC_CHECK(r, RECORD_MAGIC);
    writer_u16(w, (uint16_t)r->event);
    writer_u64(w, r->session);
    writer_u16(w, (uint16_t)r->count);
    for (size_t i = 0; i < r->count; i++) {
        enum field field = r->item[i].field;
        writer_u16(w, (uint16_t)field);
        if (field_rule(field)->is_text)
            write_text(w, field, r->item[i].text);
        else
            writer_u64(w, r->item[i].number);
    }
}

static void read_item(struct reader *r, struct record *out) {
    unsigned field = reader_u16(r);
    if (r->bad || field >= FIELD_COUNT || record_has(out, (enum field)field)) {
        r->bad = true;
        return;
    }
    const struct field_rule *rule = field_rule((enum field)field);
    uint64_t number = 0;
    struct view text = {NULL, 0};
    if (rule->is_text) {
        text = reader_text16(r, rule->most);
        if (text.len == 0)
            r->bad = true; /* the writer leaves empty texts out */
    } else {
        number = reader_u64(r);
        if (number > RECORD_NUMBER_MAX)
            r->bad = true;
    }
    if (!r->bad)
        record_add(out, (enum field)field, number, text);
}

bool record_read(struct reader *r, struct record *out) {
    unsigned event = reader_u16(r);
    uint64_t session = reader_u64(r);
    size_t count = reader_u16(r);
    if (r->bad || event >= EVENT_COUNT || count > RECORD_FIELDS_MAX) {
        r->bad = true;
        return false;
    }
    record_begin(out, (enum audit_event)event, session);
    for (size_t i = 0; i < count && !r->bad; i++)
        read_item(r, out);
    return !r->bad;
}
