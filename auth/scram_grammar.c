/* SPDX-License-Identifier: ISC
 *
 * See scram_grammar.h.
 */
#include "scram_grammar.h"
#include "secret.h"
#include "text.h"

#include <assert.h>
#include <string.h>

struct attributes attributes_of(struct view message) {
    return (struct attributes){message, false, 0, NULL};
}

static bool is_letter(uint8_t c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Letters of either case differ in their low six bits. */
static uint64_t name_bit(uint8_t name) {
    return UINT64_C(1) << (name & 63);
}

static bool go_bad(struct attributes *a, const char *why) {
    a->why = why;
    a->rest = view_of(NULL, 0);
    return false;
}

bool attribute_next(struct attributes *a, uint8_t *name, struct view *value) {
    if (a->why || (a->begun && a->rest.len == 0))
        return false;
    if (a->begun)
        a->rest = view_from(a->rest, 1); /* its comma: a value ends nowhere else */
    a->begun = true;
    if (a->rest.len < 2 || !is_letter(a->rest.at[0]) || a->rest.at[1] != '=')
        return go_bad(a, "not a list of SCRAM attributes");
    *name = a->rest.at[0];
    struct view from = view_from(a->rest, 2);
    const uint8_t *comma = from.len > 0 ? memchr(from.at, ',', from.len) : NULL;
    *value = view_of(from.at, comma ? (size_t)(comma - from.at) : from.len);
    if (value->len > 0 && memchr(value->at, 0, value->len))
        return go_bad(a, "a NUL in a SCRAM attribute");
    if (*name == 'm')
        return go_bad(a, "a mandatory extension of SCRAM that we do not know");
    if (a->seen & name_bit(*name))
        return go_bad(a, "a SCRAM attribute twice");
    a->seen |= name_bit(*name);
    a->rest = view_from(from, value->len);
    return true;
}

struct view attribute_take(struct attributes *a, uint8_t name) {
    uint8_t found;
    struct view value;
    if (attribute_next(a, &found, &value) && found == name)
        return value;
    if (!a->why)
        go_bad(a, "a SCRAM attribute is missing or out of order");
    return view_of(NULL, 0);
}

void attributes_skip(struct attributes *a, uint8_t stop) {
    static const char own[] = "aceinprsv"; /* and m, which is refused anywhere */
    uint8_t name;
    struct view value;
    for (;;) {
        struct attributes before = *a;
        if (!attribute_next(a, &name, &value))
            return;
        if (name == stop) {
            *a = before;
            return;
        }
        if (memchr(own, name, sizeof own - 1)) {
            go_bad(a, "a SCRAM attribute out of place");
            return;
        }
    }
}

bool scram_unbase64(struct view value, uint8_t *out, size_t cap, size_t *len) {
    struct writer w = writer_of(out, cap);
    bool good = text_unbase64(&w, value);
    *len = good ? w.len : 0;
    return good;
}

bool scram_nonce_valid(struct view nonce, size_t most) {
    if (nonce.len == 0 || nonce.len > most)
        return false;
    for (size_t i = 0; i < nonce.len; i++)
        if (nonce.at[i] < 0x21 || nonce.at[i] > 0x7E || nonce.at[i] == ',')
            return false;
    return true;
}

void scram_nonce_random(uint8_t out[SCRAM_RANDOM_NONCE]) {
    uint8_t random[SCRAM_RANDOM_NONCE / 4 * 3];
    secret_random(random, sizeof random);
    struct writer w = writer_of(out, SCRAM_RANDOM_NONCE);
    text_base64(&w, view_of(random, sizeof random));
    assert(!w.bad && w.len == SCRAM_RANDOM_NONCE);
}

void scram_binding_input(struct writer *w, struct view gs2, bool plus, const struct scram_channel *channel) {
    assert(!plus || (channel->tls_binding && channel->binding_len <= sizeof channel->binding));
    writer_bytes(w, gs2);
    if (plus)
        writer_bytes(w, view_of(channel->binding, channel->binding_len));
}

void scram_xor(const uint8_t a[SCRAM_KEY], const uint8_t b[SCRAM_KEY], uint8_t out[SCRAM_KEY]) {
    for (size_t i = 0; i < SCRAM_KEY; i++)
        out[i] = a[i] ^ b[i];
}
