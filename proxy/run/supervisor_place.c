/* SPDX-License-Identifier: ISC
 *
 * Places: where statistics pages belong. A page is of a role and a tenant, not of one process: who takes the
 * place of a process that is gone goes on counting where that one stopped. So no count is lost with a cell,
 * and there are as many pages as there were processes at once. The console is told of every place and of who
 * has it.
 */
#include "log.h"
#include "magic.h"
#include "page.h"
#include "stats_series.h"
#include "supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLACE_MAGIC 0x50be0004u
#define PLACES_MOST 8192 /* more than there can be processes: one that nobody has can always go */

struct place {
    uint32_t magic;
    uint32_t number;
    enum role role;
    char tenant[TENANT_ID_MAX + 1];
    int fd;
    uint64_t *words;
    const struct process *owner; /* NULL: nobody */
    uint32_t starts, crashes;
    TAILQ_ENTRY(place) next;
};

static struct channel *console_of(struct supervisor *s) {
    struct process *console = process_of_role(s, R_CONSOLE);
    return console && console->told_places ? console->channel : NULL;
}

static void tell_place(struct channel *console, const struct place *l) {
    int reader = page_reader(l->fd);
    if (reader < 0) {
        log_error("a statistics page cannot be read: %s", strerror(errno));
        return;
    }
    struct writer w = channel_scratch();
    writer_u32(&w, l->number);
    writer_u16(&w, (uint16_t)l->role);
    writer_text16(&w, view_text(l->tenant));
    channel_send(console, M_STATS_PLACE, &w, reader);
    close(reader);
}

static void tell_owner(struct channel *console, const struct place *l) {
    struct writer w = channel_scratch();
    writer_u32(&w, l->number);
    writer_u32(&w, l->owner ? (uint32_t)l->owner->pid : 0);
    writer_u32(&w, l->starts);
    writer_u32(&w, l->crashes);
    channel_send(console, M_STATS_OWNER, &w, -1);
}

static void place_free(struct supervisor *s, struct place *l) {
    struct channel *console = console_of(s);
    if (console) {
        struct writer w = channel_scratch();
        writer_u32(&w, l->number);
        channel_send(console, M_STATS_GONE, &w, -1);
    }
    TAILQ_REMOVE(&s->places, l, next);
    s->place_count--;
    page_end(&l->fd, &l->words);
    l->magic = 0;
    free(l);
}

/* The one that nobody has had for longest; its tenant's counts begin anew when it comes back. */
static void make_room(struct supervisor *s) {
    struct place *l;
    TAILQ_FOREACH(l, &s->places, next) {
        if (!l->owner) {
            place_free(s, l);
            return;
        }
    }
}

static struct place *place_new(struct supervisor *s, enum role role, const char *tenant) {
    if (s->place_count >= PLACES_MOST)
        make_room(s);
    struct place *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    *l = (struct place){.magic = PLACE_MAGIC, .number = ++s->last_place, .role = role};
    snprintf(l->tenant, sizeof l->tenant, "%s", tenant);
    if (!page_new(&l->fd, &l->words)) {
        log_error("no statistics page: %s", strerror(errno));
        free(l);
        return NULL;
    }
    s->place_count++;
    TAILQ_INSERT_TAIL(&s->places, l, next);
    if (console_of(s))
        tell_place(console_of(s), l);
    return l;
}

static struct place *place_of(struct supervisor *s, const struct process *p) {
    struct place *l;
    TAILQ_FOREACH(l, &s->places, next) {
        if (l->owner == p)
            return l;
    }
    return NULL;
}

int place_take(struct process *p) {
    struct supervisor *s = p->supervisor;
    struct place *l;
    TAILQ_FOREACH(l, &s->places, next) {
        if (!l->owner && l->role == p->role && strcmp(l->tenant, p->tenant) == 0)
            break;
    }
    if (!l)
        l = place_new(s, p->role, p->tenant);
    if (!l)
        return -1;
    l->owner = p;
    l->starts++;
    return l->fd;
}

void place_taken(struct process *p) {
    struct supervisor *s = p->supervisor;
    struct place *l = place_of(s, p);
    if (l && console_of(s))
        tell_owner(console_of(s), l);
}

/* What there is now is no more; what there was stays. */
static void clear_gauges(struct place *l) {
    for (size_t i = 0; i < stats_count(); i++)
        if (stats_number(i)->shape == STATS_IS_GAUGE || stats_number(i)->shape == STATS_IS_STAMP)
            __atomic_store_n(&l->words[stats_number(i)->at], 0, __ATOMIC_RELAXED);
}

void place_leave(struct process *p, bool crashed) {
    struct supervisor *s = p->supervisor;
    struct place *l = place_of(s, p);
    if (!l)
        return;
    MAGIC_CHECK(l, PLACE_MAGIC);
    clear_gauges(l);
    l->owner = NULL;
    l->crashes += crashed;
    TAILQ_REMOVE(&s->places, l, next);
    TAILQ_INSERT_TAIL(&s->places, l, next);
    if (console_of(s))
        tell_owner(console_of(s), l);
}

void places_tell(struct process *console) {
    struct supervisor *s = console->supervisor;
    struct place *l;
    console->told_places = true;
    TAILQ_FOREACH(l, &s->places, next) {
        tell_place(console->channel, l);
        tell_owner(console->channel, l);
    }
}
