/* SPDX-License-Identifier: ISC
 *
 * The supervisor's rooms, for its own files only: the table of processes, how they are started and linked,
 * cells on demand, reload, drain.
 */
#ifndef SEKISHO_SUPERVISOR_H
#define SEKISHO_SUPERVISOR_H

#include "clock.h"
#include "directory.h"
#include "listeners.h"
#include "outbox.h"
#include "role.h"
#include "users.h"

#include <sys/queue.h>
#include <uthash.h>

#define SUPERVISOR_MAGIC 0x50be0001u
#define PROCESS_MAGIC 0x50be0002u
#define TENANT_CELLS_MAGIC 0x50be0003u

struct supervisor;

enum process_state { PROCESS_RUNNING = 1, PROCESS_RESTARTING = 2, PROCESS_ENDED = 3 };

struct process {
    uint32_t magic;
    struct supervisor *supervisor;
    enum role role;
    uint32_t id;                    /* another with every start */
    pid_t pid;                      /* 0: not running */
    char tenant[TENANT_ID_MAX + 1]; /* of a cell */
    struct channel *channel;
    bool joined;      /* its peers know it */
    bool ready;       /* it said so */
    bool told_places; /* the console: it was told of every place */
    uint32_t restarts;
    uint32_t backoff_ms;
    int64_t started_us;
    uint32_t forbidden;    /* the system call that it says it is ended for; only its SIGSYS makes that true */
    char note[64];         /* how it last ended */
    struct event *again;   /* starts it when its back-off is over */
    struct event *overdue; /* its channel ended, but it lives on */
    TAILQ_ENTRY(process) next;
};

TAILQ_HEAD(processes, process);

TAILQ_HEAD(places, place); /* supervisor_place.c */

struct tenant_cells { /* a tenant whose cells were asked for */
    uint32_t magic;
    struct supervisor *supervisor;
    char tenant[TENANT_ID_MAX + 1];
    uint32_t wanted;   /* cells asked for and not yet given */
    int64_t wanted_us; /* when */
    uint32_t backoff_ms;
    int64_t crashed_us;
    struct event *later; /* gives what is wanted when the back-off is over */
    UT_hash_handle hh;
};

enum stage { /* in this order, never back */
             STAGE_SERVING,
             STAGE_DRAINING,  /* cells let their sessions end */
             STAGE_KILLING,   /* the time for that is over */
             STAGE_RECORDING, /* waiting until node.stop is on disk */
             STAGE_CLOSING,   /* gate, lobby, broker, keeper leave */
             STAGE_LAST,      /* the ledger leaves */
             STAGE_ENDED
};

struct supervisor {
    uint32_t magic;
    const char *config_path;
    struct event_base *base;
    struct settings settings;
    char text[SETTINGS_TEXT_MAX]; /* the configuration as every process gets it */
    size_t text_len;
    struct listeners listeners[PLANES];
    int program; /* sekisho-session, to start cells by */
    int control; /* the control socket */
    struct event *on_control;
    struct users users; /* as root: whom the others become */
    struct outbox *outbox;
    struct processes processes; /* singles first, in the order they are closed last */
    struct places places;
    size_t place_count;
    uint32_t last_place;
    struct tenant_cells *tenants;
    uint32_t last_id;
    uint32_t cell_count;
    bool ready; /* was once: all singles said so */
    enum stage stage;
    struct event *stage_over;
};

/* supervisor.c */
struct event *supervisor_timer(struct supervisor *s, uint32_t ms, event_callback_fn fn, void *arg);
void supervisor_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd);

/* supervisor_process.c: one process: start, end, restart */
struct process *process_new(struct supervisor *s, enum role role, const char *tenant);
/* Starts it and sends SETTINGS. False when it could not be started: then it is scheduled to be tried again.
 */
bool process_begin(struct process *p);
/* What it needs before it serves, and GO. fresh: the node just started. */
void process_go(struct process *p, bool fresh);
/* Ends the channel: the process leaves by itself. */
void process_dismiss(struct process *p);
/* Takes the status of every child that ended. */
void processes_reap(struct supervisor *s);
struct process *process_of_role(struct supervisor *s, enum role role);
bool process_is_cell(const struct process *p);
/* "cell acme". */
void process_name(const struct process *p, char out[64]);
void process_free(struct process **p);

/* supervisor_link.c: who talks to whom */
/* New channels between p and every joined process it has business with. */
void process_join(struct process *p);
/* Everything the broker shows in `status`. */
void broker_told(struct process *p, enum process_state state);
void broker_told_all(struct supervisor *s);
void gate_told_listeners(struct supervisor *s);
void console_told_listeners(struct supervisor *s);
/* Read again each time: the key does not stay in memory. False, with a line in the log, when it cannot be
 * had. */
bool lobby_told_identity(struct supervisor *s);

/* supervisor_cell.c: cells on demand */
void cells_wanted(struct supervisor *s, const char *tenant, uint32_t cells);
/* A cell for one operator's session with that tenant. */
void operator_wanted(struct supervisor *s, const char *tenant);
/* For a cell that broke a rule between us, or an operator's that did not end when it was told. */
void process_condemn(struct supervisor *s, enum role judge, uint32_t id);
/* A cell's process ended; p is freed after this. */
void cell_gone(struct process *p, bool crashed);

/* supervisor_place.c: statistics pages */
/* The descriptor of the page that p is to count in from its start on; -1: none. */
int place_take(struct process *p);
/* p was started. */
void place_taken(struct process *p);
/* p is gone, or could not be started. */
void place_leave(struct process *p, bool crashed);
/* Everything, to a new console. */
void places_tell(struct process *console);

/* supervisor_folders.c: folders that must be there before their processes are confined to them, and whose
 * they are */
/* The accounts of the configuration, when we are root. False, with a line in the log. */
bool users_take(struct supervisor *s);
/* "uid:gid" of who runs that role; "" when that is who we are. */
void users_ids(const struct supervisor *s, const char *role, char out[24]);
/* path becomes the broker's account's, when there is one. */
bool users_give(const struct supervisor *s, const char *path);
bool folders_make(struct supervisor *s);

/* supervisor_control.c: the control socket */
bool control_open(struct supervisor *s);
void control_serve(struct supervisor *s);
void control_close(struct supervisor *s);

/* supervisor_reload.c */
void supervisor_reload(struct supervisor *s);

/* supervisor_drain.c */
/* The first call starts draining; a second one ends the patience with sessions at work. */
void supervisor_drain(struct supervisor *s);
/* Goes on when what the stage waits for has happened. */
void drain_look(struct supervisor *s);
void drain_durable(struct supervisor *s, uint64_t request, bool durable);

#endif
