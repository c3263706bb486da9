/* SPDX-License-Identifier: ISC
 *
 * How many unfinished logins there are, from accept to the first ReadyForQuery: in all, from each network,
 * for each tenant, and how many connections a second each of these may make. A login whose cell has it is
 * still counted: until that cell says that it is over, the cell ends, or the login's time is over whatever
 * the cell says. Operators' connections are counted apart from all this: no flood of tenants' clients keeps
 * them out.
 */
#include "clock.h"
#include "gate.h"
#include "log.h"
#include "magic.h"

#include <stdlib.h>
#include <string.h>

#define CROWD_MAGIC 0x6a7e0007u
#define ADDRESS_SLOTS 16384
#define TENANT_SLOTS 1024
#define OPERATORS_MOST 256
#define GRACE_US 5000000 /* beyond the login's time: the cell has cut it by then, or it lies */
#define TOLD_A_SECOND 5  /* of a tenant's refused connections, so many hear why */

struct crowd {
    uint32_t magic;
    char key[TENANT_ID_MAX + 2]; /* what kind, and who; filled with zeros */
    uint32_t count;
    UT_hash_handle hh;
};

struct login_count { /* a login that a cell or the lobby has */
    uint64_t session;
    const struct channel *with;
    struct crowd *address, *tenant;
    int64_t ends_us; /* mono */
    TAILQ_ENTRY(login_count) by_age;
    UT_hash_handle hh;
};

static struct crowd *crowd_of(struct gate *g, const char key[sizeof((struct crowd *)NULL)->key], bool make) {
    struct crowd *c;
    HASH_FIND(hh, g->crowds, key, sizeof c->key, c);
    if (c || !make)
        return c;
    c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->magic = CROWD_MAGIC;
    memcpy(c->key, key, sizeof c->key);
    HASH_ADD(hh, g->crowds, key, sizeof c->key, c);
    return c;
}

static struct crowd *crowd_join(struct gate *g, const char key[sizeof((struct crowd *)NULL)->key]) {
    struct crowd *c = crowd_of(g, key, true);
    c->count++;
    return c;
}

static void crowd_leave(struct gate *g, struct crowd **c) {
    struct crowd *left = *c;
    *c = NULL;
    if (!left)
        return;
    MAGIC_CHECK(left, CROWD_MAGIC);
    assert(left->count > 0);
    if (--left->count > 0)
        return;
    HASH_DEL(g->crowds, left);
    left->magic = 0;
    free(left);
}

static void address_key(const struct address *a, char key[sizeof((struct crowd *)NULL)->key]) {
    struct address network = address_network(a);
    memset(key, 0, sizeof((struct crowd *)NULL)->key);
    key[0] = 'a';
    key[1] = (char)network.family;
    memcpy(key + 2, network.bytes, sizeof network.bytes);
}

static void tenant_key(const char *tenant, char key[sizeof((struct crowd *)NULL)->key]) {
    memset(key, 0, sizeof((struct crowd *)NULL)->key);
    key[0] = 't';
    strncpy(key + 1, tenant, TENANT_ID_MAX);
}

void crowds_begin(struct gate *g) {
    TAILQ_INIT(&g->logins_by_age);
    g->address_rates = buckets_new(ADDRESS_SLOTS);
    g->tenant_rates = buckets_new(TENANT_SLOTS);
    g->told_rates = buckets_new(TENANT_SLOTS);
    if (!g->address_rates || !g->tenant_rates || !g->told_rates)
        abort();
}

static void login_forget(struct gate *g, struct login_count *l) {
    crowd_leave(g, &l->address);
    crowd_leave(g, &l->tenant);
    TAILQ_REMOVE(&g->logins_by_age, l, by_age);
    HASH_DEL(g->logins, l);
    free(l);
}

static void forget_old(struct gate *g, int64_t now_us) {
    struct login_count *l;
    while ((l = TAILQ_FIRST(&g->logins_by_age)) && l->ends_us <= now_us)
        login_forget(g, l);
}

enum refusal crowd_arrives(struct visitor *v) {
    struct gate *g = v->gate;
    forget_old(g, v->accepted_us);
    if (v->operators)
        return ++g->operator_count > OPERATORS_MOST ? REFUSAL_OVERLOAD : REFUSAL_NONE;
    uint32_t unfinished = g->visitor_count - g->operator_count + HASH_COUNT(g->logins);
    return unfinished >= g->settings->max_greetings ? REFUSAL_OVERLOAD : REFUSAL_NONE;
}

enum refusal crowd_comes_from(struct visitor *v) {
    struct gate *g = v->gate;
    const struct settings *s = g->settings;
    char key[sizeof((struct crowd *)NULL)->key];
    if (v->operators)
        return REFUSAL_NONE;
    assert(!v->from);
    address_key(&v->client, key);
    const struct crowd *c = crowd_of(g, key, false);
    if (c && c->count >= s->address_max_greetings)
        return REFUSAL_OVERLOAD;
    if (!buckets_take(g->address_rates, view_of(key, sizeof key), s->address_rate, s->address_burst,
                      v->accepted_us))
        return REFUSAL_RATE;
    v->from = crowd_join(g, key);
    return REFUSAL_NONE;
}

enum refusal crowd_goes_to(struct visitor *v, const char *tenant) {
    struct gate *g = v->gate;
    const struct settings *s = g->settings;
    char key[sizeof((struct crowd *)NULL)->key];
    if (v->operators || v->to)
        return REFUSAL_NONE;
    tenant_key(tenant, key);
    const struct crowd *c = crowd_of(g, key, false);
    enum refusal refusal = c && c->count >= s->tenant_max_greetings ? REFUSAL_OVERLOAD : REFUSAL_NONE;
    int64_t now_us = clock_now().mono_us;
    if (refusal == REFUSAL_NONE &&
        !buckets_take(g->tenant_rates, view_of(key, sizeof key), s->tenant_rate, s->tenant_burst, now_us))
        refusal = REFUSAL_RATE;
    v->to = crowd_join(g, key);
    v->told = refusal != REFUSAL_NONE && tenant[0] &&
              buckets_take(g->told_rates, view_of(key, sizeof key), TOLD_A_SECOND, TOLD_A_SECOND, now_us);
    return refusal;
}

void crowd_hands_over(struct visitor *v, const struct channel *with) {
    struct gate *g = v->gate;
    if (v->operators)
        return;
    struct login_count *l = calloc(1, sizeof *l);
    if (!l)
        return; /* uncounted, and crowd_leaves does the rest */
    *l = (struct login_count){.session = v->session, .with = with, .address = v->from, .tenant = v->to};
    l->ends_us = v->accepted_us + (int64_t)g->settings->login_timeout * 1000 + GRACE_US;
    v->from = v->to = NULL;
    HASH_ADD(hh, g->logins, session, sizeof l->session, l);
    TAILQ_INSERT_TAIL(&g->logins_by_age, l, by_age);
}

void crowd_leaves(struct visitor *v) {
    crowd_leave(v->gate, &v->from);
    crowd_leave(v->gate, &v->to);
    v->gate->operator_count -= v->operators;
}

void crowd_login_over(struct gate *g, const struct channel *with, uint64_t session) {
    struct login_count *l;
    HASH_FIND(hh, g->logins, &session, sizeof session, l);
    if (l && l->with == with) /* else another gate's, or another's: nothing of theirs is counted down */
        login_forget(g, l);
}

void crowd_cell_gone(struct gate *g, const struct channel *with) {
    struct login_count *l, *next;
    HASH_ITER (hh, g->logins, l, next) {
        if (l->with == with)
            login_forget(g, l);
    }
}
