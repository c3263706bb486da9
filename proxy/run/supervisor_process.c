/* SPDX-License-Identifier: ISC
 *
 * One of our processes: started afresh from its program, watched, and, but for cells, started again when
 * it ends unexpectedly: at once the first time, then after a delay that doubles. How it ended is in the log
 * and in the ledger.
 */
#include "log.h"
#include "magic.h"
#include "sandbox.h"
#include "supervisor.h"
#include "supervisor_spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKOFF_FIRST_MS 10
#define BACKOFF_SECOND_MS 100
#define BACKOFF_MOST_MS 5000
#define SETTLED_US 60000000 /* alive for this long: the next crash is the first again */
#define OVERDUE_MS 2000
#define UNTOLD UINT32_MAX

bool process_is_cell(const struct process *p) {
    return p->role == R_CELL || p->role == R_OPERATOR;
}

struct process *process_new(struct supervisor *s, enum role role, const char *tenant) {
    struct process *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    *p = (struct process){.magic = PROCESS_MAGIC, .supervisor = s, .role = role};
    snprintf(p->tenant, sizeof p->tenant, "%s", tenant);
    TAILQ_INSERT_TAIL(&s->processes, p, next);
    s->cell_count += process_is_cell(p);
    return p;
}

static void timer_stop(struct event **timer) {
    if (*timer)
        event_free(*timer);
    *timer = NULL;
}

void process_free(struct process **p) {
    if (!*p)
        return;
    MAGIC_CHECK(*p, PROCESS_MAGIC);
    struct supervisor *s = (*p)->supervisor;
    process_dismiss(*p);
    timer_stop(&(*p)->again);
    timer_stop(&(*p)->overdue);
    TAILQ_REMOVE(&s->processes, *p, next);
    s->cell_count -= process_is_cell(*p);
    (*p)->magic = 0;
    free(*p);
    *p = NULL;
}

void process_name(const struct process *p, char out[64]) {
    snprintf(out, 64, "%s%s%s", role_name(p->role), p->tenant[0] ? " " : "", p->tenant);
}

struct process *process_of_role(struct supervisor *s, enum role role) {
    struct process *p;
    TAILQ_FOREACH(p, &s->processes, next) {
        if (p->role == role)
            return p;
    }
    return NULL;
}

static void on_overdue(evutil_socket_t fd, short what, void *arg) {
    struct process *p = arg;
    MAGIC_CHECK(p, PROCESS_MAGIC);
    char name[64];
    process_name(p, name);
    log_error("%s[%d] does not leave: killed", name, (int)p->pid);
    kill(p->pid, SIGKILL);
}

/* From now on nobody hears of it any more; if it does not leave within a moment it is killed. */
static void channel_is_over(struct process *p) {
    struct supervisor *s = p->supervisor;
    p->joined = false;
    if (p->role == R_LEDGER)
        outbox_ledger(s->outbox, NULL);
    if (p->pid != 0 && !p->overdue)
        p->overdue = supervisor_timer(s, OVERDUE_MS, on_overdue, p);
}

static void on_ended(void *arg, struct channel *c, const char *why) {
    struct process *p = arg;
    MAGIC_CHECK(p, PROCESS_MAGIC);
    p->channel = NULL; /* freed by the channel itself */
    channel_is_over(p);
    if (strcmp(why, "closed") != 0 && p->pid != 0)
        kill(p->pid, SIGKILL); /* it broke the rules between us: nothing it says is believed any more */
}

void process_dismiss(struct process *p) {
    MAGIC_CHECK(p, PROCESS_MAGIC);
    if (!p->channel)
        return;
    channel_is_over(p);
    channel_free(&p->channel);
}

/* Those are of a program of their own. */
static bool meets_strangers(const struct process *p) {
    return process_is_cell(p) || p->role == R_GATE || p->role == R_LOBBY;
}

static bool start(struct process *p, int pair[2]) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return false;
    const char *tenant = process_is_cell(p) ? p->tenant : NULL;
    char ids[24];
    users_ids(p->supervisor, role_name(p->role), ids);
    pid_t pid = spawn(&(struct spawn){.ids = ids,
                                      .role = role_name(p->role),
                                      .tenant = tenant,
                                      .channel = pair[1],
                                      .page = place_take(p),
                                      .program = meets_strangers(p) ? p->supervisor->program : -1});
    close(pair[1]);
    if (pid < 0) {
        int error = errno;
        close(pair[0]);
        place_leave(p, false);
        errno = error;
        return false;
    }
    p->pid = pid;
    place_taken(p);
    return true;
}

static void on_again(evutil_socket_t fd, short what, void *arg) {
    struct process *p = arg;
    MAGIC_CHECK(p, PROCESS_MAGIC);
    timer_stop(&p->again);
    if (process_begin(p)) {
        process_join(p);
        process_go(p, false);
    }
}

static void start_later(struct process *p, bool settled) {
    uint32_t last = settled ? 0 : p->backoff_ms;
    p->backoff_ms = last == 0                    ? BACKOFF_FIRST_MS
                    : last < BACKOFF_SECOND_MS   ? BACKOFF_SECOND_MS
                    : last * 2 < BACKOFF_MOST_MS ? last * 2
                                                 : BACKOFF_MOST_MS;
    p->restarts++;
    p->again = supervisor_timer(p->supervisor, p->backoff_ms, on_again, p);
    broker_told(p, PROCESS_RESTARTING);
}

