/* SPDX-License-Identifier: ISC
 *
 * One session with everybody around it played by the test: Ann's client and her tenant's instance at the ends
 * of two socket pairs, both with OpenSSL; broker and ledger as scripted ports that write down what they were
 * asked. Nobody waits for a fixed time: `until` turns the loop until something is so.
 */
#ifndef SEKISHO_SESSION_FIXTURE_H
#define SEKISHO_SESSION_FIXTURE_H

#include "clock.h"
#include "session.h"
#include "tls.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_US 10000000
#define SALT "sixteen bytes of"

/* A peer of the proxy: what it said is in `heard`. */
struct person {
    int fd; /* -1: not there yet, or gone */
    SSL *ssl;
    bool deaf;  /* does not read for now */
    bool ended; /* the proxy has hung up */
    uint8_t *heard;
    size_t len, cap, taken; /* taken: by next_message */
};

/* What the scripted ports were asked. */
struct asked {
    int verifiers, admissions, opened, cancels, ended;
    int opens, closes, refusals;
    int guesses, doubts;
    char reason[64]; /* of the last refusal or close */
    char cause[256];
};

static struct event_base *base;
static struct settings settings;
static struct corridor corridor;
static struct session *session; /* NULL once it has ended */
static struct asked asked;
static bool ledger_refuses_at_once;
static struct person ann, instance;
static SSL_CTX *anns_context, *instance_context;
static struct scram_client ann_scram;
static struct scram_server instance_scram;
static struct verifier verifier; /* of the password "pencil" */
static const struct scram_channel no_binding = {.tls_binding = false};

/* --- ports --- */

static inline void on_verifier(void *arg, struct session *s) {
    asked.verifiers++;
}

static inline void on_guessed(void *arg, struct session *s) {
    asked.guesses++;
}

static inline void on_doubt(void *arg, struct session *s) {
    asked.doubts++;
}

static inline void on_admit(void *arg, struct session *s) {
    asked.admissions++;
}

static inline void keep_text(const struct record *r, enum field field, char *out, size_t cap) {
    for (size_t i = 0; i < r->count; i++)
        if (r->item[i].field == field)
            snprintf(out, cap, "%.*s", (int)r->item[i].text.len, (const char *)r->item[i].text.at);
}

static inline void on_record(void *arg, struct session *s, const struct record *r, bool answered) {
    asked.opens += r->event == EVENT_SESSION_OPEN;
    asked.closes += r->event == EVENT_SESSION_CLOSE;
    asked.refusals += r->event == EVENT_SESSION_REFUSED;
    cr_assert_eq(answered, r->event == EVENT_SESSION_OPEN);
    keep_text(r, FIELD_REASON, asked.reason, sizeof asked.reason);
    keep_text(r, FIELD_CAUSE, asked.cause, sizeof asked.cause);
    if (answered && ledger_refuses_at_once)
        session_recorded(s, false);
}

static inline void on_opened(void *arg, struct session *s) {
    asked.opened++;
}

static inline void on_cancel(void *arg, struct session *s, uint32_t pid, uint32_t key) {
    asked.cancels++;
}

static inline void on_session_end(void *arg, struct session *s) {
    asked.ended++;
    session = NULL;
}

static const struct ports scripted = {.verifier = on_verifier,
                                      .guessed = on_guessed,
                                      .doubt = on_doubt,
                                      .admit = on_admit,
                                      .record = on_record,
                                      .opened = on_opened,
                                      .cancel = on_cancel,
                                      .ended = on_session_end};

/* --- certificates --- */

static inline struct view pem_of(BIO *bio) {
    char *at;
    long len = BIO_get_mem_data(bio, &at);
    return view_of(at, (size_t)len);
}

/* A certificate of its own authority, as PEM texts. */
static inline void make_certificate(const char *name, BIO **certificate, BIO **key) {
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, pair);
    X509_NAME *subject = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0);
    X509_set_issuer_name(x, subject);
    char san[128];
    snprintf(san, sizeof san, "DNS:%s", name);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    cr_assert(X509_sign(x, pair, EVP_sha256()) > 0);
    *certificate = BIO_new(BIO_s_mem());
    *key = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(*certificate, x);
    PEM_write_bio_PrivateKey(*key, pair, NULL, NULL, 0, NULL, NULL);
    X509_free(x);
    EVP_PKEY_free(pair);
}

