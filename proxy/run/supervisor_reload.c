/* SPDX-License-Identifier: ISC
 *
 * SIGHUP: the configuration and the certificate are read again, as a transaction. Everything new is made and
 * checked first; if anything is wrong, nothing changes and the reason is in the log and in the ledger.
 */
#include "log.h"
#include "magic.h"
#include "sandbox.h"
#include "supervisor.h"
#include "supervisor_identity.h"

#include <stdio.h>
#include <string.h>

struct candidate { /* the new, until it is good */
    struct settings settings;
    char text[SETTINGS_TEXT_MAX];
    size_t len;
    struct listeners listeners[PLANES];
};

static bool same_places(const struct settings *a, const struct settings *b) {
    return strcmp(a->state_dir, b->state_dir) == 0 && strcmp(a->ledger_dir, b->ledger_dir) == 0 &&
           strcmp(a->run_dir, b->run_dir) == 0;
}

static bool same_users(const struct settings *a, const struct settings *b) {
    return strcmp(a->session_user, b->session_user) == 0 && strcmp(a->broker_user, b->broker_user) == 0 &&
           strcmp(a->ledger_user, b->ledger_user) == 0;
}

static bool read_certificate(const struct settings *settings, char why[IDENTITY_WHY]) {
    static struct identity identity;
    bool good = identity_read(&identity, settings->certificate, settings->key, why);
    identity_wipe(&identity);
    return good;
}

/* The last step can still fail, and is the only one that must be undone: listeners_open does that itself. */
static bool prepare(const struct supervisor *s, struct candidate *new, char why[IDENTITY_WHY]) {
    struct settings_error error;
    if (!settings_load(s->config_path, &new->settings, new->text, sizeof new->text, &new->len, &error)) {
        snprintf(why, IDENTITY_WHY, "%.200s:%d: %s", error.file, error.line, error.text);
        return false;
    }
    if (!same_places(&s->settings, &new->settings)) {
        snprintf(why, IDENTITY_WHY, "state_dir, ledger_dir and run_dir cannot change while the proxy runs");
        return false;
    }
    if (!same_users(&s->settings, &new->settings)) {
        snprintf(why, IDENTITY_WHY, "the accounts of [users] cannot change while the proxy runs");
        return false;
    }
    const char *beyond = sandbox_beyond(&s->settings, &new->settings);
    if (beyond) {
        snprintf(why, IDENTITY_WHY,
                 "%s leads into a folder that is out of reach until the proxy is restarted", beyond);
        return false;
    }
    if (!read_certificate(&new->settings, why))
        return false;
    int number;
    char listener_why[LISTENERS_WHY];
    if (listeners_open_all(new->listeners, &new->settings, s->listeners, listener_why, &number))
        return true;
    snprintf(why, IDENTITY_WHY, "%s", listener_why);
    return false;
}

static void commit(struct supervisor *s, const struct candidate *new) {
    s->settings = new->settings;
    memcpy(s->text, new->text, new->len);
    s->text_len = new->len;
    for (int i = 0; i < PLANES; i++)
        listeners_close(&s->listeners[i], &new->listeners[i]);
    memcpy(s->listeners, new->listeners, sizeof s->listeners);
    struct process *p;
    TAILQ_FOREACH(p, &s->processes, next) {
        struct writer w = writer_of(s->text, s->text_len);
        w.len = s->text_len;
        if (p->channel)
            channel_send(p->channel, M_SETTINGS, &w, -1);
    }
    gate_told_listeners(s);
    console_told_listeners(s);
    lobby_told_identity(s);
}

static void record_reload(struct supervisor *s, const char *why) {
    struct record r;
    record_begin(&r, EVENT_NODE_RELOAD, 0);
    record_text(&r, FIELD_ACTION,
                view_text(why ? "kept the old configuration" : "took the new configuration"));
    record_text(&r, FIELD_CAUSE, view_text(why ? why : ""));
    outbox_record(s->outbox, 0, "", &r);
}

void supervisor_reload(struct supervisor *s) {
    MAGIC_CHECK(s, SUPERVISOR_MAGIC);
    static struct candidate new;
    char why[IDENTITY_WHY];
    if (s->stage != STAGE_SERVING)
        return;
    if (prepare(s, &new, why)) {
        commit(s, &new);
        record_reload(s, NULL);
        log_info("the configuration was read again");
    } else {
        record_reload(s, why);
        log_error("the configuration was not changed: %s", why);
    }
}