bool process_begin(struct process *p) {
    MAGIC_CHECK(p, PROCESS_MAGIC);
    assert(p->pid == 0 && !p->channel);
    struct supervisor *s = p->supervisor;
    int pair[2];
    p->started_us = clock_now().mono_us;
    if (!start(p, pair)) {
        log_error("cannot start the %s: %s", role_name(p->role), strerror(errno));
        if (!process_is_cell(p))
            start_later(p, false);
        return false;
    }
    p->id = ++s->last_id;
    p->ready = p->told_places = false;
    p->forbidden = UNTOLD;
    p->channel = channel_new(s->base, pair[0], R_SUPERVISOR, p->role, supervisor_message, on_ended, p);
    struct writer w = writer_of(s->text, s->text_len);
    w.len = s->text_len;
    channel_send(p->channel, M_SETTINGS, &w, -1);
    return true;
}

void process_go(struct process *p, bool fresh) {
    MAGIC_CHECK(p, PROCESS_MAGIC);
    struct supervisor *s = p->supervisor;
    if (p->role == R_LOBBY)
        lobby_told_identity(s);
    if (p->role == R_GATE)
        gate_told_listeners(s);
    if (p->role == R_CONSOLE) {
        places_tell(p);
        console_told_listeners(s);
    }
    struct writer w = channel_scratch();
    writer_u8(&w, fresh);
    channel_send(p->channel, M_GO, &w, -1);
    if (p->role == R_LEDGER) {
        p->note[0] = 0; /* the ledger's note is its health: it says itself when it is not well */
        if (!fresh)
            channel_send(p->channel, M_RESUMED, NULL, -1);
        outbox_ledger(s->outbox, p->channel);
    }
    if (p->role == R_BROKER)
        broker_told_all(s);
    else
        broker_told(p, PROCESS_RUNNING);
}

static void describe(struct process *p, int status) {
    char call[32];
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
        sandbox_call_name(p->forbidden, call);
        snprintf(p->note, sizeof p->note, "forbidden system call: %s",
                 p->forbidden == UNTOLD ? "not told" : call);
    } else if (WIFSIGNALED(status))
        snprintf(p->note, sizeof p->note, "signal SIG%s", sigabbrev_np(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        snprintf(p->note, sizeof p->note, "exit %d", WEXITSTATUS(status));
    else
        snprintf(p->note, sizeof p->note, "left");
}

static void record_crash(struct process *p, pid_t pid, int status) {
    char name[64], signal_name[32];
    process_name(p, name);
    struct record r;
    record_begin(&r, EVENT_PROCESS_CRASH, 0);
    record_text(&r, FIELD_PROCESS, view_text(name));
    record_number(&r, FIELD_PID, (uint64_t)pid);
    if (WIFSIGNALED(status)) {
        snprintf(signal_name, sizeof signal_name, "SIG%s", sigabbrev_np(WTERMSIG(status)));
        record_text(&r, FIELD_SIGNAL, view_text(signal_name));
        if (WTERMSIG(status) == SIGSYS)
            record_text(&r, FIELD_REASON, view_text(p->note));
    } else {
        record_number(&r, FIELD_EXIT, (uint64_t)WEXITSTATUS(status));
    }
    log_error("%s[%d] ended unexpectedly: %s", name, (int)pid, p->note);
    outbox_record(p->supervisor->outbox, 0, p->tenant, &r);
}

/* While we stop, the store and the log are needed till the cells are gone; the doors are not. */
static bool is_needed(const struct process *p) {
    enum stage stage = p->supervisor->stage;
    bool door = p->role == R_GATE || p->role == R_LOBBY;
    return stage == STAGE_SERVING || (!door && stage < STAGE_CLOSING);
}

static void process_gone(struct process *p, int status) {
    struct supervisor *s = p->supervisor;
    pid_t pid = p->pid;
    bool crashed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    bool expected = process_is_cell(p) ? !crashed || s->stage >= STAGE_KILLING : !is_needed(p);
    p->pid = 0;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS && p->channel)
        channel_drain(p->channel); /* what it said last is for what it was ended */
    process_dismiss(p);
    timer_stop(&p->overdue);
    describe(p, status);
    if (!expected)
        record_crash(p, pid, status);
    place_leave(p, !expected);
    if (process_is_cell(p)) {
        broker_told(p, PROCESS_ENDED);
        if (p->role == R_CELL)
            cell_gone(p, crashed);
        process_free(&p);
    } else if (is_needed(p)) {
        start_later(p, clock_now().mono_us - p->started_us >= SETTLED_US);
    } else {
        broker_told(p, PROCESS_ENDED);
    }
}

void processes_reap(struct supervisor *s) {
    MAGIC_CHECK(s, SUPERVISOR_MAGIC);
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        struct process *p, *found = NULL;
        TAILQ_FOREACH(p, &s->processes, next) {
            if (p->pid == pid)
                found = p;
        }
        if (found)
            process_gone(found, status);
    }
    drain_look(s);
}
