/* SPDX-License-Identifier: ISC
 *
 * Cells, on demand: the gate says which tenant needs one. Cells that crash again and again are given after a
 * delay that doubles, per tenant, so that one tenant's trouble costs the others nothing.
 */
#include "log.h"
#include "magic.h"
#include "supervisor.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define OPERATORS_MOST 256
#define CELLS_MOST 4096 /* of all tenants: more is not a fleet but a fault */
#define BACKOFF_FIRST_MS 10
#define BACKOFF_MOST_MS 1000
#define QUIET_US 10000000
#define REMEMBERED_US 5000000 /* a wish that could not be granted, as an old cell was still leaving */

static struct tenant_cells *cells_of(struct supervisor *s, const char *tenant) {
    struct tenant_cells *t;
    HASH_FIND_STR(s->tenants, tenant, t);
    if (t)
        return t;
    t = calloc(1, sizeof *t);
    if (!t)
        abort();
    *t = (struct tenant_cells){.magic = TENANT_CELLS_MAGIC, .supervisor = s};
    snprintf(t->tenant, sizeof t->tenant, "%s", tenant);
    HASH_ADD_STR(s->tenants, tenant, t);
    return t;
}

static uint32_t count_living(struct supervisor *s, const char *tenant) {
    uint32_t count = 0;
    struct process *p;
    TAILQ_FOREACH(p, &s->processes, next) {
        count += p->role == R_CELL && p->channel && strcmp(p->tenant, tenant) == 0;
    }
    return count;
}

static void start_cell(struct tenant_cells *t) {
    struct supervisor *s = t->supervisor;
    t->wanted = 0;
    if (s->cell_count >= CELLS_MOST) {
        log_error("no cell for %s: %u cells exist", t->tenant, s->cell_count);
        return;
    }
    struct process *p = process_new(s, R_CELL, t->tenant);
    if (!process_begin(p)) {
        process_free(&p);
        return;
    }
    process_join(p);
    process_go(p, false);
}

/* One session, one cell: it starts at once or not at all, and nobody waits for it but that operator. */
void operator_wanted(struct supervisor *s, const char *tenant) {
    MAGIC_CHECK(s, SUPERVISOR_MAGIC);
    uint32_t operators = 0;
    struct process *p;
    TAILQ_FOREACH(p, &s->processes, next) {
        operators += p->role == R_OPERATOR;
    }
    if (s->stage != STAGE_SERVING || operators >= OPERATORS_MOST) {
        log_error("no cell for an operator's session with %s: %u exist", tenant, operators);
        return;
    }
    p = process_new(s, R_OPERATOR, tenant);
    if (!process_begin(p)) {
        process_free(&p);
        return;
    }
    process_join(p);
    process_go(p, false);
}

/* Ledger and broker are believed about everybody but each other, the gate about cells only. */
static bool may_condemn(enum role judge, const struct process *p) {
    bool is_judge = p->role == R_LEDGER || p->role == R_BROKER;
    return process_is_cell(p) || (judge != R_GATE && !is_judge);
}

void process_condemn(struct supervisor *s, enum role judge, uint32_t id) {
    MAGIC_CHECK(s, SUPERVISOR_MAGIC);
    char name[64];
    struct process *p;
    TAILQ_FOREACH(p, &s->processes, next) {
        if (p->id != id || p->pid == 0 || !may_condemn(judge, p))
            continue;
        process_name(p, name);
        log_error("%s[%d] is not to be trusted any more: killed", name, (int)p->pid);
        kill(p->pid, SIGKILL);
    }
}

static void grant(struct tenant_cells *t);

static void on_later(evutil_socket_t fd, short what, void *arg) {
    struct tenant_cells *t = arg;
    MAGIC_CHECK(t, TENANT_CELLS_MAGIC);
    event_free(t->later);
    t->later = NULL;
    grant(t);
}

/* One cell, if that is still wanted: now, or when the back-off is over. */
static void grant(struct tenant_cells *t) {
    struct supervisor *s = t->supervisor;
    if (s->stage != STAGE_SERVING || t->later || count_living(s, t->tenant) >= t->wanted)
        return;
    int64_t rest_us = t->crashed_us + (int64_t)t->backoff_ms * 1000 - clock_now().mono_us;
    if (t->backoff_ms > 0 && rest_us > 0)
        t->later = supervisor_timer(s, (uint32_t)(rest_us / 1000) + 1, on_later, t);
    else
        start_cell(t);
}

void cells_wanted(struct supervisor *s, const char *tenant, uint32_t cells) {
    MAGIC_CHECK(s, SUPERVISOR_MAGIC);
    struct tenant_cells *t = cells_of(s, tenant);
    t->wanted = cells;
    t->wanted_us = clock_now().mono_us;
    grant(t);
}

static void forget(struct tenant_cells *t) {
    HASH_DEL(t->supervisor->tenants, t);
    t->magic = 0;
    free(t);
}

void cell_gone(struct process *p, bool crashed) {
    MAGIC_CHECK(p, PROCESS_MAGIC);
    struct supervisor *s = p->supervisor;
    struct tenant_cells *t = cells_of(s, p->tenant);
    int64_t now_us = clock_now().mono_us;
    if (crashed) {
        bool quiet = t->backoff_ms == 0 || now_us - t->crashed_us > QUIET_US;
        t->backoff_ms = quiet                                 ? BACKOFF_FIRST_MS
                        : t->backoff_ms * 2 < BACKOFF_MOST_MS ? t->backoff_ms * 2
                                                              : BACKOFF_MOST_MS;
        t->crashed_us = now_us;
    }
    /* The gate may have asked while this one was on its way out. */
    if (t->wanted > 0 && now_us - t->wanted_us < REMEMBERED_US)
        grant(t);
    if (!crashed && !t->later && count_living(s, p->tenant) == 0 && now_us - t->crashed_us > QUIET_US)
        forget(t);
}
