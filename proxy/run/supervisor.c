/* SPDX-License-Identifier: ISC
 *
 * The supervisor: reads the configuration, binds the sockets, starts all other processes, introduces them to
 * each other, starts them again when they crash, stops them in order. It holds the privileges that are needed
 * for that and touches not a byte from the network. Whoever breaks a rule on its channel is killed; nobody's
 * message can end it.
 */
#include "supervisor.h"
#include "log.h"
#include "magic.h"
#include "supervisor_identity.h"
#include "supervisor_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BAD_CONFIGURATION 2
#define RECORDS_KEPT 1000
#define PROGRAM_FD_LEAST 10 /* out of the way of what becomes a child's descriptors */
#define BIND_TRIES 60 /* times 50 ms: a killed supervisor's gate lets go of the addresses within moments */

/* Closed last to first: see supervisor_drain.c. */
static const enum role singles[] = {R_LEDGER, R_KEEPER, R_BROKER, R_CONSOLE, R_LOBBY, R_GATE, R_NOTIFIER};

struct event *supervisor_timer(struct supervisor *s, uint32_t ms, event_callback_fn fn, void *arg) {
    struct event *timer = evtimer_new(s->base, fn, arg);
    struct timeval after = {ms / 1000, (ms % 1000) * 1000};
    if (!timer || evtimer_add(timer, &after) < 0)
        abort();
    return timer;
}

static void tell_service_manager(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof to.sun_path)
        return;
    memcpy(to.sun_path, path, strlen(path));
    if (path[0] == '@')
        to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, len) < 0)
        log_warning("cannot tell the service manager: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
}

static void take_ready(struct process *p) {
    struct supervisor *s = p->supervisor;
    p->ready = true;
    log_debug("%s[%d] is ready", role_name(p->role), (int)p->pid);
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++)
        if (!process_of_role(s, singles[i])->ready)
            return;
    if (s->ready)
        return;
    s->ready = true;
    log_info("ready");
    tell_service_manager("READY=1");
}

static void take_cell_wanted(struct supervisor *s, struct channel *c, struct reader *body) {
    char tenant[TENANT_ID_MAX + 1];
    reader_text16_into(body, tenant, sizeof tenant);
    uint32_t cells = reader_u32(body);
    if (!reader_done(body) || !tenant_id_valid(view_text(tenant))) {
        channel_offend(c, "wants a cell of no tenant");
        return;
    }
    cells_wanted(s, tenant, cells < 64 ? cells : 64);
}

static void take_operator_wanted(struct supervisor *s, struct channel *c, struct reader *body) {
    char tenant[TENANT_ID_MAX + 1];
    reader_text16_into(body, tenant, sizeof tenant);
    if (!reader_done(body) || !tenant_id_valid(view_text(tenant)))
        channel_offend(c, "wants an operator's cell of no tenant");
    else
        operator_wanted(s, tenant);
}

/* The broker shows the ledger's state in `status`, as the note about the process. */
static void take_ledger_state(struct process *ledger, struct channel *c, struct reader *body) {
    bool healthy = reader_u8(body) == 1;
    struct view why = reader_text16(body, 256);
    if (!reader_done(body)) {
        channel_offend(c, "told its state wrongly");
        return;
    }
    snprintf(ledger->note, sizeof ledger->note, "%.*s", healthy ? 0 : (int)why.len, (const char *)why.at);
    if (healthy)
        log_info("the ledger writes");
    else
        log_error("the ledger cannot write, no new session is let in: %.*s", (int)why.len,
                  (const char *)why.at);
    broker_told(ledger, PROCESS_RUNNING);
}

void supervisor_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    struct process *p = arg;
    MAGIC_CHECK(p, PROCESS_MAGIC);
    struct supervisor *s = p->supervisor;
    switch (m) {
    case M_READY:
        take_ready(p);
        return;
    case M_FORBIDDEN:
        p->forbidden = reader_u32(body);
        return;
    case M_CELL_WANTED:
        take_cell_wanted(s, c, body);
        return;
    case M_LEDGER_STATE:
        take_ledger_state(p, c, body);
        return;
    case M_OPERATOR_WANTED:
        take_operator_wanted(s, c, body);
        return;
    case M_KILL: {
        uint32_t id = reader_u32(body);
        if (reader_done(body))
            process_condemn(s, p->role, id);
        else
            channel_offend(c, "named a process wrongly");
        return;
    }
    default: {
        assert(m == M_DURABLE);
        uint64_t request = reader_u64(body);
        bool durable = reader_u8(body) == 1;
        drain_durable(s, request, durable);
    }
    }
}

