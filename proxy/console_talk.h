/* SPDX-License-Identifier: ISC
 *
 * The server's side of the PostgreSQL protocol (3.0), as far as the console speaks it: simple and extended
 * queries, text results, no COPY, no function call. Pure: bytes in, bytes out, and commands for the owner to
 * carry out. The client was authenticated before, or is known by its socket; everything it says is taken as
 * hostile: bounded messages, bounded prepared statements, nothing believed.
 *
 *   talk_take(&talk, in, &used, &out)    until TALK_HUNGRY
 *   TALK_WORK: talk_command(&talk); talk_row ... then talk_done or talk_failed
 */
#ifndef SEKISHO_CONSOLE_TALK_H
#define SEKISHO_CONSOLE_TALK_H

#include "console_command.h"

#define TALK_MESSAGE_MAX 65536
#define TALK_STATEMENTS_MAX 100
#define TALK_PORTALS_MAX 8
#define TALK_NAME_MAX 63
/* One call writes at most this much, without a row; a row has its own. */
#define TALK_SAID_MAX 16384

enum talk_next {
    TALK_HUNGRY, /* more bytes are needed */
    TALK_SAID,   /* go on */
    TALK_WORK,   /* a command: carry it out */
    TALK_OVER    /* what was written goes out, then the connection ends */
};

struct talk;

struct talk_host {
    /* A job that was kept in a portal is not wanted any more. */
    void (*drop)(void *job);
    bool encryption_asked; /* SSLRequest and GSSENCRequest may come, and are answered with N */
    const char *user;      /* who it is; the start-up message's user is not believed */
};

/* NULL without memory. host: copied; its user must live as long. */
struct talk *talk_new(const struct talk_host *host);
void talk_free(struct talk **t);
bool talk_started(const struct talk *t);

enum talk_next talk_take(struct talk *t, struct view in, size_t *used, struct writer *out);

/* --- while there is work --- */

const struct console_command *talk_command(const struct talk *t);
/* Where the owner keeps the command's job: NULL when it is to begin, and cleared by the owner when it ended.
 * A job left there at talk_row's false goes on when the client asks for more rows. */
void **talk_job(struct talk *t);
/* One row: a view with `at` NULL is NULL. False when the client wanted no more rows for now: this work is
 * over. */
bool talk_row(struct talk *t, struct writer *out, const struct view *cell, size_t cells);
void talk_done(struct talk *t, struct writer *out);
void talk_failed(struct talk *t, struct writer *out, const struct failure *f);
/* A warning on the way: the command goes on. */
void talk_warned(struct talk *t, struct writer *out, const struct failure *f);
/* FATAL, for the owner's own reasons: after it the connection ends. */
void talk_fatal(struct writer *out, const struct failure *f);

#endif
