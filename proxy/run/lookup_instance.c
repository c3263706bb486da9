/* SPDX-License-Identifier: ISC
 *
 * A desk's connection to its tenant's instance, through libpq without blocking: login, one query at a time,
 * its result. The instance is a stranger: what it may send is bounded in bytes and in time, and every answer
 * but no row or one verifier is a fault. Its login is SCRAM bound to its certificate, so that it never sees
 * the role's password.
 */
#include "lookup_desk.h"

#include "clock.h"
#include "log.h"
#include "provision.h"
#include "secret.h"
#include "verifier.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define RECEIVED_MAX                                                                                         \
    65536 /* bytes for one login or one query; a login with a long chain takes about 8,000                   \
           */
#define TEXT_OID 25

static void ignore_notice(void *arg, const PGresult *notice) {
}

void desk_close(struct desk *d) {
    if (d->io)
        event_free(d->io);
    d->io = NULL;
    if (d->conn) {
        PQfinish(d->conn);
        link_end(&d->link);
    }
    d->conn = NULL;
    secret_wipe(d->text, sizeof d->text);
    d->state = DESK_CLOSED;
}

static void watch(struct desk *d, short what, event_callback_fn fn) {
    if (d->io)
        event_free(d->io);
    d->io = event_new(d->base, PQsocket(d->conn), what, fn, d);
    if (!d->io || event_add(d->io, NULL) < 0)
        abort();
}

/* All bytes the instance sent on this socket, as the kernel counted them. */
static uint64_t received(const struct desk *d) {
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    if (getsockopt(PQsocket(d->conn), IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return 0;
    return info.tcpi_bytes_received;
}

static bool too_much(const struct desk *d) {
    uint64_t now = received(d);
    return now > d->received && now - d->received > RECEIVED_MAX;
}

/* ---- login ---- */

static void on_ready(evutil_socket_t fd, short what, void *arg);

static void on_connecting(evutil_socket_t fd, short what, void *arg) {
    struct desk *d = arg;
    if (too_much(d)) {
        desk_fault(d, "it sends too much before the login is over");
        return;
    }
    switch (PQconnectPoll(d->conn)) {
    case PGRES_POLLING_READING:
        watch(d, EV_READ, on_connecting);
        return;
    case PGRES_POLLING_WRITING:
        watch(d, EV_WRITE, on_connecting);
        return;
    case PGRES_POLLING_OK:
        break;
    default:
        desk_lost(d, PQerrorMessage(d->conn));
        return;
    }
    link_end(&d->link); /* libpq has read the files */
    PQsetnonblocking(d->conn, 1);
    d->received = received(d);
    watch(d, EV_READ | EV_PERSIST, on_ready);
    desk_logged_in(d);
}

void desk_connect(struct desk *d) {
    d->state = DESK_CONNECTING;
    d->operation_us = clock_now().mono_us + LOOKUP_PATIENCE_MS * INT64_C(1000);
    d->received = 0;
    const char *database = d->tenant->auth_database[0] ? d->tenant->auth_database : "postgres";
    if (link_begin(&d->link, LINK_OURS, d->tenant, d->first, d->role, database, d->password)) {
        link_add(&d->link, "channel_binding", "require");
        d->conn = PQconnectStartParams(d->link.keyword, d->link.value, 0);
    }
    if (!d->conn) {
        link_end(&d->link);
        desk_fault(d, "no memory for a connection");
        return;
    }
    PQsetNoticeReceiver(d->conn, ignore_notice, NULL);
    if (PQstatus(d->conn) == CONNECTION_BAD)
        desk_lost(d, PQerrorMessage(d->conn));
    else
        watch(d, EV_WRITE, on_connecting);
}

/* ---- query ---- */

enum judgement { JUDGED_FINE, JUDGED_LOST, JUDGED_FAULT };

/* One row: the verifier into d->text. */
static enum judgement judge_row(struct desk *d, const PGresult *result) {
    struct verifier parsed;
    struct view text = view_of(PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0));
    if (PQgetisnull(result, 0, 0) || view_starts(text, "md5")) {
        d->outcome = LOOKUP_NONE; /* no password, or one that only older methods can check */
        return JUDGED_FINE;
    }
    bool good = view_copy_text(text, d->text, sizeof d->text) && verifier_parse(text, &parsed);
    secret_wipe(&parsed, sizeof parsed);
    secret_wipe(PQgetvalue(result, 0, 0), text.len);
    d->outcome = good ? LOOKUP_FOUND : LOOKUP_UNAVAILABLE;
    return good ? JUDGED_FINE : JUDGED_FAULT;
}

static enum judgement judge(struct desk *d, const PGresult *result) {
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
        if (PQnfields(result) != 1 || PQntuples(result) > 1)
            return JUDGED_FAULT;
        d->outcome = LOOKUP_NONE;
        return PQntuples(result) == 1 ? judge_row(d, result) : JUDGED_FINE;
    case PGRES_FATAL_ERROR:
        if (!state || strncmp(state, "57P", 3) == 0)
            return JUDGED_LOST; /* it is going away */
        d->outcome = LOOKUP_NONE;
        /* Bytes that are no text in the database's encoding are nobody's name. */
        return strcmp(state, "22021") == 0 ? JUDGED_FINE : JUDGED_FAULT;
    default:
        return JUDGED_FAULT;
    }
}

