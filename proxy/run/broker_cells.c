/* SPDX-License-Identifier: ISC
 *
 * What cells ask of the broker, and what it tells them. Every message of a cell is taken as an attacker's:
 * the tenant comes from the channel, a session must be that cell's own, counts are ours.
 */
#include "broker_grants.h"
#include "log.h"
#include "magic.h"
#include "provision_link.h"
#include "secret.h"
#include "stats.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CELL_MAGIC 0x5ec10007u
#define CANCELS_MAX 64  /* connections for cancel requests one cell may be waiting for; more are forgotten */
#define ASKING_MAX 4096 /* verifiers one cell may wait for at once */

/* --- counts and holdings --- */

/* Operators' sessions have a count of their own: neither they nor the tenant's can take the other's place. */
static uint32_t *count_of(const struct broker_cell *c) {
    const char *tenant = c->tenant;
    if (c->role == R_OPERATOR)
        return &broker.operators;
    struct tenant_count *n;
    HASH_FIND_STR(broker.counts, tenant, n);
    if (!n) {
        n = calloc(1, sizeof *n);
        if (!n)
            abort();
        snprintf(n->tenant, sizeof n->tenant, "%s", tenant);
        HASH_ADD_STR(broker.counts, tenant, n);
    }
    return &n->sessions;
}

struct holding *holding_find(const struct broker_cell *c, uint64_t session) {
    struct holding_key key = {session, c->id};
    struct holding *h;
    HASH_FIND(hh, broker.holdings, &key, sizeof key, h);
    return h;
}

static void count_down(const struct broker_cell *c) {
    struct tenant_count *n;
    if (c->role == R_OPERATOR) {
        assert(broker.operators > 0);
        broker.operators--;
        return;
    }
    HASH_FIND_STR(broker.counts, c->tenant, n);
    assert(n && n->sessions > 0 && broker.sessions > 0);
    broker.sessions--;
    if (--n->sessions == 0) {
        HASH_DEL(broker.counts, n);
        free(n);
    }
}

void holding_remove(struct holding *h) {
    count_down(h->cell);
    HASH_DEL(broker.holdings, h);
    stats_set(STATS_ADMITTED, HASH_COUNT(broker.holdings));
    free(h);
}

struct holding *holding_add(struct broker_cell *c, uint64_t session, const struct admission_request *q) {
    struct holding *h = calloc(1, sizeof *h);
    if (!h)
        abort();
    h->key = (struct holding_key){session, c->id};
    h->cell = c;
    h->client = q->client;
    h->since_us = clock_now().wall_us;
    view_copy_text(q->user, h->user, sizeof h->user);
    view_copy_text(q->database, h->database, sizeof h->database);
    view_copy_text(q->application, h->application, sizeof h->application);
    HASH_ADD(hh, broker.holdings, key, sizeof h->key, h);
    stats_set(STATS_ADMITTED, HASH_COUNT(broker.holdings));
    broker.sessions += c->role == R_CELL;
    ++*count_of(c);
    return h;
}

/* --- what a cell is told --- */

void write_blob(struct writer *w, struct view v) {
    writer_u32(w, (uint32_t)v.len);
    writer_bytes(w, v);
}

size_t read_file(const char *path, uint8_t *at, size_t cap) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, at, cap) : -1;
    if (fd >= 0)
        close(fd);
    return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

/* The tenant's own certificate when there is one, else the node's. */
static bool read_identity(const char *tenant, const char *ending, const char *fallback, uint8_t *at,
                          size_t cap, size_t *len) {
    char path[600];
    const char *dir = broker.settings->tenant_dir;
    if (dir[0]) {
        snprintf(path, sizeof path, "%s/%s.%s", dir, tenant, ending);
        if (access(path, F_OK) == 0) {
            *len = read_file(path, at, cap);
            return *len > 0;
        }
    }
    *len = read_file(fallback, at, cap);
    return *len > 0;
}

static void tell_identity(struct broker_cell *c) {
    static uint8_t chain[32768], key[16384];
    size_t chain_len, key_len;
    struct writer w = channel_scratch();
    if (!read_identity(c->tenant, "crt", broker.settings->certificate, chain, sizeof chain, &chain_len) ||
        !read_identity(c->tenant, "key", broker.settings->key, key, sizeof key, &key_len)) {
        log_error("no readable certificate and key for tenant \"%s\": its cell cannot serve", c->tenant);
        return;
    }
    write_blob(&w, view_of(chain, chain_len));
    write_blob(&w, view_of(key, key_len));
    channel_send(c->channel, M_IDENTITY, &w, -1);
    secret_wipe(key, sizeof key);
    secret_wipe(w.at, w.len);
}

