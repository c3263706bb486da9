/* SPDX-License-Identifier: ISC
 *
 * The control socket: what sekishoctl asks of the running proxy, one JSON line in, one JSON line out. The
 * supervisor accepts (the socket's mode decides who may connect) and passes the connection here, as what is
 * asked about is here. It also keeps what the supervisor tells about processes.
 */
#include "address.h"
#include "broker.h"
#include "log.h"
#include "magic.h"
#include "text.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REQUEST_MAX 4096
#define PATIENCE_S 5

struct process {  /* as the supervisor last told it */
    uint64_t key; /* role and id */
    enum role role;
    uint32_t id, pid, restarts;
    uint8_t state;
    char tenant[TENANT_ID_MAX + 1];
    char note[128];
    UT_hash_handle hh;
};

static struct process *processes;
static int64_t started_us;

static const char *state_name(uint8_t state) {
    return state == 1 ? "running" : state == 2 ? "restarting" : "ended";
}

void control_process(struct channel *supervisor, struct reader *body) {
    struct process told = {0};
    if (started_us == 0)
        started_us = clock_now().wall_us;
    told.role = (enum role)reader_u16(body);
    told.id = reader_u32(body);
    told.pid = reader_u32(body);
    told.restarts = reader_u32(body);
    told.state = reader_u8(body);
    reader_text16_into(body, told.tenant, sizeof told.tenant);
    reader_text16_into(body, told.note, sizeof told.note);
    if (!reader_done(body)) {
        channel_offend(supervisor, "told of a process wrongly");
        return;
    }
    /* Single processes keep their entry over restarts; each cell is one of its own, gone when it has ended.
     */
    bool of_many = told.role == R_CELL || told.role == R_OPERATOR;
    told.key = (uint64_t)told.role << 32 | (of_many ? told.id : 0);
    struct process *p;
    HASH_FIND(hh, processes, &told.key, sizeof told.key, p);
    if (p)
        HASH_DEL(processes, p);
    free(p);
    if (of_many && told.state == 3)
        return;
    p = malloc(sizeof *p);
    if (!p)
        abort();
    *p = told;
    HASH_ADD(hh, processes, key, sizeof p->key, p);
}

static json_t *text(struct view v) {
    /* Bytes of strangers: through our own writer, as the library refuses invalid UTF-8. */
    char quoted[1024];
    struct writer w = writer_of(quoted, sizeof quoted);
    text_json(&w, v);
    json_t *j = w.bad ? NULL : json_loadb(quoted, w.len, JSON_DECODE_ANY, NULL);
    return j ? j : json_string("");
}

static json_t *time_text(int64_t wall_us) {
    char at[48];
    struct writer w = writer_of(at, sizeof at);
    clock_rfc3339(&w, wall_us, 0);
    return json_stringn(at, w.len);
}

static json_t *list_processes(const char **ledger_why) {
    json_t *list = json_array();
    struct process *p, *next;
    HASH_ITER (hh, processes, p, next) {
        if (p->role == R_LEDGER)
            *ledger_why = p->state == 1 ? p->note : "the ledger is restarting";
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:i, s:i, s:s, s:s}", "role", role_name(p->role),
                                        "tenant", p->tenant, "pid", (int)p->pid, "restarts", (int)p->restarts,
                                        "state", state_name(p->state), "note", p->note));
    }
    return list;
}

static json_t *directory_state(void) {
    if (!broker.snapshot)
        return json_pack("{s:n, s:n, s:i}", "version", "age_ms", "tenants", 0);
    int64_t age = (clock_now().mono_us - broker.fresh.mono_us) / 1000;
    return json_pack("{s:I, s:I, s:i}", "version", (json_int_t)snapshot_version(broker.snapshot), "age_ms",
                     (json_int_t)age, "tenants", (int)snapshot_count(broker.snapshot));
}

static json_t *answer_status(const json_t *request) {
    const char *ledger_why = "the ledger is not running";
    json_t *list = list_processes(&ledger_why);
    return json_pack("{s:b, s:s, s:o, s:o, s:i, s:i, s:o, s:{s:b, s:s}}", "ok", 1, "version", SEKISHO_VERSION,
                     "started", time_text(started_us), "processes", list, "sessions",
                     (int)(broker.sessions + broker.operators), "max_connections",
                     (int)broker.settings->max_connections, "directory", directory_state(), "ledger",
                     "healthy", ledger_why[0] == 0, "why", ledger_why);
}

