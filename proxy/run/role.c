/* SPDX-License-Identifier: ISC
 *
 * See role.h: the frame every process but the supervisor runs in. Owns the process's one loop and its channel
 * to the supervisor (descriptor 3, the only one it was started with). When the supervisor goes away, so does
 * the process.
 */
#include "role.h"
#include "log.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define SUPERVISOR_FD 3

static struct {
    enum role us;
    struct event_base *base;
    struct channel *supervisor;
    struct settings settings;
    const struct role_hooks *hooks;
    void *arg;
} role;

struct event_base *role_base(void) {
    return role.base;
}

struct channel *role_supervisor(void) {
    return role.supervisor;
}

const struct settings *role_settings(void) {
    return &role.settings;
}

void role_condemn(uint32_t id, const char *why) {
    if (!role.supervisor || strcmp(why, "closed") == 0)
        return;
    struct writer w = channel_scratch();
    writer_u32(&w, id);
    channel_send(role.supervisor, M_KILL, &w, -1);
}

void role_leave(void) {
    event_base_loopbreak(role.base);
}

struct event *role_timer(uint32_t ms, bool repeat, event_callback_fn fn, void *arg) {
    struct event *timer = event_new(role.base, -1, repeat ? EV_PERSIST : 0, fn, arg);
    struct timeval after = {ms / 1000, (ms % 1000) * 1000};
    if (!timer || event_add(timer, &after) < 0)
        abort();
    return timer;
}

static enum log_level level_of(const char *name) {
    static const char *const names[] = {"debug", "info", "warning", "error"};
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum log_level)i;
    return LOG_LEVEL_INFO;
}

static void take_settings(struct channel *c, struct reader *body) {
    struct settings *fresh = malloc(sizeof *fresh);
    if (!fresh)
        abort();
    struct settings_error error;
    struct view text = reader_bytes(body, reader_left(body));
    if (!settings_parse(text, "settings", fresh, &error)) {
        free(fresh);
        channel_offend(c, "sent settings that do not parse");
        return;
    }
    role.settings = *fresh;
    free(fresh);
    log_open(role_name(role.us), level_of(role.settings.log_level));
    role.hooks->settings(role.arg, &role.settings);
}

static void take_peer(struct channel *c, struct reader *body, int fd) {
    struct role_peer peer = {0};
    peer.role = (enum role)reader_u16(body);
    peer.id = reader_u32(body);
    peer.pid = reader_u32(body);
    reader_text16_into(body, peer.tenant, sizeof peer.tenant);
    if (!reader_done(body)) {
        channel_offend(c, "introduced a peer wrongly");
        return;
    }
    role.hooks->peer(role.arg, &peer, fd);
}

static void on_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    switch (m) {
    case M_SETTINGS:
        take_settings(c, body);
        return;
    case M_PEER:
        take_peer(c, body, fd);
        return;
    case M_GO:
        if (role.hooks->go)
            role.hooks->go(role.arg, reader_u8(body) == 1);
        channel_send(c, M_READY, NULL, -1);
        return;
    case M_DRAIN:
        if (role.hooks->drain)
            role.hooks->drain(role.arg);
        return;
    default:
        assert(role.hooks->message);
        role.hooks->message(role.arg, c, m, body, fd);
    }
}

static void on_ended(void *arg, struct channel *c, const char *why) {
    role.supervisor = NULL;
    role_leave();
}

int role_run(enum role us, const struct role_hooks *hooks, void *arg) {
    role.us = us;
    role.hooks = hooks;
    role.arg = arg;
    signal(SIGPIPE, SIG_IGN);
    /* The terminal's Ctrl-C reaches the whole group: only the supervisor decides what it means. */
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    struct event_config *config = event_config_new();
    if (!config)
        abort();
    /* Precise timers would cost a system call a turn; ours are of seconds, give or take 4 ms. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    role.base = event_base_new_with_config(config);
    event_config_free(config);
    if (!role.base)
        abort();
    role.supervisor = channel_new(role.base, SUPERVISOR_FD, us, R_SUPERVISOR, on_message, on_ended, NULL);
    event_base_dispatch(role.base);
    channel_free(&role.supervisor);
    return 0;
}
