/* SPDX-License-Identifier: ISC
 *
 * Operators' sessions at the broker: one decision at the door, the same one again and again while it lasts,
 * and the end: the cell is told, and one that does not obey is killed. As with tenants' cells, the tenant is
 * the channel's; everything else a cell says is checked.
 */
#include "broker_grants.h"
#include "log.h"
#include "secret.h"
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OBEY_US 500000   /* a cell that has not ended its session by then is killed */
#define LEAVE_US 5000000 /* one that says it has, and is still there, too */

static void refuse(struct broker_cell *c, uint64_t request, enum refusal refusal, const char *sqlstate,
                   const char *hint, const char *sentence) {
    struct failure f;
    failure_set(&f, sqlstate, hint, "%s", sentence);
    cells_refuse(c, request, refusal, &f);
}

/* The directory may be too old to know of a lock, a removal, a suspension: then nobody gets in. */
static bool directory_is_stale(void) {
    return clock_now().mono_us - broker.fresh.mono_us > (int64_t)broker.settings->directory_max_age * 1000;
}

static uint32_t sessions_of(const char *grant) {
    uint32_t count = 0;
    struct holding *h, *next;
    HASH_ITER (hh, broker.holdings, h, next) {
        count += strcmp(h->grant, grant) == 0;
    }
    return count;
}

static bool is_from_allowed(const struct operator* o, const struct address *from) {
    const struct ranges *all = &broker.settings->operator_from;
    return (all->count == 0 || ranges_contain(all, from)) &&
           (o->allowed.count == 0 || ranges_contain(&o->allowed, from));
}

/* Everything but the grant itself. REFUSAL_NONE, or why not. */
static enum refusal check_operator(const char *operator, const char * tenant, const struct address *from,
                                   struct failure *f) {
    const struct operator* o = snapshot_operator(broker.snapshot, operator);
    const struct tenant *t = snapshot_tenant(broker.snapshot, tenant);
    char address[ADDRESS_TEXT];
    if (directory_is_stale() || !operators_ready()) {
        failure_set(f, "57P03", "try again when the control store is back",
                    "operators cannot be checked right now");
        return REFUSAL_DIRECTORY;
    }
    if (!t || t->state != TENANT_ACTIVE) {
        failure_set(f, "42501", NULL, "there is no such tenant here");
        return REFUSAL_TENANT_STATE;
    }
    if (!o) {
        failure_set(f, "42501", "sekishoctl operator add registers operators",
                    "\"%s\" is not an operator here", operator);
        return REFUSAL_NO_OPERATOR;
    }
    if (!is_from_allowed(o, from)) {
        address_text(from, address);
        failure_set(f, "28000", "use the management network",
                    "operator \"%s\" may not come from %s", operator, address);
        return REFUSAL_ADDRESS;
    }
    return REFUSAL_NONE;
}

static bool take_claim(struct reader *body, uint64_t *session, struct admission_request *q,
                       char operator[41]) {
    *session = reader_u64(body);
    reader_text16_into(body, operator, 41);
    q->user = view_text(operator);
    q->database = reader_text16(body, 63);
    q->application = reader_text16(body, 64);
    q->replication = reader_text16(body, 16);
    return address_read(body, &q->client) && *session != 0 && operator[0];
}

static void admit(struct broker_cell *c, uint64_t request, uint64_t session,
                  const struct admission_request *q, const char *operator, const char * database) {
    struct grant_verdict v;
    struct failure f;
    int64_t ends_us;
    enum refusal why = check_operator(operator, c->tenant, &q->client, &f);
    if (why != REFUSAL_NONE) {
        cells_refuse(c, request, why, &f);
        return;
    }
    operators_decide(operator, c->tenant, database, &v, &ends_us);
    const struct tenant *t = snapshot_tenant(broker.snapshot, c->tenant);
    if (!v.allowed) {
        cells_refuse(c, request, REFUSAL_NO_GRANT, &v.failure);
    } else if (sessions_of(v.grant) >= broker.settings->sessions_per_grant) {
        refuse(c, request, REFUSAL_GRANT_BUSY, "53300", "end the other session first",
               "the grant already has as many sessions as it may");
    } else if (broker.operators >= broker.settings->operator_max_sessions) {
        refuse(c, request, REFUSAL_LIMIT, "53300", "try again when another operator has left",
               "too many operators' sessions");
    } else if (!t->scope[v.scope].known) {
        refuse(c, request, REFUSAL_INSTANCE_AUTH, "28000",
               "sekishoctl tenant provision makes the scopes' roles",
               "the instance has no role for this scope");
    } else if (q->replication.len > 0 && v.scope != SCOPE_ADMIN) {
        refuse(c, request, REFUSAL_NO_GRANT, "42501", NULL, "the replication protocol needs the scope admin");
    } else {
        struct holding *h = holding_add(c, session, q);
        snprintf(h->grant, sizeof h->grant, "%s", v.grant);
        snprintf(h->ticket, sizeof h->ticket, "%s", v.ticket);
        h->scope = v.scope;
        h->ends_us = ends_us;
        connect_begin(c, request, session, t, NULL);
    }
}

