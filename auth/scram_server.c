/* SPDX-License-Identifier: ISC
 *
 * SCRAM towards clients: see scram.h. Anybody who can open a connection reaches this before being known; it
 * owns no resource, and a refusal leaves nothing of the exchange behind but the reason. A mock verifier takes
 * exactly the same way: nothing here can tell it from a real one. RFC 5802, RFC 7677; channel binding by RFC
 * 5929 section 4.
 */
#include "digest.h"
#include "magic.h"
#include "scram_grammar.h"
#include "secret.h"
#include "text.h"

#include <string.h>

#define SCRAM_SERVER_MAGIC 0x5c4a3e01u

struct client_final {
    struct view without_proof; /* the message up to its last comma: the third part of the AuthMessage */
    struct view nonce;
    size_t binding_len;
    uint8_t binding[SCRAM_MESSAGE_MAX]; /* "c=" decoded */
    uint8_t proof[SCRAM_KEY];
};

static enum scram_result refuse(struct scram_server *s, enum scram_result result, const char *why) {
    scram_server_wipe(s);
    s->magic = SCRAM_SERVER_MAGIC;
    s->why = why;
    return result;
}

static enum scram_result choose_mechanism(struct scram_server *s, struct view mechanism,
                                          const struct scram_channel *channel) {
    s->plus = view_equal_text(mechanism, SCRAM_PLUS);
    if (s->plus && !channel->tls_binding)
        return refuse(s, SCRAM_MALFORMED, SCRAM_PLUS " was not offered");
    if (!s->plus && !view_equal_text(mechanism, SCRAM_PLAIN))
        return refuse(s, SCRAM_MALFORMED, "unknown SASL mechanism");
    return SCRAM_OK;
}

static enum scram_result judge_flag(struct scram_server *s, struct view flag,
                                    const struct scram_channel *channel) {
    if (view_starts(flag, "p=")) {
        if (!s->plus)
            return refuse(s, SCRAM_MALFORMED, "channel binding without " SCRAM_PLUS);
        if (!view_equal_text(flag, SCRAM_BINDING_FLAG))
            return refuse(s, SCRAM_MALFORMED, "unknown channel binding type");
    } else if (!view_equal_text(flag, "n") && !view_equal_text(flag, "y")) {
        return refuse(s, SCRAM_MALFORMED, "unknown channel binding flag");
    } else if (s->plus) {
        return refuse(s, SCRAM_MALFORMED, SCRAM_PLUS " without channel binding");
    } else if (flag.at[0] == 'y' && channel->tls_binding) {
        /* The client was told that we don't bind, and we do: somebody between us cut our offer. */
        return refuse(s, SCRAM_DENIED, "channel binding downgrade");
    }
    s->gs2_flag = (char)flag.at[0];
    return SCRAM_OK;
}

/* The bytes up to the next comma; the comma goes too. */
static bool take_field(struct view *rest, struct view *field) {
    const uint8_t *comma = rest->len > 0 ? memchr(rest->at, ',', rest->len) : NULL;
    if (!comma)
        return false;
    *field = view_of(rest->at, (size_t)(comma - rest->at));
    *rest = view_from(*rest, field->len + 1);
    return true;
}

/* The gs2 header ("n,,"); *bare is what follows it. */
static enum scram_result read_gs2(struct scram_server *s, struct view message,
                                  const struct scram_channel *channel, struct view *bare) {
    struct view flag, authzid;
    *bare = message;
    if (!take_field(bare, &flag) || !take_field(bare, &authzid))
        return refuse(s, SCRAM_MALFORMED, "no gs2 header");
    enum scram_result result = judge_flag(s, flag, channel);
    if (result != SCRAM_OK)
        return result;
    if (authzid.len > 0)
        return refuse(s, SCRAM_MALFORMED, "authorization identities are not supported");
    struct writer w = writer_of(s->gs2, sizeof s->gs2);
    writer_bytes(&w, view_of(message.at, message.len - bare->len));
    assert(!w.bad); /* judge_flag knows three flags, all short */
    s->gs2_len = w.len;
    return SCRAM_OK;
}

