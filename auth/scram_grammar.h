/* SPDX-License-Identifier: ISC
 *
 * The grammar both sides of SCRAM share (RFC 5802 section 7): a message is "x=value" attributes with commas
 * between. For scram_server.c and scram_client.c. Meets the bytes of strangers: walks forward only, never
 * past the end, bounded by the caller's SCRAM_MESSAGE_MAX. Values are views into the message.
 */
#ifndef SEKISHO_SCRAM_GRAMMAR_H
#define SEKISHO_SCRAM_GRAMMAR_H

#include "scram.h"

#define SCRAM_PLAIN "SCRAM-SHA-256"
#define SCRAM_PLUS "SCRAM-SHA-256-PLUS"
#define SCRAM_BINDING_FLAG "p=tls-server-end-point"
#define SCRAM_RANDOM_NONCE 24 /* our part of a nonce: 18 random bytes in base64 */

/* Goes bad once (why is set) and stays bad. */
struct attributes {
    struct view rest; /* not read yet; starts with its comma once `begun` */
    bool begun;       /* the first attribute was taken */
    uint64_t seen;    /* a bit for each name that was taken: none may come twice */
    const char *why;  /* static text; NULL while all is well */
};

struct attributes attributes_of(struct view message);
/* The next attribute. False at the end of the message, or bad. */
bool attribute_next(struct attributes *a, uint8_t *name, struct view *value);
/* The next attribute's value; bad when it isn't `name`. */
struct view attribute_take(struct attributes *a, uint8_t name);
/* Passes over optional extensions, which we may ignore, up to the attribute `stop` (not taken) or to the end
 * for 0. Bad when one of SCRAM's own attributes stands among them. */
void attributes_skip(struct attributes *a, uint8_t stop);

/* Base64 into out, at most cap bytes. False, with *len 0, for anything else. */
bool scram_unbase64(struct view value, uint8_t *out, size_t cap, size_t *len);
/* At least one printable ASCII character, no comma, at most `most`. */
bool scram_nonce_valid(struct view nonce, size_t most);
void scram_nonce_random(uint8_t out[SCRAM_RANDOM_NONCE]);
/* What "c=" carries before base64: the gs2 header, and with -PLUS the channel's binding data. */
void scram_binding_input(struct writer *w, struct view gs2, bool plus, const struct scram_channel *channel);
/* proof XOR signature: makes a proof of ClientKey, and ClientKey of a proof. */
void scram_xor(const uint8_t a[SCRAM_KEY], const uint8_t b[SCRAM_KEY], uint8_t out[SCRAM_KEY]);

#endif
