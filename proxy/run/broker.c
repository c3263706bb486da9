/* SPDX-License-Identifier: ISC
 *
 * The broker: the policy decision point. It answers cells out of a snapshot in memory, counts, and opens the
 * sockets to instances; nobody else does. It never sees a session's bytes and never blocks: the store, name
 * look-ups and auth queries are the keeper's. Cells are not trusted: for which tenant one speaks is known
 * from its channel alone.
 *
 * It needs: the fleet secret and the certificates of tenants (files), sockets to instances, the control
 * connections the supervisor passes on.
 */
#include "broker_grants.h"
#include "log.h"
#include "magic.h"
#include "seal.h"
#include "secret.h"
#include "stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PENALTY_SLOTS 16384
#define EARLY_MAX 4096

struct broker broker;

/* Cells introduced before there is a snapshot: what they ask waits in their sockets. */
static struct {
    struct role_peer peer;
    int fd;
} early[EARLY_MAX];
static size_t early_count;

/* --- routes, for the gate --- */

static void send_route_tenant(const struct tenant *t) {
    struct writer w = channel_scratch();
    writer_text16(&w, view_text(t->id));
    writer_u32(&w, t->cells ? t->cells : broker.settings->cells_per_tenant);
    channel_send(broker.gate, M_ROUTE_TENANT, &w, -1);
}

static void send_route_name(const char *name) {
    struct writer w = channel_scratch();
    writer_text16(&w, view_text(name));
    channel_send(broker.gate, M_ROUTE_NAME, &w, -1);
}

/* <id>.<domain>, and the dedicated addresses. */
static void send_own_routes(const struct tenant *t) {
    char name[TENANT_NAME_MAX + 1];
    int n = snprintf(name, sizeof name, "%s.%s", t->id, broker.settings->domain);
    send_route_tenant(t);
    if (n > 0 && (size_t)n < sizeof name)
        send_route_name(name);
    for (size_t i = 0; i < t->listen_count; i++) {
        struct writer w = channel_scratch();
        address_write(&w, &t->listen[i]);
        channel_send(broker.gate, M_ROUTE_ADDRESS, &w, -1);
    }
}

static void send_host_routes(const struct tenant *t) {
    if (t->host_count == 0)
        return;
    send_route_tenant(t);
    for (size_t i = 0; i < t->host_count; i++)
        send_route_name(t->host[i]);
}

/* Active tenants only: unknown, suspended and retired look the same at the gate. First come, first served
 * there: the names that the domain gives go before the ones that tenants chose. */
static void send_routes(void) {
    static void (*const passes[])(const struct tenant *) = {send_own_routes, send_host_routes};
    if (!broker.gate || !broker.snapshot)
        return;
    channel_send(broker.gate, M_ROUTES_BEGIN, NULL, -1);
    for (size_t pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < snapshot_count(broker.snapshot); i++)
            if (snapshot_at(broker.snapshot, i)->state == TENANT_ACTIVE)
                passes[pass](snapshot_at(broker.snapshot, i));
    channel_send(broker.gate, M_ROUTES_END, NULL, -1);
}

static void on_gate_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    channel_offend(c, "sent what a gate does not say to a broker");
}

/* Channels to those of whom there is one: the supervisor's number for them, and nothing else, is our memory.
 */
static void *as_arg(const struct role_peer *peer) {
    return (void *)(uintptr_t)peer->id;
}

static void on_gate_ended(void *arg, struct channel *c, const char *why) {
    role_condemn((uint32_t)(uintptr_t)arg, why);
    broker.gate = NULL;
}

/* --- the keeper --- */

/* Tenants need the directory, operators the statements too. */
static bool can_answer(enum role role) {
    return broker.snapshot && (role == R_CELL || operators_ready());
}

static void open_early_cells(void) {
    size_t kept = 0;
    for (size_t i = 0; i < early_count; i++)
        if (can_answer(early[i].peer.role))
            cells_add(&early[i].peer, early[i].fd);
        else
            early[kept++] = early[i];
    early_count = kept;
}

static void seen_fresh(void) {
    broker.fresh = clock_now();
    if (!broker.snapshot)
        return;
    stats_set(STATS_DIRECTORY_SEEN, (uint64_t)broker.fresh.mono_us);
    stats_set(STATS_TENANTS, snapshot_count(broker.snapshot));
}

static void swap_snapshot(void) {
    snapshot_free(&broker.snapshot);
    broker.snapshot = broker.building;
    broker.building = NULL;
    seen_fresh();
    send_routes();
    open_early_cells();
    cells_snapshot();
}

