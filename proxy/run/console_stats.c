/* SPDX-License-Identifier: ISC
 *
 * See console_stats.h.
 */
#include "console_stats.h"
#include "directory.h"
#include "log.h"
#include "magic.h"
#include "page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>
#include <uthash.h>

#define GROUP_MAGIC 0xC0455701u
#define PLACE_SEEN_MAGIC 0xC0455702u

struct group_key {
    char tenant[TENANT_ID_MAX + 1]; /* the rest is zero */
    enum role role;
};

struct group { /* places whose numbers are one series */
    uint32_t magic;
    struct group_key key;
    size_t places;
    size_t index; /* of its series, while one is made */
    TAILQ_ENTRY(group) next;
    UT_hash_handle hh;
};

struct place_seen {
    uint32_t magic;
    uint32_t number, pid; /* pid 0: nobody has it */
    uint32_t starts, crashes;
    const uint64_t *words;
    struct group *group;
    UT_hash_handle hh;
};

static TAILQ_HEAD(, group) groups = TAILQ_HEAD_INITIALIZER(groups);
static struct group *by_key;
static struct place_seen *places;

static struct group *group_of(const struct group_key *key) {
    struct group *g;
    HASH_FIND(hh, by_key, key, sizeof *key, g);
    if (g)
        return g;
    g = calloc(1, sizeof *g);
    if (!g)
        abort();
    g->magic = GROUP_MAGIC;
    g->key = *key;
    HASH_ADD(hh, by_key, key, sizeof g->key, g);
    TAILQ_INSERT_TAIL(&groups, g, next);
    return g;
}

static struct place_seen *place_find(uint32_t number) {
    struct place_seen *p;
    HASH_FIND(hh, places, &number, sizeof number, p);
    return p;
}

static void place_forget(struct place_seen *p) {
    MAGIC_CHECK(p, PLACE_SEEN_MAGIC);
    struct group *g = p->group;
    HASH_DEL(places, p);
    page_unmap(&p->words);
    p->magic = 0;
    free(p);
    if (--g->places > 0)
        return;
    HASH_DEL(by_key, g);
    TAILQ_REMOVE(&groups, g, next);
    g->magic = 0;
    free(g);
}

static bool is_role(unsigned role) {
    return role != 0 && (role & (role - 1)) == 0 && (role & (STATS_CELLS | STATS_SINGLES));
}

static bool take_place(struct reader *body, int fd) {
    struct group_key key;
    memset(&key, 0, sizeof key);
    uint32_t number = reader_u32(body);
    uint16_t role = reader_u16(body);
    struct view tenant = reader_text16(body, TENANT_ID_MAX);
    bool cell = role & STATS_CELLS;
    bool good = reader_done(body) && is_role(role) && !place_find(number) && cell == (tenant.len > 0) &&
                (!cell || tenant_id_valid(tenant)) && view_copy_text(tenant, key.tenant, sizeof key.tenant);
    if (!good) {
        close(fd);
        return false;
    }
    const uint64_t *words = page_map(fd);
    struct place_seen *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    if (!words)
        log_error("a statistics page of the %s cannot be read", role_name((enum role)role));
    key.role = (enum role)role;
    *p = (struct place_seen){
        .magic = PLACE_SEEN_MAGIC, .number = number, .words = words, .group = group_of(&key)};
    p->group->places++;
    HASH_ADD(hh, places, number, sizeof p->number, p);
    return true;
}

static bool take_owner(struct reader *body) {
    struct place_seen *p = place_find(reader_u32(body));
    uint32_t pid = reader_u32(body), starts = reader_u32(body), crashes = reader_u32(body);
    if (!reader_done(body))
        return false;
    if (!p)
        return true; /* its page could not be sent */
    p->pid = pid;
    p->starts = starts;
    p->crashes = crashes;
    return true;
}

static bool take_gone(struct reader *body) {
    struct place_seen *p = place_find(reader_u32(body));
    if (!reader_done(body))
        return false;
    if (p)
        place_forget(p);
    return true;
}

bool console_stats_message(enum message_code m, struct reader *body, int fd) {
    _Static_assert((int)R_GATE == (int)STATS_GATE && (int)R_CELL == (int)STATS_CELL &&
                       (int)R_LOBBY == (int)STATS_LOBBY && (int)R_BROKER == (int)STATS_BROKER &&
                       (int)R_KEEPER == (int)STATS_KEEPER && (int)R_LEDGER == (int)STATS_LEDGER &&
                       (int)R_OPERATOR == (int)STATS_OPERATOR && (int)R_CONSOLE == (int)STATS_CONSOLE &&
                       (int)R_NOTIFIER == (int)STATS_NOTIFIER,
                   "roles and writers of statistics must agree");
    switch (m) {
    case M_STATS_PLACE:
        return take_place(body, fd);
    case M_STATS_OWNER:
        return take_owner(body);
    default:
        return m == M_STATS_GONE && take_gone(body);
    }
}

/* --- reading --- */

/* Gives each group its series. How many there are. */
static size_t number_groups(size_t tenants, struct stats_series *all) {
    size_t count = 0, cells = 0, operators = 0, others[2] = {SIZE_MAX, SIZE_MAX};
    struct group *g;
    TAILQ_FOREACH(g, &groups, next) {
        bool operator= g->key.role == R_OPERATOR, cell = operator|| g->key.role == R_CELL;
        bool beyond = cell && (operator? operators++ : cells++) >= tenants;
        if (beyond && others[operator] != SIZE_MAX) {
            g->index = others[operator];
            continue;
        }
        g->index = count++;
        if (beyond)
            others[operator] = g->index;
        stats_series_begin(&all[g->index], (enum stats_writer)g->key.role,
                           beyond ? "_others" : g->key.tenant);
    }
    return count;
}

struct stats_series *console_stats_collect(size_t tenants, size_t *count) {
    struct place_seen *p, *next;
    struct stats_series *all = calloc(HASH_COUNT(by_key) + 1, sizeof *all);
    if (!all)
        abort();
    *count = number_groups(tenants, all);
    HASH_ITER (hh, places, p, next) {
        struct stats_told told = {p->pid != 0, p->starts, p->crashes};
        if (p->words)
            stats_series_add(&all[p->group->index], p->words, &told);
    }
    return all;
}

static const struct place_seen *single(enum role role) {
    struct place_seen *p, *next;
    HASH_ITER (hh, places, p, next) {
        if (p->group->key.role == role)
            return p;
    }
    return NULL;
}

const char *console_stats_dead(void) {
    for (unsigned role = 1; role <= R_NOTIFIER; role <<= 1) {
        const struct place_seen *p = single((enum role)role);
        if (role & STATS_SINGLES && (!p || p->pid == 0))
            return role_name((enum role)role);
    }
    return "";
}

static uint64_t told(enum role role, enum statistic at) {
    const struct place_seen *p = single(role);
    return p && p->words ? __atomic_load_n(&p->words[at], __ATOMIC_RELAXED) : 0;
}

const char *console_stats_unready(uint32_t directory_ms, int64_t mono_us) {
    int64_t seen_us = (int64_t)told(R_BROKER, STATS_DIRECTORY_SEEN);
    if (told(R_GATE, STATS_LISTENERS) == 0)
        return "the gate does not listen";
    if (told(R_LEDGER, STATS_LEDGER_HEALTHY) != 1)
        return "the session log cannot be written";
    if (seen_us == 0)
        return "there is no directory yet";
    if (mono_us - seen_us > (int64_t)directory_ms * 1000)
        return "the control store could not be read lately";
    return "";
}