static enum scram_result read_bare(struct scram_server *s, struct view bare, struct view *nonce) {
    struct attributes a = attributes_of(bare);
    attribute_take(&a, 'n'); /* ignored: the startup message named the user */
    *nonce = attribute_take(&a, 'r');
    attributes_skip(&a, 0);
    if (a.why)
        return refuse(s, SCRAM_MALFORMED, a.why);
    if (!scram_nonce_valid(*nonce, SCRAM_NONCE_MAX))
        return refuse(s, SCRAM_MALFORMED, "the client's nonce is empty, too long or not printable");
    return SCRAM_OK;
}

/* Begins the transcript with client-first-bare, and makes server-first as its second part. */
static void write_first(struct scram_server *s, struct view bare, struct view nonce, struct view server_nonce,
                        struct writer *out) {
    struct writer n = writer_of(s->nonce, sizeof s->nonce);
    writer_bytes(&n, nonce);
    writer_bytes(&n, server_nonce);
    s->nonce_len = n.len;
    struct writer w = writer_of(s->transcript, sizeof s->transcript);
    writer_bytes(&w, bare);
    writer_u8(&w, ',');
    size_t from = w.len;
    writer_text(&w, "r=");
    writer_bytes(&w, writer_view(&n));
    writer_text(&w, ",s=");
    text_base64(&w, view_of(s->verifier.salt, s->verifier.salt_len));
    writer_format(&w, ",i=%u", (unsigned)s->verifier.iterations);
    assert(!n.bad && !w.bad);
    s->transcript_len = w.len;
    writer_bytes(out, view_from(writer_view(&w), from));
}

enum scram_result scram_server_first_with(struct scram_server *s, struct view mechanism, struct view message,
                                          const struct scram_channel *channel,
                                          const struct verifier *verifier, struct view server_nonce,
                                          struct writer *out) {
    assert(scram_nonce_valid(server_nonce, sizeof s->nonce - SCRAM_NONCE_MAX));
    assert(verifier != &s->verifier && verifier->salt_len <= VERIFIER_SALT_MAX);
    struct view bare, nonce;
    memset(s, 0, sizeof *s);
    s->magic = SCRAM_SERVER_MAGIC;
    s->verifier = *verifier;
    if (message.len > SCRAM_MESSAGE_MAX)
        return refuse(s, SCRAM_MALFORMED, "the client's first message is too long");
    enum scram_result result = choose_mechanism(s, mechanism, channel);
    if (result == SCRAM_OK)
        result = read_gs2(s, message, channel, &bare);
    if (result == SCRAM_OK)
        result = read_bare(s, bare, &nonce);
    if (result != SCRAM_OK)
        return result;
    write_first(s, bare, nonce, server_nonce, out);
    s->next = SCRAM_NEXT_FINAL;
    return SCRAM_OK;
}

enum scram_result scram_server_first(struct scram_server *s, struct view mechanism, struct view message,
                                     const struct scram_channel *channel, const struct verifier *verifier,
                                     struct writer *out) {
    uint8_t nonce[SCRAM_RANDOM_NONCE];
    scram_nonce_random(nonce);
    return scram_server_first_with(s, mechanism, message, channel, verifier, view_of(nonce, sizeof nonce),
                                   out);
}

