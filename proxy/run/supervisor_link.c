/* SPDX-License-Identifier: ISC
 *
 * Who talks to whom. The supervisor makes every channel between two processes and tells each end who is at
 * the other; nobody can introduce himself. A restarted process gets new channels to all its peers.
 */
#include "log.h"
#include "magic.h"
#include "secret.h"
#include "supervisor.h"
#include "supervisor_identity.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct {
    enum role a, b;
} links[] = {{R_GATE, R_BROKER},   {R_GATE, R_LEDGER},     {R_GATE, R_LOBBY},      {R_GATE, R_CELL},
             {R_BROKER, R_CELL},   {R_BROKER, R_KEEPER},   {R_LEDGER, R_CELL},     {R_LEDGER, R_KEEPER},
             {R_LEDGER, R_LOBBY},  {R_LEDGER, R_BROKER},   {R_CONSOLE, R_BROKER},  {R_CONSOLE, R_LEDGER},
             {R_GATE, R_OPERATOR}, {R_BROKER, R_OPERATOR}, {R_LEDGER, R_OPERATOR}, {R_NOTIFIER, R_LEDGER}};

static bool have_business(enum role a, enum role b) {
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        if ((links[i].a == a && links[i].b == b) || (links[i].a == b && links[i].b == a))
            return true;
    return false;
}

static void introduce(const struct process *to, const struct process *about, int fd) {
    struct writer w = channel_scratch();
    writer_u16(&w, (uint16_t)about->role);
    writer_u32(&w, about->id);
    writer_u32(&w, (uint32_t)about->pid);
    writer_text16(&w, view_text(about->tenant));
    channel_send(to->channel, M_PEER, &w, fd);
}

static void link_up(const struct process *p, const struct process *q) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        log_error("cannot link %s and %s: %s", role_name(p->role), role_name(q->role), strerror(errno));
        return;
    }
    introduce(p, q, pair[0]);
    introduce(q, p, pair[1]);
    close(pair[0]);
    close(pair[1]);
}

void process_join(struct process *p) {
    MAGIC_CHECK(p, PROCESS_MAGIC);
    struct process *q;
    TAILQ_FOREACH(q, &p->supervisor->processes, next) {
        if (q != p && q->joined && q->channel && have_business(p->role, q->role))
            link_up(p, q);
    }
    p->joined = true;
}

static void tell(struct process *broker, const struct process *p, enum process_state state) {
    struct writer w = channel_scratch();
    writer_u16(&w, (uint16_t)p->role);
    writer_u32(&w, p->id);
    writer_u32(&w, (uint32_t)p->pid);
    writer_u32(&w, p->restarts);
    writer_u8(&w, (uint8_t)state);
    writer_text16(&w, view_text(p->tenant));
    writer_text16(&w, view_text(p->note));
    channel_send(broker->channel, M_PROCESS, &w, -1);
}

void broker_told(struct process *p, enum process_state state) {
    struct process *broker = process_of_role(p->supervisor, R_BROKER);
    if (broker && broker->channel && broker->joined)
        tell(broker, p, state);
}

void broker_told_all(struct supervisor *s) {
    struct process *p;
    TAILQ_FOREACH(p, &s->processes, next) {
        broker_told(p, p->pid != 0 ? PROCESS_RUNNING : PROCESS_RESTARTING);
    }
}

static void send_listeners(struct process *to, const struct listeners *set, enum plane plane) {
    for (size_t i = 0; i < set->count; i++) {
        struct writer w = channel_scratch();
        writer_u8(&w, (uint8_t)plane);
        address_write(&w, &set->item[i].address);
        channel_send(to->channel, M_LISTENER, &w, set->item[i].fd);
    }
}

void gate_told_listeners(struct supervisor *s) {
    struct process *gate = process_of_role(s, R_GATE);
    if (!gate || !gate->channel)
        return;
    channel_send(gate->channel, M_LISTENERS_BEGIN, NULL, -1);
    send_listeners(gate, &s->listeners[PLANE_TENANTS], PLANE_TENANTS);
    send_listeners(gate, &s->listeners[PLANE_OPERATORS], PLANE_OPERATORS);
    channel_send(gate->channel, M_LISTENERS_END, NULL, -1);
}

void console_told_listeners(struct supervisor *s) {
    struct process *console = process_of_role(s, R_CONSOLE);
    if (!console || !console->channel)
        return;
    channel_send(console->channel, M_LISTENERS_BEGIN, NULL, -1);
    send_listeners(console, &s->listeners[PLANE_METRICS], PLANE_METRICS);
    channel_send(console->channel, M_LISTENERS_END, NULL, -1);
}

bool lobby_told_identity(struct supervisor *s) {
    struct process *lobby = process_of_role(s, R_LOBBY);
    if (!lobby || !lobby->channel)
        return true;
    static struct identity identity;
    char why[IDENTITY_WHY];
    bool good = identity_read(&identity, s->settings.certificate, s->settings.key, why);
    if (good) {
        struct writer w = channel_scratch();
        identity_write(&w, &identity);
        channel_send(lobby->channel, M_IDENTITY, &w, -1);
        secret_wipe(w.at, w.len);
    } else {
        log_error("the lobby gets no certificate: %s", why);
    }
    identity_wipe(&identity);
    return good;
}