static void write_tenant(struct writer *w, const struct tenant *t) {
    char instance[TENANT_NAME_MAX + 8];
    snprintf(instance, sizeof instance, "%s:%u", t->instance_host, t->instance_port);
    writer_text16(w, view_text(t->id));
    writer_text16(w, view_text(t->instance_name[0] ? t->instance_name : t->instance_host));
    writer_text16(w, view_text(instance));
    writer_text16(w, view_text(t->service));
}

static void write_trust(struct writer *w, const struct tenant *t) {
    write_blob(w, view_text(t->instance_ca));
    write_blob(w, view_text(t->client_certificate));
    write_blob(w, view_text(t->client_key));
}

/* The cell cannot open it. */
static void tell_system_trust(struct broker_cell *c) {
    const char *path = link_system_authorities();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        log_error("%s: %s: instances without an authority of their own are not trusted", path,
                  strerror(errno));
        return;
    }
    channel_send(c->channel, M_SYSTEM_TRUST, NULL, fd);
    close(fd);
}

/* FNV-1a: only tells "the same as last time" from "changed". */
static uint64_t fingerprint(uint64_t h, struct view v) {
    for (size_t i = 0; i < v.len; i++)
        h = (h ^ v.at[i]) * 1099511628211u;
    return h;
}

void cells_tell(struct broker_cell *c, bool always) {
    const struct tenant *t = snapshot_tenant(broker.snapshot, c->tenant);
    if (!t)
        return;
    struct writer w = channel_scratch();
    write_tenant(&w, t);
    uint8_t tenant_bytes[1024];
    size_t tenant_len = w.len;
    assert(!w.bad && tenant_len <= sizeof tenant_bytes);
    memcpy(tenant_bytes, w.at, tenant_len);
    w = channel_scratch();
    write_trust(&w, t);
    uint64_t now =
        fingerprint(fingerprint(1469598103934665603u, view_of(tenant_bytes, tenant_len)), writer_view(&w));
    if (!always && now == c->told) {
        secret_wipe(w.at, w.len);
        return;
    }
    c->told = now;
    if (!t->instance_ca || t->instance_ca[0] == 0)
        tell_system_trust(c);
    channel_send(c->channel, M_INSTANCE_TRUST, &w, -1);
    secret_wipe(w.at, w.len);
    struct writer tenant = {tenant_bytes, sizeof tenant_bytes, tenant_len, false};
    channel_send(c->channel, M_TENANT, &tenant, -1);
}

void cells_refuse(struct broker_cell *c, uint64_t request, enum refusal refusal, const struct failure *f) {
    struct writer w = channel_scratch();
    writer_u64(&w, request);
    writer_u8(&w, (uint8_t)refusal);
    failure_write(&w, f);
    channel_send(c->channel, M_REFUSED, &w, -1);
}

void cells_cut(struct holding *h, enum close_reason reason, const struct failure *f) {
    struct writer w = channel_scratch();
    writer_u64(&w, h->key.session);
    writer_u8(&w, (uint8_t)reason);
    failure_write(&w, f);
    channel_send(h->cell->channel, M_CUT, &w, -1);
}

/* A role of the tenant's that the directory names as its administrator. */
static bool is_administrator(const struct tenant *t, struct view user) {
    struct view rest = view_text(t->admins), item;
    while (text_next_item(&rest, &item))
        if (view_equal(item, user))
            return true;
    return false;
}

/* A rule may have changed: whom it forbids now goes. */
static void cut_if_forbidden(struct holding *h) {
    struct failure f;
    const struct tenant *t = snapshot_tenant(broker.snapshot, h->cell->tenant);
    bool may_stay = admission_still(broker.snapshot, h->cell->tenant, &h->client, &f);
    if (may_stay && strcmp(h->database, CONSOLE_DATABASE) == 0 && !is_administrator(t, view_text(h->user))) {
        failure_set(&f, "57P01", NULL,
                    "terminating connection because \"%s\" is not an administrator any more", h->user);
        cells_cut(h, CLOSE_KILLED, &f);
        return;
    }
    if (may_stay)
        return;
    cells_cut(h, t && t->state == TENANT_ACTIVE ? CLOSE_ADDRESS : CLOSE_TENANT_STATE, &f);
}

void cells_snapshot(void) {
    struct broker_cell *c, *next;
    if (!broker.snapshot)
        return;
    HASH_ITER (hh, broker.cells, c, next) {
        cells_tell(c, false);
    }
    struct holding *h, *after;
    HASH_ITER (hh, broker.holdings, h, after) {
        if (h->cell->role == R_CELL)
            cut_if_forbidden(h);
    }
    operators_judge();
}