static void take_results(struct desk *d) {
    while (!PQisBusy(d->conn)) {
        PGresult *result = PQgetResult(d->conn);
        if (!result) {
            d->received = received(d);
            desk_served(d);
            return;
        }
        char why[256] = "an answer that is none";
        if (PQresultStatus(result) == PGRES_FATAL_ERROR)
            snprintf(why, sizeof why, "%s", PQresultErrorMessage(result));
        enum judgement j = d->result_seen ? JUDGED_FAULT : judge(d, result);
        d->result_seen = true;
        PQclear(result);
        if (j == JUDGED_FINE)
            continue;
        if (j == JUDGED_LOST)
            desk_lost(d, why);
        else
            desk_fault(d, why);
        return;
    }
}

static void on_ready(evutil_socket_t fd, short what, void *arg) {
    struct desk *d = arg;
    bool alive = PQconsumeInput(d->conn) == 1;
    if (too_much(d)) {
        desk_fault(d, "it sends too much");
        return;
    }
    if (!alive) {
        desk_lost(d, PQerrorMessage(d->conn));
        return;
    }
    if (d->state == DESK_ASKING) {
        if (what & EV_WRITE && PQflush(d->conn) == 0)
            watch(d, EV_READ | EV_PERSIST, on_ready);
        take_results(d);
        return;
    }
    /* Nothing was asked: parameters, notices, a farewell. Parsing them is what empties libpq's buffer. */
    for (PGnotify *n; (n = PQnotifies(d->conn));)
        PQfreemem(n);
    if (PQstatus(d->conn) == CONNECTION_BAD)
        desk_lost(d, "closed");
}

void desk_query(struct desk *d) {
    static const Oid types[] = {TEXT_OID};
    const char *values[] = {d->current->user};
    d->state = DESK_ASKING;
    d->operation_us = clock_now().mono_us + LOOKUP_PATIENCE_MS * INT64_C(1000);
    d->result_seen = false;
    d->outcome = LOOKUP_UNAVAILABLE;
    int sent = PQsendQueryParams(d->conn, PROVISION_QUERY, 1, types, values, NULL, NULL, 0);
    int left = sent == 1 ? PQflush(d->conn) : -1;
    if (left < 0)
        desk_lost(d, PQerrorMessage(d->conn));
    else if (left > 0)
        watch(d, EV_READ | EV_WRITE | EV_PERSIST, on_ready);
}
