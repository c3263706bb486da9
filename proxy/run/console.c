/* SPDX-License-Identifier: ISC
 *
 * The console: the virtual database `sekisho`, where tenants' administrators read their own log and decide on
 * grants, the provider's people see what concerns them, and accounts of this host see everything. Talks to
 * the supervisor, the broker (which says who is at the other end of a stream), the ledger, and to clients:
 * through their cells, or directly over a socket in run_dir that only its owner may use. Reads the control
 * store, the public keys and the session log; the only thing it writes are signed statements, appended to the
 * store. It never sees a byte of a session with an instance.
 */
#include "console_facts.h"
#include "console_record.h"
#include "console_session.h"
#include "log.h"
#include "role.h"
#include "secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME ".s.PGSQL.5432" /* as libpq looks for it in a folder */
#define BACKLOG 16

static struct {
    struct channel *broker;
    char path[108]; /* of the local socket; "" while there is none */
    int listener;
    struct event *readable;
} console = {.listener = -1};

/* --- the local socket --- */

static void on_local(evutil_socket_t listener, short what, void *arg) {
    struct ucred peer;
    socklen_t len = sizeof peer;
    struct console_person p = {.magic = CONSOLE_PERSON_MAGIC, .who = WHO_LOCAL};
    uint64_t session;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
        close(fd);
        return;
    }
    if (peer.uid == 0)
        snprintf(p.name, sizeof p.name, "root");
    else
        snprintf(p.name, sizeof p.name, "uid %u", (unsigned)peer.uid);
    secret_random(&session, sizeof session);
    console_session_begin(fd, session, &p, true);
}

static void close_local(void) {
    if (console.readable)
        event_free(console.readable);
    console.readable = NULL;
    if (console.listener >= 0)
        close(console.listener);
    console.listener = -1;
    if (console.path[0])
        unlink(console.path);
    console.path[0] = 0;
}

/* Its mode from the first moment on: the umask, as a socket cannot be made with one. */
static int bind_local(const struct sockaddr_un *at) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    unlink(at->sun_path);
    mode_t mask = umask(0177);
    bool good = bind(fd, (const struct sockaddr *)at, sizeof *at) == 0;
    umask(mask);
    if (good && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void open_local(const char *run_dir) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int n = snprintf(at.sun_path, sizeof at.sun_path, "%s/" SOCKET_NAME, run_dir);
    if (n < 0 || (size_t)n >= sizeof at.sun_path) {
        log_error("no local console: the path of run_dir is too long");
        return;
    }
    console.listener = bind_local(&at);
    if (console.listener < 0) {
        log_error("no local console: %s: %s", at.sun_path, strerror(errno));
        return;
    }
    snprintf(console.path, sizeof console.path, "%s", at.sun_path);
    console.readable = event_new(role_base(), console.listener, EV_READ | EV_PERSIST, on_local, NULL);
    if (!console.readable || event_add(console.readable, NULL) < 0)
        abort();
}

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
    console.broker = NULL;
    log_info("the broker is away: %s", why);
}

/* --- the frame --- */

static void on_settings(void *arg, const struct settings *s) {
    facts_settings(s);
    close_local();
    open_local(s->run_dir);
}

static void on_peer(void *arg, const struct role_peer *peer, int fd) {
    if (peer->role == R_BROKER) {
        channel_free(&console.broker);
        console.broker = channel_new(role_base(), fd, R_CONSOLE, R_BROKER, on_broker, on_broker_ended, NULL);
    } else if (peer->role == R_LEDGER) {
        reading_ledger(fd);
    } else {
        close(fd);
    }
}

int console_main(void) {
    static const struct role_hooks hooks = {.settings = on_settings, .peer = on_peer};
    int code = role_run(R_CONSOLE, &hooks, NULL);
    console_sessions_end();
    close_local();
    return code;
}