static bool take_snapshot_tenant(struct reader *body) {
    struct tenant t;
    const char *why = "it does not parse";
    bool good = tenant_read(body, &t) && reader_done(body) && broker.building;
    if (good && !snapshot_add(broker.building, &t, &why))
        log_error("tenant \"%s\" is left out: %s", t.id, why);
    tenant_end(&t);
    return good;
}

static bool take_snapshot_operator(struct reader *body) {
    struct operator o;
    const char *why = "it does not parse";
    if (!broker.building || !operator_read(body, &o) || !reader_done(body))
        return false;
    if (!snapshot_add_operator(broker.building, &o, &why))
        log_error("operator \"%s\" is left out: %s", o.id, why);
    return true;
}

static bool take_snapshot_end(struct reader *body) {
    uint32_t count = reader_u32(body);
    if (!reader_done(body) || !broker.building)
        return false;
    if (count < snapshot_count(broker.building))
        return false;
    swap_snapshot();
    return true;
}

static void on_keeper_message(void *arg, struct channel *c, enum message_code m, struct reader *body,
                              int fd) {
    bool good = true;
    switch (m) {
    case M_SNAPSHOT_BEGIN:
        snapshot_free(&broker.building);
        broker.building = snapshot_new(reader_u64(body), clock_now());
        good = broker.building && reader_done(body);
        if (good)
            snapshot_domain(broker.building, broker.settings->domain);
        break;
    case M_SNAPSHOT_TENANT:
        good = take_snapshot_tenant(body);
        break;
    case M_SNAPSHOT_OPERATOR:
        good = take_snapshot_operator(body);
        break;
    case M_STATEMENT:
        good = operators_statement(body);
        break;
    case M_STATEMENTS_END:
        good = operators_statements_end(body);
        open_early_cells();
        break;
    case M_SNAPSHOT_END:
        good = take_snapshot_end(body);
        break;
    case M_SNAPSHOT_FRESH:
        seen_fresh();
        break;
    case M_VERIFIER_TOLD:
        verifiers_told(c, body);
        break;
    default:
        good = false;
    }
    if (!good)
        channel_offend(c, "sent what a keeper does not say to a broker");
}

static void on_keeper_ended(void *arg, struct channel *c, const char *why) {
    role_condemn((uint32_t)(uintptr_t)arg, why);
    broker.keeper = NULL;
    snapshot_free(&broker.building);
    log_warning("the keeper is away: %s; the last snapshot stays in use", why);
}

/* --- the frame --- */

static void read_fleet_secret(void) {
    char path[300], why[256];
    snprintf(path, sizeof path, "%s/fleet.key", broker.settings->state_dir);
    broker.secret_known = seal_key_read(path, broker.fleet_secret, why);
    if (broker.secret_known)
        return;
    /* Mock answers still work, but differ after a restart and on other nodes. */
    log_error("%s: unknown users can be told from known ones by who compares over restarts", why);
    secret_random(broker.fleet_secret, sizeof broker.fleet_secret);
}

static void on_settings(void *arg, const struct settings *s) {
    bool first = broker.settings == NULL;
    broker.settings = s;
    if (first || !broker.secret_known)
        read_fleet_secret();
    operators_settings(s);
    if (first) {
        erase_begin();
        broker.penalty = penalty_new(PENALTY_SLOTS);
        if (!broker.penalty)
            abort();
        return;
    }
    send_routes();
    cells_identities();
    cells_snapshot();
}

static void on_peer(void *arg, const struct role_peer *peer, int fd) {
    switch (peer->role) {
    case R_GATE:
        channel_free(&broker.gate);
        broker.gate =
            channel_new(role_base(), fd, R_BROKER, R_GATE, on_gate_message, on_gate_ended, as_arg(peer));
        send_routes();
        return;
    case R_KEEPER:
        channel_free(&broker.keeper);
        broker.keeper = channel_new(role_base(), fd, R_BROKER, R_KEEPER, on_keeper_message, on_keeper_ended,
                                    as_arg(peer));
        verifiers_ask_again();
        return;
    case R_LEDGER:
        operators_ledger(fd);
        return;
    case R_CONSOLE:
        console_peer(peer->id, fd);
        return;
    case R_CELL:
    case R_OPERATOR:
        if (can_answer(peer->role)) {
            cells_add(peer, fd);
        } else if (early_count < EARLY_MAX) {
            early[early_count].peer = *peer;
            early[early_count++].fd = fd;
        } else {
            close(fd);
        }
        return;
    default:
        close(fd);
    }
}

static void on_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    if (m == M_CONTROL)
        control_accept(fd);
    else if (m == M_PROCESS)
        control_process(c, body);
}

static const struct role_hooks hooks = {.settings = on_settings, .peer = on_peer, .message = on_message};

int broker_main(void) {
    return role_run(R_BROKER, &hooks, NULL);
}
