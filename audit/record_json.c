/* SPDX-License-Identifier: ISC
 *
 * See record.h: a record as its one canonical JSON line. Members come in fields.def's order, without white
 * space, so that the same record is always the same bytes.
 */
#include "clock.h"
#include "magic.h"
#include "record.h"
#include "record_field.h"
#include "text.h"

#include <inttypes.h>

/* The longest line there can be: a byte of text becomes at most six ("\u0001"), a number has at most 20
 * digits. Then 4 bytes of punctuation around a name, 2 quotes, and 400 for the members every line has and the
 * newline. */
#define LONGEST_TEXT(name, most) (sizeof name + 5 + 6 * (most))
#define LONGEST_NUMBER(name, most) (sizeof name + 3 + 20)
enum {
    LONGEST_LINE = 400
#define FIELD(code, name, kind, most) +LONGEST_##kind(name, most)
#include "fields.def"
#undef FIELD
};
_Static_assert(LONGEST_LINE <= RECORD_LINE_MAX, "a record might not fit on a line");

static void json_text(struct writer *w, enum field field, struct view text) {
    bool cut;
    struct view kept = field_keep(field, text, &cut);
    text_json(w, kept);
    if (cut && !w->bad) {
        w->len--; /* the closing quote */
        writer_text(w, "...\"");
    }
}

static void json_field(struct writer *w, const struct record *r, enum field field) {
    for (size_t i = 0; i < r->count; i++) {
        if (r->item[i].field != field)
            continue;
        writer_format(w, ",\"%s\":", field_name(field));
        if (field_rule(field)->is_text)
            json_text(w, field, r->item[i].text);
        else
            writer_format(w, "%" PRIu64, r->item[i].number);
    }
}

void record_json(struct writer *w, const struct record *r, const char *tenant, uint64_t n, int64_t wall_us,
                 int offset_minutes, const uint8_t prev[32]) {
    MAGIC_CHECK(r, RECORD_MAGIC);
    writer_format(w, "{\"n\":%" PRIu64 ",\"time\":\"", n);
    clock_rfc3339(w, wall_us, offset_minutes);
    writer_text(w, "\",\"tenant\":");
    if (tenant[0])
        text_json(w, view_text(tenant));
    else
        writer_text(w, "null");
    writer_format(w, ",\"event\":\"%s\"", event_name(r->event));
    if (r->session != 0) {
        char id[17];
        text_hex64(r->session, id);
        writer_format(w, ",\"session\":\"%s\"", id);
    }
    for (unsigned f = 0; f < FIELD_COUNT; f++)
        json_field(w, r, (enum field)f);
    writer_text(w, ",\"prev\":\"");
    text_hex(w, view_of(prev, 32));
    writer_text(w, "\"}");
}
