/* SPDX-License-Identifier: ISC
 *
 * See address.h.
 */
#include "address.h"
#include "text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define MAPPED_BITS 96 /* ::ffff:0:0/96 holds IPv4 */

static const uint8_t mapped_prefix[MAPPED_BITS / 8] = {[10] = 0xFF, [11] = 0xFF};

static bool is_mapped(const struct address *a) {
    return a->family == 6 && memcmp(a->bytes, mapped_prefix, sizeof mapped_prefix) == 0;
}

static void fold(struct address *a) {
    if (!is_mapped(a))
        return;
    a->family = 4;
    memcpy(a->bytes, a->bytes + sizeof mapped_prefix, 4);
    memset(a->bytes + 4, 0, sizeof a->bytes - 4);
}

/* As written: an IPv4-mapped address stays IPv6. */
static bool parse_unfolded(struct view v, struct address *out) {
    char text[INET6_ADDRSTRLEN];
    memset(out, 0, sizeof *out);
    if (!view_copy_text(v, text, sizeof text))
        return false;
    if (inet_pton(AF_INET, text, out->bytes) == 1)
        out->family = 4;
    else if (inet_pton(AF_INET6, text, out->bytes) == 1)
        out->family = 6;
    else
        memset(out, 0, sizeof *out);
    return out->family != 0;
}

bool address_parse(struct view v, struct address *out) {
    bool good = parse_unfolded(v, out);
    fold(out);
    return good;
}

/* Splits "192.0.2.1:5432" or "[2001:db8::1]:5432" at the colon before the port. */
static bool split_port(struct view v, struct view *host, struct view *port) {
    const uint8_t *colon = v.len > 0 ? memrchr(v.at, ':', v.len) : NULL;
    if (!colon)
        return false;
    *host = view_of(v.at, (size_t)(colon - v.at));
    *port = view_from(v, host->len + 1);
    return true;
}

bool address_parse_port(struct view v, bool any_port, struct address *out) {
    struct view host, port;
    uint64_t number;
    memset(out, 0, sizeof *out);
    if (!split_port(v, &host, &port) || !text_number(port, any_port ? 0 : 1, UINT16_MAX, &number))
        return false;
    bool bracketed = host.len >= 2 && host.at[0] == '[' && host.at[host.len - 1] == ']';
    if (bracketed)
        host = view_of(host.at + 1, host.len - 2);
    if (!parse_unfolded(host, out) || out->family != (bracketed ? 6 : 4)) {
        memset(out, 0, sizeof *out);
        return false;
    }
    fold(out);
    out->port = (uint16_t)number;
    return true;
}

bool address_from_sockaddr(const struct sockaddr *sa, struct address *out) {
    memset(out, 0, sizeof *out);
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        out->family = 4;
        out->port = ntohs(in.sin_port);
        memcpy(out->bytes, &in.sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof in6);
        out->family = 6;
        out->port = ntohs(in6.sin6_port);
        memcpy(out->bytes, &in6.sin6_addr, 16);
    }
    fold(out);
    return out->family != 0;
}

socklen_t address_to_sockaddr(const struct address *a, struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    if (a->family == 4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
        memcpy(&in.sin_addr, a->bytes, 4);
        memcpy(out, &in, sizeof in);
        return sizeof in;
    }
    if (a->family == 6) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
        memcpy(&in6.sin6_addr, a->bytes, 16);
        memcpy(out, &in6, sizeof in6);
        return sizeof in6;
    }
    return 0;
}

void address_text(const struct address *a, char out[ADDRESS_TEXT]) {
    out[0] = 0;
    if (a->family != 0)
        inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, out, ADDRESS_TEXT);
}

void address_text_port(const struct address *a, char out[ADDRESS_TEXT]) {
    char host[ADDRESS_TEXT];
    address_text(a, host);
    out[0] = 0;
    struct writer w = writer_of(out, ADDRESS_TEXT);
    if (a->family != 0)
        writer_format(&w, a->family == 6 ? "[%s]:%u" : "%s:%u", host, (unsigned)a->port);
    writer_u8(&w, 0);
}

bool address_equal(const struct address *a, const struct address *b) {
    return a->family == b->family && a->port == b->port && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

struct address address_network(const struct address *a) {
    struct address network = *a;
    network.port = 0;
    if (network.family == 6)
        memset(network.bytes + 8, 0, 8);
    return network;
}

void address_write(struct writer *w, const struct address *a) {
    writer_u8(w, a->family);
    writer_bytes(w, view_of(a->bytes, sizeof a->bytes));
    writer_u16(w, a->port);
}

/* True when every bit of a from `bits` on is zero. */
static bool zero_behind(const struct address *a, unsigned bits) {
    for (unsigned i = bits; i < 8 * sizeof a->bytes; i++)
        if (a->bytes[i / 8] & (0x80u >> i % 8))
            return false;
    return true;
}

static unsigned family_bits(const struct address *a) {
    return a->family == 4 ? 32 : a->family == 6 ? 128 : 0;
}

bool address_read(struct reader *r, struct address *a) {
    memset(a, 0, sizeof *a);
    a->family = reader_u8(r);
    struct view bytes = reader_bytes(r, sizeof a->bytes);
    if (bytes.len > 0)
        memcpy(a->bytes, bytes.at, bytes.len);
    a->port = reader_u16(r);
    bool known = a->family == 0 || a->family == 4 || a->family == 6;
    if (!known || is_mapped(a) || !zero_behind(a, family_bits(a)))
        r->bad = true;
    if (r->bad)
        memset(a, 0, sizeof *a);
    return !r->bad;
}

static bool parse_range(struct view item, struct range *out) {
    const uint8_t *slash = item.len > 0 ? memchr(item.at, '/', item.len) : NULL;
    struct view base = slash ? view_of(item.at, (size_t)(slash - item.at)) : item;
    if (!parse_unfolded(base, &out->base))
        return false;
    uint64_t bits = family_bits(&out->base);
    if (slash && !text_number(view_from(item, base.len + 1), 0, bits, &bits))
        return false;
    if (!zero_behind(&out->base, (unsigned)bits))
        return false;
    if (is_mapped(&out->base)) /* its prefix ends in ones, so bits is 96 at least */
        bits -= MAPPED_BITS;
    fold(&out->base);
    out->bits = (uint8_t)bits;
    return true;
}

bool ranges_parse(struct view v, struct ranges *out, struct view *bad) {
    struct view item;
    memset(out, 0, sizeof *out);
    *bad = view_of(NULL, 0);
    while (text_next_item(&v, &item)) {
        if (out->count == RANGES_MAX || !parse_range(item, &out->range[out->count])) {
            memset(out, 0, sizeof *out);
            *bad = item;
            return false;
        }
        out->count++;
    }
    return true;
}

static bool range_contains(const struct range *range, const struct address *a) {
    if (range->base.family != a->family)
        return false;
    size_t whole = range->bits / 8;
    if (memcmp(range->base.bytes, a->bytes, whole) != 0)
        return false;
    unsigned rest = range->bits % 8;
    return rest == 0 || ((range->base.bytes[whole] ^ a->bytes[whole]) >> (8 - rest)) == 0;
}

bool ranges_contain(const struct ranges *r, const struct address *a) {
    for (size_t i = 0; a->family != 0 && i < r->count; i++)
        if (range_contains(&r->range[i], a))
            return true;
    return false;
}
