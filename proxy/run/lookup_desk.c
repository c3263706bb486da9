/* SPDX-License-Identifier: ISC
 *
 * Who waits at a tenant's desk: the queue, the deadlines, the back-off after failures. Decides when to
 * connect and whom to serve; lookup_instance.c does it and reports back.
 */
#include "lookup_desk.h"
#include "clock.h"
#include "log.h"
#include "magic.h"
#include "provision_text.h"
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define DESK_MAGIC 0x0DE5C11Fu
#define BACK_OFF_FIRST_MS 100
#define BACK_OFF_MOST_MS 2000

static void settle(struct desk *d, struct ask **a, enum lookup outcome, const char *text) {
    if (!(*a)->answered)
        d->answer(d->arg, (*a)->request, outcome, view_text(text));
    free(*a);
    *a = NULL;
    d->pending--;
}

static void refuse_all(struct desk *d) {
    struct ask *a, *next;
    if (d->current)
        settle(d, &d->current, LOOKUP_UNAVAILABLE, "");
    DL_FOREACH_SAFE(d->queue, a, next) {
        DL_DELETE(d->queue, a);
        settle(d, &a, LOOKUP_UNAVAILABLE, "");
    }
}

/* The query that runs is given up; whom it was for waits first in line again, unless the answer came too late
 * anyway. */
static void stand_back(struct desk *d) {
    if (d->current && d->current->answered)
        settle(d, &d->current, LOOKUP_UNAVAILABLE, "");
    if (d->current)
        DL_PREPEND(d->queue, d->current);
    d->current = NULL;
}

/* The timer fires when the first of these is due: an answer, the operation, the end of an unused connection.
 */
static void arm(struct desk *d, int64_t now_us) {
    int64_t due = INT64_MAX;
    if (d->queue)
        due = d->queue->until_us;
    if (d->current && !d->current->answered && d->current->until_us < due)
        due = d->current->until_us;
    if ((d->state == DESK_CONNECTING || d->state == DESK_ASKING) && d->operation_us < due)
        due = d->operation_us;
    if (d->state == DESK_READY && d->ready_us + LOOKUP_IDLE_MS * INT64_C(1000) < due)
        due = d->ready_us + LOOKUP_IDLE_MS * INT64_C(1000);
    if (due == INT64_MAX) {
        event_del(d->timer);
        return;
    }
    int64_t left = due > now_us ? due - now_us : 0;
    struct timeval after = {left / 1000000, left % 1000000};
    event_add(d->timer, &after);
}

/* Whatever can be begun now. */
static void go_on(struct desk *d) {
    int64_t now = clock_now().mono_us;
    if (d->queue && d->state == DESK_CLOSED && now < d->not_before_us)
        refuse_all(d);
    if (d->queue && d->state == DESK_CLOSED)
        desk_connect(d);
    if (d->queue && d->state == DESK_READY) {
        d->current = d->queue;
        DL_DELETE(d->queue, d->current);
        desk_query(d);
    }
    arm(d, clock_now().mono_us);
}

static void complain(struct desk *d, const char *why) {
    char line[256];
    provision_one_line(view_text(why), line, sizeof line);
    if (!d->complained)
        log_warning("tenant %s: its instance gives no verifiers: %s", d->id, line);
    d->complained = true;
}

void desk_fault(struct desk *d, const char *why) {
    complain(d, why);
    d->back_off_ms = d->back_off_ms ? 2 * d->back_off_ms : BACK_OFF_FIRST_MS;
    if (d->back_off_ms > BACK_OFF_MOST_MS)
        d->back_off_ms = BACK_OFF_MOST_MS;
    d->not_before_us = clock_now().mono_us + (int64_t)d->back_off_ms * 1000;
    d->first++;
    desk_close(d);
    refuse_all(d);
    arm(d, clock_now().mono_us);
}

void desk_lost(struct desk *d, const char *why) {
    if (d->state == DESK_ASKING && !d->current->retried) {
        /* The instance restarted, perhaps long ago: whom we serve is served over a new connection. */
        d->current->retried = true;
        stand_back(d);
    } else if (d->state != DESK_READY) {
        desk_fault(d, why);
        return;
    }
    desk_close(d);
    go_on(d);
}

void desk_logged_in(struct desk *d) {
    d->state = DESK_READY;
    d->ready_us = clock_now().mono_us;
    d->back_off_ms = 0;
    go_on(d);
}

