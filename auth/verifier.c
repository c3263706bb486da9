/* SPDX-License-Identifier: ISC
 *
 * See verifier.h. Verifier texts come from a tenant's instance, which may be hostile, and from the store.
 */
#include "verifier.h"
#include "digest.h"
#include "secret.h"
#include "text.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

static const char scheme[] = "SCRAM-SHA-256$";

static bool in_bounds(const struct verifier *v) {
    return v->iterations >= VERIFIER_ITERATIONS_MIN && v->iterations <= VERIFIER_ITERATIONS_MAX &&
           v->salt_len > 0 && v->salt_len <= VERIFIER_SALT_MAX;
}

/* The bytes up to `end`, which goes too. False when there is none. */
static bool take_until(struct view *rest, uint8_t end, struct view *part) {
    const uint8_t *at = rest->len > 0 ? memchr(rest->at, end, rest->len) : NULL;
    if (!at)
        return false;
    *part = view_of(rest->at, (size_t)(at - rest->at));
    *rest = view_from(*rest, part->len + 1);
    return true;
}

static bool parse_key(struct view text, uint8_t key[SCRAM_KEY]) {
    struct writer w = writer_of(key, SCRAM_KEY);
    return text_unbase64(&w, text) && w.len == SCRAM_KEY;
}

static bool parse_salt(struct view text, struct verifier *out) {
    struct writer w = writer_of(out->salt, sizeof out->salt);
    bool good = text_unbase64(&w, text);
    out->salt_len = (uint8_t)w.len;
    return good;
}

static bool parse_parts(struct view rest, struct verifier *out) {
    struct view iterations, salt, stored;
    uint64_t number;
    if (!take_until(&rest, ':', &iterations) || !take_until(&rest, '$', &salt) ||
        !take_until(&rest, ':', &stored))
        return false;
    if (!text_number(iterations, VERIFIER_ITERATIONS_MIN, VERIFIER_ITERATIONS_MAX, &number))
        return false;
    out->iterations = (uint32_t)number;
    return parse_salt(salt, out) && parse_key(stored, out->stored_key) && parse_key(rest, out->server_key) &&
           in_bounds(out);
}

bool verifier_parse(struct view text, struct verifier *out) {
    memset(out, 0, sizeof *out);
    if (view_starts(text, scheme) && parse_parts(view_from(text, sizeof scheme - 1), out))
        return true;
    secret_wipe(out, sizeof *out);
    return false;
}

static bool is_password(struct view v) {
    for (size_t i = 0; i < v.len; i++)
        if (v.at[i] == 0 || v.at[i] > 0x7F)
            return false;
    return v.len > 0 && v.len <= INT32_MAX;
}

/* RFC 5802 section 3: SaltedPassword, and from it ClientKey (of which StoredKey is the hash) and ServerKey.
 */
static void derive_keys(const uint8_t salted[SCRAM_KEY], struct verifier *out) {
    uint8_t client_key[SCRAM_KEY];
    struct view label = view_text("Client Key");
    digest_hmac(salted, &label, 1, client_key);
    digest_sha256(view_of(client_key, sizeof client_key), out->stored_key);
    label = view_text("Server Key");
    digest_hmac(salted, &label, 1, out->server_key);
    secret_wipe(client_key, sizeof client_key);
}

bool verifier_make(struct view password, struct view salt, uint32_t iterations, struct verifier *out) {
    memset(out, 0, sizeof *out);
    if (!is_password(password) || salt.len == 0 || salt.len > sizeof out->salt)
        return false;
    out->iterations = iterations;
    out->salt_len = (uint8_t)salt.len;
    memcpy(out->salt, salt.at, salt.len);
    uint8_t salted[SCRAM_KEY];
    bool good = in_bounds(out) &&
                PKCS5_PBKDF2_HMAC((const char *)password.at, (int)password.len, salt.at, (int)salt.len,
                                  (int)iterations, EVP_sha256(), sizeof salted, salted) == 1;
    if (good)
        derive_keys(salted, out);
    else
        memset(out, 0, sizeof *out);
    secret_wipe(salted, sizeof salted);
    return good;
}

void verifier_text(struct writer *w, const struct verifier *v) {
    writer_format(w, "%s%u:", scheme, (unsigned)v->iterations);
    text_base64(w, view_of(v->salt, v->salt_len));
    writer_u8(w, '$');
    text_base64(w, view_of(v->stored_key, SCRAM_KEY));
    writer_u8(w, ':');
    text_base64(w, view_of(v->server_key, SCRAM_KEY));
}

void verifier_mock(const uint8_t secret[32], const char *tenant, struct view user, uint32_t iterations,
                   struct verifier *out) {
    static const char label[] = "sekisho mock"; /* its NUL is the first separator */
    const struct view parts[] = {view_of(label, sizeof label), view_of(tenant, strlen(tenant) + 1), user};
    uint8_t salt[DIGEST_LEN];
    memset(out, 0, sizeof *out);
    digest_hmac(secret, parts, sizeof parts / sizeof parts[0], salt);
    out->iterations = iterations;
    out->salt_len = 16; /* as PostgreSQL's own */
    memcpy(out->salt, salt, out->salt_len);
    secret_random(out->stored_key, SCRAM_KEY);
    secret_random(out->server_key, SCRAM_KEY);
    secret_wipe(salt, sizeof salt);
    assert(in_bounds(out));
}

void verifier_write(struct writer *w, const struct verifier *v) {
    writer_u32(w, v->iterations);
    writer_u8(w, v->salt_len);
    writer_bytes(w, view_of(v->salt, v->salt_len));
    writer_bytes(w, view_of(v->stored_key, SCRAM_KEY));
    writer_bytes(w, view_of(v->server_key, SCRAM_KEY));
}

/* n bytes into dst; nothing when they are not there. */
static void read_into(struct reader *r, uint8_t *dst, size_t n) {
    struct view v = reader_bytes(r, n);
    if (v.len > 0)
        memcpy(dst, v.at, v.len);
}

bool verifier_read(struct reader *r, struct verifier *v) {
    memset(v, 0, sizeof *v);
    v->iterations = reader_u32(r);
    v->salt_len = reader_u8(r);
    if (!in_bounds(v))
        r->bad = true;
    read_into(r, v->salt, v->salt_len);
    read_into(r, v->stored_key, SCRAM_KEY);
    read_into(r, v->server_key, SCRAM_KEY);
    if (r->bad)
        secret_wipe(v, sizeof *v);
    return !r->bad;
}
