/* SPDX-License-Identifier: ISC
 *
 * See console_words.h.
 */
#include "console_words.h"
#include "text.h"

#include <string.h>

static bool is_space(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

/* Bytes of v before the first occurrence of `mark`; all of them when there is none. */
static size_t before(struct view v, const char *mark) {
    const void *found = memmem(v.len > 0 ? v.at : (const uint8_t *)"", v.len, mark, strlen(mark));
    return found ? (size_t)((const uint8_t *)found - v.at) : v.len;
}

/* False at a comment that does not end. */
static bool skip_blank(struct view *rest) {
    for (;;) {
        if (rest->len > 0 && is_space(rest->at[0])) {
            *rest = view_from(*rest, 1);
        } else if (view_starts(*rest, "--")) {
            *rest = view_from(*rest, before(*rest, "\n"));
        } else if (view_starts(*rest, "/*")) {
            size_t end = before(view_from(*rest, 2), "*/");
            if (end + 2 == rest->len)
                return false;
            *rest = view_from(*rest, end + 4);
        } else {
            return true;
        }
    }
}

static struct word broken(struct view *rest) {
    struct word w = {WORD_BROKEN, false, *rest};
    *rest = view_from(*rest, rest->len);
    return w;
}

static struct word run_of(struct view *rest, enum word_kind kind, size_t skip, size_t len) {
    struct word w = {kind, false, view_of(rest->at + skip, len)};
    *rest = view_from(*rest, skip + len);
    return w;
}

/* `skip`: bytes up to and with the opening quote. */
static struct word quoted(struct view *rest, enum word_kind kind, size_t skip, bool escapes) {
    uint8_t quote = rest->at[skip - 1];
    size_t i = skip;
    for (;;) {
        if (i >= rest->len || rest->at[i] == 0)
            return broken(rest);
        if (escapes && rest->at[i] == '\\')
            i += 2;
        else if (rest->at[i] != quote)
            i++;
        else if (i + 1 < rest->len && rest->at[i + 1] == quote)
            i += 2;
        else
            break;
    }
    struct word w = {kind, escapes, view_of(rest->at + skip, i - skip)};
    *rest = view_from(*rest, i + 1);
    return w;
}

static size_t name_length(struct view v) {
    size_t n = 0;
    while (n < v.len && (is_letter(v.at[n]) || is_digit(v.at[n]) || v.at[n] == '$'))
        n++;
    return n;
}

static size_t digits_length(struct view v) {
    size_t n = 0;
    while (n < v.len && is_digit(v.at[n]))
        n++;
    return n;
}

struct word word_next(struct view *rest) {
    if (!skip_blank(rest))
        return broken(rest);
    if (rest->len == 0)
        return (struct word){WORD_END, false, *rest};
    uint8_t c = rest->at[0];
    if ((c == 'E' || c == 'e') && rest->len > 1 && rest->at[1] == '\'')
        return quoted(rest, WORD_TEXT, 2, true);
    if (c == '\'')
        return quoted(rest, WORD_TEXT, 1, false);
    if (c == '"')
        return quoted(rest, WORD_QUOTED, 1, false);
    if (is_letter(c))
        return run_of(rest, WORD_NAME, 0, name_length(*rest));
    if (is_digit(c))
        return run_of(rest, WORD_NUMBER, 0, digits_length(*rest));
    if (c == '$' && rest->len > 1 && is_digit(rest->at[1]))
        return run_of(rest, WORD_PARAMETER, 1, digits_length(view_from(*rest, 1)));
    if (c < 0x20 || c == 0x7f)
        return broken(rest);
    return run_of(rest, WORD_MARK, 0, 1);
}

bool word_unquote(const struct word *w, struct writer *out) {
    for (size_t i = 0; i < w->text.len; i++) {
        uint8_t c = w->text.at[i];
        if (c == '\'' || (w->escapes && c == '\\')) {
            uint8_t next = ++i < w->text.len ? w->text.at[i] : 0;
            if (next != '\'' && (next != '\\' || c != '\\'))
                return false;
            c = next;
        }
        writer_u8(out, c);
    }
    return !out->bad;
}

static bool ends_statement(const struct word *w) {
    return w->kind == WORD_END || w->kind == WORD_BROKEN || (w->kind == WORD_MARK && w->text.at[0] == ';');
}

bool words_statement(struct view *rest, struct view *one) {
    struct word w;
    do {
        struct view whole = *rest;
        size_t end, words = 0;
        for (;; words++) {
            end = whole.len - rest->len;
            w = word_next(rest);
            if (ends_statement(&w))
                break;
        }
        *one = view_of(whole.at, w.kind == WORD_BROKEN ? whole.len : end);
        if (words > 0 || w.kind == WORD_BROKEN)
            return true;
    } while (w.kind != WORD_END);
    return false;
}

static bool wants_space(enum word_kind kind) {
    return kind != WORD_MARK && kind != WORD_END;
}

bool words_plain(struct view sql, struct writer *out) {
    enum word_kind last = WORD_END;
    for (;;) {
        struct word w = word_next(&sql);
        if (w.kind == WORD_BROKEN)
            return false;
        if (w.kind == WORD_END)
            return !out->bad;
        if (wants_space(last) && wants_space(w.kind))
            writer_u8(out, ' ');
        if (w.kind == WORD_TEXT || w.kind == WORD_QUOTED) {
            writer_u8(out, w.kind == WORD_TEXT ? '\'' : '"');
            writer_bytes(out, w.text);
            writer_u8(out, w.kind == WORD_TEXT ? '\'' : '"');
        } else {
            if (w.kind == WORD_PARAMETER)
                writer_u8(out, '$');
            for (size_t i = 0; i < w.text.len; i++) {
                uint8_t c = w.text.at[i];
                writer_u8(out, c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c);
            }
        }
        last = w.kind;
    }
}
