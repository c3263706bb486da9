/* SPDX-License-Identifier: ISC
 *
 * Typed messages (PostgreSQL protocol 3.0, "Message Formats"): cutting whole messages out of a buffer during
 * login, following message boundaries in the relayed stream, reading and writing the few that the proxy
 * itself understands.
 */
#ifndef SEKISHO_MESSAGE_H
#define SEKISHO_MESSAGE_H

#include "bytes.h"
#include "failure.h"

/* A message PostgreSQL itself would accept at most (1 GiB - 1, as MaxAllocSize). The relay counts in 64 bits.
 */
#define MESSAGE_MAX 0x3fffffffu

enum message_result { MESSAGE_OK, MESSAGE_MORE, MESSAGE_BAD };

struct message {
    char type;
    struct view body; /* without type and length */
};

/* Cuts the first whole message from `bytes`; *used is its full length. MESSAGE_BAD when the length field is
 * under 4 or the whole would be longer than `max` bytes. */
enum message_result message_next(struct view bytes, size_t max, struct message *out, size_t *used);

/* Follows the boundaries of one direction of a relayed stream without holding any of it. */
struct frame {
    uint64_t left;     /* bytes of the current message's body still to come */
    uint32_t length;   /* the header so far, when have > 0 */
    uint8_t have;      /* header bytes seen, 0..4; 0 and left == 0: at a boundary */
    char type;         /* of the message under way, or of the last one */
    char status;       /* body of the last ReadyForQuery ('I', 'T', 'E'), 0 before the first */
    uint8_t bad;       /* a length under 4 was seen: the stream is not PostgreSQL's */
    uint64_t messages; /* begun so far */
    uint64_t ready;    /* ReadyForQuery messages completed */
    uint64_t commits;  /* of those, with status 'I': transactions ended */
    uint64_t asks;     /* from a client: Query, Sync and FunctionCall messages begun, each to be answered by a
                          ReadyForQuery */
};

void frame_begin(struct frame *f);
/* Accounts `bytes`, which follow those of the last call. Cheap: one step per message, none per byte. */
void frame_feed(struct frame *f, struct view bytes);
bool frame_at_boundary(const struct frame *f);

/* ErrorResponse or NoticeResponse fields; empty views where absent. */
struct error_fields {
    struct view severity, sqlstate, message, detail, hint;
};
/* False when the body is not a well-formed field list ending in a zero byte or has no valid SQLSTATE or
 * message. */
bool message_read_error(struct view body, struct error_fields *out);

/* ErrorResponse 'E': S and V "FATAL", C, M, D "Session <id>." (left out when session is 0), H. */
void message_write_fatal(struct writer *w, const struct failure *f, uint64_t session);
/* AuthenticationSASL with SCRAM-SHA-256, before it SCRAM-SHA-256-PLUS when plus is true. */
void message_write_sasl(struct writer *w, bool plus);
void message_write_sasl_continue(struct writer *w, struct view data);
void message_write_sasl_final(struct writer *w, struct view data);
void message_write_auth_ok(struct writer *w);
void message_write_backend_key(struct writer *w, uint32_t pid, uint32_t key);
/* SASLInitialResponse 'p' and SASLResponse 'p', as a client sends them. */
void message_write_sasl_initial(struct writer *w, const char *mechanism, struct view data);
void message_write_sasl_response(struct writer *w, struct view data);
void message_write_terminate(struct writer *w);

/* SASLInitialResponse: mechanism name (at most 63 bytes) and its data. False when malformed or with bytes
 * behind. */
bool message_read_sasl_initial(struct view body, struct view *mechanism, struct view *data);

/* AuthenticationXXX ('R') from a backend. */
enum auth_request {
    AUTH_REQUEST_OK,
    AUTH_REQUEST_SASL,
    AUTH_REQUEST_SASL_CONTINUE,
    AUTH_REQUEST_SASL_FINAL,
    AUTH_REQUEST_OTHER, /* a known but unwanted method; `name` says which */
    AUTH_REQUEST_BAD
};
struct auth {
    enum auth_request request;
    const char *name; /* AUTH_REQUEST_OTHER: "cleartext password", "MD5", ... */
    bool scram, plus; /* AUTH_REQUEST_SASL: mechanisms offered */
    struct view data; /* continue and final */
};
void message_read_auth(struct view body, struct auth *out);
/* BackendKeyData with exactly 4 + 4 bytes. */
bool message_read_backend_key(struct view body, uint32_t *pid, uint32_t *key);
/* ParameterStatus: two terminated texts and nothing behind. */
bool message_read_parameter(struct view body, struct view *name, struct view *value);

#endif
