/* SPDX-License-Identifier: ISC
 *
 * The way to a syslog receiver: this host's socket (datagrams), or a stream over TLS (RFC 5425) or, to
 * loopback only, plain TCP (RFC 6587). What is given is taken, or the link is down: nothing in between is
 * reported.
 */
#ifndef SEKISHO_SYSLOG_LINK_H
#define SEKISHO_SYSLOG_LINK_H

#include "bytes.h"

#define LINK_WHY 200

struct syslog_link;

/* Called from the loop, never from inside a call below. */
struct link_hooks {
    void (*up)(void *arg);
    /* All that was given has arrived: at the receiver's socket, or in its kernel. `lost` messages were too
     * long for a datagram. */
    void (*taken)(void *arg, uint64_t lost);
    /* Whether what was given arrived nobody knows. The link is to be closed. why: a sentence's end. */
    void (*down)(void *arg, const char *why);
};

/* "local", "unix:/path", "tls://host:port" or "tcp://127.0.0.1:port". False with a sentence's end. */
bool syslog_target_good(const char *target, const char **why);
/* ca: a file of authorities; "": the system's. NULL, with why, when it cannot even be tried. */
struct syslog_link *syslog_link_open(const char *target, const char *ca, const struct link_hooks *hooks,
                                     void *arg, char why[LINK_WHY]);
void syslog_link_close(struct syslog_link **l);
/* Frames, which stay where they are until taken or down; one call at a time. */
void syslog_link_give(struct syslog_link *l, struct view frames);

#endif
