/* SPDX-License-Identifier: ISC
 *
 * See console_session.h. Everything that arrives here is a stranger's.
 */
#include "console_session.h"
#include "clock.h"
#include "console_job.h"
#include "console_talk.h"
#include "log.h"
#include "magic.h"
#include "record.h"
#include "role.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#define CONSOLE_SESSION_MAGIC 0xC0455E55u
#define SESSIONS_MOST 256
#define SESSIONS_EACH 16 /* of one tenant's administrators, of one person, of one account */
#define START_S 20
#define WRITE_S 120           /* a client that takes nothing for so long is gone */
#define OUT_HIGH (128u << 10) /* bytes that wait to be taken: then nothing more is made */
#define IN_MOST (2 * TALK_MESSAGE_MAX)
#define TURN_STEPS 64 /* then others have their turn */
#define ROW_MOST (4 * RECORD_LINE_MAX)
#define REMEMBERED 16
#define REMEMBER_US 60000000

struct remembered { /* metadata that was read, and recorded */
    char tenant[TENANT_ID_MAX + 1];
    enum console_verb verb;
    int64_t until_us;
};

struct console_session {
    uint32_t magic;
    uint64_t session;
    struct console_person person;
    struct bufferevent *stream;
    struct talk *talk;
    struct event *turn;
    bool working; /* the talk has work */
    bool waiting; /* for job's wake */
    bool closing; /* when all is written */
    bool started;
    size_t next_remembered;
    struct remembered remembered[REMEMBERED];
    LIST_ENTRY(console_session) next;
};

static LIST_HEAD(, console_session) sessions = LIST_HEAD_INITIALIZER(sessions);
static size_t session_count;

size_t console_sessions(void) {
    return session_count;
}

static void end_session(struct console_session *s) {
    MAGIC_CHECK(s, CONSOLE_SESSION_MAGIC);
    LIST_REMOVE(s, next);
    session_count--;
    talk_free(&s->talk); /* and the jobs in it */
    event_free(s->turn);
    bufferevent_free(s->stream);
    s->magic = 0;
    free(s);
}

static struct evbuffer *output(struct console_session *s) {
    return bufferevent_get_output(s->stream);
}

static struct writer scratch(void) {
    static uint8_t room[ROW_MOST + TALK_SAID_MAX];
    return writer_of(room, sizeof room);
}

static void say(struct console_session *s, const struct writer *w) {
    assert(!w->bad); /* every message is bounded below the scratch's size */
    if (w->len > 0 && evbuffer_add(output(s), w->at, w->len) < 0)
        abort();
}

/* --- jobs --- */

static void come_again(struct console_session *s) {
    event_active(s->turn, EV_TIMEOUT, 0);
}

static void on_wake(void *arg) {
    struct console_session *s = arg;
    MAGIC_CHECK(s, CONSOLE_SESSION_MAGIC);
    s->waiting = false;
    come_again(s);
}

static bool read_before(void *arg, const char *tenant, enum console_verb verb) {
    struct console_session *s = arg;
    int64_t now = clock_now().mono_us;
    for (size_t i = 0; i < REMEMBERED; i++) {
        struct remembered *r = &s->remembered[i];
        if (r->verb == verb && r->until_us > now && strcmp(r->tenant, tenant) == 0)
            return true;
    }
    struct remembered *r = &s->remembered[s->next_remembered++ % REMEMBERED];
    snprintf(r->tenant, sizeof r->tenant, "%s", tenant);
    r->verb = verb;
    r->until_us = now + REMEMBER_US;
    return false;
}

static void drop_job(void *job) {
    struct console_job *j = job;
    job_free(&j);
}

static void job_over(struct console_session *s, void **slot) {
    drop_job(*slot);
    *slot = NULL;
    s->working = false;
}

static bool begin_job(struct console_session *s, void **slot, struct writer *out) {
    struct failure f;
    struct job_order order = {&s->person, s->session, on_wake, s, read_before};
    *slot = job_new(&order, talk_command(s->talk), &f);
    if (*slot)
        return true;
    s->working = false;
    talk_failed(s->talk, out, &f);
    return false;
}

/* False: this session has nothing to do, or has had its turn. */
static bool work(struct console_session *s, struct writer *out) {
    struct view cell[CONSOLE_COLUMNS_MAX];
    struct failure f;
    size_t cells;
    void **slot = talk_job(s->talk);
    if (!*slot && !begin_job(s, slot, out))
        return true;
    switch (job_next(*slot, cell, &cells, &f)) {
    case JOB_ROW:
        s->working = talk_row(s->talk, out, cell, cells);
        return true;
    case JOB_AGAIN:
        come_again(s);
        return false;
    case JOB_WAIT:
        s->waiting = true;
        return false;
    case JOB_WARNS:
        talk_warned(s->talk, out, &f);
        return true;
    case JOB_DONE:
        job_over(s, slot);
        talk_done(s->talk, out);
        return true;
    case JOB_FAILED:
        break;
    }
    memset(s->remembered, 0, sizeof s->remembered); /* it may be the record that failed */
    job_over(s, slot);
    talk_failed(s->talk, out, &f);
    return true;
}

