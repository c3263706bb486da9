/* SPDX-License-Identifier: ISC
 *
 * SCRAM towards the instance: see scram.h. The instance may be hostile: whatever it sends ends this login at
 * worst. It never gets more than a proof over a nonce of ours, and only for the salt and iterations that the
 * client itself answered to. RFC 5802, RFC 7677; channel binding by RFC 5929 section 4.
 */
#include "digest.h"
#include "magic.h"
#include "scram_grammar.h"
#include "secret.h"
#include "text.h"

#include <string.h>

#define SCRAM_CLIENT_MAGIC 0x5c4a3e02u

struct server_first {
    struct view nonce;
    uint64_t iterations;
    size_t salt_len;
    uint8_t salt[VERIFIER_SALT_MAX];
};

static enum scram_result refuse(struct scram_client *c, enum scram_result result, const char *why) {
    scram_client_wipe(c);
    c->magic = SCRAM_CLIENT_MAGIC;
    c->why = why;
    return result;
}

static struct view gs2_header(const struct scram_client *c, const struct scram_channel *channel) {
    if (c->plus)
        return view_text(SCRAM_BINDING_FLAG ",,");
    return view_text(channel->tls_binding ? "y,," : "n,,");
}

void scram_client_first(struct scram_client *c, bool offered_plus, const struct scram_channel *channel,
                        struct writer *out) {
    memset(c, 0, sizeof *c);
    c->magic = SCRAM_CLIENT_MAGIC;
    c->plus = offered_plus && channel->tls_binding;
    scram_nonce_random(c->nonce);
    c->nonce_len = SCRAM_RANDOM_NONCE;
    struct writer w = writer_of(c->transcript, sizeof c->transcript);
    writer_text(&w, "n=,r=");
    writer_bytes(&w, view_of(c->nonce, c->nonce_len));
    c->transcript_len = w.len;
    writer_bytes(out, gs2_header(c, channel));
    writer_bytes(out, writer_view(&w));
    c->next = SCRAM_NEXT_FINAL;
}

const char *scram_client_mechanism(const struct scram_client *c) {
    MAGIC_CHECK(c, SCRAM_CLIENT_MAGIC);
    return c->plus ? SCRAM_PLUS : SCRAM_PLAIN;
}

/* NULL, or why the message is malformed. */
static const char *read_first(const struct scram_client *c, struct view message, struct server_first *f) {
    if (message.len > SCRAM_MESSAGE_MAX)
        return "the instance's first message is too long";
    struct attributes a = attributes_of(message);
    f->nonce = attribute_take(&a, 'r');
    struct view salt = attribute_take(&a, 's');
    struct view iterations = attribute_take(&a, 'i');
    attributes_skip(&a, 0);
    if (a.why)
        return a.why;
    if (!scram_nonce_valid(f->nonce, SCRAM_NONCE_MAX))
        return "the instance's nonce is empty, too long or not printable";
    if (f->nonce.len <= c->nonce_len ||
        !view_equal(view_of(f->nonce.at, c->nonce_len), view_of(c->nonce, c->nonce_len)))
        return "the instance's nonce does not continue ours";
    if (!scram_unbase64(salt, f->salt, sizeof f->salt, &f->salt_len) || f->salt_len == 0)
        return "the instance's salt is empty, too long or not base64";
    if (!text_number(iterations, 1, UINT32_MAX, &f->iterations))
        return "the instance's iteration count is not a number in bounds";
    return NULL;
}

static bool same_verifier(const struct server_first *f, const struct verifier *v) {
    return f->iterations == v->iterations &&
           view_equal(view_of(f->salt, f->salt_len), view_of(v->salt, v->salt_len));
}

/* Completes the transcript and makes client-final, whose proof is ClientKey under a signature made with its
 * hash. */
