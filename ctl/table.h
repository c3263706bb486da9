/* SPDX-License-Identifier: ISC
 *
 * Tables for people: columns as wide as their widest cell. Cells may come from strangers; what could move a
 * terminal's cursor is shown as a JSON string instead.
 */
#ifndef SEKISHO_TABLE_H
#define SEKISHO_TABLE_H

#include "bytes.h"

struct table;

/* heads: the columns' titles, NULL at the end; static texts. NULL heads[0] is not allowed. */
struct table *table_new(const char *const *heads);
/* Cells are added row by row, from left to right; the text is copied. */
void table_cell(struct table *t, const char *text);
void table_format(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints on standard output and frees. */
void table_print(struct table **t, bool colour);

/* Frees without printing. */
void table_free(struct table **t);

/* The length of the character at c when it may be shown as it is; 0 for one that may not: a control
 * character, or a mark that turns the direction of what follows. What c points to is valid UTF-8. */
size_t harmless_length(const unsigned char *c);
/* text as it may be shown on a terminal, in out. */
void harmless(const char *text, char *out, size_t cap);

#endif
