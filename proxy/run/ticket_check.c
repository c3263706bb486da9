/* SPDX-License-Identifier: ISC
 *
 * See ticket_check.h. First the program, then the address; each has ticket_timeout.
 */
#include "ticket_check.h"
#include "log.h"
#include "magic.h"
#include "program.h"
#include "web.h"
#include "web_manners.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICKET_CHECK_MAGIC 0x71C4E7A5u

struct ticket_check {
    uint32_t magic;
    const struct settings *settings;
    const struct statement *request;
    void (*wake)(void *arg);
    void *arg;
    enum ticket_outcome outcome;
    char why[TICKET_WHY];
    struct program *program;
    struct web *web;
};

static size_t under_way;

void ticket_check_settings(const struct settings *s) {
    const char *why;
    if (s->ticket_url[0] && !web_url_good(s->ticket_url, &why))
        log_error("ticket_url %s: no request is agreed to", why);
}

bool ticket_check_wanted(const struct settings *s) {
    return s->ticket_checker[0] || s->ticket_url[0];
}

/* The outcome is there. */
static void decide(struct ticket_check *c, enum ticket_outcome o) {
    assert(c->outcome == TICKET_PENDING && under_way > 0);
    c->outcome = o;
    under_way--;
}

static void on_answered(void *arg, bool good, const char *why) {
    struct ticket_check *c = arg;
    MAGIC_CHECK(c, TICKET_CHECK_MAGIC);
    c->web = NULL;
    if (!good)
        snprintf(c->why, sizeof c->why, "ticket_url %.84s", why);
    decide(c, good ? TICKET_AGREED : TICKET_UNCONFIRMED);
    c->wake(c->arg);
}

static void ask_url(struct ticket_check *c) {
    const struct statement *r = c->request;
    char url[TICKET_URL_MAX];
    const char *why;
    struct web_wish wish = {
        .url = url, .ca = c->settings->ticket_ca, .limit_ms = c->settings->ticket_timeout};
    if (!web_url_good(c->settings->ticket_url, &why))
        snprintf(c->why, sizeof c->why, "ticket_url %.84s", why);
    else if (!ticket_question(c->settings->ticket_url, r->ticket, r->tenant, r->signer, url) ||
             !(c->web = web_start(&wish, on_answered, c)))
        snprintf(c->why, sizeof c->why, "ticket_url cannot be asked");
    if (!c->web)
        decide(c, TICKET_UNCONFIRMED);
}

/* The program agreed, or there is none. */
static void go_on(struct ticket_check *c) {
    if (c->settings->ticket_url[0])
        ask_url(c);
    else
        decide(c, TICKET_AGREED);
}

static void on_ended(void *arg, const struct program_end *e) {
    struct ticket_check *c = arg;
    MAGIC_CHECK(c, TICKET_CHECK_MAGIC);
    c->program = NULL;
    if (ticket_denied(e->late, e->status, e->said, c->settings->ticket_timeout, c->why))
        decide(c, TICKET_UNCONFIRMED);
    else
        go_on(c);
    if (c->outcome != TICKET_PENDING)
        c->wake(c->arg);
}

static void ask_program(struct ticket_check *c) {
    struct statement words = *c->request;
    char path[sizeof c->settings->ticket_checker], environment[] = TICKET_ENVIRONMENT;
    char *const argv[] = {path, words.ticket, words.tenant, words.signer, NULL};
    char *const variables[] = {environment, NULL};
    struct program_wish wish = {.argv = argv,
                                .environment = variables,
                                .input = -1,
                                .heard = true,
                                .limit_ms = c->settings->ticket_timeout};
    snprintf(path, sizeof path, "%s", c->settings->ticket_checker);
    c->program = program_start(&wish, on_ended, c);
    if (c->program)
        return;
    snprintf(c->why, sizeof c->why, "ticket_checker cannot be executed: %.60s", strerror(errno));
    decide(c, TICKET_UNCONFIRMED);
}

struct ticket_check *ticket_check_begin(const struct settings *s, const struct statement *request,
                                        void (*wake)(void *arg), void *arg) {
    struct ticket_check *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    *c = (struct ticket_check){
        .magic = TICKET_CHECK_MAGIC, .settings = s, .request = request, .wake = wake, .arg = arg};
    if (under_way >= TICKET_CHECKS_MOST) {
        c->outcome = TICKET_BUSY;
        snprintf(c->why, sizeof c->why, "too many tickets are being checked");
        return c;
    }
    under_way++;
    if (s->ticket_checker[0])
        ask_program(c);
    else
        go_on(c);
    return c;
}

enum ticket_outcome ticket_check_outcome(const struct ticket_check *c, const char **why) {
    MAGIC_CHECK(c, TICKET_CHECK_MAGIC);
    *why = c->why;
    return c->outcome;
}

void ticket_check_end(struct ticket_check **c) {
    if (!*c)
        return;
    MAGIC_CHECK(*c, TICKET_CHECK_MAGIC);
    if ((*c)->outcome == TICKET_PENDING)
        under_way--;
    program_stop(&(*c)->program);
    web_stop(&(*c)->web);
    (*c)->magic = 0;
    free(*c);
    *c = NULL;
}

void ticket_checks_end(void) {
    programs_end();
    web_end();
}
