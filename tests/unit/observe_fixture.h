/* SPDX-License-Identifier: ISC
 *
 * For tests of the observer: messages as a client and an instance write them, and a log that keeps each
 * record as a line of text: "statement 1 kind=query sql=select 1"; between them an observer whose log
 * answers whenever the test says so.
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

static struct log told;
static struct observe *o;
static uint8_t client_room[3 << 20], sent_room[3 << 20];
static struct writer sent; /* what went to the instance */
static int64_t now_us;
static struct failure why;

static inline void set_up(void) {
    struct observe_rules rules = {.session = 7};
    o = observe_new(&rules, log_record, &told);
    sent = writer_of(sent_room, sizeof sent_room);
    now_us = 1000;
}

static inline void tear_down(void) {
    observe_free(&o);
    cr_assert_null(o);
    log_clear(&told);
}

static inline struct writer client(void) {
    return writer_of(client_room, sizeof client_room);
}

/* Whatever may go to the instance goes. */
static inline void send_all(void) {
    struct view out = observe_outgoing(o);
    writer_bytes(&sent, out);
    observe_sent(o, out.len);
    cr_assert_not(sent.bad);
}

static inline void log_is_durable(void) {
    observe_durable(o, told.lines, now_us);
    send_all();
}

/* The client sends it and the log answers at once. */
static inline enum observe_result say(struct view bytes) {
    enum observe_result result = OBSERVE_OK;
    while (bytes.len > 0 && result == OBSERVE_OK) {
        size_t used;
        result = observe_client(o, bytes, now_us, &used, &why);
        bytes = view_from(bytes, used);
        log_is_durable();
        cr_assert(used > 0 || result == OBSERVE_REFUSE);
    }
    return result;
}

static inline enum observe_result query(const char *sql) {
    struct writer w = client();
    put_query(&w, view_text(sql));
    return say(writer_view(&w));
}

static inline enum observe_result say_one(char type, struct view body) {
    struct writer w = client();
    put(&w, type, body);
    return say(writer_view(&w));
}

static inline enum observe_result answer(char type, struct view body) {
    uint8_t room[4096];
    struct writer w = writer_of(room, sizeof room);
    size_t used;
    put(&w, type, body);
    enum observe_result result = observe_instance(o, writer_view(&w), now_us, &used, &why);
    if (result == OBSERVE_OK) {
        cr_assert_eq(used, w.len);
        log_is_durable();
    }
    return result;
}

#define ready() answer('Z', BYTES("I"))
#define fails() answer('E', BYTES("SERROR\0C42501\0Mpermission denied\0\0"))
#define done(tag) answer('C', BYTES(tag "\0"))
#define parse(name, sql) say_one('P', BYTES(name "\0" sql "\0\0\0"))
#define bind_none() say_one('B', BYTES("\0\0\0\0\0\0\0\0"))
#define execute() say_one('E', BYTES("\0\0\0\0\0"))
#define sync() say_one('S', BYTES(""))

static inline void expect_log(size_t lines, const char *const *line) {
    for (size_t i = 0; i < lines && i < told.lines; i++)
        cr_assert_str_eq(told.line[i], line[i]);
    cr_assert_eq(told.lines, lines, "%zu lines: %s", told.lines, told.lines ? told.line[told.lines - 1] : "");
}

#define EXPECT_LOG(...)                                                                                      \
    expect_log(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

static inline void expect_refused(enum observe_result result, const char *sqlstate) {
    cr_assert_eq(result, OBSERVE_REFUSE);
    cr_assert_str_eq(why.sqlstate, sqlstate);
    cr_assert_eq(observe_outgoing(o).len, 0);
}

#endif
