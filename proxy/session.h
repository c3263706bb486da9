/* SPDX-License-Identifier: ISC
 *
 * One connection's way from its first TLS byte to its end: a corridor of steps, one file per step. session.c
 * holds the table of steps, the one function that moves from step to step, and the one exit.
 *
 *   tls -> startup -> verifier -> challenge -> proof -> admit -> instance ask -> instance tls -> instance
 * login
 *       -> record -> relay -> linger -> done
 *
 * A wrong password goes from proof to turn, where it waits until that may be told. Each step may also go to
 * linger (refused: the client is told, then waited for) or done. A session belongs
 * to exactly one tenant, the corridor's; nothing in it can name another.
 */
#ifndef SEKISHO_SESSION_H
#define SEKISHO_SESSION_H

#include "admission.h"
#include "message.h"
#include "ports.h"
#include "scram.h"
#include "settings.h"
#include "startup.h"
#include "stats.h"
#include "stream.h"

#include <uthash.h>

enum step {
    STEP_TLS,
    STEP_STARTUP,
    STEP_VERIFIER,
    STEP_CHALLENGE,
    STEP_PROOF,
    STEP_TURN,
    STEP_ADMIT,
    STEP_INSTANCE_ASK,
    STEP_INSTANCE_TLS,
    STEP_INSTANCE_LOGIN,
    STEP_RECORD,
    STEP_RELAY,
    STEP_LINGER,
    STEP_DONE,
    STEP_COUNT
};

enum close_reason {
#define CLOSE(code, name) CLOSE_##code,
#include "close_reasons.def"
#undef CLOSE
    CLOSE_COUNT
};
const char *close_reason_name(enum close_reason r);

/* How the login's time divides. */
enum bucket { BUCKET_CLIENT, BUCKET_DIRECTORY, BUCKET_INSTANCE, BUCKET_PROXY, BUCKET_COUNT };

/* What every session of a process shares. */
struct corridor {
    struct event_base *base;
    const struct settings *settings;
    const struct ports *ports;
    void *arg;               /* of the ports */
    char tenant[41];         /* "" in the lobby */
    char service[64];        /* the tenant's service code */
    char instance[272];      /* host:port, for the log */
    char instance_name[254]; /* what the instance's certificate must carry */
    SSL_CTX *server;         /* towards clients; owned by the process */
    SSL_CTX *client;         /* towards the instance; NULL in the lobby */
    bool draining;
    bool operators; /* one operator's cell: a client certificate instead of SCRAM, every statement recorded */
    uint32_t logins; /* unfinished ones */
};

/* What the gate handed over. */
struct arrival {
    uint64_t session;
    int64_t accepted_us;               /* mono */
    struct address client, local, via; /* via: the load balancer; family 0 for none */
    char server_name[254];
    enum refusal refusal; /* the lobby's: why there is no tenant; REFUSAL_NONE in a cell */
};

/* The virtual database that every plane's console answers to. */
#define CONSOLE_DATABASE "sekisho"

#define LOGIN_IN 16384  /* bytes of one message from an instance during login, at most */
#define LOGIN_OUT 32768 /* what is collected for the client: parameters, notices, errors */

/* Memory of an unfinished login: one block, wiped and freed when the relay starts or the login fails. This is
 * the bound on what a stranger can make the proxy hold. */