static inline SSL_CTX *must(SSL_CTX *context, const char *why) {
    cr_assert_not_null(context, "%s", why);
    return context;
}

static inline void make_contexts(void) {
    char why[256];
    struct view none = {NULL, 0};
    BIO *door, *door_key, *server, *server_key;
    make_certificate("acme.db.test", &door, &door_key);
    make_certificate("db.internal", &server, &server_key);
    corridor.server = must(tls_server(pem_of(door), pem_of(door_key), "1.2", why), why);
    corridor.client = must(tls_client(pem_of(server), none, none, "1.2", why), why);
    anns_context = must(tls_client(pem_of(door), none, none, "1.2", why), why);
    instance_context = must(tls_server(pem_of(server), pem_of(server_key), "1.2", why), why);
    BIO *all[] = {door, door_key, server, server_key};
    for (size_t i = 0; i < 4; i++)
        BIO_free(all[i]);
}

/* --- people --- */

static inline void listen_to(struct person *p) {
    if (p->fd < 0 || p->deaf || p->ended)
        return;
    for (;;) {
        if (p->cap - p->len < 65536) {
            p->cap = p->cap ? 2 * p->cap : 262144;
            p->heard = realloc(p->heard, p->cap);
            cr_assert_not_null(p->heard);
        }
        int n;
        if (p->ssl) {
            ERR_clear_error();
            n = SSL_read(p->ssl, p->heard + p->len, 65536);
            if (n <= 0 && SSL_get_error(p->ssl, n) == SSL_ERROR_WANT_READ)
                return;
        } else {
            n = (int)recv(p->fd, p->heard + p->len, 65536, MSG_DONTWAIT);
            if (n < 0 && errno == EAGAIN)
                return;
        }
        if (n <= 0) {
            p->ended = true;
            return;
        }
        p->len += (size_t)n;
    }
}

static inline void turn(void) {
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    listen_to(&ann);
    listen_to(&instance);
}

static inline bool is_patient(int64_t since_us) {
    turn();
    return clock_now().mono_us - since_us < PATIENCE_US;
}

