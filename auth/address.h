/* SPDX-License-Identifier: ISC
 *
 * IP addresses and ranges of them (RFC 4632, RFC 4291). IPv4-mapped IPv6 addresses are folded to IPv4, so
 * that a rule for one matches the other.
 */
#ifndef SEKISHO_ADDRESS_H
#define SEKISHO_ADDRESS_H

#include "bytes.h"

#include <sys/socket.h>

#define ADDRESS_TEXT 64 /* "[v6]:port" and its NUL */

struct address {
    uint8_t family;    /* 4, 6; 0: none */
    uint8_t bytes[16]; /* network order; the first 4 for family 4, the rest zero */
    uint16_t port;     /* host order; 0: any or none */
};

struct range {
    struct address base;
    uint8_t bits; /* prefix length: 0..32 or 0..128 */
};

#define RANGES_MAX 64
struct ranges {
    size_t count;
    struct range range[RANGES_MAX];
};

/* An address without port: "192.0.2.1", "2001:db8::1". */
bool address_parse(struct view v, struct address *out);
/* With port: "192.0.2.1:5432", "[2001:db8::1]:5432"; the port is required, 1..65535 (0 too when `any_port`).
 */
bool address_parse_port(struct view v, bool any_port, struct address *out);
bool address_from_sockaddr(const struct sockaddr *sa, struct address *out);
socklen_t address_to_sockaddr(const struct address *a, struct sockaddr_storage *out);
/* Without the port. */
void address_text(const struct address *a, char out[ADDRESS_TEXT]);
/* With the port. */
void address_text_port(const struct address *a, char out[ADDRESS_TEXT]);
bool address_equal(const struct address *a, const struct address *b); /* port included */
/* The network an address is punished with: /32 for IPv4, /64 for IPv6; port 0. */
struct address address_network(const struct address *a);
/* 19 bytes: family, bytes, port. */
void address_write(struct writer *w, const struct address *a);
bool address_read(struct reader *r, struct address *a);

/* A comma-separated list "192.0.2.0/24, 2001:db8::/32, 198.51.100.7". A range with bits set behind its prefix
 * is an error. False, with *bad the offending item, when something is wrong or there are more than
 * RANGES_MAX. */
bool ranges_parse(struct view v, struct ranges *out, struct view *bad);
bool ranges_contain(const struct ranges *r, const struct address *a);

#endif