struct login {
    uint32_t magic;
    size_t client_len, instance_len;
    uint8_t client_in[STARTUP_MAX];
    uint8_t instance_in[LOGIN_IN];
    struct writer to_client, to_instance;
    size_t client_sent, instance_sent;
    uint8_t to_client_bytes[LOGIN_OUT];
    uint8_t to_instance_bytes[STARTUP_MAX + 512];
    uint8_t packet[STARTUP_MAX]; /* the startup message; `startup` points into it */
    struct startup startup;
    char server_name[254];
    char method[24];
    /* towards the client */
    struct scram_channel binding;
    struct scram_server server;
    struct verifier verifier;
    enum refusal verifier_refusal; /* why the verifier is a mock; NONE: it is real */
    bool verifier_known;
    const char *wrong; /* why the proof was, until that may be told; static text */
    bool turn_known;
    uint8_t final[SCRAM_MESSAGE_MAX]; /* server-final, sent when the session opens */
    size_t final_len;
    /* towards the instance */
    uint8_t client_key[SCRAM_KEY];
    struct scram_channel instance_binding;
    struct scram_client client;
    enum { INSTANCE_START, INSTANCE_FIRST, INSTANCE_FINAL, INSTANCE_CHECKED, INSTANCE_IN } instance_phase;
    bool asked;     /* SSLRequest was sent */
    bool key_known; /* BackendKeyData was seen */
};

/* What a grant lets one operator do, as the broker answered. Holds keys: wiped by session_granted. */
struct pass {
    uint64_t grant;
    int64_t ends_us; /* mono */
    char scope[17], role[64], ticket[129];
    struct verifier verifier;
    uint8_t client_key[SCRAM_KEY];
};

/* An operator's session beyond what a tenant's has. */
struct operation {
    uint64_t grant;
    int64_t ends_us;
    char operator[41], scope[17], role[64], ticket[129], application[64];
    struct event ends;
    struct watch *watch; /* operator_relay.c */
};

/* One direction of the relay. */
struct flow {
    struct frame frame;
    uint8_t *held; /* bytes read but not yet written; borrowed only while there are any */
    uint32_t held_len, held_at;
    uint64_t bytes;
    bool ended; /* the source has ended */
};

struct session {
    uint32_t magic;
    UT_hash_handle hh; /* the process's table of sessions, by id */
    enum step step;
    bool running, waiting_record;
    bool asked_admission; /* the broker counts it */
    bool console;         /* it goes to the console, not to the instance */
    struct corridor *corridor;
    uint64_t id;
    struct address client_address, local, via;
    enum refusal lobby;
    struct stream client, instance;
    struct event deadline;
    struct login *login;             /* NULL once the relay runs */
    struct flow in, out;             /* client to instance, instance to client */
    uint32_t pid, key, instance_key; /* as told to the client; the instance's own */
    bool opened;                     /* an open record is durable: a close record is owed */
    bool draining;
    uint64_t idle_mark;                                                  /* bytes at the last idle check */
    int64_t accepted_us, stepped_us, asked_us, opened_us, idle_since_us; /* asked: for an instance */
    uint64_t counted_in, counted_out, counted_transactions;              /* already in the statistics */
    uint64_t spent_us[BUCKET_COUNT];
    struct operation operation;  /* zero on the tenants' plane */
    enum close_reason abandoned; /* ended while its open record was on the way */
    char user[STARTUP_NAME_MAX + 1], database[STARTUP_NAME_MAX + 1];
};

#define SESSION_MAGIC 0x5ec10003u
#define LOGIN_MAGIC 0x5ec10004u

/* Takes over fd and starts the corridor. NULL (fd closed) without memory. */
struct session *session_new(struct corridor *c, const struct arrival *arrival, int fd);

/* Answers to the ports' asks. */
void session_verifier(struct session *s, enum refusal refusal, const struct verifier *v);
/* A wrong password may be told in wait_ms. */
void session_turn(struct session *s, uint32_t wait_ms);
void session_admitted(struct session *s, int fd);
/* As session_admitted, for an operator: takes over what *p holds. */
void session_granted(struct session *s, int fd, struct pass *p);
void session_refused(struct session *s, enum refusal refusal, const struct failure *f);
void session_recorded(struct session *s, bool durable);

/* Ends it from outside: the client is told `f` at the next message boundary, which is now or never. */
void session_cut(struct session *s, enum close_reason reason, const struct failure *f);
/* Ends it now when idle, else as soon as it is. */
void session_drain(struct session *s);
/* Looks for the idle timeout; called about once a second when there is one. */
void session_idle_check(struct session *s, int64_t mono_us);
/* Asks again what was asked of a process that was away. */
void session_ask_again(struct session *s);

