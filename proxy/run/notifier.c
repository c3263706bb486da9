/* SPDX-License-Identifier: ISC
 *
 * The notifier: tells the provider's program and web hook (notify_command, notify_url) of what the session
 * log says that cannot wait: break-glass, tampering, crashed cells; and sends a copy of all of it to syslog
 * (syslog_target). The queue is the log itself: this process follows the chains read-only and remembers in
 * notify.cursor how far each was told, so nothing is lost when it, or whom it tells, is away; what is told
 * twice carries the same number. Nobody waits for it and nothing it does reaches a session; to the ledger it
 * can say one thing, that the copy lacks records. Reads the log's folder, notify_secret, notify_ca and
 * syslog_ca; writes notify.cursor; runs notify_command; connects to notify_url and syslog_target. Without any
 * of these it sleeps.
 */
#include "clock.h"
#include "files.h"
#include "log.h"
#include "magic.h"
#include "notifier_chains.h"
#include "notifier_command.h"
#include "notifier_post.h"
#include "notifier_syslog.h"
#include "notifier_tail.h"
#include "role.h"
#include "secret.h"
#include "web_manners.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOTIFIER_MAGIC 0x1DA94C62u
#define LOOK_MS 250
#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MOST_MS 300000
#define SAVE_MS 1000        /* at most one save in this time */
#define SAVE_SOON_MS 10     /* after something was told: as much as is told together */
#define SAVE_LATER_MS 60000 /* what was only passed over */
#define SECRET_MAX 4096

struct notifier {
    uint32_t magic;
    const struct settings *settings;
    struct chains chains;
    bool begun;
    bool usable[TARGETS]; /* set, and allowed */
    unsigned running[TARGETS];
    bool copying; /* to syslog */
    struct event *look, *work, *save;
    int64_t saved_us, save_at_us; /* 0: nothing to save */
    bool save_failed;
};

static struct notifier notifier = {.magic = NOTIFIER_MAGIC};

static const unsigned running_most[TARGETS] = {[TARGET_COMMAND] = COMMANDS_MAX, [TARGET_URL] = POSTS_MAX};

static int64_t now_us(void) {
    return clock_now().mono_us;
}

static void arm(struct event *e, int64_t ms) {
    struct timeval after = {ms / 1000, ms % 1000 * 1000};
    if (evtimer_add(e, &after) < 0)
        abort();
}

/* --- the cursors --- */

static void save_within(struct notifier *o, int64_t ms) {
    int64_t at = now_us() + ms * 1000, earliest = o->saved_us + SAVE_MS * 1000;
    if (at < earliest)
        at = earliest;
    if (o->save_at_us != 0 && o->save_at_us <= at)
        return;
    o->save_at_us = at;
    arm(o->save, (at - now_us()) / 1000 + 1);
}

static void save_now(struct notifier *o) {
    o->save_at_us = 0;
    o->saved_us = now_us();
    evtimer_del(o->save);
    if (chains_save(&o->chains)) {
        o->save_failed = false;
        return;
    }
    if (!o->save_failed)
        log_error("notify.cursor cannot be written, a restart would tell again: %s", strerror(errno));
    o->save_failed = true;
    save_within(o, SAVE_MS);
}

static void on_save(evutil_socket_t fd, short what, void *arg) {
    save_now(arg);
}

/* --- one notice --- */

static void work_soon(struct notifier *o) {
    event_active(o->work, EV_TIMEOUT, 0);
}

static void put_off(struct errand *e, uint64_t n, const char *why) {
    const char *what = e->target == TARGET_URL ? "notify_url" : "notify_command";
    if (e->backoff_ms == 0)
        log_warning("notice %s/%" PRIu64 " is not delivered yet: %s %s", files_folder(e->tale->tenant), n,
                    what, why);
    uint32_t twice = e->backoff_ms * 2;
    e->backoff_ms = e->backoff_ms == 0 ? BACKOFF_FIRST_MS : twice < BACKOFF_MOST_MS ? twice : BACKOFF_MOST_MS;
    e->not_before_us = now_us() + (int64_t)e->backoff_ms * 1000;
    e->ready = false;
}

