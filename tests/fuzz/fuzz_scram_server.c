/* SPDX-License-Identifier: ISC
 *
 * Fuzzes scram_server.c with a stranger's two messages. Input: "b" for a channel with binding data or
 * anything else for one without, then lines: mechanism, client-first, client-final. The server's nonce is RFC
 * 7677's, so that its example is an input that gets through.
 */
#include "scram.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t rfc_verifier[] =
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

static void require(bool holds) {
    if (!holds)
        abort();
}

/* The next line as a copy of exactly its size, so that one byte too far is seen. */
static struct view take_line(struct view *rest) {
    const uint8_t *end = rest->len > 0 ? memchr(rest->at, '\n', rest->len) : NULL;
    size_t len = end ? (size_t)(end - rest->at) : rest->len;
    uint8_t *copy = malloc(len ? len : 1);
    require(copy != NULL);
    if (len > 0)
        memcpy(copy, rest->at, len);
    *rest = end ? view_from(*rest, len + 1) : view_of(NULL, 0);
    return view_of(copy, len);
}

static void check_key(enum scram_result result, const uint8_t key[SCRAM_KEY]) {
    static const uint8_t zero[SCRAM_KEY];
    require(result == SCRAM_OK || memcmp(key, zero, SCRAM_KEY) == 0);
}

static void finish(struct scram_server *s, struct view message, const struct scram_channel *channel) {
    uint8_t bytes[SCRAM_MESSAGE_MAX], key[SCRAM_KEY];
    memset(key, 0xAA, sizeof key);
    struct writer out = writer_of(bytes, sizeof bytes);
    enum scram_result result = scram_server_final(s, message, channel, key, &out);
    check_key(result, key);
    require(!out.bad);
    require(result == SCRAM_OK ? out.len == 46 : out.len == 0 && s->why);
    check_key(scram_server_final(s, message, channel, key, &out), key); /* out of turn now */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view rest = view_of(data, size);
    struct scram_channel channel = {.tls_binding = size > 0 && data[0] == 'b', .binding_len = 32};
    struct verifier verifier;
    require(verifier_parse(view_of(rfc_verifier, sizeof rfc_verifier - 1), &verifier));
    rest = view_from(rest, 1);
    struct view mechanism = take_line(&rest), first = take_line(&rest), last = take_line(&rest);
    struct scram_server s;
    uint8_t bytes[SCRAM_MESSAGE_MAX];
    struct writer out = writer_of(bytes, sizeof bytes);
    enum scram_result result = scram_server_first_with(&s, mechanism, first, &channel, &verifier,
                                                       view_text("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"), &out);
    require(!out.bad);
    require(result == SCRAM_OK ? out.len > 0 && !s.why : out.len == 0 && s.why);
    if (result == SCRAM_OK)
        require(s.plus ? channel.tls_binding && s.gs2_flag == 'p' : s.gs2_flag != 'p');
    finish(&s, last, &channel);
    scram_server_wipe(&s);
    free((void *)mechanism.at);
    free((void *)first.at);
    free((void *)last.at);
    return 0;
}
