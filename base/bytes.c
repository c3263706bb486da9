/* SPDX-License-Identifier: ISC
 *
 * See bytes.h. Every length is compared with what is left before any pointer moves, so no addition can wrap.
 */
#include "bytes.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct view view_of(const void *at, size_t len) {
    return (struct view){at, len};
}

struct view view_text(const char *text) {
    return (struct view){(const uint8_t *)text, strlen(text)};
}

bool view_equal(struct view a, struct view b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool view_equal_text(struct view a, const char *text) {
    return view_equal(a, view_text(text));
}

bool view_starts(struct view a, const char *prefix) {
    size_t n = strlen(prefix);
    return a.len >= n && memcmp(a.at, prefix, n) == 0;
}

struct view view_from(struct view v, size_t from) {
    if (from >= v.len)
        return (struct view){NULL, 0};
    return (struct view){v.at + from, v.len - from};
}

bool view_copy_text(struct view v, char *dst, size_t cap) {
    assert(cap > 0);
    dst[0] = 0;
    if (v.len >= cap || (v.len > 0 && memchr(v.at, 0, v.len)))
        return false;
    if (v.len > 0)
        memcpy(dst, v.at, v.len);
    dst[v.len] = 0;
    return true;
}

struct reader reader_of(struct view v) {
    static const uint8_t nothing[1];
    const uint8_t *at = v.at ? v.at : nothing;
    return (struct reader){at, at + v.len, false};
}

size_t reader_left(const struct reader *r) {
    return r->bad ? 0 : (size_t)(r->end - r->at);
}

bool reader_done(const struct reader *r) {
    return !r->bad && r->at == r->end;
}

struct view reader_bytes(struct reader *r, size_t n) {
    if (r->bad || n > (size_t)(r->end - r->at)) {
        r->bad = true;
        return (struct view){NULL, 0};
    }
    struct view v = {r->at, n};
    r->at += n;
    return v;
}

static uint64_t reader_number(struct reader *r, size_t n) {
    struct view v = reader_bytes(r, n);
    uint64_t number = 0;
    for (size_t i = 0; i < v.len; i++)
        number = number << 8 | v.at[i];
    return number;
}

uint8_t reader_u8(struct reader *r) {
    return (uint8_t)reader_number(r, 1);
}

uint16_t reader_u16(struct reader *r) {
    return (uint16_t)reader_number(r, 2);
}

uint32_t reader_u24(struct reader *r) {
    return (uint32_t)reader_number(r, 3);
}

uint32_t reader_u32(struct reader *r) {
    return (uint32_t)reader_number(r, 4);
}

uint64_t reader_u64(struct reader *r) {
    return reader_number(r, 8);
}

struct view reader_cstr(struct reader *r, size_t max) {
    size_t left = reader_left(r);
    size_t look = left < max + 1 ? left : max + 1;
    const uint8_t *nul = look ? memchr(r->at, 0, look) : NULL;
    if (!nul) {
        r->bad = true;
        return (struct view){NULL, 0};
    }
    struct view v = reader_bytes(r, (size_t)(nul - r->at));
    r->at++;
    return v;
}

struct view reader_text16(struct reader *r, size_t max) {
    size_t n = reader_u16(r);
    if (n > max)
        r->bad = true;
    return reader_bytes(r, n);
}

void reader_text16_into(struct reader *r, char *dst, size_t cap) {
    struct view v = reader_text16(r, cap - 1);
    if (!view_copy_text(v, dst, cap))
        r->bad = true;
}

struct writer writer_of(void *at, size_t cap) {
    return (struct writer){at, cap, 0, false};
}

struct view writer_view(const struct writer *w) {
    return (struct view){w->at, w->len};
}

size_t writer_left(const struct writer *w) {
    return w->bad ? 0 : w->cap - w->len;
}

void writer_bytes(struct writer *w, struct view v) {
    if (w->bad || v.len > w->cap - w->len) {
        w->bad = true;
        return;
    }
    if (v.len > 0)
        memcpy(w->at + w->len, v.at, v.len);
    w->len += v.len;
}

static void writer_number(struct writer *w, uint64_t v, size_t n) {
    uint8_t bytes[8];
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
    writer_bytes(w, view_of(bytes, n));
}

void writer_u8(struct writer *w, uint8_t v) {
    writer_number(w, v, 1);
}

void writer_u16(struct writer *w, uint16_t v) {
    writer_number(w, v, 2);
}

void writer_u32(struct writer *w, uint32_t v) {
    writer_number(w, v, 4);
}

void writer_u64(struct writer *w, uint64_t v) {
    writer_number(w, v, 8);
}

void writer_text(struct writer *w, const char *text) {
    writer_bytes(w, view_text(text));
}

void writer_cstr(struct writer *w, const char *text) {
    writer_bytes(w, view_of(text, strlen(text) + 1));
}

void writer_text16(struct writer *w, struct view v) {
    if (v.len > UINT16_MAX || v.len + 2 > writer_left(w)) {
        w->bad = true;
        return;
    }
    writer_u16(w, (uint16_t)v.len);
    writer_bytes(w, v);
}

void writer_format(struct writer *w, const char *format, ...) {
    if (w->bad)
        return;
    /* vsnprintf wants room for a NUL that we do not keep: format aside when the tail is that tight. */
    char text[2048];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof text) {
        w->bad = true;
        return;
    }
    writer_bytes(w, view_of(text, (size_t)n));
}

void writer_patch_u32(struct writer *w, size_t where, uint32_t v) {
    if (w->bad)
        return;
    assert(where + 4 <= w->len);
    for (size_t i = 0; i < 4; i++)
        w->at[where + i] = (uint8_t)(v >> (8 * (3 - i)));
}