void cells_identities(void) {
    struct broker_cell *c, *next;
    HASH_ITER (hh, broker.cells, c, next) {
        if (c->role == R_OPERATOR)
            continue; /* one session, furnished once */
        tell_identity(c);
        cells_tell(c, true);
    }
}

/* --- what a cell asks --- */

static bool take_claim(struct broker_cell *c, struct reader *body, uint64_t *session,
                       struct admission_request *q) {
    *session = reader_u64(body);
    q->tenant = c->tenant;
    q->user = reader_text16(body, 63);
    q->database = reader_text16(body, 63);
    q->application = reader_text16(body, 64);
    q->replication = reader_text16(body, 16);
    return address_read(body, &q->client) && reader_done(body) && *session != 0 && q->user.len > 0;
}

static bool take_verifier(struct broker_cell *c, struct reader *body) {
    uint64_t request = reader_u64(body);
    struct view user = reader_text16(body, 63);
    struct address from;
    if (!address_read(body, &from) || !reader_done(body) || user.len == 0 || c->asking >= ASKING_MAX)
        return false;
    verifiers_ask(c, request, user, &from);
    return true;
}

static bool take_guessed(struct broker_cell *c, struct reader *body) {
    uint64_t request = reader_u64(body);
    struct view user = reader_text16(body, 63);
    struct address from;
    if (!address_read(body, &from) || !reader_done(body) || user.len == 0)
        return false;
    if (request != 0)
        turns_wrong(c, request, user, &from);
    verifiers_doubt(c->tenant, user);
    return true;
}

static void admit_to_console(struct broker_cell *c, uint64_t request, uint64_t session,
                             const struct admission_request *q, const struct tenant *t) {
    char name[64];
    struct failure f;
    if (!view_copy_text(q->user, name, sizeof name) || !is_administrator(t, q->user)) {
        failure_set(&f, "42501",
                    "ask the provider to name the role: sekishoctl tenant set "
                    "ID --admins ROLE",
                    "only the tenant's administrators may connect to database \"%s\"", CONSOLE_DATABASE);
        cells_refuse(c, request, REFUSAL_CONSOLE, &f);
        return;
    }
    int fd = console_connect(session, CONSOLE_TENANT_ADMIN, name, c->tenant);
    if (fd < 0) {
        failure_set(&f, "57P03", "try again in a moment", "the console is not running");
        cells_refuse(c, request, REFUSAL_DIRECTORY, &f);
        return;
    }
    holding_add(c, session, q);
    struct writer w = channel_scratch();
    writer_u64(&w, request);
    channel_send(c->channel, M_ADMITTED, &w, fd);
    close(fd);
}

static bool take_admit(struct broker_cell *c, struct reader *body) {
    uint64_t request = reader_u64(body), session;
    struct admission_request q = {0};
    return take_claim(c, body, &session, &q) && !holding_find(c, session) &&
           turns_right(c, request, session, &q);
}

void cells_admit(struct broker_cell *c, uint64_t request, uint64_t session,
                 const struct admission_request *request_of) {
    struct admission_request q = *request_of;
    struct tenant_count *n;
    HASH_FIND_STR(broker.counts, c->tenant, n);
    struct admission_counts counts = {broker.sessions, n ? n->sessions : 0};
    struct admission_limits limits = {broker.settings->max_connections,
                                      broker.settings->tenant_max_connections};
    struct verdict v;
    admission_decide(broker.snapshot, &limits, &counts, &q, &v);
    if (!v.admitted) {
        cells_refuse(c, request, v.refusal, &v.failure);
    } else if (view_equal_text(q.database, CONSOLE_DATABASE)) {
        admit_to_console(c, request, session, &q, v.tenant);
    } else {
        holding_add(c, session, &q);
        connect_begin(c, request, session, v.tenant, NULL);
    }
}

/* What a cell may claim to hold: its tenant's share, so that nobody fills the node by claiming. */
static bool may_hold_more(const struct broker_cell *c, const struct tenant *t) {
    struct tenant_count *n;
    HASH_FIND_STR(broker.counts, c->tenant, n);
    uint32_t most = t && t->max_connections ? t->max_connections : broker.settings->tenant_max_connections;
    return !n || n->sessions < most;
}

/* Over the limit, which may have been lowered, a session ends: it must not go on unknown to us. */
static void cut_unheld(struct broker_cell *c, uint64_t session) {
    struct holding h = {.key.session = session, .cell = c};
    struct failure f;
    failure_set(&f, "57P01", "connect again", "terminating connection because there are too many");
    cells_cut(&h, CLOSE_KILLED, &f);
}

