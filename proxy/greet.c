/* SPDX-License-Identifier: ISC
 *
 * See greet.h.
 */
#include "greet.h"
#include "magic.h"
#include "startup.h"

#include <string.h>

#define GREET_MAGIC 0x6b1d03f7u
#define TLS_HANDSHAKE 0x16

void greet_begin(struct greet *g, bool proxied) {
    g->magic = GREET_MAGIC;
    g->state = proxied ? GREET_PROXY : GREET_FIRST;
}

bool greet_plaintext(const struct greet *g) {
    MAGIC_CHECK(g, GREET_MAGIC);
    return g->state == GREET_FIRST || g->state == GREET_AGAIN;
}

static void wait_for(struct greet_step *step, size_t bytes) {
    assert(bytes > 0 && bytes <= GREET_PEEK);
    step->action = GREET_WAIT;
    step->bytes = bytes;
}

/* The other side could not read a word of ours: it speaks TLS, or something else altogether. */
static void refuse_silently(struct greet *g, struct greet_step *step, enum refusal refusal,
                            const char *cause) {
    g->state = GREET_OVER;
    step->action = GREET_REFUSE;
    step->refusal = refusal;
    failure_cause(&step->failure, "%s", cause);
}

static void refuse_packet(struct greet *g, struct greet_step *step, size_t bytes, const struct startup *s) {
    g->state = GREET_OVER;
    step->action = GREET_REFUSE;
    step->aloud = true;
    step->bytes = bytes;
    if (s && s->kind == STARTUP_MESSAGE) {
        step->refusal = REFUSAL_PLAINTEXT;
        failure_set(&step->failure, "28000", "set sslmode=verify-full (or require) in the connection string",
                    "connections must use TLS");
        return;
    }
    step->refusal = REFUSAL_PROTOCOL;
    failure_set(&step->failure, s && s->kind == STARTUP_BAD ? s->sqlstate : "08P01", NULL,
                "invalid startup packet: %s",
                !s                       ? "its length is out of bounds"
                : s->kind == STARTUP_BAD ? s->why
                                         : "GSSENCRequest came twice");
}

static void look_hello(struct greet *g, struct view peeked, struct greet_step *step) {
    bool direct = g->state == GREET_DIRECT;
    if (peeked.len == 0) {
        wait_for(step, 1);
        return;
    }
    if (peeked.at[0] != TLS_HANDSHAKE) {
        refuse_silently(g, step, REFUSAL_PROTOCOL, "no TLS after the answer to SSLRequest");
        return;
    }
    enum hello_result result = hello_parse(peeked, &step->hello);
    if (result == HELLO_MORE) {
        wait_for(step, step->hello.needed);
    } else if (result == HELLO_BAD) {
        refuse_silently(g, step, REFUSAL_HELLO, step->hello.why);
    } else if (direct && !step->hello.alpn_postgresql) {
        refuse_silently(g, step, REFUSAL_PROTOCOL, "direct TLS without ALPN \"postgresql\"");
    } else {
        g->state = GREET_OVER;
        step->action = GREET_HANDOVER;
        step->direct = direct;
    }
}

static void look_proxy(struct greet *g, struct view peeked, struct greet_step *step) {
    if (peeked.len == 0) {
        wait_for(step, PROXY2_HEADER);
        return;
    }
    switch (proxy2_parse(peeked, &step->proxy)) {
    case PROXY2_MORE:
        wait_for(step, step->proxy.needed);
        return;
    case PROXY2_OK:
        g->state = GREET_FIRST;
        step->action = GREET_PROXIED;
        step->bytes = step->proxy.needed;
        return;
    case PROXY2_BAD:
        refuse_silently(g, step, REFUSAL_PROXY_HEADER, step->proxy.why);
        return;
    }
}

/* Either version's first bytes; version 2's are no length PostgreSQL would accept, so 8 of its 12 are enough.
 */
static bool is_proxy_header(struct view peeked) {
    return view_starts(peeked, "\r\n\r\n") || view_starts(peeked, "PROXY ");
}

static void judge_packet(struct greet *g, struct view packet, bool stuffed, struct greet_step *step) {
    struct startup s;
    startup_parse(packet, &s);
    bool encrypts = s.kind == STARTUP_SSL || s.kind == STARTUP_GSSENC;
    if (encrypts && stuffed) {
        /* Someone between may have put these in so that they would pass for the client's (CVE-2021-23214). */
        refuse_silently(g, step, REFUSAL_STUFFED, "bytes behind a request for encryption");
    } else if (s.kind == STARTUP_SSL || (s.kind == STARTUP_GSSENC && g->state == GREET_FIRST)) {
        step->action = GREET_REPLY;
        step->bytes = packet.len;
        step->reply = s.kind == STARTUP_SSL ? 'S' : 'N';
        g->state = s.kind == STARTUP_SSL ? GREET_HELLO : GREET_AGAIN;
    } else if (s.kind == STARTUP_CANCEL) {
        g->state = GREET_OVER;
        step->action = GREET_CANCEL;
        step->bytes = packet.len;
        step->cancel_pid = s.cancel_pid;
        step->cancel_key = s.cancel_key;
    } else {
        refuse_packet(g, step, packet.len, &s);
    }
}

static void look_packet(struct greet *g, struct view peeked, struct greet_step *step) {
    if (peeked.len > 0 && peeked.at[0] == TLS_HANDSHAKE) {
        g->state = GREET_DIRECT;
        look_hello(g, peeked, step);
        return;
    }
    if (peeked.len < 8) {
        wait_for(step, 8);
        return;
    }
    if (is_proxy_header(peeked)) {
        refuse_silently(g, step, REFUSAL_PROXY_HEADER,
                        "a PROXY header from an address that is no listed load balancer");
        return;
    }
    size_t length = startup_length(peeked.at);
    if (length == 0)
        refuse_packet(g, step, 0, NULL);
    else if (peeked.len < length)
        wait_for(step, length);
    else
        judge_packet(g, view_of(peeked.at, length), peeked.len > length, step);
}

void greet_look(struct greet *g, struct view peeked, struct greet_step *step) {
    MAGIC_CHECK(g, GREET_MAGIC);
    assert(g->state != GREET_OVER && peeked.len <= GREET_PEEK);
    memset(step, 0, sizeof *step);
    switch (g->state) {
    case GREET_PROXY:
        look_proxy(g, peeked, step);
        break;
    case GREET_FIRST:
    case GREET_AGAIN:
        look_packet(g, peeked, step);
        break;
    case GREET_HELLO:
    case GREET_DIRECT:
        look_hello(g, peeked, step);
        break;
    case GREET_OVER:
        break;
    }
    assert(step->action == GREET_WAIT ? step->bytes > peeked.len : step->bytes <= peeked.len);
}