/* NULL, or why the message is malformed. */
static const char *read_final(struct view message, struct client_final *f) {
    if (message.len > SCRAM_MESSAGE_MAX)
        return "the client's final message is too long";
    struct attributes a = attributes_of(message);
    struct view binding = attribute_take(&a, 'c');
    f->nonce = attribute_take(&a, 'r');
    attributes_skip(&a, 'p');
    f->without_proof = view_of(message.at, message.len - a.rest.len);
    struct view proof = attribute_take(&a, 'p');
    if (a.why)
        return a.why;
    if (a.rest.len > 0)
        return "something behind the client's proof";
    if (!scram_unbase64(binding, f->binding, sizeof f->binding, &f->binding_len))
        return "channel binding data is not base64";
    size_t proof_len;
    if (!scram_unbase64(proof, f->proof, sizeof f->proof, &proof_len) || proof_len != SCRAM_KEY)
        return "the client's proof is not 32 bytes of base64";
    return NULL;
}

static bool binding_fits(const struct scram_server *s, const struct client_final *f,
                         const struct scram_channel *channel) {
    uint8_t expected[sizeof s->gs2 + SCRAM_BINDING_MAX];
    struct writer w = writer_of(expected, sizeof expected);
    scram_binding_input(&w, view_of(s->gs2, s->gs2_len), s->plus, channel);
    assert(!w.bad);
    return view_equal(writer_view(&w), view_of(f->binding, f->binding_len));
}

/* The client's key, out of its proof; false when StoredKey is not its hash. */
static bool reveal_key(const struct scram_server *s, const struct client_final *f, const struct view auth[3],
                       uint8_t client_key[SCRAM_KEY]) {
    uint8_t signature[SCRAM_KEY], stored[SCRAM_KEY];
    digest_hmac(s->verifier.stored_key, auth, 3, signature);
    scram_xor(f->proof, signature, client_key);
    digest_sha256(view_of(client_key, SCRAM_KEY), stored);
    bool right = secret_equal(stored, s->verifier.stored_key, SCRAM_KEY);
    if (!right)
        secret_wipe(client_key, SCRAM_KEY);
    secret_wipe(signature, sizeof signature);
    secret_wipe(stored, sizeof stored);
    return right;
}

static void write_final(const struct scram_server *s, const struct view auth[3], struct writer *out) {
    uint8_t signature[SCRAM_KEY];
    digest_hmac(s->verifier.server_key, auth, 3, signature);
    writer_text(out, "v=");
    text_base64(out, view_of(signature, sizeof signature));
    secret_wipe(signature, sizeof signature);
}

static enum scram_result judge_final(struct scram_server *s, struct view message, struct client_final *f,
                                     const struct scram_channel *channel, uint8_t client_key[SCRAM_KEY],
                                     struct writer *out) {
    const char *why = read_final(message, f);
    if (why)
        return refuse(s, SCRAM_MALFORMED, why);
    if (!view_equal(f->nonce, view_of(s->nonce, s->nonce_len)))
        return refuse(s, SCRAM_MALFORMED, "the client's nonce changed");
    if (!binding_fits(s, f, channel))
        return refuse(s, SCRAM_DENIED, "channel binding does not match");
    struct view auth[3] = {view_of(s->transcript, s->transcript_len), view_text(","), f->without_proof};
    if (!reveal_key(s, f, auth, client_key))
        return refuse(s, SCRAM_DENIED, "wrong password");
    write_final(s, auth, out);
    return SCRAM_OK;
}

enum scram_result scram_server_final(struct scram_server *s, struct view message,
                                     const struct scram_channel *channel, uint8_t client_key[SCRAM_KEY],
                                     struct writer *out) {
    MAGIC_CHECK(s, SCRAM_SERVER_MAGIC);
    memset(client_key, 0, SCRAM_KEY);
    if (s->next != SCRAM_NEXT_FINAL)
        return refuse(s, SCRAM_MALFORMED, "a SCRAM message out of turn");
    s->next = SCRAM_NEXT_NOTHING;
    struct client_final f;
    enum scram_result result = judge_final(s, message, &f, channel, client_key, out);
    secret_wipe(&f, sizeof f);
    return result;
}

void scram_server_wipe(struct scram_server *s) {
    secret_wipe(s, sizeof *s);
}
