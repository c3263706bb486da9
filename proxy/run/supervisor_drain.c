/* SPDX-License-Identifier: ISC
 *
 * SIGTERM: stopping in order, in stages that only go forward. First the sessions, for as long as
 * drain_timeout allows; then node.stop must be on disk; then everybody leaves, the ledger last, because the
 * others may still have records.
 */
#include "log.h"
#include "magic.h"
#include "supervisor.h"

#include <signal.h>

#define GRACE_MS 2000  /* beyond drain_timeout, for cells to close what they cut */
#define KILL_MS 1000   /* from SIGTERM to SIGKILL */
#define RECORD_MS 2000 /* for node.stop */
#define LEAVE_MS 4000  /* a process that does not leave is killed before this (supervisor_process.c) */
#define STOP_REQUEST 1 /* the only record of ours that is waited for */

static void enter(struct supervisor *s, enum stage stage);

static void on_stage_over(evutil_socket_t fd, short what, void *arg) {
    struct supervisor *s = arg;
    MAGIC_CHECK(s, SUPERVISOR_MAGIC);
    if (s->stage == STAGE_DRAINING)
        enter(s, STAGE_KILLING);
    else if (s->stage == STAGE_RECORDING) {
        log_error("the ledger does not take the last record");
        enter(s, STAGE_CLOSING);
    } else if (s->stage == STAGE_KILLING) {
        struct process *p;
        TAILQ_FOREACH(p, &s->processes, next) {
            if (process_is_cell(p) && p->pid != 0)
                kill(p->pid, SIGKILL);
        }
    } else if (s->stage < STAGE_ENDED)
        enter(s, s->stage + 1);
}

static void set_timer(struct supervisor *s, uint32_t ms) {
    if (s->stage_over)
        event_free(s->stage_over);
    s->stage_over = supervisor_timer(s, ms, on_stage_over, s);
}

static void tell_drain(struct supervisor *s) {
    struct process *p;
    TAILQ_FOREACH(p, &s->processes, next) {
        if (p->channel && (p->role == R_GATE || p->role == R_LOBBY || process_is_cell(p)))
            channel_send(p->channel, M_DRAIN, NULL, -1);
    }
}

static void terminate_cells(struct supervisor *s) {
    struct process *p;
    log_warning("%u cells still have sessions: ended", s->cell_count);
    TAILQ_FOREACH(p, &s->processes, next) {
        if (process_is_cell(p) && p->pid != 0)
            kill(p->pid, SIGTERM);
    }
}

static void record_stop(struct supervisor *s) {
    struct record r;
    record_begin(&r, EVENT_NODE_STOP, 0);
    record_text(&r, FIELD_VERSION, view_text(SEKISHO_VERSION));
    outbox_record(s->outbox, STOP_REQUEST, "", &r);
}

static void dismiss(struct supervisor *s, bool ledger_too) {
    struct process *p;
    TAILQ_FOREACH(p, &s->processes, next) {
        if (p->again)
            event_free(p->again);
        p->again = NULL;
        if (p->role != R_LEDGER || ledger_too)
            process_dismiss(p);
    }
}

static void enter(struct supervisor *s, enum stage stage) {
    assert(stage > s->stage);
    s->stage = stage;
    switch (stage) {
    case STAGE_SERVING:
        break;
    case STAGE_DRAINING:
        listeners_close(&s->listeners[PLANE_TENANTS], NULL);
        listeners_close(&s->listeners[PLANE_OPERATORS], NULL);
        tell_drain(s);
        set_timer(s, s->settings.drain_timeout + GRACE_MS);
        break;
    case STAGE_KILLING:
        terminate_cells(s);
        set_timer(s, KILL_MS);
        break;
    case STAGE_RECORDING:
        record_stop(s);
        set_timer(s, RECORD_MS);
        break;
    case STAGE_CLOSING:
    case STAGE_LAST:
        dismiss(s, stage == STAGE_LAST);
        set_timer(s, LEAVE_MS);
        break;
    case STAGE_ENDED:
        event_base_loopbreak(s->base);
        break;
    }
}

static bool anybody_but(struct supervisor *s, enum role role) {
    struct process *p;
    TAILQ_FOREACH(p, &s->processes, next) {
        if (p->pid != 0 && p->role != role)
            return true;
    }
    return false;
}

void drain_look(struct supervisor *s) {
    MAGIC_CHECK(s, SUPERVISOR_MAGIC);
    if ((s->stage == STAGE_DRAINING || s->stage == STAGE_KILLING) && s->cell_count == 0)
        enter(s, STAGE_RECORDING);
    if (s->stage == STAGE_CLOSING && !anybody_but(s, R_LEDGER))
        enter(s, STAGE_LAST);
    if (s->stage == STAGE_LAST && !anybody_but(s, R_ANY))
        enter(s, STAGE_ENDED);
}

void drain_durable(struct supervisor *s, uint64_t request, bool durable) {
    if (s->stage != STAGE_RECORDING || request != STOP_REQUEST)
        return;
    if (!durable)
        log_error("the ledger could not write the last record");
    enter(s, STAGE_CLOSING);
    drain_look(s);
}

void supervisor_drain(struct supervisor *s) {
    MAGIC_CHECK(s, SUPERVISOR_MAGIC);
    if (s->stage == STAGE_SERVING) {
        log_info("stopping: no new sessions, those at work have %u ms", s->settings.drain_timeout);
        enter(s, STAGE_DRAINING);
    } else if (s->stage == STAGE_DRAINING) {
        enter(s, STAGE_KILLING);
    }
    drain_look(s);
}