static void write_final(struct scram_client *c, struct view server_first, struct view nonce,
                        const struct scram_channel *channel, const uint8_t client_key[SCRAM_KEY],
                        struct writer *out) {
    uint8_t input[64 + SCRAM_BINDING_MAX], stored[SCRAM_KEY], proof[SCRAM_KEY];
    struct writer binding = writer_of(input, sizeof input);
    scram_binding_input(&binding, gs2_header(c, channel), c->plus, channel);
    struct writer w = writer_of(c->transcript, sizeof c->transcript);
    w.len = c->transcript_len;
    writer_u8(&w, ',');
    writer_bytes(&w, server_first);
    writer_u8(&w, ',');
    size_t from = w.len;
    writer_text(&w, "c=");
    text_base64(&w, writer_view(&binding));
    writer_text(&w, ",r=");
    writer_bytes(&w, nonce);
    assert(!binding.bad && !w.bad);
    c->transcript_len = w.len;

    struct view auth = writer_view(&w);
    digest_sha256(view_of(client_key, SCRAM_KEY), stored);
    digest_hmac(stored, &auth, 1, proof);
    scram_xor(client_key, proof, proof);
    writer_bytes(out, view_from(auth, from));
    writer_text(out, ",p=");
    text_base64(out, view_of(proof, sizeof proof));
    secret_wipe(stored, sizeof stored);
    secret_wipe(proof, sizeof proof);
}

enum scram_result scram_client_final(struct scram_client *c, struct view server_first,
                                     const struct scram_channel *channel, const struct verifier *verifier,
                                     const uint8_t client_key[SCRAM_KEY], struct writer *out) {
    MAGIC_CHECK(c, SCRAM_CLIENT_MAGIC);
    if (c->next != SCRAM_NEXT_FINAL)
        return refuse(c, SCRAM_MALFORMED, "a SCRAM message out of turn");
    struct server_first f;
    const char *why = read_first(c, server_first, &f);
    if (why)
        return refuse(c, SCRAM_MALFORMED, why);
    if (!same_verifier(&f, verifier))
        return refuse(c, SCRAM_DENIED, "verifier changed");
    write_final(c, server_first, f.nonce, channel, client_key, out);
    memcpy(c->server_key, verifier->server_key, SCRAM_KEY);
    c->next = SCRAM_NEXT_CHECK;
    return SCRAM_OK;
}

static enum scram_result judge_signature(struct scram_client *c, const uint8_t told[SCRAM_KEY]) {
    uint8_t signature[SCRAM_KEY];
    struct view auth = view_of(c->transcript, c->transcript_len);
    digest_hmac(c->server_key, &auth, 1, signature);
    bool right = secret_equal(told, signature, SCRAM_KEY);
    secret_wipe(signature, sizeof signature);
    if (!right)
        return refuse(c, SCRAM_DENIED, "the instance does not know the verifier's ServerKey");
    secret_wipe(c->server_key, sizeof c->server_key);
    return SCRAM_OK;
}

enum scram_result scram_client_check(struct scram_client *c, struct view server_final) {
    MAGIC_CHECK(c, SCRAM_CLIENT_MAGIC);
    if (c->next != SCRAM_NEXT_CHECK)
        return refuse(c, SCRAM_MALFORMED, "a SCRAM message out of turn");
    c->next = SCRAM_NEXT_NOTHING;
    if (server_final.len > SCRAM_MESSAGE_MAX)
        return refuse(c, SCRAM_MALFORMED, "the instance's final message is too long");
    struct attributes a = attributes_of(server_final);
    uint8_t name = 0;
    struct view value = {NULL, 0};
    bool any = attribute_next(&a, &name, &value);
    attributes_skip(&a, 0);
    if (a.why || !any)
        return refuse(c, SCRAM_MALFORMED, a.why);
    if (name == 'e')
        return refuse(c, SCRAM_DENIED, "the instance refused the proof");
    uint8_t told[SCRAM_KEY];
    size_t told_len;
    if (name != 'v' || !scram_unbase64(value, told, sizeof told, &told_len) || told_len != SCRAM_KEY)
        return refuse(c, SCRAM_MALFORMED, "the instance's signature is missing or not 32 bytes of base64");
    return judge_signature(c, told);
}

void scram_client_wipe(struct scram_client *c) {
    secret_wipe(c, sizeof *c);
}
