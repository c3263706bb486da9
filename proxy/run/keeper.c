/* SPDX-License-Identifier: ISC
 *
 * The keeper: reads the control store and tells the broker, as whole snapshots; answers the broker's
 * questions for verifiers, from the store or from the tenants' instances; brings administrative changes into
 * the session log. Talks to the supervisor, the broker, the ledger, name servers and instances; no client's
 * byte ever reaches it. Holds every tenant's client key and auth password in memory. The store may be away:
 * then the broker keeps its snapshot, and users are looked up on their instances as before.
 */
#include "keeper_changes.h"
#include "keeper_directory.h"
#include "keeper_statements.h"
#include "lookup.h"

#include "clock.h"
#include "log.h"
#include "provision_link.h"
#include "role.h"
#include "secret.h"

#include <sys/stat.h>
#include <unistd.h>

#include <stdio.h>
#include <string.h>

#define LOOK_MS 200      /* how soon a change of the store is seen */
#define FRESH_US 1000000 /* how often the broker hears that nothing changed */
#define BACKLOG_MAX                                                                                          \
    (1u << 20) /* bytes of a snapshot that wait in the channel; the channel itself ends at 8 MB */
#define PACE_MS 5

static struct {
    struct channel *broker;
    struct store *store;
    struct stat store_file; /* the file that is open */
    struct stat read_file;  /* the file the directory was read from */
    char complaint[256];    /* the store's trouble that goes on, as the log has it; "" for none */
    bool read;              /* the directory is of `version` */
    uint64_t version;
    struct directory *directory;
    struct lookups *lookups;
    struct changes changes;
    struct statements statements;
    bool due;     /* the broker has not got the directory as it is now */
    bool sending; /* a snapshot is on its way, `next` comes next */
    size_t next;
    int64_t fresh_us;
    struct event *tick, *pace;
} keeper;

/* ---- the store ---- */

static void store_close(void) {
    if (keeper.store)
        keeper.store->driver->close(&keeper.store);
    keeper.read = false;
}

static void store_trouble(const char *why) {
    char complaint[sizeof keeper.complaint];
    snprintf(complaint, sizeof complaint, "%s", why);
    if (strcmp(complaint, keeper.complaint) != 0)
        log_error("the control store is not available: %s; the last directory stays in use", complaint);
    memcpy(keeper.complaint, complaint, sizeof complaint);
    store_close();
}

static void store_open(void) {
    char path[300], why[256];
    uint8_t key[SEAL_KEY];
    snprintf(path, sizeof path, "%s/seal.key", role_settings()->state_dir);
    if (seal_key_read(path, key, why)) {
        snprintf(path, sizeof path, "%s/store.sqlite", role_settings()->state_dir);
        /* Before the store opens it: a file put there in between is seen as another one. */
        if (stat(path, &keeper.store_file) == 0)
            keeper.store = store_sqlite.open(path, false, key, why);
        else
            snprintf(why, sizeof why, "%.200s is not there", path);
    }
    secret_wipe(key, sizeof key);
    if (!keeper.store)
        store_trouble(why);
}

