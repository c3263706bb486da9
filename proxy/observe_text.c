/* SPDX-License-Identifier: ISC
 *
 * How the observer writes down what an operator sent, so that every byte can be found again: text as it is
 * when it is valid UTF-8, else in hexadecimal behind "\x"; parameters as a JSON array in which a string that
 * begins with "\x" always means those bytes, {"text":...} a text that happens to begin so, null NULL,
 * {"bytes":N,"sha256":
 * ...} a value that is too long, and {"more":K,...} at the end all that found no room: K values, hashed as
 * sent.
 */
#include "digest.h"
#include "observe_parts.h"
#include "text.h"

enum { SET_MAX = 3500, VALUE_MAX = 1024 };

static const char hex_mark[] = "\\x";

static bool is_plain(struct view v) {
    while (v.len > 0) {
        size_t n = text_utf8(v);
        if (n == 0 || v.at[0] == 0)
            return false;
        v = view_from(v, n);
    }
    return true;
}

void parts_begin(struct parts *p, struct view text) {
    *p = (struct parts){text, !is_plain(text), true};
}

/* How much of the rest goes into the next part. */
static size_t part_length(const struct parts *p) {
    size_t most = p->hex ? OBSERVE_TEXT_MAX / 2 - p->first : OBSERVE_TEXT_MAX;
    if (p->rest.len <= most)
        return p->rest.len;
    while (!p->hex && (p->rest.at[most] & 0xC0) == 0x80)
        most--; /* at most three times: the text is valid UTF-8 */
    return most;
}

size_t parts_count(struct parts p) {
    size_t count = 0;
    for (; p.rest.len > 0; count++) {
        p.rest = view_from(p.rest, part_length(&p));
        p.first = false;
    }
    return count;
}

bool parts_next(struct parts *p, struct writer *w) {
    if (p->rest.len == 0)
        return false;
    struct view part = view_of(p->rest.at, part_length(p));
    p->rest = view_from(p->rest, part.len);
    if (!p->hex) {
        writer_bytes(w, part);
    } else {
        if (p->first)
            writer_text(w, hex_mark);
        text_hex(w, part);
    }
    p->first = false;
    return true;
}

bool observe_name(struct writer *w, struct view name) {
    if (name.len > OBSERVE_NAME_MAX)
        return false;
    if (is_plain(name) && !view_starts(name, hex_mark)) {
        writer_bytes(w, name);
    } else {
        writer_text(w, hex_mark);
        text_hex(w, name);
    }
    return !w->bad && w->len <= OBSERVE_NAME_MAX;
}

static void write_digest(struct writer *w, struct view v) {
    uint8_t sha256[DIGEST_LEN];
    digest_sha256(v, sha256);
    writer_format(w, "\"bytes\":%zu,\"sha256\":\"", v.len);
    text_hex(w, view_of(sha256, sizeof sha256));
    writer_text(w, "\"}");
}

static void write_value(struct writer *w, const struct query_value *v) {
    if (v->null) {
        writer_text(w, "null");
    } else if (v->binary || !is_plain(v->bytes)) {
        writer_text(w, "\"\\\\x");
        text_hex(w, v->bytes);
        writer_text(w, "\"");
    } else if (view_starts(v->bytes, hex_mark)) {
        writer_text(w, "{\"text\":");
        text_json(w, v->bytes);
        writer_text(w, "}");
    } else {
        text_json(w, v->bytes);
    }
}

static void write_long_value(struct writer *w, const struct query_value *v) {
    writer_text(w, "{");
    write_digest(w, v->bytes);
}

/* Writes by `write` into what is left of the set's room, or writes nothing. */
static bool write_if_fits(struct writer *w, size_t index, const struct query_value *v,
                          void (*write)(struct writer *, const struct query_value *)) {
    if (w->len >= SET_MAX)
        return false;
    struct writer piece = writer_of(w->at + w->len, SET_MAX - w->len);
    if (index > 0)
        writer_u8(&piece, ',');
    write(&piece, v);
    if (piece.bad)
        return false;
    w->len += piece.len;
    return true;
}

void observe_parameters(struct writer *w, struct query_values values) {
    struct query_values before = values;
    struct query_value v;
    writer_u8(w, '[');
    for (size_t i = 0; query_next_value(&values, i, &v); before = values, i++) {
        if (v.bytes.len <= VALUE_MAX && write_if_fits(w, i, &v, write_value))
            continue;
        if (write_if_fits(w, i, &v, write_long_value))
            continue;
        writer_format(w, "%s{\"more\":%zu,", i > 0 ? "," : "", before.count);
        write_digest(w, before.bytes);
        break;
    }
    writer_u8(w, ']');
}

void observe_types(struct writer *w, struct view types) {
    struct reader r = reader_of(types);
    writer_u8(w, '[');
    for (size_t i = 0; reader_left(&r) > 0; i++) {
        if (w->len > SET_MAX) {
            writer_format(w, ",{\"more\":%zu,", reader_left(&r) / 4);
            write_digest(w, reader_bytes(&r, reader_left(&r)));
            break;
        }
        writer_format(w, "%s%lu", i > 0 ? "," : "", (unsigned long)reader_u32(&r));
    }
    writer_u8(w, ']');
}
