/* SPDX-License-Identifier: ISC
 *
 * Private to console_talk.c, console_extended.c and console_reply.c: one conversation, its prepared
 * statements and portals, and the messages the console answers with.
 */
#ifndef SEKISHO_CONSOLE_TALK_PARTS_H
#define SEKISHO_CONSOLE_TALK_PARTS_H

#include "console_courtesy.h"
#include "console_talk.h"

#include <sys/queue.h>

#define TALK_MAGIC 0x7A1C09E5u

enum plan_kind { PLAN_EMPTY, PLAN_COURTESY, PLAN_COMMAND };

/* What one statement asks. */
struct plan {
    enum plan_kind kind;
    struct courtesy courtesy;
    struct console_command command;
};

struct talk_statement {
    LIST_ENTRY(talk_statement) next;
    char name[TALK_NAME_MAX + 1];
    uint32_t type[CONSOLE_PARAMETERS_MAX]; /* as the client declared them; 0: it did not */
    size_t types;
    struct plan plan;
};

struct talk_portal {
    LIST_ENTRY(talk_portal) next;
    char name[TALK_NAME_MAX + 1];
    uint8_t formats[CONSOLE_COLUMNS_MAX]; /* 1: binary, which for text is the same bytes */
    size_t format_count;                  /* 0: all text, 1: for all columns */
    bool done;
    void *job;
    struct plan plan;
};

enum talk_phase { PHASE_STARTUP, PHASE_OPEN, PHASE_WORK, PHASE_OVER };

struct talk {
    uint32_t magic;
    struct talk_host host;
    enum talk_phase phase;
    char status;   /* of the transaction that the client believes in: 'I', 'T', 'E' */
    bool skipping; /* an error within the extended protocol: until Sync */
    LIST_HEAD(, talk_statement) statements;
    LIST_HEAD(, talk_portal) portals;
    size_t statement_count, portal_count;
    uint8_t *query;            /* a simple query under way, owned */
    struct view left;          /* of it */
    struct talk_portal simple; /* its statement's */
    struct talk_portal *work;  /* PHASE_WORK */
    uint32_t limit;            /* rows of this Execute; 0: all */
    uint64_t rows;             /* of this work */
};

/* --- console_reply.c: messages --- */

void reply_startup(struct writer *out, const char *user);
void reply_ready(struct writer *out, char status);
void reply_error(struct writer *out, const char *severity, const struct failure *f);
/* NoticeResponse. */
void reply_warning(struct writer *out, const struct failure *f);
/* A message without a body: ParseComplete and the like. */
void reply_bare(struct writer *out, char type);
/* RowDescription or NoData. */
void reply_columns(struct writer *out, const struct plan *plan, const struct talk_portal *portal);
void reply_parameters(struct writer *out, const struct talk_statement *s);
void reply_row(struct writer *out, const struct view *cell, size_t cells);
void reply_complete(struct writer *out, const char *tag);
/* A courtesy's row, when it has one. */
void reply_courtesy_row(struct writer *out, const struct plan *plan, const struct talk_portal *portal);
bool portal_binary(const struct talk_portal *p, size_t column);

/* --- console_talk.c --- */

bool plan_make(struct talk *t, struct view sql, struct plan *out, struct failure *f);
/* Carries out what a portal asks, from the beginning or from where it stopped. Without work, everything but
 * ReadyForQuery was said. */
bool portal_run(struct talk *t, struct talk_portal *p, struct writer *out, struct failure *f);
void portal_drop_job(struct talk *t, struct talk_portal *p);
/* The error, and what follows from it for transaction and protocol. */
void talk_error(struct talk *t, struct writer *out, const struct failure *f);

/* --- console_extended.c --- */

/* Parse, Bind, Describe, Execute, Close. *work: portal_run left work to do. */
bool extended_take(struct talk *t, char type, struct view body, struct writer *out, bool *work,
                   struct failure *f);
struct talk_statement *statement_find(struct talk *t, struct view name);
void statement_remove(struct talk *t, struct talk_statement *s);
void statements_clear(struct talk *t);
void portals_clear(struct talk *t);

#endif
