/* SPDX-License-Identifier: ISC
 *
 * PROXY protocol version 2 (haproxy's proxy-protocol.txt, section 2.2): the client's real address, told by a
 * load balancer that the configuration lists. Binary form only.
 */
#ifndef SEKISHO_PROXY2_H
#define SEKISHO_PROXY2_H

#include "bytes.h"

#define PROXY2_HEADER 16
#define PROXY2_MAX 1024 /* header, addresses and TLVs together */

enum proxy2_result { PROXY2_OK, PROXY2_MORE, PROXY2_BAD };

struct proxy2 {
    size_t needed;  /* PROXY2_MORE: total bytes needed before another try; PROXY2_OK: length of the whole
                       header */
    bool local;     /* LOCAL command (a health check): use the connection's own addresses */
    uint8_t family; /* 4 or 6 */
    uint8_t source[16], destination[16]; /* the first 4 bytes for family 4 */
    uint16_t source_port, destination_port;
    const char *why; /* PROXY2_BAD */
};

/* Bad: a wrong signature or version, UNSPEC or UDP or unix with the PROXY command, a length too short for the
 * family or over PROXY2_MAX. */
enum proxy2_result proxy2_parse(struct view bytes, struct proxy2 *out);

#endif
