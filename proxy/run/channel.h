/* SPDX-License-Identifier: ISC
 *
 * A channel: one SOCK_SEQPACKET socket between two of our processes, one message a packet, checked against
 * messages.def before anybody sees it. The receiver knows who is at the other end because the supervisor said
 * so when it made the channel, never because the message says so. A peer that breaks a rule is ended: its
 * channel is closed and the owner told. Sending never blocks: what the kernel cannot take is queued, up to
 * CHANNEL_QUEUE_MAX bytes.
 */
#ifndef SEKISHO_CHANNEL_H
#define SEKISHO_CHANNEL_H

#include "bytes.h"

#include <event2/event.h>

#define CHANNEL_VERSION 1
#define CHANNEL_BODY_MAX 65535
#define CHANNEL_QUEUE_MAX (8u << 20)

enum role {
    R_SUPERVISOR = 1,
    R_GATE = 2,
    R_CELL = 4,
    R_LOBBY = 8,
    R_BROKER = 16,
    R_KEEPER = 32,
    R_LEDGER = 64,
    R_OPERATOR = 128, /* the cell of one operator session */
    R_CONSOLE = 256,
    R_NOTIFIER = 512,
    R_ANY = R_GATE | R_CELL | R_LOBBY | R_BROKER | R_KEEPER | R_LEDGER | R_OPERATOR | R_CONSOLE | R_NOTIFIER
};
const char *role_name(enum role r);

enum message_code {
#define MESSAGE(code, from, to, most, descriptor) M_##code,
#include "messages.def"
#undef MESSAGE
    M_COUNT
};
const char *message_name(enum message_code m);

struct channel;

/* body: the message's, positioned at its start; valid during the call. fd: the descriptor that came with it,
 * owned by the callee from now on, or -1. A body that does not parse: call channel_offend and return. */
typedef void channel_message_fn(void *arg, struct channel *c, enum message_code m, struct reader *body,
                                int fd);
/* The other end is gone (why: "closed", "sent X, which it may not", ...). The channel is freed after the
 * call. */
typedef void channel_ended_fn(void *arg, struct channel *c, const char *why);

/* Takes over fd (made non-blocking and close-on-exec). us, them: exactly one role each. */
struct channel *channel_new(struct event_base *base, int fd, enum role us, enum role them,
                            channel_message_fn *message, channel_ended_fn *ended, void *arg);
/* Waits for the first packet on fd and gives its body, which stays valid until the next call; the packet
 * stays there for the channel to come. False when it is not `m`, or never comes. */
bool channel_first(int fd, enum message_code m, struct view *body);
/* Everything that has arrived is delivered now: for a peer that just died. */
void channel_drain(struct channel *c);
/* Clears the pointer. Unsent messages are dropped. Safe inside callbacks. */
void channel_free(struct channel **c);
enum role channel_peer(const struct channel *c);

/* Sends m with what w holds; fd (or -1) is duplicated into the message: the caller keeps and closes its own.
 * Asserts that we may say m to this peer. A full queue or a dead peer ends the channel soon (ended is called
 * from the loop). */
void channel_send(struct channel *c, enum message_code m, const struct writer *body, int fd);
/* Bytes still queued here; a descriptor counts as some thousands. */
size_t channel_backlog(const struct channel *c);
/* While it is paused nothing is received: what the peer sends waits in the kernel, then at the peer. */
void channel_pause(struct channel *c, bool paused);
/* The message just received broke a rule: the channel ends after this callback. */
void channel_offend(struct channel *c, const char *why);
/* For buffers: a writer over a static scratch of CHANNEL_BODY_MAX bytes (one message at a time). */
struct writer channel_scratch(void);

#endif