/* An operator's cell has one session, and may not swap it for another. */
static bool is_first(struct broker_cell *c) {
    bool first = !c->asked;
    c->asked = true;
    return first;
}

static void remember(struct broker_cell *c, const struct holding *h) {
    snprintf(c->operator, sizeof c->operator, "%s", h->user);
    snprintf(c->grant, sizeof c->grant, "%s", h->grant);
    c->ends_us = h->ends_us;
}

static bool is_known(const char *person) {
    return snapshot_operator(broker.snapshot, person) || operators_know(person);
}

static void send_granted(struct broker_cell *c, uint64_t request, const struct holding *h, const char *role,
                         const struct scope_login *login, int fd) {
    uint64_t grant = 0;
    text_unhex64(view_text(h->grant), &grant);
    struct writer w = channel_scratch();
    writer_u64(&w, request);
    writer_u64(&w, grant);
    writer_u64(&w, (uint64_t)h->ends_us);
    writer_text16(&w, view_text(h->grant[0] ? scope_name(h->scope) : ""));
    writer_text16(&w, view_text(role));
    writer_text16(&w, view_text(h->ticket));
    verifier_write(&w, &login->verifier);
    writer_bytes(&w, view_of(login->client_key, sizeof login->client_key));
    channel_send(c->channel, M_GRANTED, &w, fd);
    secret_wipe(w.at, w.len);
}

/* The console needs no grant: it shows a person what concerns that person. */
static void admit_to_console(struct broker_cell *c, uint64_t request, uint64_t session,
                             const struct admission_request *q, const char *person) {
    struct scope_login none = {.known = false};
    struct failure f;
    bool known = is_known(person);
    verifier_mock(broker.fleet_secret, c->tenant, q->user, VERIFIER_ITERATIONS_MIN, &none.verifier);
    int fd = known ? console_connect(session, CONSOLE_OPERATOR, person, c->tenant) : -1;
    if (!known) {
        failure_set(&f, "42501", "sekishoctl operator add registers operators", "\"%s\" is not known here",
                    person);
        cells_refuse(c, request, REFUSAL_NO_OPERATOR, &f);
    } else if (fd < 0) {
        refuse(c, request, REFUSAL_DIRECTORY, "57P03", "try again in a moment", "the console is not running");
    } else {
        send_granted(c, request, holding_add(c, session, q), "", &none, fd);
        close(fd);
    }
}

bool operators_admit(struct broker_cell *c, struct reader *body) {
    uint64_t request = reader_u64(body), session;
    struct admission_request q = {.tenant = c->tenant};
    char operator[41], database[64];
    if (!take_claim(body, &session, &q, operator) || !reader_done(body) || holding_find(c, session) ||
        !view_copy_text(q.database, database, sizeof database) || !is_first(c))
        return false;
    if (strcmp(database, CONSOLE_DATABASE) == 0)
        admit_to_console(c, request, session, &q, operator);
    else
        admit(c, request, session, &q, operator, database);
    return true;
}

bool operators_hold(struct broker_cell *c, struct reader *body) {
    uint64_t session;
    struct admission_request q = {.tenant = c->tenant};
    char operator[41];
    if (!take_claim(body, &session, &q, operator))
        return false;
    uint64_t grant = reader_u64(body);
    if (!reader_done(body) || holding_find(c, session) || !is_first(c))
        return false;
    struct holding *h = holding_add(c, session, &q);
    if (grant != 0) {
        text_hex64(grant, h->grant);
        h->ends_us = operators_end_of(h->grant);
        remember(c, h);
    }
    operators_judge();
    return true;
}

void operators_connected(struct broker_cell *c, uint64_t request, const struct holding *h, int fd) {
    const struct tenant *t = snapshot_tenant(broker.snapshot, c->tenant);
    struct failure f;
    if (!t || !t->scope[h->scope].known || !operators_still(h->grant, h->user, c->tenant, &f)) {
        refuse(c, request, REFUSAL_NO_GRANT, "42501", NULL, "the grant ended while the connection was made");
        return;
    }
    char role[64];
    snprintf(role, sizeof role, "sekisho_%s", scope_name(h->scope));
    remember(c, h);
    send_granted(c, request, h, role, &t->scope[h->scope], fd);
}