static bool take_hold(struct broker_cell *c, struct reader *body) {
    uint64_t session;
    struct admission_request q = {0};
    if (!take_claim(c, body, &session, &q) || holding_find(c, session))
        return false;
    const struct tenant *t = snapshot_tenant(broker.snapshot, c->tenant);
    if (!may_hold_more(c, t)) {
        cut_unheld(c, session);
        return true;
    }
    struct holding *h = holding_add(c, session, &q);
    if (t && t->address_count > 0)
        h->instance = t->address[0];
    cut_if_forbidden(h);
    return true;
}

static bool take_opened(struct broker_cell *c, struct reader *body) {
    uint64_t session = reader_u64(body);
    uint32_t pid = reader_u32(body);
    struct holding *h = holding_find(c, session);
    if (!reader_done(body) || !h)
        return false;
    h->pid = pid;
    return true;
}

static bool take_release(struct broker_cell *c, struct reader *body) {
    uint64_t session = reader_u64(body);
    struct holding *h = holding_find(c, session);
    if (!reader_done(body))
        return false;
    turns_forget(c, session);
    if (!h) /* it was refused, or the broker was restarted since */
        return true;
    if (h->instance.family == 0)
        connect_forget(c, session);
    holding_remove(h);
    return true;
}

static bool take_cancel(struct broker_cell *c, struct reader *body) {
    uint64_t request = reader_u64(body);
    struct holding *h = holding_find(c, reader_u64(body));
    if (!reader_done(body))
        return false;
    const struct tenant *t = snapshot_tenant(broker.snapshot, c->tenant);
    if (h && t && t->state == TENANT_ACTIVE && c->cancels < CANCELS_MAX)
        connect_begin(c, request, 0, t, h->instance.family ? &h->instance : NULL);
    return true;
}

static void on_message(void *arg, struct channel *channel, enum message_code m, struct reader *body, int fd) {
    static bool (*const takes[M_COUNT])(struct broker_cell *, struct reader *) = {
        [M_VERIFIER] = take_verifier,    [M_GUESSED] = take_guessed,
        [M_ADMIT] = take_admit,          [M_HOLD] = take_hold,
        [M_OPENED] = take_opened,        [M_RELEASE] = take_release,
        [M_CANCEL_SOCKET] = take_cancel,
    };
    static bool (*const operator_takes[M_COUNT])(struct broker_cell *, struct reader *) = {
        [M_OPERATOR_ADMIT] = operators_admit, [M_OPERATOR_HOLD] = operators_hold, [M_OPENED] = take_opened,
        [M_RELEASE] = take_release,           [M_CANCEL_SOCKET] = take_cancel,
    };
    struct broker_cell *c = arg;
    MAGIC_CHECK(c, CELL_MAGIC);
    bool (*take)(struct broker_cell *, struct reader *) =
        c->role == R_OPERATOR ? operator_takes[m] : takes[m];
    if (!take || !take(c, body))
        channel_offend(channel, "asked what it may not");
}

static void on_ended(void *arg, struct channel *channel, const char *why) {
    struct broker_cell *c = arg;
    MAGIC_CHECK(c, CELL_MAGIC);
    struct holding *h, *next;
    role_condemn(c->id, why);
    connect_cell_gone(c);
    turns_cell_gone(c);
    HASH_ITER (hh, broker.holdings, h, next) {
        if (h->cell == c)
            holding_remove(h);
    }
    HASH_DEL(broker.cells, c);
    c->magic = 0;
    free(c);
}

struct broker_cell *cells_find(uint32_t id) {
    struct broker_cell *c;
    HASH_FIND(hh, broker.cells, &id, sizeof id, c);
    return c;
}

void cells_add(const struct role_peer *peer, int fd) {
    struct broker_cell *c = calloc(1, sizeof *c);
    if (!c || cells_find(peer->id)) {
        free(c);
        close(fd);
        return;
    }
    c->magic = CELL_MAGIC;
    c->role = peer->role;
    c->id = peer->id;
    c->pid = peer->pid;
    snprintf(c->tenant, sizeof c->tenant, "%s", peer->tenant);
    c->channel = channel_new(role_base(), fd, R_BROKER, c->role, on_message, on_ended, c);
    HASH_ADD(hh, broker.cells, id, sizeof c->id, c);
    if (c->role == R_OPERATOR) {
        operators_furnish(c);
        return;
    }
    tell_identity(c);
    cells_tell(c, true);
}
