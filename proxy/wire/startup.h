/* SPDX-License-Identifier: ISC
 *
 * The packets that come before any typed message (PostgreSQL protocol, "Start-up", "SSL Session Encryption",
 * "Canceling Requests in Progress"): strict and bounded, as they come from strangers.
 */
#ifndef SEKISHO_STARTUP_H
#define SEKISHO_STARTUP_H

#include "bytes.h"

#define STARTUP_MAX 10000      /* bytes of the whole packet, as PostgreSQL's MAX_STARTUP_PACKET_LENGTH */
#define STARTUP_NAME_MAX 63    /* user and database, as NAMEDATALEN - 1 */
#define STARTUP_OPTIONS_MAX 64 /* parameters in one packet */

enum startup_kind {
    STARTUP_MESSAGE, /* protocol 3.x */
    STARTUP_SSL,
    STARTUP_GSSENC,
    STARTUP_CANCEL,
    STARTUP_BAD
};

struct startup_option {
    struct view name, value; /* into the packet given to startup_parse */
};

struct startup {
    enum startup_kind kind;
    const char *why;                 /* STARTUP_BAD: a short static text */
    const char *sqlstate;            /* STARTUP_BAD: "08P01", or "0A000" for a protocol we do not speak */
    uint32_t cancel_pid, cancel_key; /* STARTUP_CANCEL */
    uint16_t minor;                  /* STARTUP_MESSAGE: the minor protocol version asked for */
    struct view user,
        database; /* database defaults to user, unless replication is on (then it may be empty) */
    struct view application_name, replication; /* empty when absent */
    bool negotiate; /* minor > 0 or a _pq_. option was sent: answer NegotiateProtocolVersion */
    size_t options; /* all parameters in order, user and database included */
    struct startup_option option[STARTUP_OPTIONS_MAX];
};

/* The length field of a packet's first 4 bytes, checked to be in 8..STARTUP_MAX; 0 when it is not. */
size_t startup_length(const uint8_t first[4]);

/* Parses one whole packet, length field included; packet.len must equal its length field. Refuses: missing
 * terminators, bytes behind the end, duplicate names, an empty or missing user, user or database over 63
 * bytes, more than STARTUP_OPTIONS_MAX parameters, protocol 2 and anything unknown. */
void startup_parse(struct view packet, struct startup *out);

/* Writes the StartupMessage for the backend: protocol 3.0, every option of `s` in order but those named
 * _pq_.*; */
void startup_write(struct writer *w, const struct startup *s);
/* NegotiateProtocolVersion ('v'): newest minor 0 and the _pq_. options of `s` that were not recognised (all).
 */
void startup_write_negotiate(struct writer *w, const struct startup *s);
/* SSLRequest and CancelRequest packets. */
void startup_write_ssl(struct writer *w);
void startup_write_cancel(struct writer *w, uint32_t pid, uint32_t key);

#endif