/* --- the conversation --- */

static void begin_close(struct console_session *s) {
    s->closing = true;
    bufferevent_disable(s->stream, EV_READ);
}

static void set_patience(struct console_session *s) {
    static const struct timeval write_patience = {WRITE_S, 0};
    if (s->started || !talk_started(s->talk))
        return;
    s->started = true;
    bufferevent_set_timeouts(s->stream, NULL, &write_patience);
}

/* False: nothing to take, or it is over. */
static bool listen_to(struct console_session *s, struct writer *out) {
    struct evbuffer *in = bufferevent_get_input(s->stream);
    size_t len = evbuffer_get_length(in), used;
    len = len < TALK_MESSAGE_MAX + 1 ? len : TALK_MESSAGE_MAX + 1;
    static const uint8_t nothing[1];
    const uint8_t *bytes = len > 0 ? evbuffer_pullup(in, (ev_ssize_t)len) : nothing;
    if (!bytes)
        abort();
    enum talk_next next = talk_take(s->talk, view_of(bytes, len), &used, out);
    evbuffer_drain(in, used);
    set_patience(s);
    if (next == TALK_OVER)
        begin_close(s);
    s->working = next == TALK_WORK;
    return next == TALK_SAID || next == TALK_WORK;
}

static void pump(struct console_session *s) {
    bool busy = true;
    int steps = 0;
    while (busy && !s->closing && !s->waiting && evbuffer_get_length(output(s)) < OUT_HIGH) {
        if (++steps > TURN_STEPS) {
            come_again(s);
            break;
        }
        struct writer out = scratch();
        busy = s->working ? work(s, &out) : listen_to(s, &out);
        say(s, &out);
    }
    if (s->closing && evbuffer_get_length(output(s)) == 0)
        end_session(s);
}

static void on_turn(evutil_socket_t fd, short what, void *arg) {
    struct console_session *s = arg;
    MAGIC_CHECK(s, CONSOLE_SESSION_MAGIC);
    pump(s);
}

static void on_readable(struct bufferevent *b, void *arg) {
    on_turn(-1, 0, arg);
}

static void on_event(struct bufferevent *b, short what, void *arg) {
    struct console_session *s = arg;
    MAGIC_CHECK(s, CONSOLE_SESSION_MAGIC);
    end_session(s);
}

/* --- begin and end --- */

static bool same_party(const struct console_person *a, const struct console_person *b) {
    if (a->who != b->who)
        return false;
    return a->who == WHO_ADMIN ? strcmp(a->tenant, b->tenant) == 0 : strcmp(a->name, b->name) == 0;
}

static bool too_many(const struct console_person *p) {
    size_t same = 0;
    struct console_session *s;
    LIST_FOREACH(s, &sessions, next) {
        same += same_party(&s->person, p);
    }
    return session_count >= SESSIONS_MOST || same >= SESSIONS_EACH;
}

static void turn_away(int fd) {
    char bytes[512];
    struct writer w = writer_of(bytes, sizeof bytes);
    struct failure f;
    failure_set(&f, "53300", "close another one", "too many connections to the console");
    talk_fatal(&w, &f);
    ssize_t sent = write(fd, w.at, w.len);
    if (sent < 0)
        log_debug("a client of the console was turned away without a word");
    close(fd);
}

void console_session_begin(int fd, uint64_t session, const struct console_person *p, bool direct) {
    static const struct timeval start = {START_S, 0}, write_patience = {WRITE_S, 0};
    MAGIC_CHECK(p, CONSOLE_PERSON_MAGIC);
    evutil_make_socket_nonblocking(fd);
    if (too_many(p)) {
        turn_away(fd);
        return;
    }
    struct console_session *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->magic = CONSOLE_SESSION_MAGIC;
    s->session = session;
    s->person = *p;
    struct talk_host host = {drop_job, direct, s->person.name};
    s->talk = talk_new(&host);
    s->turn = event_new(role_base(), -1, 0, on_turn, s);
    s->stream = bufferevent_socket_new(role_base(), fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (!s->talk || !s->turn || !s->stream)
        abort();
    LIST_INSERT_HEAD(&sessions, s, next);
    session_count++;
    bufferevent_setcb(s->stream, on_readable, on_readable, on_event, s);
    bufferevent_setwatermark(s->stream, EV_READ, 0, IN_MOST);
    bufferevent_setwatermark(s->stream, EV_WRITE, 0, 0);
    bufferevent_set_timeouts(s->stream, &start, &write_patience);
    bufferevent_enable(s->stream, EV_READ | EV_WRITE);
}

void console_sessions_end(void) {
    while (!LIST_EMPTY(&sessions))
        end_session(LIST_FIRST(&sessions));
}
