/* SPDX-License-Identifier: ISC
 *
 * The lobby: a cell without tenant. Connections that name no tenant, or none that is here, complete TLS with
 * the default certificate, say their startup message, and are told how to connect. It has no channel to the
 * broker, so it can reach no instance, and it holds no secret but the default certificate's key.
 */
#include "log.h"
#include "role.h"
#include "sessions.h"
#include "tls.h"

#include <stdlib.h>
#include <unistd.h>

static struct {
    struct sessions all;
    struct channel *gate;
} lobby;

static void do_record(void *arg, struct session *s, const struct record *r, bool answered) {
    sessions_record(&lobby.all, s, r, answered);
}

static void on_session_ended(void *arg, struct session *s) {
    sessions_login_over(lobby.gate, s->id);
    sessions_ended(&lobby.all, s);
}

/* A session in the lobby never gets past its startup message: the other ports have nobody to ask. */
static const struct ports ports = {.record = do_record, .ended = on_session_ended};

static void on_gate_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    if (m == M_HANDOVER && lobby.all.corridor.server)
        sessions_arrive(&lobby.all, c, body, fd);
    else if (m == M_HANDOVER)
        close(fd);
    else
        channel_offend(c, "sent what a gate does not say to a lobby");
}

static void on_gate_ended(void *arg, struct channel *c, const char *why) {
    lobby.gate = NULL;
}

static void on_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    char why[256];
    struct view chain = reader_bytes(body, reader_u32(body)), key = reader_bytes(body, reader_u32(body));
    SSL_CTX *fresh = m == M_IDENTITY && reader_done(body)
                         ? tls_server(chain, key, role_settings()->min_version, why)
                         : NULL;
    if (!fresh) {
        channel_offend(c, "sent no usable certificate");
        return;
    }
    SSL_CTX_free(lobby.all.corridor.server);
    lobby.all.corridor.server = fresh;
}

static void on_settings(void *arg, const struct settings *s) {
    lobby.all.corridor.settings = s;
    lobby.all.corridor.base = role_base();
}

static void on_peer(void *arg, const struct role_peer *peer, int fd) {
    if (peer->role == R_GATE) {
        channel_free(&lobby.gate);
        lobby.gate = channel_new(role_base(), fd, R_LOBBY, R_GATE, on_gate_message, on_gate_ended, NULL);
    } else if (peer->role == R_LEDGER) {
        sessions_ledger(&lobby.all, fd);
    } else {
        close(fd);
    }
}

static const struct role_hooks hooks = {.settings = on_settings, .peer = on_peer, .message = on_message};

int lobby_main(void) {
    sessions_begin(&lobby.all, R_LOBBY, &ports);
    return role_run(R_LOBBY, &hooks, NULL);
}