#define until(condition)                                                                                     \
    for (int64_t since_us = clock_now().mono_us; !(condition);)                                              \
    cr_assert(is_patient(since_us), "never: %s", #condition)

/* The other end of a fresh socket pair, for the proxy. */
static inline int connect_person(struct person *p) {
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    p->fd = pair[0];
    evutil_make_socket_nonblocking(p->fd);
    return pair[1];
}

static inline void hang_up(struct person *p) {
    SSL_free(p->ssl);
    if (p->fd >= 0)
        close(p->fd);
    p->ssl = NULL;
    p->fd = -1;
}

static inline void say(struct person *p, const void *bytes, size_t len) {
    if (p->ssl)
        cr_assert_eq(SSL_write(p->ssl, bytes, (int)len), (int)len);
    else
        cr_assert_eq(send(p->fd, bytes, len, 0), (ssize_t)len);
}

static inline void say_message(struct person *p, char type, struct view body) {
    uint8_t bytes[4096];
    struct writer w = writer_of(bytes, sizeof bytes);
    writer_u8(&w, (uint8_t)type);
    writer_u32(&w, (uint32_t)body.len + 4);
    writer_bytes(&w, body);
    cr_assert_not(w.bad);
    say(p, w.at, w.len);
}

static inline bool shaken(struct person *p) {
    ERR_clear_error();
    return SSL_do_handshake(p->ssl) == 1;
}

/* --- Ann and her instance, step by step --- */

static inline void corridor_begin(void) {
    struct settings_error error;
    signal(SIGPIPE, SIG_IGN);
    cr_assert(settings_parse(view_of(NULL, 0), "test", &settings, &error));
    base = event_base_new();
    corridor = (struct corridor){.base = base,
                                 .settings = &settings,
                                 .ports = &scripted,
                                 .tenant = "acme",
                                 .instance_name = "db.internal"};
    make_contexts();
    cr_assert(verifier_make(view_text("pencil"), view_text(SALT), 4096, &verifier));
    ann = instance = (struct person){.fd = -1};
}

static inline void ann_comes(void) {
    struct arrival a = {.session = 7, .accepted_us = clock_now().mono_us, .refusal = REFUSAL_NONE};
    a.client.family = a.local.family = 4;
    session = session_new(&corridor, &a, connect_person(&ann));
    cr_assert_not_null(session);
    session_run(session);
    ann.ssl = SSL_new(anns_context);
    SSL_set_fd(ann.ssl, ann.fd);
    SSL_set_connect_state(ann.ssl);
}

static inline void ann_shakes_hands(void) {
    ann.deaf = true;
    until(shaken(&ann) && session->step == STEP_STARTUP);
    ann.deaf = false;
}

static inline void ann_starts_up(void) {
    static const char parameters[] = "user\0ann\0database\0shop\0";
    uint8_t bytes[128];
    struct writer w = writer_of(bytes, sizeof bytes);
    writer_u32(&w, 8 + sizeof parameters);
    writer_u32(&w, 3 << 16);
    writer_bytes(&w, view_of(parameters, sizeof parameters));
    say(&ann, w.at, w.len);
    until(session->step == STEP_VERIFIER);
}

static inline void ann_answers_first(void) {
    uint8_t first[SCRAM_MESSAGE_MAX], bytes[SCRAM_MESSAGE_MAX + 64];
    struct writer f = writer_of(first, sizeof first), w = writer_of(bytes, sizeof bytes);
    scram_client_first(&ann_scram, false, &no_binding, &f);
    message_write_sasl_initial(&w, scram_client_mechanism(&ann_scram), writer_view(&f));
    say(&ann, w.at, w.len);
    until(session->step == STEP_PROOF);
}

/* ClientKey (RFC 5802 section 3), as a client makes it from the password. */
static inline void make_client_key(uint8_t key[SCRAM_KEY]) {
    uint8_t salted[SCRAM_KEY];
    PKCS5_PBKDF2_HMAC("pencil", 6, (const uint8_t *)SALT, sizeof SALT - 1, 4096, EVP_sha256(), sizeof salted,
                      salted);
    HMAC(EVP_sha256(), salted, sizeof salted, (const uint8_t *)"Client Key", 10, key, NULL);
}

/* The next whole message that p heard; waits for it. */
static inline struct view next_message(struct person *p, char type) {
    struct message m;
    size_t used;
    until(message_next(view_of(p->heard + p->taken, p->len - p->taken), 1 << 24, &m, &used) == MESSAGE_OK);
    cr_assert_eq(m.type, type, "'%c' instead of '%c'", m.type, type);
    p->taken += used;
    return m.body;
}

static inline void ann_sends_her_proof(void) {
    uint8_t key[SCRAM_KEY], final[SCRAM_MESSAGE_MAX];
    struct writer w = writer_of(final, sizeof final);
    next_message(&ann, 'R'); /* the mechanisms */
    struct view first = view_from(next_message(&ann, 'R'), 4);
    make_client_key(key);
    cr_assert_eq(scram_client_final(&ann_scram, first, &no_binding, &verifier, key, &w), SCRAM_OK);
    say_message(&ann, 'p', writer_view(&w));
}

static inline void ann_proves(void) {
    ann_sends_her_proof();
    until(session->step == STEP_ADMIT);
}

static inline void broker_admits(void) {
    session_admitted(session, connect_person(&instance));
    until(instance.len == 8); /* SSLRequest */
    instance.taken = 8;
}

static inline void instance_takes_tls(void) {
    instance.deaf = true; /* until it speaks TLS */
    say(&instance, "S", 1);
    until(session->step == STEP_INSTANCE_TLS);
}

static inline void instance_shakes_hands(void) {
    instance.ssl = SSL_new(instance_context);
    SSL_set_fd(instance.ssl, instance.fd);
    SSL_set_accept_state(instance.ssl);
    until(shaken(&instance) && session->step == STEP_INSTANCE_LOGIN);
    instance.deaf = false;
}

static inline void instance_asks_for_scram(void) {
    until(instance.len >= instance.taken + 8); /* the startup message */
    uint32_t length = (uint32_t)startup_length(instance.heard + instance.taken);
    until(instance.len >= instance.taken + length);
    instance.taken += length;
    uint8_t bytes[64];
    struct writer w = writer_of(bytes, sizeof bytes);
    message_write_sasl(&w, false);
    say(&instance, w.at, w.len);
}

static inline void instance_lets_in(void) {
    struct view mechanism, data;
    uint8_t out[SCRAM_MESSAGE_MAX], bytes[2048], key[SCRAM_KEY];
    struct writer o = writer_of(out, sizeof out), w = writer_of(bytes, sizeof bytes);
    instance_asks_for_scram();
    cr_assert(message_read_sasl_initial(next_message(&instance, 'p'), &mechanism, &data));
    cr_assert_eq(scram_server_first(&instance_scram, mechanism, data, &no_binding, &verifier, &o), SCRAM_OK);
    message_write_sasl_continue(&w, writer_view(&o));
    say(&instance, w.at, w.len);
    o = writer_of(out, sizeof out);
    w = writer_of(bytes, sizeof bytes);
    cr_assert_eq(scram_server_final(&instance_scram, next_message(&instance, 'p'), &no_binding, key, &o),
                 SCRAM_OK);
    message_write_sasl_final(&w, writer_view(&o));
    message_write_auth_ok(&w);
    say(&instance, w.at, w.len);
}

static inline void instance_is_ready(void) {
    say_message(&instance, 'S', view_of("TimeZone\0Asia/Tokyo", 20));
    say_message(&instance, 'K',
                view_of("\0\0\0\x2a"
                        "\1\2\3\4",
                        8));
    say_message(&instance, 'Z', view_of("I", 1));
    until(session->step == STEP_RECORD);
}

static inline void ledger_is_durable(void) {
    session_recorded(session, true);
    until(session && session->step == STEP_RELAY);
}

/* Ann's session from the door up to that step. */
static inline void walk_to(enum step step) {
    corridor_begin();
    ann_comes();
    if (step >= STEP_STARTUP)
        ann_shakes_hands();
    if (step >= STEP_VERIFIER)
        ann_starts_up();
    struct verifier expected = verifier;
    if (step == STEP_TURN)
        expected.stored_key[0] ^= 1; /* she mistypes her password */
    if (step >= STEP_CHALLENGE)
        session_verifier(session, REFUSAL_NONE, &expected);
    if (step >= STEP_PROOF)
        ann_answers_first();
    if (step == STEP_TURN) {
        ann_sends_her_proof();
        until(session->step == STEP_TURN);
        return;
    }
    if (step >= STEP_ADMIT)
        ann_proves();
    if (step >= STEP_INSTANCE_ASK)
        broker_admits();
    if (step >= STEP_INSTANCE_TLS)
        instance_takes_tls();
    if (step >= STEP_INSTANCE_LOGIN)
        instance_shakes_hands();
    if (step >= STEP_RECORD) {
        instance_lets_in();
        instance_is_ready();
    }
    if (step >= STEP_RELAY)
        ledger_is_durable();
    cr_assert_eq(session->step, step, "at step %d instead of %d", (int)session->step, (int)step);
}

static inline void ann_is_told(const char *sqlstate) {
    struct error_fields e;
    for (;;) {
        struct message m;
        size_t used;
        until(message_next(view_of(ann.heard + ann.taken, ann.len - ann.taken), 1 << 24, &m, &used) ==
              MESSAGE_OK);
        ann.taken += used;
        if (m.type != 'E')
            continue;
        cr_assert(message_read_error(m.body, &e));
        cr_assert(view_equal_text(e.sqlstate, sqlstate), "%.5s", (const char *)e.sqlstate.at);
        return;
    }
}

/* Everybody goes home; nothing may be left behind. */
static inline void corridor_end(void) {
    hang_up(&ann);
    hang_up(&instance);
    until(!session);
    cr_assert_eq(asked.ended, 1);
    cr_assert_eq(corridor.logins, 0);
    free(ann.heard);
    free(instance.heard);
    SSL_CTX *contexts[] = {corridor.server, corridor.client, anns_context, instance_context};
    for (size_t i = 0; i < 4; i++)
        SSL_CTX_free(contexts[i]);
    event_base_free(base);
}

#endif
