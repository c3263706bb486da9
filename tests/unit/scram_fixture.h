/* SPDX-License-Identifier: ISC
 *
 * What the SCRAM tests share: RFC 7677's example, channels with and without binding data, and messages as
 * bytes with nothing behind their end, so that AddressSanitizer sees one step too far.
 */
#ifndef SEKISHO_SCRAM_FIXTURE_H
#define SEKISHO_SCRAM_FIXTURE_H

#include "scram.h"
#include "text.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN "SCRAM-SHA-256"
#define PLUS "SCRAM-SHA-256-PLUS"

/* RFC 7677 section 3: user "user", password "pencil". */
#define RFC_CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define RFC_SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define RFC_NONCE RFC_CLIENT_NONCE RFC_SERVER_NONCE
#define RFC_SALT "W22ZaJ0SNY7soEsUEjb6gQ=="
#define RFC_CLIENT_FIRST_BARE "n=user,r=" RFC_CLIENT_NONCE
#define RFC_SERVER_FIRST "r=" RFC_NONCE ",s=" RFC_SALT ",i=4096"
#define RFC_PROOF "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define RFC_CLIENT_FINAL "c=biws,r=" RFC_NONCE ",p=" RFC_PROOF
#define RFC_SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static const struct scram_channel no_binding = {.tls_binding = false};
static const struct scram_channel with_binding = {
    .tls_binding = true, .binding_len = 32, .binding = "the hash of a server certificate"};

/* A message in a buffer of its own. */
struct message {
    uint8_t bytes[4096];
    struct writer w;
};

static inline struct writer *message_clear(struct message *m) {
    m->w = writer_of(m->bytes, sizeof m->bytes);
    return &m->w;
}

static inline struct view message_view(const struct message *m) {
    return writer_view(&m->w);
}

static inline bool message_is(const struct message *m, const char *text) {
    return view_equal_text(message_view(m), text);
}

/* A copy on the heap of exactly v's size; free() its `at`. */
static inline struct view exactly(struct view v) {
    uint8_t *copy = malloc(v.len ? v.len : 1);
    if (v.len > 0)
        memcpy(copy, v.at, v.len);
    return view_of(copy, v.len);
}

static inline struct verifier verifier_of(const char *password, const char *salt) {
    struct verifier v;
    cr_assert(verifier_make(view_text(password), view_text(salt), 4096, &v));
    return v;
}

static inline struct verifier rfc_verifier(void) {
    uint8_t salt[16];
    struct writer w = writer_of(salt, sizeof salt);
    struct verifier v;
    cr_assert(text_unbase64(&w, view_text(RFC_SALT)));
    cr_assert(verifier_make(view_text("pencil"), writer_view(&w), 4096, &v));
    return v;
}

static inline bool all_zero(const void *at, size_t len) {
    const uint8_t *bytes = at;
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* ClientKey (RFC 5802 section 3), as only the one who knows the password can make it: by way of RFC 7677's
 * exchange, which the server answers with the key. */
static inline void rfc_client_key(uint8_t key[SCRAM_KEY]) {
    struct scram_server server;
    struct message out;
    struct verifier v = rfc_verifier();
    cr_assert_eq(scram_server_first_with(&server, view_text(PLAIN), view_text("n,," RFC_CLIENT_FIRST_BARE),
                                         &no_binding, &v, view_text(RFC_SERVER_NONCE), message_clear(&out)),
                 SCRAM_OK);
    cr_assert_eq(
        scram_server_final(&server, view_text(RFC_CLIENT_FINAL), &no_binding, key, message_clear(&out)),
        SCRAM_OK);
    scram_server_wipe(&server);
}

#endif
