/* SPDX-License-Identifier: ISC
 *
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677; channel binding tls-server-end-point, RFC 5929),
 * both sides, with the key pass-through that lets the proxy log in to the instance as the client: the
 * client's proof reveals ClientKey to whoever holds StoredKey, and ClientKey is all a SCRAM client needs.
 * Pure: no socket, no clock.
 *
 * Server (towards clients):
 *   scram_server_first(): reads client-first, writes server-first
 *   scram_server_final(): reads client-final, checks the proof, yields ClientKey, writes server-final
 * Client (towards the instance):
 *   scram_client_first(), scram_client_final(): reads server-first, writes client-final
 *   scram_client_check(): reads server-final, checks that the instance knows ServerKey
 */
#ifndef SEKISHO_SCRAM_H
#define SEKISHO_SCRAM_H

#include "verifier.h"

#define SCRAM_MESSAGE_MAX 1024 /* any one SCRAM message, bytes */
#define SCRAM_NONCE_MAX 256    /* the client's part */
#define SCRAM_BINDING_MAX 64   /* a tls-server-end-point hash (SHA-512 at most) */

enum scram_result {
    SCRAM_OK,
    SCRAM_MALFORMED, /* not SCRAM, or a rule broken: `why` says which; 08P01 */
    SCRAM_DENIED     /* well-formed, but the proof, signature or binding is wrong: 28P01 */
};

/* Which call may come next; any other is refused, so that a peer's messages out of turn prove nothing. */
enum scram_next {
    SCRAM_NEXT_NOTHING, /* over, or refused */
    SCRAM_NEXT_FINAL,   /* scram_server_final, scram_client_final */
    SCRAM_NEXT_CHECK    /* scram_client_check */
};

/* What each side knows of the TLS channel. */
struct scram_channel {
    bool tls_binding; /* binding data is available: -PLUS is offered */
    size_t binding_len;
    uint8_t binding[SCRAM_BINDING_MAX]; /* the server certificate's hash */
};

struct scram_server {
    uint32_t magic;
    enum scram_next next;
    const char *why; /* static text, for the log */
    bool plus;       /* the mechanism the client chose */
    char gs2_flag;   /* 'n', 'y' or 'p' */
    size_t gs2_len;
    uint8_t gs2[SCRAM_NONCE_MAX]; /* the gs2 header as sent */
    size_t nonce_len;
    uint8_t nonce[SCRAM_NONCE_MAX + 32]; /* client's and ours */
    size_t transcript_len;               /* client-first-bare "," server-first */
    uint8_t transcript[2 * SCRAM_MESSAGE_MAX + 2];
    struct verifier verifier;
};

/* mechanism: "SCRAM-SHA-256" or "SCRAM-SHA-256-PLUS" (anything else is malformed). Checks the gs2 flag
 * against it: 'y' although binding was offered is a downgrade and DENIED; 'p' without -PLUS or with another
 * binding type is MALFORMED; -PLUS without 'p' is MALFORMED. The user name inside the message is ignored, as
 * PostgreSQL does; an authorization identity ("a=") is MALFORMED. Unknown mandatory extension "m=" is
 * MALFORMED. The nonce must be printable ASCII without ',', at most SCRAM_NONCE_MAX bytes. Writes
 * server-first to `out`. */
enum scram_result scram_server_first(struct scram_server *s, struct view mechanism, struct view message,
                                     const struct scram_channel *channel, const struct verifier *verifier,
                                     struct writer *out);
/* As scram_server_first, with the server's nonce part given (18 random bytes base64 otherwise): for RFC
 * 7677's vector. */
enum scram_result scram_server_first_with(struct scram_server *s, struct view mechanism, struct view message,
                                          const struct scram_channel *channel,
                                          const struct verifier *verifier, struct view server_nonce,
                                          struct writer *out);
/* On SCRAM_OK client_key holds the client's key and `out` server-final; otherwise client_key is zero. */
enum scram_result scram_server_final(struct scram_server *s, struct view message,
                                     const struct scram_channel *channel, uint8_t client_key[SCRAM_KEY],
                                     struct writer *out);
void scram_server_wipe(struct scram_server *s);

struct scram_client {
    uint32_t magic;
    enum scram_next next;
    const char *why;
    bool plus;
    size_t nonce_len;
    uint8_t nonce[64]; /* our part */
    size_t transcript_len;
    uint8_t transcript[3 * SCRAM_MESSAGE_MAX + 3]; /* the whole AuthMessage after scram_client_final */
    uint8_t server_key[SCRAM_KEY];
};

/* Chooses -PLUS when `offered_plus` and channel->tls_binding. Sends 'y' when we could bind but the server did
 * not offer it. Writes client-first (user name empty, as libpq). The mechanism's name is
 * scram_client_mechanism(). */
void scram_client_first(struct scram_client *c, bool offered_plus, const struct scram_channel *channel,
                        struct writer *out);
const char *scram_client_mechanism(const struct scram_client *c);
/* Refuses (DENIED, why "verifier changed") when the instance's salt or iterations differ from the verifier
 * the client key belongs to. */
enum scram_result scram_client_final(struct scram_client *c, struct view server_first,
                                     const struct scram_channel *channel, const struct verifier *verifier,
                                     const uint8_t client_key[SCRAM_KEY], struct writer *out);
enum scram_result scram_client_check(struct scram_client *c, struct view server_final);
void scram_client_wipe(struct scram_client *c);

#endif