static void on_told(void *arg, bool told, const char *why) {
    struct errand *e = arg;
    MAGIC_CHECK(e, ERRAND_MAGIC);
    struct notifier *o = &notifier;
    assert(e->busy && o->running[e->target] > 0);
    e->busy = false;
    o->running[e->target]--;
    if (!told) {
        put_off(e, e->after.n, why);
    } else {
        if (e->backoff_ms != 0)
            log_info("notices of %s are delivered again", files_folder(e->tale->tenant));
        e->backoff_ms = 0;
        if (!e->moved)
            e->cursor = e->after;
        save_within(o, SAVE_SOON_MS);
    }
    e->moved = false;
    work_soon(o);
}

/* The file's content without a newline at its end. False with errno. */
static bool read_secret(const char *path, uint8_t out[SECRET_MAX], size_t *len) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, out, SECRET_MAX) : -1;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (n > 0 && out[n - 1] == '\n')
        n--;
    errno = n < 0 ? error : EINVAL;
    *len = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static bool sign(const struct notifier *o, struct view body, char signature[NOTICE_SIGNATURE]) {
    uint8_t secret[SECRET_MAX];
    size_t len;
    signature[0] = 0;
    if (!o->settings->notify_secret[0])
        return true;
    bool good = read_secret(o->settings->notify_secret, secret, &len);
    if (good)
        notice_sign(view_of(secret, len), body, signature);
    secret_wipe(secret, sizeof secret);
    return good;
}

static void post(struct notifier *o, struct errand *e, struct view body) {
    char signature[NOTICE_SIGNATURE], key[80];
    snprintf(key, sizeof key, "%s/%" PRIu64, files_folder(e->tale->tenant), e->after.n);
    struct post p = {.url = o->settings->notify_url,
                     .ca = o->settings->notify_ca,
                     .signature = signature,
                     .key = key,
                     .body = body};
    if (!sign(o, body, signature))
        put_off(e, e->after.n, "gets nothing unsigned, and notify_secret cannot be read");
    else if (!post_start(&p, on_told, e))
        put_off(e, e->after.n, "cannot be posted to");
    else
        e->busy = true;
}

static void command(struct notifier *o, struct errand *e, struct view body) {
    char why[TOLD_WHY];
    if (command_start(o->settings->notify_command, body, on_told, e)) {
        e->busy = true;
        return;
    }
    snprintf(why, sizeof why, "cannot be started: %s", strerror(errno));
    put_off(e, e->after.n, why);
}

