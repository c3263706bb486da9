/* SPDX-License-Identifier: ISC
 *
 * For tests of the observer: messages as a client and an instance write them, and a log that keeps each
 * record as a line of text: "statement 1 kind=query sql=select 1".
 */
#ifndef SEKISHO_OBSERVE_FIXTURE_H
#define SEKISHO_OBSERVE_FIXTURE_H

#include "observe.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(literal) view_of(literal, sizeof(literal) - 1)

enum { LINE_ROOM = 9000 };

struct log {
    size_t lines;
    char **line;
};

static inline bool is_time(enum field f) {
    return f == FIELD_DURATION_US;
}

static inline void log_record(void *arg, uint64_t ticket, uint64_t number, struct record *r) {
    struct log *log = arg;
    char *line = malloc(LINE_ROOM);
    struct writer w = writer_of(line, LINE_ROOM);
    cr_assert_eq(ticket, log->lines + 1);
    cr_assert_eq(r->session, 7);
    writer_text(&w, r->event == EVENT_OPERATOR_STATEMENT ? "statement" : "result");
    if (number > 0)
        writer_format(&w, " %lu", (unsigned long)number);
    for (unsigned f = 0; f < FIELD_COUNT; f++)
        for (size_t i = 0; i < r->count; i++) {
            if (r->item[i].field != f || is_time((enum field)f))
                continue;
            if (f == FIELD_NUMBER) {
                cr_assert_eq(r->item[i].number, number);
                continue;
            }
            writer_format(&w, " %s=", field_name((enum field)f));
            if (r->item[i].text.len > 0)
                writer_bytes(&w, r->item[i].text);
            else
                writer_format(&w, "%lu", (unsigned long)r->item[i].number);
        }
    writer_u8(&w, 0);
    cr_assert_not(w.bad);
    log->line = realloc(log->line, (log->lines + 1) * sizeof *log->line);
    log->line[log->lines++] = line;
}

static inline void log_clear(struct log *log) {
    for (size_t i = 0; i < log->lines; i++)
        free(log->line[i]);
    free(log->line);
    *log = (struct log){0, NULL};
}

/* One typed message into w. */
static inline void put(struct writer *w, char type, struct view body) {
    writer_u8(w, (uint8_t)type);
    writer_u32(w, (uint32_t)body.len + 4);
    writer_bytes(w, body);
    cr_assert_not(w->bad);
}

static inline void put_query(struct writer *w, struct view sql) {
    writer_u8(w, 'Q');
    writer_u32(w, (uint32_t)sql.len + 5);
    writer_bytes(w, sql);
    writer_u8(w, 0);
    cr_assert_not(w->bad);
}

#endif
