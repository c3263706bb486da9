/* SPDX-License-Identifier: ISC
 *
 * The console: the virtual database `sekisho`, where tenants' administrators read their own log and decide on
 * grants, the provider's people see what concerns them, and accounts of this host see everything. Talks to
 * the supervisor, the broker (which says who is at the other end of a stream), the ledger, and to clients:
 * through their cells, or directly over a socket in run_dir that only its owner may use. Reads the control
 * store, the public keys and the session log; the only thing it writes are signed statements, appended to the
 * store. Runs ticket_checker and connects to ticket_url, when there are such. Over HTTP on loopback it shows
 * metrics and health, from pages that the other processes write. It never sees a byte of a session with an
 * instance.
 */
#include "console_facts.h"
#include "console_http.h"
#include "console_local.h"
#include "console_record.h"
#include "console_session.h"
#include "console_stats.h"
#include "log.h"
#include "role.h"
#include "ticket_check.h"

#include <stdio.h>
#include <unistd.h>

static struct channel *broker;

/* --- sessions from cells --- */

static bool read_person(struct reader *body, uint64_t *session, struct console_person *p) {
    char tenant[TENANT_ID_MAX + 1];
    *p = (struct console_person){.magic = CONSOLE_PERSON_MAGIC};
    *session = reader_u64(body);
    uint8_t kind = reader_u8(body);
    reader_text16_into(body, p->name, sizeof p->name);
    reader_text16_into(body, tenant, sizeof tenant);
    if (!reader_done(body) || p->name[0] == 0)
        return false;
    switch (kind) {
    case CONSOLE_TENANT_ADMIN:
        p->who = WHO_ADMIN;
        snprintf(p->tenant, sizeof p->tenant, "%s", tenant);
        return tenant_id_valid(view_text(tenant));
    case CONSOLE_OPERATOR: /* the tenant is only the way they came */
        p->who = WHO_OPERATOR;
        return person_valid(view_text(p->name));
    default: /* local ones come to our own socket */
        return false;
    }
}

static void on_broker(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    struct console_person p;
    uint64_t session;
    if (m == M_CONSOLE && read_person(body, &session, &p)) {
        console_session_begin(fd, session, &p, false);
        return;
    }
    if (fd >= 0)
        close(fd);
    channel_offend(c, "sent what a broker does not say to a console");
}

static void on_broker_ended(void *arg, struct channel *c, const char *why) {
    broker = NULL;
    log_info("the broker is away: %s", why);
}

/* --- the frame --- */

static void on_settings(void *arg, const struct settings *s) {
    facts_settings(s);
    ticket_check_settings(s);
    console_local_open(s->run_dir);
}

static void on_peer(void *arg, const struct role_peer *peer, int fd) {
    if (peer->role == R_BROKER) {
        channel_free(&broker);
        broker = channel_new(role_base(), fd, R_CONSOLE, R_BROKER, on_broker, on_broker_ended, NULL);
    } else if (peer->role == R_LEDGER) {
        reading_ledger(fd);
    } else {
        close(fd);
    }
}

static void on_supervisor(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    bool http = m == M_LISTENERS_BEGIN || m == M_LISTENER || m == M_LISTENERS_END;
    if (!(http ? console_http_message : console_stats_message)(m, body, fd))
        channel_offend(c, "sent what a supervisor does not say to a console");
}

int console_main(void) {
    static const struct role_hooks hooks = {
        .settings = on_settings, .peer = on_peer, .message = on_supervisor};
    int code = role_run(R_CONSOLE, &hooks, NULL);
    console_sessions_end();
    ticket_checks_end();
    console_local_close();
    console_http_end();
    return code;
}
