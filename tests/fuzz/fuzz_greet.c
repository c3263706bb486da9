/* SPDX-License-Identifier: ISC
 *
 * Fuzzes the gate's greeting as the gate runs it: first byte: odd when the peer is a listed load balancer;
 * the second: how many bytes arrive at a time; then the client's bytes. Each step must get on, never ask for
 * what is there already, and end; after S nothing but TLS may lead anywhere.
 */
#include "greet.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_end(const struct greet *g, const struct greet_step *s, bool said_s, struct view seen) {
    assert(g->state == GREET_OVER && !greet_plaintext(g));
    if (s->action == GREET_HANDOVER) {
        assert(s->bytes == 0 && seen.at[0] == 0x16 && s->direct == !said_s);
        assert(!s->direct || s->hello.alpn_postgresql);
    }
    if (s->action == GREET_CANCEL)
        assert(!said_s && s->bytes == 16);
    if (s->action == GREET_REFUSE) {
        assert(s->refusal > REFUSAL_NONE && s->refusal < REFUSAL_COUNT);
        assert(s->aloud ? s->failure.sqlstate[0] && !said_s : !s->failure.sqlstate[0] && s->failure.cause[0]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    size_t arrives = data[1] ? data[1] : GREET_PEEK;
    struct view rest = view_from(view_of(data, size), 2);
    struct greet g;
    greet_begin(&g, data[0] & 1);
    bool said_s = false;
    size_t there = 0; /* of rest, bytes that have arrived */
    for (;;) {
        struct greet_step s;
        struct view seen = view_of(rest.at, there < GREET_PEEK ? there : GREET_PEEK);
        greet_look(&g, seen, &s);
        if (s.action == GREET_WAIT) {
            assert(s.bytes > seen.len && s.bytes <= GREET_PEEK);
            if (s.bytes > rest.len)
                return 0; /* the client says no more: the time limit ends it */
            while (there < s.bytes)
                there += arrives < rest.len - there ? arrives : rest.len - there;
            continue;
        }
        assert(s.bytes <= seen.len);
        if (s.action != GREET_PROXIED && s.action != GREET_REPLY) {
            check_end(&g, &s, said_s, seen);
            return 0;
        }
        assert(s.bytes > 0);
        if (s.action == GREET_REPLY) {
            assert(!said_s && s.bytes == 8 && seen.len == 8 && (s.reply == 'S' || s.reply == 'N'));
            said_s = s.reply == 'S';
        }
        rest = view_from(rest, s.bytes);
        there -= s.bytes;
    }
}