/* --- between the step files --- */

/* One step: does what can be done now; returns itself to wait, or the next step. */
typedef enum step step_fn(struct session *s);
step_fn login_tls, login_startup, login_verifier, login_challenge, login_proof, login_turn;
/* The console takes the startup message at once: no TLS on a socket between our own processes. */
step_fn backend_console;
step_fn backend_admit, backend_ask, backend_tls, backend_login, backend_record;
step_fn relay_run, relay_linger;
/* Every statement is recorded before it is forwarded: an operator's session with an instance. */
bool session_is_observed(const struct session *s);

void session_run(struct session *s);
/* The relay's own events move on through here. */
void session_leave_relay(struct session *s, enum step next);
/* The instance's socket is here: on with the corridor. */
void session_connected(struct session *s, int fd);
/* Refuses: record, error to the client (when TLS is up), and the step to go to. */
enum step session_refuse(struct session *s, enum refusal refusal, const struct failure *f);
/* Closes an open session: f may be NULL when there is nothing to tell. */
enum step session_close(struct session *s, enum close_reason reason, const struct failure *f);
/* The session.open record's fields; its texts are valid until the next record is composed. */
void session_describe_open(struct session *s, struct record *r);
/* Tells the client, when it can be told, and hangs up on both sides. */
void session_farewell(struct session *s, const struct failure *f);
void session_deadline(struct session *s, uint32_t ms);
/* As session_deadline, but never past the login's own end. */
void session_hold(struct session *s, uint32_t ms);
void session_login_free(struct session *s);
/* Into the statistics: what a direction moved since the last call. Once a turn, not once a message. */
static inline void session_count_in(struct session *s) {
    stats_add(STATS_RECEIVED, s->in.bytes - s->counted_in);
    s->counted_in = s->in.bytes;
}
static inline void session_count_out(struct session *s) {
    stats_add(STATS_SENT, s->out.bytes - s->counted_out);
    s->counted_out = s->out.bytes;
    if (s->out.frame.commits == s->counted_transactions)
        return;
    stats_add(STATS_TRANSACTIONS, s->out.frame.commits - s->counted_transactions);
    s->counted_transactions = s->out.frame.commits;
}
/* The texts every refusal for one reason shares. */
void session_failure_password(struct session *s, struct failure *f);
void session_failure_protocol(struct failure *f, const char *why);

/* login.c: the wrong password's time has come: it is told. */
enum step login_told(struct session *s);
/* login.c: sends what is in login->to_client, reads into client_in. Again = wait. */
enum stream_result login_flush(struct session *s);
enum stream_result login_read(struct session *s);

/* operator_login.c: the operators' plane after the startup message */
enum step operator_startup(struct session *s);
/* Rewrites the startup message for the instance: the scope's role, and nothing that bends it. */
void operator_rewrite(struct session *s);

/* operator_relay.c: the relay that records before it forwards */
bool operator_relay_begin(struct session *s);
void operator_relay_client(struct session *s, int what);
void operator_relay_instance(struct session *s, int what);
/* The ledger's answer to statement records up to `ticket`. */
void operator_relay_durable(struct session *s, uint64_t ticket, bool durable);
void operator_relay_end(struct session *s);
/* The end of a grant: the instance's work is cancelled and nothing more goes either way. */
void operator_cut(struct session *s, enum close_reason reason, const struct failure *f);

/* relay.c */
void relay_begin(struct session *s);
void relay_client_event(struct session *s, int what);
void relay_instance_event(struct session *s, int what);
bool relay_is_idle(const struct session *s);
/* Ended from outside: what the instance is doing for it is cancelled too. */
void relay_cut(struct session *s, enum close_reason reason, const struct failure *f);
void relay_end(struct session *s);

#endif
