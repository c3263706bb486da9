/* SPDX-License-Identifier: ISC
 *
 * Fuzzes scram_client.c with a hostile instance's two messages. Input: a byte ('p': -PLUS is offered, 'b':
 * only we can bind, else no binding), then lines: server-first, server-final. An '@' stands for our nonce in
 * the first and for the right signature in the second, so that good exchanges can be written down.
 */
#include "digest.h"
#include "scram.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 4096

static void require(bool holds) {
    if (!holds)
        abort();
}

/* The next line with each '@' replaced, as a copy of exactly its size. */
static struct view take_line(struct view *rest, struct view instead) {
    static uint8_t scratch[INPUT_MAX * 64];
    struct writer w = writer_of(scratch, sizeof scratch);
    while (rest->len > 0) {
        uint8_t c = rest->at[0];
        *rest = view_from(*rest, 1);
        if (c == '\n')
            break;
        writer_bytes(&w, c == '@' ? instead : view_of(&c, 1));
    }
    require(!w.bad);
    uint8_t *copy = malloc(w.len ? w.len : 1);
    require(copy != NULL);
    memcpy(copy, scratch, w.len);
    return view_of(copy, w.len);
}

/* "v=" and the signature that the instance owes us, if it is its turn. */
static void right_answer(const struct scram_client *c, struct writer *w) {
    uint8_t signature[DIGEST_LEN];
    struct view auth = view_of(c->transcript, c->transcript_len);
    digest_hmac(c->server_key, &auth, 1, signature);
    text_base64(w, view_of(signature, sizeof signature));
}

static void finish(struct scram_client *c, struct view *rest) {
    uint8_t bytes[64];
    bool due = c->next == SCRAM_NEXT_CHECK;
    struct writer right = writer_of(bytes, sizeof bytes);
    right_answer(c, &right);
    struct view last = take_line(rest, writer_view(&right));
    enum scram_result result = scram_client_check(c, last);
    require(result == SCRAM_OK || c->why);
    if (result == SCRAM_OK)
        require(due && view_starts(last, "v=") &&
                view_equal(view_of(view_from(last, 2).at, right.len), writer_view(&right)));
    require(scram_client_check(c, last) == SCRAM_MALFORMED);
    free((void *)last.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t client_key[SCRAM_KEY] = "whatever the client's key may be";
    struct verifier verifier = {
        .iterations = 4096, .salt_len = 16, .salt = "sixteen of salt.", .server_key = "s"};
    if (size == 0 || size > INPUT_MAX)
        return 0;
    struct scram_channel channel = {.tls_binding = data[0] == 'p' || data[0] == 'b', .binding_len = 32};
    struct view rest = view_of(data + 1, size - 1);
    struct scram_client c;
    uint8_t bytes[SCRAM_MESSAGE_MAX];
    struct writer out = writer_of(bytes, sizeof bytes);
    scram_client_first(&c, data[0] == 'p', &channel, &out);
    require(!out.bad && c.plus == (data[0] == 'p'));
    struct view first = take_line(&rest, view_of(c.nonce, c.nonce_len));
    out = writer_of(bytes, sizeof bytes);
    enum scram_result result = scram_client_final(&c, first, &channel, &verifier, client_key, &out);
    require(!out.bad);
    require(result == SCRAM_OK ? out.len > 0 && !c.why : out.len == 0 && c.why);
    finish(&c, &rest);
    scram_client_wipe(&c);
    free((void *)first.at);
    return 0;
}
