/* SPDX-License-Identifier: ISC
 *
 * A client of the console by hand: composes what it sends, and reads the messages that come back as letters
 * ("TDCZ") and texts.
 */
#ifndef SEKISHO_CONSOLE_FIXTURE_H
#define SEKISHO_CONSOLE_FIXTURE_H

#include "console_talk.h"
#include "message.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static uint8_t sent_bytes[300000], heard_bytes[300000];
static struct writer sent, heard;
static struct talk *talk;
static int dropped_jobs;

static void drop_job(void *job) {
    dropped_jobs++;
}

static inline void converse(void) {
    static const struct talk_host host = {drop_job, true, "dana"};
    talk = talk_new(&host);
    sent = writer_of(sent_bytes, sizeof sent_bytes);
    heard = writer_of(heard_bytes, sizeof heard_bytes);
    dropped_jobs = 0;
}

static inline size_t open_message(char type) {
    writer_u8(&sent, (uint8_t)type);
    writer_u32(&sent, 0);
    return sent.len - 4;
}

static inline void close_message(size_t where) {
    writer_patch_u32(&sent, where, (uint32_t)(sent.len - where));
}

static inline void send_startup(const char *database) {
    size_t where = sent.len;
    writer_u32(&sent, 0);
    writer_u32(&sent, 3 << 16);
    writer_cstr(&sent, "user");
    writer_cstr(&sent, "anybody");
    writer_cstr(&sent, "database");
    writer_cstr(&sent, database);
    writer_u8(&sent, 0);
    close_message(where);
}

static inline void send_text(char type, const char *text) {
    size_t where = open_message(type);
    writer_cstr(&sent, text);
    close_message(where);
}

static inline void send_bare(char type) {
    close_message(open_message(type));
}

static inline void send_parse(const char *name, const char *sql) {
    size_t where = open_message('P');
    writer_cstr(&sent, name);
    writer_cstr(&sent, sql);
    writer_u16(&sent, 0);
    close_message(where);
}

/* Parameters as texts; NULL ends them. */
static inline void send_bind(const char *portal, const char *name, const char *const *values) {
    size_t count = 0, where = open_message('B');
    writer_cstr(&sent, portal);
    writer_cstr(&sent, name);
    writer_u16(&sent, 0);
    while (values && values[count])
        count++;
    writer_u16(&sent, (uint16_t)count);
    for (size_t i = 0; i < count; i++) {
        writer_u32(&sent, (uint32_t)strlen(values[i]));
        writer_text(&sent, values[i]);
    }
    writer_u16(&sent, 0);
    close_message(where);
}

static inline void send_execute(const char *portal, uint32_t rows) {
    size_t where = open_message('E');
    writer_cstr(&sent, portal);
    writer_u32(&sent, rows);
    close_message(where);
}

static inline void send_target(char type, char what, const char *name) {
    size_t where = open_message(type);
    writer_u8(&sent, (uint8_t)what);
    writer_cstr(&sent, name);
    close_message(where);
}

/* Until the console has work, is hungry, or hangs up. */
static inline enum talk_next go_on(void) {
    for (;;) {
        size_t used;
        enum talk_next next = talk_take(talk, writer_view(&sent), &used, &heard);
        memmove(sent_bytes, sent_bytes + used, sent.len - used);
        sent.len -= used;
        cr_assert(!heard.bad && !sent.bad);
        if (next != TALK_SAID)
            return next;
    }
}

/* The types of what came, in order; forgets it. A row or error's texts stay in `last_text`. */
static char last_text[65536];
static const char *types(void) {
    static char letters[4096];
    struct view rest = writer_view(&heard);
    struct message m;
    size_t n = 0, used;
    while (message_next(rest, 1 << 20, &m, &used) == MESSAGE_OK && n + 1 < sizeof letters) {
        letters[n++] = m.type;
        if (strchr("EDCZS", m.type) && m.body.len < sizeof last_text && (m.type != 'Z' || n == 1)) {
            struct writer w = writer_of(last_text, sizeof last_text - 1);
            for (size_t i = 0; i < m.body.len; i++)
                writer_u8(&w, m.body.at[i] ? m.body.at[i] : '|');
            last_text[w.len] = 0;
        }
        rest = view_from(rest, used);
    }
    cr_assert_eq(rest.len, 0);
    letters[n] = 0;
    heard.len = 0;
    return letters;
}

static inline void meet(void) {
    converse();
    send_startup("sekisho");
    cr_assert_eq(go_on(), TALK_HUNGRY);
    cr_assert(strstr(types(), "KZ"));
}

#endif