static json_t *describe(const struct holding *h) {
    char id[17], client[ADDRESS_TEXT];
    text_hex64(h->key.session, id);
    address_text_port(&h->client, client);
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:s, s:i, s:o, s:s}", "session", id, "tenant",
                     h->cell->tenant, "user", text(view_text(h->user)), "database",
                     text(view_text(h->database)), "application", text(view_text(h->application)), "client",
                     client, "instance_pid", (int)h->pid, "since", time_text(h->since_us), "grant", h->grant);
}

static json_t *answer_sessions(const json_t *request) {
    const char *tenant = json_string_value(json_object_get(request, "tenant"));
    json_t *list = json_array();
    struct holding *h, *next;
    HASH_ITER (hh, broker.holdings, h, next) {
        if (h->pid && (!tenant || strcmp(tenant, h->cell->tenant) == 0))
            json_array_append_new(list, describe(h));
    }
    return json_pack("{s:b, s:o}", "ok", 1, "sessions", list);
}

static json_t *refuse(const char *error) {
    return json_pack("{s:b, s:s}", "ok", 0, "error", error);
}

static json_t *answer_kill(const json_t *request) {
    const char *id = json_string_value(json_object_get(request, "session"));
    uint64_t session;
    if (!id || !text_unhex64(view_text(id), &session))
        return refuse("a session id has 16 hexadecimal digits");
    struct holding *h = NULL, *next;
    HASH_ITER (hh, broker.holdings, h, next) {
        if (h->key.session == session)
            break;
    }
    if (!h)
        return refuse("no such session");
    struct failure f;
    failure_set(&f, "57P01", NULL, "terminating connection due to administrator command");
    cells_cut(h, CLOSE_KILLED, &f);
    return json_pack("{s:b}", "ok", 1);
}

static json_t *answer(const char *line) {
    static const struct {
        const char *verb;
        json_t *(*answer)(const json_t *request);
    } verbs[] = {{"status", answer_status}, {"sessions", answer_sessions}, {"kill", answer_kill}};
    json_t *request = json_loads(line, 0, NULL);
    const char *verb = json_string_value(json_object_get(request, "verb"));
    json_t *reply = NULL;
    for (size_t i = 0; verb && i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verb, verbs[i].verb) == 0)
            reply = verbs[i].answer(request);
    json_decref(request);
    return reply ? reply : refuse("not a request this proxy knows");
}

static void on_written(struct bufferevent *b, void *arg) {
    if (evbuffer_get_length(bufferevent_get_output(b)) == 0)
        bufferevent_free(b);
}

static void on_readable(struct bufferevent *b, void *arg) {
    char *line = evbuffer_readln(bufferevent_get_input(b), NULL, EVBUFFER_EOL_LF);
    if (!line) {
        if (evbuffer_get_length(bufferevent_get_input(b)) >= REQUEST_MAX)
            bufferevent_free(b);
        return;
    }
    json_t *reply = answer(line);
    free(line);
    char *printed = json_dumps(reply, JSON_COMPACT);
    json_decref(reply);
    bufferevent_disable(b, EV_READ);
    bufferevent_setcb(b, NULL, on_written, NULL, NULL);
    if (!printed) {
        bufferevent_free(b);
        return;
    }
    bufferevent_write(b, printed, strlen(printed));
    bufferevent_write(b, "\n", 1);
    free(printed);
}

static void on_event(struct bufferevent *b, short what, void *arg) {
    bufferevent_free(b);
}

void control_accept(int fd) {
    evutil_make_socket_nonblocking(fd);
    struct bufferevent *b = bufferevent_socket_new(role_base(), fd, BEV_OPT_CLOSE_ON_FREE);
    if (!b) {
        close(fd);
        return;
    }
    struct timeval patience = {PATIENCE_S, 0};
    bufferevent_set_timeouts(b, &patience, &patience);
    bufferevent_setwatermark(b, EV_READ, 0, REQUEST_MAX);
    bufferevent_setcb(b, on_readable, NULL, on_event, NULL);
    bufferevent_enable(b, EV_READ | EV_WRITE);
}
