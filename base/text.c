/* SPDX-License-Identifier: ISC
 *
 * See text.h.
 */
#include "text.h"

#include <string.h>

size_t text_utf8(struct view v) {
    if (v.len == 0)
        return 0;
    uint8_t b = v.at[0];
    size_t n = b < 0x80                ? 1
               : b >= 0xC2 && b < 0xE0 ? 2
               : b >= 0xE0 && b < 0xF0 ? 3
               : b >= 0xF0 && b < 0xF5 ? 4
                                       : 0;
    if (n == 0 || n > v.len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((v.at[i] & 0xC0) != 0x80)
            return 0;
    if ((b == 0xE0 && v.at[1] < 0xA0) || (b == 0xED && v.at[1] > 0x9F))
        return 0;
    if ((b == 0xF0 && v.at[1] < 0x90) || (b == 0xF4 && v.at[1] > 0x8F))
        return 0;
    return n;
}

static void json_character(struct writer *w, struct view c) {
    uint8_t b = c.at[0];
    if (b == '"' || b == '\\')
        writer_format(w, "\\%c", b);
    else if (b == '\n')
        writer_text(w, "\\n");
    else if (b == '\r')
        writer_text(w, "\\r");
    else if (b == '\t')
        writer_text(w, "\\t");
    else if (b < 0x20 || b == 0x7F)
        writer_format(w, "\\u%04x", b);
    else if (b == 0xC2 && c.len == 2 && c.at[1] < 0xA0)
        writer_format(w, "\\u%04x", c.at[1]);
    else
        writer_bytes(w, c);
}

void text_json(struct writer *w, struct view v) {
    writer_u8(w, '"');
    while (v.len > 0) {
        size_t n = text_utf8(v);
        if (n == 0)
            writer_text(w, "\xEF\xBF\xBD");
        else
            json_character(w, view_of(v.at, n));
        v = view_from(v, n ? n : 1);
    }
    writer_u8(w, '"');
}

void text_hex(struct writer *w, struct view v) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < v.len; i++) {
        writer_u8(w, (uint8_t)digits[v.at[i] >> 4]);
        writer_u8(w, (uint8_t)digits[v.at[i] & 15]);
    }
}

static int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_unhex(struct view v, uint8_t *out, size_t len) {
    if (v.len != len * 2)
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(v.at[2 * i]), low = hex_digit(v.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void text_hex64(uint64_t v, char out[17]) {
    uint8_t bytes[8];
    struct writer b = writer_of(bytes, sizeof bytes);
    writer_u64(&b, v);
    struct writer w = writer_of(out, 17);
    text_hex(&w, writer_view(&b));
    writer_u8(&w, 0);
}

bool text_unhex64(struct view v, uint64_t *out) {
    uint8_t bytes[8];
    if (!text_unhex(v, bytes, sizeof bytes))
        return false;
    struct reader r = reader_of(view_of(bytes, sizeof bytes));
    *out = reader_u64(&r);
    return true;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_base64(struct writer *w, struct view v) {
    for (size_t i = 0; i < v.len; i += 3) {
        size_t n = v.len - i < 3 ? v.len - i : 3;
        uint32_t bits = (uint32_t)v.at[i] << 16;
        if (n > 1)
            bits |= (uint32_t)v.at[i + 1] << 8;
        if (n > 2)
            bits |= v.at[i + 2];
        for (size_t k = 0; k < 4; k++)
            writer_u8(w, k <= n ? (uint8_t)base64_digits[bits >> (18 - 6 * k) & 63] : '=');
    }
}

static int base64_value(uint8_t c) {
    const char *at = c ? strchr(base64_digits, c) : NULL;
    return at ? (int)(at - base64_digits) : -1;
}

/* One group of four digits; *last is set when it carried padding. */
static bool unbase64_group(struct writer *w, const uint8_t *d, bool *last) {
    size_t n = d[3] != '=' ? 4 : d[2] != '=' ? 3 : 2;
    uint32_t bits = 0;
    for (size_t k = 0; k < 4; k++) {
        int value = k < n ? base64_value(d[k]) : 0;
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
    }
    if ((n == 2 && (bits & 0xFFFF)) || (n == 3 && (bits & 0xFF)))
        return false; /* not canonical: bits set behind the end */
    uint8_t bytes[3] = {(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};
    writer_bytes(w, view_of(bytes, n - 1));
    *last = n < 4;
    return true;
}

bool text_unbase64(struct writer *w, struct view v) {
    bool last = false;
    bool good = v.len % 4 == 0;
    for (size_t i = 0; good && i < v.len; i += 4)
        good = !last && unbase64_group(w, v.at + i, &last);
    if (!good)
        w->bad = true;
    return good && !w->bad;
}

bool text_number(struct view v, uint64_t min, uint64_t max, uint64_t *out) {
    if (v.len == 0 || v.len > 20 || (v.len > 1 && v.at[0] == '0'))
        return false;
    uint64_t number = 0;
    for (size_t i = 0; i < v.len; i++) {
        if (v.at[i] < '0' || v.at[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(v.at[i] - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    if (number < min || number > max)
        return false;
    *out = number;
    return true;
}

bool text_duration(struct view v, uint64_t *out_ms) {
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
    size_t digits = 0;
    while (digits < v.len && v.at[digits] >= '0' && v.at[digits] <= '9')
        digits++;
    uint64_t number;
    if (!text_number(view_of(v.at, digits), 0, 1000000000, &number))
        return false;
    struct view unit = view_from(v, digits);
    if (unit.len == 0 && number == 0) {
        *out_ms = 0;
        return true;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (view_equal_text(unit, units[i].name)) {
            *out_ms = number * units[i].ms;
            return true;
        }
    return false;
}

static uint8_t lower(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool text_equal_nocase(struct view a, struct view b) {
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.at[i]) != lower(b.at[i]))
            return false;
    return true;
}

bool text_lower_into(struct view v, char *dst, size_t cap) {
    if (!view_copy_text(v, dst, cap))
        return false;
    for (char *c = dst; *c; c++)
        *c = (char)lower((uint8_t)*c);
    return true;
}

static bool is_space(uint8_t c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct view text_trim(struct view v) {
    while (v.len > 0 && is_space(v.at[0])) {
        v.at++;
        v.len--;
    }
    while (v.len > 0 && is_space(v.at[v.len - 1]))
        v.len--;
    return v;
}

bool text_next_item(struct view *rest, struct view *item) {
    *rest = text_trim(*rest);
    if (rest->len == 0)
        return false;
    const uint8_t *comma = memchr(rest->at, ',', rest->len);
    size_t n = comma ? (size_t)(comma - rest->at) : rest->len;
    *item = text_trim(view_of(rest->at, n));
    *rest = comma ? view_from(*rest, n + 1) : view_of(NULL, 0);
    return true;
}