void desk_served(struct desk *d) {
    if (d->outcome != LOOKUP_UNAVAILABLE)
        d->complained = false;
    settle(d, &d->current, d->outcome, d->text);
    secret_wipe(d->text, sizeof d->text);
    d->state = DESK_READY;
    d->ready_us = clock_now().mono_us;
    go_on(d);
}

static void on_timer(evutil_socket_t fd, short what, void *arg) {
    struct desk *d = arg;
    MAGIC_CHECK(d, DESK_MAGIC);
    int64_t now = clock_now().mono_us;
    if (d->current && !d->current->answered && now >= d->current->until_us) {
        d->answer(d->arg, d->current->request, LOOKUP_UNAVAILABLE, view_of(NULL, 0));
        d->current->answered = true;
    }
    while (d->queue && now >= d->queue->until_us) {
        struct ask *late = d->queue;
        DL_DELETE(d->queue, late);
        settle(d, &late, LOOKUP_UNAVAILABLE, "");
    }
    if ((d->state == DESK_CONNECTING || d->state == DESK_ASKING) && now >= d->operation_us) {
        desk_fault(d, d->state == DESK_CONNECTING ? "no login in time" : "no answer in time");
        return;
    }
    if (d->state == DESK_READY && now >= d->ready_us + LOOKUP_IDLE_MS * INT64_C(1000))
        desk_close(d);
    go_on(d);
}

void desk_ask(struct desk *d, uint64_t request, struct view user) {
    MAGIC_CHECK(d, DESK_MAGIC);
    struct ask *a = calloc(1, sizeof *a);
    /* A name that is too long or holds a NUL is no role's, and a tenant without the function has no roles. */
    bool nobody = !a || d->role[0] == '\0' || !view_copy_text(user, a->user, sizeof a->user);
    if (nobody || d->pending >= LOOKUP_PENDING_MAX || d->tenant->address_count == 0) {
        d->answer(d->arg, request, a && nobody ? LOOKUP_NONE : LOOKUP_UNAVAILABLE, view_of(NULL, 0));
        free(a);
        return;
    }
    a->request = request;
    a->until_us = clock_now().mono_us + LOOKUP_PATIENCE_MS * INT64_C(1000);
    DL_APPEND(d->queue, a);
    d->pending++;
    go_on(d);
}

/* Whether what the desk has of its instance is still good. */
static bool same_instance(const struct desk *d, const struct tenant *t) {
    const struct tenant *a = d->tenant;
    bool same =
        a && strcmp(a->instance_host, t->instance_host) == 0 && a->instance_port == t->instance_port &&
        strcmp(a->instance_name, t->instance_name) == 0 && strcmp(a->auth_database, t->auth_database) == 0 &&
        strcmp(a->instance_ca, t->instance_ca) == 0 &&
        strcmp(a->client_certificate, t->client_certificate) == 0 && d->address_count == t->address_count;
    for (size_t i = 0; same && i < t->address_count; i++)
        same = address_equal(&d->address[i], &t->address[i]);
    return same;
}

void desk_serve(struct desk *d, const struct tenant *t, const char *role, const char *password) {
    MAGIC_CHECK(d, DESK_MAGIC);
    bool same = same_instance(d, t) && strcmp(d->role, role) == 0 && strcmp(d->password, password) == 0;
    d->tenant = t;
    if (same)
        return;
    d->address_count = t->address_count;
    memcpy(d->address, t->address, sizeof d->address);
    snprintf(d->role, sizeof d->role, "%s", role);
    secret_wipe(d->password, sizeof d->password);
    snprintf(d->password, sizeof d->password, "%s", password);
    d->not_before_us = 0;
    d->back_off_ms = 0;
    d->complained = false;
    stand_back(d);
    desk_close(d);
    if (t->address_count == 0 || role[0] == '\0')
        refuse_all(d);
    go_on(d);
}

struct desk *desk_new(struct event_base *base, const char *id, lookup_answer_fn *answer, void *arg) {
    struct desk *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    d->magic = DESK_MAGIC;
    d->base = base;
    d->answer = answer;
    d->arg = arg;
    snprintf(d->id, sizeof d->id, "%s", id);
    d->timer = event_new(base, -1, 0, on_timer, d);
    if (!d->timer)
        abort();
    return d;
}

void desk_free(struct desk **d) {
    if (!*d)
        return;
    MAGIC_CHECK(*d, DESK_MAGIC);
    desk_close(*d);
    refuse_all(*d);
    event_free((*d)->timer);
    secret_wipe(*d, sizeof **d);
    free(*d);
    *d = NULL;
}