static bool same_file(const struct stat *a, const struct stat *b) {
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* A store that was restored is another file under the same name. */
static bool store_replaced(void) {
    char path[300];
    struct stat now;
    snprintf(path, sizeof path, "%s/store.sqlite", role_settings()->state_dir);
    return stat(path, &now) < 0 || !same_file(&now, &keeper.store_file);
}

/* A file that took the place of the one we know and is empty is a mistake, not the end of every tenant. */
static enum store_result read_directory(void) {
    bool empty_is_good =
        !directory_known(keeper.directory) || same_file(&keeper.read_file, &keeper.store_file);
    enum store_result r = directory_read(keeper.directory, keeper.store, empty_is_good, keeper.lookups);
    if (r == STORE_OK)
        keeper.read_file = keeper.store_file;
    return r;
}

static void read_store(void) {
    uint64_t version;
    if (keeper.store && store_replaced())
        store_close();
    if (!keeper.store)
        store_open();
    if (!keeper.store)
        return;
    enum store_result r = keeper.store->driver->version(keeper.store, &version);
    /* The version first: a change that comes between the two is then read once more, not missed. */
    if (r == STORE_OK && !(keeper.read && version == keeper.version)) {
        r = read_directory();
        if (r == STORE_OK)
            r = statements_look(&keeper.statements, keeper.store);
        keeper.read = r == STORE_OK;
        keeper.version = version;
        keeper.due = keeper.due || keeper.read;
        keeper.changes.look = true;
    }
    if (r == STORE_NOT_FOUND)
        store_trouble("another file took its place, and it has no tenants");
    else if (r != STORE_OK)
        store_trouble(keeper.store->driver->why(keeper.store));
    else if (keeper.complaint[0])
        log_info("the control store is back");
    if (r == STORE_OK)
        keeper.complaint[0] = 0;
}

/* ---- the broker's snapshot ---- */

static void send_one(size_t index) {
    struct writer w = channel_scratch();
    tenant_write(&w, directory_at(keeper.directory, index));
    channel_send(keeper.broker, M_SNAPSHOT_TENANT, &w, -1);
    secret_wipe(w.at, w.len);
}

/* As much of the snapshot as the channel takes now. */
static void send_snapshot(void) {
    if (!keeper.broker || !directory_known(keeper.directory))
        return;
    if (keeper.due && !keeper.sending) {
        struct writer w = channel_scratch();
        writer_u64(&w, keeper.version);
        channel_send(keeper.broker, M_SNAPSHOT_BEGIN, &w, -1);
        keeper.due = false;
        keeper.sending = true;
        keeper.next = 0;
    }
    if (!keeper.sending)
        return;
    size_t count = directory_count(keeper.directory);
    while (keeper.next < count && channel_backlog(keeper.broker) < BACKLOG_MAX)
        send_one(keeper.next++);
    if (keeper.next < count) {
        static const struct timeval soon = {0, PACE_MS * 1000};
        event_add(keeper.pace, &soon);
        return;
    }
    if (keeper.store && operators_send(keeper.store, keeper.broker) != STORE_OK)
        store_trouble(keeper.store->driver->why(keeper.store));
    struct writer w = channel_scratch();
    writer_u32(&w, (uint32_t)count);
    channel_send(keeper.broker, M_SNAPSHOT_END, &w, -1);
    keeper.sending = false;
    keeper.fresh_us = clock_now().mono_us;
}

static void on_pace(evutil_socket_t fd, short what, void *arg) {
    send_snapshot();
}

/* After the snapshot, and without it when nothing but a statement changed. */
static void send_statements(void) {
    if (!keeper.broker || !keeper.store || keeper.sending)
        return;
    if (statements_send(&keeper.statements, keeper.store, keeper.broker) != STORE_OK)
        store_trouble(keeper.store->driver->why(keeper.store));
}

static void say_fresh(int64_t now_us) {
    if (!keeper.broker || !keeper.read || keeper.due || keeper.sending || now_us < keeper.fresh_us + FRESH_US)
        return;
    struct writer w = channel_scratch();
    writer_u64(&w, keeper.version);
    channel_send(keeper.broker, M_SNAPSHOT_FRESH, &w, -1);
    keeper.fresh_us = now_us;
}

static void on_tick(evutil_socket_t fd, short what, void *arg) {
    /* The directory does not change while it is being sent. */
    if (!keeper.sending) {
        read_store();
        keeper.due |= directory_resolve(keeper.directory, keeper.lookups);
    }
    send_snapshot();
    send_statements();
    int64_t now = clock_now().mono_us;
    say_fresh(now);
    if (keeper.store)
        changes_step(&keeper.changes, keeper.store, now);
}

/* ---- verifiers ---- */

static void tell(void *arg, uint64_t request, enum lookup outcome, struct view text) {
    if (!keeper.broker)
        return;
    struct writer w = channel_scratch();
    writer_u64(&w, request);
    writer_u8(&w, (uint8_t)outcome);
    writer_text16(&w, text);
    channel_send(keeper.broker, M_VERIFIER_TOLD, &w, -1);
    secret_wipe(w.at, w.len);
}

/* The store's own verifiers first; then the instance's. Without the store the instance's are better than
 * none. */
static void answer(uint64_t request, const char *tenant, struct view user) {
    char text[257];
    enum store_result r = STORE_UNAVAILABLE;
    if (keeper.store)
        r = keeper.store->driver->verifier_get(keeper.store, tenant, user, text);
    if (r == STORE_OK)
        tell(NULL, request, LOOKUP_FOUND, view_text(text));
    else if (r == STORE_INVALID)
        tell(NULL, request, LOOKUP_UNAVAILABLE, view_of(NULL, 0));
    else
        lookups_ask(keeper.lookups, request, tenant, user);
    secret_wipe(text, sizeof text);
}

/* The log is gone; now what the store keeps. The change is told in the provider's log. */
static void erase_rows(const char *tenant) {
    struct change why = {.wall_us = clock_now().wall_us};
    snprintf(why.actor, sizeof why.actor, "two approvers");
    snprintf(why.action, sizeof why.action, "tenant.erase");
    snprintf(why.detail, sizeof why.detail, "%s", tenant);
    enum store_result r =
        keeper.store ? keeper.store->driver->erase(keeper.store, tenant, &why) : STORE_UNAVAILABLE;
    if (r == STORE_OK)
        log_warning("tenant %s was erased from the control store", tenant);
    else if (r != STORE_NOT_FOUND) /* the broker asks again while it sees the tenant */
        log_error("tenant %s cannot be erased from the control store: %s", tenant,
                  keeper.store ? keeper.store->driver->why(keeper.store) : "it is away");
}

static void take_erase(struct channel *c, struct reader *body) {
    char tenant[TENANT_ID_MAX + 1];
    reader_text16_into(body, tenant, sizeof tenant);
    if (reader_done(body))
        erase_rows(tenant);
    else
        channel_offend(c, "asked wrongly for an erasure");
}

static void on_broker(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    char tenant[TENANT_ID_MAX + 1];
    if (m == M_ERASE_ROWS) {
        take_erase(c, body);
        return;
    }
    uint64_t request = reader_u64(body);
    reader_text16_into(body, tenant, sizeof tenant);
    struct view user = reader_text16(body, 256);
    if (m != M_VERIFIER_ASK || !reader_done(body))
        channel_offend(c, "sent what a broker does not say to a keeper");
    else
        answer(request, tenant, user);
}

static void on_broker_ended(void *arg, struct channel *c, const char *why) {
    keeper.broker = NULL;
    keeper.sending = false;
    log_info("the broker is away: %s", why);
}

/* ---- the ledger ---- */

static void on_ledger(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    uint64_t request = reader_u64(body);
    bool durable = reader_u8(body) == 1;
    if (m != M_DURABLE || !reader_done(body) ||
        !changes_durable(&keeper.changes, keeper.store, request, durable, clock_now().mono_us))
        channel_offend(c, "sent what a ledger does not say to a keeper");
}

static void on_ledger_ended(void *arg, struct channel *c, const char *why) {
    changes_ledger(&keeper.changes, NULL);
}

/* ---- the frame ---- */

static void on_settings(void *arg, const struct settings *s) {
    if (keeper.directory) {
        store_close(); /* state_dir may be another now */
        return;
    }
    keeper.directory = directory_new(role_base());
    keeper.lookups = lookups_new(role_base(), tell, NULL);
    keeper.pace = event_new(role_base(), -1, 0, on_pace, NULL);
    keeper.tick = role_timer(LOOK_MS, true, on_tick, NULL);
}

static void on_peer(void *arg, const struct role_peer *peer, int fd) {
    if (peer->role == R_BROKER) {
        channel_free(&keeper.broker);
        keeper.broker = channel_new(role_base(), fd, R_KEEPER, R_BROKER, on_broker, on_broker_ended, NULL);
        keeper.due = true;
        keeper.sending = false;
        statements_restart(&keeper.statements);
        on_tick(-1, 0, NULL);
    } else if (peer->role == R_LEDGER) {
        channel_free(&keeper.changes.ledger);
        changes_ledger(&keeper.changes,
                       channel_new(role_base(), fd, R_KEEPER, R_LEDGER, on_ledger, on_ledger_ended, NULL));
    } else {
        close(fd);
    }
}

int keeper_main(void) {
    static const struct role_hooks hooks = {.settings = on_settings, .peer = on_peer};
    link_clean_environment();
    changes_begin(&keeper.changes);
    return role_run(R_KEEPER, &hooks, NULL);
}