static void on_signal(evutil_socket_t signal_number, short what, void *arg) {
    struct supervisor *s = arg;
    MAGIC_CHECK(s, SUPERVISOR_MAGIC);
    if (signal_number == SIGCHLD)
        processes_reap(s);
    else if (signal_number == SIGHUP)
        supervisor_reload(s);
    else
        supervisor_drain(s);
}

static bool load(struct supervisor *s) {
    struct settings_error error;
    if (!settings_load(s->config_path, &s->settings, s->text, sizeof s->text, &s->text_len, &error)) {
        log_error("%s:%d: %s", error.file, error.line, error.text);
        return false;
    }
    static struct identity identity;
    char why[IDENTITY_WHY];
    bool good = identity_read(&identity, s->settings.certificate, s->settings.key, why);
    identity_wipe(&identity);
    if (!good)
        log_error("%s", why);
    return good;
}

static bool bind_listeners(struct supervisor *s) {
    char why[LISTENERS_WHY];
    int error = 0;
    for (int i = 0; i < BIND_TRIES; i++) {
        if (listeners_open_all(s->listeners, &s->settings, NULL, why, &error))
            return true;
        if (error != EADDRINUSE)
            break;
        nanosleep(&(struct timespec){0, 50000000}, NULL);
    }
    log_error("%s", why);
    return false;
}

/* Every process inherits it: a session costs its cell two descriptors, and 1024 would be 500 sessions. */
static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The guard opened it, so that another supervisor has the same one. */
static bool take_program(struct supervisor *s) {
    s->program = fcntl(SPAWN_CHANNEL_FD, F_DUPFD_CLOEXEC, PROGRAM_FD_LEAST);
    close(SPAWN_CHANNEL_FD);
    if (s->program < 0)
        log_error("started without the program of gate and cells: %s", strerror(errno));
    return s->program >= 0;
}

static bool begin(struct supervisor *s) {
    /* A guard that is killed must not leave us behind: who starts the next one finds every address free. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    if (!take_program(s) || !load(s) || !users_take(s) || !folders_make(s) || !control_open(s) ||
        !bind_listeners(s))
        return false;
    struct event_config *config = event_config_new();
    if (!config)
        abort();
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_PRECISE_TIMER);
    s->base = event_base_new_with_config(config);
    event_config_free(config);
    if (!s->base)
        abort();
    return true;
}

static void watch_signals(struct supervisor *s) {
    static const int signals[] = {SIGCHLD, SIGHUP, SIGTERM, SIGINT};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct event *e = evsignal_new(s->base, signals[i], on_signal, s);
        if (!e || evsignal_add(e, NULL) < 0)
            abort();
    }
}

/* All are started, then all are introduced, then all may go: each finds its peers there. */
static void start_all(struct supervisor *s) {
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++)
        process_begin(process_new(s, singles[i], ""));
    struct process *p;
    TAILQ_FOREACH(p, &s->processes, next) {
        if (p->channel)
            process_join(p);
    }
    TAILQ_FOREACH(p, &s->processes, next) {
        if (p->channel)
            process_go(p, true);
    }
    struct record r;
    record_begin(&r, EVENT_NODE_START, 0);
    record_text(&r, FIELD_VERSION, view_text(SEKISHO_VERSION));
    outbox_record(s->outbox, 0, "", &r);
}

int supervisor_main(const char *config_path) {
    static struct supervisor supervisor = {.magic = SUPERVISOR_MAGIC, .control = -1};
    struct supervisor *s = &supervisor;
    s->config_path = config_path;
    TAILQ_INIT(&s->processes);
    TAILQ_INIT(&s->places);
    log_open("supervisor", LOG_LEVEL_INFO);
    if (!begin(s)) {
        control_close(s);
        return BAD_CONFIGURATION;
    }
    s->outbox = outbox_new(RECORDS_KEPT);
    watch_signals(s);
    control_serve(s);
    start_all(s);
    event_base_dispatch(s->base);
    control_close(s);
    log_info("stopped");
    return 0;
}
