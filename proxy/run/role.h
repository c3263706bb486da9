/* SPDX-License-Identifier: ISC
 *
 * What every process but the supervisor shares: its loop, its settings, its channel to the supervisor, and
 * the peers the supervisor introduces. Each process is one file <role>.c with one entry <role>_main, which
 * ends in role_run.
 */
#ifndef SEKISHO_ROLE_H
#define SEKISHO_ROLE_H

#include "channel.h"
#include "settings.h"

struct role_peer { /* who is at the other end of a channel just introduced */
    enum role role;
    uint32_t id; /* the supervisor's number for that process, unique while the node runs */
    uint32_t pid;
    char tenant[41]; /* of a cell; "" otherwise */
};

struct role_hooks {
    /* A configuration was read (the first time before anything else); `s` is valid until the next. */
    void (*settings)(void *arg, const struct settings *s);
    /* A channel to another process: make it with channel_new(role_base(), fd, ...). fd is the callee's. */
    void (*peer)(void *arg, const struct role_peer *peer, int fd);
    /* All the first peers were sent. fresh: the node just started, no cell can be alive from before. */
    void (*go)(void *arg, bool fresh);
    void (*drain)(void *arg);
    /* Any other message from the supervisor. */
    channel_message_fn *message;
};

/* Runs the process until the supervisor goes away (exit 0) or role_leave. Any hook but settings and peer may
 * be NULL. */
int role_run(enum role us, const struct role_hooks *hooks, void *arg);
struct event_base *role_base(void);
struct channel *role_supervisor(void);
const struct settings *role_settings(void);
/* The process with the supervisor's number `id` ended its channel to us, because of `why`: unless it just
 * left, it broke a rule between us, and nothing it does is believed any more. The supervisor kills it if it
 * is less trusted than we are. */
void role_condemn(uint32_t id, const char *why);
/* Ends the loop in order. */
void role_leave(void);

/* A one-shot or repeating timer on the loop; ms >= 1. */
struct event *role_timer(uint32_t ms, bool repeat, event_callback_fn fn, void *arg);

int gate_main(void);
int cell_main(void);
int lobby_main(void);
int broker_main(void);
int keeper_main(void);
int ledger_main(void);
int operator_main(void);
int console_main(void);
int notifier_main(void);

/* Who speaks to the console (broker to console). */
enum console_kind { CONSOLE_TENANT_ADMIN = 1, CONSOLE_OPERATOR = 2, CONSOLE_LOCAL = 3 };
int supervisor_main(const char *config_path);

/* Outcome of a verifier look-up (keeper to broker). */
enum lookup { LOOKUP_FOUND = 1, LOOKUP_NONE = 2, LOOKUP_UNAVAILABLE = 3 };

#endif
