/* SPDX-License-Identifier: ISC
 *
 * Rows that were made and not yet sent: cells one behind the other in one buffer that grows. Filled in small
 * pieces, emptied row by row. Pure but for its memory; without it the process ends.
 */
#ifndef SEKISHO_CONSOLE_TABLE_H
#define SEKISHO_CONSOLE_TABLE_H

#include "console_command.h"

#define CONSOLE_TABLE_MAGIC 0x7AB1E50Cu

struct console_table {
    uint32_t magic;
    uint8_t *bytes; /* owned: of each cell a u32 length and its bytes */
    size_t len, cap;
    size_t taken;   /* bytes of rows given out */
    size_t columns; /* cells of a row */
    size_t cells;   /* written since the last whole row */
    size_t rows;    /* whole ones, not yet given out */
};

void rows_begin(struct console_table *t, size_t columns);
void rows_end(struct console_table *t);
void rows_cell(struct console_table *t, struct view v);
void rows_text(struct console_table *t, const char *text);
void rows_number(struct console_table *t, uint64_t n);
void rows_instant(struct console_table *t, int64_t seconds);
void rows_null(struct console_table *t);
/* The next whole row; the cells are valid until the table is written to again. False: none is left, and the
 * buffer is empty again. */
bool rows_take(struct console_table *t, struct view cell[CONSOLE_COLUMNS_MAX]);

#endif
