/* SPDX-License-Identifier: ISC
 *
 * The gate: the process at the door, the first that strangers' bytes reach. It accepts connections, answers
 * what comes before TLS, peeks the ClientHello for the tenant's name and passes the socket to that tenant's
 * cell; it routes cancel requests and sheds floods. It decrypts nothing, opens no connection, reads no file
 * and holds no secret but cancel keys. It can be killed at any time: the listening sockets are the
 * supervisor's, and the cells tell their keys again.
 */
#include "gate.h"
#include "log.h"
#include "magic.h"

#include <unistd.h>

static void on_settings(void *arg, const struct settings *s) {
    struct gate *g = arg;
    MAGIC_CHECK(g, GATE_MAGIC);
    g->settings = s;
    visitors_await(g); /* the login timeout may have changed */
}

/* Broker, ledger and lobby: each is away between its end and the supervisor's next introduction. */
static void on_peer_ended(void *arg, struct channel *c, const char *why) {
    struct gate *g = arg;
    MAGIC_CHECK(g, GATE_MAGIC);
    log_warning("the %s is gone (%s)", role_name(channel_peer(c)), why);
    if (c == g->broker) {
        g->broker = NULL;
        gate_routes_forget_fresh(g);
    } else if (c == g->lobby) {
        g->lobby = NULL;
        crowd_cell_gone(g, c);
    } else if (c == g->ledger) {
        g->ledger = NULL;
        outbox_ledger(g->outbox, NULL);
    }
}

static void on_peer_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    struct gate *g = arg;
    MAGIC_CHECK(g, GATE_MAGIC);
    if (channel_peer(c) == R_BROKER)
        gate_routes_message(g, c, m, body);
    else if (m == M_LOGIN_OVER)
        crowd_login_over(g, c, reader_u64(body));
    /* The ledger's DURABLE is not waited for: the gate's records have request 0. */
}

static void replace(struct gate *g, struct channel **place, enum role them, int fd) {
    if (*place)
        crowd_cell_gone(g, *place);
    channel_free(place);
    *place = channel_new(role_base(), fd, R_GATE, them, on_peer_message, on_peer_ended, g);
}

static void on_peer(void *arg, const struct role_peer *peer, int fd) {
    struct gate *g = arg;
    MAGIC_CHECK(g, GATE_MAGIC);
    switch (peer->role) {
    case R_CELL:
        gate_cell_arrives(g, peer, fd);
        return;
    case R_OPERATOR:
        gate_operator_arrives(g, peer, fd);
        return;
    case R_BROKER:
        replace(g, &g->broker, R_BROKER, fd);
        gate_routes_forget_fresh(g);
        return;
    case R_LOBBY:
        replace(g, &g->lobby, R_LOBBY, fd);
        visitors_place(&g->held);
        return;
    case R_LEDGER:
        replace(g, &g->ledger, R_LEDGER, fd);
        outbox_ledger(g->outbox, g->ledger);
        return;
    default:
        log_error("a %s was introduced, with whom the gate has nothing to do", role_name(peer->role));
        close(fd);
    }
}

static void on_drain(void *arg) {
    struct gate *g = arg;
    MAGIC_CHECK(g, GATE_MAGIC);
    g->draining = true;
    gate_listeners_close(g);
    visitors_drain(g);
}

static void on_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    gate_listeners_message(arg, c, m, body, fd);
}

/* Timers need the loop, which exists from role_run on: the first message is always SETTINGS. */
static void on_first_settings(void *arg, const struct settings *s) {
    struct gate *g = arg;
    if (!g->settings) {
        visitors_begin(g);
        crowds_begin(g);
        wards_begin(g);
    }
    on_settings(arg, s);
}

int gate_main(void) {
    static struct gate gate = {.magic = GATE_MAGIC};
    static const struct role_hooks hooks = {
        .settings = on_first_settings, .peer = on_peer, .drain = on_drain, .message = on_message};
    LIST_INIT(&gate.listeners);
    LIST_INIT(&gate.coming);
    gate.outbox = outbox_new(1000);
    gate_keys_begin(&gate);
    return role_run(R_GATE, &hooks, &gate);
}
