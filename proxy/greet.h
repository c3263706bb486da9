/* SPDX-License-Identifier: ISC
 *
 * The first words of a connection, before its tenant is known: a PROXY header where one is owed, SSLRequest,
 * GSSENCRequest, CancelRequest, the ClientHello. Pure: what was peeked goes in, the next thing to do comes
 * out; the gate does it. Any stranger on the network reaches this, so it holds two numbers per connection and
 * allocates nothing. Standards: PostgreSQL protocol 3.0 ("SSL Session Encryption", "Canceling Requests"), TLS
 * (hello.h), PROXY (proxy2.h).
 */
#ifndef SEKISHO_GREET_H
#define SEKISHO_GREET_H

#include "admission.h"
#include "hello.h"
#include "proxy2.h"

#define GREET_PEEK HELLO_MAX /* the most bytes it ever asks for */

enum greet_state {
    GREET_PROXY,  /* the load balancer owes a PROXY header */
    GREET_FIRST,  /* nothing was said */
    GREET_AGAIN,  /* GSSENCRequest was answered N */
    GREET_HELLO,  /* SSLRequest was answered S: only a ClientHello may follow */
    GREET_DIRECT, /* it began with a TLS record: ALPN must name the protocol */
    GREET_OVER
};

struct greet {
    uint32_t magic;
    enum greet_state state;
};

enum greet_action {
    GREET_WAIT,     /* call again when `bytes` bytes can be peeked */
    GREET_PROXIED,  /* consume `bytes`; `proxy` tells the addresses; call again */
    GREET_REPLY,    /* consume `bytes`, send `reply`; call again */
    GREET_HANDOVER, /* consume nothing: `hello` says whose cell gets the socket */
    GREET_CANCEL,   /* consume `bytes`, route (`cancel_pid`, `cancel_key`), close without a word */
    GREET_REFUSE    /* consume `bytes`, send `failure` when `aloud`, close */
};

struct greet_step {
    enum greet_action action;
    size_t bytes;
    char reply;
    bool aloud;  /* the client can read an ErrorResponse in plaintext */
    bool direct; /* GREET_HANDOVER: TLS without SSLRequest */
    uint32_t cancel_pid, cancel_key;
    struct proxy2 proxy;
    struct hello hello;
    enum refusal refusal;
    struct failure failure; /* GREET_REFUSE; with a cause only when not aloud */
};

/* proxied: the peer is a listed load balancer, so a PROXY header must come first. */
void greet_begin(struct greet *g, bool proxied);
/* peeked: everything that waits in the socket, from its first unconsumed byte, up to GREET_PEEK bytes. After
 * GREET_HANDOVER, GREET_CANCEL and GREET_REFUSE the greeting is over. */
void greet_look(struct greet *g, struct view peeked, struct greet_step *step);
/* May an ErrorResponse be sent now, in plaintext? */
bool greet_plaintext(const struct greet *g);

#endif
