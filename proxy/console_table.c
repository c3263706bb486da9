/* SPDX-License-Identifier: ISC
 *
 * See console_table.h.
 */
#include "console_table.h"
#include "magic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_NULL UINT32_MAX
#define SMALLEST 4096

void rows_begin(struct console_table *t, size_t columns) {
    assert(columns > 0 && columns <= CONSOLE_COLUMNS_MAX);
    memset(t, 0, sizeof *t);
    t->magic = CONSOLE_TABLE_MAGIC;
    t->columns = columns;
}

void rows_end(struct console_table *t) {
    if (t->magic == 0)
        return;
    MAGIC_CHECK(t, CONSOLE_TABLE_MAGIC);
    free(t->bytes);
    memset(t, 0, sizeof *t);
}

static void make_room(struct console_table *t, size_t more) {
    size_t cap = t->cap > 0 ? t->cap : SMALLEST;
    if (t->cap - t->len >= more)
        return;
    while (cap - t->len < more)
        cap *= 2;
    uint8_t *bytes = realloc(t->bytes, cap);
    if (!bytes)
        abort();
    t->bytes = bytes;
    t->cap = cap;
}

static void put(struct console_table *t, uint32_t len, struct view v) {
    MAGIC_CHECK(t, CONSOLE_TABLE_MAGIC);
    make_room(t, sizeof len + v.len);
    memcpy(t->bytes + t->len, &len, sizeof len);
    if (v.len > 0)
        memcpy(t->bytes + t->len + sizeof len, v.at, v.len);
    t->len += sizeof len + v.len;
    if (++t->cells == t->columns) {
        t->cells = 0;
        t->rows++;
    }
}

void rows_cell(struct console_table *t, struct view v) {
    assert(v.len < CELL_NULL);
    put(t, (uint32_t)v.len, v);
}

void rows_text(struct console_table *t, const char *text) {
    rows_cell(t, view_text(text));
}

void rows_number(struct console_table *t, uint64_t n) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    rows_text(t, text);
}

void rows_instant(struct console_table *t, int64_t seconds) {
    char text[INSTANT_TEXT];
    instant_text(seconds, text);
    rows_text(t, text);
}

void rows_null(struct console_table *t) {
    put(t, CELL_NULL, view_of(NULL, 0));
}

bool rows_take(struct console_table *t, struct view cell[CONSOLE_COLUMNS_MAX]) {
    MAGIC_CHECK(t, CONSOLE_TABLE_MAGIC);
    if (t->rows == 0) {
        assert(t->cells == 0);
        t->len = t->taken = 0;
        return false;
    }
    for (size_t i = 0; i < t->columns; i++) {
        uint32_t len;
        memcpy(&len, t->bytes + t->taken, sizeof len);
        t->taken += sizeof len;
        cell[i] = len == CELL_NULL ? view_of(NULL, 0) : view_of(t->bytes + t->taken, len);
        t->taken += len == CELL_NULL ? 0 : len;
    }
    t->rows--;
    return true;
}
