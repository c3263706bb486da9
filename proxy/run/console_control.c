/* SPDX-License-Identifier: ISC
 *
 * See console_control.h.
 */
#include "console_control.h"
#include "magic.h"
#include "role.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define CONTROL_ASK_MAGIC 0xC0A5C401u
#define ANSWER_MAX (32u << 20)
#define PATIENCE_S 5

struct control_ask {
    uint32_t magic;
    struct bufferevent *stream;
    control_answer_fn *answer;
    void *arg;
};

void control_forget(struct control_ask **a) {
    if (!*a)
        return;
    MAGIC_CHECK(*a, CONTROL_ASK_MAGIC);
    bufferevent_free((*a)->stream);
    (*a)->magic = 0;
    free(*a);
    *a = NULL;
}

static void give(struct control_ask *a, json_t *sessions) {
    control_answer_fn *answer = a->answer;
    void *arg = a->arg;
    control_forget(&a);
    answer(arg, sessions);
}

static json_t *sessions_of(const char *line, size_t len) {
    json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    json_t *list = json_is_true(json_object_get(root, "ok")) ? json_object_get(root, "sessions") : NULL;
    list = json_is_array(list) ? json_incref(list) : NULL;
    json_decref(root);
    return list;
}

static void on_readable(struct bufferevent *b, void *arg) {
    struct control_ask *a = arg;
    MAGIC_CHECK(a, CONTROL_ASK_MAGIC);
    struct evbuffer *in = bufferevent_get_input(b);
    size_t len;
    char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
    if (line) {
        json_t *sessions = sessions_of(line, len);
        free(line);
        give(a, sessions);
    } else if (evbuffer_get_length(in) > ANSWER_MAX) {
        give(a, NULL);
    }
}

static void on_event(struct bufferevent *b, short what, void *arg) {
    if (what & BEV_EVENT_CONNECTED)
        return;
    struct control_ask *a = arg;
    MAGIC_CHECK(a, CONTROL_ASK_MAGIC);
    give(a, NULL);
}

static void send_ask(struct bufferevent *b, const char *tenant) {
    json_t *ask = tenant[0] ? json_pack("{s:s, s:s}", "verb", "sessions", "tenant", tenant)
                            : json_pack("{s:s}", "verb", "sessions");
    char *line = json_dumps(ask, JSON_COMPACT);
    json_decref(ask);
    if (!line)
        abort();
    bufferevent_write(b, line, strlen(line));
    bufferevent_write(b, "\n", 1);
    free(line);
}

struct control_ask *control_sessions(const char *run_dir, const char *tenant, control_answer_fn *answer,
                                     void *arg) {
    static const struct timeval patience = {PATIENCE_S, 0};
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int n = snprintf(to.sun_path, sizeof to.sun_path, "%s/control.sock", run_dir);
    struct control_ask *a = n > 0 && (size_t)n < sizeof to.sun_path ? calloc(1, sizeof *a) : NULL;
    if (!a)
        return NULL;
    a->magic = CONTROL_ASK_MAGIC;
    a->answer = answer;
    a->arg = arg;
    a->stream = bufferevent_socket_new(role_base(), -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (!a->stream)
        abort();
    bufferevent_setcb(a->stream, on_readable, NULL, on_event, a);
    bufferevent_set_timeouts(a->stream, &patience, &patience);
    send_ask(a->stream, tenant);
    bufferevent_enable(a->stream, EV_READ | EV_WRITE);
    if (bufferevent_socket_connect(a->stream, (struct sockaddr *)&to, sizeof to) == 0)
        return a;
    control_forget(&a);
    return NULL;
}
