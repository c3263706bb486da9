/* SPDX-License-Identifier: ISC
 *
 * The steps of an operator that a tenant's client does not have: who it is comes from the certificate
 * (checked against the operators' authority by TLS), whether it may is the broker's to say, and at the
 * instance it is the role of the grant's scope, with a key the operator never sees. The startup message is
 * rewritten: nothing in it can bend the role.
 */
#include "magic.h"
#include "secret.h"
#include "session.h"
#include "subject.h"
#include "text.h"

#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum step refuse(struct session *s, enum refusal refusal, const char *hint, const char *sentence) {
    struct failure f;
    failure_set(&f, "28000", hint, "%s", sentence);
    return session_refuse(s, refusal, &f);
}

/* The certificate's common name, when there is exactly one and it is an operator's id. */
static bool read_operator(const struct session *s, char out[41]) {
    X509 *certificate = SSL_get1_peer_certificate(s->client.ssl);
    X509_NAME *subject = certificate ? X509_get_subject_name(certificate) : NULL;
    bool good = subject && subject_name(subject, out, 41);
    X509_free(certificate);
    return good && SSL_get_verify_result(s->client.ssl) == X509_V_OK;
}

/* What psql and drivers send by themselves, and only sets how values are shown. */
static bool is_harmless(struct view name) {
    static const char *const names[] = {"user",       "database", "application_name", "client_encoding",
                                        "DateStyle",  "TimeZone", "IntervalStyle",    "extra_float_digits",
                                        "replication"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (text_equal_nocase(name, view_text(names[i])))
            return true;
    return view_starts(name, "_pq_.");
}

enum step operator_startup(struct session *s) {
    struct login *l = s->login;
    char hint[128];
    if (!read_operator(s, s->operation.operator))
        return refuse(s, REFUSAL_NO_CERTIFICATE,
                      "set sslcert and sslkey to the certificate your provider gave you",
                      "operators need a client certificate");
    if (strcmp(s->user, s->operation.operator) != 0) {
        snprintf(hint, sizeof hint, "connect as user=%s, the operator your certificate names",
                 s->operation.operator);
        return refuse(s, REFUSAL_NO_OPERATOR, hint, "the user is not the operator of the certificate");
    }
    for (size_t i = 0; i < l->startup.options; i++)
        if (!is_harmless(l->startup.option[i].name))
            return refuse(s, REFUSAL_PROTOCOL,
                          "leave options out of the connection string, and use SET afterwards",
                          "startup options are not taken on the operators' plane");
    if (l->startup.negotiate)
        startup_write_negotiate(&l->to_client, &l->startup);
    snprintf(l->method, sizeof l->method, "certificate");
    s->asked_admission = true;
    stream_want(&s->client, false, false);
    s->corridor->ports->admit(s->corridor->arg, s);
    return STEP_ADMIT;
}

static void on_ends(evutil_socket_t fd, short what, void *arg) {
    struct session *s = arg;
    MAGIC_CHECK(s, SESSION_MAGIC);
    struct failure f;
    failure_set(&f, "57P01", "ask for a new grant",
                "terminating connection because the break-glass grant has expired");
    session_cut(s, CLOSE_GRANT_EXPIRED, &f);
}

/* The grant's end is a timer here too: whichever of broker and cell is first ends the session. */
static void watch_the_clock(struct session *s, int64_t ends_us) {
    int64_t left = ends_us - clock_now().mono_us;
    if (left < 1000)
        left = 1000;
    struct timeval after = {left / 1000000, left % 1000000};
    event_assign(&s->operation.ends, s->corridor->base, -1, 0, on_ends, s);
    event_add(&s->operation.ends, &after);
}

void session_granted(struct session *s, int fd, struct pass *p) {
    MAGIC_CHECK(s, SESSION_MAGIC);
    struct login *l = s->login;
    if (s->step != STEP_ADMIT || !s->corridor->operators || stream_is_open(&s->instance)) {
        close(fd);
    } else {
        struct operation *o = &s->operation;
        o->grant = p->grant;
        o->ends_us = p->ends_us;
        memcpy(o->scope, p->scope, sizeof o->scope);
        memcpy(o->role, p->role, sizeof o->role);
        memcpy(o->ticket, p->ticket, sizeof o->ticket);
        s->operation.role[sizeof s->operation.role - 1] = 0;
        l->verifier = p->verifier;
        memcpy(l->client_key, p->client_key, sizeof l->client_key);
        if (!s->console)
            watch_the_clock(s, p->ends_us);
        session_connected(s, fd);
    }
    secret_wipe(p, sizeof *p);
}

void operator_rewrite(struct session *s) {
    struct startup *p = &s->login->startup;
    struct operation *o = &s->operation;
    char grant[17];
    size_t kept = 0;
    text_hex64(o->grant, grant);
    snprintf(o->application, sizeof o->application, "%s %.16s", o->operator, grant);
    for (size_t i = 0; i < p->options; i++) {
        struct startup_option option = p->option[i];
        if (view_equal_text(option.name, "user"))
            option.value = view_text(o->role);
        if (view_equal_text(option.name, "application_name"))
            continue;
        p->option[kept++] = option;
    }
    if (kept < STARTUP_OPTIONS_MAX) /* the customer's own pg_stat_activity says who it is */
        p->option[kept++] = (struct startup_option){view_text("application_name"), view_text(o->application)};
    p->options = kept;
}