static void tell(struct notifier *o, struct errand *e, const struct tail_found *found) {
    static uint8_t bytes[NOTICE_BODY_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    notice_write(&w, e->tale->tenant, found->urgent, found->line);
    assert(!w.bad);
    e->after = found->after;
    if (e->target == TARGET_URL)
        post(o, e, writer_view(&w));
    else
        command(o, e, writer_view(&w));
    if (!e->busy)
        return;
    o->running[e->target]++;
    TAILQ_REMOVE(&o->chains.order, e->tale, next);
    TAILQ_INSERT_TAIL(&o->chains.order, e->tale, next);
}

/* Goes on reading; starts telling when there is something. True when it should be asked again in this turn.
 */
static bool go_on(struct notifier *o, struct errand *e) {
    struct tail_found found;
    uint64_t before = e->cursor.offset;
    enum tail_state state = tail_next(o->chains.ledger, e->tale->tenant, &e->cursor, &found);
    int error = errno;
    if (e->cursor.offset != before)
        save_within(o, SAVE_LATER_MS);
    if (state == TAIL_FOUND)
        tell(o, e, &found);
    else if (state == TAIL_END)
        e->ready = false;
    else if (state == TAIL_FAILED) {
        char why[TOLD_WHY];
        snprintf(why, sizeof why, "waits for a line that cannot be read: %.60s", strerror(error));
        put_off(e, e->cursor.n + 1, why);
    }
    return state == TAIL_MORE;
}

static bool may_go(const struct notifier *o, const struct errand *e, int64_t now) {
    return o->usable[e->target] && !e->busy && now >= e->not_before_us;
}

static void on_work(evutil_socket_t fd, short what, void *arg) {
    struct notifier *o = arg;
    MAGIC_CHECK(o, NOTIFIER_MAGIC);
    bool again = false;
    int64_t now = now_us();
    struct tale *t, *next;
    for (t = TAILQ_FIRST(&o->chains.order); t; t = next) {
        next = TAILQ_NEXT(t, next);
        for (int i = 0; i < TARGETS; i++) {
            struct errand *e = &t->errand[i];
            if (e->ready && may_go(o, e, now) && o->running[i] < running_most[i])
                again |= go_on(o, e);
        }
    }
    if (again)
        work_soon(o);
}

static void on_look(evutil_socket_t fd, short what, void *arg) {
    struct notifier *o = arg;
    MAGIC_CHECK(o, NOTIFIER_MAGIC);
    bool any = false;
    int64_t now = now_us();
    struct tale *t;
    chains_look(&o->chains);
    TAILQ_FOREACH(t, &o->chains.order, next) {
        for (int i = 0; i < TARGETS; i++) {
            struct errand *e = &t->errand[i];
            if (!e->ready && may_go(o, e, now))
                e->ready = tail_grown(o->chains.ledger, t->tenant, &e->cursor);
            any |= e->ready;
        }
    }
    if (any)
        work_soon(o);
    syslog_look();
}

static void on_copied(void *arg) {
    save_within(arg, SAVE_SOON_MS);
}

/* --- the frame --- */

static void take_targets(struct notifier *o, const struct settings *s) {
    const char *why = NULL;
    bool wanted[TARGETS] = {[TARGET_COMMAND] = s->notify_command[0],
                            [TARGET_URL] = s->notify_url[0],
                            [TARGET_SYSLOG] = s->syslog_target[0]};
    memcpy(o->usable, wanted, sizeof wanted);
    o->usable[TARGET_SYSLOG] = false; /* its errands are notifier_syslog.c's */
    o->copying = syslog_settings(s, &o->chains, on_copied, o);
    if (wanted[TARGET_URL] && !web_url_good(s->notify_url, &why)) {
        log_error("notify_url %s: nothing is posted", why);
        o->usable[TARGET_URL] = false;
    } else if (wanted[TARGET_URL] && !s->notify_secret[0]) {
        log_warning("notify_secret is not set: what is posted to notify_url is not signed");
    }
    /* What is unset forgets how far it was: set again, it hears of what happens from then on. */
    if (chains_targets(&o->chains, wanted))
        save_now(o);
}

static void forget_failures(struct notifier *o) {
    struct tale *t;
    TAILQ_FOREACH(t, &o->chains.order, next) {
        for (int i = 0; i < TARGETS; i++)
            t->errand[i].not_before_us = 0;
    }
}

static void look_or_sleep(struct notifier *o) {
    bool awake = o->usable[TARGET_COMMAND] || o->usable[TARGET_URL] || o->copying;
    if (awake && !o->look) {
        o->look = role_timer(LOOK_MS, true, on_look, o);
    } else if (!awake && o->look) {
        event_free(o->look);
        o->look = NULL;
    }
}

static void begin(struct notifier *o, const struct settings *s) {
    o->begun = true;
    o->work = event_new(role_base(), -1, 0, on_work, o);
    o->save = evtimer_new(role_base(), on_save, o);
    if (!o->work || !o->save)
        abort();
    chains_begin(&o->chains, s->ledger_dir, s->state_dir);
}

static void on_settings(void *arg, const struct settings *s) {
    struct notifier *o = arg;
    MAGIC_CHECK(o, NOTIFIER_MAGIC);
    o->settings = s;
    if (!o->begun)
        begin(o, s);
    take_targets(o, s);
    forget_failures(o);
    look_or_sleep(o);
}

static void on_peer(void *arg, const struct role_peer *peer, int fd) {
    if (peer->role == R_LEDGER) {
        syslog_ledger(fd);
        return;
    }
    log_warning("introduced to the %s, with whom there is nothing to talk about", role_name(peer->role));
    close(fd);
}

static void end(struct notifier *o) {
    commands_end();
    syslog_end();
    posts_end();
    if (!o->begun)
        return;
    if (o->save_at_us != 0)
        save_now(o);
    struct event *events[] = {o->look, o->work, o->save};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (events[i])
            event_free(events[i]);
    chains_end(&o->chains);
}

int notifier_main(void) {
    static const struct role_hooks hooks = {.settings = on_settings, .peer = on_peer};
    int code = role_run(R_NOTIFIER, &hooks, &notifier);
    end(&notifier);
    return code;
}