void operators_furnish(struct broker_cell *c) {
    static uint8_t ca[30000], crl[30000], chain[30000], key[16384];
    const struct settings *s = broker.settings;
    size_t ca_len = read_file(s->operator_ca, ca, sizeof ca);
    size_t crl_len = s->operator_crl[0] ? read_file(s->operator_crl, crl, sizeof crl) : 0;
    size_t chain_len = read_file(s->operator_certificate, chain, sizeof chain);
    size_t key_len = read_file(s->operator_key, key, sizeof key);
    if (ca_len == 0 || chain_len == 0 || key_len == 0 || (s->operator_crl[0] && crl_len == 0)) {
        log_error("the operators' plane cannot serve: operator_ca, operator_crl, operator_certificate or "
                  "operator_key "
                  "is not readable");
        return;
    }
    struct writer w = channel_scratch();
    write_blob(&w, view_of(ca, ca_len));
    write_blob(&w, view_of(crl, crl_len));
    channel_send(c->channel, M_OPERATOR_TRUST, &w, -1);
    w = channel_scratch();
    write_blob(&w, view_of(chain, chain_len));
    write_blob(&w, view_of(key, key_len));
    channel_send(c->channel, M_IDENTITY, &w, -1);
    secret_wipe(key, sizeof key);
    secret_wipe(w.at, w.len);
    cells_tell(c, true);
}

static void kill_cell(const struct broker_cell *c) {
    struct writer w = channel_scratch();
    writer_u32(&w, c->id);
    channel_send(role_supervisor(), M_KILL, &w, -1);
}

/* Told once; who is still there half a second later is not asked again. */
static void cut(struct holding *h, enum close_reason reason, const struct failure *f) {
    int64_t now_us = clock_now().mono_us;
    if (h->cut_us == 0) {
        h->cut_us = now_us;
        cells_cut(h, reason, f);
    } else if (now_us - h->cut_us > OBEY_US) {
        kill_cell(h->cell);
        h->cut_us = now_us;
    }
}

/* CLOSE_NONE: it may stay. */
static enum close_reason judge(const struct holding *h, struct failure *f) {
    if (!h->grant[0]) { /* at the console */
        failure_set(f, "57P01", NULL, "terminating connection because \"%s\" is not known here any more",
                    h->user);
        return is_known(h->user) ? CLOSE_NONE : CLOSE_LOCKED;
    }
    if (directory_is_stale()) {
        failure_set(f, "57P01", NULL, "terminating connection because the grant cannot be checked any more");
        return CLOSE_DIRECTORY_STALE;
    }
    if (clock_now().mono_us >= h->ends_us) {
        failure_set(f, "57P01", "ask for a new grant",
                    "terminating connection because the break-glass grant has expired");
        return CLOSE_GRANT_EXPIRED;
    }
    if (!operators_still(h->grant, h->user, h->cell->tenant, f))
        return CLOSE_GRANT_ENDED;
    if (check_operator(h->user, h->cell->tenant, &h->client, f) != REFUSAL_NONE) {
        memcpy(f->sqlstate, "57P01", 6);
        return CLOSE_LOCKED;
    }
    return CLOSE_NONE;
}

/* A grant that is over ends the process, whatever it said of its session. */
static void judge_cell(struct broker_cell *c) {
    struct failure f;
    int64_t now_us = clock_now().mono_us;
    if (now_us < c->ends_us && operators_still(c->grant, c->operator, c->tenant, &f)) {
        c->over_us = 0;
    } else if (c->over_us == 0) {
        c->over_us = now_us;
    } else if (now_us - c->over_us > LEAVE_US) {
        kill_cell(c);
        c->over_us = now_us;
    }
}

void operators_judge(void) {
    struct holding *h, *next;
    struct broker_cell *c, *after;
    if (!operators_ready())
        return;
    HASH_ITER (hh, broker.cells, c, after) {
        if (c->grant[0])
            judge_cell(c);
    }
    HASH_ITER (hh, broker.holdings, h, next) {
        struct failure f;
        enum close_reason reason = h->cell->role == R_OPERATOR ? judge(h, &f) : CLOSE_NONE;
        if (reason != CLOSE_NONE)
            cut(h, reason, &f);
    }
}
