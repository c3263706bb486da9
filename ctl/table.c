/* SPDX-License-Identifier: ISC
 *
 * See table.h. Without memory sekishoctl ends: it holds nothing that needs an orderly end.
 */
#include "table.h"
#include "magic.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_MAGIC 0x7AB1E0C4u
#define CELL_MAX 1024

struct table {
    uint32_t magic;
    const char *const *heads;
    size_t columns;
    size_t count, cap;
    char **cell; /* count of them, row after row */
};

static void *must(void *memory) {
    if (memory)
        return memory;
    fputs("sekishoctl: out of memory\n", stderr);
    exit(1);
}

struct table *table_new(const char *const *heads) {
    struct table *t = must(calloc(1, sizeof *t));
    t->magic = TABLE_MAGIC;
    t->heads = heads;
    while (heads[t->columns])
        t->columns++;
    assert(t->columns > 0);
    return t;
}

size_t harmless_length(const unsigned char *c) {
    if (c[0] < 0x80)
        return c[0] >= 0x20 && c[0] != 0x7F;
    if (c[0] == 0xC2 && c[1] < 0xA0)
        return 0;
    /* U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069. */
    if (c[0] == 0xE2 && c[1] == 0x80 && (c[2] == 0x8E || c[2] == 0x8F || (c[2] >= 0xA8 && c[2] <= 0xAE)))
        return 0;
    if (c[0] == 0xE2 && c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9)
        return 0;
    return c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : 4;
}

/* JSON leaves the marks that turn directions as they are: they are escaped here. Returns how many. */
static size_t escape_marks(struct writer *w, struct view json) {
    size_t marks = 0;
    for (size_t i = 0; i < json.len;) {
        const unsigned char *c = json.at + i;
        size_t n = harmless_length(c);
        marks += n == 0;
        if (n == 0) /* three bytes each: the others are escaped already */
            writer_format(w, "\\u%04x", (c[0] & 0x0Fu) << 12 | (c[1] & 0x3Fu) << 6 | (c[2] & 0x3Fu));
        else
            writer_bytes(w, view_of(c, n));
        i += n ? n : 3;
    }
    return marks;
}

void harmless(const char *text, char *out, size_t cap) {
    char json[6 * CELL_MAX + 3], marked[6 * CELL_MAX + 3];
    struct writer w = writer_of(json, sizeof json), m = writer_of(marked, sizeof marked);
    size_t len = strnlen(text, CELL_MAX), quoted = 0;
    for (size_t i = 0; i < len; i++)
        quoted += text[i] == '"' || text[i] == '\\';
    text_json(&w, view_of(text, len));
    /* Every other escape is longer than what it stands for, so equal lengths mean that there is none. */
    if (escape_marks(&m, writer_view(&w)) == 0 && w.len == len + 2 + quoted)
        snprintf(out, cap, "%.*s", (int)len, text);
    else
        snprintf(out, cap, "%.*s", (int)m.len, marked);
}

void table_cell(struct table *t, const char *text) {
    MAGIC_CHECK(t, TABLE_MAGIC);
    if (t->count == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 64;
        t->cell = must(realloc(t->cell, t->cap * sizeof *t->cell));
    }
    char shown[6 * CELL_MAX + 3];
    harmless(text, shown, sizeof shown);
    t->cell[t->count++] = must(strdup(shown));
}

void table_format(struct table *t, const char *format, ...) {
    char text[CELL_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    table_cell(t, text);
}

/* Characters, not bytes: whatever does not continue a UTF-8 sequence. */
static size_t width(const char *text) {
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static size_t column_width(const struct table *t, size_t column) {
    size_t most = width(t->heads[column]);
    for (size_t i = column; i < t->count; i += t->columns)
        if (width(t->cell[i]) > most)
            most = width(t->cell[i]);
    return most;
}

static void print_row(const struct table *t, const char *const *row, const size_t *widths) {
    for (size_t c = 0; c < t->columns; c++) {
        fputs(row[c], stdout);
        if (c + 1 < t->columns)
            printf("%*s", (int)(widths[c] - width(row[c]) + 2), "");
    }
}

void table_print(struct table **t, bool colour) {
    MAGIC_CHECK(*t, TABLE_MAGIC);
    assert((*t)->count % (*t)->columns == 0);
    size_t *widths = must(calloc((*t)->columns, sizeof *widths));
    for (size_t c = 0; c < (*t)->columns; c++)
        widths[c] = column_width(*t, c);
    fputs(colour ? "\033[1m" : "", stdout);
    print_row(*t, (*t)->heads, widths);
    puts(colour ? "\033[0m" : "");
    for (size_t i = 0; i < (*t)->count; i += (*t)->columns) {
        print_row(*t, (const char *const *)&(*t)->cell[i], widths);
        putchar('\n');
    }
    free(widths);
    table_free(t);
}

void table_free(struct table **t) {
    MAGIC_CHECK(*t, TABLE_MAGIC);
    for (size_t i = 0; i < (*t)->count; i++)
        free((*t)->cell[i]);
    free((*t)->cell);
    free(*t);
    *t = NULL;
}
