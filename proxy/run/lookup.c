/* SPDX-License-Identifier: ISC
 *
 * See lookup.h. The desks, one a tenant: who waits there, and until when. How a desk talks to its instance is
 * lookup_desk.c.
 */
#include "lookup.h"
#include "lookup_desk.h"
#include "magic.h"
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define LOOKUPS_MAGIC 0x100C0B5Eu

struct lookups {
    uint32_t magic;
    struct event_base *base;
    lookup_answer_fn *answer;
    void *arg;
    struct desk *desks; /* by id */
};

struct lookups *lookups_new(struct event_base *base, lookup_answer_fn *answer, void *arg) {
    struct lookups *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    *l = (struct lookups){.magic = LOOKUPS_MAGIC, .base = base, .answer = answer, .arg = arg};
    return l;
}

static void forget(struct lookups *l, struct desk *d) {
    HASH_DEL(l->desks, d);
    desk_free(&d);
}

void lookups_free(struct lookups **l) {
    if (!*l)
        return;
    MAGIC_CHECK(*l, LOOKUPS_MAGIC);
    struct desk *d, *next;
    HASH_ITER (hh, (*l)->desks, d, next)
        forget(*l, d);
    (*l)->magic = 0;
    free(*l);
    *l = NULL;
}

void lookups_begin(struct lookups *l) {
    MAGIC_CHECK(l, LOOKUPS_MAGIC);
    for (struct desk *d = l->desks; d; d = d->hh.next)
        d->named = false;
}

void lookups_tenant(struct lookups *l, const struct tenant *t, const char *role, const char *password) {
    MAGIC_CHECK(l, LOOKUPS_MAGIC);
    struct desk *d;
    HASH_FIND_STR(l->desks, t->id, d);
    if (!d) {
        d = desk_new(l->base, t->id, l->answer, l->arg);
        HASH_ADD_STR(l->desks, id, d);
    }
    d->named = true;
    desk_serve(d, t, role, password);
}

void lookups_end(struct lookups *l) {
    MAGIC_CHECK(l, LOOKUPS_MAGIC);
    struct desk *d, *next;
    HASH_ITER (hh, l->desks, d, next)
        if (!d->named)
            forget(l, d);
}

void lookups_ask(struct lookups *l, uint64_t request, const char *tenant, struct view user) {
    MAGIC_CHECK(l, LOOKUPS_MAGIC);
    struct desk *d;
    HASH_FIND_STR(l->desks, tenant, d);
    if (d)
        desk_ask(d, request, user);
    else
        l->answer(l->arg, request, LOOKUP_UNAVAILABLE, view_of(NULL, 0));
}
